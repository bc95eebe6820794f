//! One SMTP session, driven phase by phase: `lettre`'s own transport hides in which phase it failed, and gives up the
//! connection (and so the login) at every refused recipient.
//!
//! Where the server takes commands in groups, the commands of the next mail travel with the text of the one before, so
//! that a mail costs one round trip. Only the mail whose text was written can be in doubt.

mod link;
mod server;
mod tls;

use std::sync::Arc;
use std::time::{Duration, Instant};

use lettre::transport::smtp::client::SmtpConnection;

use self::link::{Failure, Link};
use self::server::Server;
pub use self::tls::Encryption;
use super::reply::{self, Phase};
use super::trouble::Trouble;
use super::{Envelope, sent};
use crate::config;
use crate::gate::Gate;
use crate::outcome::{Fault, Outcome};

/// All that comes before the text, connecting again included, has to fit into this...
const PREPARE: Duration = Duration::from_secs(30);
/// ...so that enough of a delivery's time is left for the text and its reply.
const DELIVERY: Duration = Duration::from_secs(45);
/// The longest that a mail waits for the next one to travel with it.
const PATIENCE: Duration = Duration::from_millis(100);
/// A round trip that is shorter is not worth a wait: falling asleep and waking up takes as long.
const WORTHWHILE: Duration = Duration::from_millis(1);

/// A connection that is kept from mail to mail, and opened again for the next mail when it was lost.
pub struct Session {
    server: Arc<Server>,
    link: Option<Box<Link>>,
}

impl Session {
    /// Connects, starts TLS and logs in. The error means that the channel is down.
    pub fn open(smtp: &config::Smtp) -> Result<Self, Fault> {
        let server = Arc::new(Server::new(smtp)?);
        let link = Some(server.connect(Instant::now() + PREPARE)?);
        Ok(Self { server, link })
    }

    /// How the connection is encrypted, while there is one.
    pub fn encryption(&self) -> Option<Encryption> {
        self.link.as_ref().map(|link| link.encryption())
    }

    /// Brings the server to take one mail's text for its one recipient (RFC 5321 3.3).
    pub fn prepare<'a>(&'a mut self, envelope: &'a Envelope) -> Result<Ready<'a>, Outcome> {
        let begun = Instant::now();
        let link = self.link_for(envelope, begun + PREPARE)?;
        let link = self.begin(link, envelope, begun + PREPARE)?;
        Ok(Ready {
            session: self,
            link,
            envelope,
            begun,
        })
    }

    fn begin(
        &mut self,
        mut link: Box<Link>,
        envelope: &Envelope,
        until: Instant,
    ) -> Result<Box<Link>, Outcome> {
        if !link.can_address(envelope) {
            self.keep(link);
            return Err(Outcome::Failed(no_smtputf8()));
        }
        match link.begin(envelope, until) {
            Ok(()) => Ok(link),
            Err(failure) if link.has_served && is_farewell(&failure) => {
                drop(link);
                let link = self.connect(until)?;
                self.begin(link, envelope, until)
            }
            Err(failure) => {
                self.keep(link);
                Err(outcome(&failure, envelope))
            }
        }
    }

    /// The kept connection, unless the server waits there for the text of another mail, which is not to be sent.
    fn link_for(&mut self, envelope: &Envelope, until: Instant) -> Result<Box<Link>, Outcome> {
        let free = |link: &Link| {
            let announced = link.announced.as_ref();
            announced.is_none_or(|id| *id == envelope.message_id)
        };
        match self.link.take().filter(|link| free(link)) {
            Some(link) => Ok(link),
            None => self.connect(until),
        }
    }

    fn connect(&self, until: Instant) -> Result<Box<Link>, Outcome> {
        self.server.connect(until).map_err(Outcome::Stopped)
    }

    fn keep(&mut self, link: Box<Link>) {
        self.link = Some(link).filter(|link| link.usable);
    }

    /// QUIT, then the end.
    pub fn close(self) {
        if let Some(link) = self.link {
            link.close();
        }
    }
}

/// A server that waits for a mail's text. Left alone, it loses the connection, which is the only way not to send it.
pub struct Ready<'a> {
    session: &'a mut Session,
    link: Box<Link>,
    envelope: &'a Envelope,
    begun: Instant,
}

impl Ready<'_> {
    /// How long to wait for a next mail that could travel with this one: no longer than it would take to send it apart,
    /// zero where that is nothing. `None`: the server takes no commands in groups.
    pub fn patience(&self) -> Option<Duration> {
        let apart = self.link.round_trip;
        let patience = match apart < WORTHWHILE {
            true => Duration::ZERO,
            false => apart.min(PATIENCE),
        };
        self.link.pipelining.then_some(patience)
    }

    /// Hands over the text, and with it the commands of the next mail.
    pub fn hand_over(mut self, gate: &Gate, next: Option<&Envelope>) -> Outcome {
        if !gate.pass() {
            return Outcome::given_up();
        }
        let next = next.filter(|next| self.link.can_address(next));
        let until = self.begun + DELIVERY;
        let done = self.link.hand_over(self.envelope, next, until);
        self.session.keep(self.link);
        match done {
            Ok(()) => sent(self.envelope),
            Err(failure) => outcome(&failure, self.envelope),
        }
    }
}

/// A server may end a connection after so many mails (Exim: 1,000), with 421 or without a word: that does not speak
/// against the next connection, nor against the mail.
fn is_farewell(failure: &Failure) -> bool {
    match failure {
        (Phase::Mail, Trouble::Reply { code, .. }) => *code == 421,
        (Phase::Mail, Trouble::Lost(_)) => true,
        _ => false,
    }
}

fn outcome((phase, trouble): &Failure, envelope: &Envelope) -> Outcome {
    reply::outcome(*phase, trouble, &envelope.from, &envelope.to)
}

fn set_timeout(smtp: &mut SmtpConnection, limit: Duration) -> Result<(), Trouble> {
    smtp.set_timeout(Some(limit))
        .map_err(|error| Trouble::Lost(error.to_string()))
}

fn no_smtputf8() -> Fault {
    let reason =
        "the address has letters beyond ASCII, which this mail server cannot take (no SMTPUTF8)";
    Fault::new("address", reason)
}

#[cfg(test)]
mod tests;

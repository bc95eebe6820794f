//! One SMTP session, driven phase by phase: `lettre`'s own transport hides in which phase it failed, and gives up the
//! connection (and so the login) at every refused recipient.

mod server;
mod tls;

use std::fmt::Display;
use std::time::{Duration, Instant};

use lettre::transport::smtp::client::SmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{Extension, MailParameter};
use lettre::transport::smtp::response::Severity;

use self::server::Server;
use super::reply::{self, Phase};
use super::trouble::Trouble;
use super::{Envelope, sent};
use crate::config;
use crate::gate::Gate;
use crate::outcome::{Fault, Outcome};

/// The longest wait for one reply.
const REPLY: Duration = Duration::from_secs(30);
/// All that comes before the body, connecting again included, has to fit into this...
const PREPARE: Duration = Duration::from_secs(30);
/// ...so that enough of a delivery's time is left for the body and its reply.
const DELIVERY: Duration = Duration::from_secs(45);
/// RSET and QUIT are courtesies and not worth a long wait.
const COURTESY: Duration = Duration::from_secs(3);

/// A connection that is kept from mail to mail, and opened again for the next mail when it was lost.
pub struct Session {
    server: Server,
    link: Option<SmtpConnection>,
}

impl Session {
    /// Connects, starts TLS and logs in. The error means that the channel is down.
    pub fn open(smtp: &config::Smtp) -> Result<Self, Fault> {
        let server = Server::new(smtp)?;
        let link = Some(server.connect(Instant::now() + PREPARE)?);
        Ok(Self { server, link })
    }

    /// One mail to its one recipient.
    pub fn deliver(&mut self, envelope: &Envelope, gate: &Gate) -> Outcome {
        let start = Instant::now();
        let mut link = match self.link.take() {
            Some(link) => link,
            None => match self.server.connect(start + PREPARE) {
                Ok(link) => link,
                Err(fault) => return Outcome::Stopped(fault),
            },
        };
        let Some(mail) = mail_command(&link, envelope) else {
            self.link = Some(link);
            return Outcome::Failed(no_smtputf8());
        };
        let result = self.hand_over(&mut link, mail, envelope, gate, start);
        if stays_usable(&mut link, &result) {
            self.link = Some(link);
        }
        match result {
            Ok(()) => sent(envelope),
            Err((phase, trouble)) => reply::outcome(phase, &trouble, &envelope.from, &envelope.to),
        }
    }

    /// The transaction of RFC 5321 3.3, one phase at a time.
    fn hand_over(
        &self,
        link: &mut SmtpConnection,
        mail: Mail,
        envelope: &Envelope,
        gate: &Gate,
        start: Instant,
    ) -> Result<(), (Phase, Trouble)> {
        let prepared = start + PREPARE;
        self.ask(link, Phase::Mail, mail, prepared)?;
        self.ask(
            link,
            Phase::Rcpt,
            Rcpt::new(envelope.to.clone(), vec![]),
            prepared,
        )?;
        self.ask(link, Phase::Data, Data, prepared)?;
        if !gate.pass() {
            let trouble = Trouble::Lost("the pass has ended".to_owned());
            return Err((Phase::Data, trouble));
        }
        self.ask(link, Phase::Body, body(&envelope.bytes), start + DELIVERY)
    }

    /// One command and its reply, written in one piece.
    fn ask(
        &self,
        link: &mut SmtpConnection,
        phase: Phase,
        command: impl Display,
        until: Instant,
    ) -> Result<(), (Phase, Trouble)> {
        let left = until.saturating_duration_since(Instant::now()).min(REPLY);
        if left.is_zero() {
            return Err((phase, Trouble::Silent));
        }
        let reply = set_timeout(link, left).and_then(|()| {
            let reply = link.command(command);
            reply.map_err(|error| self.server.trouble(&error))
        });
        let code = reply.map_err(|trouble| (phase, trouble))?.code();
        let goes_on = code.severity == Severity::PositiveIntermediate;
        if goes_on == (phase == Phase::Data) {
            return Ok(());
        }
        Err((phase, Trouble::Lost(format!("an unexpected {code}"))))
    }

    /// QUIT, then the end.
    pub fn close(self) {
        if let Some(mut link) = self.link
            && set_timeout(&mut link, COURTESY).is_ok()
        {
            let _ = link.quit();
        }
    }
}

fn set_timeout(link: &mut SmtpConnection, limit: Duration) -> Result<(), Trouble> {
    link.set_timeout(Some(limit))
        .map_err(|error| Trouble::Lost(error.to_string()))
}

/// `None`: the address needs SMTPUTF8 (RFC 6531), and the server has not got it.
fn mail_command(link: &SmtpConnection, envelope: &Envelope) -> Option<Mail> {
    let ascii = [&envelope.from, &envelope.to]
        .iter()
        .all(|address| address.user().is_ascii() && address.domain().is_ascii());
    let parameters = match ascii {
        true => vec![],
        false if link.server_info().supports_feature(Extension::SmtpUtfEight) => {
            vec![MailParameter::SmtpUtfEight]
        }
        false => return None,
    };
    Some(Mail::new(Some(envelope.from.clone()), parameters))
}

fn no_smtputf8() -> Fault {
    let reason =
        "the address has letters beyond ASCII, which this mail server cannot take (no SMTPUTF8)";
    Fault::new("address", reason)
}

/// After a refused recipient the transaction is still open: RSET ends it.
fn stays_usable(link: &mut SmtpConnection, result: &Result<(), (Phase, Trouble)>) -> bool {
    match result {
        Ok(()) => true,
        Err((_, trouble)) if !trouble.keeps_connection() => false,
        Err((Phase::Rcpt | Phase::Data, _)) => {
            set_timeout(link, COURTESY).is_ok() && link.command(Rset).is_ok()
        }
        Err(_) => true,
    }
}

/// The message with its leading dots doubled (RFC 5321 4.5.2) and its final dot, so that both leave in one write: the
/// end in a write of its own would wait for the server's delayed acknowledgement.
fn body(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut stuffed = String::with_capacity(text.len() + 64);
    for line in text.strip_suffix("\r\n").unwrap_or(&text).split("\r\n") {
        if line.starts_with('.') {
            stuffed.push('.');
        }
        stuffed.push_str(line);
        stuffed.push_str("\r\n");
    }
    stuffed.push_str(".\r\n");
    stuffed
}

#[cfg(test)]
mod tests;

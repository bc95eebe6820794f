//! Mail: a rendered message becomes MIME (`compose`), and a kept connection hands it over. Three transports: SMTP, the
//! `sendmail` program, and a folder of `.eml` files.

mod address;
mod calendar;
mod compose;
mod file;
mod heads;
mod opening;
mod reply;
mod sendmail;
mod smtp;
mod trouble;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config;
use crate::gate::Gate;
use crate::outcome::{Fault, Outcome};

pub use address::parse as parse_address;
pub use calendar::write as calendar_entry;
pub use compose::{Composer, Envelope, Identity};
pub use heads::{Heads, Sender, heads};
pub use smtp::Encryption;

/// A kept way to hand over mails, one at a time.
pub enum Connection {
    /// An SMTP session, opened again when it was lost.
    Smtp(smtp::Session),
    /// The `sendmail` program, started for each mail.
    Sendmail(PathBuf),
    /// A folder that gets one `.eml` file per mail.
    File(PathBuf),
}

impl Connection {
    /// Gets ready to send: connects, starts TLS, logs in. The error means that the channel is down, and says what to
    /// do.
    pub fn open(mail: &config::Mail) -> Result<Connection, Fault> {
        Sender::new(mail)?;
        match &mail.transport {
            config::MailTransport::Smtp(smtp) => {
                let session = smtp::Session::open(smtp)?;
                Ok(Connection::Smtp(session))
            }
            config::MailTransport::Sendmail(program) => {
                sendmail::check(program)?;
                Ok(Connection::Sendmail(program.clone()))
            }
            config::MailTransport::File(folder) => {
                file::prepare(folder)?;
                Ok(Connection::File(folder.clone()))
            }
        }
    }

    /// How the connection to a mail server is encrypted.
    pub fn encryption(&self) -> Option<Encryption> {
        match self {
            Connection::Smtp(session) => session.encryption(),
            Connection::Sendmail(_) | Connection::File(_) => None,
        }
    }

    /// Does all that can be done before the mail itself leaves. From here on, a delivery takes 45 seconds at most.
    pub fn prepare<'a>(&'a mut self, envelope: &'a Envelope) -> Result<Ready<'a>, Outcome> {
        match self {
            Connection::Smtp(session) => Ok(Ready::Smtp(session.prepare(envelope)?)),
            Connection::Sendmail(program) => Ok(Ready::Sendmail(program, envelope)),
            Connection::File(folder) => Ok(Ready::File(folder, envelope)),
        }
    }

    /// Ends the connection politely, without waiting long for an answer.
    pub fn close(self) {
        if let Connection::Smtp(session) = self {
            session.close();
        }
    }
}

/// A mail that only has to leave.
pub enum Ready<'a> {
    Smtp(smtp::Ready<'a>),
    Sendmail(&'a Path, &'a Envelope),
    File(&'a Path, &'a Envelope),
}

impl Ready<'_> {
    /// How long a next mail is worth waiting for that could travel with this one; `None` where none can.
    pub fn patience(&self) -> Option<Duration> {
        match self {
            Ready::Smtp(ready) => ready.patience(),
            Ready::Sendmail(..) | Ready::File(..) => None,
        }
    }

    /// Hands it over. `next`: the mail that will be prepared after it.
    pub fn hand_over(self, gate: &Gate, next: Option<&Envelope>) -> Outcome {
        match self {
            Ready::Smtp(ready) => ready.hand_over(gate, next),
            _ if !gate.pass() => Outcome::given_up(),
            Ready::Sendmail(program, envelope) => sendmail::deliver(program, envelope),
            Ready::File(folder, envelope) => file::deliver(folder, envelope),
        }
    }
}

/// The outcome of a mail that was accepted under its own Message-ID.
fn sent(envelope: &Envelope) -> Outcome {
    Outcome::Sent {
        message_id: envelope.message_id.clone(),
        status: None,
    }
}

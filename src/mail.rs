//! Mail: a rendered message becomes MIME (`compose`), and a kept connection hands it over. Three transports: SMTP, the
//! `sendmail` program, and a folder of `.eml` files.

mod address;
mod compose;
mod file;
mod opening;
mod reply;
mod sendmail;
mod smtp;
mod trouble;

use std::path::PathBuf;

use crate::config;
use crate::gate::Gate;
use crate::outcome::{Fault, Outcome};

pub use address::parse as parse_address;
pub use compose::{Envelope, Identity, compose};

/// A kept way to hand over mails, one at a time.
pub enum Connection {
    /// An SMTP session, opened again when it was lost.
    Smtp(Box<smtp::Session>),
    /// The `sendmail` program, started for each mail.
    Sendmail(PathBuf),
    /// A folder that gets one `.eml` file per mail.
    File(PathBuf),
}

impl Connection {
    /// Gets ready to send: connects, starts TLS, logs in. The error means that the channel is down, and says what to do.
    pub fn open(mail: &config::Mail) -> Result<Connection, Fault> {
        compose::sender(mail)?;
        match &mail.transport {
            config::MailTransport::Smtp(smtp) => {
                let session = smtp::Session::open(smtp)?;
                Ok(Connection::Smtp(Box::new(session)))
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

    /// Hands over one mail, in 45 seconds at most.
    pub fn deliver(&mut self, envelope: &Envelope, gate: &Gate) -> Outcome {
        match self {
            Connection::Smtp(session) => session.deliver(envelope, gate),
            _ if !gate.pass() => Outcome::given_up(),
            Connection::Sendmail(program) => sendmail::deliver(program, envelope),
            Connection::File(folder) => file::deliver(folder, envelope),
        }
    }

    /// Ends the connection politely, without waiting long for an answer.
    pub fn close(self) {
        if let Connection::Smtp(session) = self {
            session.close();
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

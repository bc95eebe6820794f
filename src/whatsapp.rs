//! WhatsApp: one message to Twilio's Messages API, or to a folder of `.json` files.

mod account;
mod code;
mod error;
mod fate;
mod file;
mod lookup;
mod messages;
mod pace;
mod twilio;

use std::time::Instant;

use chrono::{DateTime, Utc};

use crate::config;
use crate::gate::Gate;
use crate::outcome::Outcome;

pub use account::{Approval, Template};
pub use fate::Fates;
pub use messages::Unread;
pub use twilio::Twilio;

/// One WhatsApp message ready to go.
#[derive(Debug, Clone)]
pub struct Request {
    /// E.164, without the `whatsapp:` prefix.
    pub to: String,
    /// The free text, sent when there is no template.
    pub body: String,
    /// An approved template (`HX…`) and its variables 1 to 5, sent instead of the text.
    pub content: Option<(String, [String; 5])>,
    /// How long Twilio may keep the message before it is no use any more.
    pub validity_seconds: u32,
}

impl Request {
    /// Twilio's ContentVariables: a JSON object in a string.
    fn content_variables(values: &[String; 5]) -> String {
        let numbered = (1..)
            .zip(values)
            .map(|(number, value)| (number.to_string(), value.clone().into()));
        serde_json::Value::Object(numbered.collect()).to_string()
    }
}

/// A message that Twilio may have taken: what tells it from all others.
pub struct Trace<'a> {
    /// E.164, without the `whatsapp:` prefix.
    pub to: &'a str,
    /// When it was first tried, by the host's clock.
    pub since: DateTime<Utc>,
    /// The session's start in words, which every message of it has...
    pub phrase: &'a str,
    /// ...as the recipient's name (`-` where there is none)...
    pub name: &'a str,
    /// ...but for those of a template that words them otherwise: then the whole text tells.
    pub body: &'a str,
    /// Messages that are known to be others.
    pub known: &'a [String],
}

/// Shared by all threads of a pass: keeps connections alive and paces the sends.
pub enum Client {
    Twilio(Box<twilio::Twilio>),
    File(std::path::PathBuf),
}

impl Client {
    pub fn new(whatsapp: &config::Whatsapp) -> Client {
        match &whatsapp.transport {
            config::WhatsappTransport::Twilio(settings) => {
                Client::Twilio(Box::new(twilio::Twilio::new(settings)))
            }
            config::WhatsappTransport::File(folder) => Client::File(folder.clone()),
        }
    }

    /// Looks for a message that may have been taken: found, it was sent; the error means that this cannot be told now.
    /// In a folder of files nothing is ever in doubt.
    pub fn find(&self, trace: &Trace<'_>) -> Result<Option<Outcome>, Unread> {
        match self {
            Client::Twilio(twilio) => twilio.find(trace),
            Client::File(_) => Ok(None),
        }
    }

    /// What became of these messages, the oldest of which is from `since`, by the host's clock.
    /// What can be learnt before `until`; the error means that nothing can be learnt now.
    pub fn fates(
        &self,
        sids: &[String],
        since: DateTime<Utc>,
        until: Instant,
    ) -> Result<Fates, Unread> {
        match self {
            Client::Twilio(twilio) => twilio.fates(sids, since, until),
            Client::File(_) => Ok(Fates::new()),
        }
    }

    /// Waits until the pace allows the next message; false where it is no use any more.
    pub fn turn(&self, halted: &dyn Fn() -> bool) -> bool {
        match self {
            Client::Twilio(twilio) => twilio.turn(halted),
            Client::File(_) => !halted(),
        }
    }

    /// Sends a message whose turn it is. Never sends a request a second time by itself.
    pub fn deliver(&self, request: &Request, gate: &Gate) -> Outcome {
        match self {
            Client::Twilio(twilio) => twilio.deliver(request, gate),
            Client::File(_) if !gate.pass() => Outcome::given_up(),
            Client::File(folder) => file::deliver(folder, request),
        }
    }
}

#[cfg(test)]
mod tests;

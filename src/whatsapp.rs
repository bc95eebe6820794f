//! WhatsApp: one message to Twilio's Messages API, or to a folder of `.json` files.

mod code;
mod error;
mod file;
mod pace;
mod twilio;

use crate::config;
use crate::outcome::Outcome;

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

    /// Waits until the pace allows the next message, then sends it. Never sends a request a second time by itself.
    pub fn deliver(&self, request: &Request) -> Outcome {
        match self {
            Client::Twilio(twilio) => twilio.deliver(request),
            Client::File(folder) => file::deliver(folder, request),
        }
    }
}

#[cfg(test)]
mod tests;

//! Twilio's messages as it shows them: a page of the list, or one.

use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use ureq::Error;
use ureq::http::{StatusCode, header};
use url::form_urlencoded;

use super::code::{NO_ACCOUNT, NOT_ALLOWED};
use super::twilio::{Twilio, not_sent, words};
use crate::outcome::{Fault, Outcome};

/// Twilio's clock and ours may differ by so much.
pub(super) const SKEW: Duration = Duration::seconds(60);
/// A page of a thousand messages has some 1 to 3 MB.
const MAX_PAGE: u64 = 8 * 1024 * 1024;

#[derive(Deserialize)]
pub(super) struct Page {
    pub messages: Vec<Message>,
    pub next_page_uri: Option<String>,
}

/// Every field may be null.
#[derive(Deserialize)]
pub(super) struct Message {
    pub sid: Option<String>,
    pub status: Option<String>,
    pub error_code: Option<u32>,
    pub body: Option<String>,
    pub direction: Option<String>,
    date_created: Option<String>,
}

impl Message {
    pub fn created(&self) -> Option<DateTime<Utc>> {
        let date = DateTime::parse_from_rfc2822(self.date_created.as_deref()?).ok()?;
        Some(date.to_utc())
    }
}

impl Twilio {
    /// The address of our sender's messages to one number, fifty a page.
    pub(super) fn sent_to(&self, to: &str) -> String {
        self.list(&[("To", &format!("whatsapp:{to}")), ("PageSize", "50")])
    }

    /// The address of all messages of our sender.
    pub(super) fn sent_by_us(&self, a_page: usize) -> String {
        self.list(&[("PageSize", &a_page.to_string())])
    }

    fn list(&self, filters: &[(&str, &str)]) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("From", &format!("whatsapp:{}", self.from))
            .extend_pairs(filters)
            .finish();
        format!("{}?{query}", self.url)
    }

    /// The address of one message.
    pub(super) fn message(&self, sid: &str) -> String {
        format!("{}/{sid}.json", self.url.trim_end_matches(".json"))
    }

    /// The address of a next page, which Twilio gives without its host.
    pub(super) fn follow(&self, next: &str) -> String {
        format!("{}{next}", self.base)
    }

    pub(super) fn page(&self, url: &str) -> Result<Page, Unread> {
        match self.get(url)? {
            (StatusCode::OK, body) => serde_json::from_slice(&body)
                .map_err(|_| Unread::now("its answer is no list of messages")),
            (status, _) => Err(Unread::answered(status)),
        }
    }

    pub(super) fn get(&self, url: &str) -> Result<(StatusCode, Vec<u8>), Unread> {
        let call = self
            .agent
            .get(url)
            .header(header::AUTHORIZATION, &self.authorization)
            .call();
        let mut response = call.map_err(|error| Unread::failed(&error))?;
        let body = response
            .body_mut()
            .with_config()
            .limit(MAX_PAGE)
            .read_to_vec();
        let body = body.map_err(|error| Unread::now(&words(&error)))?;
        Ok((response.status(), body))
    }
}

/// Why Twilio could not be asked.
pub enum Unread {
    /// It would not answer the next question either.
    Down(Fault),
    /// Perhaps the next one.
    Now(Fault),
}

impl Unread {
    pub(super) fn now(why: &str) -> Self {
        let reason = format!("Twilio's list of messages cannot be read ({why})");
        Unread::Now(Fault::new("in_doubt", reason))
    }

    pub(super) fn answered(status: StatusCode) -> Self {
        let down = |words| Unread::Down(Fault::new(format!("http {}", status.as_u16()), words));
        match status.as_u16() {
            401 | 403 => down(NOT_ALLOWED),
            404 => down(NO_ACCOUNT),
            _ => Self::now(&format!("it answers {status}")),
        }
    }

    fn failed(error: &Error) -> Self {
        match not_sent(error) {
            Outcome::Stopped(fault) => Unread::Down(fault),
            _ => Self::now(&words(error)),
        }
    }

    pub fn fault(self) -> Fault {
        let (Unread::Down(fault) | Unread::Now(fault)) = self;
        fault
    }

    /// What it means for a message that was to be looked for: it stays in doubt.
    pub fn outcome(self) -> Outcome {
        match self {
            Unread::Down(fault) => Outcome::Stopped(fault),
            Unread::Now(fault) => Outcome::Retry { fault, after: None },
        }
    }
}

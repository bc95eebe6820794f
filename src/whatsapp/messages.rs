//! Twilio's messages as it shows them: a page of the list, or one.

use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use ureq::http::{StatusCode, header};
use url::form_urlencoded;

use super::twilio::{Twilio, words};
use crate::outcome::Fault;

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

    pub(super) fn page(&self, url: &str) -> Result<Page, Fault> {
        match self.get(url)? {
            (StatusCode::OK, body) => serde_json::from_slice(&body)
                .map_err(|_| unreadable("its answer is no list of messages")),
            (other, _) => Err(unreadable(&format!("it answers {other}"))),
        }
    }

    pub(super) fn get(&self, url: &str) -> Result<(StatusCode, Vec<u8>), Fault> {
        let call = self
            .agent
            .get(url)
            .header(header::AUTHORIZATION, &self.authorization)
            .call();
        let mut response = call.map_err(|error| unreadable(&words(&error)))?;
        let body = response
            .body_mut()
            .with_config()
            .limit(MAX_PAGE)
            .read_to_vec();
        let body = body.map_err(|error| unreadable(&words(&error)))?;
        Ok((response.status(), body))
    }
}

pub(super) fn unreadable(why: &str) -> Fault {
    let reason = format!("Twilio's list of messages cannot be read ({why})");
    Fault::new("in_doubt", reason)
}

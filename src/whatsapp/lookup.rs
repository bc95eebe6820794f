//! Whether Twilio has taken a message whose answer never came. It knows no idempotency key, so its list of messages is the
//! only witness.

use chrono::{DateTime, Duration};
use serde::Deserialize;
use ureq::http::header;
use url::form_urlencoded;

use super::Trace;
use super::twilio::{Twilio, words};
use crate::outcome::{Fault, Outcome};

/// Twilio's clock and ours may differ by so much.
const SKEW: Duration = Duration::seconds(60);
/// Messages to one number, 50 a page: nobody gets more since a reminder's first attempt.
const MAX_PAGES: usize = 20;
/// A page of messages has some 100 KB.
const MAX_PAGE: u64 = 1024 * 1024;

#[derive(Deserialize)]
struct Page {
    messages: Vec<Message>,
    next_page_uri: Option<String>,
}

/// Every field may be null.
#[derive(Deserialize)]
struct Message {
    sid: Option<String>,
    status: Option<String>,
    body: Option<String>,
    direction: Option<String>,
    date_created: Option<String>,
}

impl Message {
    /// Whether this is the message that `trace` looks for. Its `date_sent` says nothing: it is null while it is queued.
    fn fits(&self, trace: &Trace<'_>) -> bool {
        let created = self.date_created.as_deref();
        let created = created.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        let body = self.body.as_deref().unwrap_or_default();
        let sid = self.sid.as_deref();
        created.is_some_and(|created| created.to_utc() >= trace.since - SKEW)
            && self.direction.as_deref() == Some("outbound-api")
            && (body.contains(trace.phrase) || body.trim() == trace.body.trim())
            && sid.is_some_and(|sid| trace.known.iter().all(|known| known != sid))
    }
}

impl Twilio {
    /// The message, if Twilio has it. The error means that this cannot be told now.
    pub fn find(&self, trace: &Trace<'_>) -> Result<Option<Outcome>, Fault> {
        let mut url = self.list(trace.to);
        for _ in 0..MAX_PAGES {
            let page = self.page(&url)?;
            if let Some(found) = page
                .messages
                .into_iter()
                .find(|message| message.fits(trace))
            {
                return Ok(found.sid.map(|message_id| Outcome::Sent {
                    message_id,
                    status: found.status,
                }));
            }
            let Some(next) = page.next_page_uri else {
                return Ok(None);
            };
            url = format!("{}{next}", self.base);
        }
        Err(unclear("it has too many messages to this number"))
    }

    fn list(&self, to: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("To", &format!("whatsapp:{to}"))
            .append_pair("From", &format!("whatsapp:{}", self.from))
            .append_pair("PageSize", "50")
            .finish();
        format!("{}?{query}", self.url)
    }

    fn page(&self, url: &str) -> Result<Page, Fault> {
        let call = self
            .agent
            .get(url)
            .header(header::AUTHORIZATION, &self.authorization)
            .call();
        let mut response = call.map_err(|error| unclear(&words(&error)))?;
        if response.status() != 200 {
            return Err(unclear(&format!("it answers {}", response.status())));
        }
        let body = response
            .body_mut()
            .with_config()
            .limit(MAX_PAGE)
            .read_to_vec();
        let body = body.map_err(|error| unclear(&words(&error)))?;
        serde_json::from_slice(&body).map_err(|_| unclear("its answer is no list of messages"))
    }
}

fn unclear(why: &str) -> Fault {
    let reason = format!("in doubt, and Twilio's list of messages cannot be read ({why})");
    Fault::new("in_doubt", reason)
}

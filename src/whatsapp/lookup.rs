//! Whether Twilio has taken a message whose answer never came. It knows no idempotency key, so its list of messages is the
//! only witness.

use super::Trace;
use super::messages::{Message, SKEW, unreadable};
use super::twilio::Twilio;
use crate::outcome::{Fault, Outcome};

/// Messages to one number, 50 a page: nobody gets more since a reminder's first attempt.
const MAX_PAGES: usize = 20;

impl Message {
    /// Whether this is the message that `trace` looks for. Its `date_sent` says nothing: it is null while it is queued.
    fn fits(&self, trace: &Trace<'_>) -> bool {
        let body = self.body.as_deref().unwrap_or_default();
        let sid = self.sid.as_deref();
        self.created()
            .is_some_and(|created| created >= trace.since - SKEW)
            && self.direction.as_deref() == Some("outbound-api")
            && (body.contains(trace.phrase) || body.trim() == trace.body.trim())
            && sid.is_some_and(|sid| trace.known.iter().all(|known| known != sid))
    }
}

impl Twilio {
    /// The message, if Twilio has it. The error means that this cannot be told now.
    pub fn find(&self, trace: &Trace<'_>) -> Result<Option<Outcome>, Fault> {
        let mut url = self.sent_to(trace.to);
        for _ in 0..MAX_PAGES {
            let page = self.page(&url)?;
            let found = page.messages.into_iter().find(|one| one.fits(trace));
            if let Some(found) = found {
                return Ok(found.sid.map(|message_id| Outcome::Sent {
                    message_id,
                    status: Some(found.status.unwrap_or_default()),
                }));
            }
            let Some(next) = page.next_page_uri else {
                return Ok(None);
            };
            url = self.follow(&next);
        }
        Err(unreadable("it has too many messages to this number"))
    }
}

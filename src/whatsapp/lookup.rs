//! Whether Twilio has taken a message whose answer never came. It knows no idempotency key, so its list of messages is
//! the only witness.

use std::sync::PoisonError;

use super::Trace;
use super::messages::{Message, SKEW, Unread};
use super::twilio::Twilio;
use crate::outcome::Outcome;

/// Messages to one number, 50 a page: nobody gets more since a reminder's first attempt.
const MAX_PAGES: usize = 20;

impl Message {
    /// Whether this may be the message that `trace` looks for. Its `date_sent` says nothing: it is null while it is
    /// queued.
    fn fits(&self, trace: &Trace<'_>) -> bool {
        let sid = self.sid.as_deref();
        self.created()
            .is_some_and(|created| created >= trace.since - SKEW)
            && self.direction.as_deref() == Some("outbound-api")
            && (self.is_exactly(trace) || self.says(trace))
            && sid.is_some_and(|sid| trace.known.iter().all(|known| known != sid))
    }

    fn is_exactly(&self, trace: &Trace<'_>) -> bool {
        self.body.as_deref().unwrap_or_default().trim() == trace.body.trim()
    }

    /// Several people may have one number: the start alone does not tell whose message it is.
    fn says(&self, trace: &Trace<'_>) -> bool {
        let body = self.body.as_deref().unwrap_or_default();
        body.contains(trace.phrase) && (trace.name == "-" || body.contains(trace.name))
    }
}

impl Twilio {
    /// The message, if Twilio has it; no message is found for two reminders of a pass. The error means that this cannot
    /// be told now.
    pub fn find(&self, trace: &Trace<'_>) -> Result<Option<Outcome>, Unread> {
        let (mut exact, other) = self
            .candidates(trace)?
            .into_iter()
            .partition::<Vec<_>, _>(|one| one.is_exactly(trace));
        exact.extend(other);
        let mut adopted = self.adopted.lock().unwrap_or_else(PoisonError::into_inner);
        let free = |one: &Message| one.sid.clone().is_some_and(|sid| adopted.insert(sid));
        let found = exact.into_iter().find(free);
        Ok(found.and_then(|found| {
            Some(Outcome::Sent {
                message_id: found.sid?,
                status: Some(found.status.unwrap_or_default()),
            })
        }))
    }

    fn candidates(&self, trace: &Trace<'_>) -> Result<Vec<Message>, Unread> {
        let (mut all, mut url) = (Vec::new(), self.sent_to(trace.to));
        for _ in 0..MAX_PAGES {
            let page = self.page(&url)?;
            all.extend(page.messages.into_iter().filter(|one| one.fits(trace)));
            let Some(next) = page.next_page_uri else {
                return Ok(all);
            };
            url = self.follow(&next);
        }
        Err(Unread::now("it has too many messages to this number"))
    }
}

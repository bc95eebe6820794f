//! What became of messages that Twilio has taken: a 201 only says that it will try.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use chrono::{DateTime, Utc};
use ureq::http::StatusCode;

use super::code::{Class, meaning};
use super::messages::{Message, SKEW, Unread};
use super::twilio::Twilio;
use crate::outcome::{Fault, Outcome};

/// So few messages are asked for one by one; of more, the list tells with one request for a thousand.
const FEW: usize = 3;
const A_PAGE: usize = 1000;
/// Pages of the list that one look may take: other programs may send from this number, too.
const MAX_PAGES: usize = 20;
/// What the list does not show is asked for one by one, up to so many; the rest at the next look.
const SINGLY: usize = 20;

/// Twilio's word for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    pub status: String,
    error_code: Option<u32>,
}

impl Fate {
    fn of(message: Message) -> Self {
        Self {
            status: message.status.unwrap_or_default(),
            error_code: message.error_code,
        }
    }

    /// Whether nothing more is to be learnt but that it was read.
    pub fn is_final(&self) -> bool {
        let ends = [
            "delivered",
            "read",
            "failed",
            "undelivered",
            "canceled",
            DELETED,
        ];
        ends.contains(&self.status.as_str())
    }

    /// What it means. The codes are those of an answer, come late.
    pub fn outcome(&self, sid: &str) -> Outcome {
        let fault = |words: &str| {
            let code = self.error_code.map(|code| code.to_string());
            Fault::new(code.as_deref().unwrap_or(&self.status), words)
        };
        if !matches!(self.status.as_str(), "failed" | "undelivered" | "canceled") {
            return Outcome::Sent {
                message_id: sid.to_owned(),
                status: Some(self.status.clone()),
            };
        }
        match self.error_code.and_then(meaning) {
            Some((Class::Transient(wait), words)) => Outcome::Retry {
                fault: fault(words),
                after: Some(std::time::Duration::from_secs(wait)),
            },
            Some((Class::OptedOut, words)) => Outcome::OptedOut(fault(words)),
            Some((Class::Permanent | Class::Channel, words)) => Outcome::Failed(fault(words)),
            None => Outcome::Failed(fault(
                "Twilio took the message and could not deliver it: see the code in its error dictionary",
            )),
        }
    }
}

/// Our word for a message that Twilio has no more.
const DELETED: &str = "deleted";

/// By SID.
pub type Fates = HashMap<String, Fate>;

impl Twilio {
    /// What became of these messages, the oldest of which is from `since`, by the host's clock, as far as it can be
    /// learnt now and before `until`. The error means that nothing could.
    pub fn fates(
        &self,
        sids: &[String],
        since: DateTime<Utc>,
        until: Instant,
    ) -> Result<Fates, Unread> {
        let mut fates = Fates::new();
        let mut last = Ok(());
        if sids.len() > FEW {
            last = self.read_list(&sids.iter().collect(), since, until, &mut fates);
        }
        let unseen = sids.iter().filter(|sid| !fates.contains_key(*sid));
        let unseen: Vec<String> = unseen.take(SINGLY).cloned().collect();
        for sid in unseen {
            if matches!(last, Err(Unread::Down(_))) || Instant::now() >= until {
                break;
            }
            last = self.fate(&sid).map(|fate| drop(fates.insert(sid, fate)));
        }
        match last {
            Err(unread) if fates.is_empty() => Err(unread),
            _ => Ok(fates),
        }
    }

    /// Reads the sender's messages, newest first, until all that are wanted were seen or all that come are older.
    fn read_list(
        &self,
        wanted: &HashSet<&String>,
        since: DateTime<Utc>,
        until: Instant,
        fates: &mut Fates,
    ) -> Result<(), Unread> {
        let mut url = self.sent_by_us(A_PAGE);
        for _ in 0..MAX_PAGES {
            let page = self.page(&url)?;
            let old = |message: &Message| message.created().is_none_or(|at| at < since - SKEW);
            let all_old = page.messages.iter().all(old);
            for message in page.messages {
                if let Some(sid) = message.sid.clone().filter(|sid| wanted.contains(sid)) {
                    fates.insert(sid, Fate::of(message));
                }
            }
            let done = all_old || fates.len() >= wanted.len() || Instant::now() >= until;
            match page.next_page_uri {
                Some(next) if !done => url = self.follow(&next),
                _ => break,
            }
        }
        Ok(())
    }

    fn fate(&self, sid: &str) -> Result<Fate, Unread> {
        match self.get(&self.message(sid))? {
            (StatusCode::NOT_FOUND, _) => Ok(Fate {
                status: DELETED.to_owned(),
                error_code: None,
            }),
            (StatusCode::OK, body) => serde_json::from_slice(&body)
                .map(Fate::of)
                .map_err(|_| Unread::now("its answer is no message")),
            (status, _) => Err(Unread::answered(status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: &str, error_code: Option<u32>) -> Outcome {
        let status = status.to_owned();
        Fate { status, error_code }.outcome("SM1")
    }

    #[test]
    fn only_the_three_sad_ends_are_failures() {
        for status in [
            "accepted",
            "queued",
            "sending",
            "sent",
            "delivered",
            "read",
            "",
        ] {
            let sent = outcome(status, None);
            assert!(matches!(sent, Outcome::Sent { .. }), "{status}");
        }
        for status in ["failed", "undelivered", "canceled"] {
            let Outcome::Failed(fault) = outcome(status, None) else {
                panic!("{status} is no failure");
            };
            assert_eq!(fault.code, status);
        }
    }

    #[test]
    fn a_late_code_means_what_it_means_in_an_answer() {
        for code in [30001, 30008, 63017, 63018] {
            let late = outcome("failed", Some(code));
            assert!(matches!(late, Outcome::Retry { .. }), "{code}");
        }
        for (code, words) in [
            (63016, "TWILIO_WHATSAPP_CONTENT_SID"),
            (63015, "join code"),
            (63024, "not on WhatsApp"),
            (63027, "TWILIO_WHATSAPP_CONTENT_SID"),
            (63007, "TWILIO_WHATSAPP_FROM"),
            (99999, "error dictionary"),
        ] {
            let Outcome::Failed(fault) = outcome("undelivered", Some(code)) else {
                panic!("{code} is no failure");
            };
            assert_eq!(fault.code, code.to_string());
            assert!(fault.reason.contains(words), "{fault}");
        }
        for code in [21610, 63014] {
            let stop = outcome("failed", Some(code));
            assert!(matches!(stop, Outcome::OptedOut(_)), "{code}");
        }
    }
}

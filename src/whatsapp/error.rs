//! What Twilio's answers mean. The HTTP status decides first, the error code second: Twilio changes codes, but not that
//! 429 was never processed and that a 5xx may have been.

use std::time::Duration;

use serde_json::Value;

use super::code::Class::{self, Channel, OptedOut, Permanent, Transient};
use super::code::{NO_ACCOUNT, NOT_ALLOWED, meaning};
use crate::outcome::{Fault, Outcome};
use crate::text::one_line;

/// A 4xx whose code says nothing to us: it fails this message, but it might well meet every other one too.
const UNKNOWN: &str = "Twilio refused the message: see this code in its error dictionary";

/// Characters of Twilio's own words in a reason.
const MAX_QUOTE: usize = 160;

const TOO_MANY: &str =
    "Twilio is given too many messages at once: lower TWILIO_MAX_PER_SECOND or TWILIO_CONNECTIONS";

/// An answer with its parts taken out of whatever body came with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub code: Option<u32>,
    message: String,
    sid: Option<String>,
    message_status: Option<String>,
}

impl Answer {
    /// Never fails: a gateway answers in HTML, or with half a document.
    pub fn read(status: u16, retry_after: Option<&str>, body: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |key: &str| json.get(key).and_then(Value::as_str).map(str::to_owned);
        let code = json.get("code").and_then(Value::as_u64);
        Self {
            status,
            retry_after: retry_after.and_then(seconds),
            code: code.and_then(|code| u32::try_from(code).ok()),
            message: text("message").unwrap_or_default(),
            sid: text("sid").filter(|sid| is_sid(sid)),
            message_status: text("status"),
        }
    }

    /// What became of the message.
    pub fn outcome(&self) -> Outcome {
        let known = self.code.and_then(meaning);
        match self.status {
            200..300 => self.accepted(),
            429 => match known {
                Some((Channel, words)) => Outcome::Stopped(self.fault(words)),
                // A limit of WhatsApp's own, maybe of this one recipient.
                Some((Transient(wait), words)) if wait > 0 => self.transient(words, wait),
                _ => Outcome::Busy(self.too_many()),
            },
            500.. => Outcome::InDoubt(
                self.fault("Twilio failed, and may or may not have taken the message"),
            ),
            401 | 403 | 404 => Outcome::Stopped(self.fault(match known {
                Some((Channel, words)) => words,
                _ if self.status == 404 => NO_ACCOUNT,
                _ => NOT_ALLOWED,
            })),
            400 | 402 | 406..429 | 430..500 => self.refused(known),
            _ => Outcome::Stopped(
                self.fault("this is no answer of Twilio's API: check TWILIO_API_BASE"),
            ),
        }
    }

    fn too_many(&self) -> Fault {
        let asked = self.retry_after.map(|after| after.as_secs());
        let asked = asked.map_or_else(String::new, |seconds| {
            format!(" (it asks to wait {seconds} s)")
        });
        Fault {
            after: self.retry_after,
            ..self.fault(&format!("{TOO_MANY}{asked}"))
        }
    }

    fn accepted(&self) -> Outcome {
        match &self.sid {
            Some(sid) => Outcome::Sent {
                message_id: sid.clone(),
                // Without one there is still a message to ask about.
                status: Some(one_line(
                    self.message_status.as_deref().unwrap_or("accepted"),
                    30,
                )),
            },
            None => {
                Outcome::InDoubt(self.fault("Twilio accepted the message but gave no id for it"))
            }
        }
    }

    fn refused(&self, known: Option<(Class, &str)>) -> Outcome {
        match known {
            Some((Transient(wait), words)) => self.transient(words, wait),
            Some((Permanent, words)) => Outcome::Failed(self.fault(words)),
            Some((OptedOut, words)) => Outcome::OptedOut(self.fault(words)),
            Some((Channel, words)) => Outcome::Stopped(self.fault(words)),
            None => Outcome::Refused(self.fault(UNKNOWN)),
        }
    }

    fn transient(&self, words: &str, wait: u64) -> Outcome {
        let least = (wait > 0).then(|| Duration::from_secs(wait));
        Outcome::Retry {
            fault: self.fault(words),
            after: self.retry_after.max(least),
        }
    }

    /// The code is Twilio's, or the HTTP status where there is none.
    pub fn fault(&self, words: &str) -> Fault {
        let code = self
            .code
            .map_or_else(|| format!("http {}", self.status), |code| code.to_string());
        let said = one_line(&self.message, MAX_QUOTE);
        if said.is_empty() {
            return Fault::new(code, words);
        }
        Fault::new(code, format!("{words} (Twilio said: {said})"))
    }
}

/// A SID goes into the ledger and later into URLs.
fn is_sid(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Retry-After in seconds, a day at most; its other form, a date, would need a clock and is not what Twilio sends.
fn seconds(header: &str) -> Option<Duration> {
    let seconds: u64 = header.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(24 * 60 * 60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16, code: u32) -> Outcome {
        let body = format!(r#"{{"code":{code},"message":"Twilio's own words","status":{status}}}"#);
        Answer::read(status, None, body.as_bytes()).outcome()
    }

    fn class(outcome: &Outcome) -> (&'static str, &str, &str) {
        let (name, fault) = outcome.class();
        let (code, reason) = fault.map_or(("", ""), |fault| (&fault.code, &fault.reason));
        (name, code, reason)
    }

    #[test]
    fn the_status_decides_first_and_the_code_second() {
        for (status, code, expected) in [
            (401, 20003, "stopped"),
            (403, 20003, "stopped"),
            (403, 99999, "stopped"),
            (404, 20404, "stopped"),
            (404, 99999, "stopped"),
            (429, 20429, "busy"),
            (429, 99999, "busy"),
            (429, 63018, "retry"),
            (429, 63038, "stopped"),
            (500, 20500, "in doubt"),
            (503, 20503, "in doubt"),
            (504, 21211, "in doubt"),
            (302, 0, "stopped"),
            (405, 20004, "stopped"),
            (400, 99999, "refused"),
            (422, 99999, "refused"),
            (400, 21211, "failed"),
            (400, 21217, "failed"),
            (400, 21408, "failed"),
            (400, 21612, "failed"),
            (400, 21614, "failed"),
            (400, 21656, "failed"),
            (400, 63003, "failed"),
            (400, 63015, "failed"),
            (400, 63016, "failed"),
            (400, 63024, "failed"),
            (400, 21610, "opted out"),
            (400, 63014, "opted out"),
            (400, 20005, "stopped"),
            (400, 21212, "stopped"),
            (400, 21606, "stopped"),
            (400, 21655, "stopped"),
            (400, 63007, "stopped"),
            (400, 63027, "stopped"),
            (400, 63028, "stopped"),
            (400, 63017, "retry"),
            (400, 63018, "retry"),
            (400, 21611, "retry"),
        ] {
            let outcome = outcome(status, code);
            let (is, fault_code, _) = class(&outcome);
            assert_eq!(
                (is, fault_code),
                (expected, code.to_string().as_str()),
                "{status} {code}"
            );
        }
    }

    #[test]
    fn the_reason_says_what_to_do_and_what_twilio_said() {
        for (code, word) in [
            (63016, "TWILIO_WHATSAPP_CONTENT_SID"),
            (63015, "3 days"),
            (20003, "TWILIO_AUTH_TOKEN"),
            (21606, "TWILIO_WHATSAPP_FROM"),
            (21408, "geographic"),
            (63049, "UTILITY"),
        ] {
            let outcome = outcome(400, code);
            let (_, _, reason) = class(&outcome);
            assert!(
                reason.contains(word) && reason.contains("Twilio's own words"),
                "{reason}"
            );
        }
    }

    #[test]
    fn retry_after_is_honoured_and_bounded() {
        let after = |status, header, code: u32| {
            let body = format!(r#"{{"code":{code}}}"#);
            match Answer::read(status, header, body.as_bytes()).outcome() {
                Outcome::Busy(Fault { after, .. }) | Outcome::Retry { after, .. } => {
                    after.map(|after| after.as_secs())
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(after(429, Some(" 7 "), 20429), Some(7));
        assert_eq!(after(429, Some("99999999999"), 20429), Some(86_400));
        assert_eq!(
            after(429, Some("Sun, 22 Nov 2026 10:00:00 GMT"), 20429),
            None
        );
        assert_eq!(after(429, None, 20429), None);
        assert_eq!(after(400, None, 63018), Some(60));
        assert_eq!(after(400, Some("90"), 63018), Some(90));
    }

    #[test]
    fn an_accepted_message_needs_a_sid_to_be_sent() {
        let sent = Answer::read(201, None, br#"{"sid":"SM0123","status":"queued"}"#).outcome();
        assert_eq!(
            sent,
            Outcome::Sent {
                message_id: "SM0123".to_owned(),
                status: Some("queued".to_owned())
            }
        );
        let bare = Answer::read(201, None, br#"{"sid":"SM0123","status":null}"#).outcome();
        assert!(matches!(bare, Outcome::Sent { status: Some(status), .. } if status == "accepted"));
        for body in [
            "",
            "<html>",
            "{}",
            "[]",
            "null",
            r#"{"sid":""}"#,
            r#"{"sid":5}"#,
            r#"{"sid":"../x"}"#,
            r#"{"sid":"SM1"#,
        ] {
            let outcome = Answer::read(201, None, body.as_bytes()).outcome();
            assert!(matches!(outcome, Outcome::InDoubt(_)), "{body}");
        }
    }

    #[test]
    fn any_body_on_any_status_is_read_without_a_panic() {
        let bodies: [&[u8]; 8] = [
            b"",
            b"<html>502</html>",
            b"{\"code\":",
            b"\xff\xfe",
            b"[1]",
            br#"{"code":-1}"#,
            br#"{"code":"x"}"#,
            br#"{"code":99999999999}"#,
        ];
        for status in 100..=600 {
            for body in bodies {
                let outcome = Answer::read(status, Some("x"), body).outcome();
                if let (name, code, _) = class(&outcome)
                    && name != "in doubt"
                {
                    assert_eq!(code, format!("http {status}"));
                }
            }
        }
    }
}

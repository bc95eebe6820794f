//! Twilio's error codes as a sender of WhatsApp meets them (twilio.com/docs/api/errors), those included that come only
//! after a 201.

/// What an error code means for the message and for the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Passes by itself, though not sooner than after so many seconds.
    Transient(u64),
    /// This recipient's message fails; others go on.
    Permanent,
    /// The recipient has said STOP or blocked us.
    OptedOut,
    /// It would meet every message: the channel stops.
    Channel,
}
use Class::{Channel, OptedOut, Permanent, Transient};

pub const NOT_ALLOWED: &str = "Twilio does not accept the credentials: check TWILIO_SID and TWILIO_AUTH_TOKEN, and the account's state";
pub const NO_ACCOUNT: &str = "Twilio knows no such account: check TWILIO_SID";
const BAD_SENDER: &str = "the account may not send from TWILIO_WHATSAPP_FROM: set it to a WhatsApp sender of this account";
const BAD_NUMBER: &str =
    "this is no number Twilio can send to: correct the participant's phone number";
const BAD_TEMPLATE: &str =
    "the template cannot be used: check TWILIO_WHATSAPP_CONTENT_SID and the template's approval";
const BAD_REQUEST: &str = "Twilio found the request at fault";
const BAD_CONTENT: &str = "WhatsApp does not take this text";
const TOO_FAST: &str = "more messages than the sender may send: lower TWILIO_MAX_PER_SECOND";
const PROVIDER: &str = "WhatsApp or Twilio failed for a moment";
const NOT_ON_WHATSAPP: &str =
    "the number is not on WhatsApp, or its app is too old: ask the participant";
const BLOCKED: &str =
    "the recipient has unsubscribed or blocked us: no more WhatsApp until they opt in again";
const ACCOUNT: &str =
    "WhatsApp or Twilio has disabled the account or its sender: see the Twilio console";

/// What a code means, and what to do about it; `None` for codes not known to us.
pub fn meaning(code: u32) -> Option<(Class, &'static str)> {
    Some(match code {
        20003 | 20006 => (Channel, NOT_ALLOWED),
        20004 | 20426 | 21602 | 21603 | 21604 | 21619 | 21624 | 30045 | 63030 | 90007 => {
            (Channel, BAD_REQUEST)
        }
        20005 | 20010 | 30002 => (
            Channel,
            "the Twilio account is suspended or out of funds: see the Twilio console",
        ),
        20008 => (
            Channel,
            "test credentials cannot send WhatsApp: use the live TWILIO_SID and TWILIO_AUTH_TOKEN",
        ),
        20404 => (Channel, NO_ACCOUNT),
        20429 | 30001 => (Transient(0), PROVIDER),
        21211 | 21217 | 21265 | 21266 | 21268 | 21401 | 21421 | 21612 | 21614 | 21657 => {
            (Permanent, BAD_NUMBER)
        }
        21212 | 21267 | 21606 | 21659..=21661 | 21701..=21705 => (Channel, BAD_SENDER),
        21219 | 21608 => (
            Permanent,
            "a trial account sends to verified numbers only: verify this one, or upgrade the account",
        ),
        21408 => (
            Permanent,
            "the account may not send to this country: allow it in Twilio's geographic permissions",
        ),
        21610 | 63014 | 63033 => (OptedOut, BLOCKED),
        21611 => (
            Transient(300),
            "too many messages of this sender are waiting at Twilio",
        ),
        21617 | 21620 | 21622 | 21623 | 21627 | 30007 | 63005 | 63006 | 63013 | 63019 | 63021 => {
            (Permanent, BAD_CONTENT)
        }
        21654 | 21655 | 63027 | 63040..=63042 => (Channel, BAD_TEMPLATE),
        21656 => (
            Permanent,
            "the template's variables are invalid: one is empty or has a line break, a tab or five blanks",
        ),
        21658 | 63011 => (Permanent, BAD_REQUEST),
        30003 => (Transient(0), "the phone could not be reached"),
        30004..=30006 => (Permanent, BAD_NUMBER),
        30008 | 30410 | 63009 | 63010 | 63012 | 63023 | 63029 => (Transient(0), PROVIDER),
        30036 => (
            Permanent,
            "the message waited at Twilio until it was no use any more",
        ),
        63001 | 63002 | 63007 | 63008 => (Channel, BAD_SENDER),
        63003 | 63024 | 63032 => (Permanent, NOT_ON_WHATSAPP),
        63015 => (
            Permanent,
            "the recipient has not joined the sandbox: its join code lasts 3 days, then it must be sent again",
        ),
        63016 => (
            Permanent,
            "outside the 24 hours after the recipient's last message only templates arrive: set TWILIO_WHATSAPP_CONTENT_SID",
        ),
        63017 | 63018 => (Transient(60), TOO_FAST),
        63020 | 63022 | 63026 | 63051 | 63110..=63119 => (Channel, ACCOUNT),
        63028 => (
            Channel,
            "the template has another number of variables than the five we send: 1 name, 2 session, 3 course, 4 time, 5 link or place",
        ),
        63031 => (
            Permanent,
            "the recipient's number is TWILIO_WHATSAPP_FROM itself",
        ),
        63038 => (
            Channel,
            "the account's messages of the day are used up (a trial account has 50)",
        ),
        63049 => (
            Permanent,
            "Meta held back a marketing message: submit the template again in the category UTILITY",
        ),
        _ => return None,
    })
}

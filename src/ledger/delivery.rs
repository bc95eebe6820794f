//! A row of the ledger as people see it.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::Queryable;
use serde::{Serialize, Serializer};

use super::{CORRECTED, Channel, HELD, Kind, TOO_LATE, WINDOW_PASSED, status};
use crate::{db::Lossy, text, time};

/// A row. Its times are UTC, but for the start.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Queryable, Serialize)]
pub struct Delivery {
    pub id: i64,
    pub session_id: i64,
    pub user_id: i64,
    pub channel: String,
    pub kind: String,
    pub lead_minutes: i32,
    /// The platform's digits.
    #[diesel(deserialize_as = Lossy)]
    pub scheduled_at: String,
    pub status: String,
    pub attempts: i32,
    #[serde(serialize_with = "optional_utc")]
    pub next_attempt_at: Option<NaiveDateTime>,
    pub claimed_by: Option<String>,
    #[serde(serialize_with = "optional_utc")]
    pub claimed_at: Option<NaiveDateTime>,
    #[serde(serialize_with = "optional_utc")]
    pub lease_until: Option<NaiveDateTime>,
    #[serde(serialize_with = "masked")]
    pub recipient: Option<String>,
    /// Our Message-ID, or Twilio's SID.
    pub message_id: Option<String>,
    pub error_code: Option<String>,
    pub error: Option<String>,
    #[serde(serialize_with = "optional_utc")]
    pub sent_at: Option<NaiveDateTime>,
    pub delivery_status: Option<String>,
    #[serde(serialize_with = "utc")]
    pub created_at: NaiveDateTime,
    #[serde(serialize_with = "utc")]
    pub updated_at: NaiveDateTime,
}

/// The columns of [`Delivery`], in its order.
macro_rules! delivery {
    () => {
        (
            ledger::id,
            ledger::course_session_id,
            ledger::user_id,
            ledger::channel,
            ledger::kind,
            ledger::lead_minutes,
            $crate::ledger::start_digits(),
            ledger::status,
            ledger::attempts,
            ledger::next_attempt_at,
            ledger::claimed_by,
            ledger::claimed_at,
            ledger::lease_until,
            ledger::recipient,
            ledger::message_id,
            ledger::error_code,
            ledger::error,
            ledger::sent_at,
            ledger::delivery_status,
            ledger::created_at,
            ledger::updated_at,
        )
    };
}

pub(super) use delivery;

impl Delivery {
    pub fn channel(&self) -> Option<Channel> {
        let named = |channel: &Channel| channel.name() == self.channel;
        Channel::ALL.into_iter().find(named)
    }

    pub fn is_of(&self, channel: Channel) -> bool {
        self.channel == channel.name()
    }

    pub fn kind(&self) -> Kind {
        Kind::named(&self.kind)
    }

    /// Whether it says that the session starts then.
    pub fn names(&self, start: Option<&str>) -> bool {
        self.kind() != Kind::Cancelled && start == Some(self.scheduled_at.as_str())
    }

    pub fn is_sent(&self) -> bool {
        self.status == status::SENT
    }

    /// Whether its message may have arrived, since the answer to it was lost.
    pub fn is_in_doubt(&self) -> bool {
        is_in_doubt(&self.status, self.next_attempt_at, self.error.as_deref())
    }

    /// When it was sent, else when something last happened to it.
    pub fn at(&self) -> DateTime<Utc> {
        self.sent_at.unwrap_or(self.updated_at).and_utc()
    }

    /// Of what was sent, what Twilio has said since.
    pub fn state(&self) -> &str {
        let fate = self.delivery_status.as_deref();
        let fate = fate.filter(|fate| ["delivered", "read"].contains(fate));
        fate.filter(|_| self.is_sent()).unwrap_or(&self.status)
    }

    /// Cancelled so that it is made again where its reason goes: whoever hears by a correction needs no reminder.
    pub fn is_open_again(&self) -> bool {
        self.status == status::CANCELLED && self.error_code.as_deref() != Some(CORRECTED)
    }

    /// Where it went, as it may be shown.
    pub fn to(&self) -> Option<String> {
        self.recipient.as_deref().map(text::mask)
    }

    /// What was last in its way: code and reason, or what a code means that has none.
    pub fn fault(&self) -> Option<String> {
        match (&self.error_code, &self.error) {
            // Why it passed says more than that it did.
            (Some(code), Some(error)) if [WINDOW_PASSED, TOO_LATE].contains(&code.as_str()) => {
                Some(error.clone())
            }
            // This says itself what it is about.
            (Some(_), Some(error)) if error.starts_with(HELD) => Some(error.clone()),
            (Some(code), Some(error)) => Some(format!("{code}: {error}")),
            (Some(code), None) => Some(meaning(code).into()),
            (None, error) => error.clone(),
        }
    }

    /// The host whose pass has claimed it last: of `host:process:moment`.
    pub fn host(&self) -> Option<&str> {
        self.claimed_by.as_deref()?.rsplitn(3, ':').last()
    }
}

/// Whether the answer to a message was lost. A row that is claimed once more after something else was in its way still
/// says when that was to be tried.
pub(super) fn is_in_doubt(
    status: &str,
    next_attempt_at: Option<NaiveDateTime>,
    error: Option<&str>,
) -> bool {
    status == status::SENDING && next_attempt_at.is_none() && error.is_some()
}

/// In words, where a code has none beside it in its row.
pub fn meaning(code: &str) -> &str {
    match code {
        WINDOW_PASSED => {
            "its window was over before a pass could tell them (created or moved too late, or no pass ran)"
        }
        TOO_LATE => "the session began before it could be sent",
        other => other,
    }
}

fn masked<S: Serializer>(recipient: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    recipient.as_deref().map(text::mask).serialize(to)
}

fn utc<S: Serializer>(time: &NaiveDateTime, to: S) -> Result<S::Ok, S::Error> {
    time::rfc3339(time.and_utc()).serialize(to)
}

pub fn optional_utc<S: Serializer>(time: &Option<NaiveDateTime>, to: S) -> Result<S::Ok, S::Error> {
    let text = time.map(|time| time::rfc3339(time.and_utc()));
    text.serialize(to)
}

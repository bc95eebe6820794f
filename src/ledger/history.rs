//! What became of the messages of a session, or of one person in it: the ledger's rows as people see them.

use chrono::{NaiveDateTime, SecondsFormat};
use diesel::{
    ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl,
    dsl::sql, sql_types::Text,
};
use serde::{Serialize, Serializer};

use super::{CORRECTED, Channel, Kind, status};
use crate::{
    db::{Db, Lossy, schema::session_reminder_deliveries as ledger},
    text,
};

/// A row. Its times are UTC, but for the start.
#[derive(Debug, Clone, Queryable, Serialize)]
pub struct Delivery {
    pub id: i64,
    pub user_id: i64,
    pub channel: String,
    pub kind: String,
    pub lead_minutes: i32,
    /// The platform's digits.
    #[diesel(deserialize_as = Lossy)]
    pub scheduled_at: String,
    pub status: String,
    pub attempts: i32,
    #[serde(serialize_with = "utc")]
    pub next_attempt_at: Option<NaiveDateTime>,
    pub claimed_by: Option<String>,
    #[serde(serialize_with = "utc")]
    pub claimed_at: Option<NaiveDateTime>,
    #[serde(serialize_with = "utc")]
    pub lease_until: Option<NaiveDateTime>,
    #[serde(serialize_with = "masked")]
    pub recipient: Option<String>,
    /// Our Message-ID, or Twilio's SID.
    pub message_id: Option<String>,
    pub error_code: Option<String>,
    pub error: Option<String>,
    #[serde(serialize_with = "utc")]
    pub sent_at: Option<NaiveDateTime>,
    pub delivery_status: Option<String>,
    #[serde(serialize_with = "utc")]
    pub created_at: Option<NaiveDateTime>,
    #[serde(serialize_with = "utc")]
    pub updated_at: Option<NaiveDateTime>,
}

impl Delivery {
    pub fn is_of(&self, channel: Channel) -> bool {
        self.channel == channel.name()
    }

    pub fn kind(&self) -> Kind {
        Kind::named(&self.kind)
    }

    pub fn is_sent(&self) -> bool {
        self.status == status::SENT
    }

    /// Cancelled so that it is made again where its reason goes: whoever hears by a correction needs no reminder.
    pub fn is_open_again(&self) -> bool {
        self.status == status::CANCELLED && self.error_code.as_deref() != Some(CORRECTED)
    }

    /// The host whose pass has claimed it last.
    pub fn host(&self) -> Option<&str> {
        let claimant = self.claimed_by.as_deref()?;
        claimant.rsplitn(3, ':').last()
    }

    /// What was last in its way: code and reason.
    pub fn fault(&self) -> Option<String> {
        match (&self.error_code, &self.error) {
            (Some(code), Some(error)) => Some(format!("{code}: {error}")),
            (code, error) => code.clone().or(error.clone()),
        }
    }
}

fn masked<S: Serializer>(recipient: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    recipient.as_deref().map(mask).serialize(to)
}

/// An address or a number as it may be shown.
pub fn mask(recipient: &str) -> String {
    match recipient.contains('@') {
        true => text::mask_email(recipient),
        false => text::mask_phone(recipient),
    }
}

fn utc<S: Serializer>(time: &Option<NaiveDateTime>, to: S) -> Result<S::Ok, S::Error> {
    let rfc3339 = |time: &NaiveDateTime| time.and_utc().to_rfc3339_opts(SecondsFormat::Secs, true);
    time.as_ref().map(rfc3339).serialize(to)
}

/// The columns of [`Delivery`], in its order.
macro_rules! delivery {
    () => {
        (
            ledger::id,
            ledger::user_id,
            ledger::channel,
            ledger::kind,
            ledger::lead_minutes,
            sql::<Text>("CAST(session_reminder_deliveries.scheduled_at AS CHAR(19))"),
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
            ledger::created_at.nullable(),
            ledger::updated_at.nullable(),
        )
    };
}

/// The rows of one person in one session, oldest first.
pub fn of(db: &mut Db, session: i64, user: i64) -> QueryResult<Vec<Delivery>> {
    ledger::table
        .filter(ledger::course_session_id.eq(session))
        .filter(ledger::user_id.eq(user))
        .order(ledger::id)
        .select(delivery!())
        .load(db)
}

/// The rows of everybody in one session, oldest first.
pub fn of_session(db: &mut Db, session: i64) -> QueryResult<Vec<Delivery>> {
    ledger::table
        .filter(ledger::course_session_id.eq(session))
        .order(ledger::id)
        .select(delivery!())
        .load(db)
}

//! The rows that keep a reminder from being made again.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult,
    Queryable, RunQueryDsl,
};

use super::{CORRECTED, Channel, REMINDER, delivery::is_in_doubt, start_digits, status};
use crate::{
    db::{Db, Lossy, schema::session_reminder_deliveries as ledger},
    time::{Zone, when},
};

/// A row that stands for a participant's reminder.
#[derive(Queryable)]
pub struct Standing {
    pub session_id: i64,
    pub user_id: i64,
    lead_minutes: i32,
    #[diesel(deserialize_as = Lossy)]
    pub scheduled_at: String,
    pub status: String,
    next_attempt_at: Option<NaiveDateTime>,
    lease_until: Option<NaiveDateTime>,
    error: Option<String>,
}

impl Standing {
    /// Whether it is for that start and about that lead.
    pub fn is_of(&self, start: &str, lead_minutes: i32, near_minutes: i32) -> bool {
        self.scheduled_at == start && (self.lead_minutes - lead_minutes).abs() <= near_minutes
    }

    /// Whether it is still to be delivered.
    pub fn is_open(&self) -> bool {
        [status::PENDING, status::SENDING].contains(&self.status.as_str())
    }

    /// Whether a pass takes it up now: it waits, or the pass that had claimed it has died.
    pub fn is_taken_up(&self, now: DateTime<Utc>) -> bool {
        let now = now.naive_utc();
        match self.status.as_str() {
            status::PENDING => self.next_attempt_at.is_none_or(|at| at <= now),
            status::SENDING => self.lease_until.is_some_and(|until| until < now),
            _ => false,
        }
    }

    /// Why nothing more is sent now, in words.
    pub fn describe(&self, zone: Zone) -> String {
        let what = match (self.status.as_str(), self.next_attempt_at) {
            (status::PENDING, Some(at)) => {
                format!("to be tried again on {}", when(zone.0, at.and_utc()))
            }
            (status, next) if is_in_doubt(status, next, self.error.as_deref()) => {
                "in doubt".to_owned()
            }
            (status::SENDING, _) => "being sent by another pass".to_owned(),
            (other, _) => format!("already {other}"),
        };
        match &self.error {
            Some(error) => format!("{what}: {error}"),
            None => what,
        }
    }
}

/// The rows of these sessions that keep a reminder from being made again.
pub fn standing(db: &mut Db, channel: Channel, sessions: Vec<i64>) -> QueryResult<Vec<Standing>> {
    ledger::table
        .filter(ledger::course_session_id.eq_any(sessions))
        .filter(ledger::channel.eq(channel.name()))
        .filter(ledger::kind.eq(REMINDER))
        .filter(
            ledger::status
                .ne(status::CANCELLED)
                .or(ledger::error_code.assume_not_null().eq(CORRECTED)),
        )
        .select((
            ledger::course_session_id,
            ledger::user_id,
            ledger::lead_minutes,
            start_digits(),
            ledger::status,
            ledger::next_attempt_at,
            ledger::lease_until,
            ledger::error,
        ))
        .load(db)
}

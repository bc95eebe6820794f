//! Following up what Twilio has taken: the messages that it is to be asked about.
//!
//! A `sent` row that is to be looked at again has its time in `next_attempt_at`. No query here can mistake the many
//! rows that were sent long ago for these: each begins at one of two indexes and ends at a bound of time.

pub mod learnt;
pub mod looks;

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult,
    Queryable, RunQueryDsl, update,
};

use super::{AGAIN, Channel, Condition, Scope, of_session, start_digits, starts_in, status};
use crate::{
    db::{self, AT_ONCE, Db, Lossy, schema::session_reminder_deliveries as ledger},
    time::Zone,
};

/// A look that was to be made longer ago than this after the sending, or after the start, is not made up for.
const LATEST: Duration = Duration::minutes(30);
const AFTER_START: Duration = Duration::hours(1);

/// A pass that asks has this long before another one does.
const TURN: Duration = Duration::minutes(2);

/// A message that Twilio has taken.
#[derive(Debug, Clone, Queryable)]
pub struct Taken {
    pub id: i64,
    pub session_id: i64,
    pub user_id: i64,
    #[diesel(deserialize_as = Lossy)]
    scheduled_at: String,
    pub sid: String,
    pub sent_at: NaiveDateTime,
    delivery_status: Option<String>,
}

impl Taken {
    /// It has failed once after it was taken, and this is its second try.
    fn is_second(&self) -> bool {
        self.delivery_status.as_deref() == Some(AGAIN)
    }
}

/// Sent not long ago, and to be looked at now. (Not by `status`: whatever its index promises, it has all that was ever
/// sent.)
fn fresh(scope: &Scope, now: DateTime<Utc>) -> Condition {
    Box::new(
        asked_now(scope, now).and(
            ledger::sent_at
                .assume_not_null()
                .ge((now - LATEST).naive_utc()),
        ),
    )
}

/// The same for sessions that have just started.
fn begun(scope: &Scope, zone: Zone, now: DateTime<Utc>) -> Condition {
    Box::new(
        asked_now(scope, now)
            .and(ledger::status.eq(status::SENT))
            .and(starts_in(&zone.walls(now - AFTER_START, now))),
    )
}

fn asked_now(scope: &Scope, now: DateTime<Utc>) -> Condition {
    Box::new(
        ledger::channel
            .eq(Channel::Whatsapp.name())
            .and(
                ledger::next_attempt_at
                    .assume_not_null()
                    .le(now.naive_utc()),
            )
            .and(ledger::sent_at.is_not_null())
            .and(of_session(scope.session)),
    )
}

/// Whether Twilio is to be asked about any message. Reads only.
pub fn any(db: &mut Db, scope: &Scope, zone: Zone, now: DateTime<Utc>) -> QueryResult<bool> {
    for rows in [fresh(scope, now), begun(scope, zone, now)] {
        let first = ledger::table.filter(rows).select(ledger::id).limit(1);
        if !first.load::<i64>(db)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Up to `limit` messages that Twilio is to be asked about; for a while no other pass asks about them. To be called in
/// a transaction.
pub fn take(
    db: &mut Db,
    scope: &Scope,
    zone: Zone,
    limit: i64,
    now: DateTime<Utc>,
) -> QueryResult<Vec<Taken>> {
    let mut all = load(db, fresh(scope, now), limit)?;
    let rest = limit - i64::try_from(all.len()).unwrap_or(limit);
    let known: Vec<i64> = all.iter().map(|row| row.id).collect();
    let begun = load(db, begun(scope, zone, now), rest)?;
    all.extend(begun.into_iter().filter(|row| !known.contains(&row.id)));
    for rows in all.chunks(AT_ONCE) {
        let ids = rows.iter().map(|row| row.id);
        update(ledger::table.filter(ledger::id.eq_any(ids)))
            .set(ledger::next_attempt_at.eq((now + TURN).naive_utc()))
            .execute(db)?;
    }
    Ok(all)
}

fn load(db: &mut Db, rows: Condition, limit: i64) -> QueryResult<Vec<Taken>> {
    let rows = ledger::table
        .filter(rows)
        .filter(ledger::message_id.is_not_null())
        .limit(limit)
        .select((
            ledger::id,
            ledger::course_session_id,
            ledger::user_id,
            start_digits(),
            ledger::message_id.assume_not_null(),
            ledger::sent_at.assume_not_null(),
            ledger::delivery_status,
        ));
    db::locked(db, rows).load(db)
}

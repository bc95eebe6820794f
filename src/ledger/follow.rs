//! Following up what Twilio has taken: when it is asked what became of a message, and what was learnt.
//!
//! A `sent` row that is to be looked at again has its time in `next_attempt_at`. No query here can mistake the many rows
//! that were sent long ago for these: each begins at one of two indexes and ends at a bound of time.

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult,
    Queryable, RunQueryDsl,
    dsl::sql,
    sql_types::{Nullable, Text, Timestamp},
    update,
};

use super::{AGAIN, Channel, Condition, Scope, delay, of_session, starts_in, status};
use crate::{
    db::{self, AT_ONCE, ByRow, Db, Lossy, schema::session_reminder_deliveries as ledger},
    outcome::{Fault, Outcome},
    text::one_line,
    time::Zone,
};

/// When Twilio is asked, in minutes after a message was sent; for the last time when the session starts.
const LOOKS: [i64; 5] = [1, 2, 4, 8, 15];

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

/// When a message is looked at for the first time.
pub fn first_look(sent_at: DateTime<Utc>) -> DateTime<Utc> {
    sent_at + Duration::minutes(LOOKS[0])
}

/// When a message is looked at next; `None` when nothing more is to be learnt in time.
fn next_look(
    status: &str,
    sent_at: DateTime<Utc>,
    start: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let at_start = start.filter(|start| *start > now);
    match status {
        "read" | "deleted" => None,
        // Once more, since it may have been read by then.
        "delivered" => at_start,
        _ => {
            let looks = LOOKS.map(|minutes| sent_at + Duration::minutes(minutes));
            let next = looks.into_iter().find(|look| *look > now);
            next.into_iter().chain(at_start).min()
        }
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

/// Up to `limit` messages that Twilio is to be asked about; for a while no other pass asks about them. To be called in a
/// transaction.
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
            sql::<Text>("CAST(session_reminder_deliveries.scheduled_at AS CHAR(19))"),
            ledger::message_id.assume_not_null(),
            ledger::sent_at.assume_not_null(),
            ledger::delivery_status,
        ));
    db::locked(db, rows).load(db)
}

/// What was learnt of a message.
pub struct Learnt<'a> {
    pub row: &'a Taken,
    pub end: End,
    /// Twilio's word for it.
    delivery_status: String,
    next_attempt_at: Option<DateTime<Utc>>,
    pub fault: Option<Fault>,
}

/// What a row becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// It stays sent.
    Sent,
    Failed,
    /// It failed for a reason that passes, for the first time: it is sent once more.
    Again,
}

impl<'a> Learnt<'a> {
    /// What follows from Twilio's word for a message and from what that means.
    pub fn new(
        row: &'a Taken,
        delivery_status: &str,
        outcome: &Outcome,
        zone: Zone,
        now: DateTime<Utc>,
    ) -> Self {
        let start = zone.parse(&row.scheduled_at);
        let in_time =
            |at: DateTime<Utc>| start.is_some_and(|start| start - at >= super::close::LAST_MOMENT);
        let (end, next_attempt_at, fault) = match outcome {
            Outcome::Retry { fault, after } => {
                let asked = after.and_then(|after| Duration::from_std(after).ok());
                let next = now + delay(1).max(asked.unwrap_or_default());
                match !row.is_second() && in_time(next) {
                    true => (End::Again, Some(next), Some(fault)),
                    false => (End::Failed, None, Some(fault)),
                }
            }
            Outcome::Failed(fault) | Outcome::OptedOut(fault) => (End::Failed, None, Some(fault)),
            _ => {
                let next = next_look(delivery_status, row.sent_at.and_utc(), start, now);
                (End::Sent, next, None)
            }
        };
        // While nothing is decided, the second try stays known as such.
        let undecided =
            next_attempt_at.is_some() && end == End::Sent && delivery_status != "delivered";
        let word = match row.is_second() && undecided {
            true => AGAIN,
            false => delivery_status,
        };
        Self {
            row,
            end,
            delivery_status: one_line(word, super::record::LONGEST_STATUS),
            next_attempt_at,
            fault: fault.cloned(),
        }
    }
}

/// Records what was learnt; how many rows have failed, and how many are sent again. A row that another pass has moved on
/// meanwhile is left alone.
pub fn record(db: &mut Db, learnt: &[Learnt], now: DateTime<Utc>) -> QueryResult<(usize, usize)> {
    let (mut failed, mut again) = (0, 0);
    for batch in learnt.chunks(AT_ONCE) {
        let of = |end: End| -> Vec<&Learnt> { batch.iter().filter(|one| one.end == end).collect() };
        write(db, status::SENT, &of(End::Sent), now)?;
        failed += write(db, status::FAILED, &of(End::Failed), now)?;
        let retried = of(End::Again);
        again += write(db, status::PENDING, &retried, now)?;
        forget_sending(db, &retried)?;
    }
    Ok((failed, again))
}

fn write(db: &mut Db, status: &str, rows: &[&Learnt], now: DateTime<Utc>) -> QueryResult<usize> {
    if rows.is_empty() {
        return Ok(0);
    }
    let code = |one: &Learnt| one.fault.as_ref().map(|fault| fault.code.clone());
    let reason = |one: &Learnt| one.fault.as_ref().map(|fault| fault.reason.clone());
    let next = |one: &Learnt| one.next_attempt_at.map(|at| at.naive_utc());
    let same = ledger::table
        .filter(ledger::id.eq_any(ids(rows)))
        .filter(ledger::status.eq(status::SENT))
        .filter(
            ledger::message_id.eq(by_row::<Nullable<Text>, _>(rows, |one| {
                Some(one.row.sid.clone())
            })),
        );
    update(same)
        .set((
            ledger::status.eq(status),
            ledger::delivery_status.eq(by_row::<Nullable<Text>, _>(rows, |one| {
                Some(one.delivery_status.clone())
            })),
            ledger::next_attempt_at.eq(by_row::<Nullable<Timestamp>, _>(rows, next)),
            ledger::error_code.eq(by_row::<Nullable<Text>, _>(rows, code)),
            ledger::error.eq(by_row::<Nullable<Text>, _>(rows, reason)),
            ledger::updated_at.eq(now.naive_utc()),
        ))
        .execute(db)
}

/// What did not arrive is no attempt in doubt, and nothing that was sent.
fn forget_sending(db: &mut Db, rows: &[&Learnt]) -> QueryResult<usize> {
    let pending = ledger::table
        .filter(ledger::id.eq_any(ids(rows)))
        .filter(ledger::status.eq(status::PENDING));
    update(pending)
        .set((
            ledger::sent_at.eq(None::<NaiveDateTime>),
            ledger::rendered_at.eq(None::<NaiveDateTime>),
        ))
        .execute(db)
}

fn ids(rows: &[&Learnt]) -> Vec<i64> {
    rows.iter().map(|one| one.row.id).collect()
}

fn by_row<ST, T>(rows: &[&Learnt], value: impl Fn(&Learnt) -> T) -> ByRow<ST, T> {
    ByRow::new(rows.iter().map(|one| (one.row.id, value(one))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::minutes(minute)
    }

    /// The minutes at which a message sent at 0 is looked at that keeps this status, for a session at minute 60.
    fn looks(status: &str, start: Option<i64>) -> Vec<i64> {
        let start = start.map(at);
        let mut looks = Vec::new();
        let mut next = Some(first_look(at(0)));
        while let Some(now) = next {
            looks.push((now - at(0)).num_minutes());
            next = next_look(status, at(0), start, now);
        }
        looks
    }

    #[test]
    fn looks_grow_rarer_and_end_with_the_start() {
        assert_eq!(looks("sent", Some(60)), [1, 2, 4, 8, 15, 60]);
        assert_eq!(looks("queued", Some(6)), [1, 2, 4, 6, 8, 15]);
        assert_eq!(looks("delivered", Some(60)), [1, 60]);
        assert_eq!(looks("read", Some(60)), [1]);
        assert_eq!(looks("sent", None), [1, 2, 4, 8, 15]);
    }

    #[test]
    fn a_look_that_was_slept_through_is_made_once() {
        assert_eq!(next_look("sent", at(0), Some(at(60)), at(9)), Some(at(15)));
        assert_eq!(next_look("sent", at(0), Some(at(60)), at(59)), Some(at(60)));
        assert_eq!(next_look("sent", at(0), Some(at(60)), at(61)), None);
    }
}

//! What was learnt of a message, and what its row becomes by that.

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl,
    sql_types::{Nullable, Text, Timestamp},
    update,
};

use super::{Taken, looks::next_look};
use crate::{
    db::{AT_ONCE, ByRow, Db, schema::session_reminder_deliveries as ledger},
    ledger::{AGAIN, close::LAST_MOMENT, delay, is_still, record::LONGEST_STATUS, status},
    outcome::{Fault, Outcome},
    text::one_line,
    time::Zone,
};

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

/// What a row becomes, when it is looked at or sent again, and why.
type Decision<'a> = (End, Option<DateTime<Utc>>, Option<&'a Fault>);

impl<'a> Learnt<'a> {
    /// What follows from Twilio's word for a message and from what that means.
    pub fn new(
        row: &'a Taken,
        word: &str,
        outcome: &Outcome,
        zone: Zone,
        now: DateTime<Utc>,
    ) -> Self {
        let start = zone.parse(&row.scheduled_at);
        let (end, next_attempt_at, fault) = match outcome {
            Outcome::Retry { fault, after } => again(row, fault, *after, start, now),
            Outcome::Failed(fault) | Outcome::OptedOut(fault) => (End::Failed, None, Some(fault)),
            _ => {
                let next = next_look(word, row.sent_at.and_utc(), start, now);
                (End::Sent, next, None)
            }
        };
        // While nothing is decided, the second try stays known as such.
        let undecided = end == End::Sent && next_attempt_at.is_some() && word != "delivered";
        let word = match row.is_second() && undecided {
            true => AGAIN,
            false => word,
        };
        Self {
            row,
            end,
            delivery_status: one_line(word, LONGEST_STATUS),
            next_attempt_at,
            fault: fault.cloned(),
        }
    }
}

/// A failure that passes: the message is sent once more, where it never was and there is time for it.
fn again<'a>(
    row: &Taken,
    fault: &'a Fault,
    after: Option<std::time::Duration>,
    start: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Decision<'a> {
    let asked = after.and_then(|after| Duration::from_std(after).ok());
    let next = now + delay(1).max(asked.unwrap_or_default());
    let in_time = start.is_some_and(|start| start - next >= LAST_MOMENT);
    match in_time && !row.is_second() {
        true => (End::Again, Some(next), Some(fault)),
        false => (End::Failed, None, Some(fault)),
    }
}

/// Records what was learnt; how many rows have failed, and how many are sent again. A row that another pass has moved
/// on meanwhile is left alone.
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
        .filter(is_still(&[status::SENT]))
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
        .filter(is_still(&[status::PENDING]))
        // Of a row that another pass has moved on meanwhile this is no longer so: its doubt is a newer one's.
        .filter(ledger::sent_at.is_not_null());
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

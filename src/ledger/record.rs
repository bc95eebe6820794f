//! Recording what became of a claimed row. A record that comes after the row's lease has ended and somebody else has taken
//! it up changes nothing.

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, update};

use super::{HELD, claim::Claim, delay, status};
use crate::{
    db::{Db, schema::session_reminder_deliveries as ledger},
    outcome::Outcome,
};

/// Records what became of a claimed row. False: the row was no longer ours, and nothing was changed.
pub fn record(
    db: &mut Db,
    claim: &Claim,
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let soon = delay(claim.attempt);
    let (status, at, fault) = match outcome {
        Outcome::Sent { message_id, status } => {
            return sent(db, claim, message_id, status.as_deref(), now);
        }
        Outcome::Failed(fault) | Outcome::OptedOut(fault) => (status::FAILED, None, fault),
        Outcome::Retry { fault, after } => {
            let asked = after.and_then(|after| Duration::from_std(after).ok());
            let wait = soon.max(asked.unwrap_or_default());
            (status::PENDING, Some(now + wait), fault)
        }
        Outcome::Stopped(fault) => (status::PENDING, Some(now + soon), fault),
        // The row stays ours until its lease ends: only then may it be looked at again.
        Outcome::InDoubt(fault) => (status::SENDING, None, fault),
    };
    let reason = match outcome {
        Outcome::Stopped(fault) => format!("{HELD}{}", fault.reason),
        _ => fault.reason.clone(),
    };
    settle(db, claim, status, at, &fault.code, reason, now)
}

/// Gives a row back that was claimed and not begun: the attempt does not count.
pub fn release(db: &mut Db, claim: &Claim, now: DateTime<Utc>) -> QueryResult<bool> {
    let changed = update(ours(claim))
        .set((
            ledger::status.eq(status::PENDING),
            ledger::attempts.eq(claim.attempt - 1),
            ledger::rendered_at.eq(claim.row.rendered_at),
            ledger::next_attempt_at.eq(now.naive_utc()),
            ledger::updated_at.eq(now.naive_utc()),
        ))
        .execute(db)?;
    Ok(changed == 1)
}

/// The row, if it is still ours.
#[diesel::dsl::auto_type(no_type_alias)]
fn ours<'a>(claim: &'a Claim) -> _ {
    let id: i64 = claim.row.id;
    let claimant: &'a str = claim.claimant.as_str();
    let attempt: i32 = claim.attempt;
    let sending: &'static str = status::SENDING;
    ledger::table
        .filter(ledger::id.eq(id))
        .filter(ledger::status.eq(sending))
        .filter(ledger::claimed_by.eq(claimant))
        .filter(ledger::attempts.eq(attempt))
}

fn sent(
    db: &mut Db,
    claim: &Claim,
    message_id: &str,
    first: Option<&str>,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let changed = update(ours(claim))
        .set((
            ledger::status.eq(status::SENT),
            ledger::sent_at.eq(now.naive_utc()),
            ledger::message_id.eq(message_id),
            ledger::delivery_status.eq(first),
            ledger::next_attempt_at.eq(None::<NaiveDateTime>),
            ledger::error_code.eq(None::<String>),
            ledger::error.eq(None::<String>),
            ledger::updated_at.eq(now.naive_utc()),
        ))
        .execute(db)?;
    Ok(changed == 1)
}

fn settle(
    db: &mut Db,
    claim: &Claim,
    status: &str,
    next_attempt_at: Option<DateTime<Utc>>,
    code: &str,
    reason: String,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    // What certainly did not leave will say how long it then is to the start, not how long it was now.
    let rendered_at = match status {
        status::SENDING => Some(claim.rendered_at.naive_utc()),
        _ => claim.row.rendered_at,
    };
    let changed = update(ours(claim))
        .set((
            ledger::status.eq(status),
            ledger::rendered_at.eq(rendered_at),
            ledger::next_attempt_at.eq(next_attempt_at.map(|at| at.naive_utc())),
            ledger::error_code.eq(code),
            ledger::error.eq(reason),
            ledger::updated_at.eq(now.naive_utc()),
        ))
        .execute(db)?;
    Ok(changed == 1)
}

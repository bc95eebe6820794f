//! Recording what became of claimed rows, in a statement for all that were sent, one for all that were not, and one for
//! all that were not begun. A record that comes after its row's lease has ended and somebody else has taken the row up
//! changes nothing.

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult,
    RunQueryDsl,
    sql_types::{Integer, Nullable, Text, Timestamp},
    update,
};

use super::{AGAIN, HELD, claim::Claim, delay, follow::looks::first_look, is_still, status};
use crate::{
    db::{self, AnyOf, ByRow, Db, schema::session_reminder_deliveries as ledger},
    outcome::{Fault, Outcome},
    text::one_line,
};

/// Records what became of claimed rows, no outcome meaning that the row was not begun; how many of them were still
/// ours.
pub fn record<'a>(
    db: &mut Db,
    finished: impl Iterator<Item = (&'a Claim, Option<&'a Outcome>)>,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    let (mut sent, mut settled, mut untouched) = (Vec::new(), Vec::new(), Vec::new());
    for (claim, outcome) in latest(finished.collect()) {
        match outcome {
            Some(Outcome::Sent { message_id, status }) => {
                sent.push((claim, message_id, status.as_deref()));
            }
            Some(Outcome::Busy(_)) | None => untouched.push(claim),
            Some(outcome) => settled.extend(Settled::new(claim, outcome, now)),
        }
    }
    Ok(record_sent(db, &sent, now)? + settle(db, &settled, now)? + release(db, &untouched, now)?)
}

/// A claim whose row, its lease over, was claimed once more by this same pass has been lost: of two claims of one row
/// only the later is recorded.
fn latest<T>(mut finished: Vec<(&Claim, T)>) -> Vec<(&Claim, T)> {
    finished.sort_by_key(|(claim, _)| (claim.row.id, -claim.attempt));
    finished.dedup_by_key(|(claim, _)| claim.row.id);
    finished
}

/// Of rows that are still ours. All claims are those of one pass.
#[diesel::dsl::auto_type(no_type_alias)]
fn ours<'a>(claims: &[&'a Claim]) -> _ {
    let ids: AnyOf = AnyOf(ids(claims));
    let claimant: &'a str = claimant(claims);
    let attempts: ByRow<Integer, i32> = attempts(claims);
    let sending: super::Condition = is_still(&[status::SENDING]);
    ids.and(sending)
        .and(ledger::claimed_by.assume_not_null().eq(claimant))
        .and(ledger::attempts.eq(attempts))
}

fn ids(claims: &[&Claim]) -> Vec<i64> {
    claims.iter().map(|claim| claim.row.id).collect()
}

fn claimant<'a>(claims: &[&'a Claim]) -> &'a str {
    claims.first().map_or("", |claim| claim.claimant.as_str())
}

fn attempts(claims: &[&Claim]) -> ByRow<Integer, i32> {
    ByRow::new(claims.iter().map(|claim| (claim.row.id, claim.attempt)))
}

/// In characters: what Twilio answers is its own affair, what is stored must fit.
const LONGEST_ID: usize = 255;
pub(super) const LONGEST_STATUS: usize = 32;

/// A claim, our Message-ID or Twilio's SID, and Twilio's first status.
type Sent<'a> = (&'a Claim, &'a String, Option<&'a str>);

fn record_sent(db: &mut Db, sent: &[Sent], now: DateTime<Utc>) -> QueryResult<usize> {
    if sent.is_empty() {
        return Ok(0);
    }
    let claims: Vec<&Claim> = sent.iter().map(|(claim, ..)| *claim).collect();
    let message_ids = sent
        .iter()
        .map(|(claim, id, _)| (claim.row.id, Some(one_line(id, LONGEST_ID))));
    let statuses = sent.iter().map(|(claim, _, status)| {
        let second = claim.row.was_undelivered().then_some(AGAIN);
        let status = status.map(|status| one_line(second.unwrap_or(status), LONGEST_STATUS));
        (claim.row.id, status)
    });
    // Only what has a status at Twilio can be asked about.
    let looks = sent.iter().map(|(claim, _, status)| {
        let look = status.map(|_| first_look(now).naive_utc());
        (claim.row.id, look)
    });
    let changes = (
        ledger::status.eq(status::SENT),
        ledger::sent_at.eq(now.naive_utc()),
        ledger::message_id.eq(ByRow::<Nullable<Text>, _>::new(message_ids)),
        ledger::delivery_status.eq(ByRow::<Nullable<Text>, _>::new(statuses)),
        ledger::next_attempt_at.eq(ByRow::<Nullable<Timestamp>, _>::new(looks)),
        ledger::error_code.eq(None::<String>),
        ledger::error.eq(None::<String>),
        ledger::updated_at.eq(now.naive_utc()),
    );
    db::update(ledger::table, changes, ours(&claims)).execute(db)
}

/// What a row becomes that was not sent.
struct Settled<'a> {
    claim: &'a Claim,
    status: &'static str,
    next_attempt_at: Option<DateTime<Utc>>,
    code: &'a str,
    reason: String,
}

impl<'a> Settled<'a> {
    /// `None` for a row that was sent, or goes back untouched.
    fn new(claim: &'a Claim, outcome: &'a Outcome, now: DateTime<Utc>) -> Option<Self> {
        let soon = delay(claim.attempt);
        let (status, next_attempt_at, fault) = match outcome {
            Outcome::Sent { .. } | Outcome::Busy(_) => return None,
            Outcome::Failed(fault) | Outcome::Refused(fault) | Outcome::OptedOut(fault) => {
                (status::FAILED, None, fault)
            }
            Outcome::Missed(fault) => (status::MISSED, None, fault),
            Outcome::Cancelled(fault) => (status::CANCELLED, None, fault),
            Outcome::Retry { fault, after } => {
                let asked = after.and_then(|after| Duration::from_std(after).ok());
                let wait = soon.max(asked.unwrap_or_default());
                (status::PENDING, Some(now + wait), fault)
            }
            Outcome::Stopped(fault) => (status::PENDING, Some(now + soon.max(fault.wait())), fault),
            // The row stays ours until its lease ends: only then may it be looked at again.
            Outcome::InDoubt(fault) => (status::SENDING, None, fault),
        };
        Some(Self {
            claim,
            status,
            next_attempt_at,
            code: &fault.code,
            reason: reason(outcome, fault),
        })
    }

    /// What certainly did not leave will say how long it then is to the start, not how long it was now.
    fn rendered_at(&self) -> Option<NaiveDateTime> {
        match self.status {
            status::SENDING => Some(self.claim.rendered_at.naive_utc()),
            // It may be owed again, and then nothing is in doubt.
            status::CANCELLED => None,
            _ => self.claim.row.rendered_at,
        }
    }
}

fn reason(outcome: &Outcome, fault: &Fault) -> String {
    match outcome {
        Outcome::Stopped(_) => format!("{HELD}{}", fault.reason),
        _ => fault.reason.clone(),
    }
}

fn settle(db: &mut Db, settled: &[Settled], now: DateTime<Utc>) -> QueryResult<usize> {
    if settled.is_empty() {
        return Ok(0);
    }
    let claims: Vec<&Claim> = settled.iter().map(|row| row.claim).collect();
    let next_attempt_at = |row: &Settled| row.next_attempt_at.map(|at| at.naive_utc());
    let changes = (
        ledger::status.eq(by_row::<Text, _>(settled, |row| row.status)),
        ledger::rendered_at.eq(by_row::<Nullable<Timestamp>, _>(
            settled,
            Settled::rendered_at,
        )),
        ledger::next_attempt_at.eq(by_row::<Nullable<Timestamp>, _>(settled, next_attempt_at)),
        ledger::error_code.eq(by_row::<Nullable<Text>, _>(settled, |row| Some(row.code))),
        ledger::error.eq(by_row::<Nullable<Text>, _>(settled, |row| {
            Some(row.reason.clone())
        })),
        ledger::updated_at.eq(now.naive_utc()),
    );
    // As many texts as there are ways in which rows can end differently: none of them is kept.
    update(ledger::table.filter(ours(&claims)))
        .set(changes)
        .execute(db)
}

fn by_row<'a, ST, T>(
    settled: &'a [Settled<'a>],
    value: impl Fn(&'a Settled<'a>) -> T,
) -> ByRow<ST, T> {
    ByRow::new(settled.iter().map(|row| (row.claim.row.id, value(row))))
}

/// Gives rows back that were claimed and not begun: the attempt does not count.
fn release(db: &mut Db, claims: &[&Claim], now: DateTime<Utc>) -> QueryResult<usize> {
    if claims.is_empty() {
        return Ok(0);
    }
    let rendered_at = |claim: &&Claim| (claim.row.id, claim.row.rendered_at);
    let changes = (
        ledger::status.eq(status::PENDING),
        ledger::attempts.eq(ledger::attempts - 1),
        ledger::rendered_at.eq(ByRow::<Nullable<Timestamp>, _>::new(
            claims.iter().map(rendered_at),
        )),
        ledger::next_attempt_at.eq(now.naive_utc()),
        ledger::updated_at.eq(now.naive_utc()),
    );
    db::update(ledger::table, changes, ours(claims)).execute(db)
}

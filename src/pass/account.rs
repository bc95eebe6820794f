//! What came back from the lines is recorded, counted and told.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use log::{error, info, warn};

use super::{line::Job, summary::Tally};
use crate::{
    db::Db,
    ledger::{Channel, claim::Claim, record},
    outcome::{INTERRUPTED, Outcome},
    text,
};

/// A job that came back; no outcome = untouched.
pub type Finished = (Arc<Job>, Option<Outcome>);

/// Records it, each row fenced by its claim; how many rows were no longer ours.
pub fn record(db: &mut Db, finished: &[Finished], now: DateTime<Utc>) -> QueryResult<usize> {
    let outcomes = finished
        .iter()
        .map(|(job, outcome)| (&job.claim, outcome.as_ref()));
    let recorded = record::record(db, outcomes, now)?;
    Ok(finished.len().saturating_sub(recorded))
}

/// Counts it.
pub fn tally(tally: &mut Tally, outcome: &Outcome) {
    match outcome {
        Outcome::Sent { .. } => tally.sent += 1,
        Outcome::Failed(_) | Outcome::Refused(_) | Outcome::OptedOut(_) => tally.failed += 1,
        Outcome::Missed(_) => tally.missed += 1,
        Outcome::Cancelled(_) => tally.cancelled += 1,
        Outcome::Retry { .. } | Outcome::Stopped(_) => tally.retried += 1,
        // Counted by the pass that finds out.
        Outcome::InDoubt(_) | Outcome::Busy(_) => {}
    }
}

/// Says once what became of a delivery: what needs a person as a warning, the rest for those who ask.
pub fn tell(channel: Channel, job: &Job, outcome: &Outcome) {
    // Made only where it is said.
    let what = || what(channel, &job.claim);
    match outcome {
        Outcome::Sent { message_id, .. } => info!("{}: sent as {message_id}", what()),
        Outcome::Failed(fault) | Outcome::Refused(fault) | Outcome::OptedOut(fault) => {
            error!("{} failed: {fault}", what())
        }
        Outcome::Missed(fault) => error!("{} was missed: {fault}", what()),
        Outcome::Cancelled(fault) => info!("{} is cancelled: {fault}", what()),
        // The pass has said that it was stopped; the next one says what is in doubt.
        Outcome::InDoubt(fault) if fault.code == INTERRUPTED => {
            info!("{} is in doubt: {fault}", what())
        }
        Outcome::InDoubt(fault) => warn!("{} is in doubt: {fault}", what()),
        Outcome::Busy(fault) => info!("{} waits for another turn: {fault}", what()),
        Outcome::Retry { fault, .. } | Outcome::Stopped(fault) => {
            info!("{} will be tried again: {fault}", what())
        }
    }
}

fn what(channel: Channel, claim: &Claim) -> String {
    let to = match channel {
        Channel::Mail => text::mask_email(&claim.recipient),
        Channel::Whatsapp => text::mask_phone(&claim.recipient),
    };
    let (channel, row) = (channel.name(), &claim.row);
    let (session, user) = (row.session_id, row.user_id);
    format!("{channel} to {to} (session {session}, user {user})")
}

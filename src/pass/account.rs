//! What came back from the lines is recorded, counted and told.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use log::{error, info, warn};

use super::{line::Job, summary::Tally};
use crate::{
    db::Db,
    ledger::{Channel, record},
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
    let row = &job.claim.row;
    let to = match channel {
        Channel::Mail => text::mask_email(&job.claim.recipient),
        Channel::Whatsapp => text::mask_phone(&job.claim.recipient),
    };
    let what = format!(
        "{} to {to} (session {}, user {})",
        channel.name(),
        row.session_id,
        row.user_id
    );
    match outcome {
        Outcome::Sent { message_id, .. } => info!("{what}: sent as {message_id}"),
        Outcome::Failed(fault) | Outcome::Refused(fault) | Outcome::OptedOut(fault) => {
            error!("{what} failed: {fault}")
        }
        Outcome::Missed(fault) => error!("{what} was missed: {fault}"),
        Outcome::Cancelled(fault) => info!("{what} is cancelled: {fault}"),
        // The pass has said that it was stopped; the next one says what is in doubt.
        Outcome::InDoubt(fault) if fault.code == INTERRUPTED => {
            info!("{what} is in doubt: {fault}")
        }
        Outcome::InDoubt(fault) => warn!("{what} is in doubt: {fault}"),
        Outcome::Busy(fault) => info!("{what} waits for another turn: {fault}"),
        Outcome::Retry { fault, .. } | Outcome::Stopped(fault) => {
            info!("{what} will be tried again: {fault}")
        }
    }
}

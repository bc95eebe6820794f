//! What a step may do to the ledger.

use std::collections::HashSet;

use chrono::{Duration, NaiveDateTime};

use super::world::{Held, Row, World};
use crate::{
    ledger::{Channel, claim::LEASE, close::LAST_MOMENT, status::*},
    outcome::Outcome,
};

/// The tolerance around an hour before the start.
const WINDOW: (Duration, Duration) = (Duration::minutes(55), Duration::minutes(65));

pub enum Step {
    Prepare(usize),
    Take(usize),
    Record(Vec<Fence>),
    Hold(Channel),
    /// Nothing that touches the ledger.
    Other,
}

/// What a record must still find, and what it then makes of the row.
pub struct Fence {
    id: i64,
    claimant: String,
    attempt: i32,
    outcome: Option<Outcome>,
    /// `rendered_at` of the claim, and that of an attempt before it.
    rendered_at: NaiveDateTime,
    former: Option<NaiveDateTime>,
}

pub fn fences(finished: &[Held], claimant: &str) -> Vec<Fence> {
    let fence = |held: &Held| {
        let claim = &held.job.claim;
        Fence {
            id: claim.row.id,
            claimant: claimant.to_owned(),
            attempt: claim.row.attempts + 1,
            outcome: held.outcome.clone(),
            rendered_at: claim.rendered_at.naive_utc(),
            former: claim.row.in_doubt_since().map(|since| since.naive_utc()),
        }
    };
    finished.iter().map(fence).collect()
}

/// A row that changed; `from` is empty for a new one.
#[derive(Debug)]
pub struct Change<'a> {
    pub from: &'a str,
    pub to: &'a str,
}

/// Every change of status that the stories must have seen.
pub const ALL_CHANGES: [&str; 16] = [
    " > pending",
    " > missed",
    "pending > sending",
    "pending > cancelled",
    "pending > missed",
    "pending > unknown",
    "pending > pending",
    "cancelled > pending",
    "sending > pending",
    "sending > unknown",
    "sending > sending",
    "sending > sent",
    "sending > missed",
    "sending > failed",
    "sending > cancelled",
    "lost record",
];

pub fn name(from: &str, to: &str) -> &'static str {
    let name = format!("{from} > {to}");
    let known = ALL_CHANGES
        .iter()
        .find(|known| **known == name || **known == to);
    known.unwrap_or_else(|| panic!("no row goes {name}"))
}

/// Panics when the ledger may not look like this; else what has changed.
pub fn check<'a>(
    step: &Step,
    world: &World,
    before: &'a [Row],
    after: &'a [Row],
) -> Vec<Change<'a>> {
    assert!(before.len() <= after.len(), "a row has gone");
    unique(after);
    let mut changes = Vec::new();
    for (number, row) in after.iter().enumerate() {
        sound(row);
        let old = before.get(number);
        if old != Some(row) {
            lawful(step, world, old, row);
            let from = old.map_or("", |old| &old.status);
            changes.push(Change {
                from,
                to: &row.status,
            });
        }
    }
    match step {
        Step::Prepare(_) => nobody_overlooked(world, after),
        Step::Record(fences) => changes.extend(unrecorded(fences, before, after)),
        _ => {}
    }
    changes
}

fn key(row: &Row) -> (i64, i64, &str, NaiveDateTime) {
    (row.session, row.user, &row.channel, row.start)
}

fn unique(rows: &[Row]) {
    let keys: HashSet<_> = rows.iter().map(key).collect();
    assert_eq!(keys.len(), rows.len(), "two rows for one reminder");
}

/// It will not change any more.
pub fn is_over(row: &Row) -> bool {
    row.status != PENDING && row.status != SENDING
}

fn sound(row: &Row) {
    assert!(row.attempts >= 0, "{row:?}");
    if row.status == SENDING {
        let claimed = row.claimed_by.is_some() && row.lease_until.is_some();
        assert!(claimed && row.rendered_at.is_some(), "{row:?}");
    }
}

/// Whoever is due has a row that stands for them.
fn nobody_overlooked(world: &World, rows: &[Row]) {
    let now = world.now.naive_utc();
    let standing: HashSet<_> = rows
        .iter()
        .filter(|row| row.status != CANCELLED)
        .map(key)
        .collect();
    for owed in world.owed() {
        let due = (now + WINDOW.0..=now + WINDOW.1).contains(&owed.3);
        assert!(!due || standing.contains(&owed), "overlooked: {owed:?}");
    }
}

fn lawful(step: &Step, world: &World, old: Option<&Row>, new: &Row) {
    let allowed = match (old, step) {
        (None, Step::Prepare(_)) => begins(world, new),
        (Some(old), Step::Prepare(host)) => prepared(world, &world.hosts[*host].name, old, new),
        (Some(old), Step::Take(host)) => taken(world, &world.hosts[*host].name, old, new),
        (Some(old), Step::Record(fences)) => recorded(world, fences, old, new),
        (Some(old), Step::Hold(channel)) => held(world, *channel, old, new),
        _ => false,
    };
    assert!(allowed, "at {}: {old:?}\nbecame {new:?}", world.now);
}

fn is_owed(world: &World, row: &Row) -> bool {
    world.owed().contains(&(
        row.session,
        row.user,
        if row.channel == "mail" {
            "mail"
        } else {
            "whatsapp"
        },
        row.start,
    ))
}

/// The session begins too soon for a delivery.
fn begins_now(world: &World, row: &Row) -> bool {
    row.start - world.now.naive_utc() < LAST_MOMENT
}

/// Nobody can tell any more whether a row in doubt was sent: of WhatsApp Twilio is asked for an hour.
fn past_asking(world: &World, row: &Row) -> bool {
    let asked_for = Duration::hours(if row.channel == "mail" { 0 } else { 1 });
    row.start + asked_for - world.now.naive_utc() < LAST_MOMENT
}

fn begins(world: &World, new: &Row) -> bool {
    let left = new.start - world.now.naive_utc();
    let in_window = (WINDOW.0..=WINDOW.1).contains(&left);
    let status = if in_window { PENDING } else { MISSED };
    is_owed(world, new) && new.status == status && left <= WINDOW.1 && new.attempts == 0
}

fn prepared(world: &World, me: &str, old: &Row, new: &Row) -> bool {
    let now = world.now.naive_utc();
    let abandoned = old.status == SENDING
        && old.lease_until.is_some_and(|until| until < now)
        && old.claimed_by.as_deref() != Some(me);
    let kept = old.rendered_at == new.rendered_at && old.attempts == new.attempts;
    kept && match (old.status.as_str(), new.status.as_str()) {
        (SENDING, PENDING) => abandoned && !past_asking(world, old),
        (SENDING, UNKNOWN) => abandoned && past_asking(world, old),
        (CANCELLED, PENDING) => is_owed(world, old) && old.rendered_at.is_none(),
        (PENDING, _) => begins_now(world, old) && ended(world, old, new),
        _ => false,
    }
}

/// How a row ends that waits and is not delivered: `unknown` where an attempt may have arrived.
fn ended(world: &World, old: &Row, new: &Row) -> bool {
    match new.status.as_str() {
        UNKNOWN => old.rendered_at.is_some(),
        CANCELLED => old.rendered_at.is_none() && !is_owed(world, old),
        MISSED => old.rendered_at.is_none() && begins_now(world, old),
        _ => false,
    }
}

fn taken(world: &World, me: &str, old: &Row, new: &Row) -> bool {
    let now = world.now.naive_utc();
    let due = old.next_attempt_at.is_none_or(|at| at <= now);
    if old.status != PENDING || !due {
        return false;
    }
    if new.status != SENDING {
        return old.rendered_at == new.rendered_at && ended(world, old, new);
    }
    let asked = old.channel == "whatsapp" && old.rendered_at.is_some();
    (asked || is_owed(world, old) && !begins_now(world, old))
        && new.attempts == old.attempts + 1
        && new.claimed_by.as_deref() == Some(me)
        && new.lease_until == Some(now + LEASE)
        && new.rendered_at == Some(old.rendered_at.unwrap_or(now))
}

fn is_still_ours(fence: &Fence, row: &Row) -> bool {
    row.id == fence.id
        && row.status == SENDING
        && row.claimed_by.as_ref() == Some(&fence.claimant)
        && row.attempts == fence.attempt
}

fn recorded(world: &World, fences: &[Fence], old: &Row, new: &Row) -> bool {
    let Some(fence) = fences.iter().find(|fence| is_still_ours(fence, old)) else {
        return false;
    };
    let later = new.next_attempt_at > Some(world.now.naive_utc());
    let (attempts, status) = (new.attempts - old.attempts, new.status.as_str());
    match &fence.outcome {
        Some(Outcome::Sent { .. }) => (attempts, status) == (0, SENT) && new.message_id.is_some(),
        Some(Outcome::Failed(_) | Outcome::Refused(_) | Outcome::OptedOut(_)) => {
            (attempts, status) == (0, FAILED)
        }
        Some(Outcome::Cancelled(_)) => {
            (attempts, status) == (0, CANCELLED) && new.rendered_at.is_none()
        }
        Some(Outcome::Missed(_)) => (attempts, status) == (0, MISSED) && begins_now(world, old),
        Some(Outcome::Retry { .. } | Outcome::Stopped(_)) => {
            (attempts, status) == (0, PENDING) && later && new.rendered_at == fence.former
        }
        Some(Outcome::InDoubt(_)) => {
            (attempts, status) == (0, SENDING) && new.rendered_at == Some(fence.rendered_at)
        }
        Some(Outcome::Busy(_)) | None => {
            (attempts, status) == (-1, PENDING) && new.rendered_at == fence.former
        }
    }
}

/// What must have been recorded is, and what came too late changes nothing.
fn unrecorded<'a>(fences: &[Fence], before: &[Row], after: &[Row]) -> Vec<Change<'a>> {
    let mut lost = Vec::new();
    for fence in fences {
        let row = |rows: &[Row]| rows.iter().find(|row| row.id == fence.id).cloned();
        let (old, new) = (row(before).unwrap(), row(after).unwrap());
        let in_doubt = matches!(fence.outcome, Some(Outcome::InDoubt(_)));
        if is_still_ours(fence, &old) {
            assert!(in_doubt || old != new, "not recorded: {old:?}");
        } else if !fences.iter().any(|other| is_still_ours(other, &old)) {
            assert_eq!(old, new, "a record that came too late");
            lost.push(Change {
                from: "",
                to: "lost record",
            });
        }
    }
    lost
}

fn held(world: &World, channel: Channel, old: &Row, new: &Row) -> bool {
    let now = world.now.naive_utc();
    let due = old.next_attempt_at.is_none_or(|at| at <= now);
    let later = new.next_attempt_at > Some(now);
    (old.status.as_str(), new.status.as_str()) == (PENDING, PENDING)
        && old.channel == channel.name()
        && old.rendered_at == new.rendered_at
        && new.attempts == old.attempts + 1
        && due
        && later
}

//! Before anything is delivered: what a dead pass left, what is due now, what can no longer be told. One transaction;
//! where much is due, it only brings the nearest of it, and the rest follows while that is delivered.

mod miss;

use std::mem;

use chrono::{DateTime, Utc};
use diesel::{
    Connection, QueryResult,
    result::{
        DatabaseErrorKind::{SerializationFailure, UniqueViolation},
        Error,
    },
};
use log::{Level, error, warn};

use super::{
    Pass, correct, due,
    summary::{Channels, Tally},
};
use crate::{
    db::{self, Db},
    ledger::{Channel, close, enqueue},
    legacy, platform,
};

/// About how many reminders get their rows before the first of them leaves.
const FIRST: usize = 500;

/// Which reminders get their rows.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    /// The first ones, those of the nearest sessions.
    Nearest,
    /// All others.
    Rest,
}

/// Brings the ledger up to now. The nearest sessions have their rows then; true where the rest is left to
/// [`enqueue_rest`].
pub fn run(db: &mut Db, pass: &Pass, channels: &mut Channels) -> QueryResult<bool> {
    let now = pass.clock.now();
    write(db, pass, channels, |db, brought| {
        recover(db, pass, now, brought)?;
        // Looked for before the corrections put rows where there were none.
        let passed = due::overlooked(db, pass, now)?;
        correct::enqueue(db, pass, now, brought)?;
        let more = enqueue(db, pass, Step::Nearest, now, brought)?;
        miss::all(db, pass, passed, now, brought)?;
        Ok(more)
    })
}

/// Gives everything else that is due its row.
pub fn enqueue_rest(db: &mut Db, pass: &Pass, channels: &mut Channels) -> QueryResult<()> {
    let now = pass.clock.now();
    write(db, pass, channels, |db, brought| {
        enqueue(db, pass, Step::Rest, now, brought).map(|_| ())
    })
}

/// In one transaction; what it brings is counted and said.
fn write<T>(
    db: &mut Db,
    pass: &Pass,
    channels: &mut Channels,
    work: impl Fn(&mut Db, &mut Channels) -> QueryResult<T>,
) -> QueryResult<T> {
    let bring = |db: &mut Db| {
        let mut brought = Channels::default();
        let done = work(db, &mut brought)?;
        Ok((brought, done))
    };
    let (mut brought, done) = db::again(db, &pass.config.database, |db| db::write(db, bring))?;
    for channel in Channel::ALL {
        let mut tally = mem::take(brought.of(channel));
        tally.say();
        report_losses(channel, &tally);
        channels.of(channel).add(tally);
    }
    Ok(done)
}

fn recover(
    db: &mut Db,
    pass: &Pass,
    now: DateTime<Utc>,
    brought: &mut Channels,
) -> QueryResult<()> {
    let in_doubt = pass.config.reminder.in_doubt;
    for channel in pass.looked_after() {
        let recovered = close::recover(
            db,
            channel,
            &pass.scope,
            in_doubt,
            &pass.claimant,
            pass.zone,
            now,
        )?;
        brought.of(channel).unknown += recovered.unknown;
        if recovered.again > 0 {
            let how = match channel {
                Channel::Mail => "to be sent again under the same Message-ID",
                Channel::Whatsapp => "to be sent again unless Twilio has them",
            };
            let (name, again) = (channel.name(), recovered.again);
            let text = format!("{name}: {again} in doubt since an earlier pass, {how}");
            brought.of(channel).note(Level::Warn, text);
        }
    }
    Ok(())
}

/// Gives reminders that are due their rows; whether there may be more. A session is never divided between two steps:
/// where some have rows, nobody is overlooked.
fn enqueue(
    db: &mut Db,
    pass: &Pass,
    step: Step,
    now: DateTime<Utc>,
    brought: &mut Channels,
) -> QueryResult<bool> {
    let mut more = false;
    let divides = step == Step::Nearest && platform::finds_by_course(db)?;
    for window in pass.windows() {
        let mut due = due::of(db, pass, &window, now)?;
        if divides {
            let nearest = enqueue::nearest(db, &due, &pass.channels(), FIRST)?;
            if nearest.sessions.is_empty() {
                continue;
            }
            more |= nearest.more
                && enqueue::any(db, &due.without(&nearest.sessions), &pass.channels())?;
            due.only = Some(nearest.sessions);
        }
        for channel in pass.channels() {
            brought.of(channel).enqueued += enqueue::insert(db, &due, channel, now)?;
        }
    }
    announce(db, pass, now)?;
    Ok(more)
}

/// Tells a Laravel command that still runs to leave these sessions alone.
fn announce(db: &mut Db, pass: &Pass, now: DateTime<Utc>) -> QueryResult<()> {
    let wall = pass.zone.wall(now);
    for session in legacy::unannounced(db, pass.legacy_lead(), now)? {
        // In a transaction of its own: a log that refuses a session (its foreign key, an operator's own view) stops
        // nobody.
        match db.transaction(|db| legacy::announce(db, session, wall)) {
            Err(error @ Error::DatabaseError(SerializationFailure, _)) => return Err(error),
            // Another host is a moment ahead.
            Ok(_) | Err(Error::DatabaseError(UniqueViolation, _)) => {}
            Err(error) => {
                warn!("session_reminder_logs takes no row for session {session}: {error}");
            }
        }
    }
    Ok(())
}

fn report_losses(channel: Channel, tally: &Tally) {
    let name = channel.name();
    if tally.unknown > 0 {
        error!(
            "{name}: {} in doubt since an earlier pass, kept as unknown: look whether they were sent",
            tally.unknown
        );
    }
}

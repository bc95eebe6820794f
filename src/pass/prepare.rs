//! Before anything is delivered: what a dead pass left, what is due now, what can no longer be told. One transaction; where
//! much is due, it only brings the nearest of it, and the rest follows while that is delivered.

mod miss;

use std::mem;

use chrono::{DateTime, Duration, Utc};
use diesel::{
    Connection, QueryResult,
    result::{
        DatabaseErrorKind::{SerializationFailure, UniqueViolation},
        Error,
    },
};
use log::{Level, error, warn};

use super::{
    Pass, correct,
    summary::{Channels, Tally},
    window::Window,
};
use crate::{
    db::{self, Db},
    ledger::{
        self, Channel, close,
        enqueue::{self, Due},
    },
    legacy, platform,
};

/// A session is no longer looked at when its window passed longer ago than this.
pub const FORGOTTEN: Duration = Duration::days(7);

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

/// Brings the ledger up to now. The nearest sessions have their rows then; true where the rest is left to [`enqueue_rest`].
pub fn run(db: &mut Db, pass: &Pass, channels: &mut Channels) -> QueryResult<bool> {
    let now = pass.clock.now();
    write(db, pass, channels, |db, brought| {
        recover(db, pass, now, brought)?;
        // Looked for before the corrections put rows where there were none.
        let passed = overlooked(db, pass, now)?;
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
                Channel::Mail => "sent again under the same Message-ID",
                Channel::Whatsapp => "sent again unless Twilio has them",
            };
            let (name, again) = (channel.name(), recovered.again);
            let text = format!("{name}: {again} in doubt since an earlier pass, {how}");
            brought.of(channel).note(Level::Warn, text);
        }
    }
    Ok(())
}

/// Gives reminders that are due their rows; whether there may be more. A session is never divided between two steps: where
/// some have rows, nobody is overlooked.
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
        let mut due = due(db, pass, &window, now)?;
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
        // In a transaction of its own: a log that refuses a session (its foreign key, an operator's own view) stops nobody.
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

/// What one window asks for; sessions that Laravel has reminded of are left out.
pub fn due(db: &mut Db, pass: &Pass, window: &Window, now: DateTime<Utc>) -> QueryResult<Due> {
    let mut due = starting(pass, window, window.starts(now));
    if window.lead_minutes() == pass.legacy_lead() && !due.walls.is_empty() {
        due.skip = legacy::reminded(db, window.starts(now), due.session, window, pass.zone)?;
    }
    if pass.off(Channel::Whatsapp).is_none() {
        due.opted_out = ledger::opted_out(db)?;
    }
    Ok(due)
}

/// The reminders of all sessions that start then.
fn starting(pass: &Pass, window: &Window, (from, to): (DateTime<Utc>, DateTime<Utc>)) -> Due {
    Due {
        lead_minutes: window.lead_minutes(),
        near_minutes: window.width_minutes(),
        walls: pass.zone.walls(from, to),
        session: pass.scope.session,
        only: None,
        skip: Vec::new(),
        opted_out: Vec::new(),
    }
}

/// What a first look finds.
pub enum Glance {
    Nothing,
    /// Somebody may be owed a reminder, or may have been overlooked.
    Maybe,
    /// Somebody is owed a reminder.
    Owed,
}

/// Looks for what is due or was overlooked. Reads only, and as little as possible: this is all that an idle minute costs.
pub fn glance(db: &mut Db, pass: &Pass, now: DateTime<Utc>) -> QueryResult<Glance> {
    let since = ledger::began(db)?.map(|began| began.max(now - FORGOTTEN));
    let mut channels = pass.channels();
    if is_mail_off(pass) {
        channels.push(Channel::Mail);
    }
    for window in pass.windows() {
        let due = starting(pass, &window, window.starts(now));
        let passed = match since {
            Some(since) => starting(pass, &window, window.passed(since, now)),
            None => Due {
                walls: Vec::new(),
                ..due.clone()
            },
        };
        let Some(is_due) = enqueue::may_find(db, &due, &passed, &channels)? else {
            continue;
        };
        let plain = is_due && !is_mail_off(pass) && is_for_all(&self::due(db, pass, &window, now)?);
        return Ok(if plain { Glance::Owed } else { Glance::Maybe });
    }
    Ok(Glance::Nothing)
}

/// Where mail is off, that is said when something is due.
pub fn is_mail_off(pass: &Pass) -> bool {
    pass.off(Channel::Mail).is_some() && pass.scope.includes(Channel::Mail)
}

/// Nobody is left out.
fn is_for_all(due: &Due) -> bool {
    due.skip.is_empty() && due.opted_out.is_empty()
}

/// Sessions of which a window has passed since the ledger began without anybody having been told, neither by us nor by
/// Laravel; one entry each.
pub fn overlooked(db: &mut Db, pass: &Pass, now: DateTime<Utc>) -> QueryResult<Vec<Due>> {
    let Some(began) = ledger::began(db)? else {
        return Ok(Vec::new());
    };
    let since = began.max(now - FORGOTTEN);
    let mut all = Vec::new();
    for window in pass.windows() {
        let starts = window.passed(since, now);
        let passed = starting(pass, &window, starts);
        let mut sessions = enqueue::sessions_without_rows(db, &passed, &pass.channels())?;
        if !sessions.is_empty() && window.lead_minutes() == pass.legacy_lead() {
            let by_laravel = legacy::reminded(db, starts, passed.session, &window, pass.zone)?;
            sessions.retain(|id| !by_laravel.contains(id));
        }
        all.extend(sessions.into_iter().map(|id| Due {
            session: Some(id),
            ..passed.clone()
        }));
    }
    Ok(all)
}

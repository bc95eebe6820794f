//! Before anything is delivered: what a dead pass left, what is due now, what can no longer be told. One transaction.

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
    take,
    window::Window,
};
use crate::{
    db::{self, Db},
    ledger::{
        self, Channel, close,
        enqueue::{self, Due},
    },
    legacy,
};

/// A session is no longer looked at when its window passed longer ago than this.
pub const FORGOTTEN: Duration = Duration::days(7);

/// Brings the ledger up to now.
pub fn run(db: &mut Db, pass: &Pass, channels: &mut Channels) -> QueryResult<()> {
    let now = pass.clock.now();
    let bring = |db: &mut Db| {
        let mut brought = Channels::default();
        recover(db, pass, now, &mut brought)?;
        // Looked for before the corrections put rows where there were none.
        let passed = overlooked(db, pass, now)?;
        correct::enqueue(db, pass, now, &mut brought)?;
        enqueue(db, pass, now, &mut brought)?;
        miss(db, pass, passed, now, &mut brought)?;
        Ok(brought)
    };
    let mut brought = db::again(db, &pass.config.database, |db| db::write(db, bring))?;
    for channel in Channel::ALL {
        let mut tally = mem::take(brought.of(channel));
        tally.say();
        report_losses(channel, &tally);
        channels.of(channel).add(tally);
    }
    Ok(())
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

fn enqueue(
    db: &mut Db,
    pass: &Pass,
    now: DateTime<Utc>,
    brought: &mut Channels,
) -> QueryResult<()> {
    for window in pass.windows() {
        let due = due(db, pass, &window, now)?;
        for channel in pass.channels() {
            brought.of(channel).enqueued += enqueue::insert(db, &due, channel, now)?;
        }
    }
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

/// What can no longer be told: sessions nobody was told of in time, and rows whose session begins.
fn miss(
    db: &mut Db,
    pass: &Pass,
    passed: Vec<Due>,
    now: DateTime<Utc>,
    brought: &mut Channels,
) -> QueryResult<()> {
    for passed in passed {
        for channel in pass.channels() {
            let missed = enqueue::insert_missed(db, &passed, channel, now)?;
            brought.of(channel).missed += missed;
            if let (true, Some(session)) = (missed > 0, passed.session) {
                let text = format!(
                    "{}: {missed} missed for session {session}: its window was over before a pass could tell them (created \
                     or moved too late, or no pass ran)",
                    channel.name()
                );
                brought.of(channel).note(Level::Error, text);
            }
        }
    }
    for channel in pass.looked_after() {
        let gone = take::cancel_gone(db, pass, channel, now)?;
        brought.of(channel).add(gone);
        let (missed, unknown) = close::miss_started(db, channel, &pass.scope, pass.zone, now)?;
        brought.of(channel).missed += missed;
        brought.of(channel).unknown += unknown;
        if missed > 0 {
            let text = format!("{}: {missed} missed: their session begins", channel.name());
            brought.of(channel).note(Level::Error, text);
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
    let (from, to) = window.starts(now);
    let walls = pass.zone.walls(from, to);
    let session = pass.scope.session;
    let skip = if window.lead_minutes() == pass.legacy_lead() && !walls.is_empty() {
        legacy::reminded(db, &walls, session, window, pass.zone)?
    } else {
        Vec::new()
    };
    let opted_out = match pass.off(Channel::Whatsapp) {
        Some(_) => Vec::new(),
        None => ledger::opted_out(db)?,
    };
    let (lead_minutes, near_minutes) = (window.lead_minutes(), window.width_minutes());
    Ok(Due {
        lead_minutes,
        near_minutes,
        walls,
        session,
        skip,
        opted_out,
    })
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
        let (from, to) = window.passed(since, now);
        let passed = Due {
            lead_minutes: window.lead_minutes(),
            near_minutes: window.width_minutes(),
            walls: pass.zone.walls(from, to),
            session: pass.scope.session,
            skip: Vec::new(),
            opted_out: Vec::new(),
        };
        let mut sessions = enqueue::sessions_without_rows(db, &passed, &pass.channels())?;
        if !sessions.is_empty() && window.lead_minutes() == pass.legacy_lead() {
            let (walls, session) = (&passed.walls, pass.scope.session);
            let by_laravel = legacy::reminded(db, walls, session, &window, pass.zone)?;
            sessions.retain(|id| !by_laravel.contains(id));
        }
        all.extend(sessions.into_iter().map(|id| Due {
            session: Some(id),
            ..passed.clone()
        }));
    }
    Ok(all)
}

//! What is due, and what was overlooked. Reads only.

use chrono::{DateTime, Duration, Utc};
use diesel::QueryResult;
use log::warn;

use super::{Pass, correct, follow_up, window::Window};
use crate::{
    db::Db,
    ledger::{
        self, Channel,
        enqueue::{self, Due},
    },
    legacy,
};

/// A session is no longer looked at when its window passed longer ago than this.
pub const FORGOTTEN: Duration = Duration::days(7);

/// Whether there is anything to do. Reads only.
pub fn anything(db: &mut Db, pass: &Pass) -> QueryResult<bool> {
    let now = pass.clock.now();
    let owed = |db: &mut Db| match glance(db, pass, now)? {
        Glance::Nothing => Ok(false),
        Glance::Maybe => anybody_owed(db, pass, now),
        Glance::Owed => Ok(true),
    };
    Ok(ledger::has_open_rows(db)?
        || owed(db)?
        || follow_up::any(db, pass)?
        || correct::any(db, pass, now)?)
}

/// Whether a reminder is due, or was overlooked.
fn anybody_owed(db: &mut Db, pass: &Pass, now: DateTime<Utc>) -> QueryResult<bool> {
    let channels = pass.channels();
    for window in pass.windows() {
        let due = of(db, pass, &window, now)?;
        if let Some(why) = pass.off(Channel::Mail)
            && is_mail_off(pass)
            && enqueue::any(db, &due, &[Channel::Mail])?
        {
            warn!("reminders are due, but no mail is sent: the mail channel is off ({why})");
        }
        if enqueue::any(db, &due, &channels)? {
            return Ok(true);
        }
    }
    Ok(!overlooked(db, pass, now)?.is_empty())
}

/// What one window asks for; sessions that Laravel has reminded of are left out.
pub fn of(db: &mut Db, pass: &Pass, window: &Window, now: DateTime<Utc>) -> QueryResult<Due> {
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
enum Glance {
    Nothing,
    /// Somebody may be owed a reminder, or may have been overlooked.
    Maybe,
    /// Somebody is owed a reminder.
    Owed,
}

/// Looks for what is due or was overlooked. Reads only, and as little as possible: this is all that an idle minute
/// costs.
fn glance(db: &mut Db, pass: &Pass, now: DateTime<Utc>) -> QueryResult<Glance> {
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
        let plain = is_due && !is_mail_off(pass) && is_for_all(&of(db, pass, &window, now)?);
        return Ok(if plain { Glance::Owed } else { Glance::Maybe });
    }
    Ok(Glance::Nothing)
}

/// Where mail is off, that is said when something is due.
fn is_mail_off(pass: &Pass) -> bool {
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

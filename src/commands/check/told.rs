//! When the next session's participants are told of it, or that nobody is left to be told.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::QueryResult;

use super::{database::Found, next::reached};
use crate::{
    db::Db,
    ledger,
    legacy::Entry,
    message,
    pass::{Pass, window::Window},
    platform::Participant,
};

/// The next session.
pub struct Next {
    pub session: i64,
    /// The platform's digits.
    pub digits: String,
    pub start: DateTime<Utc>,
    pub people: Vec<Participant>,
}

/// When the next pass that tells of it is; where one should be by now, since when, if anybody is left.
pub fn words(db: &mut Db, found: &Found, pass: &Pass, next: &Next) -> QueryResult<String> {
    let (windows, now) = (pass.windows(), pass.clock.now());
    let is_ahead = |window: &&Window| window.opens(next.start) > now;
    Ok(match (windows.iter().find(is_ahead), windows.last()) {
        (Some(ahead), _) => at(pass, next, "told at", ahead),
        (_, Some(last)) if is_by_laravel(db, found, pass, last, next)? => "told by Laravel".into(),
        (_, Some(last)) if found.has_ledger && nobody_is_left(db, pass, last, next)? => {
            "nobody left to tell".into()
        }
        (_, Some(last)) => at(pass, next, "due since", last),
        (None, None) => "never told".into(),
    })
}

/// With the day, where it is another than the start's.
fn at(pass: &Pass, next: &Next, word: &str, window: &Window) -> String {
    let (zone, opens) = (pass.zone, window.opens(next.start));
    let is_same_day = zone.wall(opens).date() == zone.wall(next.start).date();
    let words = match is_same_day {
        true => message::clock,
        false => message::moment,
    };
    format!(
        "{word} {}",
        words(pass.config.reminder.locale, opens, zone.0)
    )
}

fn is_by_laravel(
    db: &mut Db,
    found: &Found,
    pass: &Pass,
    window: &Window,
    next: &Next,
) -> QueryResult<bool> {
    if !found.has_log || pass.legacy_window().as_ref() != Some(window) {
        return Ok(false);
    }
    let entry = Entry::known(db, next.session, window, found.has_ledger)?;
    Ok(entry.is_some_and(|entry| entry.tells(next.start, window, pass.zone)))
}

/// Whether everybody who can be told has a message that is out or will not be tried again. Where all channels are off,
/// nobody has.
fn nobody_is_left(db: &mut Db, pass: &Pass, window: &Window, next: &Next) -> QueryResult<bool> {
    let (lead, near) = (window.lead_minutes(), window.width_minutes());
    let channels = pass.channels();
    if channels.is_empty() {
        return Ok(false);
    }
    for channel in channels {
        let rows = ledger::standing(db, channel, vec![next.session])?.into_iter();
        let rows = rows.filter(|row| row.is_of(&next.digits, lead, near) && !row.is_open());
        let over: HashSet<i64> = rows.map(|row| row.user_id).collect();
        let mut all = reached(pass.config, &next.people, channel);
        if all.any(|to| !over.contains(&to.user_id)) {
            return Ok(false);
        }
    }
    Ok(true)
}

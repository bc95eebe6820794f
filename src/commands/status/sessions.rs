//! What comes next: the sessions, how many people will be told of them, and when.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use serde::Serialize;

use super::local;
use crate::{
    config::Config,
    db::Db,
    ledger::{
        Channel,
        correct::users,
        overview::{self, Told},
    },
    legacy,
    pass::{Pass, correct, window::Window},
    platform::upcoming::{Upcoming, upcoming},
    time::Zone,
};

/// How many sessions are shown.
const SHOWN: usize = 10;

/// A session that is to come.
#[derive(Serialize)]
pub struct Session {
    pub id: i64,
    pub title: String,
    /// The platform's digits.
    pub scheduled_at: String,
    /// When the first pass may tell them: of several leads the next one, or the last where all have come.
    pub told_from: Option<String>,
    pub mail: Count,
    pub whatsapp: Count,
    /// Laravel has reminded of it: the ledger does not know whom.
    pub by_laravel: bool,
    #[serde(skip)]
    pub opens: Option<DateTime<Utc>>,
    /// Nobody was told, nothing is on its way, and its last window is over.
    #[serde(skip)]
    pub is_lost: bool,
}

#[derive(Serialize)]
pub struct Count {
    pub participants: i64,
    pub told: i64,
}

pub fn read(db: &mut Db, pass: &Pass) -> QueryResult<Vec<Session>> {
    let (config, zone, now) = (pass.config, pass.zone, pass.clock.start());
    let sessions = upcoming(db, zone.wall(now), SHOWN)?;
    let ids: Vec<i64> = sessions.iter().map(|session| session.session_id).collect();
    let told = overview::told(db, &ids)?;
    let under_way = overview::under_way(db, &ids)?;
    let by_laravel = by_laravel(db, pass, now)?;
    let corrected = corrected(db, pass, now)?;
    let windows = Window::all(&config.reminder);
    let first = windows.last().map_or(now, |window| window.starts(now).0);
    let session = |one: Upcoming| {
        let start = zone.parse(&one.scheduled_at);
        let opens = start.and_then(|start| opens(config, start, now));
        let by_laravel = by_laravel.contains(&one.session_id);
        let is_over = start.is_some_and(|start| start < first)
            && !by_laravel
            && !corrected.contains(&one.session_id)
            && !under_way.contains(&(one.session_id, one.scheduled_at.clone()));
        let session = session(one, opens, &told, zone);
        Session {
            by_laravel,
            is_lost: is_over && session.mail.told + session.whatsapp.told == 0,
            ..session
        }
    };
    Ok(sessions.into_iter().map(session).collect())
}

/// Those of the sessions to come that Laravel has reminded of already.
fn by_laravel(db: &mut Db, pass: &Pass, now: DateTime<Utc>) -> QueryResult<Vec<i64>> {
    let Some(window) = pass.legacy_window() else {
        return Ok(Vec::new());
    };
    let (_, last) = window.starts(now);
    legacy::reminded(db, (now, last), None, &window, pass.zone)
}

/// Those of which the next pass says a new start.
fn corrected(db: &mut Db, pass: &Pass, now: DateTime<Utc>) -> QueryResult<Vec<i64>> {
    let mut sessions = Vec::new();
    for (_, owed) in correct::owed(db, pass, now)? {
        if !users(db, &owed, 1)?.is_empty() {
            sessions.push(owed.session);
        }
    }
    Ok(sessions)
}

fn session(one: Upcoming, opens: Option<DateTime<Utc>>, told: &[Told], zone: Zone) -> Session {
    let count = |channel: Channel, participants| Count {
        participants,
        told: told
            .iter()
            .filter(|row| is_of(row, &one, channel))
            .map(|row| row.count)
            .sum(),
    };
    Session {
        mail: count(Channel::Mail, one.participants),
        whatsapp: count(Channel::Whatsapp, one.opted_in),
        id: one.session_id,
        by_laravel: false,
        told_from: opens.map(|opens| local(opens, zone)),
        opens,
        is_lost: false,
        title: one.title,
        scheduled_at: one.scheduled_at,
    }
}

/// Whether these are people who were told of this session.
fn is_of(row: &Told, one: &Upcoming, channel: Channel) -> bool {
    row.session_id == one.session_id && row.channel == channel.name()
}

/// From when on the next lead tells of a start; the last one where all have come.
fn opens(config: &Config, start: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let windows = Window::all(&config.reminder);
    let mut opens = windows.iter().map(|window| window.opens(start));
    let next = opens.clone().find(|opens| *opens > now);
    next.or(opens.next_back())
}

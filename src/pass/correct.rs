//! Corrections: whoever was told of a start that has changed since hears of it once, where `REMINDER_CORRECTIONS=on`.
//! Where it is off, nothing here asks the database anything.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use log::Level;

use super::{Pass, line, summary::Channels, window::Window};
use crate::{
    config::{self, Config},
    db::Db,
    ledger::{
        self, Channel, Kind,
        close::LAST_MOMENT,
        correct::{self, Owed, Said, replace},
    },
    platform::{self, standing::has_cancellations},
};

/// A session of which something else was told than is so now.
#[derive(Clone, Copy)]
pub struct Change {
    session: i64,
    /// The new start; `None` where it does not take place.
    start: Option<DateTime<Utc>>,
}

impl Change {
    pub fn kind(&self) -> Kind {
        match self.start {
            Some(_) => Kind::Moved,
            None => Kind::Cancelled,
        }
    }

    /// Whether a correction of it, made now, stands for the reminder of this window too.
    pub fn replaces(&self, window: &Window, now: DateTime<Utc>) -> bool {
        self.start.is_some_and(|start| window.opens(start) <= now)
    }
}

/// Whether WhatsApp has the words: without an approved template for a kind, nobody hears of it who has not just
/// written.
pub fn can_tell(config: &Config, channel: Channel, kind: Kind) -> bool {
    match (channel, &config.whatsapp) {
        (Channel::Whatsapp, config::Channel::On(whatsapp)) => {
            whatsapp.reminder.is_empty() || line::templates(whatsapp, kind).is_complete()
        }
        _ => true,
    }
}

/// Whether anybody is owed a correction. Reads only.
pub fn any(db: &mut Db, pass: &Pass, now: DateTime<Utc>) -> QueryResult<bool> {
    for (_, owed) in owed(db, pass, now)? {
        if !correct::users(db, &owed, 1)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Gives every correction that is owed its row, and the reminders that it replaces their end. To be called in a
/// transaction, before the reminders that are due get their rows.
pub fn enqueue(
    db: &mut Db,
    pass: &Pass,
    now: DateTime<Utc>,
    brought: &mut Channels,
) -> QueryResult<()> {
    for (change, owed) in owed(db, pass, now)? {
        let corrections = correct::insert(db, &owed, now)?;
        if corrections == 0 {
            continue;
        }
        for window in pass.windows() {
            if change.replaces(&window, now) {
                replace::reminders(db, &owed, &window, now)?;
            }
        }
        let (name, kind, session) = (owed.channel.name(), owed.kind.name(), owed.session);
        let text = format!("{name}: {corrections} to be told that session {session} is {kind}");
        let tally = brought.of(owed.channel);
        tally.enqueued += corrections;
        tally.note(Level::Info, text);
    }
    Ok(())
}

/// What may be owed to those who were told of a session that has changed since, channel by channel.
pub fn owed(db: &mut Db, pass: &Pass, now: DateTime<Utc>) -> QueryResult<Vec<(Change, Owed)>> {
    let mut all = Vec::new();
    let changes = changes(db, pass, now)?;
    let stopped = match changes.is_empty() {
        true => Vec::new(),
        false => ledger::opted_out(db)?,
    };
    for change in changes {
        for channel in pass.channels() {
            let opted_out = match channel {
                Channel::Mail => Vec::new(),
                Channel::Whatsapp => stopped.clone(),
            };
            let owed = Owed {
                session: change.session,
                kind: change.kind(),
                channel,
                first: pass.zone.wall(now + LAST_MOMENT),
                opted_out,
            };
            if can_tell(pass.config, channel, owed.kind) {
                all.push((change, owed));
            }
        }
    }
    Ok(all)
}

/// The sessions that somebody was told something of that is no longer so, as far as what was told is still ahead.
fn changes(db: &mut Db, pass: &Pass, now: DateTime<Utc>) -> QueryResult<Vec<Change>> {
    if !pass.config.reminder.corrections {
        return Ok(Vec::new());
    }
    let first = pass.zone.wall(now + LAST_MOMENT);
    let mut sessions: BTreeMap<i64, Vec<Said>> = BTreeMap::new();
    for channel in pass.channels() {
        for said in correct::said(db, channel, pass.scope.session, first)? {
            sessions.entry(said.session_id).or_default().push(said);
        }
    }
    let mut changes = Vec::new();
    for (session, said) in sessions {
        let start = platform::start_of(db, session)?;
        if said.iter().any(|said| said.is_wrong(start.as_deref())) {
            changes.extend(change(db, pass, session, start, now)?);
        }
    }
    Ok(changes)
}

/// `None` where nothing can be said: it begins, or there is no knowing whether it was cancelled.
fn change(
    db: &mut Db,
    pass: &Pass,
    session: i64,
    start: Option<String>,
    now: DateTime<Utc>,
) -> QueryResult<Option<Change>> {
    let Some(digits) = start else {
        let is_known = has_cancellations(db)?;
        return Ok(is_known.then_some(Change {
            session,
            start: None,
        }));
    };
    let start = pass.zone.parse(&digits);
    let ahead = start.filter(|start| *start - now >= LAST_MOMENT);
    Ok(ahead.map(|start| Change {
        session,
        start: Some(start),
    }))
}

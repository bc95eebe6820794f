//! The corrections that a pass would make now.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::QueryResult;

use super::{BROKEN, Plan, recipient};
use crate::{
    db::{AT_ONCE, Db},
    ledger::{self, Channel, Kind, correct::Owed},
    pass::{
        Pass,
        correct::{self, Change},
        window::Window,
    },
    platform::{self, Participant},
};

/// Who would be told of what on which channel.
pub struct Corrected(Vec<(Change, Channel, HashSet<(i64, i64)>)>);

impl Corrected {
    /// Those who were told of a start that has changed since, and have no row that says so yet.
    pub fn plan(
        db: &mut Db,
        pass: &Pass,
        now: DateTime<Utc>,
        plan: &mut Plan,
    ) -> QueryResult<Self> {
        let mut all = Vec::new();
        for (change, owed) in correct::owed(db, pass, now)? {
            let people = people(db, &owed)?;
            for to in &people {
                let decision = match pass.is_broken(owed.channel) {
                    true => Err(BROKEN.into()),
                    false => recipient(owed.channel, to, pass),
                };
                plan.add(key(to), &to.scheduled_at, owed.channel, owed.kind, decision);
            }
            all.push((change, owed.channel, people.iter().map(key).collect()));
        }
        Ok(Self(all))
    }

    /// Whether a correction takes the place of this reminder.
    pub fn replaces(
        &self,
        to: &Participant,
        channel: Channel,
        window: &Window,
        now: DateTime<Utc>,
    ) -> bool {
        self.0.iter().any(|(change, of, people)| {
            *of == channel && change.replaces(window, now) && people.contains(&key(to))
        })
    }
}

fn key(to: &Participant) -> (i64, i64) {
    (to.session_id, to.user_id)
}

/// Those to whom a correction is owed, with the start that it would name.
fn people(db: &mut Db, owed: &Owed) -> QueryResult<Vec<Participant>> {
    let users = ledger::correct::users(db, owed, i64::MAX)?;
    let mut people = Vec::new();
    for users in users.chunks(AT_ONCE) {
        let session = vec![owed.session];
        let ids = users.iter().map(|(id, _)| *id).collect();
        if owed.kind == Kind::Moved {
            people.extend(platform::participants_of(db, session, ids)?);
            continue;
        }
        let told: HashMap<_, _> = users.iter().cloned().collect();
        for to in platform::told_in_vain(db, session, ids)? {
            let scheduled_at = told.get(&to.user_id).cloned().unwrap_or_default();
            people.push(Participant { scheduled_at, ..to });
        }
    }
    Ok(people)
}

//! The corrections that a pass would make now.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::QueryResult;

use super::{Plan, recipient};
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

/// What would be told, and to which users.
pub struct Corrected(Vec<(Change, Owed, HashSet<i64>)>);

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
                let decision = match plan.stopped(owed.channel, pass) {
                    Some(why) => Err(why),
                    None => recipient(owed.channel, to, pass),
                };
                let (participant, start) = ((to.session_id, to.user_id), &to.scheduled_at);
                plan.add(participant, start, owed.channel, owed.kind, decision);
            }
            let users = people.iter().map(|to| to.user_id).collect();
            all.push((change, owed, users));
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
        self.0.iter().any(|(change, owed, users)| {
            (owed.session, owed.channel) == (to.session_id, channel)
                && change.replaces(window, now)
                && users.contains(&to.user_id)
        })
    }
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

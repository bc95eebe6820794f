//! What is still to be sent, and what keeps it from being sent.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::QueryResult;

use super::{
    ending::{self, End},
    people::People,
};
use crate::{
    db::Db,
    ledger::{self, Channel, Kind, correct::users, delivery::Delivery},
    pass::{Pass, correct, wait::Waits},
};

pub struct Outlook {
    /// How the next pass ends rows that wait.
    ended: HashMap<i64, End>,
    pub waits: Waits,
    /// Users who have told WhatsApp to stop, where the platform does not know.
    opted_out: Vec<i64>,
    /// Those to whom the next pass says the new start.
    owed: HashSet<(&'static str, i64)>,
}

impl Outlook {
    pub fn read(db: &mut Db, pass: &Pass, people: &People) -> QueryResult<Self> {
        let now = pass.clock.start();
        Ok(Self {
            ended: ending::all(db, pass, people, now)?,
            waits: Waits::read(db, pass, now)?,
            opted_out: ledger::opted_out(db)?,
            owed: owed(db, pass, now)?,
        })
    }

    /// How the next pass ends a row that waits; `None` where it sends it.
    pub fn end(&self, row: &Delivery) -> Option<&End> {
        self.ended.get(&row.id)
    }

    pub fn is_owed(&self, channel: Channel, user: i64) -> bool {
        self.owed.contains(&(channel.name(), user))
    }

    pub fn has_stopped(&self, user: i64) -> bool {
        self.opted_out.contains(&user)
    }
}

fn owed(db: &mut Db, pass: &Pass, now: DateTime<Utc>) -> QueryResult<HashSet<(&'static str, i64)>> {
    let mut all = HashSet::new();
    for (_, owed) in correct::owed(db, pass, now)? {
        if owed.kind == Kind::Moved {
            let users = users(db, &owed, i64::MAX)?;
            all.extend(users.into_iter().map(|(id, _)| (owed.channel.name(), id)));
        }
    }
    Ok(all)
}

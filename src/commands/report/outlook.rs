//! What is still to be sent, and what will keep it from being sent in time.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::QueryResult;

use super::{
    ending::{self, End},
    people::People,
    wait::Wait,
};
use crate::{
    config,
    db::Db,
    ledger::{self, Channel, Hold, Kind, correct::users, delivery::Delivery},
    pass::{Pass, budget::Day, correct},
    time::Zone,
};

pub struct Outlook {
    /// How the next pass ends rows that wait.
    ended: HashMap<i64, End>,
    /// What holds back a channel that broke down.
    held: HashMap<&'static str, Hold>,
    /// How many mails may be sent in a day, where there is a limit.
    budget: Option<Day>,
    /// Users who have told WhatsApp to stop, where the platform does not know.
    opted_out: Vec<i64>,
    /// Those to whom the next pass says the new start.
    owed: HashSet<(&'static str, i64)>,
}

impl Outlook {
    pub fn read(db: &mut Db, pass: &Pass, people: &People) -> QueryResult<Self> {
        let now = pass.clock.start();
        let mut held = HashMap::new();
        for channel in Channel::ALL {
            let hold = ledger::held(db, channel, now)?;
            held.extend(hold.map(|hold| (channel.name(), hold)));
        }
        Ok(Self {
            ended: ending::all(db, pass, people, now)?,
            budget: budget(db, pass, now)?,
            opted_out: ledger::opted_out(db)?,
            owed: owed(db, pass, now)?,
            held,
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

    /// What keeps a channel from sending then, before that start.
    pub fn wait(
        &self,
        (channel, then): (Channel, DateTime<Utc>),
        start: DateTime<Utc>,
        zone: Zone,
    ) -> Option<Wait> {
        let (until, why) = self.until(channel, then)?;
        Some(Wait::new(until, why, start, zone))
    }

    /// Until when it does, where that is known, and why.
    fn until(
        &self,
        channel: Channel,
        then: DateTime<Utc>,
    ) -> Option<(Option<DateTime<Utc>>, String)> {
        let is_later = |day: &&Day| day.is_used_up() && day.free.is_none_or(|free| free > then);
        let day = self.budget.as_ref().filter(is_later);
        if let Some(day) = day.filter(|_| channel == Channel::Mail) {
            let why = format!("MAIL_MAX_PER_DAY={} is reached", day.max);
            return Some((day.free, why));
        }
        let hold = self.held.get(channel.name());
        let hold = hold.filter(|hold| hold.until > then);
        hold.map(|hold| (Some(hold.until), hold.reason.clone()))
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

fn budget(db: &mut Db, pass: &Pass, now: DateTime<Utc>) -> QueryResult<Option<Day>> {
    match &pass.config.mail {
        config::Channel::On(mail) => mail
            .max_per_day
            .map(|max| Day::read(db, Channel::Mail, max, now))
            .transpose(),
        _ => Ok(None),
    }
}

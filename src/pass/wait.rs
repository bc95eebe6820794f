//! What a message that is still to be sent waits for, and whether that ends in time for its session. Judged here alone;
//! the words are those of who asks.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::QueryResult;

use super::{Pass, budget::Day};
use crate::{
    config,
    db::Db,
    ledger::{self, Channel, Hold, close::LAST_MOMENT, delivery::Delivery},
    time::{Zone, when},
};

/// What keeps channels from sending, whatever is due.
#[derive(Default)]
pub struct Waits {
    /// How many mails may be sent in a day, where there is a limit.
    budget: Option<Day>,
    /// Of one person: that day after the next pass, where others use it up there.
    pub ahead: Option<Day>,
    /// Of channels that broke down.
    held: HashMap<&'static str, Hold>,
}

/// One thing that a message waits for.
pub enum Wait<'a> {
    Budget(&'a Day),
    Hold(&'a Hold),
    /// Its own next attempt.
    Attempt(&'a Delivery),
}

impl Waits {
    pub fn read(db: &mut Db, pass: &Pass, now: DateTime<Utc>) -> QueryResult<Self> {
        let mut held = HashMap::new();
        for channel in Channel::ALL {
            let hold = ledger::held(db, channel, now)?;
            held.extend(hold.map(|hold| (channel.name(), hold)));
        }
        let budget = budget(db, pass, now)?;
        Ok(Self {
            budget,
            ahead: None,
            held,
        })
    }

    pub fn budget(&self) -> Option<&Day> {
        self.budget.as_ref()
    }

    pub fn hold(&self, channel: Channel) -> Option<&Hold> {
        self.held.get(channel.name())
    }

    /// What keeps a channel from sending at that time: of several things that which lasts longest, as far as is known.
    pub fn of(&self, channel: Channel, then: DateTime<Utc>) -> Option<Wait<'_>> {
        let day = self.ahead.as_ref().or(self.budget());
        let of_mail = day.filter(|_| channel == Channel::Mail);
        let budget = of_mail.filter(|day| day.is_used_up()).map(Wait::Budget);
        let hold = self.hold(channel).map(Wait::Hold);
        let lasts = |wait: &Wait| wait.until().is_none_or(|until| until > then);
        let waits = budget.into_iter().chain(hold).filter(lasts);
        waits.max_by_key(Wait::until)
    }

    /// The same of a row, which before its next attempt waits for that.
    pub fn of_row<'a>(
        &'a self,
        row: &'a Delivery,
        channel: Channel,
        now: DateTime<Utc>,
    ) -> Option<Wait<'a>> {
        let own = Wait::Attempt(row);
        let next = own.until().filter(|at| *at > now);
        let of_channel = self.of(channel, next.unwrap_or(now));
        of_channel.or(next.map(|_| own))
    }
}

fn budget(db: &mut Db, pass: &Pass, now: DateTime<Utc>) -> QueryResult<Option<Day>> {
    let max = match &pass.config.mail {
        config::Channel::On(mail) => mail.max_per_day,
        _ => None,
    };
    max.map(|max| Day::read(db, Channel::Mail, max, now))
        .transpose()
}

impl Wait<'_> {
    /// `None` where that is not known.
    pub fn until(&self) -> Option<DateTime<Utc>> {
        match self {
            Wait::Budget(day) => day.free,
            Wait::Hold(hold) => Some(hold.until),
            Wait::Attempt(row) => row.next_attempt_at.map(|at| at.and_utc()),
        }
    }

    /// Whether what is to be said before that start can then not be said any more.
    pub fn is_too_long(&self, start: DateTime<Utc>) -> bool {
        let left = self.until().map(|until| start - until);
        left.is_some_and(|left| left < LAST_MOMENT)
    }

    /// What is in the way, where that is known.
    pub fn why(&self) -> Option<String> {
        match self {
            Wait::Budget(day) => Some(day.reached()),
            Wait::Hold(hold) => Some(hold.reason.clone()),
            Wait::Attempt(row) => row.fault(),
        }
    }

    /// `channel stopped: … (tried again after Mon 2026-11-23 16:01 WIB)`.
    pub fn describe(&self, zone: Zone) -> String {
        let why = self.why().unwrap_or_default();
        match self.until() {
            Some(until) => format!("{why} (tried again after {})", when(zone.0, until)),
            None => why,
        }
    }
}

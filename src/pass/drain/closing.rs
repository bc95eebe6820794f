//! What a channel leaves behind: rows held back, or not recorded, or not reached in time.

use std::{sync::atomic::Ordering, thread};

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use log::{Level, log, warn};

use super::{Coordinator, LONGEST};
use crate::{
    db,
    exit::Exit,
    interrupt::LOOK,
    ledger::{Stop, close},
    outcome::Fault,
    pass::budget,
};

impl Coordinator<'_> {
    pub(super) fn close_channel(&mut self) {
        let stop = match self.fault.take() {
            Some(fault) => Some((fault.to_string(), fault)),
            None => self.spent(),
        };
        self.warn_of_budget(stop.is_some());
        if let Some((said, fault)) = stop {
            self.hold_back(said, &fault);
        } else if let Some(error) = self.database.take() {
            self.give_up(&error);
        } else if self.pass.clock.elapsed() >= LONGEST && self.waiting() > 0 {
            let reason = "the pass's time is over, the next one goes on";
            self.report.tally.stop(Exit::TryLater, reason);
        }
    }

    /// Where some wait for the day's budget, what the pass says of it, and what their rows keep: not how many they were,
    /// which is soon no longer so.
    fn spent(&mut self) -> Option<(String, Fault)> {
        let max = self.transport.max_per_day()?;
        let waiting = match self.left_of_the_day() {
            Ok(0) => self.waiting(),
            _ => 0,
        };
        let fault = |who: &str| {
            let reason = format!(
                "MAIL_MAX_PER_DAY={max} is reached: {who} wait until others were sent 24 hours ago, or are missed; raise it \
                 if the mail provider allows more"
            );
            Fault::new("budget", reason)
        };
        (waiting > 0).then(|| (fault(&waiting.to_string()).to_string(), fault("mails")))
    }

    /// What the limit of the day leaves; without one, as many as there are numbers.
    pub(super) fn left_of_the_day(&mut self) -> QueryResult<usize> {
        let (now, max_per_day) = (self.pass.clock.now(), self.transport.max_per_day());
        budget::of_the_day(self.db, self.channel, max_per_day, now)
    }

    /// Said by the pass that uses up the fourth fifth of the day's budget, while there is time to do something about it.
    fn warn_of_budget(&mut self, has_stopped: bool) {
        let Some(max) = self.transport.max_per_day() else {
            return;
        };
        let (before, after) = (self.left_before, self.left_of_the_day());
        // A budget that is spent while others wait stops the channel, which is said instead.
        if let Ok(left) = after
            && left <= max / 5
            && before > max / 5
            && !has_stopped
        {
            let sent = max.saturating_sub(left);
            warn!("{sent} of the {max} mails of MAIL_MAX_PER_DAY were sent within 24 hours");
        }
    }

    /// The channel has broken down: its rows wait, those that are still being made too.
    fn hold_back(&mut self, said: String, fault: &Fault) {
        while self.pass.enqueues.load(Ordering::Acquire) && !self.pass.interrupt.came() {
            thread::sleep(LOOK);
        }
        let (now, name) = (self.pass.clock.now(), self.channel.name());
        let held = db::write(self.db, |db| close::hold(db, self.channel, fault, now));
        if let Err(error) = held {
            warn!("{name}: could not hold its rows back: {error}");
        }
        log!(self.loudness(fault, now), "{name} has stopped: {said}");
        self.report.tally.stop(Exit::TryLater, said);
    }

    /// A stop is said when it begins, when its reason changes, and hourly. The codes tell reasons apart: the words often
    /// hold a number that never comes twice.
    fn loudness(&self, fault: &Fault, now: DateTime<Utc>) -> Level {
        let said = |last: &Stop| {
            last.code == fault.code
                && same_hour(last.at.and_utc(), now)
                && self.report.tally.sent == 0
        };
        match self.last_stop.as_ref().is_some_and(said) {
            true => Level::Info,
            false => Level::Error,
        }
    }

    /// The database has refused.
    fn give_up(&mut self, error: &diesel::result::Error) {
        let (lost, name) = (self.finished.len(), self.channel.name());
        if lost > 0 {
            warn!("{name}: what became of {lost} deliveries could not be recorded");
        }
        let reason = format!("the database refused: {error}");
        self.report.tally.stop(Exit::TryLater, reason);
    }
}

/// Whether both are within the same hour of the clock.
fn same_hour(one: DateTime<Utc>, other: DateTime<Utc>) -> bool {
    one.timestamp().div_euclid(3600) == other.timestamp().div_euclid(3600)
}

//! What the day's budget of mails makes of an answer.

use chrono::{DateTime, Utc};

use super::{Answer, Question, Told};
use crate::{ledger::Channel, pass::budget::Day};

impl Question<'_> {
    /// The day's budget, where it is used up and still will be then.
    pub(super) fn used_up(&self, then: DateTime<Utc>) -> Option<&Day> {
        let day = self.case.budget.as_ref().filter(|day| day.is_used_up())?;
        let waits = day.free.is_none_or(|free| free > then);
        (self.channel == Channel::Mail && waits).then_some(day)
    }

    /// What waits for the day's budget is sent as it becomes free, until its session begins.
    pub(super) fn by_budget(&self, day: &Day) -> Answer {
        let reached = format!("MAIL_MAX_PER_DAY={} is reached", day.max);
        let will = self.say("will be told") + &self.about;
        let Some(free) = day.free else {
            return (
                Told::Will,
                format!("{will} when the day's budget has room: {reached}"),
            );
        };
        let at = self.time(free);
        match self.is_ahead_at(free) {
            true => (
                Told::Will,
                format!("{will} on {at} at the earliest, nearest sessions first: {reached}"),
            ),
            false => (
                Told::No,
                format!(
                    "{}{}: {reached} until {at}, too late for the session; raise it if the mail provider allows more",
                    self.say("will not be told"),
                    self.about
                ),
            ),
        }
    }
}

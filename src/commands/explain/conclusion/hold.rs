//! What a channel that waits after it broke down makes of an answer.

use chrono::{DateTime, Utc};

use super::{Answer, Question, Told};
use crate::ledger::Hold;

impl Question<'_> {
    /// What holds the channel back, where it still will then.
    pub(super) fn hold(&self, then: DateTime<Utc>) -> Option<&Hold> {
        let hold = self.case.held.get(self.channel.name());
        hold.filter(|hold| hold.until > then)
    }

    /// No pass tries the channel before its time has come, whatever waits for it.
    pub(super) fn by_hold(&self, hold: &Hold) -> Answer {
        let (about, reason) = (&self.about, &hold.reason);
        let until = self.time(hold.until);
        match self.is_ahead_at(hold.until) {
            true => (
                Told::Will,
                format!(
                    "{}{about} when the channel works again, not before {until}: {reason}",
                    self.say("will be told")
                ),
            ),
            false => (
                Told::No,
                format!(
                    "{}{about}: the channel waits until {until}, too late for the session: {reason}",
                    self.say("will not be told")
                ),
            ),
        }
    }
}

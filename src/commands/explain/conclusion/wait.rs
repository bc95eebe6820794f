//! What comes of a message that waits, in words.

use super::{Answer, Question, Told};
use crate::pass::wait::Wait;

impl Question<'_> {
    pub(super) fn by_wait(&self, wait: &Wait) -> Answer {
        let in_time = self.start.is_some_and(|start| !wait.is_too_long(start));
        let at = wait.until().map(|until| self.time(until));
        match in_time {
            true => self.will_after(wait, at),
            false => {
                let will_not = self.say("will not be told");
                let why = too_late(wait, &at.unwrap_or_default());
                (Told::No, format!("{will_not}{}: {why}", self.about))
            }
        }
    }

    /// What waits for the day's budget is sent as it becomes free, and no pass tries a channel before its time.
    fn will_after(&self, wait: &Wait, at: Option<String>) -> Answer {
        let why = wait.why().unwrap_or_default();
        let words = match (wait, at) {
            (Wait::Attempt(_), at) => {
                let at = at.unwrap_or_default();
                return self.will(&format!("when it is tried again on {at}"));
            }
            (Wait::Hold(_), at) => {
                let at = at.unwrap_or_default();
                format!("when the channel works again, not before {at}: {why}")
            }
            (Wait::Budget(_), Some(at)) => {
                format!("on {at} at the earliest, nearest sessions first: {why}")
            }
            (Wait::Budget(_), None) => format!("when the day's budget has room: {why}"),
        };
        let will = self.say("will be told");
        (Told::Will, format!("{will}{} {words}", self.about))
    }
}

/// Why it will not be told in time.
fn too_late(wait: &Wait, at: &str) -> String {
    let late = format!("{at}, too late for the session");
    let why = wait.why().unwrap_or_default();
    match wait {
        Wait::Budget(_) => {
            format!("{why} until {late}; raise it if the mail provider allows more")
        }
        Wait::Hold(_) => format!("the channel waits until {late}: {why}"),
        Wait::Attempt(_) => format!("not tried again before {late}"),
    }
}

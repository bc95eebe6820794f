//! What follows where no row of the ledger stands for a reminder.

use chrono::{DateTime, Utc};

use super::{Answer, Question, Told};
use crate::{ledger::delivery::Delivery, pass::window::Window};

impl Question<'_> {
    /// Nothing stands in the ledger for it, or something (`cancelled`) that no longer counts.
    pub(super) fn without_row(&self, window: &Window, cancelled: Option<&Delivery>) -> Answer {
        let is_not = &self.not("is");
        if let Some(why) = self.rules.barred() {
            return (Told::No, format!("{}: {why}", self.say_of_all(is_not)));
        }
        let Some(start) = self.case.start() else {
            return (Told::No, self.say(is_not));
        };
        if let Some(why) = self.rules.barred_on(self.channel) {
            return (Told::No, format!("{}: {why}", self.say(is_not)));
        }
        if self.case.is_by_laravel(window) {
            let said = self.say_of_all("is not told by this program");
            return (
                Told::Perhaps,
                format!("{said}: Laravel has reminded of the session, and keeps no names"),
            );
        }
        self.by_time(window, start, cancelled)
    }

    fn by_time(
        &self,
        window: &Window,
        start: DateTime<Utc>,
        cancelled: Option<&Delivery>,
    ) -> Answer {
        let (opens, closes) = (window.opens(start), window.closes(start));
        if self.case.now > closes {
            let why = cancelled.and_then(Delivery::fault).unwrap_or_else(|| {
                "nothing was recorded while the window was open (enrolled or opted in too late, the session created or moved \
                 too late, or no pass ran)"
                    .into()
            });
            return (Told::No, format!("{}: {why}", self.say(&self.not("was"))));
        }
        match self.case.now < opens {
            true => self.by_then(opens, &format!("on {}", self.time(opens))),
            false => self.by_then(self.case.now, "in the next pass"),
        }
    }
}

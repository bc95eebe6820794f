//! Whether they hear that the session was moved or is cancelled.

use super::{Answer, Question, Told};
use crate::{
    commands::explain::{case::Case, changed::Change, rules::Rules},
    ledger::{Channel, Kind, delivery::Delivery},
    pass::window::Window,
};

/// What was said on a channel, or is to be, beside what stands for a reminder.
pub fn all(case: &Case, rules: &Rules, channel: Channel) -> Vec<(Kind, Answer)> {
    let windows = case.pass.windows();
    let stands = |row: &&Delivery| {
        let mut standing = windows.iter().map(|one| case.standing(channel, one));
        standing.any(|one| one.is_some_and(|one| one.id == row.id))
    };
    let question = || Question::new(case, rules, channel);
    let row = case.correction(channel).filter(|row| !stands(row));
    let row = row.map(|row| (row.kind(), question().of(row).by_row(row)));
    let owed = case.owed.iter().filter(|(of, _)| *of == channel);
    let owed = owed.map(|(_, kind)| *kind).filter(|kind| {
        let replaces = |window| replaces(case, channel, window);
        *kind == Kind::Cancelled || !windows.iter().any(replaces)
    });
    let owed = owed.map(|kind| (kind, question().owed(kind)));
    let unsaid = unsaid(case, rules, channel);
    row.into_iter().chain(owed).chain(unsaid).collect()
}

/// That nobody tells them of a change that they would hear of with corrections.
fn unsaid(case: &Case, rules: &Rules, channel: Channel) -> Option<(Kind, Answer)> {
    let change = Change::new(case, rules, channel, case.told(channel)?)?;
    if case.pass.config.reminder.corrections || !change.matters() {
        return None;
    }
    let asked = Question::new(case, rules, channel).about_change(change.kind);
    let is_not = asked.say("is not told");
    let said = format!("{is_not}{}: REMINDER_CORRECTIONS is off", asked.about);
    Some((change.kind, (Told::No, said)))
}

/// Whether a correction that the next pass makes stands for the reminder of this window too.
pub fn replaces(case: &Case, channel: Channel, window: &Window) -> bool {
    let opens = case.start().map(|start| window.opens(start));
    let is_owed = case.owed.contains(&(channel, Kind::Moved));
    is_owed && opens.is_some_and(|opens| opens <= case.now)
}

impl Question<'_> {
    /// The same of what a row says.
    pub(super) fn of(self, row: &Delivery) -> Self {
        self.saying(row.kind(), &row.scheduled_at)
    }

    fn saying(self, kind: Kind, digits: &str) -> Self {
        let start = self.case.pass.zone.parse(digits);
        let about = match (kind, start) {
            (Kind::Reminder, _) => String::new(),
            (Kind::Cancelled, _) => " that the session is cancelled".into(),
            (Kind::Moved, Some(start)) => {
                format!(" that the session was moved to {}", self.time(start))
            }
            (Kind::Moved, None) => " that the session was moved".into(),
        };
        Self {
            about,
            start,
            ..self
        }
    }

    /// The same of a change that no row says yet.
    fn about_change(self, kind: Kind) -> Self {
        let told = self.case.told(self.channel);
        let digits = match kind {
            Kind::Cancelled => told.map(|row| row.scheduled_at.clone()),
            _ => self.case.session.scheduled_at.clone(),
        };
        self.saying(kind, &digits.unwrap_or_default())
    }

    /// Of a correction that has no row yet.
    pub(super) fn owed(self, kind: Kind) -> Answer {
        let asked = self.about_change(kind);
        match asked.rules.barred_on(asked.channel) {
            Some(why) => {
                let will_not = asked.say("will not be told");
                (Told::No, format!("{will_not}{}: {why}", asked.about))
            }
            None => asked.by_then(asked.case.now, "in the next pass"),
        }
    }
}

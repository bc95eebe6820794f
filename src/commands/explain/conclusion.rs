//! What follows from the rules and the ledger, in a sentence for each channel.

mod news;
mod no_row;
mod row;
mod wait;

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;

use super::{case::Case, rules::Rules};
use crate::{
    ledger::{Channel, Kind, close::LAST_MOMENT},
    pass::window::Window,
    time::when,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Told {
    Yes,
    /// Unless something changes.
    Will,
    /// Nobody can tell.
    Perhaps,
    No,
}

/// What is said of one message.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Conclusion {
    channel: &'static str,
    /// Of a reminder.
    #[serde(skip_serializing_if = "Option::is_none")]
    lead_minutes: Option<i32>,
    /// Of a correction: `moved` or `cancelled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    told: Told,
    text: String,
}

impl Conclusion {
    /// What it says of a correction of this kind.
    pub fn of_news(&self, channel: Channel, kind: Kind) -> Option<Told> {
        let is_it = self.channel == channel.name() && self.kind == Some(kind.name());
        is_it.then_some(self.told)
    }
}

/// What is so of every channel is said without naming one.
pub fn all(case: &Case, rules: &Rules) -> Vec<Conclusion> {
    let alike = each(case, rules, false);
    match texts(&alike).len() {
        1 => alike,
        _ => each(case, rules, true),
    }
}

/// In the order of time: a new start comes before its reminder, a cancellation after one, unless it is history.
fn each(case: &Case, rules: &Rules, named: bool) -> Vec<Conclusion> {
    let mut all = Vec::new();
    for channel in Channel::ALL {
        let (last, first): (Vec<_>, Vec<_>) = news::all(case, rules, channel)
            .into_iter()
            .partition(|(kind, _)| *kind == Kind::Cancelled && !case.takes_place());
        let news = |(kind, answer)| conclusion(channel, None, kind, answer);
        all.extend(first.into_iter().map(news));
        for window in case.pass.windows() {
            let mut question = Question::new(case, rules, channel);
            question.named = named;
            let (kind, answer) = question.reminder(&window);
            all.push(conclusion(channel, Some(&window), kind, answer));
        }
        all.extend(last.into_iter().map(news));
    }
    all
}

fn conclusion(
    channel: Channel,
    window: Option<&Window>,
    kind: Kind,
    (told, text): Answer,
) -> Conclusion {
    Conclusion {
        channel: channel.name(),
        lead_minutes: window.map(Window::lead_minutes),
        kind: (kind != Kind::Reminder).then_some(kind.name()),
        told,
        text,
    }
}

/// What is to be said to a person: the same once.
pub fn texts(all: &[Conclusion]) -> Vec<&str> {
    let mut texts: Vec<&str> = Vec::new();
    for one in all {
        if !texts.contains(&one.text.as_str()) {
            texts.push(&one.text);
        }
    }
    texts
}

/// Whether the person is told something by one channel.
struct Question<'a> {
    case: &'a Case<'a>,
    rules: &'a Rules,
    channel: Channel,
    /// Whether that is said also of what may be so of all of them.
    named: bool,
    /// Of several leads which: ` 60 minutes before`.
    lead: String,
    /// Of a correction what it says: ` that the session is cancelled`.
    about: String,
    /// The start before which it has to be said.
    start: Option<DateTime<Utc>>,
}

type Answer = (Told, String);

impl<'a> Question<'a> {
    fn new(case: &'a Case<'a>, rules: &'a Rules, channel: Channel) -> Self {
        Self {
            case,
            rules,
            channel,
            named: true,
            lead: String::new(),
            about: String::new(),
            start: case.start(),
        }
    }

    /// Whether they are reminded with one lead, or hear of the start by a correction that stands for that.
    fn reminder(mut self, window: &Window) -> (Kind, Answer) {
        if self.case.pass.windows().len() > 1 {
            self.lead = format!(" {} minutes before", window.lead_minutes());
        }
        if news::replaces(self.case, self.channel, window) {
            return (Kind::Moved, self.owed(Kind::Moved));
        }
        let row = self.case.standing(self.channel, window);
        match row.filter(|row| !row.is_open_again()) {
            Some(row) => (row.kind(), self.of(row).by_row(row)),
            None => (Kind::Reminder, self.without_row(window, row)),
        }
    }

    /// `Budi WORDS by mail`, and for one of several leads which.
    fn say(&self, words: &str) -> String {
        let (name, channel) = (self.case.user.name(), self.channel.word());
        format!("{name} {words} by {channel}{}", self.lead)
    }

    /// The same of what may be so of every channel.
    fn say_of_all(&self, words: &str) -> String {
        match self.named {
            true => self.say(words),
            false => format!("{} {words}", self.case.user.name()),
        }
    }

    /// Who hears of the session by a correction is told, if not reminded.
    fn not(&self, be: &str) -> String {
        match self.case.has_news(self.channel) {
            true => format!("{be} not reminded"),
            false => format!("{be} not told"),
        }
    }

    fn time(&self, time: DateTime<Utc>) -> String {
        when(self.case.pass.zone.0, time)
    }

    /// What a pass tells from then on, which is `words`, where nothing keeps the channel from it.
    fn by_then(&self, then: DateTime<Utc>, words: &str) -> Answer {
        let wait = self.case.waits.of(self.channel, then);
        wait.map_or_else(|| self.will(words), |wait| self.by_wait(&wait))
    }

    fn will(&self, words: &str) -> Answer {
        let once = match self.case.is_migrated() {
            true => "",
            false => ", once `reminders migrate` has run",
        };
        let said = format!("{} {words}{}{once}", self.say("will be told"), self.about);
        (Told::Will, said)
    }

    /// Whether there is still time to tell.
    fn is_ahead(&self) -> bool {
        self.is_ahead_at(self.case.now)
    }

    fn is_ahead_at(&self, then: DateTime<Utc>) -> bool {
        let left = self.start.map(|start| start - then);
        left.unwrap_or(Duration::zero()) >= LAST_MOMENT
    }
}

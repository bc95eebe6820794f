//! What follows from the rules and the ledger, in a sentence for each channel.

mod budget;

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;

use super::{case::Case, rules::Rules};
use crate::{
    ledger::{Channel, Kind, WINDOW_PASSED, close::LAST_MOMENT, delivery::Delivery, status},
    pass::window::Window,
    time::when,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Told {
    Yes,
    /// Unless something changes.
    Will,
    /// Nobody can tell.
    Perhaps,
    No,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Conclusion {
    channel: &'static str,
    lead_minutes: i32,
    told: Told,
    text: String,
}

pub fn all(case: &Case, rules: &Rules) -> Vec<Conclusion> {
    let mut all = Vec::new();
    for channel in Channel::ALL {
        for window in case.pass.windows() {
            let (told, text) = Question {
                case,
                rules,
                channel,
                window,
            }
            .answer();
            all.push(Conclusion {
                channel: channel.name(),
                lead_minutes: window.lead_minutes(),
                told,
                text,
            });
        }
    }
    all
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

/// Whether the person is told by one channel with one lead.
struct Question<'a> {
    case: &'a Case<'a>,
    rules: &'a Rules,
    channel: Channel,
    window: Window,
}

type Answer = (Told, String);

impl Question<'_> {
    fn answer(&self) -> Answer {
        let row = self.case.standing(self.channel, &self.window);
        match row.filter(|row| !row.is_open_again()) {
            Some(row) => self.by_row(row),
            None => self.without_row(row),
        }
    }

    /// `Budi WORDS by mail`, and for one of several leads which.
    fn say(&self, words: &str) -> String {
        let name = self.case.user.name();
        let channel = match self.channel {
            Channel::Mail => "mail",
            Channel::Whatsapp => "WhatsApp",
        };
        let lead = match self.case.pass.windows().len() {
            1 => String::new(),
            _ => format!(" {} minutes before", self.window.lead_minutes()),
        };
        format!("{name} {words} by {channel}{lead}")
    }

    fn time(&self, time: DateTime<Utc>) -> String {
        when(self.case.pass.zone.0, time)
    }

    /// Why nobody would tell them now.
    fn barred(&self) -> Option<&str> {
        self.rules.barred().or(self.rules.barred_on(self.channel))
    }

    fn by_row(&self, row: &Delivery) -> Answer {
        match row.status.as_str() {
            status::SENT => (Told::Yes, self.sent(row)),
            status::PENDING => self.pending(row),
            status::SENDING => self.sending(row),
            status::UNKNOWN => (Told::Perhaps, self.unknown(row)),
            status::MISSED => (Told::No, self.missed(row)),
            _ => (Told::No, self.failed(row)),
        }
    }

    fn sent(&self, row: &Delivery) -> String {
        let at = row.sent_at.map(|at| self.time(at.and_utc()));
        let at = at.unwrap_or_else(|| "an unknown time".into());
        let what = match row.kind() {
            Kind::Moved => ", that the session was moved",
            _ => "",
        };
        let since = match row.delivery_status.as_deref() {
            Some("read") => ", and has read it",
            Some("delivered") => ", and it was delivered",
            _ => "",
        };
        format!("{} on {at}{what}{since}", self.say("was told"))
    }

    fn missed(&self, row: &Delivery) -> String {
        let why = match (row.error_code.as_deref(), row.fault()) {
            (Some(WINDOW_PASSED), _) => {
                "its window was over before a pass could tell them (created or moved too late, or no pass ran)".into()
            }
            (Some("too_late") | None, _) => "the session began before it could be sent".into(),
            (_, why) => why.unwrap_or_default(),
        };
        format!("{}: {why}", self.say("was not told"))
    }

    fn failed(&self, row: &Delivery) -> String {
        let why = row.fault().unwrap_or_else(|| row.status.clone());
        let said = format!("{}: {why}", self.say("was not told"));
        match row.status == status::FAILED && self.is_ahead() {
            true => format!("{said}; once that is cured: `reminders retry {}`", row.id),
            false => said,
        }
    }

    fn unknown(&self, row: &Delivery) -> String {
        let place = match self.channel {
            Channel::Mail => "the mail server's log",
            Channel::Whatsapp => "Twilio's console",
        };
        let id = row.message_id.as_deref().map(|id| format!(" for {id}"));
        format!(
            "{}: nobody recorded whether it was sent, look in {place}{}",
            self.say("was perhaps told"),
            id.unwrap_or_default()
        )
    }

    fn pending(&self, row: &Delivery) -> Answer {
        if let Some(why) = self.barred() {
            return (Told::No, format!("{}: {why}", self.say("will not be told")));
        }
        if !self.is_ahead() {
            return (
                Told::No,
                format!("{}: the session begins", self.say("was not told")),
            );
        }
        let next = row.next_attempt_at.map(|at| at.and_utc());
        let next = next.filter(|at| *at > self.case.now);
        if let Some(day) = self.used_up(next.unwrap_or(self.case.now)) {
            return self.by_budget(day);
        }
        let next = next.map_or("in the next pass".to_owned(), |at| {
            format!("when it is tried again on {}", self.time(at))
        });
        let why = row.fault().map(|fault| format!("; so far {fault}"));
        let said = format!(
            "{} {next}{}",
            self.say("will be told"),
            why.unwrap_or_default()
        );
        (Told::Will, said)
    }

    fn sending(&self, row: &Delivery) -> Answer {
        let host = row.host().unwrap_or("a host");
        let leased = row
            .lease_until
            .is_some_and(|until| until >= self.case.now.naive_utc());
        match leased {
            true => (
                Told::Will,
                format!("{} now, by {host}", self.say("is told")),
            ),
            false => {
                let said = self.say("was perhaps told");
                (
                    Told::Perhaps,
                    format!(
                        "{said}: a pass on {host} ended before it recorded it; the next pass takes it up"
                    ),
                )
            }
        }
    }

    /// Nothing stands in the ledger for it, or something (`cancelled`) that no longer counts.
    fn without_row(&self, cancelled: Option<&Delivery>) -> Answer {
        if let Some(why) = self.rules.barred() {
            let name = self.case.user.name();
            return (Told::No, format!("{name} is not told: {why}"));
        }
        let Some(start) = self.case.start() else {
            return (Told::No, self.say("is not told"));
        };
        if self.case.is_by_laravel(&self.window) {
            let said = format!(
                "{} is not told by this program: Laravel has done it",
                self.case.user.name()
            );
            return (Told::Yes, said);
        }
        if let Some(why) = self.rules.barred_on(self.channel) {
            return (Told::No, format!("{}: {why}", self.say("is not told")));
        }
        self.by_time(start, cancelled)
    }

    fn by_time(&self, start: DateTime<Utc>, cancelled: Option<&Delivery>) -> Answer {
        let (opens, closes) = (self.window.opens(start), self.window.closes(start));
        let migrated = self.case.ground.has_view && self.case.ground.has_ledger;
        let once = if migrated {
            ""
        } else {
            ", once `reminders migrate` has run"
        };
        if self.case.now <= closes
            && let Some(day) = self.used_up(opens.max(self.case.now))
        {
            return self.by_budget(day);
        }
        if self.case.now < opens {
            let said = format!("{} on {}{once}", self.say("will be told"), self.time(opens));
            return (Told::Will, said);
        }
        if self.case.now > closes {
            let why = cancelled.and_then(Delivery::fault).unwrap_or_else(|| {
                "nothing was recorded while the window was open (enrolled or opted in too late, the session created or moved \
                 too late, or no pass ran)"
                    .into()
            });
            return (Told::No, format!("{}: {why}", self.say("was not told")));
        }
        let said = match self.case.held.get(self.channel.name()) {
            Some(why) => format!(
                "{} when the channel works again: {why}",
                self.say("will be told")
            ),
            None => format!("{} in the next pass{once}", self.say("will be told")),
        };
        (Told::Will, said)
    }

    /// Whether there is still time to tell.
    fn is_ahead(&self) -> bool {
        self.is_ahead_at(self.case.now)
    }

    fn is_ahead_at(&self, then: DateTime<Utc>) -> bool {
        let left = self.case.start().map(|start| start - then);
        left.unwrap_or(Duration::zero()) >= LAST_MOMENT
    }
}

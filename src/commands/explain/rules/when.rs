//! When the session starts and its reminders go, and whether it was told otherwise.

use chrono::{DateTime, Utc};

use super::{Case, Rule, who};
use crate::{
    ledger::{Channel, Kind, delivery::Delivery},
    pass::{take, window::Window},
    text,
    time::when,
};

pub fn start(case: &Case) -> Rule {
    let digits = case.session.scheduled_at.as_deref().unwrap_or_default();
    let Some(start) = case.start() else {
        return Rule::holds("start", false, take::no_time(digits).reason);
    };
    let mut text = when(case.pass.zone.0, start);
    let theirs = case.user.zone().filter(|zone| *zone != case.pass.zone.0);
    if let Some(zone) = theirs {
        text.push_str(&format!(", for the user {}", when(zone, start)));
    }
    if start <= case.now {
        text.push_str(", is over");
    }
    Rule::holds("start", true, text)
}

/// Whether what the user was told is still so.
pub fn changed(case: &Case) -> Rule {
    let told = Channel::ALL
        .into_iter()
        .filter_map(|channel| case.told(channel));
    let told: Vec<_> = told.collect();
    let takes_place = case.session.exists
        && !case
            .of_session
            .iter()
            .any(|fact| who::of_fact(fact).is_no());
    let is_wrong = |row: &&&Delivery| match row.kind() {
        Kind::Cancelled => takes_place,
        _ => !takes_place || !case.is_current(row),
    };
    let Some(wrong) = told.iter().find(is_wrong) else {
        return match told.is_empty() {
            true => Rule::none("changed", "nobody has told the user anything yet"),
            false => Rule::holds("changed", true, "what the user was told is still so"),
        };
    };
    let was = match wrong.kind() {
        Kind::Cancelled => "that it is cancelled".to_owned(),
        _ => format!("of the start {}", text::one_line(&wrong.scheduled_at, 30)),
    };
    let news = Channel::ALL
        .into_iter()
        .filter(|channel| case.news(*channel).is_some());
    let news: Vec<&str> = news.map(Channel::name).collect();
    match (news.is_empty(), case.pass.config.reminder.corrections) {
        (false, _) => {
            let when = match news.iter().any(|channel| case.held.contains_key(channel)) {
                true => "when the channel works again",
                false => "in the next pass",
            };
            let news = news.join(", ");
            let text = format!("the user was told {was}, and hears of the change {when} ({news})");
            Rule::holds("changed", true, text)
        }
        (true, true) => Rule::none(
            "changed",
            format!("the user was told {was}; there is nothing more to say of it"),
        ),
        (true, false) => Rule::none(
            "changed",
            format!(
                "the user was told {was}, and does not hear of the change: REMINDER_CORRECTIONS is off"
            ),
        ),
    }
}

pub fn rules(case: &Case) -> Vec<Rule> {
    let Some(start) = case.start() else {
        return Vec::new();
    };
    let mut rules = Vec::new();
    for due in case.pass.windows() {
        rules.push(window(case, &due, start));
        if case.pass.legacy_window() == Some(due) {
            rules.push(laravel(case, &due));
        }
    }
    rules
}

fn window(case: &Case, window: &Window, start: DateTime<Utc>) -> Rule {
    let zone = case.pass.zone.0;
    let (opens, closes) = (window.opens(start), window.closes(start));
    let text = format!(
        "{} minutes before, from {} to {}",
        window.lead_minutes(),
        when(zone, opens),
        closes.with_timezone(&zone).format("%H:%M")
    );
    if case.now < opens {
        Rule::none("window", format!("{text}: not open yet"))
    } else if case.now <= closes {
        Rule::holds("window", true, format!("{text}: open now"))
    } else if case.deliveries.iter().any(|row| case.is_current(row)) {
        Rule::none("window", format!("{text}: is over, and was used"))
    } else {
        Rule::holds("window", false, format!("{text}: is over"))
    }
}

/// Whether Laravel's command has reminded of the session.
fn laravel(case: &Case, window: &Window) -> Rule {
    let rule = "laravel";
    if !case.ground.has_log {
        return Rule::none(rule, "there is no session_reminder_logs");
    }
    let Some(entry) = &case.entry else {
        return Rule::holds(
            rule,
            true,
            "session_reminder_logs has no row of the session",
        );
    };
    let at = text::one_line(&entry.sent_at, 30);
    if entry.is_ours {
        return Rule::holds(
            rule,
            true,
            format!("session_reminder_logs has our own row, of {at}"),
        );
    }
    match case.is_by_laravel(window) {
        true => Rule::holds(
            rule,
            false,
            format!("Laravel has reminded of the session at {at} (session_reminder_logs)"),
        ),
        false => Rule::holds(
            rule,
            true,
            format!("session_reminder_logs has a row of {at}, which is outside the window"),
        ),
    }
}

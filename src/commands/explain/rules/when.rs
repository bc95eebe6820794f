//! When the session starts and its reminders go.

use chrono::{DateTime, Utc};

use super::{Case, Rule};
use crate::{
    ledger::{Channel, WINDOW_PASSED},
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
    } else if was_used(case, window) {
        Rule::none("window", format!("{text}: is over, and was used"))
    } else {
        Rule::holds("window", false, format!("{text}: is over"))
    }
}

/// Whether a pass that came in time has made a message for it.
fn was_used(case: &Case, window: &Window) -> bool {
    let rows = Channel::ALL
        .into_iter()
        .filter_map(|channel| case.standing(channel, window));
    let mut codes = rows.map(|row| row.error_code.as_deref());
    codes.any(|code| code != Some(WINDOW_PASSED))
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

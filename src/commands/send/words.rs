//! What `send` tells a person: what a dry run found, and what comes next when nothing is due.

use std::fmt::Write;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use crate::{
    db::Db,
    ledger::Channel,
    pass::{
        Pass,
        dry_run::{Plan, Skipped},
        summary,
    },
    platform::upcoming,
    text,
};

/// For a person who waits for something to happen.
pub fn next(db: &mut Db, pass: &Pass) -> Result<String> {
    let (_, due_until) = pass.window();
    let found = upcoming::first(db, pass.zone.wall(due_until))
        .context("could not look for the next session")?;
    let Some((title, start)) = found else {
        return Ok("nothing is due; no later session has participants".into());
    };
    let title = text::one_line(&title.unwrap_or_default(), 60);
    let goes = pass.zone.parse(&start).and_then(|start| goes(pass, start));
    let goes = goes.map_or("some time".into(), |goes| pass.zone.wall(goes).to_string());
    let start = text::one_line(&start, 30);
    Ok(format!(
        "nothing is due; next: {title}, starts {start}, its reminder goes at {goes} ({})",
        pass.zone.0
    ))
}

/// When the next reminder of that start goes: as soon as a window opens.
fn goes(pass: &Pass, start: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let windows = pass.windows().into_iter().map(|window| window.opens(start));
    windows.filter(|opens| *opens > pass.clock.now()).min()
}

/// What a pass would do, a line per reminder.
pub fn plan(plan: &Plan, pass: &Pass) -> Result<String> {
    let (from, to) = pass.window();
    let (from, to) = (pass.zone.wall(from), pass.zone.wall(to));
    let mut text = String::new();
    writeln!(
        text,
        "sessions that start from {from} to {to} ({})",
        pass.zone.0
    )?;
    text.extend(off(pass).map(|line| line + "\n"));
    for (channel, why) in &plan.held {
        writeln!(text, "{} waits: {why}", channel.name())?;
    }
    for redirected in summary::redirected(&pass.config.reminder) {
        writeln!(text, "{redirected}")?;
    }
    writeln!(text, "{}", heading("would send", plan.reminders.len()))?;
    for one in &plan.reminders {
        let start = text::one_line(&one.scheduled_at, 30);
        let (channel, session, user) = (one.channel, one.session_id, one.user_id);
        let kind = one.kind.map(|kind| format!(", {kind}")).unwrap_or_default();
        writeln!(
            text,
            "  {channel:<9} session {session} at {start}{kind}, user {user}: {}",
            one.to
        )?;
    }
    write!(text, "{}", heading("would skip", plan.skipped.len()))?;
    for one in &plan.skipped {
        write!(text, "\n  {}", skipped(one))?;
    }
    Ok(text)
}

/// The channels that are off, and why.
pub fn off<'a>(pass: &'a Pass) -> impl Iterator<Item = String> + 'a {
    let off = |channel: Channel| {
        Some(format!(
            "{} is off ({})",
            channel.name(),
            pass.off(channel)?
        ))
    };
    Channel::ALL.into_iter().filter_map(off)
}

fn heading(what: &str, count: usize) -> String {
    if count == 0 {
        format!("{what} nobody")
    } else {
        format!("{what} {count}:")
    }
}

fn skipped(one: &Skipped) -> String {
    let start = text::one_line(&one.scheduled_at, 30);
    let reason = text::one_line(&one.reason, 200);
    let (channel, session, user) = (one.channel, one.session_id, one.user_id);
    format!("{channel:<9} session {session} at {start}, user {user}: {reason}")
}

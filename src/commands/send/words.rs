//! What `send` tells a person: what a dry run found, and what comes next when nothing is due.

use std::collections::HashMap;

use anstyle::Style;
use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use crate::{
    db::Db,
    ledger::Channel,
    pass::{
        Pass,
        dry_run::{Plan, Planned, Skipped},
        summary,
    },
    platform::upcoming,
    table::{self, Cell, Table},
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
pub fn plan(plan: &Plan, pass: &Pass) -> String {
    let doubtful = held(plan).chain(summary::redirected(&pass.config.reminder));
    let parts = [
        table::prose(windows(pass).chain(off(pass))),
        table::prose(doubtful).styled(table::DOUBTFUL),
        heading("would send", plan.reminders.len(), table::GOOD),
        lines(plan.reminders.iter().map(planned), table::GOOD),
        heading("would skip", plan.skipped.len(), table::FAINT),
        lines(alike(&plan.skipped).into_iter().map(skipped), table::FAINT),
    ];
    let parts = parts.iter().filter(|part| !part.is_empty());
    parts.map(Table::to_string).collect::<Vec<_>>().join("\n")
}

/// Which sessions are looked at: for each lead, the nearest first.
fn windows<'a>(pass: &'a Pass) -> impl Iterator<Item = String> + 'a {
    let zone = pass.zone;
    pass.windows().into_iter().rev().map(move |window| {
        let (from, to) = window.starts(pass.clock.start());
        let (from, to) = (zone.wall(from), zone.wall(to));
        format!("sessions that start from {from} to {to} ({})", zone.0)
    })
}

/// A line per message, or several on a terminal that is narrow: the channel, and what there is to say.
fn lines(messages: impl Iterator<Item = (&'static str, String)>, style: Style) -> Table {
    let mut table = Table::new();
    for (channel, prose) in messages {
        let channel = Cell::new(channel).styled(style);
        table.row([Cell::new(""), channel, Cell::new(prose)]);
    }
    table
}

fn planned(one: &Planned) -> (&'static str, String) {
    let start = text::one_line(&one.scheduled_at, 30);
    let (session, user, to) = (one.session_id, one.user_id, text::mask(&one.to));
    let kind = one.kind.map(|kind| format!(", {kind}")).unwrap_or_default();
    let prose = format!("session {session} at {start}{kind}, user {user}: {to}");
    (one.channel, prose)
}

/// The channels that wait after they broke down, and why.
fn held(plan: &Plan) -> impl Iterator<Item = String> {
    let held = plan.held.iter();
    held.map(|(channel, why)| format!("{} waits: {why}", channel.name()))
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

fn heading(what: &str, count: usize, style: Style) -> Table {
    match count {
        0 => table::prose([format!("{what} nobody")]).styled(table::FAINT),
        _ => table::prose([format!("{what} {count}:")]).styled(style),
    }
}

/// Those skipped in one session for one reason, in the order of the first.
fn alike(skipped: &[Skipped]) -> Vec<Vec<&Skipped>> {
    let mut groups: Vec<Vec<&Skipped>> = Vec::new();
    let mut places = HashMap::new();
    for one in skipped {
        let place = (one.channel, one.session_id, &one.scheduled_at, &one.reason);
        let place = *places.entry(place).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

/// How many of those who are skipped for the same reason are named.
const NAMED: usize = 5;

fn skipped(group: Vec<&Skipped>) -> (&'static str, String) {
    let Some(one) = group.first() else {
        return ("", String::new());
    };
    let ids: Vec<i64> = group.iter().map(|one| one.user_id).take(NAMED).collect();
    let ids = text::list(&ids);
    let who = match group.len() {
        1 => format!("user {ids}"),
        ..=NAMED => format!("users {ids}"),
        count => format!("{count} users ({ids}, …)"),
    };
    let start = text::one_line(&one.scheduled_at, 30);
    let reason = text::one_line(&one.reason, 200);
    let session = one.session_id;
    (
        one.channel,
        format!("session {session} at {start}, {who}: {reason}"),
    )
}

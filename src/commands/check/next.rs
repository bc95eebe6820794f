//! The next session, as its participants will read it.

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::{chain::Chain, database::Found};
use crate::{
    config::Config,
    db::Db,
    ledger::{self, Channel},
    message,
    pass::{line, window::Window},
    platform::{Participant, coming::Coming},
    text::one_line,
    time::Zone,
};

/// Characters of a title.
const TITLE: usize = 60;

pub fn look(
    chain: &mut Chain,
    db: &mut Db,
    config: &Config,
    (coming, found, unreadable): (&Coming, &Found, &[i64]),
    zone: Zone,
    now: DateTime<Utc>,
) -> Result<()> {
    let windows = Window::all(&config.reminder);
    // Its reminder may be due already, but not be over.
    let from = windows.last().map_or(now, |window| window.starts(now).0);
    let Some((session, digits)) = coming.session(db, zone.wall(from), unreadable)? else {
        let text = "no coming session has a participant: nobody will be told";
        chain.warn("next", text);
        return Ok(());
    };
    let Some(start) = zone.parse(&digits) else {
        let digits = one_line(&digits, 30);
        chain.warn(
            "next",
            format!("session {session} has an impossible time: {digits:?}"),
        );
        return Ok(());
    };
    let mut people = coming.participants(db, session)?;
    if found.has_ledger {
        forget_stopped(db, &mut people)?;
    }
    let parts = [
        title(&people),
        message::moment(config.reminder.locale, start, zone.0),
        mails(config, &people),
        whatsapp(config, &people),
        told(config, &windows, start, zone, now),
    ];
    chain.ok("next", parts.join(", "));
    Ok(())
}

/// Who has told WhatsApp to stop, where the platform does not know.
fn forget_stopped(db: &mut Db, people: &mut [Participant]) -> Result<()> {
    let stopped = ledger::opted_out(db)?;
    let stopped = people.iter_mut().filter(|to| stopped.contains(&to.user_id));
    stopped.for_each(|to| to.whatsapp_opt_in = Some(false));
    Ok(())
}

/// `Pecahan (Matematika)`.
fn title(people: &[Participant]) -> String {
    let Some(one) = people.first() else {
        return String::new();
    };
    let text = |title: &Option<String>| one_line(title.as_deref().unwrap_or_default(), TITLE);
    let (session, course) = (text(&one.session_title), text(&one.course_title));
    match session == course || course.is_empty() {
        true => session,
        false => format!("{session} ({course})"),
    }
}

fn mails(config: &Config, people: &[Participant]) -> String {
    let reached = |to: &&Participant| line::recipient(Channel::Mail, to, config).is_ok();
    match people.iter().filter(reached).count() {
        _ if config.mail.is_off() => "no mail (off)".to_owned(),
        1 => "1 mail".to_owned(),
        count => format!("{count} mails"),
    }
}

fn whatsapp(config: &Config, people: &[Participant]) -> String {
    if config.whatsapp.is_off() {
        return "no WhatsApp (off)".to_owned();
    }
    let opted_in = people.iter().filter(|to| to.opted_in());
    let reached = opted_in.filter(|to| line::recipient(Channel::Whatsapp, to, config).is_ok());
    format!("{} WhatsApp", reached.count())
}

/// When the next pass that tells of that start is, or the first one was.
fn told(
    config: &Config,
    windows: &[Window],
    start: DateTime<Utc>,
    zone: Zone,
    now: DateTime<Utc>,
) -> String {
    let opens = || windows.iter().map(|window| window.opens(start));
    let (word, at) = match opens().filter(|opens| *opens > now).min() {
        Some(opens) => ("told at", opens),
        None => ("due since", opens().max().unwrap_or(now)),
    };
    let is_same_day = zone.wall(at).date() == zone.wall(start).date();
    let words = match is_same_day {
        true => message::clock,
        false => message::moment,
    };
    format!("{word} {}", words(config.reminder.locale, at, zone.0))
}

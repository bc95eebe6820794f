//! The next session, as its participants will read it.

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::{
    chain::Chain,
    database::Found,
    told::{self, Next},
};
use crate::{
    config::Config,
    db::Db,
    ledger::{self, Channel, Scope},
    message,
    pass::{Pass, line},
    platform::{Participant, coming::Coming},
    text::one_line,
    time::{Clock, Zone},
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
    let pass = Pass::to_look(config, zone, Clock::starting_at(now, now), Scope::default());
    // Its reminder may be due already, but not be over.
    let (from, _) = pass.window();
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
    let next = Next {
        session,
        digits,
        start,
        people,
    };
    let parts = [
        title(&next.people),
        message::moment(config.reminder.locale, start, zone.0),
        mails(config, &next.people),
        whatsapp(config, &next.people),
        told::words(db, found, &pass, &next)?,
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
    match reached(config, people, Channel::Mail).count() {
        _ if config.mail.is_off() => "no mail (off)".to_owned(),
        1 => "1 mail".to_owned(),
        count => format!("{count} mails"),
    }
}

fn whatsapp(config: &Config, people: &[Participant]) -> String {
    match reached(config, people, Channel::Whatsapp).count() {
        _ if config.whatsapp.is_off() => "no WhatsApp (off)".to_owned(),
        count => format!("{count} WhatsApp"),
    }
}

/// Those of them who can be told by a channel, and want to be.
pub(super) fn reached<'a>(
    config: &Config,
    people: &'a [Participant],
    channel: Channel,
) -> impl Iterator<Item = &'a Participant> {
    people.iter().filter(move |to| {
        let wants = channel == Channel::Mail || to.opted_in();
        wants && line::recipient(channel, to, config).is_ok()
    })
}

//! What is told, of which session, to whom and when.

use anyhow::{Result, anyhow};
use chrono::{DateTime, Duration, DurationRound, Utc};
use chrono_tz::Tz;

use crate::{
    cli,
    commands::session::{self, Ground, NAMED},
    config::Config,
    db::Db,
    ledger::{Channel, Kind, correct::told},
    message::{News, sample},
    pass::{take, window::Window},
    platform::{self, Participant, coming::Coming, standing::has_cancellations},
    text::{list, one_line},
    time::{DIGITS, Zone},
};

/// How far a session has moved of which nobody was told anything yet.
const MOVED: Duration = Duration::days(1);

pub struct Scene {
    pub participant: Participant,
    /// Neither session nor participant exist, or only the session does.
    pub session: Option<i64>,
    pub user: Option<i64>,
    pub kind: Kind,
    /// What each channel tells.
    pub mail: News,
    pub whatsapp: News,
    pub zone: Zone,
    pub start: DateTime<Utc>,
    /// When the messages are made.
    pub at: DateTime<Utc>,
}

impl Scene {
    /// A session at the next full hour whose reminder is still to go.
    pub fn made_up(config: &Config, args: &cli::Preview, now: DateTime<Utc>) -> Self {
        let zone = Zone(config.zone.unwrap_or(Tz::UTC));
        let windows = Window::all(&config.reminder);
        let lead = windows.last().map(|window| window.lead).unwrap_or_default();
        let hour = Duration::hours(1);
        let start = now + lead + hour;
        let start = start.duration_trunc(hour).unwrap_or(start);
        let participant = Participant {
            scheduled_at: zone.wall(start).format(DIGITS).to_string(),
            ..sample::participant(args.locale.unwrap_or(config.reminder.locale))
        };
        let at = args
            .now
            .map_or_else(|| moment(&windows, start, now), |_| now);
        Self::new(participant, args.kind, zone, start, at)
    }

    /// # Errors
    /// When there is no such session or participant; with 78 where this is no platform's database.
    pub fn find(
        db: &mut Db,
        config: &Config,
        args: &cli::Preview,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let zone = platform::zone(config, db)?;
        let ground = Ground::read(db)?;
        let windows = Window::all(&config.reminder);
        let session = match args.session {
            Some(session) => session,
            None => next(db, &ground.coming(db), &windows, zone, now)?,
        };
        let somebody = somebody(db, &ground, session, args, (zone, now))?;
        let participant = match &args.user {
            Some(_) => somebody,
            None => {
                let locale = args.locale.unwrap_or(config.reminder.locale);
                sample::in_session_of(&somebody, locale)
            }
        };
        let digits = &participant.scheduled_at;
        let start = zone.parse(digits);
        let start = start.ok_or_else(|| anyhow!("session {session}: {}", take::no_time(digits)))?;
        let at = args
            .now
            .map_or_else(|| moment(&windows, start, now), |_| now);
        let mut scene = Self::new(participant, args.kind, zone, start, at);
        scene.session = Some(session);
        if args.user.is_some() {
            scene.user = Some(scene.participant.user_id);
        }
        if args.user.is_some() && ground.has_ledger {
            scene.mail = scene.news(db, Channel::Mail)?;
            scene.whatsapp = scene.news(db, Channel::Whatsapp)?;
        }
        Ok(scene)
    }

    fn new(
        participant: Participant,
        kind: Kind,
        zone: Zone,
        start: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> Self {
        let news = match kind {
            Kind::Reminder => News::Reminder,
            Kind::Moved => News::Moved {
                from: Some(start - MOVED),
            },
            Kind::Cancelled => News::Cancelled,
        };
        Self {
            participant,
            session: None,
            user: None,
            kind,
            mail: news,
            whatsapp: news,
            zone,
            start,
            at,
        }
    }

    /// What a correction would say of what this participant was told; where that was nothing, what it could say.
    fn news(&self, db: &mut Db, channel: Channel) -> Result<News> {
        if self.kind != Kind::Moved {
            return Ok(self.mail);
        }
        let to = &self.participant;
        let told = told::otherwise(db, channel, to.session_id, to.user_id, &to.scheduled_at)?;
        Ok(match told {
            Some(told) => News::Moved {
                from: told.start().and_then(|start| self.zone.parse(start)),
            },
            None => self.mail,
        })
    }
}

/// When the reminder of a start goes: as soon as the next window opens; now, where one is open, or all are over before
/// the start. Of a start that is past, when its last window opened.
fn moment(windows: &[Window], start: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    if windows.iter().any(|window| window.holds(start, now)) {
        return now;
    }
    let opens: Vec<DateTime<Utc>> = windows.iter().map(|window| window.opens(start)).collect();
    let ahead = opens.iter().find(|opens| **opens > now).copied();
    match (ahead, now < start) {
        (Some(ahead), _) => ahead,
        (None, true) => now,
        (None, false) => opens.last().copied().unwrap_or(now),
    }
}

/// The next session whose reminder may still go.
fn next(
    db: &mut Db,
    coming: &Coming,
    windows: &[Window],
    zone: Zone,
    now: DateTime<Utc>,
) -> Result<i64> {
    let from = windows.last().map_or(now, |window| window.starts(now).0);
    let next = coming.session(db, zone.wall(from), &[])?;
    next.map(|(session, _)| session).ok_or_else(|| {
        anyhow!(
            "no session whose reminder is still to go has a participant: name one, or use --sample"
        )
    })
}

/// The participant that was named, or any. A session that does not take place has only those who were told of it, and
/// the start that they were told last.
fn somebody(
    db: &mut Db,
    ground: &Ground,
    session: i64,
    args: &cli::Preview,
    (zone, now): (Zone, DateTime<Utc>),
) -> Result<Participant> {
    let people = ground.coming(db).participants(db, session)?;
    if !people.is_empty() {
        return choose(people, session, args.user.as_deref());
    }
    let in_vain = match has_cancellations(db)? {
        true => platform::told_in_vain_of_session(db, session)?,
        false => Vec::new(),
    };
    if in_vain.is_empty() {
        return nobody(db, ground, session, zone, now);
    }
    if args.kind != Kind::Cancelled {
        let text = "does not take place: see what is told of it with --kind cancelled";
        return Err(anyhow!("session {session} {text}"));
    }
    let mut somebody = choose(in_vain, session, args.user.as_deref())?;
    if let Some(start) = told::last_start(db, session, somebody.user_id)? {
        somebody.scheduled_at = start;
    }
    Ok(somebody)
}

/// # Errors
/// Always: that there is no such session, or where to learn why nobody is told of it.
fn nobody(
    db: &mut Db,
    ground: &Ground,
    id: i64,
    zone: Zone,
    now: DateTime<Utc>,
) -> Result<Participant> {
    session::find(db, ground, id, zone, now)?;
    Err(anyhow!(
        "session {id} has nobody to tell: `reminders explain {id} USER` says why"
    ))
}

/// `people` is not empty.
fn choose(people: Vec<Participant>, session: i64, user: Option<&str>) -> Result<Participant> {
    let some: Vec<i64> = people.iter().take(NAMED).map(|one| one.user_id).collect();
    let chosen = people.into_iter().find(|one| is_meant(one, user));
    chosen.ok_or_else(|| {
        let (user, some) = (one_line(user.unwrap_or_default(), 100), list(&some));
        anyhow!(
            "user {user:?} takes no part in session {session}: give the id or email address of a participant, such as {some}, \
             or see why with `reminders explain {session} USER`"
        )
    })
}

fn is_meant(one: &Participant, user: Option<&str>) -> bool {
    let Some(user) = user.map(str::trim) else {
        return true;
    };
    let email = one.email.as_deref().unwrap_or_default().trim();
    match user.parse::<i64>() {
        Ok(id) => one.user_id == id,
        Err(_) => email.to_lowercase() == user.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{InDoubt, Locale, Reminder};

    #[test]
    fn the_messages_are_made_when_the_reminder_goes() {
        let reminder = Reminder {
            leads: vec![Duration::hours(24), Duration::hours(1)],
            tolerance: Duration::minutes(5),
            catch_up: Duration::zero(),
            in_doubt: InDoubt::Resend,
            corrections: false,
            locale: Locale::Id,
            templates: None,
            redirect_mail: None,
            redirect_whatsapp: None,
        };
        let (windows, start) = (Window::all(&reminder), DateTime::<Utc>::default());
        // Minutes before the start: now, and when they are made.
        let cases = [
            (3000, 1445),
            (1440, 1440),
            (1000, 65),
            (62, 62),
            (30, 30),
            (-10, 65),
        ];
        for (now, expected) in cases {
            let at = moment(&windows, start, start - Duration::minutes(now));
            assert_eq!((start - at).num_minutes(), expected, "{now}");
        }
    }
}

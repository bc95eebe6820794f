//! `send --dry-run --compare-log`: what the Laravel command has done in the last day, session by session, beside what
//! passes would have done. Reads only, and also before `migrate`.

mod shown;
mod why;

use anyhow::{Context, Result};
use chrono::{DateTime, Duration, Utc};
use diesel::QueryResult;
use serde::Serialize;

use crate::{
    commands::session::Ground,
    db::Db,
    ledger::{self, Channel},
    legacy::{self, Entry},
    pass::{Pass, line, window::Window},
    platform::{Participant, coming::Coming, facts},
    time::Zone,
};

/// How far it looks back.
const DAY: Duration = Duration::hours(24);

/// What it prints.
#[derive(Serialize)]
pub struct Comparison {
    from: String,
    to: String,
    sessions: Vec<Compared>,
    #[serde(skip)]
    zone: Zone,
    #[serde(skip)]
    now: DateTime<Utc>,
    /// What is to be known before.
    #[serde(skip)]
    notes: Vec<String>,
}

/// One session.
#[derive(Serialize)]
struct Compared {
    session_id: i64,
    /// The platform's digits.
    scheduled_at: Option<String>,
    verdict: Verdict,
    laravel: Option<Logged>,
    reminders: Option<Would>,
    why: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// As many people.
    Both,
    OtherNumber,
    OnlyLaravel,
    OnlyReminders,
    /// Either may still remind.
    NotYet,
    /// A pass has reminded: the log's row is ours.
    Ours,
}

/// What Laravel has entered.
#[derive(Serialize)]
struct Logged {
    /// The platform's digits.
    sent_at: String,
    recipients: usize,
}

/// What passes would have done, or will do.
#[derive(Serialize)]
struct Would {
    told_from: String,
    people: usize,
    mail: usize,
    whatsapp: usize,
    #[serde(skip)]
    opens: DateTime<Utc>,
    #[serde(skip)]
    closes: DateTime<Utc>,
}

/// # Errors
/// Ends with 78 where this is no platform's database.
pub fn compare(db: &mut Db, pass: &Pass) -> Result<Comparison> {
    let ground = Ground::read(db)?;
    let now = pass.clock.start();
    let Some(window) = pass.legacy_window() else {
        anyhow::bail!("there is no lead to compare");
    };
    let look = Look {
        coming: ground.coming(db),
        opted_out: match ground.has_ledger {
            true => ledger::opted_out(db)?,
            false => Vec::new(),
        },
        ground: &ground,
        pass,
        window,
        now,
    };
    let sessions = look.sessions(db).context("could not compare")?;
    let local = |time: DateTime<Utc>| time.with_timezone(&pass.zone.0).to_rfc3339();
    Ok(Comparison {
        from: local(now - DAY),
        to: local(now),
        sessions,
        zone: pass.zone,
        now,
        notes: notes(&ground, pass),
    })
}

fn notes(ground: &Ground, pass: &Pass) -> Vec<String> {
    let no_log = "there is no session_reminder_logs: Laravel has entered nothing".to_owned();
    let no_log = (!ground.has_log).then_some(no_log);
    super::words::off(pass).chain(no_log).collect()
}

/// What every session is looked at with.
struct Look<'a> {
    ground: &'a Ground,
    pass: &'a Pass<'a>,
    coming: Coming,
    /// By word to WhatsApp.
    opted_out: Vec<i64>,
    window: Window,
    now: DateTime<Utc>,
}

impl Look<'_> {
    /// Those whose window has opened since yesterday, and those that the log has of that time.
    fn sessions(&self, db: &mut Db) -> QueryResult<Vec<Compared>> {
        let zone = self.pass.zone;
        let since = self.now - DAY;
        let (from, to) = self.window.opening((since, self.now));
        let mut ids = self.coming.sessions(db, &zone.walls(from, to))?;
        if self.ground.has_log {
            ids.extend(legacy::logged(db, (zone.wall(since), zone.wall(self.now)))?);
        }
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| self.pass.scope.session.is_none_or(|only| only == *id));
        let mut sessions = Vec::new();
        for id in ids {
            sessions.extend(self.session(db, id)?);
        }
        sessions.sort_by(|a, b| a.scheduled_at.cmp(&b.scheduled_at));
        Ok(sessions)
    }

    /// One of them; `None` where nobody tells anybody.
    fn session(&self, db: &mut Db, id: i64) -> QueryResult<Option<Compared>> {
        let people = self.coming.participants(db, id)?;
        let scheduled_at = self.start(db, id, &people)?;
        let start = scheduled_at.as_deref();
        let start = start.and_then(|start| self.pass.zone.parse(start));
        let entry = self.entry(db, id)?;
        let would = start.map(|start| self.would(start, &people));
        let would = would.filter(|would| would.people > 0);
        let Some(verdict) = self.verdict(entry.as_ref(), start, would.as_ref()) else {
            return Ok(None);
        };
        let mut one = Compared {
            session_id: id,
            scheduled_at,
            verdict,
            laravel: entry.map(|entry| Logged {
                recipients: count(&entry),
                sent_at: entry.sent_at,
            }),
            reminders: would,
            why: Vec::new(),
        };
        one.why = self.why(db, &one, &people)?;
        Ok(Some(one))
    }

    fn start(&self, db: &mut Db, id: i64, people: &[Participant]) -> QueryResult<Option<String>> {
        match (people.first(), &self.ground.platform) {
            (Some(one), _) => Ok(Some(one.scheduled_at.clone())),
            (None, Some(platform)) => {
                let session = facts::session(db, platform, id)?;
                Ok(session.and_then(|session| session.scheduled_at))
            }
            (None, None) => Ok(None),
        }
    }

    fn entry(&self, db: &mut Db, id: i64) -> QueryResult<Option<Entry>> {
        match self.ground.has_log {
            true => Entry::known(db, id, &self.window, self.ground.has_ledger),
            false => Ok(None),
        }
    }

    fn would(&self, start: DateTime<Utc>, people: &[Participant]) -> Would {
        let opens = self.window.opens(start);
        let count = |channel| people.iter().filter(|to| self.reaches(channel, to)).count();
        Would {
            told_from: opens.with_timezone(&self.pass.zone.0).to_rfc3339(),
            people: people.iter().filter(|to| self.is_told(to)).count(),
            mail: count(Channel::Mail),
            whatsapp: count(Channel::Whatsapp),
            opens,
            closes: self.window.closes(start),
        }
    }

    fn is_told(&self, to: &Participant) -> bool {
        let mut channels = Channel::ALL.into_iter();
        channels.any(|channel| self.reaches(channel, to))
    }

    fn reaches(&self, channel: Channel, to: &Participant) -> bool {
        let wanted = match channel {
            Channel::Mail => true,
            Channel::Whatsapp => to.opted_in() && !self.opted_out.contains(&to.user_id),
        };
        let is_on = self.pass.off(channel).is_none();
        wanted && is_on && line::recipient(channel, to, self.pass.config).is_ok()
    }

    fn verdict(
        &self,
        entry: Option<&Entry>,
        start: Option<DateTime<Utc>>,
        would: Option<&Would>,
    ) -> Option<Verdict> {
        let Some(entry) = entry else {
            return would.map(|would| self.alone(would.closes));
        };
        let is_told = start.is_some_and(|start| entry.tells(start, &self.window, self.pass.zone));
        Some(match (would, is_told) {
            _ if entry.is_ours => Verdict::Ours,
            (None, _) if count(entry) == 0 => Verdict::Both,
            (None, _) => Verdict::OnlyLaravel,
            // Laravel tells of a session once, whatever becomes of its start.
            (Some(would), false) => self.alone(would.opens),
            (Some(would), true) if would.people == count(entry) => Verdict::Both,
            (Some(_), true) => Verdict::OtherNumber,
        })
    }

    /// Laravel has told nobody, and from `settled` on will not.
    fn alone(&self, settled: DateTime<Utc>) -> Verdict {
        match self.now <= settled {
            true => Verdict::NotYet,
            false => Verdict::OnlyReminders,
        }
    }
}

/// How many people Laravel has counted.
fn count(entry: &Entry) -> usize {
    entry.recipients.trim().parse().unwrap_or_default()
}

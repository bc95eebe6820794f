//! The session that a command names, from whatever knows of it: the platform's tables, an operator's own view, or the
//! ledger alone where it is gone.

use anyhow::{Context, Result, anyhow};
use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::QueryResult;
use serde::Serialize;

use crate::{
    db::{self, Db},
    ledger::{self, history},
    legacy,
    platform::{
        self,
        coming::Coming,
        facts,
        standing::Standing,
        view::{self, Platform},
    },
    text,
    time::{self, Zone},
};

/// How many sessions or participants are named to somebody who named none that there is.
pub const NAMED: usize = 5;
/// The longest title that is shown.
const TITLE: usize = 60;

/// What there is to read in this database.
pub struct Ground {
    /// The platform's tables; `None` where they are not ours to read: an operator's own view stands before them, or
    /// this database user may see no more than the view.
    pub platform: Option<Platform>,
    pub has_view: bool,
    pub has_ledger: bool,
    pub has_log: bool,
}

impl Ground {
    /// # Errors
    /// Ends with 78 where this is no platform's database.
    pub fn read(db: &mut Db) -> Result<Self> {
        let standing = Standing::read(db, view::NAME)?;
        let platform = match standing {
            Standing::Theirs => None,
            _ => Some(Platform::read(db)?),
        };
        let platform = match (platform, &standing) {
            (Some(platform), Standing::Ours(_)) => {
                Some(platform).filter(|found| may_read(db, found))
            }
            (Some(platform), _) => platform.check().map(|()| Some(platform))?,
            (None, _) => None,
        };
        let relations = db::relations(db)?;
        let has = |table: &str| relations.iter().any(|name| name == table);
        Ok(Self {
            platform,
            has_view: standing != Standing::Missing,
            has_ledger: has(ledger::TABLE),
            has_log: has(legacy::TABLE),
        })
    }

    /// Who takes part in what is to come: by the view, or by what `migrate` would make it of.
    pub fn coming(&self, db: &Db) -> Coming {
        let unmade = self.platform.as_ref().filter(|_| !self.has_view);
        Coming::new(db, unmade)
    }
}

/// Whether the tables behind our view are open to this user, too.
fn may_read(db: &mut Db, platform: &Platform) -> bool {
    platform.check().is_ok()
        && facts::user(db, platform, 0).is_ok()
        && facts::of_enrollment(db, platform, 0, 0).is_ok()
        && facts::of_session(db, platform, 0).is_ok()
}

/// A session, as far as anything is known of it.
#[derive(Debug, Default, Serialize)]
pub struct Session {
    pub id: i64,
    pub title: Option<String>,
    pub course: Option<String>,
    /// The platform's digits.
    pub scheduled_at: Option<String>,
    starts_at: Option<String>,
    /// Whether the platform has it.
    #[serde(skip)]
    pub exists: bool,
}

impl Session {
    /// `Pecahan (session 12)`.
    pub fn name(&self) -> String {
        match &self.title {
            Some(title) => format!("{} (session {})", text::one_line(title, TITLE), self.id),
            None => format!("session {}", self.id),
        }
    }

    /// `Mon 2026-11-23 17:00 WIB`, or the digits that are no time.
    pub fn starts(&self, zone: Zone) -> String {
        match self.start(zone) {
            Some(start) => time::when(zone.0, start),
            None => text::one_line(self.scheduled_at.as_deref().unwrap_or_default(), 30),
        }
    }

    pub fn start(&self, zone: Zone) -> Option<DateTime<Utc>> {
        zone.parse(self.scheduled_at.as_deref()?)
    }
}

/// # Errors
/// When nothing knows of such a session; names some that there are.
pub fn find(
    db: &mut Db,
    ground: &Ground,
    id: i64,
    zone: Zone,
    now: DateTime<Utc>,
) -> Result<Session> {
    let found = of_platform(db, ground, id).context("could not read the session")?;
    let found = match found {
        None if ground.has_ledger => of_ledger(db, id)?,
        found => found,
    };
    let Some(mut session) = found else {
        return Err(unknown(db, ground, id, zone.wall(now)));
    };
    let starts = session.start(zone);
    session.starts_at = starts.map(time::rfc3339);
    Ok(session)
}

/// # Errors
/// As [`find`]; where the platform cannot be read, any id may be right.
pub fn check(db: &mut Db, id: i64, zone: Zone) -> Result<()> {
    match Ground::read(db) {
        Ok(ground) => find(db, &ground, id, zone, Utc::now()).map(|_| ()),
        Err(_) => Ok(()),
    }
}

fn of_platform(db: &mut Db, ground: &Ground, id: i64) -> Result<Option<Session>> {
    let session = Session {
        id,
        exists: true,
        ..Session::default()
    };
    if let Some(platform) = &ground.platform {
        return Ok(facts::session(db, platform, id)?.map(|found| Session {
            title: found.title,
            course: found.course,
            scheduled_at: found.scheduled_at,
            ..session
        }));
    }
    let participants = platform::participants_of_session(db, id)?;
    Ok(participants.into_iter().next().map(|found| Session {
        title: found.session_title,
        course: found.course_title,
        scheduled_at: Some(found.scheduled_at),
        ..session
    }))
}

/// One that is gone, of which somebody was told, or was to be.
fn of_ledger(db: &mut Db, id: i64) -> Result<Option<Session>> {
    let last = history::of_session(db, id)?.pop();
    Ok(last.map(|row| Session {
        id,
        scheduled_at: Some(row.scheduled_at),
        ..Session::default()
    }))
}

/// That there is no such session, but these, which `status` shows as well.
fn unknown(db: &mut Db, ground: &Ground, id: i64, now: NaiveDateTime) -> anyhow::Error {
    let next = next(db, &ground.coming(db), now).unwrap_or_default();
    match next.is_empty() {
        true => {
            anyhow!("there is no session {id}, and nobody takes part in one that is still to start")
        }
        false => anyhow!(
            "there is no session {id}: sessions that start soon are {} (`reminders status`)",
            text::list(&next)
        ),
    }
}

/// The next sessions that somebody takes part in.
fn next(db: &mut Db, coming: &Coming, now: NaiveDateTime) -> QueryResult<Vec<i64>> {
    let mut next = Vec::new();
    while next.len() < NAMED
        && let Some((session, _)) = coming.session(db, now, &next)?
    {
        next.push(session);
    }
    Ok(next)
}

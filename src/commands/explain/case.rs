//! Everything that is known of one person and one session.

mod budget;
mod messages;
pub mod person;

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use self::person::Person;
use crate::{
    commands::{
        session::{self, Ground, Session},
        user,
    },
    db::Db,
    ledger::{self, Channel, Kind, correct, delivery::Delivery, history},
    legacy::Entry,
    outcome::Fault,
    pass::{self, Pass, wait::Waits, window::Window},
    platform::{
        self, Participant,
        facts::{self, Fact},
        standing::has_cancellations,
    },
};

pub struct Case<'a> {
    pub pass: &'a Pass<'a>,
    pub now: DateTime<Utc>,
    pub ground: Ground,
    pub session: Session,
    pub user: Person,
    pub of_session: Vec<Fact>,
    pub of_enrollment: Vec<Fact>,
    pub of_user: Vec<Fact>,
    /// Whether the view lists them.
    pub is_listed: bool,
    pub deliveries: Vec<Delivery>,
    /// Why those of them that have failed are not sent again, by their ids.
    pub over: HashMap<i64, Fault>,
    pub entry: Option<Entry>,
    /// Has told WhatsApp to stop, where the platform does not know.
    pub has_stopped: bool,
    pub waits: Waits,
    /// The corrections that the next pass gives a row.
    pub owed: Vec<(Channel, Kind)>,
    /// Whether there is a `session_cancellations`, and whether it lists them: a pass tells nobody else that the session
    /// is cancelled.
    pub has_cancellations: bool,
    pub is_in_vain: bool,
}

impl<'a> Case<'a> {
    /// # Errors
    /// When there is no such session or user.
    pub fn read(db: &mut Db, pass: &'a Pass<'a>, session: i64, who: &str) -> Result<Self> {
        let now = pass.clock.start();
        let ground = Ground::read(db)?;
        let session = session::find(db, &ground, session, pass.zone, now)?;
        let user = user_id(db, &ground, session.id, who)?;
        let mut case = Self {
            pass,
            now,
            ground,
            session,
            user: Person {
                id: user,
                ..Person::default()
            },
            of_session: Vec::new(),
            of_enrollment: Vec::new(),
            of_user: Vec::new(),
            is_listed: false,
            deliveries: Vec::new(),
            over: HashMap::new(),
            entry: None,
            has_stopped: false,
            waits: Waits::default(),
            owed: Vec::new(),
            has_cancellations: false,
            is_in_vain: false,
        };
        case.read_platform(db)
            .context("could not read the platform's tables")?;
        case.read_ledger(db).context("could not read the ledger")?;
        Ok(case)
    }

    fn read_platform(&mut self, db: &mut Db) -> Result<()> {
        let (session, user) = (self.session.id, self.user.id);
        if let Some(platform) = &self.ground.platform {
            if let Some(found) = facts::user(db, platform, user)? {
                self.user = Person {
                    id: user,
                    opted_in: found.opted_in(),
                    name: found.name,
                    email: found.email.unwrap_or_default(),
                    phone: found.phone.unwrap_or_default(),
                    timezone: found.timezone,
                    exists: true,
                };
            }
            self.of_session = facts::of_session(db, platform, session)?;
            self.of_enrollment = facts::of_enrollment(db, platform, session, user)?;
            self.of_user = facts::of_user(db, platform, user)?;
        }
        if self.ground.has_view {
            let listed = platform::participants_of(db, vec![session], vec![user])?;
            if let Some(listed) = listed.into_iter().next() {
                self.list(listed);
            }
        }
        if self.ground.has_log {
            self.entry = Entry::read(db, session)?;
        }
        Ok(())
    }

    /// What the view says counts.
    fn list(&mut self, listed: Participant) {
        self.is_listed = true;
        self.session.scheduled_at = Some(listed.scheduled_at.clone());
        self.user = listed.into();
    }

    fn read_ledger(&mut self, db: &mut Db) -> Result<()> {
        if !self.ground.has_ledger {
            return Ok(());
        }
        self.deliveries = history::of(db, self.session.id, self.user.id)?;
        self.has_stopped = ledger::opted_out(db)?.contains(&self.user.id);
        self.waits = Waits::read(db, self.pass, self.now)?;
        if let (Some(entry), Some(window)) = (&mut self.entry, self.pass.legacy_window()) {
            entry.ask(db, self.session.id, &window)?;
        }
        if self.ground.has_view {
            self.over = pass::again::over(db, self.pass, &self.deliveries, self.now)?;
            self.read_corrections(db)?;
            self.read_budget(db)?;
        }
        Ok(())
    }

    fn read_corrections(&mut self, db: &mut Db) -> Result<()> {
        let (session, user) = (self.session.id, self.user.id);
        self.has_cancellations = has_cancellations(db)?;
        if self.has_cancellations {
            let listed = platform::told_in_vain(db, vec![session], vec![user])?;
            if let Some(listed) = listed.into_iter().next() {
                self.is_in_vain = true;
                self.user = listed.into();
            }
        }
        for (_, owed) in pass::correct::owed(db, self.pass, self.now)? {
            let users = correct::users(db, &owed, i64::MAX)?;
            if users.iter().any(|(id, _)| *id == user) {
                self.owed.push((owed.channel, owed.kind));
            }
        }
        Ok(())
    }

    pub fn start(&self) -> Option<DateTime<Utc>> {
        self.session.start(self.pass.zone)
    }

    /// Whether the session does, by its own record and its course's.
    pub fn takes_place(&self) -> bool {
        self.session.exists && !self.of_session.iter().any(Fact::bars)
    }

    /// Whether a pass finds everything that it needs. (For corrections an operator need not have a second view.)
    pub fn is_migrated(&self) -> bool {
        let needs_second = self.pass.config.reminder.corrections && self.ground.platform.is_some();
        let has_second = self.has_cancellations || !needs_second;
        self.ground.has_view && self.ground.has_ledger && has_second
    }

    /// Whether Laravel has told everybody what this window is for.
    pub fn is_by_laravel(&self, window: &Window) -> bool {
        let entry = self.entry.as_ref().zip(self.start());
        let is_logged = self.pass.legacy_window().as_ref() == Some(window);
        entry.is_some_and(|(entry, start)| is_logged && entry.tells(start, window, self.pass.zone))
    }
}

/// # Errors
/// When nothing knows of such a user.
fn user_id(db: &mut Db, ground: &Ground, session: i64, who: &str) -> Result<i64> {
    let who = who.trim();
    if let Some(id) = user::find(db, ground, who)? {
        return Ok(id);
    }
    // Somebody who is gone may have been told.
    if let (Ok(id), true) = (who.parse::<i64>(), ground.has_ledger)
        && !history::of(db, session, id)?.is_empty()
    {
        return Ok(id);
    }
    Err(user::unknown(ground, who))
}

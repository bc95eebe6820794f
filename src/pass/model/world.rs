//! What the model plays on: a ledger in a file, a view of two sessions and three people, and two hosts.

use std::{collections::HashMap, path::Path};

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use chrono_tz::Tz;
use diesel::{
    Connection, QueryDsl, Queryable, RunQueryDsl, SqliteConnection, connection::SimpleConnection,
};
use tempfile::TempDir;

use super::super::{Pass, line::Job, prepare, roster::Roster, summary::Channels, take};
use crate::{
    config::Config,
    db::{self, Db, schema::session_reminder_deliveries as ledger},
    ledger::{Channel, Scope, close, record},
    outcome::{Fault, Outcome},
    time::{Clock, Zone},
};

const SCHEMA: &str = include_str!("../../../migrations/sqlite/2026-11-22-000002_reminders/up.sql");

const VIEW: &str = "CREATE TABLE session_participants (session_id, course_id, session_title, course_title,
    scheduled_at, duration_minutes, mode, modality, meeting_url, location, user_id, name, email, phone,
    whatsapp_opt_in, timezone, locale)";

const SETTINGS: [(&str, &str); 7] = [
    ("DB_DATABASE", "ledger.sqlite"),
    ("APP_TIMEZONE", "UTC"),
    ("MAIL_FROM_ADDRESS", "halo@kursuskita.test"),
    ("MAIL_HOST", "127.0.0.1"),
    ("TWILIO_SID", "AC0123456789abcdef0123456789abcdef"),
    ("TWILIO_AUTH_TOKEN", "fedcba9876543210fedcba9876543210"),
    ("TWILIO_WHATSAPP_FROM", "+14155550100"),
];

pub const PEOPLE: usize = 3;

/// A row as far as the rules look at it.
#[derive(Debug, Clone, PartialEq, Queryable)]
pub struct Row {
    pub id: i64,
    pub session: i64,
    pub user: i64,
    pub channel: String,
    pub start: NaiveDateTime,
    pub status: String,
    pub attempts: i32,
    pub next_attempt_at: Option<NaiveDateTime>,
    pub claimed_by: Option<String>,
    pub lease_until: Option<NaiveDateTime>,
    pub rendered_at: Option<NaiveDateTime>,
    pub message_id: Option<String>,
}

pub struct Session {
    starts: Vec<DateTime<Utc>>,
    pub cancelled: bool,
    /// Who is no longer enrolled.
    pub left: [bool; PEOPLE],
}

impl Session {
    pub fn start(&self) -> DateTime<Utc> {
        *self.starts.last().unwrap()
    }

    pub fn move_to(&mut self, start: DateTime<Utc>) {
        self.starts.push(start);
    }

    /// To the start before.
    pub fn move_back(&mut self) {
        let before = self.starts[self.starts.len().saturating_sub(2)];
        self.starts.push(before);
    }
}

/// A claimed row on a host, and what became of it there.
#[derive(Debug)]
pub struct Held {
    pub job: Job,
    pub channel: Channel,
    pub outcome: Option<Outcome>,
}

pub struct Host {
    db: Db,
    roster: Roster,
    pub name: String,
    lives: usize,
    pub held: Vec<Held>,
}

pub struct World {
    folder: TempDir,
    config: Config,
    platform: Db,
    pub now: DateTime<Utc>,
    pub sessions: [Session; 2],
    pub opted_in: [bool; PEOPLE],
    pub hosts: [Host; 2],
}

impl World {
    pub fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let settings = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::load(&[], &HashMap::from(settings), folder.path()).unwrap();
        let mut platform = open(folder.path());
        platform.batch_execute(SCHEMA).unwrap();
        platform.batch_execute(VIEW).unwrap();
        let now: DateTime<Utc> = "2026-11-23T09:00:00Z".parse().unwrap();
        let session = |minutes| Session {
            starts: vec![now + Duration::minutes(minutes)],
            cancelled: false,
            left: [false; PEOPLE],
        };
        let host = |number| Host {
            db: open(folder.path()),
            roster: Roster::default(),
            name: format!("host{number}:0"),
            lives: 0,
            held: Vec::new(),
        };
        let mut world = World {
            config,
            platform,
            now,
            sessions: [session(62), session(66)],
            opted_in: [true, true, false],
            hosts: [host(0), host(1)],
            folder,
        };
        world.write_view();
        world
    }

    /// What the platform says now.
    pub fn write_view(&mut self) {
        let mut sql = "DELETE FROM session_participants;".to_owned();
        for (session, user) in self.participants() {
            let start = self.sessions[session].start().format("%Y-%m-%d %H:%M:%S");
            let opted_in = self.opted_in[user];
            sql += &format!(
                "INSERT INTO session_participants (session_id, user_id, scheduled_at, name, email, phone, whatsapp_opt_in)
                 VALUES ({session}, {user}, '{start}', 'Budi', 'p{user}@example.org', '081234567{user}00', {opted_in});"
            );
        }
        self.platform.batch_execute(&sql).unwrap();
    }

    /// Session and user.
    fn participants(&self) -> Vec<(usize, usize)> {
        let all = (0..self.sessions.len()).flat_map(|s| (0..PEOPLE).map(move |user| (s, user)));
        let there = |(session, user): &(usize, usize)| {
            !self.sessions[*session].cancelled && !self.sessions[*session].left[*user]
        };
        all.filter(there).collect()
    }

    /// Everybody who is to be told: session, user, channel, start.
    pub fn owed(&self) -> Vec<(i64, i64, &'static str, NaiveDateTime)> {
        let mut owed = Vec::new();
        for (session, user) in self.participants() {
            let start = self.sessions[session].start().naive_utc();
            let (session, id) = (
                i64::try_from(session).unwrap(),
                i64::try_from(user).unwrap(),
            );
            owed.push((session, id, "mail", start));
            if self.opted_in[user] {
                owed.push((session, id, "whatsapp", start));
            }
        }
        owed
    }

    pub fn ledger(&mut self) -> Vec<Row> {
        ledger::table
            .order(ledger::id)
            .select((
                ledger::id,
                ledger::course_session_id,
                ledger::user_id,
                ledger::channel,
                ledger::scheduled_at,
                ledger::status,
                ledger::attempts,
                ledger::next_attempt_at,
                ledger::claimed_by,
                ledger::lease_until,
                ledger::rendered_at,
                ledger::message_id,
            ))
            .load(&mut self.platform)
            .unwrap()
    }

    pub fn prepare(&mut self, host: usize) {
        let host = &mut self.hosts[host];
        let pass = pass(&self.config, &host.name, self.now);
        prepare::run(&mut host.db, &pass, &mut Channels::default()).unwrap();
    }

    pub fn take(&mut self, host: usize, channel: Channel, room: usize) {
        let (host, now) = (&mut self.hosts[host], self.now);
        let pass = pass(&self.config, &host.name, now);
        let roster = &mut host.roster;
        let taken = db::write(&mut host.db, |db| {
            take::jobs(db, &pass, channel, roster, room, now)
        });
        let held = |job| Held {
            job,
            channel,
            outcome: None,
        };
        host.held.extend(taken.unwrap().jobs.into_iter().map(held));
    }

    /// Takes the rows of a channel from a host's hands that came back, or also those that were not begun.
    pub fn finished(&mut self, host: usize, channel: Channel, all: bool) -> Vec<Held> {
        let finished = |held: &mut Held| held.channel == channel && (all || held.outcome.is_some());
        self.hosts[host].held.extract_if(.., finished).collect()
    }

    pub fn record(&mut self, host: usize, finished: &[Held]) {
        let now = self.now;
        let outcomes = || {
            let of = |held: &'_ Held| (held.job.claim.clone(), held.outcome.clone());
            finished.iter().map(of).collect::<Vec<_>>()
        };
        let outcomes = outcomes();
        let outcomes = || {
            outcomes
                .iter()
                .map(|(claim, outcome)| (claim, outcome.as_ref()))
        };
        let recorded = db::write(&mut self.hosts[host].db, |db| {
            record::record(db, outcomes(), now)
        });
        assert!(recorded.unwrap() <= finished.len());
    }

    pub fn hold(&mut self, host: usize, channel: Channel) {
        let (now, fault) = (self.now, Fault::new("421", "not now"));
        let held = db::write(&mut self.hosts[host].db, |db| {
            close::hold(db, channel, &fault, now)
        });
        held.unwrap();
    }

    /// The pass ends, or dies with what it has in its hands, and another begins.
    pub fn restart(&mut self, host: usize) {
        let db = open(self.folder.path());
        let lives = self.hosts[host].lives + 1;
        self.hosts[host] = Host {
            db,
            roster: Roster::default(),
            name: format!("host{host}:{lives}"),
            lives,
            held: Vec::new(),
        };
    }
}

fn open(folder: &Path) -> Db {
    let path = folder.join("ledger.sqlite");
    let mut db = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    db.batch_execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY")
        .unwrap();
    Db::Sqlite(db)
}

fn pass<'a>(config: &'a Config, claimant: &str, now: DateTime<Utc>) -> Pass<'a> {
    let clock = Clock::starting_at(now, Utc::now());
    Pass {
        claimant: claimant.to_owned(),
        ..Pass::to_look(config, Zone(Tz::UTC), clock, Scope::default())
    }
}

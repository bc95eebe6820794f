//! `status`: what comes next, when the last pass was, what became of the last day's messages, and what needs a person.
//! Reads only.

mod need;
mod sessions;
mod words;

use anyhow::Result;
use chrono::{DateTime, Duration, SubsecRound, Utc};
use serde::Serialize;

use self::{need::Need, sessions::Session};
use super::cause;
use crate::{
    cli,
    config::{self, Config},
    db::{self, Db},
    exit::Exit,
    ledger::{
        Channel, Scope,
        overview::{self, Outcomes, Overview},
    },
    lock, output,
    pass::{Pass, wait::Waits},
    platform,
    time::{Clock, Zone},
};

const HOURS: i64 = 24;

/// What `status --format json` prints. Its times are those of the platform's zone, those of a message UTC.
#[derive(Serialize)]
struct Status {
    now: String,
    zone: String,
    /// Of this user on this host.
    last_pass: Option<Moment>,
    /// The newest row that was written, by whichever host.
    last_written: Option<Written>,
    mail: Channelled,
    whatsapp: Channelled,
    upcoming: Vec<Session>,
    /// How many messages were sent in each of the last 24 hours, oldest first; the last hour is not over.
    sent_per_hour: Vec<i64>,
    needs_a_person: Need,
    #[serde(skip)]
    clock: (Zone, DateTime<Utc>),
}

#[derive(Serialize)]
struct Moment {
    at: String,
    age_seconds: i64,
}

#[derive(Serialize)]
struct Written {
    #[serde(flatten)]
    moment: Moment,
    /// Whose pass claimed that row; `None` where it was made, or put back, and not sent.
    host: Option<String>,
}

/// How a channel is, and what became of its messages in the last 24 hours.
#[derive(Serialize)]
struct Channelled {
    /// `on`, `off`, `wrong` or `held`.
    state: &'static str,
    why: Option<String>,
    outcomes: Outcomes,
}

pub fn run(config: &Config, args: &cli::Status) -> Result<Exit> {
    let mut db = db::open(&config.database)?;
    let zone = platform::zone(config, &mut db)?;
    let now = Utc::now().trunc_subsecs(0);
    let status = Status::read(&mut db, config, zone, now);
    let status =
        status.map_err(|error| cause::explain(&mut db, error, "could not read the database"))?;
    output::print(args.format, &status)?;
    Ok(Exit::Ok)
}

impl Status {
    fn read(db: &mut Db, config: &Config, zone: Zone, now: DateTime<Utc>) -> Result<Self> {
        let pass = Pass::to_look(config, zone, Clock::starting_at(now, now), Scope::default());
        let waits = Waits::read(db, &pass, now)?;
        let since = now - Duration::hours(HOURS);
        let overview = Overview::read(db, zone, since)?;
        let Overview { mail, whatsapp, .. } = overview;
        let count = |one: Outcomes| one.failed + one.missed + one.unknown;
        let moment = |at: DateTime<Utc>| Moment {
            at: local(at, zone),
            age_seconds: (now - at).num_seconds(),
        };
        let written = overview::last_written(db)?.map(|row| Written {
            moment: moment(row.updated_at.and_utc()),
            host: row.host().map(str::to_owned),
        });
        let clock = (zone, now);
        let wait = |channel| Some(waits.of(channel, now)?.describe(zone));
        Ok(Self {
            now: local(now, zone),
            zone: zone.0.to_string(),
            last_pass: lock::last_pass(&config.database).map(moment),
            last_written: written,
            mail: channelled(&config.mail, wait(Channel::Mail), mail),
            whatsapp: channelled(&config.whatsapp, wait(Channel::Whatsapp), whatsapp),
            upcoming: sessions::read(db, &pass)?,
            sent_per_hour: per_hour(&overview, now),
            needs_a_person: Need {
                count: count(mail) + count(whatsapp),
                messages: need::messages(db, &pass, since)?,
            },
            clock,
        })
    }
}

fn local(instant: DateTime<Utc>, zone: Zone) -> String {
    instant.trunc_subsecs(0).with_timezone(&zone.0).to_rfc3339()
}

fn channelled<T>(
    settings: &config::Channel<T>,
    wait: Option<String>,
    outcomes: Outcomes,
) -> Channelled {
    let (state, why) = match settings {
        config::Channel::Off(why) => ("off", Some(why.clone())),
        config::Channel::Broken(problems) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            ("wrong", Some(problems.join("; ")))
        }
        config::Channel::On(_) if wait.is_some() => ("held", wait),
        config::Channel::On(_) => ("on", None),
    };
    Channelled {
        state,
        why,
        outcomes,
    }
}

fn per_hour(overview: &Overview, now: DateTime<Utc>) -> Vec<i64> {
    let hour = |ago: i64| {
        (now - Duration::hours(ago))
            .format("%Y-%m-%d %H")
            .to_string()
    };
    let count = |ago| overview.hours.get(&hour(ago)).copied().unwrap_or_default();
    (0..HOURS).rev().map(count).collect()
}

//! One pass: what a dead pass left, what is due now, what can no longer be told; then both channels side by side.

mod drain;
pub mod dry_run;
pub mod line;
pub mod summary;
mod take;
pub mod window;

use std::{
    collections::BTreeSet,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Sender},
    },
    thread::{self, Scope as Threads},
    time::Duration,
};

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::QueryResult;
use indicatif::ProgressBar;
use log::warn;

use self::{
    drain::Report,
    line::Transport,
    summary::{Channels, Summary, Tally},
    window::Window,
};
use crate::{
    config::{self, Config},
    db::{self, Db},
    exit::Exit,
    ledger::{
        self, Channel, Scope, close,
        enqueue::{self, Due},
    },
    legacy,
    message::Renderer,
    time::{Clock, Zone},
    whatsapp,
};

/// A long pass looks for new work this often.
const ROUND: Duration = Duration::from_secs(60);

/// A session is no longer looked at when its window passed longer ago than this.
const FORGOTTEN: chrono::Duration = chrono::Duration::days(7);

/// What a pass is given.
pub struct Pass<'a> {
    pub config: &'a Config,
    pub zone: Zone,
    pub clock: Clock,
    pub scope: Scope,
    pub budget: Budget,
    /// Who claims: this process, in a name no other process has.
    pub claimant: String,
    pub bar: ProgressBar,
    /// Somebody watches.
    pub show_progress: bool,
}

/// How many deliveries a pass may still begin (`--limit`).
pub struct Budget(AtomicUsize);

impl Budget {
    pub fn new(limit: Option<usize>) -> Self {
        Self(AtomicUsize::new(limit.unwrap_or(usize::MAX)))
    }

    /// Takes up to `wanted`, and says how many there were.
    fn take(&self, wanted: usize) -> usize {
        let took = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                Some(left - left.min(wanted))
            });
        took.unwrap_or_default().min(wanted)
    }

    fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    fn give_back(&self, unused: usize) {
        self.0.fetch_add(unused, Ordering::Relaxed);
    }
}

impl Pass<'_> {
    /// The channels that get rows: those that are configured, also when their settings are broken, since somebody will
    /// mend them.
    fn channels(&self) -> Vec<Channel> {
        let on = |channel: &Channel| self.scope.includes(*channel) && self.off(*channel).is_none();
        Channel::ALL.into_iter().filter(on).collect()
    }

    /// The channels whose rows are looked after: also those that were switched off since, so that no row is forgotten.
    fn looked_after(&self) -> impl Iterator<Item = Channel> {
        Channel::ALL
            .into_iter()
            .filter(|channel| self.scope.includes(*channel))
    }

    /// Why a channel is off.
    pub fn off(&self, channel: Channel) -> Option<&str> {
        match (channel, &self.config.mail, &self.config.whatsapp) {
            (Channel::Mail, config::Channel::Off(why), _)
            | (Channel::Whatsapp, _, config::Channel::Off(why)) => Some(why),
            _ => None,
        }
    }

    pub fn windows(&self) -> Vec<Window> {
        Window::all(&self.config.reminder)
    }

    /// Laravel's log knows one lead: the hour before, or the shortest there is.
    fn legacy_lead(&self) -> i32 {
        let leads: Vec<i32> = self.windows().iter().map(Window::lead_minutes).collect();
        let shortest = leads.iter().copied().min().unwrap_or(60);
        if leads.contains(&60) { 60 } else { shortest }
    }

    /// The starts that are due with the shortest lead.
    pub fn window(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        let now = self.clock.now();
        self.windows()
            .last()
            .map_or((now, now), |window| window.starts(now))
    }

    /// What one window asks for; sessions that Laravel has reminded of are left out.
    pub fn due(&self, db: &mut Db, window: &Window, now: DateTime<Utc>) -> QueryResult<Due> {
        let (from, to) = window.starts(now);
        let walls = self.zone.walls(from, to);
        let session = self.scope.session;
        let skip = if window.lead_minutes() == self.legacy_lead() && !walls.is_empty() {
            legacy::reminded(db, &walls, session, window, self.zone)?
        } else {
            Vec::new()
        };
        let (lead_minutes, near_minutes) = (window.lead_minutes(), window.width_minutes());
        Ok(Due {
            lead_minutes,
            near_minutes,
            walls,
            session,
            skip,
        })
    }

    /// Sessions whose last window has passed since the ledger began and of which nobody was told, neither by us nor by
    /// Laravel.
    fn overlooked(&self, db: &mut Db, now: DateTime<Utc>) -> QueryResult<Vec<Due>> {
        let Some(began) = ledger::began(db)? else {
            return Ok(Vec::new());
        };
        let Some(window) = self.windows().pop() else {
            return Ok(Vec::new());
        };
        let (from, to) = window.passed(began.max(now - FORGOTTEN), now);
        let walls = self.zone.walls(from, to);
        let session = self.scope.session;
        let sessions = enqueue::sessions_without_rows(db, &walls, session)?;
        if sessions.is_empty() {
            return Ok(Vec::new());
        }
        let skip = legacy::reminded(db, &walls, session, &window, self.zone)?;
        let (lead_minutes, near_minutes) = (window.lead_minutes(), window.width_minutes());
        let passed = |id: i64| Due {
            lead_minutes,
            near_minutes,
            walls: walls.clone(),
            session: Some(id),
            skip: Vec::new(),
        };
        Ok(sessions
            .into_iter()
            .filter(|id| !skip.contains(id))
            .map(passed)
            .collect())
    }
}

/// Whether there is anything to do. Reads only, and as little as possible: this is all that an idle minute costs.
pub fn anything_due(db: &mut Db, pass: &Pass) -> QueryResult<bool> {
    if ledger::has_open_rows(db)? {
        return Ok(true);
    }
    let (now, channels) = (pass.clock.now(), pass.channels());
    for window in pass.windows() {
        let due = pass.due(db, &window, now)?;
        if let Some(why) = pass.off(Channel::Mail)
            && pass.scope.includes(Channel::Mail)
            && enqueue::any(db, &due, &[Channel::Mail])?
        {
            warn!("reminders are due, but no mail is sent: the mail channel is off ({why})");
        }
        if enqueue::any(db, &due, &channels)? {
            return Ok(true);
        }
    }
    Ok(!pass.overlooked(db, now)?.is_empty())
}

/// Does everything that is due.
pub fn run(db: &mut Db, pass: &Pass) -> Result<Summary> {
    let mut channels = Channels::default();
    prepare(db, pass, &mut channels).context("could not enqueue what is due")?;
    let told = deliver(db, pass, &mut channels)?;
    update_log(db, pass, &told).context("could not update session_reminder_logs")?;
    Ok(Summary::new(channels, pass))
}

/// Brings the ledger up to now, in one transaction.
fn prepare(db: &mut Db, pass: &Pass, channels: &mut Channels) -> QueryResult<()> {
    let tallies = db::write(db, |db| {
        let now = pass.clock.now();
        let mut tallies = Vec::new();
        for channel in pass.looked_after() {
            tallies.push((channel, recover(db, pass, channel, now)?));
        }
        for window in pass.windows() {
            let due = pass.due(db, &window, now)?;
            for channel in pass.channels() {
                let enqueued = enqueue::insert(db, &due, channel, now)?;
                tallies.push((
                    channel,
                    Tally {
                        enqueued,
                        ..Tally::default()
                    },
                ));
            }
        }
        legacy::announce(db, pass.legacy_lead(), pass.zone, now)?;
        for passed in pass.overlooked(db, now)? {
            for channel in pass.channels() {
                let missed = enqueue::insert_missed(db, &passed, channel, now)?;
                tallies.push((
                    channel,
                    Tally {
                        missed,
                        ..Tally::default()
                    },
                ));
            }
        }
        for channel in pass.looked_after() {
            tallies.push((channel, take::cancel_gone(db, pass, channel, now)?));
            let missed = close::miss_started(db, channel, &pass.scope, pass.zone, now)?;
            tallies.push((
                channel,
                Tally {
                    missed,
                    ..Tally::default()
                },
            ));
        }
        Ok(tallies)
    })?;
    for (channel, tally) in tallies {
        report_losses(channel, &tally);
        channels.of(channel).add(tally);
    }
    Ok(())
}

fn recover(db: &mut Db, pass: &Pass, channel: Channel, now: DateTime<Utc>) -> QueryResult<Tally> {
    let in_doubt = pass.config.reminder.in_doubt;
    let recovered = close::recover(db, channel, &pass.scope, in_doubt, pass.zone, now)?;
    if recovered.again > 0 {
        warn!(
            "{} mails of a pass that died are sent again, under the same Message-ID",
            recovered.again
        );
    }
    Ok(Tally {
        unknown: recovered.unknown,
        ..Tally::default()
    })
}

fn report_losses(channel: Channel, tally: &Tally) {
    if tally.missed > 0 {
        warn!("{}: {} reminders were missed", channel.name(), tally.missed);
    }
    if tally.unknown > 0 {
        warn!(
            "{}: {} reminders of a pass that died are in doubt and kept as unknown: look whether they were sent",
            channel.name(),
            tally.unknown
        );
    }
}

/// The session starts that somebody was told of with the lead that Laravel's log knows.
type Told = BTreeSet<(i64, NaiveDateTime)>;

/// Lets both channels work, each in its own thread with its own connection to the database, so that neither waits for
/// the other. While they work, every minute brings what has become due meanwhile.
fn deliver(db: &mut Db, pass: &Pass, channels: &mut Channels) -> Result<Told> {
    let transports = transports(pass, channels);
    let config = pass.config;
    let folder = config.reminder.templates.as_deref();
    let renderer = Renderer::new(&config.app, config.reminder.locale, folder, pass.zone.0)?;
    let mut told = Told::new();
    thread::scope(|threads| {
        let (ended, endings) = mpsc::channel();
        let mut idle: Vec<Channel> = transports.iter().map(Transport::channel).collect();
        let mut working = 0;
        loop {
            for transport in &transports {
                let channel = transport.channel();
                if idle.contains(&channel) && may_start(db, pass, channels.of(channel), channel)? {
                    idle.retain(|other| *other != channel);
                    start(threads, pass, transport, &renderer, ended.clone())?;
                    working += 1;
                }
            }
            if working == 0 {
                return Ok(told);
            }
            match endings.recv_timeout(ROUND) {
                Ok((channel, report)) => {
                    working -= 1;
                    if report.tally.stopped.is_none() {
                        idle.push(channel);
                    }
                    channels.of(channel).add(report.tally);
                    told.extend(report.told);
                }
                Err(_) => prepare(db, pass, channels)?,
            }
        }
    })
}

/// The means of delivery of every channel that can work; what keeps the others from it is noted.
fn transports<'a>(pass: &Pass<'a>, channels: &mut Channels) -> Vec<Transport<'a>> {
    let mut transports = Vec::new();
    let broken = |problems: &[config::Problem]| format!("{} settings are wrong", problems.len());
    match &pass.config.mail {
        config::Channel::On(mail) => transports.push(Transport::Mail(mail)),
        config::Channel::Broken(problems) => channels
            .of(Channel::Mail)
            .stop(Exit::Config, broken(problems)),
        config::Channel::Off(_) => {}
    }
    match &pass.config.whatsapp {
        config::Channel::On(whatsapp) => {
            transports.push(Transport::Whatsapp(
                whatsapp,
                whatsapp::Client::new(whatsapp),
            ));
        }
        config::Channel::Broken(problems) => channels
            .of(Channel::Whatsapp)
            .stop(Exit::Config, broken(problems)),
        config::Channel::Off(_) => {}
    }
    transports.retain(|transport| pass.scope.includes(transport.channel()));
    transports
}

/// Whether a channel has work, and is not held back after it broke down.
fn may_start(db: &mut Db, pass: &Pass, tally: &mut Tally, channel: Channel) -> QueryResult<bool> {
    let now = pass.clock.now();
    if let Some(reason) = ledger::held(db, channel, now)? {
        tally.stop(Exit::TryLater, reason);
        return Ok(false);
    }
    Ok(!pass.budget.is_empty() && ledger::claim::count(db, channel, &pass.scope, now)? > 0)
}

fn start<'scope, 'a: 'scope>(
    threads: &'scope Threads<'scope, '_>,
    pass: &'scope Pass<'a>,
    transport: &'scope Transport<'a>,
    renderer: &'scope Renderer,
    ended: Sender<(Channel, Report)>,
) -> Result<()> {
    let db = db::open(&pass.config.database)?;
    threads.spawn(move || {
        let report = drain::run(db, pass, transport, renderer);
        // A pass that has gone wrong meanwhile no longer counts.
        let _ = ended.send((transport.channel(), report));
    });
    Ok(())
}

fn update_log(db: &mut Db, pass: &Pass, told: &Told) -> QueryResult<()> {
    if told.is_empty() {
        return Ok(());
    }
    let now = pass.clock.now();
    db::write(db, |db| {
        legacy::update_counts(db, told, pass.legacy_lead(), pass.zone, now)
    })
}

//! One pass: what a dead pass left, what is due now, what can no longer be told; then both channels side by side.

mod account;
mod budget;
mod drain;
pub mod dry_run;
pub mod line;
mod lines;
pub mod prepare;
mod roster;
pub mod summary;
mod take;
pub mod window;

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{self, Sender},
    thread::{self, Builder, Scope as Threads},
    time::Duration,
};

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::QueryResult;
use indicatif::{ProgressBar, ProgressDrawTarget};
use log::{info, warn};

pub use self::budget::Budget;
use self::{
    drain::Report,
    line::Transport,
    summary::{Channels, Summary, Tally},
    window::Window,
};
use crate::{
    config::{self, Config},
    db::{self, Db},
    exit::{self, Exit},
    ledger::{self, Channel, Scope, enqueue},
    legacy,
    message::Renderer,
    time::{Clock, Zone},
    whatsapp,
};

/// A long pass looks for new work this often.
const ROUND: Duration = Duration::from_secs(60);

/// Fewer deliveries than this are done before a person could watch them.
const WORTH_A_BAR: u64 = 100;

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

impl Pass<'_> {
    /// The channels that get rows: those that are configured, also when their settings are broken, since somebody will
    /// mend them.
    pub fn channels(&self) -> Vec<Channel> {
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

    /// Whether a channel's settings are wrong.
    pub fn is_broken(&self, channel: Channel) -> bool {
        let (mail, whatsapp) = (&self.config.mail, &self.config.whatsapp);
        match channel {
            Channel::Mail => matches!(mail, config::Channel::Broken(_)),
            Channel::Whatsapp => matches!(whatsapp, config::Channel::Broken(_)),
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

    /// The starts that are due with the shortest lead when the pass begins.
    pub fn window(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        let now = self.clock.start();
        self.windows()
            .last()
            .map_or((now, now), |window| window.starts(now))
    }
}

/// Whether there is anything to do. Reads only, and as little as possible: this is all that an idle minute costs.
pub fn anything_due(db: &mut Db, pass: &Pass) -> QueryResult<bool> {
    if ledger::has_open_rows(db)? {
        return Ok(true);
    }
    let (now, channels) = (pass.clock.now(), pass.channels());
    for window in pass.windows() {
        let due = prepare::due(db, pass, &window, now)?;
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
    Ok(!prepare::overlooked(db, pass, now)?.is_empty())
}

/// Does everything that is due.
pub fn run(db: &mut Db, pass: &Pass) -> Result<Summary> {
    for redirected in summary::redirected(pass) {
        warn!("{redirected}, and not to the participants");
    }
    if let Some(half) = summary::half_redirected(pass) {
        warn!("{half}");
    }
    if pass.config.reminder.corrections {
        warn!("REMINDER_CORRECTIONS=on: this version does not send corrections yet");
    }
    let mut channels = Channels::default();
    prepare::run(db, pass, &mut channels).context("could not enqueue what is due")?;
    let told = deliver(db, pass, &mut channels)?;
    pass.bar.finish_and_clear();
    update_log(db, pass, &told).context("could not update session_reminder_logs")?;
    Ok(Summary::new(channels, pass))
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
    show_progress(db, pass)?;
    thread::scope(|threads| {
        let (ended, endings) = mpsc::channel();
        let all: Vec<Channel> = transports.iter().map(Transport::channel).collect();
        let (mut ready, mut working) = (all.clone(), Vec::new());
        loop {
            for transport in &transports {
                let channel = transport.channel();
                if !ready.contains(&channel) || working.contains(&channel) {
                    continue;
                }
                let tally = channels.of(channel);
                match start(threads, db, pass, tally, transport, &renderer, &ended) {
                    Ok(true) => working.push(channel),
                    Ok(false) => {}
                    Err(error) => {
                        warn!("{} could not start: {error:#}", channel.name());
                        tally.stop(exit::of(&error), format!("{error:#}"));
                        ready.retain(|other| *other != channel);
                    }
                }
            }
            if working.is_empty() {
                return Ok(told);
            }
            match endings.recv_timeout(ROUND) {
                Ok((channel, report)) => {
                    working.retain(|other| *other != channel);
                    // One that found nothing waits for the next round: what seems to wait is being claimed by another host.
                    if report.tally.stopped.is_some() || report.tally.is_empty() {
                        ready.retain(|other| *other != channel);
                    }
                    channels.of(channel).add(report.tally);
                    told.extend(report.told);
                }
                Err(_) => {
                    if let Err(error) = prepare::run(db, pass, channels) {
                        warn!("could not look for what has become due meanwhile: {error}");
                    }
                    ready.clone_from(&all);
                    ready.retain(|channel| channels.of(*channel).stopped.is_none());
                }
            }
        }
    })
}

/// A bar on the terminal, where there is much to do and somebody watches.
fn show_progress(db: &mut Db, pass: &Pass) -> QueryResult<()> {
    let mut waiting = 0;
    for channel in pass.channels() {
        waiting += ledger::claim::count(db, channel, &pass.scope, pass.clock.now())?;
    }
    pass.bar.set_length(waiting.unsigned_abs());
    if pass.show_progress && waiting.unsigned_abs() >= WORTH_A_BAR {
        pass.bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    Ok(())
}

/// The means of delivery of every channel that can work; what keeps the others from it is noted.
fn transports<'a>(pass: &Pass<'a>, channels: &mut Channels) -> Vec<Transport<'a>> {
    let mut transports = Vec::new();
    let broken = |problems: &[config::Problem]| {
        let names = problems.iter().map(|problem| problem.variable.as_str());
        format!("wrong settings: {}", names.collect::<Vec<_>>().join(", "))
    };
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
    let database = &pass.config.database;
    if let Some(reason) = db::again(db, database, |db| ledger::held(db, channel, now))? {
        info!("{}: {reason}", channel.name());
        tally.stop(Exit::TryLater, reason);
        return Ok(false);
    }
    Ok(!pass.budget.is_empty() && ledger::claim::count(db, channel, &pass.scope, now)? > 0)
}

/// Lets a channel work, if there is something to do; false where there is not.
fn start<'scope, 'a: 'scope>(
    threads: &'scope Threads<'scope, '_>,
    db: &mut Db,
    pass: &'scope Pass<'a>,
    tally: &mut Tally,
    transport: &'scope Transport<'a>,
    renderer: &'scope Renderer,
    ended: &Sender<(Channel, Report)>,
) -> Result<bool> {
    if !may_start(db, pass, tally, transport.channel())? {
        return Ok(false);
    }
    let (db, ended) = (db::open(&pass.config.database)?, ended.clone());
    let work = move || {
        let run = || drain::run(db, pass, transport, renderer);
        let report = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Report::of_bug());
        // A pass that has gone wrong meanwhile no longer counts.
        let _ = ended.send((transport.channel(), report));
    };
    let started = Builder::new().spawn_scoped(threads, work);
    started.context("the host allows no more threads")?;
    Ok(true)
}

fn update_log(db: &mut Db, pass: &Pass, told: &Told) -> QueryResult<()> {
    if told.is_empty() {
        return Ok(());
    }
    let now = pass.clock.now();
    db::again(db, &pass.config.database, |db| {
        db::write(db, |db| {
            legacy::update_counts(db, told, pass.legacy_lead(), pass.zone, now)
        })
    })
}

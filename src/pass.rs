//! One pass: what a dead pass left, what is due now, what can no longer be told; then both channels side by side.
//!
//! ```text
//! due        what is due and what was overlooked;  window  when that is;  dry_run  what a pass would do
//! prepare    what is due gets its rows, and what has changed its corrections (correct)
//! deliver    a thread for each channel
//! drain      a channel's coordinator: takes the next rows (take, roster, budget), has them delivered, records them
//!            (account)
//! lines      a thread for each connection: a line, fed from jobs; by mail a post;  breaker  when to stop the channel
//! wait       what keeps a message from being sent now, and whether that takes too long
//! follow_up  what Twilio says later;  opt_out  who has told it to stop;  summary  what the pass did
//! ```

mod account;
pub mod again;
mod breaker;
pub mod budget;
pub mod correct;
mod deliver;
mod drain;
pub mod dry_run;
pub mod due;
mod follow_up;
mod jobs;
pub mod line;
mod lines;
#[cfg(test)]
#[cfg(feature = "sqlite")]
mod model;
mod opt_out;
mod post;
mod prepare;
mod roster;
pub mod summary;
pub mod take;
pub mod wait;
pub mod window;

use std::sync::{Arc, atomic::AtomicBool};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use diesel::QueryResult;
use indicatif::ProgressBar;
use log::warn;

pub use self::budget::Budget;
use self::{
    deliver::Told,
    summary::{Channels, Summary},
    window::Window,
};
use crate::{
    config::{self, Config},
    db::{self, Db},
    interrupt::Interrupt,
    ledger::{Channel, Scope},
    legacy,
    time::{Clock, Zone},
};

/// What a pass is given.
pub struct Pass<'a> {
    pub config: &'a Config,
    pub zone: Zone,
    pub clock: Clock,
    pub scope: Scope,
    pub budget: Budget,
    /// Who claims: this process, in a name no other process has.
    pub claimant: String,
    /// Whether rows are still made while others are delivered: who finds no work waits for more.
    pub enqueues: AtomicBool,
    /// Whether a signal has asked it to end.
    pub interrupt: Interrupt,
    pub bar: ProgressBar,
    /// Somebody watches.
    pub show_progress: bool,
}

impl<'a> Pass<'a> {
    /// One that looks and claims nothing.
    pub fn to_look(config: &'a Config, zone: Zone, clock: Clock, scope: Scope) -> Self {
        Pass {
            config,
            zone,
            clock,
            scope,
            budget: Budget::new(None),
            claimant: String::new(),
            enqueues: AtomicBool::default(),
            interrupt: Interrupt::default(),
            bar: ProgressBar::hidden(),
            show_progress: false,
        }
    }
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

    /// Why a channel sends nothing, whatever is due.
    pub fn silent(&self, channel: Channel) -> Option<String> {
        let name = channel.word();
        let problems = match (channel, &self.config.mail, &self.config.whatsapp) {
            (Channel::Mail, config::Channel::Broken(problems), _) => problems,
            (Channel::Whatsapp, _, config::Channel::Broken(problems)) => problems,
            _ => {
                return self
                    .off(channel)
                    .map(|why| format!("{name} is off ({why})"));
            }
        };
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Some(format!(
            "the settings of {name} are wrong: {}",
            problems.join("; ")
        ))
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

    /// The window that Laravel's log is about.
    pub fn legacy_window(&self) -> Option<Window> {
        let mut windows = self.windows().into_iter();
        windows.find(|window| window.lead_minutes() == self.legacy_lead())
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

/// Does everything that is due.
pub fn run(db: &mut Db, pass: &Arc<Pass<'static>>) -> Result<Summary> {
    for redirected in summary::redirected(&pass.config.reminder) {
        warn!("{redirected}, and not to the participants");
    }
    if let Some(half) = summary::half_redirected(pass) {
        warn!("{half}");
    }
    let mut channels = Channels::default();
    let more = prepare::run(db, pass, &mut channels).context("could not enqueue what is due")?;
    let told = deliver::all(db, pass, more, &mut channels)?;
    pass.bar.finish_and_clear();
    if pass.interrupt.came() {
        warn!("{}", pass.interrupt.words());
    }
    if let Err(error) = update_log(db, pass, &told) {
        warn!("could not update session_reminder_logs: {error}");
    }
    Ok(Summary::new(channels, pass))
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

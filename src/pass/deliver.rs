//! Both channels side by side, each in its own thread with its own connection to the database, so that neither waits
//! for the other. While they work, every minute brings what has become due meanwhile.

mod shift;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use chrono::NaiveDateTime;
use diesel::QueryResult;
use indicatif::ProgressDrawTarget;

use self::shift::{Event, Shift};
use super::{Pass, follow_up, line::Transport, summary::Channels};
use crate::{
    config,
    db::Db,
    exit::Exit,
    interrupt::{Interrupt, LOOK},
    ledger::{self, Channel},
    message::Renderer,
    whatsapp,
};

/// A long pass looks for new work this often.
const ROUND: Duration = Duration::from_secs(60);

/// Before everything else that is due gets its rows, the channels have the database for themselves until they have
/// begun with the nearest, and no longer than this.
const START: Duration = Duration::from_millis(250);

/// Fewer deliveries than this are done before a person could watch them.
const WORTH_A_BAR: u64 = 100;

/// The session starts that somebody was told of with the lead that Laravel's log knows.
pub type Told = BTreeSet<(i64, NaiveDateTime)>;

/// Delivers what is due on both channels, and meanwhile makes the rows that are still to be made, if there are `more`.
pub fn all(
    db: &mut Db,
    pass: &Arc<Pass<'static>>,
    more: bool,
    channels: &mut Channels,
) -> Result<Told> {
    let transports = transports(pass, channels);
    let config = pass.config;
    let folder = config.reminder.templates.as_deref();
    let renderer = Renderer::new(&config.app, config.reminder.locale, folder, pass.zone.0)?;
    show_progress(db, pass)?;
    let asking = follow_up::start(db, pass, &transports)?;
    let (says, events) = mpsc::channel();
    let mut shift = Shift::new(pass, renderer, says, &transports);
    shift.expect(more);
    let mut began = Instant::now();
    loop {
        shift.begin(db, &transports, channels);
        if shift.is_over() {
            break;
        }
        let next = began + if shift.enqueues() { START } else { ROUND };
        match wait(&events, next, &pass.interrupt) {
            Some(Event::Begun) => shift.begun(),
            Some(Event::Ended(channel, report)) => shift.end(channel, report, channels),
            None if shift.enqueues() => shift.enqueue(db, channels),
            None if pass.interrupt.came() => {}
            None => {
                shift.round(db, &transports, channels);
                began = Instant::now();
            }
        }
        if shift.enqueues() && shift.have_all_begun() {
            shift.enqueue(db, channels);
        }
    }
    shift.leave(&transports, channels);
    let latest = Instant::now() + follow_up::LONGEST;
    if let Some(learnt) = asking.and_then(|asking| wait(&asking, latest, &pass.interrupt)) {
        channels.of(Channel::Whatsapp).add(learnt);
    }
    Ok(shift.told)
}

/// Waits until a channel says something, or for the next round, or until an interrupted pass waits no longer.
fn wait<T>(events: &Receiver<T>, round: Instant, interrupt: &Interrupt) -> Option<T> {
    loop {
        let over = match interrupt.came() {
            true => interrupt.is_over(),
            false => Instant::now() >= round,
        };
        match events.recv_timeout(LOOK) {
            Ok(event) => return Some(event),
            Err(_) if over => return None,
            Err(_) => {}
        }
    }
}

/// The means of delivery of the channels that can work.
type Transports = Vec<Arc<Transport<'static>>>;

/// A bar on the terminal, where there is much to do and somebody watches.
fn show_progress(db: &mut Db, pass: &Pass) -> QueryResult<()> {
    if !pass.show_progress {
        return Ok(());
    }
    let mut all = pass.bar.position();
    for channel in pass.channels() {
        let waiting = ledger::claim::count(db, channel, &pass.scope, pass.clock.now())?;
        all += waiting.unsigned_abs();
    }
    pass.bar.set_length(all);
    if all >= WORTH_A_BAR {
        pass.bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    Ok(())
}

/// The means of delivery of every channel that can work; what keeps the others from it is noted.
fn transports(pass: &Pass<'static>, channels: &mut Channels) -> Transports {
    let mut transports = Vec::new();
    match &pass.config.mail {
        config::Channel::On(mail) => transports.push(Transport::Mail(mail)),
        config::Channel::Broken(problems) => channels
            .of(Channel::Mail)
            .stop(Exit::Config, config::wrong_settings(problems)),
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
            .stop(Exit::Config, config::wrong_settings(problems)),
        config::Channel::Off(_) => {}
    }
    transports.retain(|transport| pass.scope.includes(transport.channel()));
    transports.into_iter().map(Arc::new).collect()
}

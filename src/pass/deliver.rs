//! Both channels side by side, each in its own thread with its own connection to the database, so that neither waits for
//! the other. While they work, every minute brings what has become due meanwhile.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{self, Receiver, Sender},
    },
    thread::Builder,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use chrono::NaiveDateTime;
use diesel::QueryResult;
use indicatif::ProgressDrawTarget;
use log::{error, info, warn};

use super::{
    Pass,
    drain::{self, Report},
    follow_up,
    line::Transport,
    prepare,
    summary::{Channels, Tally},
};
use crate::{
    config,
    db::{self, Db},
    exit::{self, Exit},
    interrupt::{Interrupt, LOOK},
    ledger::{self, Channel},
    message::Renderer,
    whatsapp,
};

/// A long pass looks for new work this often.
const ROUND: Duration = Duration::from_secs(60);

/// Before everything else that is due gets its rows, the channels have the database for themselves until they have begun
/// with the nearest, and no longer than this.
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
    let mut shift = Shift {
        pass,
        renderer: Arc::new(renderer),
        says,
        begun: 0,
        ready: transports.iter().map(|one| one.channel()).collect(),
        working: Vec::new(),
        told: Told::new(),
    };
    shift.expect(more);
    let mut began = Instant::now();
    loop {
        shift.begin(db, &transports, channels);
        if shift.is_over() {
            break;
        }
        let next = began + if shift.enqueues() { START } else { ROUND };
        match wait(&events, next, &pass.interrupt) {
            Some(Event::Begun) => shift.begun += 1,
            Some(Event::Ended(channel, report)) => shift.end(channel, report, channels),
            None if shift.enqueues() => shift.enqueue(db, channels),
            None if pass.interrupt.came() => {}
            None => {
                shift.round(db, &transports, channels);
                began = Instant::now();
            }
        }
        if shift.enqueues() && shift.begun >= shift.working.len() {
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

/// What a channel says.
enum Event {
    /// It has taken up its first rows.
    Begun,
    Ended(Channel, Report),
}

/// Who works.
struct Shift<'a> {
    pass: &'a Arc<Pass<'static>>,
    renderer: Arc<Renderer>,
    says: Sender<Event>,
    /// How many channels have taken up their first rows.
    begun: usize,
    /// The channels that may begin, as soon as there is something to do.
    ready: Vec<Channel>,
    working: Vec<Channel>,
    told: Told,
}

impl Shift<'_> {
    /// Lets every channel begin that may and has something to do.
    fn begin(&mut self, db: &mut Db, transports: &Transports, channels: &mut Channels) {
        if self.pass.interrupt.came() {
            return;
        }
        for transport in transports {
            let channel = transport.channel();
            if !self.ready.contains(&channel) || self.working.contains(&channel) {
                continue;
            }
            let tally = channels.of(channel);
            match self.start(db, transport, tally) {
                Ok(true) => self.working.push(channel),
                Ok(false) => {}
                Err(error) => {
                    warn!("{} could not start: {error:#}", channel.name());
                    tally.stop(exit::of(&error), format!("{error:#}"));
                    self.ready.retain(|other| *other != channel);
                }
            }
        }
    }

    /// False where there is nothing to do.
    fn start(
        &self,
        db: &mut Db,
        transport: &Arc<Transport<'static>>,
        tally: &mut Tally,
    ) -> Result<bool> {
        if !may_start(db, self.pass, tally, transport.channel())? {
            return Ok(false);
        }
        let db = db::open(&self.pass.config.database)?;
        let (pass, renderer) = (Arc::clone(self.pass), Arc::clone(&self.renderer));
        let (transport, says) = (Arc::clone(transport), self.says.clone());
        let work = move || {
            // A pass that has gone wrong meanwhile no longer listens.
            let say = |event| drop(says.send(event));
            let begun = || say(Event::Begun);
            let run = || drain::run(db, &pass, &transport, &renderer, &begun);
            let report = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Report::of_bug());
            say(Event::Ended(transport.channel(), report));
        };
        // Not scoped: one that hangs must not keep an interrupted pass from its end.
        let started = Builder::new().spawn(work);
        started.context("the host allows no more threads")?;
        Ok(true)
    }

    /// Whether there are reminders that still are to get their rows. Those that an interrupted pass leaves get them from the
    /// next one.
    fn enqueues(&self) -> bool {
        self.pass.enqueues.load(Ordering::Acquire) && !self.pass.interrupt.came()
    }

    /// Lets those who deliver know whether there will be more.
    fn expect(&self, more: bool) {
        self.pass.enqueues.store(more, Ordering::Release);
    }

    /// Nobody works, and there will be no more work; or an interrupted pass waits no longer.
    fn is_over(&self) -> bool {
        self.working.is_empty() && !self.enqueues() || self.pass.interrupt.is_over()
    }

    /// Makes the rows that are still to be made.
    fn enqueue(&self, db: &mut Db, channels: &mut Channels) {
        let made = prepare::enqueue_rest(db, self.pass, channels);
        self.expect(false);
        if let Err(error) = made.and_then(|()| show_progress(db, self.pass)) {
            error!("could not enqueue all that is due: {error}");
            for channel in self.pass.channels() {
                let tally = channels.of(channel);
                tally.exit = tally.exit.max(Some(Exit::TryLater));
            }
        }
    }

    /// A channel has done what it could.
    fn end(&mut self, channel: Channel, report: Report, channels: &mut Channels) {
        self.working.retain(|other| *other != channel);
        // One that found nothing waits for the next round: what seems to wait is being claimed by another host.
        if report.tally.stopped.is_some() || report.tally.is_empty() {
            self.ready.retain(|other| *other != channel);
        }
        channels.of(channel).add(report.tally);
        self.told.extend(report.told);
    }

    /// A minute has passed.
    fn round(&mut self, db: &mut Db, transports: &Transports, channels: &mut Channels) {
        match prepare::run(db, self.pass, channels) {
            Ok(more) => self.expect(more),
            Err(error) => warn!("could not look for what has become due meanwhile: {error}"),
        }
        let all = transports.iter().map(|one| one.channel());
        self.ready = all
            .filter(|channel| channels.of(*channel).stopped.is_none())
            .collect();
    }

    /// An interrupted pass has left work behind, or might have: the next one looks.
    fn leave(&self, transports: &Transports, channels: &mut Channels) {
        if !self.pass.interrupt.came() {
            return;
        }
        for transport in transports {
            let tally = channels.of(transport.channel());
            let words = tally.stopped.take();
            let words = words.unwrap_or_else(|| self.pass.interrupt.words());
            tally.stop(Exit::TryLater, words);
        }
    }
}

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
    transports.into_iter().map(Arc::new).collect()
}

/// Whether a channel has work, and is not held back after it broke down.
fn may_start(db: &mut Db, pass: &Pass, tally: &mut Tally, channel: Channel) -> QueryResult<bool> {
    let now = pass.clock.now();
    let database = &pass.config.database;
    if let Some(hold) = db::again(db, database, |db| ledger::held(db, channel, now))? {
        let reason = hold.describe(pass.zone);
        info!("{}: {reason}", channel.name());
        tally.stop(Exit::TryLater, reason);
        return Ok(false);
    }
    Ok(!pass.budget.is_empty() && ledger::claim::count(db, channel, &pass.scope, now)? > 0)
}

//! The channels that work, those that may begin, and what is enqueued meanwhile.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering, mpsc::Sender},
    thread::Builder,
};

use anyhow::{Context, Result};
use diesel::QueryResult;
use log::{error, info, warn};

use super::{Told, Transports, show_progress};
use crate::{
    db::{self, Db},
    exit::{self, Exit},
    ledger::{self, Channel},
    message::Renderer,
    pass::{
        Pass,
        drain::{self, Report},
        line::Transport,
        prepare,
        summary::{Channels, Tally},
        wait::Wait,
    },
};

/// What a channel says.
pub enum Event {
    /// It has taken up its first rows.
    Begun,
    Ended(Channel, Report),
}

/// Who works.
pub struct Shift<'a> {
    pass: &'a Arc<Pass<'static>>,
    renderer: Arc<Renderer>,
    says: Sender<Event>,
    /// How many channels have taken up their first rows.
    begun: usize,
    /// The channels that may begin, as soon as there is something to do.
    ready: Vec<Channel>,
    working: Vec<Channel>,
    pub told: Told,
}

impl<'a> Shift<'a> {
    pub fn new(
        pass: &'a Arc<Pass<'static>>,
        renderer: Renderer,
        says: Sender<Event>,
        transports: &Transports,
    ) -> Self {
        Self {
            pass,
            renderer: Arc::new(renderer),
            says,
            begun: 0,
            ready: transports.iter().map(|one| one.channel()).collect(),
            working: Vec::new(),
            told: Told::new(),
        }
    }

    /// Lets every channel begin that may and has something to do.
    pub fn begin(&mut self, db: &mut Db, transports: &Transports, channels: &mut Channels) {
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

    /// Whether there are reminders that still are to get their rows. Those that an interrupted pass leaves get them
    /// from the next one.
    pub fn enqueues(&self) -> bool {
        self.pass.enqueues.load(Ordering::Acquire) && !self.pass.interrupt.came()
    }

    /// Lets those who deliver know whether there will be more.
    pub fn expect(&self, more: bool) {
        self.pass.enqueues.store(more, Ordering::Release);
    }

    /// Nobody works, and there will be no more work; or an interrupted pass waits no longer.
    pub fn is_over(&self) -> bool {
        self.working.is_empty() && !self.enqueues() || self.pass.interrupt.is_over()
    }

    /// Makes the rows that are still to be made.
    pub fn enqueue(&self, db: &mut Db, channels: &mut Channels) {
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

    /// A channel has taken up its first rows.
    pub fn begun(&mut self) {
        self.begun += 1;
    }

    /// Whether there is nothing left to wait for before everything else that is due gets its rows.
    pub fn have_all_begun(&self) -> bool {
        self.begun >= self.working.len()
    }

    /// A channel has done what it could.
    pub fn end(&mut self, channel: Channel, report: Report, channels: &mut Channels) {
        self.working.retain(|other| *other != channel);
        // One that found nothing waits for the next round: what seems to wait is being claimed by another host.
        if report.tally.stopped.is_some() || report.tally.is_empty() {
            self.ready.retain(|other| *other != channel);
        }
        channels.of(channel).add(report.tally);
        self.told.extend(report.told);
    }

    /// A minute has passed.
    pub fn round(&mut self, db: &mut Db, transports: &Transports, channels: &mut Channels) {
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
    pub fn leave(&self, transports: &Transports, channels: &mut Channels) {
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

/// Whether a channel has work, and is not held back after it broke down.
fn may_start(db: &mut Db, pass: &Pass, tally: &mut Tally, channel: Channel) -> QueryResult<bool> {
    let now = pass.clock.now();
    let database = &pass.config.database;
    if let Some(hold) = db::again(db, database, |db| ledger::held(db, channel, now))? {
        let reason = Wait::Hold(&hold).describe(pass.zone);
        info!("{}: {reason}", channel.name());
        tally.stop(Exit::TryLater, reason);
        return Ok(false);
    }
    Ok(!pass.budget.is_empty() && ledger::claim::count(db, channel, &pass.scope, now)? > 0)
}

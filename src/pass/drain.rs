//! One channel's work: claim a few rows, let the lines deliver them, record what became of them and claim the next, in
//! one transaction; never one open while a message is on its way.
//!
//! One thread coordinates and is the only one to touch the database; each line has a thread. Never more than two rows per
//! line are claimed, one on its way and one ready, so that a crash leaves at most that many in doubt.

mod closing;
mod overdue;
mod winding_up;

use std::{
    collections::BTreeSet,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use chrono::NaiveDateTime;
use log::{Level, info, log, warn};

use self::{overdue::Awake, winding_up::same};
use super::{
    Pass,
    account::{self, Finished},
    budget,
    line::{Job, Transport},
    lines::{Event, Lines},
    opt_out,
    roster::Roster,
    summary::Tally,
    take,
};
use crate::{
    db::{self, Db},
    exit::Exit,
    interrupt::LOOK,
    ledger::{self, Channel, Stop, claim},
    message::Renderer,
    outcome::{Fault, Outcome},
};

/// A pass takes no new work after this.
const LONGEST: Duration = Duration::from_secs(600);

/// How often a record is tried when the database refuses, a second apart, on top of the wait for its lock.
const RECORD_TRIES: u32 = 10;

/// How long the lines may take to close: a mail server is asked to say goodbye for 3 seconds.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a channel did.
#[derive(Default)]
pub struct Report {
    pub tally: Tally,
    /// The session starts that somebody was told of with the lead that Laravel's log knows.
    pub told: BTreeSet<(i64, NaiveDateTime)>,
    /// Whether a line is not waited for any more.
    hung: bool,
}

impl Report {
    /// For a channel whose thread has died.
    pub fn of_bug() -> Self {
        let mut report = Self::default();
        report
            .tally
            .stop(Exit::TryLater, "the program failed in the middle of it");
        report
    }
}

/// Delivers what is due on `channel` until nothing is left, the channel breaks down, a signal comes or the pass's time is
/// over. Says when it has `begun`.
pub fn run(
    mut db: Db,
    pass: &Arc<Pass<'static>>,
    transport: &Arc<Transport<'static>>,
    renderer: &Arc<Renderer>,
    begun: &dyn Fn(),
) -> Report {
    let last_stop = ledger::last_stop(&mut db, transport.channel()).unwrap_or_default();
    let (to_coordinator, events) = mpsc::channel();
    let lines = Lines {
        pass: Arc::clone(pass),
        transport: Arc::clone(transport),
        renderer: Arc::clone(renderer),
        jobs: Arc::default(),
        events: to_coordinator,
        stop: Arc::default(),
        breaker: Arc::default(),
    };
    let mut coordinator = Coordinator {
        db: &mut db,
        pass,
        channel: transport.channel(),
        transport,
        stop: Arc::clone(&lines.stop),
        open: 0,
        opening: 0,
        awake: Awake::default(),
        outstanding: Vec::new(),
        roster: Roster::default(),
        finished: Vec::new(),
        fault: None,
        last_stop,
        database: None,
        left_before: 0,
        begun: Some(begun),
        report: Report::default(),
    };
    coordinator.left_before = coordinator.left_of_the_day().unwrap_or_default();
    let report = coordinator.work(&lines, &events);
    lines.jobs.close();
    drop(lines);
    if !report.hung {
        see_off(pass, &events);
    }
    report
}

/// Waits until the lines have closed, but not for ever.
fn see_off(pass: &Pass, events: &Receiver<Event>) {
    let end = Instant::now() + FAREWELL;
    while !pass.interrupt.came() && Instant::now() < end {
        if let Err(RecvTimeoutError::Disconnected) = events.recv_timeout(LOOK) {
            return;
        }
    }
}

/// A job that both its line and the coordinator know.
type Shared = Arc<Job>;

struct Coordinator<'a> {
    db: &'a mut Db,
    pass: &'a Pass<'a>,
    channel: Channel,
    transport: &'a Transport<'a>,
    stop: Arc<AtomicBool>,
    /// Lines that are open, and lines that are being opened.
    open: usize,
    opening: usize,
    awake: Awake,
    /// Jobs that the lines have.
    outstanding: Vec<Shared>,
    roster: Roster,
    /// Jobs that came back and are not yet recorded.
    finished: Vec<Finished>,
    /// Why the channel takes no more work.
    fault: Option<Fault>,
    /// How the channel stopped last, where its rows still wait for that.
    last_stop: Option<Stop>,
    database: Option<diesel::result::Error>,
    /// What the limit of the day left when the work began.
    left_before: usize,
    /// To be told when the first rows are taken up.
    begun: Option<&'a dyn Fn()>,
    report: Report,
}

impl<'a> Coordinator<'a> {
    fn work(mut self, lines: &Lines, events: &Receiver<Event>) -> Report {
        // One line first: when the server refuses the login, it is asked once and not by every line.
        self.open_lines(1, lines);
        let mut first = true;
        loop {
            if self.opening + self.outstanding.len() > 0 {
                self.wait(events);
            }
            let interrupted = self.pass.interrupt.came();
            if interrupted {
                self.wind_up(&lines.jobs);
            }
            self.look_for_overdue(&lines.jobs);
            // Asked first: what is enqueued after this is looked for once more.
            let enqueues = self.awaits_rows();
            if first
                && self.open == 1
                && let Some(more) = self.more_lines(enqueues)
            {
                self.open_lines(more, lines);
                first = false;
            }
            let claimed = self.exchange();
            let opened = self.open > 0 || self.opening == 0 || interrupted || self.report.hung;
            let idle = claimed.is_empty() && self.outstanding.is_empty() && opened;
            if !claimed.is_empty()
                && let Some(begun) = self.begun.take()
            {
                begun();
            }
            let jobs: Vec<Shared> = claimed.into_iter().map(Arc::new).collect();
            self.outstanding.extend(jobs.iter().cloned());
            lines.jobs.put(jobs.into_iter());
            if idle && !enqueues {
                return self.finish();
            }
            if idle {
                thread::sleep(LOOK);
            }
        }
    }

    /// Whether there may soon be rows that this channel could take.
    fn awaits_rows(&self) -> bool {
        self.pass.enqueues.load(Ordering::Acquire)
            && !self.is_halted()
            && !self.report.hung
            && !self.pass.budget.is_empty()
    }

    fn open_lines(&mut self, count: usize, lines: &Lines) {
        self.opening += count;
        (0..count).for_each(|_| lines.open());
    }

    /// As many lines as there is work for, beside the first; `None` while there may be work for more.
    fn more_lines(&mut self, enqueues: bool) -> Option<usize> {
        let (lines, waiting) = (self.transport.lines(), self.waiting());
        let known = waiting >= lines || !enqueues;
        known.then(|| lines.min(waiting).saturating_sub(1))
    }

    fn waiting(&mut self) -> usize {
        let waiting = claim::count(
            self.db,
            self.channel,
            &self.pass.scope,
            self.pass.clock.now(),
        );
        waiting.map_or(0, |count| usize::try_from(count).unwrap_or(0))
    }

    /// Waits for an event, and takes all that have come meanwhile; not long when a signal has come or a delivery
    /// takes too long.
    fn wait(&mut self, events: &Receiver<Event>) {
        let mut first = events.recv_timeout(LOOK).ok();
        self.awake.look();
        while first.is_none() && !self.pass.interrupt.came() && !self.is_overdue() {
            first = events.recv_timeout(LOOK).ok();
            self.awake.look();
        }
        for event in first.into_iter().chain(events.try_iter()) {
            self.note(event);
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Opened => {
                self.opening -= 1;
                self.open += 1;
            }
            Event::Refused(fault) => {
                self.opening -= 1;
                // A further line that is refused (a limit on connections) leaves the channel with those it has.
                if self.open == 0 {
                    self.stop(fault);
                } else {
                    info!(
                        "{} goes on with {} lines: {fault}",
                        self.channel.name(),
                        self.open
                    );
                }
            }
            Event::Done(job, outcome) => self.done(job, outcome),
            Event::Stopped(fault) => self.stop(fault),
            Event::Untouched(job) => self.take_back(&job),
        }
    }

    /// The answer to a delivery that was given up in doubt is still the true one; what was given back never left.
    fn done(&mut self, job: Shared, outcome: Outcome) {
        self.outstanding.retain(|other| !same(other, &job));
        let earlier = self.finished.iter_mut().find(|one| same(&one.0, &job));
        match earlier {
            Some((_, None)) => {}
            Some((_, given_up)) => *given_up = Some(outcome),
            None => self.finished.push((job, Some(outcome))),
        }
    }

    fn stop(&mut self, fault: Fault) {
        self.stop.store(true, Ordering::Relaxed);
        self.fault.get_or_insert(fault);
    }

    /// Whether nothing more is to be claimed.
    fn is_halted(&self) -> bool {
        let broken = self.fault.is_some() || self.database.is_some();
        broken || self.pass.interrupt.came() || self.pass.clock.elapsed() >= LONGEST
    }

    /// How many more rows may be claimed now.
    fn room(&self) -> usize {
        if self.is_halted() {
            return 0;
        }
        (2 * self.open).saturating_sub(self.outstanding.len())
    }

    /// Records what came back and claims the next rows, in one transaction.
    fn exchange(&mut self) -> Vec<Job> {
        let room = self.pass.budget.take(self.room());
        if room == 0 && self.finished.is_empty() {
            return Vec::new();
        }
        let (pass, channel, finished) = (self.pass, self.channel, &self.finished);
        let roster = &mut self.roster;
        let (now, max_per_day) = (pass.clock.now(), self.transport.max_per_day());
        let done = db::write(self.db, |db| {
            let late = account::record(db, finished, now)?;
            let room = room.min(budget::of_the_day(db, channel, max_per_day, now)?);
            Ok((late, take::jobs(db, pass, channel, roster, room, now)?))
        });
        match done {
            Ok((late, mut taken)) => {
                if late > 0 {
                    warn!("{late} outcomes came after the leases of their rows had ended");
                }
                taken.tally.say();
                self.pass.budget.give_back(room - taken.jobs.len());
                self.report.tally.add(taken.tally);
                self.count();
                taken.jobs
            }
            Err(error) => {
                self.pass.budget.give_back(room);
                // Said once: it is tried again and again, and what is lost in the end is said then.
                let level = match self.database {
                    None => Level::Warn,
                    Some(_) => Level::Debug,
                };
                let name = self.channel.name();
                log!(
                    level,
                    "{name}: could not record and claim in the database: {error}"
                );
                self.database.get_or_insert(error);
                Vec::new()
            }
        }
    }

    /// Counts and says what has been recorded.
    fn count(&mut self) {
        for (job, outcome) in mem::take(&mut self.finished) {
            let Some(outcome) = outcome else { continue };
            let row = &job.claim.row;
            if let (Outcome::Sent { .. }, Some(wall)) = (&outcome, job.wall())
                && row.lead_minutes == self.pass.legacy_lead()
            {
                self.report.told.insert((row.session_id, wall));
            }
            if let Outcome::OptedOut(_) = outcome {
                self.roster.forget();
                opt_out::store(self.db, self.pass, row.id, row.session_id, row.user_id);
            }
            self.pass.bar.inc(1);
            account::tell(self.channel, &job, &outcome);
            account::tally(&mut self.report.tally, &outcome);
        }
    }

    fn finish(mut self) -> Report {
        for _ in 0..RECORD_TRIES {
            if self.finished.is_empty() || self.pass.interrupt.is_late() {
                break;
            }
            thread::sleep(Duration::from_secs(1));
            db::reopen(self.db, &self.pass.config.database);
            self.exchange();
        }
        self.close_channel();
        self.report
    }
}

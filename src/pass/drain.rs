//! One channel's work: claim a few rows, let the lines deliver them, record what became of them and claim the next, in
//! one transaction; never one open while a message is on its way.
//!
//! One thread coordinates and is the only one to touch the database; each line has a thread. Never more than two rows
//! per line that there may be are claimed, so that a crash leaves at most that many in doubt.

mod closing;
mod events;
mod exchange;
mod opening;
mod overdue;
mod winding_up;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use chrono::NaiveDateTime;

use self::overdue::Awake;
use super::{
    Pass,
    account::Finished,
    jobs::Jobs,
    line::{Job, Transport},
    lines::{Event, Lines},
    roster::Roster,
    summary::Tally,
};
use crate::{
    db::{self, Db},
    exit::Exit,
    interrupt::LOOK,
    ledger::{self, Channel, Stop},
    message::Renderer,
    outcome::Fault,
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

/// Delivers what is due on `channel` until nothing is left, the channel breaks down, a signal comes or the pass's time
/// is over. Says when it has `begun`.
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
        most: transport.lines(),
        open: 0,
        opening: 0,
        widened: Instant::now(),
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
    /// Lines that there may be, lines that are open, and lines that are being opened.
    most: usize,
    open: usize,
    opening: usize,
    /// When the last lines were added.
    widened: Instant,
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
        loop {
            self.hear(events, &lines.jobs);
            let interrupted = self.pass.interrupt.came();
            if interrupted {
                self.wind_up(&lines.jobs);
            }
            self.look_for_overdue(&lines.jobs);
            // Asked first: what is enqueued after this is looked for once more.
            let enqueues = self.awaits_rows();
            self.hand_out(&lines.jobs);
            self.open_more(lines);
            let opened = self.open > 0 || self.opening == 0 || interrupted || self.report.hung;
            let idle = self.outstanding.is_empty() && opened;
            if idle && !enqueues {
                return self.finish();
            }
            if idle {
                thread::sleep(LOOK);
            }
        }
    }

    /// Records what came back, and gives the lines what is claimed next: they have work before it is counted.
    fn hand_out(&mut self, queue: &Jobs) {
        let (claimed, recorded) = self.exchange();
        if !claimed.is_empty()
            && let Some(begun) = self.begun.take()
        {
            begun();
        }
        let jobs: Vec<Shared> = claimed.into_iter().map(Arc::new).collect();
        self.outstanding.extend(jobs.iter().cloned());
        queue.put(jobs.into_iter());
        self.count(recorded);
    }

    /// Whether there may soon be rows that this channel could take.
    fn awaits_rows(&self) -> bool {
        self.pass.enqueues.load(Ordering::Acquire)
            && !self.is_halted()
            && !self.report.hung
            && !self.pass.budget.is_empty()
    }

    fn finish(mut self) -> Report {
        for _ in 0..RECORD_TRIES {
            if self.finished.is_empty() || self.pass.interrupt.is_late() {
                break;
            }
            thread::sleep(Duration::from_secs(1));
            db::reopen(self.db, &self.pass.config.database);
            let (_, recorded) = self.exchange();
            self.count(recorded);
        }
        self.close_channel();
        self.report
    }
}

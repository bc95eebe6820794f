//! One channel's work: claim a few rows, let the lines deliver them, record what became of them and claim the next, in
//! one transaction; never one open while a message is on its way.
//!
//! One thread coordinates and is the only one to touch the database; each line has a thread. Never more than two rows per
//! line are claimed, one on its way and one ready, so that a crash leaves at most that many in doubt.

mod closing;

use std::{
    collections::BTreeSet,
    mem,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, Scope as Threads},
    time::Duration,
};

use chrono::NaiveDateTime;
use log::{Level, info, log, warn};

use super::{
    Pass,
    account::{self, Finished},
    budget,
    line::{Job, Transport},
    lines::{Event, Lines},
    roster::{self, Roster, Says},
    summary::Tally,
    take,
};
use crate::{
    db::{self, Db},
    exit::Exit,
    ledger::{
        self, Channel, Stop,
        claim::{self, Row},
    },
    message::Renderer,
    outcome::{Fault, LOST, Outcome},
    platform::profile,
};

/// A pass takes no new work after this.
const LONGEST: Duration = Duration::from_secs(600);

/// So many connections broken in the middle of a delivery, one after the other, and the next would be too.
const BREAKS: u32 = 3;

/// How often a record is tried when the database refuses, a second apart, on top of the wait for its lock.
const RECORD_TRIES: u32 = 10;

/// What a channel did.
#[derive(Default)]
pub struct Report {
    pub tally: Tally,
    /// The session starts that somebody was told of with the lead that Laravel's log knows.
    pub told: BTreeSet<(i64, NaiveDateTime)>,
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

/// Delivers what is due on `channel` until nothing is left, the channel breaks down or the pass's time is over.
pub fn run(mut db: Db, pass: &Pass, transport: &Transport, renderer: &Renderer) -> Report {
    let last_stop = ledger::last_stop(&mut db, transport.channel()).unwrap_or_default();
    let stop = AtomicBool::new(false);
    let (to_lines, jobs) = mpsc::channel();
    let (to_coordinator, events) = mpsc::channel();
    let jobs = Mutex::new(jobs);
    let lines = Lines {
        pass,
        transport,
        renderer,
        jobs: &jobs,
        events: to_coordinator,
        stop: &stop,
    };
    thread::scope(|threads| {
        let coordinator = Coordinator {
            db: &mut db,
            pass,
            channel: transport.channel(),
            transport,
            stop: &stop,
            open: 0,
            opening: 0,
            outstanding: 0,
            roster: Roster::default(),
            finished: Vec::new(),
            fault: None,
            last_stop,
            database: None,
            breaks: 0,
            report: Report::default(),
        };
        coordinator.work(threads, &lines, to_lines, &events)
    })
}

struct Coordinator<'a> {
    db: &'a mut Db,
    pass: &'a Pass<'a>,
    channel: Channel,
    transport: &'a Transport<'a>,
    stop: &'a AtomicBool,
    /// Lines that are open, and lines that are being opened.
    open: usize,
    opening: usize,
    /// Jobs that a line has.
    outstanding: usize,
    roster: Roster,
    /// Jobs that came back and are not yet recorded.
    finished: Vec<Finished>,
    /// Why the channel takes no more work.
    fault: Option<Fault>,
    /// How the channel stopped last, where its rows still wait for that.
    last_stop: Option<Stop>,
    database: Option<diesel::result::Error>,
    /// Connections broken since the last delivery that had an answer.
    breaks: u32,
    report: Report,
}

impl<'a> Coordinator<'a> {
    fn work<'scope>(
        mut self,
        threads: &'scope Threads<'scope, '_>,
        lines: &Lines<'scope>,
        jobs: Sender<Job>,
        events: &Receiver<Event>,
    ) -> Report {
        // One line first: when the server refuses the login, it is asked once and not by every line.
        self.open_lines(1, threads, lines);
        let mut first = true;
        loop {
            if self.opening + self.outstanding > 0 {
                self.wait(events);
            }
            if first && self.open == 1 {
                let more = self.more_lines();
                self.open_lines(more, threads, lines);
                first = false;
            }
            let claimed = self.exchange();
            self.outstanding += claimed.len();
            let idle =
                claimed.is_empty() && self.outstanding == 0 && (self.open > 0 || self.opening == 0);
            for job in claimed {
                // Cannot fail: the lines' end of it lives as long as this thread.
                let _ = jobs.send(job);
            }
            if idle {
                return self.finish();
            }
        }
    }

    fn open_lines<'scope>(
        &mut self,
        count: usize,
        threads: &'scope Threads<'scope, '_>,
        lines: &Lines<'scope>,
    ) {
        self.opening += count;
        (0..count).for_each(|_| lines.open(threads));
    }

    /// As many lines as there is work for, beside the first.
    fn more_lines(&mut self) -> usize {
        self.transport.lines().min(self.waiting()).saturating_sub(1)
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

    /// Waits for an event, and takes all that have come meanwhile.
    fn wait(&mut self, events: &Receiver<Event>) {
        // Never an error: this thread's lines hold the other end.
        let first = events.recv().ok();
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
            Event::Done(job, outcome) => {
                self.consider(&outcome);
                self.outstanding -= 1;
                self.finished.push((job, Some(outcome)));
            }
            Event::Untouched(job) => {
                self.outstanding -= 1;
                self.finished.push((job, None));
            }
        }
    }

    /// Whether an outcome speaks against the whole channel.
    fn consider(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Stopped(fault) => self.stop(fault.clone()),
            Outcome::InDoubt(fault) => self.strike(fault),
            Outcome::Retry { fault, .. } if fault.code == LOST => self.strike(fault),
            _ => self.breaks = 0,
        }
    }

    fn strike(&mut self, fault: &Fault) {
        self.breaks += 1;
        if self.breaks >= BREAKS {
            self.stop(fault.clone());
        }
    }

    fn stop(&mut self, fault: Fault) {
        self.stop.store(true, Ordering::Relaxed);
        self.fault.get_or_insert(fault);
    }

    /// How many more rows may be claimed now.
    fn room(&self) -> usize {
        let halted = self.fault.is_some() || self.database.is_some();
        if halted || self.pass.clock.elapsed() >= LONGEST {
            return 0;
        }
        (2 * self.open).saturating_sub(self.outstanding)
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
                self.clear_opt_in(row);
            }
            self.pass.bar.inc(1);
            account::tell(self.channel, &job, &outcome);
            account::tally(&mut self.report.tally, &outcome);
        }
    }

    /// The recipient has told Twilio to stop; the platform is to know. Where it cannot be told, or still says yes (its
    /// view reads something else than the profiles), the ledger remembers.
    fn clear_opt_in(&mut self, row: &Row) {
        self.roster.forget();
        let wall = self.pass.zone.wall(self.pass.clock.now());
        let cleared = profile::find(self.db, &row.user_id.to_string())
            .and_then(|found| Ok(profile::opt_out(self.db, &found, wall)?));
        let people = roster::people(self.db, std::slice::from_ref(row)).unwrap_or_default();
        if cleared.is_ok() && !people.values().any(Says::opted_in) {
            return;
        }
        let user = row.user_id;
        info!("the platform does not know that user {user} has opted out; the ledger does");
        if let Err(error) = ledger::remember_opt_out(self.db, row.id) {
            warn!("user {user} has opted out of WhatsApp, but this could not be stored: {error}");
        }
    }

    fn finish(mut self) -> Report {
        for _ in 0..RECORD_TRIES {
            if self.finished.is_empty() {
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

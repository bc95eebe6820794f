//! The lines of a channel, a thread each: they open, deliver what the coordinator gives them, and close.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender},
    },
    thread::{Builder, Scope as Threads},
};

use chrono::{DateTime, Duration, Utc};

use super::{
    Pass,
    line::{Job, Line, Transport},
};
use crate::{
    message::Renderer,
    outcome::{Fault, Outcome},
};

/// A delivery is only begun with this much of its lease left: it takes 45 seconds at most, and then must be recorded.
const LEASE_NEEDED: Duration = Duration::seconds(75);

/// The longest that a delivery takes: begun later than this before the start, it might end after it.
const DELIVERY: Duration = Duration::seconds(45);

/// What the lines tell the coordinator.
pub enum Event {
    Opened,
    Refused(Fault),
    Done(Box<Job>, Outcome),
    /// Not begun: too little of its lease is left, or the channel has stopped.
    Untouched(Box<Job>),
}

/// What every line's thread needs.
pub struct Lines<'a> {
    pub pass: &'a Pass<'a>,
    pub transport: &'a Transport<'a>,
    pub renderer: &'a Renderer,
    pub jobs: &'a Mutex<Receiver<Job>>,
    pub events: Sender<Event>,
    /// Set when the channel takes no more work.
    pub stop: &'a AtomicBool,
}

impl<'a> Lines<'a> {
    /// One line more.
    pub fn open<'scope>(&self, threads: &'scope Threads<'scope, '_>)
    where
        'a: 'scope,
    {
        let line = Lines {
            events: self.events.clone(),
            ..*self
        };
        let events = self.events.clone();
        let started = Builder::new().spawn_scoped(threads, move || line.work());
        if let Err(error) = started {
            let fault = Fault::new(
                "thread",
                format!("the host allows no more threads: {error}"),
            );
            // The coordinator is the one who calls: it listens.
            let _ = events.send(Event::Refused(fault));
        }
    }

    /// One line's life: open, deliver what comes, close. A coordinator that is gone wants no more events.
    fn work(&self) {
        let mut line = match self.transport.open() {
            Ok(line) => line,
            Err(fault) => return drop(self.events.send(Event::Refused(fault))),
        };
        let mut wanted = self.events.send(Event::Opened).is_ok();
        while wanted && let Some(job) = self.next() {
            let now = self.pass.clock.now();
            let begin = !self.stop.load(Ordering::Relaxed)
                && job.claim.lease_until - now >= LEASE_NEEDED
                && (job.doubt.is_some() || job.start - now >= DELIVERY);
            let event = if begin {
                let outcome = self.deliver(&mut line, &job, now);
                if matches!(outcome, Outcome::Stopped(_)) {
                    // Not only once the coordinator hears of it: this line has its next job already.
                    self.stop.store(true, Ordering::Relaxed);
                }
                Event::Done(Box::new(job), outcome)
            } else {
                Event::Untouched(Box::new(job))
            };
            wanted = self.events.send(event).is_ok();
        }
        line.close();
    }

    /// A mistake of ours in one delivery must neither be taken for success nor leave the pass waiting for its end.
    fn deliver(&self, line: &mut Line<'_>, job: &Job, now: DateTime<Utc>) -> Outcome {
        let deliver = || line.deliver(job, self.renderer, self.pass.config, now);
        catch_unwind(AssertUnwindSafe(deliver)).unwrap_or_else(|_| {
            self.stop.store(true, Ordering::Relaxed);
            Outcome::InDoubt(Fault::new("bug", "the program failed in the middle of it"))
        })
    }

    fn next(&self) -> Option<Job> {
        self.jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv()
            .ok()
    }
}

//! The lines of a channel, a thread each: they open, deliver what the coordinator gives them, and close.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::Sender,
    },
    thread::Builder,
    time::Instant,
};

use chrono::{DateTime, Duration, Utc};

use super::{
    Pass,
    breaker::Breaker,
    jobs::Jobs,
    line::{Desk, Job, Line, Transport},
};
use crate::{
    message::Renderer,
    outcome::{Fault, Outcome},
};

/// A delivery is only begun with this much of its lease left: it takes 45 seconds at most, and then must be recorded.
pub const LEASE_NEEDED: Duration = Duration::seconds(75);

/// The longest that a delivery takes: begun later than this before the start, it might end after it.
const DELIVERY: Duration = Duration::seconds(45);

/// What the lines tell the coordinator.
pub enum Event {
    Opened,
    Refused(Fault),
    Done(Arc<Job>, Outcome),
    /// Something that speaks against the whole channel.
    Stopped(Fault),
    /// Not begun: too little of its lease is left, or the channel has stopped.
    Untouched(Arc<Job>),
}

/// What every line's thread needs.
#[derive(Clone)]
pub struct Lines {
    pub pass: Arc<Pass<'static>>,
    pub transport: Arc<Transport<'static>>,
    pub renderer: Arc<Renderer>,
    pub jobs: Arc<Jobs>,
    pub events: Sender<Event>,
    /// Set when the channel takes no more work.
    pub stop: Arc<AtomicBool>,
    pub breaker: Arc<Mutex<Breaker>>,
}

impl Lines {
    /// One line more.
    pub fn open(&self) {
        let line = self.clone();
        let started = Builder::new().spawn(move || line.work());
        if let Err(error) = started {
            let fault = Fault::new(
                "thread",
                format!("the host allows no more threads: {error}"),
            );
            // The coordinator is the one who calls: it listens.
            let _ = self.events.send(Event::Refused(fault));
        }
    }

    /// One line's life: open, deliver what comes, close. A coordinator that is gone wants no more events.
    fn work(&self) {
        let opened = catch_unwind(AssertUnwindSafe(|| self.transport.open(self.pass.config)));
        let mut line = match opened.unwrap_or_else(|_| Err(bug())) {
            Ok(line) => line,
            Err(fault) => return drop(self.events.send(Event::Refused(fault))),
        };
        let mut wanted = self.events.send(Event::Opened).is_ok();
        // Taken before the one before it leaves, so that the two can travel together.
        let mut ahead = None;
        while wanted && let Some(job) = ahead.take().or_else(|| self.jobs.take()) {
            let turn = line.turn(&|| self.is_halted());
            let event = if turn && self.may_begin(&job) {
                let begun = *job.begun.get_or_init(Instant::now);
                let outcome = self.deliver(&mut line, &job, &mut ahead);
                Event::Done(job, self.weigh(outcome, begun))
            } else {
                Event::Untouched(job)
            };
            wanted = self.events.send(event).is_ok();
        }
        line.close();
    }

    /// A mistake of ours in one delivery must neither be taken for success nor leave the pass waiting for its end.
    fn deliver(
        &self,
        line: &mut Line<'_>,
        job: &Arc<Job>,
        ahead: &mut Option<Arc<Job>>,
    ) -> Outcome {
        let mut next = |patience| {
            *ahead = self.jobs.take_within(patience);
            let job = ahead.as_ref().filter(|job| self.may_begin(job));
            job.map(Arc::clone)
        };
        let desk = Desk {
            renderer: &self.renderer,
            config: self.pass.config,
            clock: self.pass.clock,
        };
        let deliver = || line.deliver(job, &desk, &mut next);
        catch_unwind(AssertUnwindSafe(deliver)).unwrap_or_else(|_| {
            self.halt(bug());
            Outcome::InDoubt(bug())
        })
    }

    /// The outcome as it is to be recorded, once the channel has stopped if it speaks against that.
    fn weigh(&self, outcome: Outcome, begun: Instant) -> Outcome {
        let mut breaker = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        let (outcome, why) = breaker.weigh(outcome, begun);
        if let Some(fault) = why {
            self.halt(fault);
        }
        outcome
    }

    /// Not only once the coordinator hears of it: the lines have their next jobs already.
    fn halt(&self, fault: Fault) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.events.send(Event::Stopped(fault));
    }

    /// Whether nothing more is to be begun.
    fn is_halted(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.pass.interrupt.came()
    }

    fn may_begin(&self, job: &Job) -> bool {
        !self.is_halted() && has_time(job, self.pass.clock.now())
    }
}

/// Whether a delivery begun now ends in time, for its lease and for the session. Of one in doubt it is asked first, and
/// the time is looked at again.
fn has_time(job: &Job, now: DateTime<Utc>) -> bool {
    let before_start = job.doubt.is_some() || job.start - now >= DELIVERY;
    job.claim.lease_until - now >= LEASE_NEEDED && before_start
}

fn bug() -> Fault {
    Fault::new("bug", "the program failed in the middle of it")
}

//! What the lines say: that they are open or not, and what became of their deliveries.

use std::{
    sync::{atomic::Ordering, mpsc::Receiver},
    time::Duration,
};

use log::info;

use super::{Coordinator, Shared, opening::SOON, winding_up::same};
use crate::{
    interrupt::LOOK,
    outcome::{Fault, Outcome},
    pass::{jobs::Jobs, lines::Event},
};

impl Coordinator<'_> {
    /// Waits for an event where a line may have something to say, and takes all that have come meanwhile; not long when
    /// a signal has come, a delivery takes too long, or there are too few lines.
    pub(super) fn hear(&mut self, events: &Receiver<Event>, jobs: &Jobs) {
        if self.opening + self.outstanding.len() == 0 {
            return;
        }
        let soon = self.may_open_more() && jobs.late(Duration::ZERO) > 0;
        let look = if soon { SOON } else { LOOK };
        let mut first = events.recv_timeout(look).ok();
        self.awake.look();
        while first.is_none() && !self.is_called(jobs) {
            first = events.recv_timeout(look).ok();
            self.awake.look();
        }
        for event in first.into_iter().chain(events.try_iter()) {
            self.note(event, jobs);
        }
    }

    /// Whether there is something to do though no line has said anything.
    fn is_called(&self, jobs: &Jobs) -> bool {
        self.pass.interrupt.came() || self.is_overdue() || self.lacking(jobs) > 0
    }

    fn note(&mut self, event: Event, jobs: &Jobs) {
        match event {
            Event::Opened => {
                self.opening -= 1;
                self.open += 1;
            }
            Event::Refused(fault) => {
                self.opening -= 1;
                if self.open == 0 {
                    self.stop(fault);
                } else {
                    self.do_with_fewer(jobs);
                    info!(
                        "{} goes on with {} lines: {fault}",
                        self.channel.name(),
                        self.most
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

    pub(super) fn stop(&mut self, fault: Fault) {
        self.stop.store(true, Ordering::Relaxed);
        self.fault.get_or_insert(fault);
    }
}

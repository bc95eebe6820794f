//! The end of a channel's work when a signal has come: what no line has begun is given back at once; what is still on
//! its way when its time is over is given back too where it cannot have left, and stays in doubt where it may have.

use std::{mem, sync::Arc};

use super::{Coordinator, Job, Shared};
use crate::{
    outcome::{Fault, INTERRUPTED, Outcome},
    pass::jobs::Jobs,
};

impl Coordinator<'_> {
    /// Takes back what the lines have not begun, and later what they will not end in time.
    pub(super) fn wind_up(&mut self, jobs: &Jobs) {
        self.take_back_queue(jobs);
        if self.pass.interrupt.is_late() {
            let reason = "the pass was stopped while the server had not answered";
            let fault = Fault::new(INTERRUPTED, reason);
            self.abandon(
                |_| true,
                |job| (!job.gate.shut()).then(|| Outcome::InDoubt(fault.clone())),
            );
        }
    }

    pub(super) fn take_back_queue(&mut self, jobs: &Jobs) {
        for job in jobs.take_all() {
            self.take_back(&job);
        }
    }

    /// Unless it has been given up already.
    pub(super) fn take_back(&mut self, job: &Shared) {
        let known = self.outstanding.len();
        self.outstanding.retain(|other| !same(other, job));
        if self.outstanding.len() < known {
            self.finished.push((Arc::clone(job), None));
        }
    }

    /// Waits no longer for some of the deliveries; no outcome means that the message has not left and never will.
    pub(super) fn abandon(
        &mut self,
        which: impl Fn(&Job) -> bool,
        outcome: impl Fn(&Job) -> Option<Outcome>,
    ) {
        for job in mem::take(&mut self.outstanding) {
            if which(&job) {
                let outcome = outcome(&job);
                self.finished.push((job, outcome));
            } else {
                self.outstanding.push(job);
            }
        }
    }
}

/// Whether both are the same claim.
pub(super) fn same(one: &Shared, other: &Shared) -> bool {
    Arc::ptr_eq(one, other)
}

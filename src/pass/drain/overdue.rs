//! Servers that trickle: every limit on a reply begins anew with each byte of it, so that a delivery could go on for ever. One
//! that does is given up from outside, and with it the channel; its thread is left behind, and ends with the pass.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use super::{Coordinator, Job, Jobs};
use crate::outcome::{Fault, Outcome};

/// A delivery takes 45 seconds at most, and reaching the server some 40: who takes longer than this is being trickled at.
const OVERDUE: Duration = Duration::from_secs(50);

impl Coordinator<'_> {
    /// Gives up what takes too long.
    pub(super) fn look_for_overdue(&mut self, jobs: &Mutex<Jobs>) {
        if self.fault.is_none() && self.is_overdue() {
            self.report.hung = true;
            self.stop(fault());
        }
        if self.report.hung {
            self.take_back_queue(jobs);
            self.abandon(is_overdue, |job| {
                (!job.gate.shut()).then(|| Outcome::InDoubt(fault()))
            });
        }
    }

    pub(super) fn is_overdue(&self) -> bool {
        let reaching = self.open == 0 && self.opening > 0 && self.since.elapsed() > OVERDUE;
        reaching || self.outstanding.iter().any(|job| is_overdue(job))
    }
}

fn is_overdue(job: &Job) -> bool {
    let begun = job.begun.get();
    begun.is_some_and(|begun: &Instant| begun.elapsed() > OVERDUE)
}

fn fault() -> Fault {
    let reason =
        "the server answers, but never to the end: what was being handed over was given up";
    Fault::new("timeout", reason)
}

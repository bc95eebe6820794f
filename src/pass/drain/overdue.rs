//! Servers that trickle: every limit on a reply begins anew with each byte of it, so that a delivery could go on for
//! ever. One that does is given up from outside, and with it the channel; its thread is left behind, and ends with the
//! pass.

use std::time::{Duration, Instant};

use super::{Coordinator, Job};
use crate::{
    outcome::{Fault, Outcome},
    pass::jobs::Jobs,
};

/// A delivery takes 45 seconds at most, and reaching the server some 40: who takes longer than this is being trickled
/// at.
const OVERDUE: Duration = Duration::from_secs(50);

/// A pass that was not looking for so long was stopped, or its machine suspended.
const ASLEEP: Duration = Duration::from_secs(5);

/// Since when a pass has been awake: what it was waiting for meanwhile is not late, since nobody was there to hear it.
#[derive(Clone, Copy)]
pub struct Awake {
    since: Instant,
    looked: Instant,
}

impl Default for Awake {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            since: now,
            looked: now,
        }
    }
}

impl Awake {
    /// To be called every moment.
    pub fn look(&mut self) {
        let now = Instant::now();
        if now - self.looked > ASLEEP {
            self.since = now;
        }
        self.looked = now;
    }

    fn is_late(&self, job: &Job) -> bool {
        let begun = job.begun.get();
        begun.is_some_and(|begun| (*begun).max(self.since).elapsed() > OVERDUE)
    }
}

impl Coordinator<'_> {
    /// Gives up what takes too long.
    pub(super) fn look_for_overdue(&mut self, jobs: &Jobs) {
        if self.fault.is_none() && self.is_overdue() {
            self.report.hung = true;
            self.stop(fault());
        }
        if self.report.hung {
            self.take_back_queue(jobs);
            let awake = self.awake;
            self.abandon(
                // One that waits in a line's hands might wait for ever.
                |job| job.begun.get().is_none() || awake.is_late(job),
                |job| (!job.gate.shut()).then(|| Outcome::InDoubt(fault())),
            );
        }
    }

    pub(super) fn is_overdue(&self) -> bool {
        let awake = self.awake.since.elapsed();
        let reaching = self.open == 0 && self.opening > 0 && awake > OVERDUE;
        reaching || self.outstanding.iter().any(|job| self.awake.is_late(job))
    }
}

fn fault() -> Fault {
    let reason =
        "the server answers, but never to the end: what was being handed over was given up";
    Fault::new("timeout", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ago(seconds: u64) -> Instant {
        Instant::now() - Duration::from_secs(seconds)
    }

    #[test]
    fn who_was_not_looking_has_just_woken() {
        let mut awake = Awake {
            since: ago(100),
            looked: ago(60),
        };
        awake.look();
        assert!(awake.since.elapsed() < ASLEEP);
        let mut awake = Awake {
            since: ago(100),
            looked: ago(2),
        };
        awake.look();
        assert!(awake.since.elapsed() > OVERDUE);
    }
}

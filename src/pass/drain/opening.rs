//! How many lines there are: one first, and more while claimed rows wait for one. A server that answers at once is kept
//! busy by few; more would only take turns, each of them asleep again before its next mail could travel with the one
//! before.

use std::time::{Duration, Instant};

use super::Coordinator;
use crate::pass::{jobs::Jobs, lines::Lines};

/// Where a row waits longer for a line, there are too few.
pub const SOON: Duration = Duration::from_millis(5);

/// So many are opened without a wait.
const FEW: usize = 4;

impl Coordinator<'_> {
    pub(super) fn open_lines(&mut self, count: usize, lines: &Lines) {
        self.opening += count;
        self.widened = Instant::now();
        (0..count).for_each(|_| lines.open());
    }

    /// A few, and then as many again each time, but no more than there are rows to take.
    pub(super) fn open_more(&mut self, lines: &Lines) {
        let more = self.lacking(&lines.jobs);
        if more > 0 {
            self.open_lines(more, lines);
        }
    }

    /// How many lines more are wanted now.
    pub(super) fn lacking(&self, jobs: &Jobs) -> usize {
        let lines = self.open + self.opening;
        let (more, waiting) = match lines {
            _ if !self.may_open_more() => return 0,
            ..FEW => (FEW - lines, jobs.late(Duration::ZERO)),
            _ if self.widened.elapsed() < SOON => return 0,
            _ => (lines, jobs.late(SOON)),
        };
        // Those that are being opened take a row each.
        let waiting = waiting.saturating_sub(self.opening);
        more.min(self.most - lines).min(waiting)
    }

    /// Not before the first line is open: whether the server takes the login is known then.
    pub(super) fn may_open_more(&self) -> bool {
        self.open > 0 && self.open + self.opening < self.most && !self.is_halted()
    }

    /// One that is refused (a limit on connections) leaves the channel with those it has, and with rows for these.
    pub(super) fn do_with_fewer(&mut self, jobs: &Jobs) {
        self.most = self.open + self.opening;
        self.take_back_queue(jobs);
    }
}

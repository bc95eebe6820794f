//! What is claimed and not yet begun: the coordinator puts it in, the lines take it out.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::line::Job;

/// A queue that many threads wait at.
#[derive(Default)]
pub struct Jobs {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Each with the moment since when it waits.
    jobs: VecDeque<(Instant, Arc<Job>)>,
    /// Threads that wait: where none does, none is woken, which would cost a system call each time.
    waiting: usize,
    closed: bool,
}

impl Jobs {
    pub fn put(&self, jobs: impl ExactSizeIterator<Item = Arc<Job>>) {
        let mut state = self.state();
        let (now, woken) = (Instant::now(), jobs.len().min(state.waiting));
        state.jobs.extend(jobs.map(|job| (now, job)));
        drop(state);
        (0..woken).for_each(|_| self.changed.notify_one());
    }

    /// Nothing more will come: those who wait go away.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Waits for the next one; none: nothing more will come.
    pub fn take(&self) -> Option<Arc<Job>> {
        self.take_once(|state| {
            let state = self.changed.wait_while(state, nothing);
            state.unwrap_or_else(PoisonError::into_inner)
        })
    }

    /// Waits for the next one, but not longer than this.
    pub fn take_within(&self, patience: Duration) -> Option<Arc<Job>> {
        if patience.is_zero() {
            return self.state().take();
        }
        self.take_once(|state| {
            let waited = self.changed.wait_timeout_while(state, patience, nothing);
            waited.unwrap_or_else(PoisonError::into_inner).0
        })
    }

    fn take_once<'a>(
        &'a self,
        wait: impl FnOnce(MutexGuard<'a, State>) -> MutexGuard<'a, State>,
    ) -> Option<Arc<Job>> {
        let mut state = self.state();
        if nothing(&mut state) {
            state.waiting += 1;
            state = wait(state);
            state.waiting -= 1;
        }
        state.take()
    }

    /// All that no line has taken.
    pub fn take_all(&self) -> Vec<Arc<Job>> {
        self.state().jobs.drain(..).map(|(_, job)| job).collect()
    }

    /// How many there are, where the first of them has waited so long; without those that a waiting thread is about to
    /// take.
    pub fn late(&self, patience: Duration) -> usize {
        let state = self.state();
        let late = |(since, _): &(Instant, _)| since.elapsed() >= patience;
        match state.jobs.front().is_some_and(late) {
            true => state.jobs.len().saturating_sub(state.waiting),
            false => 0,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Option<Arc<Job>> {
        self.jobs.pop_front().map(|(_, job)| job)
    }
}

fn nothing(state: &mut State) -> bool {
    state.jobs.is_empty() && !state.closed
}

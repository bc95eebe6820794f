//! What is claimed and not yet begun: the coordinator puts it in, the lines take it out.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
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
    jobs: VecDeque<Arc<Job>>,
    /// Threads that wait: where none does, none is woken, which would cost a system call each time.
    waiting: usize,
    closed: bool,
}

impl Jobs {
    pub fn put(&self, jobs: impl ExactSizeIterator<Item = Arc<Job>>) {
        let mut state = self.state();
        let woken = jobs.len().min(state.waiting);
        state.jobs.extend(jobs);
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
            return self.state().jobs.pop_front();
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
        state.jobs.pop_front()
    }

    /// All that no line has taken.
    pub fn take_all(&self) -> VecDeque<Arc<Job>> {
        std::mem::take(&mut self.state().jobs)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nothing(state: &mut State) -> bool {
    state.jobs.is_empty() && !state.closed
}

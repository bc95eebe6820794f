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
    waiting: VecDeque<Arc<Job>>,
    closed: bool,
}

impl State {
    /// Whether there is nothing yet, and something may come.
    fn is_awaited(&mut self) -> bool {
        self.waiting.is_empty() && !self.closed
    }
}

impl Jobs {
    pub fn put(&self, job: Arc<Job>) {
        self.state().waiting.push_back(job);
        self.changed.notify_one();
    }

    /// Nothing more will come: those who wait go away.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Waits for the next one; none: nothing more will come.
    pub fn take(&self) -> Option<Arc<Job>> {
        let state = self.changed.wait_while(self.state(), State::is_awaited);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.waiting.pop_front()
    }

    /// Waits for the next one, but not longer than this.
    pub fn take_within(&self, patience: Duration) -> Option<Arc<Job>> {
        let waited = self
            .changed
            .wait_timeout_while(self.state(), patience, State::is_awaited);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting.pop_front()
    }

    /// All that no line has taken.
    pub fn take_all(&self) -> VecDeque<Arc<Job>> {
        std::mem::take(&mut self.state().waiting)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

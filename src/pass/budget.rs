//! `--limit`, shared by both channels.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many deliveries a pass may still begin (`--limit`).
pub struct Budget(AtomicUsize);

impl Budget {
    pub fn new(limit: Option<usize>) -> Self {
        Self(AtomicUsize::new(limit.unwrap_or(usize::MAX)))
    }

    /// Takes up to `wanted`, and says how many there were.
    pub fn take(&self, wanted: usize) -> usize {
        let took = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                Some(left - left.min(wanted))
            });
        took.unwrap_or_default().min(wanted)
    }

    pub fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    pub fn give_back(&self, unused: usize) {
        self.0.fetch_add(unused, Ordering::Relaxed);
    }
}

//! The pace of the sends, over all threads.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::interrupt::LOOK;

/// Hands out slots at equal distances. Time in which nobody sent is not made up for: no bursts after idling.
pub struct Pace {
    interval: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    pub fn per_second(rate: f64) -> Self {
        Self {
            interval: Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::from_secs(1)),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Takes the next free slot and sleeps until it; false where it is no use any more.
    pub fn wait(&self, halted: &dyn Fn() -> bool) -> bool {
        let slot = self.take(Instant::now());
        while !halted() {
            let left = slot.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(LOOK));
        }
        false
    }

    fn take(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = now.max(*next);
        *next = slot + self.interval;
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_evenly_spaced_and_idle_time_is_lost() {
        let pace = Pace::per_second(4.0);
        let start = Instant::now() + Duration::from_secs(10);
        let quarter = Duration::from_millis(250);
        assert_eq!(pace.take(start), start);
        assert_eq!(pace.take(start), start + quarter);
        assert_eq!(pace.take(start), start + quarter * 2);
        let later = start + Duration::from_secs(60);
        assert_eq!(pace.take(later), later);
        assert_eq!(pace.take(later), later + quarter);
    }

    #[test]
    fn a_senseless_rate_is_slow_and_no_panic() {
        for rate in [0.0, -1.0, f64::NAN] {
            assert_eq!(Pace::per_second(rate).interval, Duration::from_secs(1));
        }
    }
}

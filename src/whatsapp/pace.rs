//! The pace of the sends, over all threads.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::interrupt::LOOK;

/// The longest that a pass waits because it has sent too much: asked for more, the channel stops.
const PATIENCE: Duration = Duration::from_secs(10);

/// Refused so often in a row, the channel stops.
const REFUSALS: u32 = 3;

/// A slot that is over for longer than this was slept through, by the process or by the machine: all who waited would
/// go at once.
const STALE: Duration = LOOK;

/// Hands out slots at equal distances. Time in which nobody sent is not made up for: no bursts after idling.
pub struct Pace {
    interval: Duration,
    state: Mutex<State>,
}

struct State {
    next: Instant,
    /// How often the slots have been moved: who waits for one of before takes another.
    moves: u32,
    /// How often in a row it was too fast, and how far apart the slots are meanwhile.
    refusals: u32,
    brake: Duration,
}

/// When one message may go.
struct Slot {
    at: Instant,
    /// How often the slots had been moved when it was taken.
    moves: u32,
}

impl Pace {
    pub fn per_second(rate: f64) -> Self {
        Self {
            interval: Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::from_secs(1)),
            state: Mutex::new(State {
                next: Instant::now(),
                moves: 0,
                refusals: 0,
                brake: Duration::ZERO,
            }),
        }
    }

    /// Takes the next free slot and sleeps until it; false where it is no use any more.
    pub fn wait(&self, halted: &dyn Fn() -> bool) -> bool {
        let mut slot = self.take(Instant::now());
        while !halted() {
            let left = self.left(&mut slot, Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(LOOK));
        }
        false
    }

    /// How long it is to a slot, in whose place comes another where it is no longer one.
    fn left(&self, slot: &mut Slot, now: Instant) -> Duration {
        if slot.moves != self.moves() || now > slot.at + STALE {
            *slot = self.take(now);
        }
        slot.at.saturating_duration_since(now)
    }

    /// How often the slots have been moved: to be noted before a request, and given to `slow_down` after it.
    pub fn moves(&self) -> u32 {
        self.state().moves
    }

    /// It was too fast: the next slot is `asked` from now, or a second, doubling while this goes on. False: that is too
    /// long, or it has gone on for too long.
    pub fn slow_down(&self, asked: Option<Duration>, moves: u32, now: Instant) -> bool {
        let mut state = self.state();
        if asked.is_some_and(|asked| asked > PATIENCE) {
            return false;
        }
        // Those that were on their way together are one refusal.
        if moves == state.moves {
            let doubling = Duration::from_secs(1 << state.refusals.min(3));
            state.brake = asked.unwrap_or(doubling);
            state.next = now + state.brake;
            state.refusals += 1;
            state.moves += 1;
        }
        state.refusals < REFUSALS
    }

    /// It was not too fast, with a request of since the slots were moved.
    pub fn keep(&self, moves: u32, now: Instant) {
        let mut state = self.state();
        if state.refusals > 0 && moves == state.moves {
            state.refusals = 0;
            state.brake = Duration::ZERO;
            state.next = now + self.interval;
            state.moves += 1;
        }
    }

    fn take(&self, now: Instant) -> Slot {
        let mut state = self.state();
        let at = now.max(state.next);
        state.next = at + self.interval.max(state.brake);
        Slot {
            at,
            moves: state.moves,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!(pace.take(start).at, start);
        assert_eq!(pace.take(start).at, start + quarter);
        assert_eq!(pace.take(start).at, start + quarter * 2);
        let later = start + Duration::from_secs(60);
        assert_eq!(pace.take(later).at, later);
        assert_eq!(pace.take(later).at, later + quarter);
    }

    /// When each of so many messages may go, of lines that each send one after the other and wait for every answer.
    fn departures(pace: &Pace, start: Instant, count: usize, answers: &[u64]) -> Vec<Instant> {
        let mut lines = vec![start; answers.len()];
        let line = |sent: usize| sent % answers.len();
        (0..count)
            .map(|sent| {
                let at = pace.take(lines[line(sent)]).at;
                lines[line(sent)] = at + Duration::from_millis(answers[(sent / 7) % answers.len()]);
                at
            })
            .collect()
    }

    #[test]
    fn over_ten_thousand_messages_the_pace_neither_drifts_nor_bursts_whatever_the_answers_take() {
        let start = Instant::now() + Duration::from_secs(10);
        for (rate, answers) in [(80.0, [3, 20, 45, 31]), (1.0 / 3.0, [50; 4])] {
            let pace = Pace::per_second(rate);
            let departures = departures(&pace, start, 10_000, &answers);
            let interval = pace.interval;
            let expected = (0..10_000).map(|sent| start + interval * sent);
            assert!(departures.into_iter().eq(expected), "{rate} a second");
        }
    }

    #[test]
    fn answers_too_slow_for_the_pace_are_not_made_up_for_by_a_burst() {
        let pace = Pace::per_second(80.0);
        let start = Instant::now() + Duration::from_secs(10);
        let slow = departures(&pace, start, 1_000, &[300; 4]);
        let fast = departures(&pace, slow[999], 1_000, &[1; 4]);
        let all = [slow, fast].concat();
        assert!(all.windows(2).all(|two| two[1] - two[0] >= pace.interval));
    }

    #[test]
    fn those_whose_slots_a_suspended_machine_slept_through_do_not_go_together() {
        let pace = Pace::per_second(80.0);
        let start = Instant::now() + Duration::from_secs(10);
        let mut slots: Vec<Slot> = (0..4).map(|_| pace.take(start)).collect();
        let woken = start + Duration::from_secs(60);
        let mut left = slots.iter_mut().map(|slot| pace.left(slot, woken));
        let expected = (0..4).map(|line| pace.interval * line);
        assert!(left.by_ref().eq(expected));
        drop(left);
        assert_eq!(
            pace.left(&mut slots[1], woken + pace.interval),
            Duration::ZERO
        );
    }

    #[test]
    fn a_senseless_rate_is_slow_and_no_panic() {
        for rate in [0.0, -1.0, f64::NAN] {
            assert_eq!(Pace::per_second(rate).interval, Duration::from_secs(1));
        }
    }

    #[test]
    fn too_fast_moves_the_next_slot_and_further_ones_until_it_goes_well() {
        let pace = Pace::per_second(4.0);
        let start = Instant::now() + Duration::from_secs(10);
        let second = Duration::from_secs(1);
        pace.take(start);
        assert!(pace.slow_down(None, 0, start));
        assert!(
            pace.slow_down(None, 0, start),
            "on its way together with it"
        );
        assert_eq!(pace.take(start).at, start + second);
        assert_eq!(pace.take(start).at, start + second * 2);
        assert!(pace.slow_down(None, 1, start + second));
        assert_eq!(pace.take(start).at, start + second * 3, "it doubles");
        pace.keep(1, start + second * 3);
        assert_eq!(pace.moves(), 2, "it was on its way before the last move");
        pace.keep(2, start + second * 3);
        let quarter = Duration::from_millis(250);
        assert_eq!(pace.take(start).at, start + second * 3 + quarter);
        assert_eq!(pace.take(start).at, start + second * 3 + quarter * 2);
    }

    #[test]
    fn patience_ends_at_the_third_refusal_or_at_ten_seconds() {
        let (pace, now) = (Pace::per_second(4.0), Instant::now());
        let asked = |seconds| Some(Duration::from_secs(seconds));
        assert!(pace.slow_down(asked(10), 0, now));
        assert!(!pace.slow_down(asked(11), 1, now));
        assert!(pace.slow_down(asked(2), 1, now));
        assert!(!pace.slow_down(asked(2), 2, now));
    }
}

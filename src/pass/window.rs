//! When a reminder is due.

use chrono::{DateTime, Duration, Utc};

use crate::{config, ledger::close::LAST_MOMENT};

/// The window of one lead: `lead` before the start, give or take `tolerance`, and up to `catch_up` later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub lead: Duration,
    tolerance: Duration,
    catch_up: Duration,
}

impl Window {
    /// The windows of all leads, longest first.
    pub fn all(reminder: &config::Reminder) -> Vec<Window> {
        let of = |lead: &Duration| Window {
            lead: *lead,
            tolerance: reminder.tolerance,
            catch_up: reminder.catch_up,
        };
        reminder.leads.iter().map(of).collect()
    }

    pub fn lead_minutes(&self) -> i32 {
        i32::try_from(self.lead.num_minutes()).unwrap_or(i32::MAX)
    }

    /// How long the window is open, in minutes, rounded up.
    pub fn width_minutes(&self) -> i32 {
        let width = self.tolerance * 2 + self.catch_up;
        i32::try_from((width.num_seconds() + 59) / 60).unwrap_or(i32::MAX)
    }

    /// The first and last start that is due at `now`, both included.
    pub fn starts(&self, now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
        let first = now + self.lead - self.tolerance - self.catch_up;
        (
            first.max(now + LAST_MOMENT),
            now + self.lead + self.tolerance,
        )
    }

    /// The first and last start whose window opens in this time.
    pub fn opening(
        &self,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
    ) -> (DateTime<Utc>, DateTime<Utc>) {
        let ahead = self.lead + self.tolerance;
        (from + ahead, to + ahead)
    }

    /// The first moment at which that start is due.
    pub fn opens(&self, start: DateTime<Utc>) -> DateTime<Utc> {
        start - self.lead - self.tolerance
    }

    /// The last moment at which that start is due.
    pub fn closes(&self, start: DateTime<Utc>) -> DateTime<Utc> {
        start - self.late()
    }

    /// How long before the start the window closes.
    fn late(&self) -> Duration {
        (self.lead - self.tolerance - self.catch_up).max(LAST_MOMENT)
    }

    /// The starts whose window has closed before `now` but was still open after `since`.
    pub fn passed(
        &self,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> (DateTime<Utc>, DateTime<Utc>) {
        let late = self.late();
        (since + late, now + late - Duration::seconds(1))
    }

    /// The first and last moment at which a reminder of one of these starts may have been sent.
    pub fn of_starts(
        &self,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
    ) -> (DateTime<Utc>, DateTime<Utc>) {
        let late = self.tolerance + self.catch_up;
        (self.opens(from), to - self.lead + late)
    }

    /// Whether a reminder at `sent` is one for that start.
    pub fn holds(&self, start: DateTime<Utc>, sent: DateTime<Utc>) -> bool {
        let (first, last) = self.of_starts((start, start));
        (first..=last).contains(&sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Window = Window {
        lead: Duration::minutes(60),
        tolerance: Duration::minutes(5),
        catch_up: Duration::zero(),
    };

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn both_bounds_are_due() {
        let (first, last) = HOUR.starts(utc("2026-11-23T09:00:00Z"));
        assert_eq!(first, utc("2026-11-23T09:55:00Z"));
        assert_eq!(last, utc("2026-11-23T10:05:00Z"));
    }

    #[test]
    fn catching_up_never_reaches_a_session_that_starts_within_a_minute() {
        let outage = Window {
            catch_up: Duration::hours(3),
            ..HOUR
        };
        let (first, _) = outage.starts(utc("2026-11-23T09:00:00Z"));
        assert_eq!(first, utc("2026-11-23T09:01:00Z"));
    }

    #[test]
    fn a_start_is_either_due_or_passed() {
        let now = utc("2026-11-23T09:00:00Z");
        for window in [
            HOUR,
            Window {
                catch_up: Duration::hours(3),
                ..HOUR
            },
        ] {
            let (_, passed) = window.passed(now - Duration::days(1), now);
            assert_eq!(passed + Duration::seconds(1), window.starts(now).0);
        }
    }

    #[test]
    fn a_start_is_due_from_when_its_window_opens_until_it_closes() {
        let start = utc("2026-11-23T10:00:00Z");
        for catch_up in [0, 30, 300].map(Duration::minutes) {
            let window = Window { catch_up, ..HOUR };
            let due = |now: DateTime<Utc>| {
                let (first, last) = window.starts(now);
                (first..=last).contains(&start)
            };
            let (opens, closes) = (window.opens(start), window.closes(start));
            let second = Duration::seconds(1);
            assert!(due(opens) && due(closes), "{catch_up}");
            assert!(!due(opens - second) && !due(closes + second), "{catch_up}");
        }
    }

    #[test]
    fn a_row_of_laravel_counts_from_the_first_to_the_last_second_of_the_window() {
        let start = utc("2026-11-23T10:00:00Z");
        assert!(HOUR.holds(start, utc("2026-11-23T08:55:00Z")));
        assert!(HOUR.holds(start, utc("2026-11-23T09:05:00Z")));
        assert!(!HOUR.holds(start, utc("2026-11-23T09:05:01Z")));
        assert!(!HOUR.holds(start, utc("2026-11-23T08:54:59Z")));
    }
}

//! Wall clocks and instants. The platform stores naive wall-clock times of one zone (Laravel's `app.timezone`);
//! everything else is UTC. All rules about the two daylight-saving edges live here.

mod words;

use std::time::Instant;

use chrono::{
    DateTime, Datelike, Duration, LocalResult, NaiveDateTime, Offset, SubsecRound, TimeZone, Utc,
};
use chrono_tz::Tz;

pub use words::{duration, rfc3339, rough, skew, to_the_minute, to_the_second, when};

/// How the platform writes a time: Laravel's `Y-m-d H:i:s`.
pub const DIGITS: &str = "%Y-%m-%d %H:%M:%S";

/// The pass's one clock: starts where it is told and then runs with the host's monotonic clock, so that a clock set
/// back in the middle of a pass cannot lengthen a lease; or with the host's wall clock where that has gone further,
/// since the monotonic one stands still while the machine is suspended, and the leases run out all the same.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: DateTime<Utc>,
    host: DateTime<Utc>,
    since: Instant,
}

impl Clock {
    /// A clock that says `start` when the host's says `host`.
    pub fn starting_at(start: DateTime<Utc>, host: DateTime<Utc>) -> Self {
        Self {
            start: start.trunc_subsecs(0),
            host,
            since: Instant::now(),
        }
    }

    /// Now, in whole seconds, as every database stores it.
    pub fn now(&self) -> DateTime<Utc> {
        let elapsed = Duration::from_std(self.elapsed()).unwrap_or(Duration::MAX);
        self.start
            .checked_add_signed(elapsed)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
            .trunc_subsecs(0)
    }

    /// When it began to run.
    pub fn start(&self) -> DateTime<Utc> {
        self.start
    }

    /// A moment of this clock as the host's clock has it: what other servers go by.
    pub fn on_host(&self, instant: DateTime<Utc>) -> DateTime<Utc> {
        self.host + (instant - self.start)
    }

    /// How long the pass has been running, or suspended.
    pub fn elapsed(&self) -> std::time::Duration {
        let by_the_wall = (Utc::now() - self.host).to_std().unwrap_or_default();
        self.since.elapsed().max(by_the_wall)
    }
}

/// An inclusive range of wall-clock digits.
pub type WallRange = (NaiveDateTime, NaiveDateTime);

/// The zone of the platform's stored times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(pub Tz);

impl Zone {
    /// What a wall clock in this zone shows at `instant`.
    pub fn wall(&self, instant: DateTime<Utc>) -> NaiveDateTime {
        instant.with_timezone(&self.0).naive_local()
    }

    /// The instant a stored wall time means: the first of two when the clocks are set back, moved forward by the gap
    /// when they are set forward (as PHP's `DateTime` does).
    pub fn instant(&self, wall: NaiveDateTime) -> DateTime<Utc> {
        match self.0.from_local_datetime(&wall) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => time.to_utc(),
            // A day earlier is before the gap in every zone, also where a whole day was skipped.
            LocalResult::None => Utc.from_utc_datetime(&wall) - self.offset_before(wall),
        }
    }

    fn offset_before(&self, wall: NaiveDateTime) -> Duration {
        self.offset_at(Utc.from_utc_datetime(&wall) - Duration::hours(36))
    }

    fn offset_at(&self, instant: DateTime<Utc>) -> Duration {
        let offset = self.0.offset_from_utc_datetime(&instant.naive_utc()).fix();
        Duration::seconds(offset.local_minus_utc().into())
    }

    /// Reads the platform's digits; `None` when they are no time.
    pub fn parse(&self, digits: &str) -> Option<DateTime<Utc>> {
        parse_digits(digits).map(|wall| self.instant(wall))
    }

    /// The stored wall times that mean an instant in `from ..= to`, none when the range is empty: one range, or two
    /// around the hour that daylight saving skips or repeats.
    pub fn walls(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<WallRange> {
        let early = from - Duration::hours(25);
        let (before, after) = (self.offset_at(early), self.offset_at(to));
        if before == after {
            return non_empty([(from + after, to + after)]);
        }
        // Below the boundary a wall time is read with the offset before the change, from there on with the one after.
        let change = self.change_between(early, to, after);
        let boundary = change + before.max(after);
        non_empty([
            (
                from + before,
                (to + before).min(boundary - Duration::seconds(1)),
            ),
            ((from + after).max(boundary), to + after),
        ])
    }

    /// The first second in `early ..= late` that has the offset `after`.
    fn change_between(
        &self,
        early: DateTime<Utc>,
        late: DateTime<Utc>,
        after: Duration,
    ) -> DateTime<Utc> {
        let (mut low, mut high) = (early, late);
        while high - low > Duration::seconds(1) {
            let middle = low + Duration::seconds((high - low).num_seconds() / 2);
            if self.offset_at(middle) == after {
                high = middle;
            } else {
                low = middle;
            }
        }
        high
    }
}

/// `YYYY-MM-DD HH:MM:SS`, with a fraction or no seconds where somebody wrote them by hand. Nothing else is a time, be
/// it one to a person's eye: SQLite compares texts, and would not find it where it belongs.
fn parse_digits(digits: &str) -> Option<NaiveDateTime> {
    let digits = digits.trim_end();
    let in_order = |wall: &NaiveDateTime| {
        let written = wall.format(DIGITS).to_string();
        digits.starts_with(&written) || written.starts_with(digits)
    };
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(digits, format).ok())
        .filter(|wall| (1..=9999).contains(&wall.year()) && in_order(wall))
}

/// The ranges that hold at least one second, as wall clocks.
fn non_empty<const N: usize>(ranges: [(DateTime<Utc>, DateTime<Utc>); N]) -> Vec<WallRange> {
    let holds_any = |(from, to): &(DateTime<Utc>, DateTime<Utc>)| from <= to;
    ranges
        .into_iter()
        .filter(holds_any)
        .map(|(from, to)| (from.naive_utc(), to.naive_utc()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn wall(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, DIGITS).unwrap()
    }

    fn ranges(zone: Tz, from: &str, to: &str) -> Vec<String> {
        let show = |(from, to): WallRange| {
            format!("{}..{}", from.format("%d %H:%M"), to.format("%d %H:%M"))
        };
        let walls = Zone(zone).walls(utc(from), utc(to));
        walls.into_iter().map(show).collect()
    }

    /// A clock that started at nine, when the host's clock was off by so much from what it is now.
    fn clock_after(jump: Duration) -> Clock {
        Clock::starting_at(utc("2026-11-23T09:00:00Z"), Utc::now() - jump)
    }

    #[test]
    fn a_machine_that_was_suspended_has_lost_its_leases() {
        let clock = clock_after(Duration::minutes(3));
        assert_eq!(clock.now(), utc("2026-11-23T09:03:00Z"));
        assert_eq!(clock.elapsed().as_secs(), 180);
    }

    #[test]
    fn a_clock_that_is_set_back_lengthens_no_lease() {
        let clock = clock_after(Duration::hours(-1));
        assert_eq!(clock.now(), utc("2026-11-23T09:00:00Z"));
        assert_eq!(clock.elapsed().as_secs(), 0);
    }

    #[test]
    fn a_moment_of_the_pass_is_known_on_the_hosts_clock() {
        let clock = clock_after(Duration::minutes(3));
        let host = clock.on_host(clock.now());
        assert!((Utc::now() - host).abs() < Duration::seconds(2), "{host}");
    }

    #[test]
    fn a_zone_without_daylight_saving_has_one_range() {
        let found = ranges(
            Tz::Asia__Jakarta,
            "2026-11-23T09:55:00Z",
            "2026-11-23T10:05:00Z",
        );
        assert_eq!(found, ["23 16:55..23 17:05"]);
    }

    #[test]
    fn an_ambiguous_wall_time_is_its_first_instant() {
        // New York sets the clock back on 2026-11-01 at 06:00 UTC.
        let zone = Zone(Tz::America__New_York);
        assert_eq!(
            zone.instant(wall("2026-11-01 01:30:00")),
            utc("2026-11-01T05:30:00Z")
        );
        assert_eq!(
            zone.instant(wall("2026-11-01 02:00:00")),
            utc("2026-11-01T07:00:00Z")
        );
    }

    #[test]
    fn a_wall_time_in_the_gap_moves_forward_as_in_php() {
        // New York sets the clock forward on 2026-03-08 at 07:00 UTC: 02:30 becomes 03:30.
        let zone = Zone(Tz::America__New_York);
        assert_eq!(
            zone.instant(wall("2026-03-08 02:30:00")),
            utc("2026-03-08T07:30:00Z")
        );
        assert_eq!(
            zone.instant(wall("2026-03-08 03:30:00")),
            utc("2026-03-08T07:30:00Z")
        );
    }

    #[test]
    fn the_repeated_hour_belongs_to_no_wall_time() {
        let found = ranges(
            Tz::America__New_York,
            "2026-11-01T06:10:00Z",
            "2026-11-01T06:20:00Z",
        );
        assert!(found.is_empty(), "{found:?}");
        let found = ranges(
            Tz::America__New_York,
            "2026-11-01T05:55:00Z",
            "2026-11-01T06:05:00Z",
        );
        assert_eq!(found, ["01 01:55..01 01:59"]);
        let found = ranges(
            Tz::America__New_York,
            "2026-11-01T06:55:00Z",
            "2026-11-01T07:05:00Z",
        );
        assert_eq!(found, ["01 02:00..01 02:05"]);
    }

    #[test]
    fn the_skipped_hour_has_two_ranges() {
        let found = ranges(
            Tz::America__New_York,
            "2026-03-08T07:10:00Z",
            "2026-03-08T07:20:00Z",
        );
        assert_eq!(found, ["08 02:10..08 02:20", "08 03:10..08 03:20"]);
        let found = ranges(
            Tz::America__New_York,
            "2026-03-08T06:55:00Z",
            "2026-03-08T07:05:00Z",
        );
        assert_eq!(found, ["08 01:55..08 02:05", "08 03:00..08 03:05"]);
    }

    /// Holds the ranges against the definition, second by second, around both edges of several zones.
    #[test]
    fn a_wall_time_is_in_the_ranges_exactly_when_its_instant_is_in_the_window() {
        let cases = [
            (Tz::America__New_York, "2026-03-08T04:00:00Z"),
            (Tz::America__New_York, "2026-11-01T03:00:00Z"),
            (Tz::Australia__Lord_Howe, "2026-04-04T12:00:00Z"),
            (Tz::Australia__Lord_Howe, "2026-10-03T13:00:00Z"),
            (Tz::Pacific__Apia, "2011-12-30T06:00:00Z"),
        ];
        for (tz, start) in cases {
            let zone = Zone(tz);
            for minutes in (0..420).step_by(13) {
                let from = utc(start) + Duration::minutes(minutes);
                let to = from + Duration::minutes(10);
                let walls = zone.walls(from, to);
                let middle = zone.wall(from);
                for offset in -1600..1600 {
                    let wall = middle + Duration::minutes(offset);
                    let inside = walls
                        .iter()
                        .any(|(low, high)| (*low..=*high).contains(&wall));
                    let due = (from..=to).contains(&zone.instant(wall));
                    assert_eq!(inside, due, "{tz} {wall} in {from}..{to}: {walls:?}");
                }
            }
        }
    }

    #[test]
    fn digits_that_are_no_time_are_none() {
        let zone = Zone(Tz::UTC);
        for bad in [
            "",
            "soon",
            "0000-00-00 00:00:00",
            "2026-11-22 17:00:99",
            "2026-13-01 00:00:00",
            "2026-11-22T17:00:00",
            " 2026-11-22 17:00:00",
            "2026-11-22 9:00:00",
            "2026-1-2 17:00:00",
            "2026-11-22 17:00:00.000000Z",
        ] {
            assert_eq!(zone.parse(bad), None, "{bad}");
        }
        assert_eq!(
            zone.parse("2026-11-22 17:00:00"),
            Some(utc("2026-11-22T17:00:00Z"))
        );
        for by_hand in ["2026-11-22 17:00", "2026-11-22 17:00:00.5 "] {
            let parsed = zone.parse(by_hand).map(|time| time.trunc_subsecs(0));
            assert_eq!(parsed, Some(utc("2026-11-22T17:00:00Z")), "{by_hand}");
        }
    }
}

//! Times in words: as people and programs read them, and as people write a span.

use chrono::{DateTime, Datelike, Duration, SecondsFormat, Utc};
use chrono_tz::Tz;

use super::{DIGITS, Zone};

/// A moment for people: `Mon 2026-11-23 15:55 WIB`.
pub fn when(zone: Tz, moment: DateTime<Utc>) -> String {
    let local = moment.with_timezone(&zone);
    local.format("%a %Y-%m-%d %H:%M %Z").to_string()
}

/// A moment in a table, without the year where that is this one: `11-23 15:55:07`.
pub fn to_the_second(moment: DateTime<Utc>, zone: Zone, now: DateTime<Utc>) -> String {
    without_this_year(moment, zone, now, ["%m-%d %H:%M:%S", DIGITS])
}

/// The same to the minute: `11-23 15:55`.
pub fn to_the_minute(moment: DateTime<Utc>, zone: Zone, now: DateTime<Utc>) -> String {
    without_this_year(moment, zone, now, ["%m-%d %H:%M", "%Y-%m-%d %H:%M"])
}

fn without_this_year(
    moment: DateTime<Utc>,
    zone: Zone,
    now: DateTime<Utc>,
    [short, long]: [&str; 2],
) -> String {
    let wall = zone.wall(moment);
    let this_year = wall.year() == zone.wall(now).year();
    let format = if this_year { short } else { long };
    wall.format(format).to_string()
}

/// A moment for programs: `2026-11-23T08:55:00Z`.
pub fn rfc3339(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// In words, that two clocks differ by more than a minute.
pub fn skew(ours: DateTime<Utc>, theirs: DateTime<Utc>) -> Option<String> {
    let seconds = (ours - theirs).num_seconds();
    let side = if seconds > 0 { "ahead of" } else { "behind" };
    (seconds.abs() > 60).then(|| {
        let seconds = seconds.abs();
        format!("this host's clock is {seconds} s {side} the database's: set both by NTP, since reminders go by the clock of the host")
    })
}

/// How long something took or is ago, in its largest unit: `20 seconds`, `3 hours`.
pub fn rough(span: Duration) -> String {
    let units = [
        (span.num_days(), "day"),
        (span.num_hours(), "hour"),
        (span.num_minutes(), "minute"),
    ];
    let largest = units.into_iter().find(|(count, _)| *count > 0);
    match largest.unwrap_or((span.num_seconds().max(0), "second")) {
        (1, unit) => format!("1 {unit}"),
        (count, unit) => format!("{count} {unit}s"),
    }
}

/// `90s`, `60m`, `24h`, `2d` or `0`.
pub fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::zero());
    }
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let digits = number.chars().all(|c| c.is_ascii_digit());
    let number = i64::from(number.parse::<u32>().ok().filter(|_| digits)?);
    match unit {
        "s" => Duration::try_seconds(number),
        "m" => Duration::try_minutes(number),
        "h" => Duration::try_hours(number),
        "d" => Duration::try_days(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_its_largest_unit() {
        for (seconds, words) in [
            (-5, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (119, "1 minute"),
            (3 * 3600 + 3599, "3 hours"),
            (200_000, "2 days"),
        ] {
            assert_eq!(rough(Duration::seconds(seconds)), words);
        }
    }
}

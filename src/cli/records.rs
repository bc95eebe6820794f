//! What looks at the record of what was sent, or changes it.

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveTime, Utc};
use clap::{ArgGroup, Args, ValueEnum};

use super::{Format, YEARS, instant, limit, session};
use crate::{
    ledger::{Channel, journal::Status as State},
    time::{self, Zone},
};

#[derive(Debug, Args)]
pub struct Explain {
    /// The session's id
    #[arg(value_name = "SESSION", value_parser = session)]
    pub session: i64,

    /// A user's numeric id or email address
    #[arg(value_name = "USER")]
    pub user: String,

    /// As it is at this moment instead of now
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    pub now: Option<DateTime<Utc>>,

    /// How to print the answer
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Report {
    /// The session's id
    #[arg(value_name = "SESSION", value_parser = session)]
    pub session: i64,

    /// As it is at this moment instead of now
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    pub now: Option<DateTime<Utc>>,

    /// How to print the report
    #[arg(long, default_value = "text")]
    pub format: ReportFormat,
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Text,
    Csv,
    Json,
}

#[derive(Debug, Args)]
pub struct Status {
    /// How to print it
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Log {
    /// This session only
    #[arg(long, value_name = "ID", value_parser = session)]
    pub session: Option<i64>,

    /// This user only: a numeric id or an email address
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,

    /// In this state only, or in one of several (failed,missed); sent includes what was delivered or read since
    #[arg(long, value_delimiter = ',')]
    pub status: Vec<State>,

    /// This channel only
    #[arg(long)]
    pub channel: Option<Channel>,

    /// What has happened since then: 90m, 2h, 3d ago, a day such as 2026-11-23, or a time with its zone
    #[arg(long, value_name = "WHEN", value_parser = since)]
    pub since: Option<Since>,

    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = limit, allow_negative_numbers = true)]
    pub limit: usize,

    /// Go on printing what happens, until Ctrl-C
    #[arg(long)]
    pub follow: bool,

    /// How to print it: json is an object a line
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["ids", "failed"]).required(true))]
pub struct Retry {
    /// The ids of the messages, as `reminders log` has them
    #[arg(value_name = "ID", value_parser = message)]
    pub ids: Vec<i64>,

    /// All that have failed and whose session has not started
    #[arg(long)]
    pub failed: bool,

    /// With --failed: those of this session only
    #[arg(long, value_name = "ID", value_parser = session, requires = "failed", conflicts_with = "ids")]
    pub session: Option<i64>,

    /// Also mails that may have arrived; with --failed also those that are `unknown`
    #[arg(long)]
    pub even_if_in_doubt: bool,

    /// How to print the result
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Prune {
    /// What started longer ago than this, such as 90d
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub older_than: Duration,

    /// Count only
    #[arg(long)]
    pub dry_run: bool,

    /// How to print the result
    #[arg(long, default_value = "text")]
    pub format: Format,
}

/// A moment that somebody names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    Ago(Duration),
    At(DateTime<Utc>),
    /// From its first second on, where the platform is.
    Day(NaiveDate),
}

impl Since {
    pub fn instant(self, zone: Zone, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Since::Ago(span) => now - span,
            Since::At(instant) => instant,
            Since::Day(day) => zone.instant(day.and_time(NaiveTime::MIN)),
        }
    }
}

/// The id of a message.
fn message(text: &str) -> Result<i64, String> {
    let cure = "give the message's number, as `reminders log` has it";
    text.parse().map_err(|_| cure.into())
}

fn since(text: &str) -> Result<Since, String> {
    if let Some(span) = time::duration(text).filter(|span| *span <= LONGEST) {
        return Ok(Since::Ago(span));
    }
    let in_range = |day: &NaiveDate| YEARS.contains(&day.year());
    if let Some(day) = text.parse().ok().filter(in_range) {
        return Ok(Since::Day(day));
    }
    let instant = instant(text).ok().map(Since::At);
    instant.ok_or(
        "give 90m, 2h or 3d, a day such as 2026-11-23, or a time such as 2026-11-23T16:00:00+07:00"
            .into(),
    )
}

/// How long ago a start must be for its record to be deleted.
fn age(text: &str) -> Result<Duration, String> {
    let age = time::duration(text);
    let age = age.filter(|age| (Duration::days(2)..=LONGEST).contains(age));
    age.ok_or("give a time from 2d on, such as 90d".into())
}

/// Nothing is older.
const LONGEST: Duration = Duration::days(36_500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_span_a_day_or_an_instant() {
        assert_eq!(since("90m"), Ok(Since::Ago(Duration::minutes(90))));
        assert!(matches!(since("2026-11-23"), Ok(Since::Day(_))));
        assert!(matches!(
            since("2026-11-23T16:00:00+07:00"),
            Ok(Since::At(_))
        ));
        for bad in [
            "",
            "yesterday",
            "2w",
            "-2h",
            "4000000000d",
            "99999-01-01",
            "2026-11-23T16:00:00",
        ] {
            assert!(since(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_record_is_kept_for_two_days_at_least() {
        for bad in ["", "90", "47h", "1d", "4000000000d", "-90d"] {
            assert!(age(bad).is_err(), "{bad}");
        }
        assert_eq!(age("48h"), Ok(Duration::days(2)));
        assert_eq!(age("90d"), Ok(Duration::days(90)));
    }
}

//! The command line. The doc comments are the help.

use std::{ops::RangeInclusive, path::PathBuf};

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveTime, Utc};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::{
    ledger::{Channel, journal::Status as State},
    time::{self, Zone},
};

/// Tells every participant of a course session, one hour before it starts, by email and WhatsApp, exactly once
///
/// Runs from cron every minute on the course platform's own database and .env. A pass in which all is well prints nothing.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Example, in a crontab:
  * * * * * /usr/local/bin/reminders --env-file /srv/platform/.env send"
)]
pub struct Cli {
    /// Read settings from this file instead of ./.env; of several, the first that has a setting wins
    #[arg(long = "env-file", value_name = "PATH", global = true)]
    pub env_files: Vec<PathBuf>,

    /// Say more on stderr (twice: everything)
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,

    /// Say nothing on stderr but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Send what is due now: the job that cron runs every minute
    #[command(after_help = "Examples:
  reminders send                      one pass
  reminders send --dry-run            who would get what, and who would not and why
  reminders send --dry-run --now 2026-11-23T16:00:00+07:00
  reminders send --session 12 --channel mail --format json

Exit codes: 0 done; 1 a reminder failed, was missed or is unknown; 2 wrong command line;
75 could not work now, a later pass tries again; 78 the configuration is wrong.")]
    Send(Send),

    /// Record that a user wants WhatsApp messages
    #[command(after_help = "Examples:
  reminders opt-in budi@example.org --phone 081234567890
  reminders opt-in 34
  reminders opt-in --file opted-in.csv    lines of user,phone")]
    OptIn(OptIn),

    /// Record that a user wants no more WhatsApp messages; the phone number is kept
    #[command(after_help = "Example:
  reminders opt-out budi@example.org")]
    OptOut(OptOut),

    /// Create what is missing in the database: the ledger, the view, the opt-in column; safe to repeat
    #[command(after_help = "Examples:
  reminders migrate --dry-run         print the SQL
  reminders migrate
  reminders migrate --drop-view       before the platform's own migrations; afterwards plain migrate")]
    Migrate(Migrate),

    /// Look at every link of the chain, and say what to do about those that are broken; changes nothing
    #[command(after_help = "Example:
  reminders check

Exit codes: 0 all is well, or only warnings; 1 something is broken; 78 the configuration is wrong,
or the database needs `reminders migrate`.")]
    Check(Check),

    /// What comes next, when the last pass was, what became of the last day's messages, and what needs a person
    #[command(after_help = "Examples:
  reminders status
  reminders status --format json

Exit codes: 0; 75 the database cannot be reached; 78 the configuration is wrong, or the database
needs `reminders migrate`.")]
    Status(Status),

    /// What was sent to whom and what became of it, newest first
    #[command(after_help = "Examples:
  reminders log --since 2h
  reminders log --user budi@example.org
  reminders log --session 12 --status failed
  reminders log --follow --format json    a JSON object a line, as it happens

Of each message the log has its id, when it was sent (else when something last happened to it), session
and user, the channel, its status (or what WhatsApp has said since), and where it went.")]
    Log(Log),

    /// Put messages that have failed back to be sent, if the session has not started
    #[command(after_help = "Examples:
  reminders retry 12 15                   the ids are those of `reminders log`
  reminders retry --failed --session 3
  reminders retry 12 --even-if-in-doubt

A mail in doubt (`unknown`) may have arrived: it is sent once more only with --even-if-in-doubt, and then
under the same Message-ID. A WhatsApp message in doubt is looked for at Twilio first.

Exit codes: 0 all of them wait to be sent; 1 one cannot be sent, see why.")]
    Retry(Retry),

    /// Delete the record of what is long over
    #[command(after_help = "Examples:
  reminders prune --older-than 90d --dry-run
  reminders prune --older-than 90d

What waits or is being sent is never deleted. The rows of the last 8 days stay in any case, since a pass
still looks back at them.")]
    Prune(Prune),

    /// From nothing to a result: a sample database, a real pass, and the messages as files
    #[command(after_help = "Example:
  reminders demo")]
    Demo(Demo),
}

#[derive(Debug, Args)]
pub struct Send {
    /// Print who would get what and what is skipped why; connect to no mail or WhatsApp server, write nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Start the pass's clock here instead of now
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    pub now: Option<DateTime<Utc>>,

    /// This session only
    #[arg(long, value_name = "ID")]
    pub session: Option<i64>,

    /// This channel only
    #[arg(long)]
    pub channel: Option<Channel>,

    /// Deliver at most this many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,

    /// How to print the summary
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct OptIn {
    /// A user's numeric id or email address
    #[arg(value_name = "USER", required_unless_present = "file")]
    pub user: Option<String>,

    /// The number to store; without it, the one in the profile
    #[arg(long, value_name = "NUMBER", conflicts_with = "file")]
    pub phone: Option<String>,

    /// Many at once: a CSV file with lines of user,phone (the phone may be empty)
    #[arg(long, value_name = "CSV", conflicts_with = "user")]
    pub file: Option<PathBuf>,

    /// How to print the result
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct OptOut {
    /// A user's numeric id or email address
    #[arg(value_name = "USER")]
    pub user: String,

    /// How to print the result
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Migrate {
    /// Print the SQL instead of running it
    #[arg(long)]
    pub dry_run: bool,

    /// Remove our view, which can block the platform's own migrations; plain `migrate` makes it again
    #[arg(long, conflicts_with = "uninstall")]
    pub drop_view: bool,

    /// Remove the view; the platform's tables and the record of what was sent stay
    #[arg(long)]
    pub uninstall: bool,

    /// With --uninstall: remove the record of what was sent, too
    #[arg(long, requires = "uninstall")]
    pub ledger: bool,
}

#[derive(Debug, Args)]
pub struct Check {
    /// How to print the links
    #[arg(long, default_value = "text")]
    pub format: Format,
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
    #[arg(long, value_name = "ID")]
    pub session: Option<i64>,

    /// This user only: a numeric id or an email address
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,

    /// In this state only
    #[arg(long)]
    pub status: Option<State>,

    /// This channel only
    #[arg(long)]
    pub channel: Option<Channel>,

    /// What has happened since then: 90m, 2h, 3d ago, a day such as 2026-11-23, or a time with its zone
    #[arg(long, value_name = "WHEN", value_parser = since)]
    pub since: Option<Since>,

    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,

    /// Go on printing what happens, until Ctrl-C
    #[arg(long)]
    pub follow: bool,

    /// How to print it: json is an object a line
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Retry {
    /// The ids of the messages, as `reminders log` has them
    #[arg(value_name = "ID", required_unless_present = "failed")]
    pub ids: Vec<i64>,

    /// All that have failed and whose session has not started
    #[arg(long, conflicts_with = "ids")]
    pub failed: bool,

    /// With --failed: those of this session only
    #[arg(long, value_name = "ID", requires = "failed", conflicts_with = "ids")]
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
    /// What started longer ago than this, such as 90d; 2 days at least
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub older_than: Duration,

    /// Count only
    #[arg(long)]
    pub dry_run: bool,

    /// How to print the result
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Where to put the sample database and the messages
    #[arg(long, value_name = "DIR", default_value = "reminders-demo")]
    pub dir: PathBuf,
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
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

/// What every database and time zone can hold.
const YEARS: RangeInclusive<i32> = 1971..=9998;

/// A time within the years that every database and time zone can hold.
fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    let example = "give a time such as 2026-11-23T16:00:00+07:00";
    let time = DateTime::parse_from_rfc3339(text).map_err(|error| format!("{error}; {example}"))?;
    let time = time.to_utc();
    if YEARS.contains(&time.year()) {
        Ok(time)
    } else {
        Err(format!("the year is out of range; {example}"))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

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

    #[test]
    fn a_time_without_zone_or_beyond_the_calendar_is_refused() {
        assert!(instant("2026-11-23T16:00:00").is_err());
        assert!(instant("+99999-11-23T16:00:00Z").is_err());
        assert!(instant("0001-11-23T16:00:00Z").is_err());
        assert!(instant("2026-11-23T16:00:00+07:00").is_ok());
    }
}

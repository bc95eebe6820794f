//! The command line. The doc comments are the help.

use std::path::PathBuf;

use chrono::{DateTime, Datelike, Utc};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::ledger::Channel;

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

    /// Why this person was, will or will not be told of this session: every rule, every message, and the conclusion
    #[command(after_help = "Examples:
  reminders explain 12 budi@example.org
  reminders explain 12 34 --format json
  reminders explain 12 34 --now 2026-11-23T16:00:00+07:00

The rules stand in the order in which they are applied: ok lets the person be told, no does not, and
– does not apply or is not known. Changes nothing. Exit code 1: there is no such session or user.")]
    Explain(Explain),

    /// Whom the reminder of a session has reached, name by name, as its teacher would want it
    #[command(after_help = "Examples:
  reminders report 12
  reminders report 12 --format csv > session-12.csv

told: the mail server or WhatsApp has taken it; delivered, read: WhatsApp says so; bounced: it was
refused, or came back; perhaps: nobody can tell whether it was sent. Addresses and numbers are masked.
In CSV a cell that a spreadsheet would take for a formula begins with an apostrophe.")]
    Report(Report),

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
pub struct Explain {
    /// The session's id
    #[arg(value_name = "SESSION")]
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
    #[arg(value_name = "SESSION")]
    pub session: i64,

    /// As it is at this moment instead of now
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    pub now: Option<DateTime<Utc>>,

    /// How to print the report
    #[arg(long, default_value = "text")]
    pub format: ReportFormat,
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

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Text,
    Csv,
    Json,
}

/// A time within the years that every database and time zone can hold.
fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    let example = "give a time such as 2026-11-23T16:00:00+07:00";
    let time = DateTime::parse_from_rfc3339(text).map_err(|error| format!("{error}; {example}"))?;
    let time = time.to_utc();
    if (1971..=9998).contains(&time.year()) {
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
    fn a_time_without_zone_or_beyond_the_calendar_is_refused() {
        assert!(instant("2026-11-23T16:00:00").is_err());
        assert!(instant("+99999-11-23T16:00:00Z").is_err());
        assert!(instant("0001-11-23T16:00:00Z").is_err());
        assert!(instant("2026-11-23T16:00:00+07:00").is_ok());
    }
}

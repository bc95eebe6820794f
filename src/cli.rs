//! The command line. The doc comments are the help.

mod messages;
mod records;
mod setup;

use std::{ops::RangeInclusive, path::PathBuf, sync::LazyLock};

use chrono::{DateTime, Datelike, Utc};
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum, error::ErrorKind};

use crate::ledger::Channel;

pub use self::{
    messages::{CheckTemplates, Export, Preview, Templates, Test},
    records::{Explain, Log, Prune, Report, ReportFormat, Retry, Status},
    setup::{Check, Completions, Demo, Man, Migrate, OptIn, OptOut},
};

/// The databases this build can open.
const BACK_ENDS: &[&str] = &[
    #[cfg(feature = "sqlite")]
    "sqlite",
    #[cfg(feature = "postgres")]
    "postgres",
    #[cfg(feature = "mysql")]
    "mysql",
];

static VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{} ({})", env!("CARGO_PKG_VERSION"), BACK_ENDS.join(", ")));

/// Above the options that every command has, below its own.
const EVERYWHERE: &str = "Options of every command";

/// Tells every participant of a course session, one hour before it starts, by email and WhatsApp
///
/// Runs from cron every minute on the course platform's own database and .env. A pass in which all is well prints
/// nothing.
#[derive(Debug, Parser)]
#[command(
    version = VERSION.as_str(),
    max_term_width = 100,
    after_help = "Example, in a crontab:
  * * * * * /usr/local/bin/reminders --env-file /srv/platform/.env send"
)]
pub struct Cli {
    /// Read settings from this file instead of ./.env; of several, the first that has a setting wins
    #[arg(long = "env-file", value_name = "PATH", global = true, help_heading = EVERYWHERE)]
    pub env_files: Vec<PathBuf>,

    /// Say more on stderr (twice: everything)
    #[arg(short, long, action = ArgAction::Count, global = true, help_heading = EVERYWHERE)]
    pub verbose: u8,

    /// Say nothing on stderr but errors
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = EVERYWHERE)]
    pub quiet: bool,

    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The arguments; a wrong command line ends the program.
    pub fn read() -> Self {
        let cli = Self::parse();
        if let Some((kind, text)) = cli.clash() {
            Self::command().error(kind, text).exit();
        }
        cli
    }

    /// What does not go together, where its description cannot say so.
    fn clash(&self) -> Option<(ErrorKind, &'static str)> {
        match &self.command {
            Command::Log(log) if log.limit == 0 && !log.follow => Some((
                ErrorKind::ValueValidation,
                "invalid value '0' for '--limit <N>': give 1 or more (0 is for --follow: nothing of what was before)",
            )),
            Command::Preview(Preview {
                html: Some(_),
                channel: Some(Channel::Whatsapp),
                ..
            }) => Some((
                ErrorKind::ArgumentConflict,
                "--html is of the mail: it cannot be used with --channel whatsapp",
            )),
            _ => None,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Send what is due now: the job that cron runs every minute
    #[command(after_help = "Examples:
  reminders send                      one pass
  reminders send --dry-run            who would get what, and who would not and why
  reminders send --dry-run --now 2026-11-23T16:00:00+07:00
  reminders send --dry-run --compare-log    beside the Laravel command: what either does differently
  reminders send --session 12 --channel mail --format json

Exit codes: 0 done; 1 a reminder failed, was missed or is unknown; 2 wrong command line; \
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
    #[command(after_help = "Examples:
  reminders check
  reminders check --offline            ask neither the mail server nor Twilio

Exit codes: 0 all is well, or only warnings; 1 something is broken; 78 the configuration is wrong, \
or the database needs `reminders migrate`.")]
    Check(Check),

    /// What a participant reads: the mail and the WhatsApp message of a session, as `send` would make them; sends
    /// nothing
    #[command(after_help = "Examples:
  reminders preview                               the next session, for a made-up participant
  reminders preview 12 budi@example.org           what Budi gets
  reminders preview 12 --kind moved --locale en
  reminders preview 12 --html mail.html           the HTML part, for a browser; - is stdout
  reminders preview --sample                      without a database

The time that is left is counted from the moment the reminder goes, or from --now.

Exit codes: 0 done; 1 there is no such session or participant; 78 the settings or templates are \
wrong, or the database needs `reminders migrate`.")]
    Preview(Preview),

    /// The texts of the messages: export the built-in ones for editing, check your own
    #[command(subcommand)]
    Templates(Templates),

    /// Send one real message now, with a made-up session in it and marked as a test; needs no database, and records
    /// nothing
    #[command(after_help = "Examples:
  reminders test mail you@example.org
  reminders test whatsapp 081234567890

Exit codes: 0 accepted, and nothing bad heard of it within ten seconds (WhatsApp); 1 this recipient \
was refused, or not reached; 2 no address or number; 75 the channel could not work now; 78 the \
settings are wrong, or the channel is off.")]
    Test(Test),

    /// Why this person was, will or will not be told of this session: every rule, every message, and the conclusion
    #[command(after_help = "Examples:
  reminders explain 12 budi@example.org
  reminders explain 12 34 --format json
  reminders explain 12 34 --now 2026-11-23T16:00:00+07:00

The rules stand in the order in which they are applied: ok lets the person be told, no does not, and \
– does not apply or is not known. Changes nothing. Exit code 1: there is no such session or user.")]
    Explain(Explain),

    /// Whom the reminder of a session has reached, name by name, as its teacher would want it
    #[command(after_help = "Examples:
  reminders report 12
  reminders report 12 --format csv > session-12.csv

told: the mail server or WhatsApp has taken it; delivered, read: WhatsApp says so; bounced: it was \
refused, or came back; perhaps: nobody can tell whether it was sent. Addresses and numbers are masked. \
In CSV a cell that a spreadsheet would take for a formula begins with an apostrophe.

Exit codes: 0; 1 there is no such session; 78 the configuration is wrong, or the database needs \
`reminders migrate`.")]
    Report(Report),

    /// What comes next, when the last pass was, what became of the last day's messages, and what needs a person
    #[command(after_help = "Examples:
  reminders status
  reminders status --format json

Exit codes: 0; 75 the database cannot be reached; 78 the configuration is wrong, or the database \
needs `reminders migrate`.")]
    Status(Status),

    /// What was sent to whom and what became of it, newest first
    #[command(after_help = "Examples:
  reminders log --since 2h
  reminders log --user budi@example.org
  reminders log --session 12 --status failed,missed
  reminders log --follow --format json    a JSON object a line, as it happens

Of each message the log has its id, when it was sent (else when something last happened to it), session \
and user, the channel, its status (or what WhatsApp has said since), and where it went.

Exit codes: 0, also where there is nothing; 1 there is no such session or user; 75 the database \
cannot be reached; 78 the configuration is wrong, or the database needs `reminders migrate`.")]
    Log(Log),

    /// Put messages that have failed back to be sent, if the session has not started
    #[command(after_help = "Examples:
  reminders retry 12 15                   the ids are those of `reminders log`
  reminders retry --failed --session 3
  reminders retry 12 --even-if-in-doubt

A mail in doubt (`unknown`) may have arrived: it is sent once more only with --even-if-in-doubt, and then \
under the same Message-ID. A WhatsApp message in doubt is looked for at Twilio first.

Exit codes: 0 all of them wait to be sent; 1 one cannot be sent, see why.")]
    Retry(Retry),

    /// Delete the record of what is long over
    #[command(after_help = "Examples:
  reminders prune --older-than 90d --dry-run
  reminders prune --older-than 90d

What waits or is being sent is never deleted. The rows of the last 8 days stay in any case, since a pass \
still looks back at them.")]
    Prune(Prune),

    /// From nothing to a result: a sample database, a real pass, and the messages as files
    #[command(after_help = "Example:
  reminders demo")]
    Demo(Demo),

    /// Print what lets a shell complete this command line
    #[command(after_help = "Examples:
  reminders completions bash > /usr/share/bash-completion/completions/reminders
  reminders completions zsh > /usr/local/share/zsh/site-functions/_reminders
  reminders completions fish > ~/.config/fish/completions/reminders.fish

The Debian package has them for these three.")]
    Completions(Completions),

    /// Print the manual page, or write those of all commands into a folder
    #[command(after_help = "Examples:
  reminders man | man -l -
  reminders man /usr/local/share/man/man1")]
    Man(Man),
}

#[derive(Debug, Args)]
pub struct Send {
    /// Print who would get what and what is skipped why; connect to no mail or WhatsApp server, write nothing
    #[arg(long)]
    pub dry_run: bool,

    /// With --dry-run, while the Laravel command still runs: its log of the last 24 hours beside what passes would have
    /// done; also before `migrate`
    #[arg(long, requires = "dry_run", conflicts_with_all = ["channel", "limit"])]
    pub compare_log: bool,

    /// Start the pass's clock here instead of now
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    pub now: Option<DateTime<Utc>>,

    /// This session only
    #[arg(long, value_name = "ID", value_parser = session)]
    pub session: Option<i64>,

    /// This channel only
    #[arg(long)]
    pub channel: Option<Channel>,

    /// Deliver at most this many
    #[arg(long, value_name = "N", value_parser = limit, allow_negative_numbers = true)]
    pub limit: Option<usize>,

    /// How to print the summary
    #[arg(long, default_value = "text")]
    pub format: Format,
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

/// What every database and time zone can hold.
const YEARS: RangeInclusive<i32> = 1971..=9998;

/// A session's id.
fn session(text: &str) -> Result<i64, String> {
    let cure = "give the session's number, as `reminders status` has it";
    text.parse().map_err(|_| cure.into())
}

/// How many at most.
fn limit(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "give a number, such as 50".into())
}

/// A time within the years that every database and time zone can hold.
fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    let example = "give a time such as 2026-11-23T16:00:00+07:00";
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| example)?;
    let time = time.to_utc();
    if YEARS.contains(&time.year()) {
        Ok(time)
    } else {
        Err(format!("the year is out of range; {example}"))
    }
}

#[cfg(test)]
mod tests {
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

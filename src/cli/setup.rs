//! The arguments of the commands that set things up and look whether they are.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use clap_complete::Shell;

use super::Format;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("who").args(["user", "file"]).required(true))]
pub struct OptIn {
    /// A user's numeric id or email address
    #[arg(value_name = "USER")]
    pub user: Option<String>,

    /// The number to store; without it, the one in the profile
    #[arg(long, value_name = "NUMBER", conflicts_with = "file")]
    pub phone: Option<String>,

    /// Many at once: a CSV file with lines of user,phone or user;phone (the phone may be empty); - reads stdin
    #[arg(long, value_name = "CSV")]
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
    /// Ask neither the mail server nor Twilio
    #[arg(long)]
    pub offline: bool,

    /// How to print the links
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Where to put the sample database and the messages
    #[arg(long, value_name = "DIR", default_value = "reminders-demo")]
    pub dir: PathBuf,
}

#[derive(Debug, Args)]
pub struct Completions {
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub struct Man {
    /// The folder, for a page of each command; made if there is none
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

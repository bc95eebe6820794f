//! The arguments of the commands that show and try messages.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use super::{Format, instant, session};
use crate::{
    config::Locale,
    ledger::{Channel, Kind},
};

#[derive(Debug, Args)]
pub struct Preview {
    /// The session's id; without it, the next one whose reminder may still go
    #[arg(value_name = "SESSION", value_parser = session)]
    pub session: Option<i64>,

    /// A participant's numeric id or email address; without it, a made-up participant
    #[arg(value_name = "USER")]
    pub user: Option<String>,

    /// A made-up session, too; needs no database
    #[arg(long, conflicts_with = "session")]
    pub sample: bool,

    /// This channel only
    #[arg(long)]
    pub channel: Option<Channel>,

    /// What is told of the session: reminder, moved or cancelled
    #[arg(long, default_value = "reminder", hide_possible_values = true)]
    pub kind: Kind,

    /// The language of the made-up participant, instead of REMINDER_LOCALE
    #[arg(long, conflicts_with = "user")]
    pub locale: Option<Locale>,

    /// As if it were made at this moment
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    pub now: Option<DateTime<Utc>>,

    /// Write the HTML part of the mail to this file; - prints it, and nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// How to print the messages
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Subcommand)]
pub enum Templates {
    /// Write the built-in templates into a folder, to be edited there; leaves files alone that are there already
    #[command(after_help = "Example:
  reminders templates export reminder-templates

Then set REMINDER_TEMPLATES=reminder-templates, and delete the files that you do not change: what is \
not there stays built in.")]
    Export(Export),

    /// Render every template with sample and extreme values, those from the folder and the built-in others
    #[command(after_help = "Example:
  reminders templates check reminder-templates

Exit codes: 0 each can be rendered; 1 one cannot, or a file has a name that replaces no template.")]
    Check(CheckTemplates),
}

#[derive(Debug, Args)]
pub struct Export {
    /// The folder; made if there is none
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Replace files that are there already
    #[arg(long)]
    pub force: bool,

    /// How to print what was written
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct CheckTemplates {
    /// The folder, as in REMINDER_TEMPLATES
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// How to print what was found
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Test {
    /// How to send it
    pub channel: Channel,

    /// An email address; for WhatsApp a phone number, with + and country code or as in PHONE_REGION
    #[arg(value_name = "ADDRESS|NUMBER")]
    pub to: String,

    /// How to print what happened
    #[arg(long, default_value = "text")]
    pub format: Format,
}

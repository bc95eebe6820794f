//! `test`: one real message now, by the configured transport, about a made-up session. Opens no database.

mod mail;
mod trial;
mod whatsapp;

use anyhow::Result;
use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;

use crate::{
    cli,
    config::{self, Config},
    exit::{self, Exit},
    ledger::Channel,
    message::Renderer,
    output,
};

pub fn run(config: &Config, args: &cli::Test) -> Result<Exit> {
    let trial = match args.channel {
        Channel::Mail => mail::send(config, &args.to)?,
        Channel::Whatsapp => whatsapp::send(config, &args.to)?,
    };
    output::print(args.format, &trial)?;
    trial.end()
}

/// The settings of a channel that can work.
fn settings<T>(channel: Channel, settings: &config::Channel<T>) -> Result<&T> {
    let why = match settings {
        config::Channel::On(settings) => return Ok(settings),
        config::Channel::Off(why) => {
            format!("{} is off ({why}): change that first", channel.name())
        }
        config::Channel::Broken(problems) => {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            lines.join("\n")
        }
    };
    Err(exit::error(Exit::Config, why))
}

/// Where nobody says in which zone the platform's times are, its own tables have UTC.
fn renderer(config: &Config) -> Result<Renderer> {
    let reminder = &config.reminder;
    let (templates, zone) = (reminder.templates.as_deref(), config.zone);
    Renderer::new(
        &config.app,
        reminder.locale,
        templates,
        zone.unwrap_or(Tz::UTC),
    )
}

/// When the made-up session starts.
fn start(now: DateTime<Utc>) -> DateTime<Utc> {
    now + Duration::hours(1)
}

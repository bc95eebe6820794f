//! `check`: every link of the chain, a line each, all of them also when one is broken. Reads only, and sends nothing.

mod chain;
mod database;
mod env;
mod folder;
mod mail;
mod metrics;
mod next;
mod passes;
mod people;
mod rights;
mod signs;
mod starts;
mod told;
mod whatsapp;

use anyhow::{Error, Result};
use chrono::Utc;
use chrono_tz::Tz;

use self::chain::Chain;
use crate::{
    cli,
    config::{Channel, Config, Problem},
    db::{self, Db},
    exit::{self, Exit},
    output,
    pass::summary,
    platform::{self, coming::Coming},
    time::Zone,
};

pub fn run(config: &'static Config, args: &cli::Check) -> Result<Exit> {
    let mut chain = Chain::default();
    env::look(&mut chain, config);
    if let Some(mail) = settings(&mut chain, "mail", &config.mail) {
        mail::look(&mut chain, mail, args.offline);
    }
    if let Some(whatsapp) = settings(&mut chain, "whatsapp", &config.whatsapp) {
        whatsapp::look(&mut chain, config, whatsapp, args.offline);
    }
    for redirected in summary::redirected(&config.reminder) {
        chain.warn("redirect", format!("{redirected}, not to the participants"));
    }
    metrics::look(&mut chain, config.watch.metrics_file.as_deref());
    chain.look("database", |chain| {
        let mut db = db::open(&config.database)?;
        chain.ok("database", config.database.describe());
        database(chain, &mut db, config)
    });
    output::print(args.format, &chain)?;
    Ok(chain.exit())
}

/// Where there are no settings to look with: what is wrong with them, a line each.
pub fn without_settings(wrong: &Error, args: &cli::Check) -> Result<Exit> {
    let mut chain = Chain::default();
    for line in format!("{wrong:#}").lines() {
        chain.fail("env", exit::of(wrong), line);
    }
    output::print(args.format, &chain)?;
    Ok(exit::of(wrong))
}

/// What is set for a channel that can work. (The settings of the database were right, or `check` would not have begun.)
fn settings<'a, T>(
    chain: &mut Chain,
    link: &'static str,
    channel: &'a Channel<T>,
) -> Option<&'a T> {
    match channel {
        Channel::On(settings) => {
            chain.ok(link, "the settings are complete");
            return Some(settings);
        }
        // A reminder without mail is hardly one; WhatsApp is for those who want it.
        Channel::Off(why) if link == "mail" => {
            let text = format!("is off ({why}): nobody gets mail");
            chain.fail(link, Exit::Failed, text);
        }
        Channel::Off(why) => chain.ok(link, format!("is off ({why})")),
        Channel::Broken(problems) => {
            let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
            chain.fail(link, Exit::Config, problems.join("; "));
        }
    }
    None
}

fn database(chain: &mut Chain, db: &mut Db, config: &Config) -> Result<()> {
    let now = Utc::now();
    let found = database::look(chain, db, config)?;
    let zone = platform::zone(config, db);
    // There the zone only bounds how far back is read; a link of its own says when nobody knows it.
    let near = *zone.as_ref().unwrap_or(&Zone(Tz::UTC));
    passes::look(chain, db, config, &found, near, now);
    let zone = match zone {
        Ok(zone) => zone,
        Err(error) => {
            chain.error("zone", &error);
            return Ok(());
        }
    };
    signs::zone(chain, db, &found.platform, zone, now);
    chain.look("laravel", |chain| {
        signs::laravel(chain, db, &found, zone, now)
    });
    if found.has_participants() {
        let coming = Coming::new(db, found.unmade());
        let mut unreadable = Vec::new();
        chain.look("starts", |chain| {
            unreadable = starts::look(chain, db, &coming, zone, now)?;
            Ok(())
        });
        chain.look("addresses", |chain| {
            people::look(chain, db, config, &coming, zone, now)
        });
        chain.look("next", |chain| {
            next::look(chain, db, config, (&coming, &found, &unreadable), zone, now)
        });
    }
    Ok(())
}

//! `reminders`: tells every participant of a course session, one hour before it starts, by email and WhatsApp.
//!
//! ```text
//! main       arguments -> configuration -> command -> exit code
//! config     the environment and Laravel's .env, read once and checked
//! cli        the arguments, and the help
//! commands   a file or folder per command
//! pass       one minute's work: correct, enqueue, claim, deliver, record, both channels side by side
//! ledger     the queries on our table: what is owed to whom, and what became of it
//! platform   the seam to the platform: the views session_participants and session_cancellations, the profiles, and
//!            its own tables where somebody asks why
//! legacy     the log of the Laravel command that this program replaces, held against the ledger
//! message    what a participant reads;  mail, whatsapp  how it is handed over;  outcome  what became of that
//! gate       when a message leaves
//! health     the ping to a watcher;  metrics  the Prometheus file;  interrupt  SIGTERM and SIGINT
//! db         which database it is;  time  wall clocks and instants;  lock  one pass at a time on a host
//! phone, text, table, output, exit  what they say
//! ```
//!
//! Data flows one way: `send` → enqueue → claim → render → deliver → record → exit code.

#[cfg(not(any(feature = "sqlite", feature = "postgres", feature = "mysql")))]
compile_error!("choose a database: --features sqlite, postgres, mysql, or full for all three");

mod cli;
mod commands;
mod config;
mod db;
mod exit;
mod gate;
mod health;
mod interrupt;
mod ledger;
mod legacy;
mod lock;
mod mail;
mod message;
mod metrics;
mod outcome;
mod output;
mod pass;
mod phone;
mod platform;
mod table;
mod text;
mod time;
mod whatsapp;

use std::{collections::HashMap, env, io::Write, process::ExitCode};

use anyhow::{Context, Result};
use log::{Level, LevelFilter, Record, error};

use crate::{
    cli::{Cli, Command},
    commands::{
        check, completions, demo, explain, man, migrate, opt_in, preview, prune, report, retry,
        send, status, templates, test,
    },
    config::{Config, Problem, Watch, wrong_settings},
    exit::Exit,
};

fn main() -> ExitCode {
    let cli = Cli::read();
    start_logging(&cli);
    let ended = run(&cli).unwrap_or_else(|error| {
        error!("{}", db::with_cure(&error));
        exit::of(&error)
    });
    if ended == Exit::Config {
        mention_missing_env(&cli);
    }
    ended.into()
}

/// Wrong settings are often no settings: the program was started in another folder than the platform's.
fn mention_missing_env(cli: &Cli) {
    let named = !cli.env_files.is_empty() || env::var_os("REMINDERS_ENV_FILE").is_some();
    let folder = env::current_dir().unwrap_or_default();
    if !named && !folder.join(".env").exists() {
        let folder = folder.display();
        error!(
            "there is no .env in {folder}: start in the platform's folder, or name it with --env-file"
        );
    }
}

fn run(cli: &Cli) -> Result<Exit> {
    // For good: a pass that is interrupted leaves threads behind that hang in a read.
    let config = || configure(cli).map(|config| &*Box::leak(Box::new(config)));
    match &cli.command {
        Command::Send(args) => send::run(config()?, args),
        Command::OptIn(args) => opt_in::opt_in(config()?, args),
        Command::OptOut(args) => opt_in::opt_out(config()?, args),
        Command::Migrate(args) => migrate::run(config()?, args),
        Command::Check(args) => match config() {
            Ok(config) => check::run(config, args),
            Err(wrong) => check::without_settings(&wrong, args),
        },
        Command::Preview(args) => preview::run(config()?, args),
        Command::Test(args) => test::run(config()?, args),
        Command::Status(args) => status::run(config()?, args),
        Command::Log(args) => commands::log::run(config()?, args),
        Command::Retry(args) => retry::run(config()?, args),
        Command::Prune(args) => prune::run(config()?, args),
        Command::Explain(args) => explain::run(config()?, args),
        Command::Report(args) => report::run(config()?, args),
        Command::Demo(args) => demo::run(args),
        Command::Templates(args) => templates::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}

/// The settings, all of them read and checked before anything is done.
fn configure(cli: &Cli) -> Result<Config> {
    let folder = env::current_dir().context("could not find the working directory")?;
    let environment: HashMap<String, String> = env::vars_os()
        .filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()))
        .collect();
    let load = match &cli.command {
        Command::Test(_) => Config::load_without_database,
        Command::Preview(args) if args.sample => Config::load_without_database,
        _ => Config::load,
    };
    let mut config = load(&cli.env_files, &environment, &folder).map_err(|problems| {
        if let Command::Send(args) = &cli.command
            && !args.dry_run
        {
            let watch = Watch::load(&cli.env_files, &environment, &folder);
            send::could_not_begin(&watch, Exit::Config, &wrong_settings(&problems));
        }
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        exit::error(Exit::Config, lines.join("\n"))
    })?;
    check_templates(&mut config);
    Ok(config)
}

/// The user's own templates are tried now, since a broken one is to be known before the first session is due.
fn check_templates(config: &mut Config) {
    let Some(folder) = &config.reminder.templates else {
        return;
    };
    for found in message::check_templates(folder) {
        let problem = Problem::new("REMINDER_TEMPLATES", None, found.reason);
        if found.mail {
            config.mail.complain(problem.clone());
        }
        if found.whatsapp {
            config.whatsapp.complain(problem);
        }
    }
}

/// Logs go to stderr, warnings and errors unless asked for more; `RUST_LOG` is obeyed when neither -v nor -q is given.
/// Whatever a message holds, it stays on its line and sends nothing to the terminal but text.
fn start_logging(cli: &Cli) {
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => Some(LevelFilter::Error),
        (false, 0) => None,
        (false, 1) => Some(LevelFilter::Info),
        (false, _) => Some(LevelFilter::Debug),
    };
    let mut logger =
        env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn"));
    if let Some(level) = level {
        logger
            .filter_level(LevelFilter::Warn)
            .filter_module("reminders", level);
    }
    logger
        .format(|out, record| {
            if tells_secrets(record) {
                return Ok(());
            }
            let level = record.level().as_str().to_lowercase();
            for line in record.args().to_string().lines() {
                writeln!(
                    out,
                    "{} {level}: {}",
                    out.timestamp_seconds(),
                    text::one_line(line, 1000)
                )?;
            }
            Ok(())
        })
        .init();
}

/// The HTTP client logs whole addresses when asked for everything, and to a watcher the address is the password.
fn tells_secrets(record: &Record) -> bool {
    record.target().starts_with("ureq") && record.level() > Level::Info
}

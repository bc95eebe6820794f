//! `demo`: from nothing to a result, with the real pass on a sample database whose messages become files.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use diesel::connection::SimpleConnection;

use crate::{
    cli,
    commands::{migrate, send},
    config::Config,
    db,
    exit::Exit,
    output,
    time::{DIGITS, Zone},
};

const ENV: &str = include_str!("demo/env");
const SAMPLE: &str = include_str!("demo/sample.sql");

/// The files of an earlier demo that a new one replaces.
const DATABASE: &str = "demo.sqlite";

pub fn run(args: &cli::Demo) -> Result<Exit> {
    clear(&args.dir)?;
    let now = Utc::now();
    let config = prepare(&args.dir, now)?;
    let exit = send::run(&config, &send_arguments(now))?;
    output::line(&story(&args.dir)?)?;
    Ok(exit)
}

/// # Errors
/// When the folder holds something that no demo has made: it might be somebody's work.
fn clear(dir: &Path) -> Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    let is_demo = dir.join(DATABASE).is_file();
    let is_empty = fs::read_dir(dir)
        .with_context(|| unusable(dir))?
        .next()
        .is_none();
    if !is_demo && !is_empty {
        bail!(
            "{} holds other files: give an empty or new folder with --dir",
            dir.display()
        );
    }
    for name in [DATABASE, "demo.sqlite-wal", "demo.sqlite-shm", ".env"] {
        let _ = fs::remove_file(dir.join(name));
    }
    for path in messages(dir)? {
        fs::remove_file(&path).with_context(|| format!("could not remove {}", path.display()))?;
    }
    Ok(())
}

/// Settings, database and sample data, as a platform would have them.
fn prepare(dir: &Path, now: DateTime<Utc>) -> Result<Config> {
    fs::create_dir_all(dir).with_context(|| unusable(dir))?;
    let env = dir.join(".env");
    fs::write(&env, ENV).with_context(|| unusable(&env))?;
    let config =
        Config::load(std::slice::from_ref(&env), &HashMap::new(), dir).map_err(|problems| {
            anyhow::anyhow!(
                "{}",
                problems.iter().map(ToString::to_string).collect::<String>()
            )
        })?;
    migrate::apply(&config)?;
    let mut db = db::open(&config.database)?;
    db.batch_execute(&sample(now))
        .context("could not make the sample data")?;
    Ok(config)
}

/// The sample data around now: `@60` stands for the wall clock in 60 minutes.
fn sample(now: DateTime<Utc>) -> String {
    let zone = Zone(Tz::Asia__Jakarta);
    [60, 58, 180, 1440]
        .iter()
        .fold(SAMPLE.to_owned(), |sql, minutes| {
            let wall = zone.wall(now + Duration::minutes(*minutes));
            sql.replace(
                &format!("@{minutes}'"),
                &format!("{}'", wall.format(DIGITS)),
            )
        })
}

fn send_arguments(now: DateTime<Utc>) -> cli::Send {
    cli::Send {
        dry_run: false,
        now: Some(now),
        session: None,
        channel: None,
        limit: None,
        format: cli::Format::Text,
    }
}

fn unusable(path: &Path) -> String {
    format!("could not use {}", path.display())
}

/// The messages in the folder, sorted.
fn messages(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| unusable(dir))?;
    let is_message = |path: &PathBuf| {
        path.extension()
            .is_some_and(|ending| ending == "eml" || ending == "json")
    };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(is_message)
        .collect();
    paths.sort();
    Ok(paths)
}

/// What there is to see, and what to try next.
fn story(dir: &Path) -> Result<String> {
    let messages = messages(dir)?;
    let list: String = messages
        .iter()
        .map(|path| format!("  {}\n", path.display()))
        .collect();
    let dir = dir.display();
    Ok(format!(
        "{count} messages were written, one file each:\n{list}
Next, try:
  reminders --env-file {dir}/.env send              nobody is told twice
  reminders --env-file {dir}/.env send --dry-run    who was told, who is skipped and why
  reminders --env-file {dir}/.env opt-in dewi@example.org --phone 0812-1111-2222",
        count = messages.len(),
    ))
}

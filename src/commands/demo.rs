//! `demo`: from nothing to a result, with the real pass on a sample database whose messages become files.

use std::{
    collections::HashMap,
    env, fs,
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
    ledger::{self, Channel},
    output,
    platform::{self, Participant},
    time::{DIGITS, Zone},
};

const ENV: &str = include_str!("demo/env");
const SAMPLE: &str = include_str!("demo/sample.sql");

const DATABASE: &str = "demo.sqlite";

/// As the settings say.
const ZONE: Zone = Zone(Tz::Asia__Jakarta);

/// How the names of settings begin, which the real environment must not bring into the demo's next commands.
const SETTINGS: [&str; 10] = [
    "APP_",
    "DATABASE_URL",
    "DB_",
    "HEALTHCHECK_URL",
    "MAIL_",
    "METRICS_FILE",
    "PHONE_REGION",
    "REMINDER_",
    "TWILIO_",
    "WHATSAPP_",
];

pub fn run(args: &cli::Demo) -> Result<Exit> {
    let dir = std::path::absolute(&args.dir).with_context(|| unusable(&args.dir))?;
    clear(&dir)?;
    let now = Utc::now();
    let config: &'static Config = Box::leak(Box::new(prepare(&dir, now)?));
    let exit = send::run(config, &send_arguments(now))?;
    let told = told(config, now)?;
    output::line(&story(&args.dir, &told)?)?;
    Ok(exit)
}

/// # Errors
/// When the folder holds something that no demo has made: it might be somebody's work.
fn clear(dir: &Path) -> Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    let is_demo = fs::read(dir.join(".env")).is_ok_and(|env| env == ENV.as_bytes());
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
    [60, 64, 180, 1440]
        .iter()
        .fold(SAMPLE.to_owned(), |sql, minutes| {
            let wall = ZONE.wall(now + Duration::minutes(*minutes));
            sql.replace(
                &format!("@{minutes}'"),
                &format!("{}'", wall.format(DIGITS)),
            )
        })
}

fn send_arguments(now: DateTime<Utc>) -> cli::Send {
    cli::Send {
        dry_run: false,
        compare_log: false,
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
    // By the names that the file transports give, so that nobody else's files are taken for ours.
    let is_message = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        (name.starts_with('s') && name.ends_with(".eml"))
            || (name.starts_with("file-") && name.ends_with(".json"))
    };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(is_message)
        .collect();
    paths.sort();
    Ok(paths)
}

/// A line for every participant of a session that is due: who got what.
fn told(config: &Config, now: DateTime<Utc>) -> Result<String> {
    let mut db = db::open(&config.database)?;
    let walls = ZONE.walls(now, now + Duration::minutes(65));
    let people = platform::participants_in(&mut db, &walls, None)?;
    let sessions = || people.iter().map(|to| to.session_id).collect();
    let mails = ledger::standing(&mut db, Channel::Mail, sessions())?;
    let messages = ledger::standing(&mut db, Channel::Whatsapp, sessions())?;
    let status = |rows: &[ledger::Standing], to: &Participant| {
        rows.iter()
            .find(|row| (row.session_id, row.user_id) == (to.session_id, to.user_id))
            .map_or_else(|| "not opted in".to_owned(), |row| row.status.clone())
    };
    let line = |to: &Participant| {
        format!(
            "  {:<14}  {:<20}  mail: {:<6}  WhatsApp: {}\n",
            to.name.as_deref().unwrap_or_default(),
            to.session_title.as_deref().unwrap_or_default(),
            status(&mails, to),
            status(&messages, to),
        )
    };
    Ok(people.iter().map(line).collect())
}

/// What there is to see, and what to try next.
fn story(dir: &Path, told: &str) -> Result<String> {
    let paths = messages(dir)?;
    let names: String = paths
        .iter()
        .filter_map(|path| path.file_name())
        .map(|name| format!("  {}\n", name.display()))
        .collect();
    let command = command(dir);
    Ok(format!(
        "Two sessions start in about an hour, and this is who has been told:

{told}
Each message is a file in {folder}; mail programs open the .eml files:

{names}
One of the WhatsApp messages reads:

{message}
Next, try:

  # who was told, who was not, and why
  {command} send --dry-run
  # nobody is told twice
  {command} send
  # now Dewi gets a WhatsApp message, too
  {command} opt-in dewi@example.org --phone 0812-1111-2222
  {command} send
  # why Siti was told by mail alone; where it says `reminders`, type what stands here
  {command} explain 1 siti@example.org
  # what is sent
  {command} preview 1
  # what comes next, and what became of the last day's messages
  {command} status",
        folder = dir.display(),
        message = whatsapp_message(&paths)?,
    ))
}

/// The text of the last WhatsApp message, indented.
fn whatsapp_message(paths: &[PathBuf]) -> Result<String> {
    let mut files = paths.iter().rev();
    let Some(path) = files.find(|path| path.extension().is_some_and(|ending| ending == "json"))
    else {
        return Ok(String::new());
    };
    let text = fs::read_to_string(path).with_context(|| unusable(path))?;
    let message: serde_json::Value = serde_json::from_str(&text)?;
    let body = message["body"].as_str().unwrap_or_default();
    Ok(body
        .lines()
        .map(|line| format!("  {line}").trim_end().to_owned() + "\n")
        .collect())
}

/// This program with the demo's settings and no others, as a shell takes it.
fn command(dir: &Path) -> String {
    let program = env::args_os().next().unwrap_or_else(|| "reminders".into());
    let others = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut others: Vec<String> = others
        .filter(|name| SETTINGS.iter().any(|setting| name.starts_with(setting)))
        .map(|name| format!("-u {} ", quoted(name.as_ref())))
        .collect();
    others.sort();
    let clean = if others.is_empty() { "" } else { "env " };
    let env_file = dir.join(".env");
    format!(
        "{clean}{}{} --env-file {}",
        others.concat(),
        quoted(Path::new(&program)),
        quoted(&env_file)
    )
}

/// One word of a POSIX shell.
fn quoted(word: &Path) -> String {
    let text = word.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

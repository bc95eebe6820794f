//! `send`: one pass, as cron runs it every minute.

use std::{
    fmt::Write,
    io::{self, IsTerminal},
    process,
    time::Duration,
};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use indicatif::ProgressBar;
use log::{debug, error, warn};

use crate::{
    cli::{self, Format},
    config::Config,
    db::{self, Db},
    exit::{self, Exit},
    ledger::Scope,
    lock::{self, Attempt, Lock},
    output,
    pass::{
        self, Budget, Pass,
        dry_run::{self, Plan},
        summary::{self, Channels, Summary},
    },
    platform, text,
    time::{Clock, Zone},
};

/// A pass that holds the lock longer than this hangs.
const TOO_LONG: Duration = Duration::from_secs(15 * 60);

pub fn run(config: &Config, args: &cli::Send) -> Result<Exit> {
    let clock = clock(args);
    if args.dry_run {
        return look(config, args, clock);
    }
    let _lock = match lock::take(&config.database) {
        Attempt::Taken(lock) => Some(lock),
        Attempt::Busy(since) => return busy(since),
        Attempt::Impossible(path, error) => without_lock(&path.display().to_string(), &error),
    };
    let (zone, due) = glance(config, args, clock)?;
    let pass = pass(config, args, clock, zone);
    let summary = if due {
        pass::run(&mut db::open(&config.database)?, &pass)?
    } else {
        nothing(&pass)
    };
    report(config, args, &pass, &summary, due)?;
    Ok(summary.exit().max(complain(config)))
}

/// Says what is wrong with the settings of a channel; the other channel has done its work.
fn complain(config: &Config) -> Exit {
    let problems = config.problems();
    for problem in &problems {
        error!("{problem}");
    }
    if problems.is_empty() {
        Exit::Ok
    } else {
        Exit::Config
    }
}

fn clock(args: &cli::Send) -> Clock {
    let host = Utc::now();
    let now = args.now.unwrap_or(host);
    if !args.dry_run && (now - host).abs() > chrono::Duration::minutes(1) {
        warn!(
            "--now is {now}, the host's clock says {host}: reminders are sent as if it were that time"
        );
    }
    Clock::starting_at(now)
}

/// Decides with as little reading as possible whether there is anything to do.
fn glance(config: &Config, args: &cli::Send, clock: Clock) -> Result<(Zone, bool)> {
    let look = |db: &mut Db| -> Result<(Zone, bool)> {
        let zone = zone(config, db)?;
        let pass = pass(config, args, clock, zone);
        Ok((zone, pass::anything_due(db, &pass)?))
    };
    if let Some(mut db) = db::glance(&config.database)
        && let Ok(answer) = look(&mut db)
    {
        return Ok(answer);
    }
    let mut db = db::open(&config.database)?;
    look(&mut db).or_else(|error| Err(explain(&mut db, error)))
}

/// Puts what is missing from the database before an error that it may have caused.
fn explain(db: &mut Db, error: anyhow::Error) -> anyhow::Error {
    let needed = [
        "session_participants",
        "session_reminder_deliveries",
        "session_reminder_logs",
    ];
    let Ok(relations) = db::relations(db) else {
        return error.context("could not read the database");
    };
    let missing: Vec<&str> = needed
        .into_iter()
        .filter(|name| !relations.iter().any(|found| found == name))
        .collect();
    if missing.is_empty() {
        return error.context("could not look for what is due");
    }
    exit::error(
        Exit::Config,
        format!(
            "the database lacks {}: run `reminders migrate`",
            missing.join(", ")
        ),
    )
}

/// The zone of the stored times. Only a database whose tables our own `migrate` made may leave it open: then it is UTC.
fn zone(config: &Config, db: &mut Db) -> Result<Zone> {
    match config.zone {
        Some(zone) => Ok(Zone(zone)),
        None if db::PLATFORM.is_done(db)? => Ok(Zone(Tz::UTC)),
        None => Err(exit::error(
            Exit::Config,
            "APP_TIMEZONE is not set, and there is no config/app.php beside the .env that names the zone: set it to the \
             zone of the times in the database, such as APP_TIMEZONE=Asia/Jakarta",
        )),
    }
}

fn pass<'a>(config: &'a Config, args: &cli::Send, clock: Clock, zone: Zone) -> Pass<'a> {
    Pass {
        config,
        zone,
        clock,
        scope: Scope {
            session: args.session,
            channel: args.channel,
        },
        budget: Budget::new(args.limit),
        claimant: claimant(),
        bar: ProgressBar::hidden(),
        show_progress: io::stdout().is_terminal() && args.format == Format::Text,
    }
}

/// Host, process and moment: no other process ever has the same.
fn claimant() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host.trim().chars().take(24).collect();
    format!("{host}:{}:{}", process::id(), Utc::now().timestamp_micros())
}

fn busy(since: Duration) -> Result<Exit> {
    let minutes = since.as_secs() / 60;
    if since > TOO_LONG {
        warn!("another pass has been working for {minutes} minutes: look whether it hangs");
        return Ok(Exit::TryLater);
    }
    debug!("another pass is active");
    if io::stdout().is_terminal() {
        output::line(&"another pass is active: it does what is due")?;
    }
    Ok(Exit::Ok)
}

fn without_lock(path: &str, error: &io::Error) -> Option<Lock> {
    warn!(
        "could not lock {path}: {error}; going on, since the claims in the database keep passes apart"
    );
    None
}

fn nothing(pass: &Pass) -> Summary {
    Summary::new(Channels::default(), pass)
}

fn report(
    config: &Config,
    args: &cli::Send,
    pass: &Pass,
    summary: &Summary,
    due: bool,
) -> Result<()> {
    match args.format {
        Format::Json => output::print(Format::Json, summary),
        Format::Text if !io::stdout().is_terminal() => Ok(()),
        Format::Text if due => output::line(summary),
        Format::Text => output::line(&next(&mut db::open(&config.database)?, pass)?),
    }
}

/// For a person who waits for something to happen.
fn next(db: &mut Db, pass: &Pass) -> Result<String> {
    let (_, due_until) = pass.window();
    let found = platform::next_session(db, pass.zone.wall(due_until))
        .context("could not look for the next session")?;
    let Some((title, start)) = found else {
        return Ok("nothing is due; no later session has participants".into());
    };
    let title = text::one_line(&title.unwrap_or_default(), 60);
    let told = |start: DateTime<Utc>| {
        let lead = pass
            .windows()
            .first()
            .map_or(chrono::Duration::zero(), |window| window.lead);
        pass.zone.wall(start - lead)
    };
    let told = pass
        .zone
        .parse(&start)
        .map(told)
        .map(|wall| wall.to_string())
        .unwrap_or_default();
    let start = text::one_line(&start, 30);
    Ok(format!(
        "nothing is due; next: {title}, starts {start}, its reminder goes at {told} ({})",
        pass.zone.0
    ))
}

/// `--dry-run`: says what a pass would do.
fn look(config: &Config, args: &cli::Send, clock: Clock) -> Result<Exit> {
    let mut db = db::open(&config.database)?;
    let zone = zone(config, &mut db)?;
    let pass = pass(config, args, clock, zone);
    let plan = dry_run::plan(&mut db, &pass, args.limit).map_err(anyhow::Error::from);
    let plan = plan.or_else(|error| Err(explain(&mut db, error)))?;
    match args.format {
        Format::Json => output::print(Format::Json, &nothing(&pass).dry(plan))?,
        Format::Text => output::line(&describe(&plan, &pass)?)?,
    }
    Ok(complain(config))
}

fn describe(plan: &Plan, pass: &Pass) -> Result<String> {
    let (from, to) = pass.window();
    let (from, to) = (pass.zone.wall(from), pass.zone.wall(to));
    let start = |digits: &str| text::one_line(digits, 30);
    let mut text = format!(
        "sessions that start from {from} to {to} ({})\n",
        pass.zone.0
    );
    for redirected in summary::redirected(pass) {
        writeln!(text, "{redirected}")?;
    }
    writeln!(text, "would send {}:", plan.reminders.len())?;
    for one in &plan.reminders {
        writeln!(
            text,
            "  {:<9} session {} at {}, user {}: {}",
            one.channel,
            one.session_id,
            start(&one.scheduled_at),
            one.user_id,
            one.to
        )?;
    }
    write!(text, "would skip {}:", plan.skipped.len())?;
    for one in &plan.skipped {
        let reason = text::one_line(&one.reason, 200);
        write!(
            text,
            "\n  {:<9} session {} at {}, user {}: {reason}",
            one.channel,
            one.session_id,
            start(&one.scheduled_at),
            one.user_id
        )?;
    }
    Ok(text)
}

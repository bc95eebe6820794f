//! `send`: one pass, as cron runs it every minute.

mod compare;
mod left;
mod words;

use std::{
    io::{self, IsTerminal},
    process,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use chrono::{SubsecRound, Utc};
use log::{debug, error, warn};

use self::left::Left;
use super::{cause, session};
use crate::{
    cli::{self, Format},
    config::{Config, Watch},
    db::{self, Db},
    exit::{self, Exit},
    health,
    interrupt::Interrupt,
    ledger::Scope,
    lock::{self, Attempt, Lock},
    output,
    pass::{
        self, Budget, Pass,
        dry_run::{self, Plan},
        due,
        summary::{Channels, Summary},
    },
    platform::{self, standing},
    time::{self, Clock, Zone},
};

/// A pass that holds the lock longer than this hangs.
const TOO_LONG: Duration = Duration::from_secs(15 * 60);

pub fn run(config: &'static Config, args: &cli::Send) -> Result<Exit> {
    let clock = clock(args);
    if args.dry_run {
        return look(config, args, clock);
    }
    let _lock = match lock::take(&config.database) {
        Attempt::Taken(lock) => Some(lock),
        Attempt::Busy(since) => return busy(config, args, clock, since),
        Attempt::Impossible(path, error) => without_lock(&path.display().to_string(), &error),
    };
    let watched = health::start(config.watch.healthcheck_url.as_deref());
    let settings = complain(config);
    let (interrupt, mut left) = (Interrupt::default(), Left::default());
    let done = work(config, args, clock, &interrupt, &mut left);
    let done = weigh(done, settings);
    let exit = done.as_ref().map_or_else(exit::of, |exit| *exit);
    left.measure(&config.watch, clock, exit);
    if let Some(watched) = watched {
        watched.end(exit, &left.words(), interrupt.left_of(health::LIMIT));
    }
    done
}

/// The pass itself; `left` gets what it did.
fn work(
    config: &'static Config,
    args: &cli::Send,
    clock: Clock,
    interrupt: &Interrupt,
    left: &mut Left,
) -> Result<Exit> {
    let (zone, due) = glance(config, args, clock)?;
    let mut pass = pass(config, args, clock, zone);
    pass.interrupt = interrupt.clone();
    left.begun(&pass, due);
    let pass = Arc::new(pass);
    let summary = if due {
        interrupt.listen();
        let mut db = db::open(&config.database)?;
        compare_clocks(&mut db)?;
        let summary =
            pass::run(&mut db, &pass).map_err(|error| cause::of_ledger(&mut db, error))?;
        left.count(&config.watch, &mut db);
        summary
    } else {
        check_session(config, args, zone)?;
        nothing(&pass)
    };
    let summary = left.summary.insert(summary);
    report(config, args, &pass, summary, due)?;
    Ok(summary.exit())
}

/// Tells those who watch of a pass that could not even begin; `words` must name nobody.
pub fn could_not_begin(watch: &Watch, exit: Exit, words: &str) {
    let watched = health::start(watch.healthcheck_url.as_deref());
    left::measure_nothing(watch, exit);
    if let Some(watched) = watched {
        watched.end(exit, words, health::LIMIT);
    }
}

/// What is wrong with a channel's settings weighs beside what became of the rest.
fn weigh(done: Result<Exit>, settings: Exit) -> Result<Exit> {
    done.map(|exit| exit.max(settings))
        .map_err(|error| exit::at_least(settings, error))
}

/// Says what is wrong with the settings of a channel, before anything else can go wrong; the other channel does its
/// work.
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
            "--now is {now}, the host's clock says {}: reminders are sent as if it were that time",
            host.trunc_subsecs(0)
        );
    }
    Clock::starting_at(now, host)
}

/// Leases and windows go by this host's clock: a wrong one tells people at the wrong time.
fn compare_clocks(db: &mut Db) -> Result<()> {
    let theirs = db::now(db).context("could not read the database's clock")?;
    if let Some(skew) = theirs.and_then(|theirs| time::skew(Utc::now(), theirs)) {
        warn!("{skew}");
    }
    Ok(())
}

/// Decides with as little reading as possible whether there is anything to do.
fn glance(config: &Config, args: &cli::Send, clock: Clock) -> Result<(Zone, bool)> {
    let look = |db: &mut Db| -> Result<(Zone, bool)> {
        let zone = platform::zone(config, db)?;
        let pass = pass(config, args, clock, zone);
        check_views(config, db)?;
        Ok((zone, due::anything(db, &pass)?))
    };
    if let Some(mut db) = db::glance(&config.database)
        && let Ok(answer) = look(&mut db)
    {
        return Ok(answer);
    }
    let mut db = db::open(&config.database)?;
    look(&mut db).map_err(|error| cause::explain(&mut db, error, LOOKING))
}

/// Warns of a session that there is not: for that one nothing is ever due.
fn check_session(config: &Config, args: &cli::Send, zone: Zone) -> Result<()> {
    if let Some(session) = args.session
        && let Err(error) = session::check(&mut db::open(&config.database)?, session, zone)
    {
        warn!("{error:#}");
    }
    Ok(())
}

/// Corrections need a view more.
fn check_views(config: &Config, db: &mut Db) -> Result<()> {
    if config.reminder.corrections {
        standing::check_cancellations(db)?;
    }
    Ok(())
}

/// What a pass could not do where it could not begin.
const LOOKING: &str = "could not look for what is due";

fn pass<'a>(config: &'a Config, args: &cli::Send, clock: Clock, zone: Zone) -> Pass<'a> {
    let scope = Scope {
        session: args.session,
        channel: args.channel,
    };
    Pass {
        budget: Budget::new(args.limit),
        claimant: claimant(),
        show_progress: io::stdout().is_terminal() && args.format == Format::Text,
        ..Pass::to_look(config, zone, clock, scope)
    }
}

/// Host, process and moment: no other process ever has the same.
fn claimant() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host.trim().chars().take(24).collect();
    format!("{host}:{}:{}", process::id(), Utc::now().timestamp_micros())
}

fn busy(config: &Config, args: &cli::Send, clock: Clock, since: Duration) -> Result<Exit> {
    let minutes = since.as_secs() / 60;
    if args.format == Format::Json {
        let zone = platform::zone(config, &mut db::open(&config.database)?)?;
        output::json(&nothing(&pass(config, args, clock, zone)))?;
    } else if io::stdout().is_terminal() {
        output::line(&"another pass is active: it does what is due")?;
    }
    if since > TOO_LONG {
        warn!("another pass has been working for {minutes} minutes: look whether it hangs");
        let words = format!("another pass has been working for {minutes} minutes");
        could_not_begin(&config.watch, Exit::TryLater, &words);
        return Ok(Exit::TryLater);
    }
    debug!("another pass is active");
    Ok(Exit::Ok)
}

fn without_lock(path: &str, error: &io::Error) -> Option<Lock> {
    warn!(
        "could not lock {path}: {error}; going on, since the claims in the database keep passes apart (set STATE_DIRECTORY to a \
         folder that this user may write to)"
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
        Format::Json => output::json(summary),
        Format::Text if !io::stdout().is_terminal() => Ok(()),
        Format::Text if due => output::line(summary),
        Format::Text => output::line(&words::next(&mut db::open(&config.database)?, pass)?),
    }
}

/// `--dry-run`: says what a pass would do.
fn look(config: &Config, args: &cli::Send, clock: Clock) -> Result<Exit> {
    let settings = complain(config);
    weigh(show_plan(config, args, clock), settings)
}

fn show_plan(config: &Config, args: &cli::Send, clock: Clock) -> Result<Exit> {
    let mut db = db::open(&config.database)?;
    let zone = platform::zone(config, &mut db)?;
    let pass = pass(config, args, clock, zone);
    if args.compare_log {
        output::print(args.format, &compare::compare(&mut db, &pass)?)?;
        return Ok(Exit::Ok);
    }
    check_views(config, &mut db)?;
    let plan = dry_run::plan(&mut db, &pass, args.limit).map_err(anyhow::Error::from);
    let plan = plan.map_err(|error| cause::explain(&mut db, error, LOOKING))?;
    if plan.reminders.is_empty() && plan.skipped.is_empty() {
        check_session(config, args, zone)?;
    }
    match args.format {
        Format::Text => output::line(&words::plan(&plan, &pass))?,
        Format::Json => output::json(&dry_run::Report {
            summary: Summary::new(stopped(&plan), &pass).dry(),
            plan,
        })?,
    }
    Ok(Exit::Ok)
}

/// The channels as a pass would leave them that finds some held back.
fn stopped(plan: &Plan) -> Channels {
    let mut channels = Channels::default();
    for (channel, why) in &plan.held {
        channels.of(*channel).stop(Exit::TryLater, why);
    }
    channels
}

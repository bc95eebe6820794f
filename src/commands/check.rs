//! `check`: every link of the chain, a line each, all of them also when one is broken. Reads only.

mod chain;

use anyhow::Result;
use chrono::Utc;
use diesel::{RunQueryDsl, sql_query};

use self::chain::Chain;
use crate::{
    cli,
    config::{Channel, Config, Problem},
    db::{self, Db},
    exit::Exit,
    ledger::{self, Kind},
    legacy, output,
    pass::correct,
    platform::{
        self, cancellations,
        standing::{Flaws, Standing, has_cancellations},
        view::{self, Platform},
    },
    time,
};

pub fn run(config: &Config, args: &cli::Check) -> Result<Exit> {
    let mut chain = Chain::default();
    settings(&mut chain, config);
    match db::open(&config.database) {
        Ok(mut db) => {
            chain.ok("database", config.database.describe());
            if let Err(error) = database(&mut chain, &mut db, config) {
                chain.error("database", &error);
            }
        }
        Err(error) => chain.error("database", &error),
    }
    output::print(args.format, &chain)?;
    Ok(chain.exit())
}

/// The settings of the database were right, or `check` would not have begun.
fn settings(chain: &mut Chain, config: &Config) {
    channel(chain, "mail", &config.mail);
    channel(chain, "whatsapp", &config.whatsapp);
}

fn channel<T>(chain: &mut Chain, link: &'static str, channel: &Channel<T>) {
    match channel {
        Channel::On(_) => chain.ok(link, "the settings are complete"),
        // A reminder without mail is hardly one; WhatsApp is for those who want it.
        Channel::Off(why) if link == "mail" => {
            chain.fail(
                link,
                Exit::Failed,
                format!("is off ({why}): nobody gets mail"),
            );
        }
        Channel::Off(why) => chain.ok(link, format!("is off ({why})")),
        Channel::Broken(problems) => {
            let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
            chain.fail(link, Exit::Config, problems.join("; "));
        }
    }
}

fn database(chain: &mut Chain, db: &mut Db, config: &Config) -> Result<()> {
    clock(chain, db)?;
    let standing = Standing::read(db, view::NAME)?;
    let platform = Platform::read(db)?;
    match &standing {
        Standing::Theirs => own_view(chain, db)?,
        _ => platforms_view(chain, db, &platform, &standing)?,
    }
    tables(chain, db)?;
    if config.reminder.corrections {
        corrections(chain, db, config, &platform, &standing)?;
    }
    rights(chain, db, config);
    zone(chain, db, config)
}

/// Several hosts share a database's work by their clocks.
fn clock(chain: &mut Chain, db: &mut Db) -> Result<()> {
    if let Some(theirs) = db::now(db)? {
        match time::skew(Utc::now(), theirs) {
            Some(skew) => chain.warn("clock", skew),
            None => chain.ok("clock", "this host's and the database's agree"),
        }
    }
    Ok(())
}

fn own_view(chain: &mut Chain, db: &mut Db) -> Result<()> {
    match Flaws::read(db, view::NAME)?.check() {
        Ok(()) => chain.ok("view", format!("{} is your own", view::NAME)),
        Err(error) => chain.error("view", &error),
    }
    Ok(())
}

fn platforms_view(
    chain: &mut Chain,
    db: &mut Db,
    platform: &Platform,
    standing: &Standing,
) -> Result<()> {
    match platform.check() {
        Ok(()) if !platform.has("user_profiles", "whatsapp_opt_in") => {
            let text = "there is no user_profiles.whatsapp_opt_in: run `reminders migrate`";
            chain.fail("tables", Exit::Config, text);
        }
        Ok(()) => chain.ok("tables", "the platform's have the columns that are needed"),
        Err(error) => {
            chain.error("tables", &error);
            return Ok(());
        }
    }
    let wanted = platform.view(&db.dialect().view_sql);
    match standing {
        Standing::Ours(text) if text.is_empty() => chain.ok("view", "there, and ours"),
        Standing::Ours(text) if view::is_current(text, &wanted) => {
            chain.ok("view", format!("{} is up to date", view::NAME));
        }
        Standing::Ours(_) => {
            let text = "lags behind the platform's columns: run `reminders migrate`";
            chain.warn("view", format!("{} {text}", view::NAME));
        }
        _ => chain.fail("view", Exit::Config, missing(view::NAME)),
    }
    indexes(chain, db)
}

fn missing(name: &str) -> String {
    format!("there is no {name}: run `reminders migrate`")
}

/// What corrections need beside: a second view, and words of their own for WhatsApp.
fn corrections(
    chain: &mut Chain,
    db: &mut Db,
    config: &Config,
    platform: &Platform,
    participants: &Standing,
) -> Result<()> {
    let name = cancellations::NAME;
    let wanted = platform.cancellations(&db.dialect().view_sql);
    match (Standing::read(db, name)?, participants) {
        (Standing::Theirs, _) => match Flaws::read(db, name)?.check() {
            Ok(()) => chain.ok("corrects", format!("{name} is your own")),
            Err(error) => chain.error("corrects", &error),
        },
        (Standing::Ours(text), _) if text.is_empty() || view::is_current(&text, &wanted) => {
            chain.ok("corrects", format!("{name} is there"));
        }
        (Standing::Ours(_), _) => {
            let text = "lags behind the platform's columns: run `reminders migrate`";
            chain.warn("corrects", format!("{name} {text}"));
        }
        (Standing::Missing, Standing::Theirs) => {
            let text = format!(
                "moved sessions are told, cancelled ones not: there is no view {name} of yours"
            );
            chain.warn("corrects", text);
        }
        (Standing::Missing, _) => chain.fail("corrects", Exit::Config, missing(name)),
    }
    for kind in [Kind::Moved, Kind::Cancelled] {
        if !correct::can_tell(config, ledger::Channel::Whatsapp, kind) {
            let (kind, variable) = (kind.name(), kind.name().to_uppercase());
            let text = format!(
                "that a session is {kind} is not told by WhatsApp: set TWILIO_WHATSAPP_CONTENT_SID_{variable}"
            );
            chain.warn("corrects", text);
        }
    }
    Ok(())
}

/// What the queries of a pass look for, where the platform is large.
const INDEXES: [(&str, &str); 3] = [
    ("course_sessions", "scheduled_at"),
    ("enrollments", "course_id"),
    ("user_profiles", "user_id"),
];

fn indexes(chain: &mut Chain, db: &mut Db) -> Result<()> {
    let create = db.dialect().create_index;
    let mut all = true;
    for (table, column) in INDEXES {
        if !db::indexes(db, table)?.iter().any(|first| first == column) {
            all = false;
            chain.warn(
                "index",
                format!(
                    "each pass reads all of {table}; on a large platform: {create} {table}_{column}_index ON {table} ({column});"
                ),
            );
        }
    }
    if all {
        chain.ok("index", "every index that helps is there");
    }
    Ok(())
}

/// Ours, and Laravel's log.
fn tables(chain: &mut Chain, db: &mut Db) -> Result<()> {
    let relations = db::relations(db)?;
    for table in [ledger::TABLE, legacy::TABLE] {
        if relations.iter().any(|name| name == table) {
            chain.ok("ledger", format!("{table} is there"));
        } else {
            chain.fail("ledger", Exit::Config, missing(table));
        }
    }
    Ok(())
}

/// What a pass does, with no row to do it to: a server refuses it all the same to a user who may not.
const USES: [(&str, &str); 5] = [
    (view::NAME, "SELECT session_id FROM session_participants WHERE 1 = 0"),
    (
        ledger::TABLE,
        "INSERT INTO session_reminder_deliveries (course_session_id, user_id, channel, lead_minutes, scheduled_at, created_at, updated_at)
         SELECT course_session_id, user_id, channel, lead_minutes, scheduled_at, created_at, updated_at
         FROM session_reminder_deliveries WHERE 1 = 0",
    ),
    (
        ledger::TABLE,
        "UPDATE session_reminder_deliveries SET status = 'sent' WHERE 1 = 0",
    ),
    (
        legacy::TABLE,
        "INSERT INTO session_reminder_logs (course_session_id, sent_at, recipients_count)
         SELECT course_session_id, sent_at, recipients_count FROM session_reminder_logs WHERE 1 = 0",
    ),
    (
        legacy::TABLE,
        "UPDATE session_reminder_logs SET recipients_count = 0 WHERE 1 = 0",
    ),
];

/// What a pass does besides that makes corrections.
const CORRECTS: (&str, &str) = (
    cancellations::NAME,
    "SELECT session_id FROM session_cancellations WHERE 1 = 0",
);

/// Of a server's user; who may write a file is known when it is written.
fn rights(chain: &mut Chain, db: &mut Db, config: &Config) {
    // Where a table is missing there is nothing to have a right to.
    let links = ["tables", "view", "ledger", "corrects"];
    if !db.dialect().is_server() || chain.has_failed(&links) {
        return;
    }
    let corrects = config.reminder.corrections && has_cancellations(db).unwrap_or_default();
    for (what, statement) in USES.into_iter().chain(corrects.then_some(CORRECTS)) {
        if let Err(error) = sql_query(statement).execute(db) {
            chain.error("rights", &anyhow::Error::new(error).context(what));
            return;
        }
    }
    chain.ok("rights", "this database user may do what a pass does");
}

fn zone(chain: &mut Chain, db: &mut Db, config: &Config) -> Result<()> {
    match platform::zone(config, db) {
        Ok(zone) => {
            let now = zone.wall(Utc::now()).format(time::DIGITS);
            chain.ok("zone", format!("{}, where it is {now} now", zone.0));
        }
        Err(error) => chain.error("zone", &error),
    }
    Ok(())
}

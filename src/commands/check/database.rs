//! The database's links: what is there, what is missing, and who may do what.

use anyhow::Result;
use chrono::Utc;
use diesel::{RunQueryDsl, sql_query};

use super::chain::Chain;
use crate::{
    config::Config,
    db::{self, Db},
    exit::Exit,
    ledger::{self, Kind},
    legacy,
    pass::correct,
    platform::{
        cancellations,
        standing::{Flaws, Standing, has_cancellations},
        view::{self, Platform},
    },
    time,
};

/// What was found.
pub struct Found {
    pub standing: Standing,
    pub platform: Platform,
    pub has_ledger: bool,
    /// Laravel's.
    pub has_log: bool,
}

impl Found {
    /// The platform, where there is no view yet.
    pub fn unmade(&self) -> Option<&Platform> {
        (self.standing == Standing::Missing).then_some(&self.platform)
    }

    /// Whether the participants can be asked for: from the view, or from what `migrate` would make it of.
    pub fn has_participants(&self) -> bool {
        self.standing != Standing::Missing || self.platform.check().is_ok()
    }
}

pub fn look(chain: &mut Chain, db: &mut Db, config: &Config) -> Result<Found> {
    chain.look("clock", |chain| clock(chain, db));
    let relations = db::relations(db)?;
    let has = |name: &str| relations.iter().any(|found| found == name);
    let found = Found {
        standing: Standing::read(db, view::NAME)?,
        platform: Platform::read(db)?,
        has_ledger: has(ledger::TABLE),
        has_log: has(legacy::TABLE),
    };
    chain.look("view", |chain| match &found.standing {
        Standing::Theirs => own_view(chain, db),
        standing => platforms_view(chain, db, &found.platform, standing),
    });
    chain.look("ledger", |chain| tables(chain, db, &found));
    if config.reminder.corrections {
        let (platform, standing) = (&found.platform, &found.standing);
        chain.look("corrects", |chain| {
            corrections(chain, db, config, platform, standing)
        });
    }
    rights(chain, db, config);
    Ok(found)
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
fn tables(chain: &mut Chain, db: &mut Db, found: &Found) -> Result<()> {
    let whole = ledger::columns::check(&ledger::columns::lacking(db)?);
    if let Err(error) = &whole {
        chain.error("ledger", error);
    }
    let tables = [
        (ledger::TABLE, found.has_ledger),
        (legacy::TABLE, found.has_log),
    ];
    for (table, is_there) in tables.into_iter().skip(usize::from(whole.is_err())) {
        match is_there {
            true => chain.ok("ledger", format!("{table} is there")),
            false => chain.fail("ledger", Exit::Config, missing(table)),
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

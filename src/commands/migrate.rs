//! `migrate`: creates what is missing, and nothing else.

use std::path::Path;

use anyhow::{Context, Result};
use diesel::connection::SimpleConnection;

use crate::{
    cli,
    config::{Config, Database},
    db::{self, Db},
    exit::{self, Exit},
    ledger, legacy, output,
    platform::view::{self, Platform, Standing},
};

const LEDGER: &str = ledger::TABLE;
const LOG: &str = legacy::TABLE;

/// What Laravel's own migration adds.
const OPT_IN_COLUMN: &str =
    "ALTER TABLE user_profiles ADD COLUMN whatsapp_opt_in TINYINT(1) NOT NULL DEFAULT '0';";

/// The columns of Laravel's log, all of them read or written.
const LOG_COLUMNS: [&str; 5] = [
    "course_session_id",
    "sent_at",
    "recipients_count",
    "created_at",
    "updated_at",
];

pub fn run(config: &Config, args: &cli::Migrate) -> Result<Exit> {
    let mut script = Script::default();
    if let Database::Sqlite(path) = &config.database
        && db::is_new(&config.database)
        && !args.dry_run
        && !removes(args)
    {
        // A platform has its database already: this may be a slip in its name.
        script
            .steps
            .push(format!("made the new database {}", path.display()));
    }
    let mut db = open(config, args, &mut script)?;
    let done = db.immediate_transaction(|db| {
        if removes(args) {
            remove(db, args, &mut script)?;
        } else {
            create(db, &config.project, &mut script)?;
        }
        // What has been tried in a transaction and undone is known to work.
        if args.dry_run {
            Err(Stop::Undo)
        } else {
            Ok(())
        }
    });
    match done {
        Ok(()) => output::line(&script.done(args))?,
        Err(Stop::Undo) => output::line(&script.sql())?,
        Err(Stop::Failed(error)) => return Err(error),
    }
    Ok(Exit::Ok)
}

/// Plain `migrate` of a new database, silently.
pub fn apply(config: &Config) -> Result<()> {
    let mut db = db::make(&config.database)?;
    create(&mut db, &config.project, &mut Script::default())
}

fn removes(args: &cli::Migrate) -> bool {
    args.drop_view || args.uninstall
}

/// A file is made only for what is known to work, and not for a dry run.
fn open(config: &Config, args: &cli::Migrate, script: &mut Script) -> Result<Db> {
    if removes(args) || !db::is_new(&config.database) {
        return db::open(&config.database);
    }
    let mut nowhere = db::pretend()?;
    if args.dry_run {
        script.statements.push(db::NEW_JOURNAL.into());
        return Ok(nowhere);
    }
    create(&mut nowhere, &config.project, &mut Script::default())?;
    db::make(&config.database)
}

/// Why the transaction is rolled back.
enum Stop {
    Undo,
    Failed(anyhow::Error),
}

impl From<diesel::result::Error> for Stop {
    fn from(error: diesel::result::Error) -> Self {
        Stop::Failed(anyhow::Error::new(error).context("could not migrate; nothing was changed"))
    }
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Stop::Failed(error)
    }
}

/// The statements run so far, and what they did in words.
#[derive(Default)]
struct Script {
    statements: Vec<String>,
    steps: Vec<String>,
}

impl Script {
    fn run(&mut self, db: &mut Db, statement: impl Into<String>) -> Result<()> {
        let statement = statement.into();
        db.batch_execute(&statement)
            .with_context(|| format!("could not run, and nothing was changed: {statement}"))?;
        self.statements.push(statement);
        Ok(())
    }

    fn step(&mut self, what: impl Into<String>) {
        self.steps.push(what.into());
    }

    fn sql(&self) -> String {
        if self.statements.is_empty() {
            "-- nothing to do".into()
        } else {
            self.statements.join("\n\n")
        }
    }

    fn done(&self, args: &cli::Migrate) -> String {
        if !self.steps.is_empty() {
            self.steps.join("\n")
        } else if removes(args) {
            "nothing to do: nothing of ours is there".into()
        } else {
            "nothing to do: the database has all it needs".into()
        }
    }
}

fn create(db: &mut Db, project: &Path, script: &mut Script) -> Result<()> {
    let standing = view::standing(db)?;
    match standing {
        Standing::Theirs => view::check_theirs(db)?,
        _ => adopt(db, project, script)?,
    }
    make_ledger(db, project, script)?;
    if standing != Standing::Theirs {
        make_view(db, &standing, script)?;
    }
    Ok(())
}

/// The platform's tables: made where there are none at all, completed where they are the platform's.
fn adopt(db: &mut Db, project: &Path, script: &mut Script) -> Result<()> {
    if is_empty(db)? {
        leave_to_laravel(db, project, "", "the database is empty")?;
        run_migration(db, &db::PLATFORM, script)?;
        script.step("made the platform's tables, since there was none");
    }
    let platform = Platform::read(db)?;
    platform.check()?;
    if !platform.has("user_profiles", "whatsapp_opt_in") {
        let lack = "user_profiles.whatsapp_opt_in is missing";
        leave_to_laravel(db, project, "whatsapp_opt_in", lack)?;
        script.run(db, OPT_IN_COLUMN)?;
        script.step("added user_profiles.whatsapp_opt_in");
    }
    Ok(())
}

/// Our own table, and Laravel's log where it is missing.
fn make_ledger(db: &mut Db, project: &Path, script: &mut Script) -> Result<()> {
    let relations = db::relations(db)?;
    let missing: Vec<&str> = [LEDGER, LOG]
        .into_iter()
        .filter(|table| !relations.iter().any(|name| name == table))
        .collect();
    if missing.contains(&LOG) {
        leave_to_laravel(db, project, LOG, &format!("{LOG} is missing"))?;
    } else {
        check_log(db)?;
    }
    if !missing.is_empty() {
        run_migration(db, &db::REMINDERS, script)?;
        script.step(format!("made {}", missing.join(" and ")));
    }
    Ok(())
}

/// # Errors
/// Ends with 78 when a table of that name is not Laravel's log.
fn check_log(db: &mut Db) -> Result<()> {
    let columns = db::columns(db, LOG)?;
    let missing: Vec<String> = LOG_COLUMNS
        .iter()
        .filter(|column| !columns.iter().any(|name| name == *column))
        .map(|column| format!("{LOG}.{column}"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!(
        "this database lacks column {}: add it as Laravel's migration has it, or rename that table, and `reminders migrate` makes another",
        missing.join(", ")
    );
    Err(exit::error(Exit::Config, text))
}

fn run_migration(db: &mut Db, migration: &db::Migration, script: &mut Script) -> Result<()> {
    for statement in migration.statements(db)? {
        script.run(db, statement)?;
    }
    Ok(())
}

fn make_view(db: &mut Db, standing: &Standing, script: &mut Script) -> Result<()> {
    let wanted = Platform::read(db)?.view();
    let step = match standing {
        Standing::Ours(current) if *current == wanted.trim_end_matches(';') => return Ok(()),
        Standing::Ours(_) => {
            script.run(db, drop_view())?;
            "made anew, from the columns there are now,"
        }
        _ => "made",
    };
    script.run(db, wanted)?;
    script.step(format!("{step} the view {}", view::NAME));
    Ok(())
}

fn drop_view() -> String {
    format!("DROP VIEW {};", view::NAME)
}

/// What Laravel's migrations would make must be made by them, or they fail when they are run.
///
/// # Errors
/// Ends with 78 when a migration with `word` in its name lies beside the `.env` and has not been run.
fn leave_to_laravel(db: &mut Db, project: &Path, word: &str, lack: &str) -> Result<()> {
    let done = db::laravel_migrations(db)?;
    let waits = |name: &String| name.contains(word) && !done.contains(name);
    let folder = project.join("database/migrations");
    let Some(migration) = laravel_migrations(&folder).into_iter().find(waits) else {
        return Ok(());
    };
    let text = format!(
        "{lack}, and {}/{migration}.php has not been run: run `php artisan migrate` first",
        folder.display()
    );
    Err(exit::error(Exit::Config, text))
}

/// The migrations in the folder, if it is one, by their names as Laravel records them.
fn laravel_migrations(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter_map(|name| Some(name.strip_suffix(".php")?.to_owned()))
        .collect()
}

/// No table at all, but those of the database itself and of an earlier run.
fn is_empty(db: &mut Db) -> Result<bool> {
    let own = |name: &String| name.starts_with("sqlite_") || name.starts_with("__diesel");
    Ok(db::relations(db)?.iter().all(own))
}

fn remove(db: &mut Db, args: &cli::Migrate, script: &mut Script) -> Result<()> {
    if let Standing::Ours(_) = view::standing(db)? {
        script.run(db, drop_view())?;
        script.step(format!(
            "dropped the view {}: nobody is reminded until `reminders migrate` makes it again",
            view::NAME
        ));
    }
    if args.ledger && db::relations(db)?.iter().any(|name| name == LEDGER) {
        script.run(db, format!("DROP TABLE {LEDGER};"))?;
        if db::REMINDERS.is_done(db)? {
            let forget = db::REMINDERS.forget(db)?;
            script.run(db, forget)?;
        }
        script.step(format!("dropped {LEDGER}, the record of what was sent"));
    }
    Ok(())
}

//! `migrate`: creates what is missing, and nothing else.

use std::path::Path;

use anyhow::{Context, Result};
use diesel::connection::SimpleConnection;

use crate::{
    cli,
    config::Config,
    db::{self, Db},
    exit::{self, Exit},
    output,
    platform::view::{self, Platform, Standing},
};

const LEDGER: &str = "session_reminder_deliveries";
const LOG: &str = "session_reminder_logs";

/// What Laravel's own migration adds.
const OPT_IN_COLUMN: &str =
    "ALTER TABLE user_profiles ADD COLUMN whatsapp_opt_in TINYINT(1) NOT NULL DEFAULT '0';";

/// The platform's migrations that make what we would make, by the end of their names.
const LARAVEL_OPT_IN: &str = "add_whatsapp_opt_in_to_user_profiles_table.php";
const LARAVEL_LOG: &str = "create_session_reminder_logs_table.php";

pub fn run(config: &Config, args: &cli::Migrate) -> Result<Exit> {
    let mut db = if args.dry_run {
        db::open_or_pretend(&config.database)?
    } else {
        db::open_or_create(&config.database)?
    };
    let mut script = Script::default();
    let done = db.immediate_transaction(|db| {
        if args.drop_view || args.uninstall {
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
        Ok(()) => output::line(&script.done())?,
        Err(Stop::Undo) => output::line(&script.sql())?,
        Err(Stop::Failed(error)) => return Err(error),
    }
    Ok(Exit::Ok)
}

/// Plain `migrate`, silently.
pub fn apply(config: &Config) -> Result<()> {
    let mut db = db::open_or_create(&config.database)?;
    create(&mut db, &config.project, &mut Script::default())
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

/// The statements run so far.
#[derive(Default)]
struct Script {
    statements: Vec<String>,
}

impl Script {
    fn run(&mut self, db: &mut Db, statement: impl Into<String>) -> Result<()> {
        let statement = statement.into();
        db.batch_execute(&statement)
            .with_context(|| format!("could not run, and nothing was changed: {statement}"))?;
        self.statements.push(statement);
        Ok(())
    }

    fn sql(&self) -> String {
        if self.statements.is_empty() {
            "-- nothing to do".into()
        } else {
            self.statements.join("\n\n")
        }
    }

    fn done(&self) -> String {
        match self.statements.len() {
            0 => "nothing to do: the database has all it needs".into(),
            count => format!("done, in {count} steps"),
        }
    }
}

fn create(db: &mut Db, project: &Path, script: &mut Script) -> Result<()> {
    let standing = view::standing(db)?;
    if standing != Standing::Theirs {
        adopt(db, project, script)?;
    }
    if !has(db, LEDGER)? || !has(db, LOG)? || !db::REMINDERS.is_done(db)? {
        refuse_before_laravel(project, LARAVEL_LOG, LOG, has(db, LOG)?)?;
        run_migration(db, &db::REMINDERS, script)?;
    }
    if standing != Standing::Theirs {
        make_view(db, &standing, script)?;
    }
    Ok(())
}

/// The platform's tables: made where there are none at all, completed where they are the platform's.
fn adopt(db: &mut Db, project: &Path, script: &mut Script) -> Result<()> {
    if is_empty(db)? {
        run_migration(db, &db::PLATFORM, script)?;
    }
    let platform = Platform::read(db)?;
    platform.check()?;
    let has_column = platform.has("user_profiles", "whatsapp_opt_in");
    refuse_before_laravel(
        project,
        LARAVEL_OPT_IN,
        "user_profiles.whatsapp_opt_in",
        has_column,
    )?;
    if !has_column {
        script.run(db, OPT_IN_COLUMN)?;
    }
    Ok(())
}

fn run_migration(db: &mut Db, migration: &db::Migration, script: &mut Script) -> Result<()> {
    for statement in migration.statements(db)? {
        script.run(db, statement)?;
    }
    Ok(())
}

fn make_view(db: &mut Db, standing: &Standing, script: &mut Script) -> Result<()> {
    let wanted = Platform::read(db)?.view();
    match standing {
        Standing::Ours(current) if *current == wanted.trim_end_matches(';') => return Ok(()),
        Standing::Ours(_) => script.run(db, drop_view())?,
        _ => {}
    }
    script.run(db, wanted)
}

fn drop_view() -> String {
    format!("DROP VIEW {};", view::NAME)
}

/// What Laravel's migrations would make must be made by them, or they fail when they are run.
fn refuse_before_laravel(
    project: &Path,
    migration: &str,
    thing: &str,
    is_there: bool,
) -> Result<()> {
    if is_there || !has_laravel_migration(project, migration) {
        return Ok(());
    }
    let folder = project.join("database/migrations");
    let text = format!(
        "{thing} is missing, and {} holds a migration (…{migration}) that makes it: run `php artisan migrate` first",
        folder.display()
    );
    Err(exit::error(Exit::Config, text))
}

fn has_laravel_migration(project: &Path, name: &str) -> bool {
    let Ok(folder) = std::fs::read_dir(project.join("database/migrations")) else {
        return false;
    };
    folder
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().ends_with(name))
}

fn has(db: &mut Db, relation: &str) -> Result<bool> {
    Ok(db::relations(db)?.iter().any(|name| name == relation))
}

/// No table at all, but those of the database itself and of an earlier run.
fn is_empty(db: &mut Db) -> Result<bool> {
    let own = |name: &String| name.starts_with("sqlite_") || name.starts_with("__diesel");
    Ok(db::relations(db)?.iter().all(own))
}

fn remove(db: &mut Db, args: &cli::Migrate, script: &mut Script) -> Result<()> {
    if let Standing::Ours(_) = view::standing(db)? {
        script.run(db, drop_view())?;
    }
    if args.ledger && has(db, LEDGER)? {
        script.run(db, format!("DROP TABLE {LEDGER};"))?;
        script.run(db, db::REMINDERS.forget())?;
    }
    Ok(())
}

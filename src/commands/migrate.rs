//! `migrate`: creates what is missing, and nothing else.

mod found;
mod script;

use std::path::Path;

use anyhow::{Context, Result};

use self::{found::Found, script::Script};
use crate::{
    cli,
    config::Config,
    db::{self, Dialect},
    exit::{self, Exit},
    ledger, legacy, output,
    platform::{
        cancellations,
        standing::{Flaws, Standing},
        view::{self, Platform},
    },
};

const LEDGER: &str = ledger::TABLE;
const LOG: &str = legacy::TABLE;

/// The columns of Laravel's log, all of them read or written.
const LOG_COLUMNS: [&str; 5] = [
    "course_session_id",
    "sent_at",
    "recipients_count",
    "created_at",
    "updated_at",
];

pub fn run(config: &Config, args: &cli::Migrate) -> Result<Exit> {
    let dialect = db::dialect(&config.database)?;
    let is_new = db::is_new(&config.database) && !removes(args);
    let found = if is_new {
        Found::default()
    } else {
        Found::read(&mut db::open(&config.database)?).context("could not read the database")?
    };
    let script = if removes(args) {
        remove(&found, args)
    } else {
        create(&found, dialect, &config.project)?
    };
    if args.dry_run {
        let first = dialect.new_database.filter(|_| is_new);
        if !is_new {
            script.try_out(config)?;
        }
        output::line(&script.sql(first))?;
    } else {
        script.execute(config)?;
        if is_new {
            // A platform has its database already: this may be a slip in its name.
            output::line(&format!(
                "made the new database {}",
                config.database.describe()
            ))?;
        }
        let nothing = if removes(args) {
            "nothing that this takes away is there"
        } else {
            "the database has all it needs"
        };
        output::line(&script.done(nothing))?;
    }
    Ok(Exit::Ok)
}

/// Plain `migrate` of a new database, silently.
pub fn apply(config: &Config) -> Result<()> {
    let dialect = db::dialect(&config.database)?;
    create(&Found::default(), dialect, &config.project)?.execute(config)
}

fn removes(args: &cli::Migrate) -> bool {
    args.drop_view || args.uninstall
}

fn create(found: &Found, dialect: &Dialect, project: &Path) -> Result<Script> {
    let mut script = Script::default();
    found.flaws.iter().try_for_each(Flaws::check)?;
    if found.standing == Standing::Theirs {
        make_ledger(found, dialect, project, &mut script)?;
        return Ok(script);
    }
    let platform = adopt(found, dialect, project, &mut script)?;
    make_ledger(found, dialect, project, &mut script)?;
    let (sql, share) = (&dialect.view_sql, dialect.share_view);
    let participants = platform.view(sql);
    make_view(
        view::NAME,
        &found.standing,
        &participants,
        share,
        &mut script,
    );
    let cancelled = platform.cancellations(sql);
    make_view(
        cancellations::NAME,
        &found.cancellations,
        &cancelled,
        share,
        &mut script,
    );
    Ok(script)
}

/// The platform's tables: made where there are none at all, completed where they are the platform's.
fn adopt(
    found: &Found,
    dialect: &Dialect,
    project: &Path,
    script: &mut Script,
) -> Result<Platform> {
    if found.is_empty() {
        leave_to_laravel(found, project, "", "the database is empty")?;
        script
            .statements
            .extend(db::PLATFORM.statements(dialect, &found.done));
        script.step("made the platform's tables, since there was none");
        return Ok(Platform::complete());
    }
    let mut platform = found.platform.clone();
    platform.check()?;
    if !platform.has("user_profiles", "whatsapp_opt_in") {
        let lack = "user_profiles.whatsapp_opt_in is missing";
        leave_to_laravel(found, project, "whatsapp_opt_in", lack)?;
        script.run(dialect.opt_in_column);
        script.step("added user_profiles.whatsapp_opt_in");
        platform.add("user_profiles", "whatsapp_opt_in");
    }
    Ok(platform)
}

/// Our own table, and Laravel's log where it is missing.
fn make_ledger(
    found: &Found,
    dialect: &Dialect,
    project: &Path,
    script: &mut Script,
) -> Result<()> {
    let missing: Vec<&str> = [LEDGER, LOG]
        .into_iter()
        .filter(|table| !found.has(table))
        .collect();
    if missing.contains(&LOG) {
        leave_to_laravel(found, project, LOG, &format!("{LOG} is missing"))?;
    } else {
        check_log(found)?;
    }
    for column in &found.ledger_lacks {
        script.run(format!("ALTER TABLE {LEDGER} ADD COLUMN {column};"));
        script.step(format!("added {LEDGER}.{}", ledger::columns::name(column)));
    }
    if !missing.is_empty() {
        script
            .statements
            .extend(db::REMINDERS.statements(dialect, &found.done));
        script.step(format!("made {}", missing.join(" and ")));
    }
    Ok(())
}

/// # Errors
/// Ends with 78 when a table of that name is not Laravel's log.
fn check_log(found: &Found) -> Result<()> {
    let missing: Vec<String> = LOG_COLUMNS
        .iter()
        .filter(|column| !found.log_columns.iter().any(|name| name == *column))
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

/// Makes a view, but leaves one of the operator's own alone.
fn make_view(
    name: &str,
    standing: &Standing,
    wanted: &str,
    share: Option<fn(&str) -> String>,
    script: &mut Script,
) {
    let step = match standing {
        Standing::Theirs => return,
        Standing::Ours(current) if view::is_current(current, wanted) => return,
        Standing::Ours(_) => {
            script.run(drop_view(name));
            "made anew, from the columns there are now,"
        }
        Standing::Missing => "made",
    };
    script.run(wanted);
    script.statements.extend(share.map(|share| share(name)));
    script.step(format!("{step} the view {name}"));
}

fn drop_view(name: &str) -> String {
    format!("DROP VIEW {name};")
}

/// What Laravel's migrations would make must be made by them, or they fail when they are run.
///
/// # Errors
/// Ends with 78 when a migration with `word` in its name lies beside the `.env` and has not been run.
fn leave_to_laravel(found: &Found, project: &Path, word: &str, lack: &str) -> Result<()> {
    let waits = |name: &String| name.contains(word) && !found.laravel.contains(name);
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

fn remove(found: &Found, args: &cli::Migrate) -> Script {
    let mut script = Script::default();
    if let Standing::Ours(_) = found.cancellations {
        script.run(drop_view(cancellations::NAME));
        script.step(format!("dropped the view {}", cancellations::NAME));
    }
    if let Standing::Ours(_) = found.standing {
        script.run(drop_view(view::NAME));
        script.step(format!(
            "dropped the view {}: nobody is reminded until `reminders migrate` makes it again",
            view::NAME
        ));
    }
    if args.ledger && found.has(LEDGER) {
        script.run(format!("DROP TABLE {LEDGER};"));
        if found.done.has(&db::REMINDERS) {
            script.run(found.done.without(&db::REMINDERS));
        }
        script.step(format!("dropped {LEDGER}, the record of what was sent"));
    }
    script
}

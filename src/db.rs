//! The database: the only place that knows which one it is. Opening, transactions, what tables there are, migrations.

mod lossy;
pub mod schema;

use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};
use diesel::{
    Connection, QueryResult, QueryableByName, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    migration::CREATE_MIGRATIONS_TABLE,
    sql_query,
    sql_types::{BigInt, Text},
    sqlite::Sqlite,
};
use url::Url;

use crate::{
    config::Database,
    exit::{self, Exit},
};

pub use self::lossy::Lossy;

pub type Db = SqliteConnection;
pub type Backend = Sqlite;

/// How long to wait for another writer's lock, and that a commit is on the disk when it returns: a record that a power
/// cut undoes would send a reminder twice.
const SESSION: &str =
    "PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;";

/// How many values a query is given at once: databases limit them.
pub const AT_ONCE: usize = 500;

fn file(database: &Database) -> Result<&Path> {
    match database {
        Database::Sqlite(path) => Ok(path),
        server => {
            let text = format!("{}: this build serves SQLite only", server.describe());
            Err(exit::error(Exit::Config, text))
        }
    }
}

/// Opens a database that exists.
///
/// # Errors
/// Ends with 78 when there is no such file or it is no database, with 75 when it cannot be opened now.
pub fn open(database: &Database) -> Result<Db> {
    let path = file(database)?;
    if matches!(path.try_exists(), Ok(false)) {
        let text = format!(
            "there is no database file {}: correct DB_DATABASE or DATABASE_URL (for a new, empty database there: `reminders migrate`)",
            path.display()
        );
        return Err(exit::error(Exit::Config, text));
    }
    connect(path, "rw")
}

/// How a database of our own keeps its journal: readers and the pass do not wait for each other.
pub const NEW_JOURNAL: &str = "PRAGMA journal_mode = WAL;";

/// Whether `migrate` begins with nothing: no file, or one without a byte in it.
pub fn is_new(database: &Database) -> bool {
    let Ok(path) = file(database) else {
        return false;
    };
    std::fs::metadata(path).map_or_else(
        |error| error.kind() == ErrorKind::NotFound,
        |file| file.is_file() && file.len() == 0,
    )
}

/// Makes the file of a new database. (One that is there already keeps the journal mode its owner gave it.)
///
/// # Errors
/// Ends with 78 when there is no folder for it.
pub fn make(database: &Database) -> Result<Db> {
    let path = file(database)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
        let text = format!(
            "there is no folder {} for the database: make it, or correct DB_DATABASE or DATABASE_URL",
            folder.display()
        );
        return Err(exit::error(Exit::Config, text));
    }
    let mut db = connect(path, "rwc")?;
    db.batch_execute(NEW_JOURNAL)
        .with_context(|| unusable(path))?;
    Ok(db)
}

/// A new database that nobody will see: to try on it what would be done to a real one.
pub fn pretend() -> Result<Db> {
    Db::establish(":memory:").context("could not open a database in memory")
}

/// A read-only look at the database that leaves no trace on the disk, if that is possible now.
///
/// A write-ahead-log database makes two files whenever it is opened and deletes them at the end. When it has no log (every
/// writer has gone), its main file is complete and may be read as it is. Should a writer come at that very moment, the
/// look may be wrong: use it only to decide whether to look again properly, a minute later or now.
pub fn glance(database: &Database) -> Option<Db> {
    let path = file(database).ok()?;
    let rests = is_wal(path) && !has_log(path);
    if rests {
        connect(path, "ro&immutable=1").ok()
    } else {
        None
    }
}

/// Bytes 18 and 19 of the header are 2 in write-ahead-log mode (SQLite file format, section 1.3.3).
fn is_wal(path: &Path) -> bool {
    let mut header = [0; 20];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header[18..20] == [2, 2]
}

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

/// What every SQLite database begins with (SQLite file format, section 1.3.1); an empty file becomes one.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// What cannot be a database now will be none in a minute: that is an error of the settings.
fn check_file(path: &Path) -> Result<()> {
    let mistake = |what: &str| {
        let text = format!(
            "{} {what}: correct DB_DATABASE or DATABASE_URL",
            path.display()
        );
        Err(exit::error(Exit::Config, text))
    };
    if path.is_dir() {
        return mistake("is a folder, not a database file");
    }
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut start));
    if read.is_ok() && !start.is_empty() && start != MAGIC {
        return mistake("is no SQLite database");
    }
    Ok(())
}

fn connect(path: &Path, mode: &str) -> Result<Db> {
    check_file(path)?;
    let absolute = std::path::absolute(path).with_context(|| unusable(path))?;
    let url = Url::from_file_path(&absolute).map_err(|()| anyhow::anyhow!(unusable(path)))?;
    let mut db = Db::establish(&format!("{url}?mode={mode}")).with_context(|| unusable(path))?;
    db.batch_execute(SESSION).with_context(|| unusable(path))?;
    Ok(db)
}

fn unusable(path: &Path) -> String {
    format!("could not open the database {}", path.display())
}

/// What to do about an error that every later run would meet again; `None` for those that pass. SQLite's own words are
/// the only thing that tells them apart.
pub fn cure(error: &anyhow::Error) -> Option<&'static str> {
    match error.root_cause().to_string().as_str() {
        "attempt to write a readonly database" => Some(
            "this user may not write the database file or its folder; run this as the platform's user (`crontab -u www-data -e`)",
        ),
        "unable to open database file" => Some(
            "this user may not use the database file or its folder; run this as the platform's user (`crontab -u www-data -e`)",
        ),
        "file is not a database" => Some("correct DB_DATABASE or DATABASE_URL"),
        cause if cause.starts_with("no such column") || cause.starts_with("no such table") => {
            Some("the platform's tables have changed; run `reminders migrate`")
        }
        _ => None,
    }
}

/// Runs `work` in a transaction that has the right to write from its first statement: one that reads first and then
/// asks for it can be refused for good while another writer works.
///
/// The threads of this process take turns: SQLite's own waiting is a look now and then, at which a busy thread's next
/// transaction can be there already each time, until the other gives up.
pub fn write<T>(db: &mut Db, work: impl FnOnce(&mut Db) -> QueryResult<T>) -> QueryResult<T> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    db.immediate_transaction(work)
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

/// The tables and views there are, by name.
pub fn relations(db: &mut Db) -> QueryResult<Vec<String>> {
    names(
        sql_query("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name")
            .load(db),
    )
}

/// The columns of a table or view; empty when there is none.
pub fn columns(db: &mut Db, relation: &str) -> QueryResult<Vec<String>> {
    names(
        sql_query("SELECT name FROM pragma_table_info(?)")
            .bind::<Text, _>(relation)
            .load(db),
    )
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = BigInt)]
    data_version: i64,
}

/// A number that changes when any other connection has written, `None` where the database has no such thing.
pub fn version(db: &mut Db) -> QueryResult<Option<i64>> {
    let found: Version = sql_query("PRAGMA data_version").get_result(db)?;
    Ok(Some(found.data_version))
}

/// The statement that made a view, `None` when there is no such view.
pub fn view_definition(db: &mut Db, view: &str) -> QueryResult<Option<String>> {
    let query = sql_query("SELECT sql AS name FROM sqlite_master WHERE type = 'view' AND name = ?");
    Ok(names(query.bind::<Text, _>(view).load(db))?.pop())
}

fn names(rows: QueryResult<Vec<Name>>) -> QueryResult<Vec<String>> {
    Ok(rows?.into_iter().map(|row| row.name).collect())
}

/// The migrations that Laravel has run on this database, by the names of their files without `.php`.
pub fn laravel_migrations(db: &mut Db) -> QueryResult<Vec<String>> {
    if columns(db, "migrations")?.is_empty() {
        return Ok(Vec::new());
    }
    names(sql_query("SELECT migration AS name FROM migrations").load(db))
}

/// A migration of `migrations/`, kept in the table that Diesel's own tools read.
pub struct Migration {
    version: &'static str,
    sql: &'static str,
}

/// The platform's own tables: only for a database that has none.
pub const PLATFORM: Migration = Migration {
    version: "20261122000001",
    sql: include_str!("../migrations/sqlite/2026-11-22-000001_platform/up.sql"),
};

/// The ledger, and Laravel's log where it is missing.
pub const REMINDERS: Migration = Migration {
    version: "20261122000002",
    sql: include_str!("../migrations/sqlite/2026-11-22-000002_reminders/up.sql"),
};

const MIGRATIONS_TABLE: &str = "__diesel_schema_migrations";

impl Migration {
    /// Whether it has been run on this database.
    pub fn is_done(&self, db: &mut Db) -> QueryResult<bool> {
        if columns(db, MIGRATIONS_TABLE)?.is_empty() {
            return Ok(false);
        }
        let query = format!("SELECT version AS name FROM {MIGRATIONS_TABLE} WHERE version = ?");
        Ok(!names(sql_query(query).bind::<Text, _>(self.version).load(db))?.is_empty())
    }

    /// The statements that run it and note that it has run.
    pub fn statements(&self, db: &mut Db) -> QueryResult<Vec<String>> {
        let mut statements = vec![
            CREATE_MIGRATIONS_TABLE.trim().to_owned(),
            self.sql.trim().to_owned(),
        ];
        if !self.is_done(db)? {
            statements.push(format!(
                "INSERT INTO {MIGRATIONS_TABLE} (version) VALUES ('{}');",
                self.version
            ));
        }
        Ok(statements)
    }

    /// The statement that forgets that it has run, leaving no empty table behind.
    pub fn forget(&self, db: &mut Db) -> QueryResult<String> {
        let others = format!("SELECT version AS name FROM {MIGRATIONS_TABLE} WHERE version <> ?");
        let others = sql_query(others).bind::<Text, _>(self.version);
        Ok(if names(others.load(db))?.is_empty() {
            format!("DROP TABLE {MIGRATIONS_TABLE};")
        } else {
            format!(
                "DELETE FROM {MIGRATIONS_TABLE} WHERE version = '{}';",
                self.version
            )
        })
    }
}

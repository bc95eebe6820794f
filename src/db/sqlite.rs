//! SQLite: a file, one writer at a time.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};
use diesel::{
    Connection, QueryResult, QueryableByName, RunQueryDsl, SqliteConnection,
    connection::{AnsiTransactionManager, SimpleConnection},
    sql_query,
    sql_types::BigInt,
};
use url::Url;

use super::dialect::{Dialect, ViewSql};
use crate::exit::{self, Exit};

pub const DIALECT: Dialect = Dialect {
    relations: "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT GLOB 'sqlite_*' ORDER BY name",
    columns: |relation| format!("SELECT name FROM pragma_table_info('{relation}')"),
    view: |view| {
        format!("SELECT sql AS name FROM sqlite_master WHERE type = 'view' AND name = '{view}'")
    },
    indexes: |table| {
        format!(
            "SELECT i.name FROM pragma_index_list('{table}') l, pragma_index_info(l.name) i WHERE i.seqno = 0"
        )
    },
    now: None,
    skip_locked: "",
    by_unique_key: "",
    mistyped: None,
    create_index: "CREATE INDEX",
    undoes_tables: true,
    new_database: Some(NEW_JOURNAL),
    platform: include_str!("../../migrations/sqlite/2026-11-22-000001_platform/up.sql"),
    reminders: include_str!("../../migrations/sqlite/2026-11-22-000002_reminders/up.sql"),
    opt_in_column: "ALTER TABLE user_profiles ADD COLUMN whatsapp_opt_in TINYINT(1) NOT NULL DEFAULT '0';",
    share_view: None,
    view_sql: ViewSql {
        create: "CREATE VIEW",
        // Fixes the order.
        join: "CROSS JOIN",
        enrollments: |conditions| format!("CROSS JOIN enrollments e ON {conditions}"),
        integer: str::to_owned,
        id: str::to_owned,
        text: str::to_owned,
        flag: |column| format!("coalesce({column}, 0)"),
    },
};

/// How long to wait for another writer's lock, and that a commit is on the disk when it returns: a record that a power
/// cut undoes would send a reminder twice.
const SESSION: &str =
    "PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;";

/// Whoever looks once at many sessions needs none of what was read a moment ago: half of the usual memory does.
const GLANCE: &str = "PRAGMA cache_size = -1000;";

/// How a database of our own keeps its journal: readers and the pass do not wait for each other.
const NEW_JOURNAL: &str = "PRAGMA journal_mode = WAL;";

pub fn open(path: &Path) -> Result<SqliteConnection> {
    if matches!(path.try_exists(), Ok(false)) {
        let text = format!(
            "there is no database file {}: correct DB_DATABASE or DATABASE_URL (for a new, empty database there: `reminders migrate`)",
            path.display()
        );
        return Err(exit::error(Exit::Config, text));
    }
    connect(path, "rw")
}

/// No file, or one without a byte in it.
pub fn is_new(path: &Path) -> bool {
    std::fs::metadata(path).map_or_else(
        |error| error.kind() == ErrorKind::NotFound,
        |file| file.is_file() && file.len() == 0,
    )
}

/// Makes the file of a new database.
pub fn make(path: &Path) -> Result<SqliteConnection> {
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

/// A write-ahead-log database makes two files whenever it is opened and deletes them at the end. When it has no log
/// (every writer has gone), its main file is complete and may be read as it is. Should a writer come at that very
/// moment, the look may be wrong: use it only to decide whether to look again properly, a minute later or now.
pub fn glance(path: &Path) -> Option<SqliteConnection> {
    let rests = is_wal(path) && !has_log(path);
    let mut db = rests.then(|| connect(path, "ro&immutable=1").ok())??;
    db.batch_execute(GLANCE).ok()?;
    Some(db)
}

/// Bytes 18 and 19 of the header are 2 in write-ahead-log mode (SQLite file format, section 1.3.3).
fn is_wal(path: &Path) -> bool {
    header(path).get(18..20) == Some(&[2, 2])
}

/// The first bytes of a database file as it was when this process first asked; none where they could not be read. Read
/// once, before SQLite opens the file: who closes a file gives up every lock that his process has on it, those of the
/// other connections among them (POSIX; sqlite.org/howtocorrupt.html, 2.2).
fn header(path: &Path) -> Vec<u8> {
    static READ: Mutex<BTreeMap<PathBuf, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let read = || {
        let mut start = Vec::new();
        let read = File::open(path).and_then(|file| file.take(20).read_to_end(&mut start));
        read.map_or_else(|_| Vec::new(), |_| start)
    };
    let mut all = READ.lock().unwrap_or_else(PoisonError::into_inner);
    all.entry(path.to_owned()).or_insert_with(read).clone()
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
    let start = header(path);
    if !start.is_empty() && !start.starts_with(MAGIC) {
        return mistake("is no SQLite database");
    }
    Ok(())
}

fn connect(path: &Path, mode: &str) -> Result<SqliteConnection> {
    check_file(path)?;
    let absolute = std::path::absolute(path).with_context(|| unusable(path))?;
    let url = Url::from_file_path(&absolute).map_err(|()| anyhow::anyhow!(unusable(path)))?;
    let url = format!("{url}?mode={mode}");
    let mut db = SqliteConnection::establish(&url).with_context(|| unusable(path))?;
    db.batch_execute(SESSION).with_context(|| unusable(path))?;
    Ok(db)
}

fn unusable(path: &Path) -> String {
    format!("could not open the database {}", path.display())
}

pub fn begin(db: &mut SqliteConnection) -> QueryResult<()> {
    AnsiTransactionManager::begin_transaction_sql(db, "BEGIN IMMEDIATE")
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = BigInt)]
    data_version: i64,
}

pub fn version(db: &mut SqliteConnection) -> QueryResult<i64> {
    let found: Version = sql_query("PRAGMA data_version").get_result(db)?;
    Ok(found.data_version)
}

/// SQLite's own words are the only thing that tells its errors apart.
pub fn cure(error: &str) -> Option<&'static str> {
    match error {
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

pub fn advice(error: &str) -> Option<&'static str> {
    let says = |words: &str| error.starts_with(words);
    if says("database or disk is full") {
        Some("make room on the disk that the database is on")
    } else if says("disk I/O error") {
        Some("see whether the disk that the database is on is full or broken, and `ulimit -f`")
    } else if says("database is locked") {
        Some("another program has kept it locked for more than 10 s; end that, if it hangs")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    /// The locks that this process has on a file, as the kernel lists them.
    fn locks(path: &Path) -> usize {
        let (inode, process) = (std::fs::metadata(path).unwrap().ino(), std::process::id());
        let all = std::fs::read_to_string("/proc/locks").unwrap();
        let ours = |line: &&str| {
            line.contains(&format!(" {process} ")) && line.contains(&format!(":{inode} "))
        };
        all.lines().filter(ours).count()
    }

    #[test]
    fn a_second_connection_leaves_the_locks_of_the_first_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("platform.sqlite");
        let mut first = connect(&path, "rwc").unwrap();
        first.batch_execute("CREATE TABLE t (x)").unwrap();
        begin(&mut first).unwrap();
        first.batch_execute("INSERT INTO t VALUES (1)").unwrap();
        let before = locks(&path);
        assert!(before > 0);
        drop(open(&path).unwrap());
        assert_eq!(locks(&path), before);
    }
}

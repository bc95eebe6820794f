//! One pass at a time per host, user and database. The kernel releases the lock when the process ends, however it ends,
//! so that none is ever left behind. The file's time of change says when the last pass began.
//!
//! The lock only spares work: what keeps a reminder from being sent twice are the claims in the ledger.

use std::{
    env, fs,
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::config::Database;

/// Held for as long as the value lives.
pub struct Lock {
    _file: File,
}

pub enum Attempt {
    Taken(Lock),
    /// Another pass works, since about that long.
    Busy(Duration),
    /// It cannot be taken here; the pass goes on without.
    Impossible(PathBuf, io::Error),
}

/// Takes the lock of this database and notes the time, or says who has it.
pub fn take(database: &Database) -> Attempt {
    let path = folder().join(file_name(database));
    match open(&path).and_then(|file| lock(file, &path)) {
        Ok(attempt) => attempt,
        Err(error) => Attempt::Impossible(path, error),
    }
}

fn lock(file: File, path: &Path) -> io::Result<Attempt> {
    match file.try_lock() {
        Ok(()) => {
            file.set_modified(SystemTime::now())?;
            Ok(Attempt::Taken(Lock { _file: file }))
        }
        Err(TryLockError::WouldBlock) => {
            let since = fs::metadata(path)?.modified()?;
            Ok(Attempt::Busy(since.elapsed().unwrap_or_default()))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Ok(file) = File::options().write(true).open(path) {
        return Ok(file);
    }
    fs::create_dir_all(folder())?;
    File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

/// Where a user's programs keep their state (systemd's `StateDirectory=`, else the XDG base directory specification).
fn folder() -> PathBuf {
    let set = |name| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let state = set("STATE_DIRECTORY");
    let xdg = set("XDG_STATE_HOME").map(|home| home.join("reminders"));
    let home = set("HOME").map(|home| home.join(".local/state/reminders"));
    state.or(xdg).or(home).unwrap_or_else(env::temp_dir)
}

/// The database's own name, readable, in one file name.
fn file_name(database: &Database) -> String {
    let Database::Sqlite(path) = database;
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
    format!("{}.lock", path.display().to_string().replace('/', "%"))
}

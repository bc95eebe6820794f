//! One pass at a time per host, user and database. The kernel releases the lock when the process ends, however it ends,
//! so that none is ever left behind. The file's time of change says when the last pass began.
//!
//! The lock only spares work: what keeps a reminder from being sent twice are the claims in the ledger.

use std::{
    env, fs,
    fs::{DirBuilder, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};

use crate::config::Database;

/// The usual `STATE_DIRECTORY`: the crontab and systemd have it in their environment, a person who looks has not.
const USUAL: &str = "/var/lib/reminders";

/// When the last pass on this host began, as far as it has left its lock where this user finds it.
pub fn last_pass(database: &Database) -> Option<DateTime<Utc>> {
    let name = file_name(database);
    let folders = [state_folder(), USUAL.into(), temporary_folder()];
    let begun = |folder: &PathBuf| fs::metadata(folder.join(&name)).ok()?.modified().ok();
    folders.iter().filter_map(begun).max().map(DateTime::from)
}

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
    let name = file_name(database);
    let own = take_in(&state_folder(), &name);
    let chosen = env::var_os("STATE_DIRECTORY").is_some();
    match own {
        // Users that run services often have no home they may write to. A folder that somebody chose is another thing.
        Attempt::Impossible(..) if !chosen => match take_in(&temporary_folder(), &name) {
            Attempt::Impossible(..) => own,
            temporary => temporary,
        },
        own => own,
    }
}

fn take_in(folder: &Path, name: &str) -> Attempt {
    let path = folder.join(name);
    match open(folder, &path).and_then(|file| lock(file, &path)) {
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

fn open(folder: &Path, path: &Path) -> io::Result<File> {
    if !folder.is_dir() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    // Whoever owns the folder could hold the lock for ever.
    let owner = fs::metadata(folder)?.uid();
    if owner != user()? && owner != 0 {
        return Err(io::Error::other("the folder belongs to somebody else"));
    }
    // Made once; an idle pass makes nothing.
    if let Ok(file) = File::options().write(true).open(path) {
        return Ok(file);
    }
    File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

/// Where a user's programs keep their state (systemd's `StateDirectory=`, else the XDG base directory specification).
fn state_folder() -> PathBuf {
    let set = |name| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let state = set("STATE_DIRECTORY");
    let xdg = set("XDG_STATE_HOME").map(|home| home.join("reminders"));
    let home = set("HOME").map(|home| home.join(".local/state/reminders"));
    state.or(xdg).or(home).unwrap_or_else(temporary_folder)
}

/// One's own folder among everybody's temporary files.
fn temporary_folder() -> PathBuf {
    let user = user().map(|id| id.to_string()).unwrap_or_default();
    env::temp_dir().join(format!("reminders-{user}"))
}

/// Who this process belongs to.
pub fn user() -> io::Result<u32> {
    Ok(fs::metadata("/proc/self")?.uid())
}

/// The database's own name, readable, in one file name.
fn file_name(database: &Database) -> String {
    let name = match database {
        Database::Sqlite(path) => {
            let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            path.display().to_string()
        }
        server => server.describe(),
    };
    format!("{}.lock", name.replace('/', "%"))
}

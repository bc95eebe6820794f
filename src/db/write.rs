//! Transactions that write.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use diesel::{
    Connection, QueryResult,
    connection::TransactionManager,
    result::{DatabaseErrorKind, Error},
};
use log::debug;

use super::Db;

type Transactions = <Db as Connection>::TransactionManager;

/// Other hosts' transactions can stand in the way of ours so often, and so long.
const TRIES: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `work` in a transaction, and again from its beginning when another host's transaction has spoilt it: a
/// deadlock, or a row that both made or claimed at the same moment. (Servers tell these apart in their own languages;
/// what is wrong for good is wrong again.)
pub fn write<T>(db: &mut Db, mut work: impl FnMut(&mut Db) -> QueryResult<T>) -> QueryResult<T> {
    let _turn = turn(db);
    let began = Instant::now();
    let mut before = None;
    for tries in 1.. {
        match once(db, &mut work) {
            // What is broken for good says less than what broke it.
            Err(Error::BrokenTransactionManager) if before.is_some() => break,
            Err(error) if tries < TRIES && began.elapsed() < PATIENCE && may_pass(db, &error) => {
                debug!("once more, after: {error}");
                before = Some(error);
                thread::sleep(pause(tries));
            }
            done => return done.map_err(plain),
        }
    }
    Err(before.map_or(Error::BrokenTransactionManager, plain))
}

/// libpq breaks its words into lines; in a log each error is one, and says what to do where that is known.
pub(super) fn plain(error: Error) -> Error {
    let Error::DatabaseError(kind, said) = error else {
        return error;
    };
    let mut text = words(said.message());
    if let Some(advice) = super::advice(&text)
        && !text.ends_with(advice)
    {
        text = format!("{text}: {advice}");
    }
    match text == said.message() {
        true => Error::DatabaseError(kind, said),
        false => Error::DatabaseError(kind, Box::new(text)),
    }
}

/// The same words with one blank between them.
pub(super) fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Runs `work` in a transaction that has the right to write from its first statement: on SQLite, one that reads first
/// and then asks for it can be refused for good while another writer works.
pub fn once<T, E: From<Error>>(
    db: &mut Db,
    work: impl FnOnce(&mut Db) -> Result<T, E>,
) -> Result<T, E> {
    begin(db)?;
    match work(db) {
        Ok(value) => {
            Transactions::commit_transaction(db)?;
            Ok(value)
        }
        Err(error) => match Transactions::rollback_transaction(db) {
            // The first error says more; a connection that is gone has rolled back.
            Ok(()) | Err(_) => Err(error),
        },
    }
}

fn begin(db: &mut Db) -> QueryResult<()> {
    match db {
        #[cfg(feature = "sqlite")]
        Db::Sqlite(db) => super::sqlite::begin(db),
        #[allow(unreachable_patterns)]
        _ => Transactions::begin_transaction(db),
    }
}

/// The threads of this process take turns on SQLite, whose own waiting is a look now and then, at which a busy thread's
/// next transaction can be there already each time, until the other gives up.
fn turn(db: &Db) -> Option<MutexGuard<'static, ()>> {
    static TURN: Mutex<()> = Mutex::new(());
    let one_writer = !db.dialect().is_server();
    one_writer.then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Whether the same transaction may succeed in a moment.
fn may_pass(db: &Db, error: &Error) -> bool {
    let lasting = match error {
        Error::DatabaseError(DatabaseErrorKind::ClosedConnection, _) => true,
        Error::DatabaseError(_, said) => is_lost(said.message()) || is_lasting(error),
        // The second: `work` itself has found that another host was faster.
        Error::RollbackErrorOnCommit { .. } | Error::RollbackTransaction => false,
        _ => true,
    };
    !lasting && db.dialect().is_server()
}

/// Whether the same is to be expected of another try: a lock that was waited for already, a full disk.
pub(super) fn is_lasting(error: &Error) -> bool {
    match error {
        Error::DatabaseError(_, said) => super::advice(said.message()).is_some(),
        _ => false,
    }
}

/// By the words of MySQL's and MariaDB's libraries, the only thing by which Diesel lets a lost connection be known
/// there.
fn is_lost(said: &str) -> bool {
    said.contains("has gone away") || said.starts_with("Lost connection")
}

/// Longer each time, and different for each process, so that two do not meet again.
fn pause(tries: u32) -> Duration {
    let own = u64::from(std::process::id() % 20);
    Duration::from_millis(u64::from(tries) * (5 + own))
}

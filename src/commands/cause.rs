//! What lies behind an error: of the database, and of a message that cannot be made.

use crate::{
    db::{self, Db},
    exit::{self, Exit},
    ledger, legacy,
    platform::view,
};

/// Puts what is missing from the database before an error that it may have caused; else what could not be done.
pub fn explain(db: &mut Db, error: anyhow::Error, what: &'static str) -> anyhow::Error {
    let needed = [view::NAME, ledger::TABLE, legacy::TABLE];
    // What could not be printed is no fault of the database.
    if exit::chosen(&error).is_some() || error.is::<std::io::Error>() {
        return error;
    }
    let Ok(relations) = db::relations(db) else {
        return error.context("could not read the database");
    };
    let missing: Vec<&str> = needed
        .into_iter()
        .filter(|name| !relations.iter().any(|found| found == name))
        .collect();
    if missing.is_empty() {
        return of_ledger(db, error.context(what));
    }
    exit::error(
        Exit::Config,
        format!(
            "the database lacks {}: run `reminders migrate`",
            missing.join(", ")
        ),
    )
}

/// Of an error about a column that the ledger lacks: which one that is; else the error itself.
pub fn of_ledger(db: &mut Db, error: anyhow::Error) -> anyhow::Error {
    if db::cure(&error).is_none() {
        return error;
    }
    let lacking = ledger::columns::lacking(db).unwrap_or_default();
    ledger::columns::check(&lacking).err().unwrap_or(error)
}

/// A message that cannot be made: it names the operator's own template, and the line. Those were tried when the
/// settings were read; what still fails is theirs, too.
pub fn unrenderable(error: anyhow::Error) -> anyhow::Error {
    exit::error(Exit::Config, format!("{error:#}"))
}

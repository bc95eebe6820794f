//! The database: the only place that knows which one it is. Opening, transactions, what tables there are, migrations.
//!
//! Queries are written once, for all back ends; what cannot be is in a back end's own file, [`sqlite`], [`postgres`] or
//! [`mysql`], each with the same contents: how to connect, a [`Dialect`], and the cures of its errors.

mod by_row;
mod catalog;
mod dialect;
mod locked;
mod lossy;
mod migration;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
pub mod schema;
#[cfg(feature = "sqlite")]
mod sqlite;
mod update;
mod with;
mod write;

use anyhow::{Result, bail};
use diesel::{QueryResult, dsl::sql, expression::SqlLiteral, sql_types::Text};
use log::debug;

use crate::{
    config::Database,
    exit::{self, Exit},
};

pub use self::{
    by_row::ByRow,
    catalog::{
        columns, indexes, laravel_migrations, mistyped, now, relations, version, view_definition,
    },
    connection::{Db, MultiBackend as Backend},
    dialect::{Dialect, ViewSql},
    locked::{first_locked, locked},
    lossy::Lossy,
    migration::{Done, PLATFORM, REMINDERS},
    update::{AnyOf, update},
    with::with,
    write::{once, write},
};

/// The connection, to whichever back end. (A module of its own, for what the derive adds beside it.)
mod connection {
    #[derive(diesel::MultiConnection)]
    pub enum Db {
        #[cfg(feature = "sqlite")]
        Sqlite(diesel::SqliteConnection),
        #[cfg(feature = "postgres")]
        Postgres(diesel::PgConnection),
        #[cfg(feature = "mysql")]
        Mysql(diesel::MysqlConnection),
    }
}

diesel::define_sql_function! {
    /// The first that is not NULL.
    fn coalesce(first: diesel::sql_types::Nullable<diesel::sql_types::BigInt>, otherwise: diesel::sql_types::BigInt) -> diesel::sql_types::BigInt;
}

diesel::define_sql_function! {
    /// The same for texts.
    #[sql_name = "coalesce"]
    fn text_or(first: diesel::sql_types::Text, otherwise: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

/// A time as text, in its own digits, since a row with an impossible date must not hide the others. (`CHAR(19)`: the
/// only cast that means the same on every database.)
pub fn digits(column: &str) -> SqlLiteral<Text> {
    sql(&format!("CAST({column} AS CHAR(19))"))
}

/// How many values a query is given at once: databases limit them.
pub const AT_ONCE: usize = 500;

impl Db {
    /// What this back end says in its own way.
    pub fn dialect(&self) -> &'static Dialect {
        match self {
            #[cfg(feature = "sqlite")]
            Db::Sqlite(_) => &sqlite::DIALECT,
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => &postgres::DIALECT,
            #[cfg(feature = "mysql")]
            Db::Mysql(_) => &mysql::DIALECT,
        }
    }
}

/// Opens a database that exists.
///
/// # Errors
/// Ends with 78 when there is no such database, it is none, or this binary does not serve its kind; with 75 when it
/// cannot be opened now.
pub fn open(database: &Database) -> Result<Db> {
    match database {
        #[cfg(feature = "sqlite")]
        Database::Sqlite(path) => sqlite::open(path).map(Db::Sqlite),
        #[cfg(feature = "postgres")]
        Database::Postgres(server) => postgres::open(server).map(Db::Postgres),
        #[cfg(feature = "mysql")]
        Database::Mysql(server) => mysql::open(server).map(Db::Mysql),
        #[allow(unreachable_patterns)]
        other => not_built(other),
    }
}

/// Does something, and where a server has dropped the connection (it was restarted), once more on a new one.
///
/// # Errors
/// The first error where no new connection can be had.
pub fn again<T>(
    db: &mut Db,
    database: &Database,
    mut work: impl FnMut(&mut Db) -> QueryResult<T>,
) -> QueryResult<T> {
    match work(db) {
        Err(error) if !write::is_lasting(&error) && reopen(db, database) => {
            debug!("once more, on a new connection, after: {error}");
            work(db).map_err(write::plain)
        }
        done => done.map_err(write::plain),
    }
}

/// Puts a new connection in the place of one that may be broken; false where there was no need or no way.
pub fn reopen(db: &mut Db, database: &Database) -> bool {
    if !db.dialect().is_server() {
        return false;
    }
    match open(database) {
        Ok(new) => {
            *db = new;
            true
        }
        Err(_) => false,
    }
}

/// What `dialect` a database has that is not open.
pub fn dialect(database: &Database) -> Result<&'static Dialect> {
    match database {
        #[cfg(feature = "sqlite")]
        Database::Sqlite(_) => Ok(&sqlite::DIALECT),
        #[cfg(feature = "postgres")]
        Database::Postgres(_) => Ok(&postgres::DIALECT),
        #[cfg(feature = "mysql")]
        Database::Mysql(_) => Ok(&mysql::DIALECT),
        #[allow(unreachable_patterns)]
        other => not_built(other),
    }
}

/// # Errors
/// Always: ends with 78.
fn not_built<T>(database: &Database) -> Result<T> {
    let text = format!(
        "this binary cannot open {}: build one that serves every database with `apt-get install libpq-dev libmariadb-dev \
         pkg-config && cargo build --release --locked --features full`",
        database.describe()
    );
    bail!(exit::error(Exit::Config, text))
}

/// Whether `migrate` begins with nothing: no file, or one without a byte in it. A server's databases are made by
/// others.
pub fn is_new(database: &Database) -> bool {
    match database {
        #[cfg(feature = "sqlite")]
        Database::Sqlite(path) => sqlite::is_new(path),
        _ => false,
    }
}

/// Opens the database, making its file if it is a new one. (One that is there already keeps the journal mode its owner
/// gave it.)
///
/// # Errors
/// Ends with 78 when there is no folder for it.
pub fn make(database: &Database) -> Result<Db> {
    match database {
        #[cfg(feature = "sqlite")]
        Database::Sqlite(path) if sqlite::is_new(path) => sqlite::make(path).map(Db::Sqlite),
        other => open(other),
    }
}

/// A read-only look at the database that leaves no trace on the disk, if that is possible now and opening it would.
pub fn glance(database: &Database) -> Option<Db> {
    match database {
        #[cfg(feature = "sqlite")]
        Database::Sqlite(path) => sqlite::glance(path).map(Db::Sqlite),
        _ => None,
    }
}

/// What to do about an error that every later run would meet again; `None` for those that pass.
pub fn cure(error: &anyhow::Error) -> Option<&'static str> {
    let cause = error.root_cause().to_string();
    let cures: &[fn(&str) -> Option<&'static str>] = &[
        #[cfg(feature = "sqlite")]
        sqlite::cure,
        #[cfg(feature = "postgres")]
        postgres::cure,
        #[cfg(feature = "mysql")]
        mysql::cure,
    ];
    cures.iter().find_map(|cure| cure(&cause))
}

/// An error in one line, with what to do about it.
pub fn with_cure(error: &anyhow::Error) -> String {
    let cause = error.root_cause().to_string();
    let advice = || advice(&cause).filter(|advice| !cause.ends_with(advice));
    match cure(error).or_else(advice) {
        Some(cure) => format!("{error:#}: {cure}"),
        None => format!("{error:#}"),
    }
}

/// What to do about an error that a later run may not meet again, but the same work on another connection would.
pub fn advice(cause: &str) -> Option<&'static str> {
    let all: &[fn(&str) -> Option<&'static str>] = &[
        #[cfg(feature = "sqlite")]
        sqlite::advice,
        #[cfg(feature = "postgres")]
        postgres::advice,
        #[cfg(feature = "mysql")]
        mysql::advice,
    ];
    all.iter().find_map(|advice| advice(cause))
}

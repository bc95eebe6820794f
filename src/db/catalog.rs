//! What there is in a database.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::{QueryResult, QueryableByName, RunQueryDsl, sql_query, sql_types::Text};

use super::Db;

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

pub(super) fn names(db: &mut Db, query: impl Into<String>) -> QueryResult<Vec<String>> {
    let rows: Vec<Name> = sql_query(query).load(db)?;
    Ok(rows.into_iter().map(|row| row.name).collect())
}

/// The tables and views there are, by name; not those of the database itself.
pub fn relations(db: &mut Db) -> QueryResult<Vec<String>> {
    names(db, db.dialect().relations)
}

/// The columns of a table or view; empty when there is none.
pub fn columns(db: &mut Db, relation: &str) -> QueryResult<Vec<String>> {
    names(db, (db.dialect().columns)(relation))
}

/// The first column of each index of a table.
pub fn indexes(db: &mut Db, table: &str) -> QueryResult<Vec<String>> {
    names(db, (db.dialect().indexes)(table))
}

/// The statement that made a view, in the database's own words; `None` when there is no such view.
pub fn view_definition(db: &mut Db, view: &str) -> QueryResult<Option<String>> {
    Ok(names(db, (db.dialect().view)(view))?.pop())
}

/// The columns of an operator's own view that are of a type that cannot be read, in words.
pub fn mistyped(db: &mut Db, view: &str) -> QueryResult<Vec<String>> {
    match db.dialect().mistyped {
        Some(query) => names(db, query(view)),
        None => Ok(Vec::new()),
    }
}

/// The server's clock, `None` where the database runs by this host's.
pub fn now(db: &mut Db) -> QueryResult<Option<DateTime<Utc>>> {
    let Some(query) = db.dialect().now else {
        return Ok(None);
    };
    let text = names(db, query)?.pop().unwrap_or_default();
    let time = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S");
    Ok(time.ok().map(|time| time.and_utc()))
}

/// A number that changes when any other connection has written, `None` where the database has no such thing.
pub fn version(db: &mut Db) -> QueryResult<Option<i64>> {
    match db {
        #[cfg(feature = "sqlite")]
        Db::Sqlite(db) => super::sqlite::version(db).map(Some),
        #[allow(unreachable_patterns)]
        _ => Ok(None),
    }
}

/// The migrations that Laravel has run on this database, by the names of their files without `.php`.
pub fn laravel_migrations(db: &mut Db) -> QueryResult<Vec<String>> {
    if columns(db, "migrations")?.is_empty() {
        return Ok(Vec::new());
    }
    names(db, "SELECT migration AS name FROM migrations")
}

//! A test's own connection to a platform's database.

#[cfg(feature = "mysql")]
use diesel::MysqlConnection;
#[cfg(feature = "postgres")]
use diesel::PgConnection;
#[cfg(feature = "sqlite")]
use diesel::SqliteConnection;
use diesel::{
    Connection, QueryResult, QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query,
    sql_types::Text,
};

use super::BackEnd;

pub enum Database {
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteConnection),
    #[cfg(feature = "postgres")]
    Postgres(PgConnection),
    #[cfg(feature = "mysql")]
    Mysql(MysqlConnection),
}

/// The same for each of them.
macro_rules! each {
    ($database:expr, $db:ident => $done:expr) => {
        match $database {
            #[cfg(feature = "sqlite")]
            Database::Sqlite($db) => $done,
            #[cfg(feature = "postgres")]
            Database::Postgres($db) => $done,
            #[cfg(feature = "mysql")]
            Database::Mysql($db) => $done,
        }
    };
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    joined: String,
}

impl Database {
    /// The file at a path, or the database at a URL.
    pub fn open(back_end: BackEnd, place: &str) -> Database {
        match back_end {
            #[cfg(feature = "sqlite")]
            BackEnd::Sqlite => Database::Sqlite(connect(
                place,
                "PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON",
            )),
            #[cfg(feature = "postgres")]
            BackEnd::Postgres => Database::Postgres(connect(place, "RESET TIME ZONE")),
            // The digits of a TIMESTAMP are those of the session's time zone: here the server's, as Laravel leaves it.
            #[cfg(feature = "mysql")]
            BackEnd::Mysql => Database::Mysql(connect(place, "SET time_zone = DEFAULT")),
            #[cfg(not(all(feature = "sqlite", feature = "postgres", feature = "mysql")))]
            other => panic!("built without {}", other.name()),
        }
    }

    /// Runs statements.
    pub fn run(&mut self, statements: &str) -> QueryResult<()> {
        if statements.is_empty() {
            // The MariaDB client reads beyond its end.
            return Ok(());
        }
        each!(self, db => db.batch_execute(statements))
    }

    /// A query's one column, called `joined`.
    pub fn texts(&mut self, query: &str) -> QueryResult<Vec<String>> {
        let rows: Vec<Row> = each!(self, db => sql_query(query).load(db))?;
        Ok(rows.into_iter().map(|row| row.joined).collect())
    }
}

fn connect<C: Connection + SimpleConnection>(place: &str, first: &str) -> C {
    let mut db = C::establish(place).unwrap();
    db.batch_execute(first).unwrap();
    db
}

/// An expression for these columns of a row as one text, joined by `|`: `NULL` for nothing, 1 and 0 for true and false,
/// times as `YYYY-MM-DD HH:MM:SS`.
pub fn joined(back_end: BackEnd, columns: &str) -> String {
    let columns: Vec<String> = columns
        .split(',')
        .map(|column| format!("coalesce({}, 'NULL')", text(back_end, column.trim())))
        .collect();
    match back_end {
        BackEnd::Mysql => format!("concat_ws('|', {})", columns.join(", ")),
        _ => columns.join(" || '|' || "),
    }
}

/// The column as a text or NULL.
fn text(back_end: BackEnd, column: &str) -> String {
    match back_end {
        BackEnd::Sqlite => column.into(),
        // `::int` would not do: it must also be there for columns of other types.
        BackEnd::Postgres => format!(
            "CASE WHEN pg_typeof({column})::text <> 'boolean' THEN ({column})::text
                WHEN ({column})::text = 'true' THEN '1' WHEN ({column})::text = 'false' THEN '0' END"
        ),
        BackEnd::Mysql => format!("cast({column} AS char)"),
    }
}

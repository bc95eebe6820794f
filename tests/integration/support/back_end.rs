//! Which database a platform has.

use std::env;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BackEnd {
    Sqlite,
    Postgres,
    /// MySQL's protocol, spoken by MariaDB.
    Mysql,
}

impl BackEnd {
    /// The one this run of the tests is for.
    pub fn chosen() -> BackEnd {
        match env::var("REMINDERS_TEST_DATABASE").as_deref() {
            Err(_) | Ok("" | "sqlite") => BackEnd::Sqlite,
            Ok("postgres") => BackEnd::Postgres,
            Ok("mysql") => BackEnd::Mysql,
            Ok(other) => {
                panic!("REMINDERS_TEST_DATABASE is {other}, not sqlite, postgres or mysql")
            }
        }
    }

    pub fn name(self) -> &'static str {
        self.pick("SQLite", "PostgreSQL", "MySQL")
    }

    pub fn pick<T>(self, sqlite: T, postgres: T, mysql: T) -> T {
        match self {
            BackEnd::Sqlite => sqlite,
            BackEnd::Postgres => postgres,
            BackEnd::Mysql => mysql,
        }
    }
}

/// What each database calls it, for what cannot be said in all their languages at once.
pub fn on<T>(sqlite: T, postgres: T, mysql: T) -> T {
    BackEnd::chosen().pick(sqlite, postgres, mysql)
}

/// Whether this run of the tests is for SQLite.
pub fn on_sqlite() -> bool {
    BackEnd::chosen() == BackEnd::Sqlite
}

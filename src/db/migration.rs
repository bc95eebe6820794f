//! The migrations of `migrations/`, kept in the table that Diesel's own tools read.

use diesel::{QueryResult, migration::CREATE_MIGRATIONS_TABLE};

use super::{Db, Dialect, catalog};

pub struct Migration {
    version: &'static str,
    sql: fn(&Dialect) -> &'static str,
}

/// The platform's own tables: only for a database that has none.
pub const PLATFORM: Migration = Migration {
    version: "20261122000001",
    sql: |dialect| dialect.platform,
};

/// The ledger, and Laravel's log where it is missing.
pub const REMINDERS: Migration = Migration {
    version: "20261122000002",
    sql: |dialect| dialect.reminders,
};

const TABLE: &str = "__diesel_schema_migrations";

/// The migrations that have been run on a database, by their versions.
#[derive(Default)]
pub struct Done(Vec<String>);

impl Done {
    pub fn read(db: &mut Db) -> QueryResult<Self> {
        if catalog::columns(db, TABLE)?.is_empty() {
            return Ok(Self::default());
        }
        catalog::names(db, format!("SELECT version AS name FROM {TABLE}")).map(Self)
    }

    pub fn has(&self, migration: &Migration) -> bool {
        self.0.iter().any(|version| version == migration.version)
    }

    /// The statement that forgets that a migration has run, leaving no empty table behind.
    pub fn without(&self, migration: &Migration) -> String {
        let version = migration.version;
        if self.0.iter().all(|other| other == version) {
            format!("DROP TABLE {TABLE};")
        } else {
            format!("DELETE FROM {TABLE} WHERE version = '{version}';")
        }
    }
}

impl Migration {
    /// The statements that run it and note that it has run, if that is not noted yet.
    pub fn statements(&self, dialect: &Dialect, done: &Done) -> Vec<String> {
        let mut statements = vec![
            CREATE_MIGRATIONS_TABLE.trim().to_owned(),
            (self.sql)(dialect).trim().to_owned(),
        ];
        if !done.has(self) {
            let version = self.version;
            statements.push(format!(
                "INSERT INTO {TABLE} (version) VALUES ('{version}');"
            ));
        }
        statements
    }
}

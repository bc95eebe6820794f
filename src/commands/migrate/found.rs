//! What `migrate` finds.

use diesel::QueryResult;

use crate::{
    db::{self, Db},
    ledger::columns,
    legacy,
    platform::{
        cancellations,
        standing::{Flaws, Standing},
        view::{self, Platform},
    },
};

/// What there is in the database; nothing, in a new one.
#[derive(Default)]
pub struct Found {
    relations: Vec<String>,
    pub platform: Platform,
    pub standing: Standing,
    /// Of the second view, `session_cancellations`.
    pub cancellations: Standing,
    /// Of an operator's own views.
    pub flaws: Vec<Flaws>,
    pub log_columns: Vec<String>,
    /// What the ledger lacks.
    pub ledger_lacks: Vec<&'static str>,
    pub done: db::Done,
    pub laravel: Vec<String>,
}

impl Found {
    pub fn read(db: &mut Db) -> QueryResult<Self> {
        let standing = Standing::read(db, view::NAME)?;
        let cancellations = Standing::read(db, cancellations::NAME)?;
        let mut flaws = Vec::new();
        for (name, standing) in [
            (view::NAME, &standing),
            (cancellations::NAME, &cancellations),
        ] {
            if *standing == Standing::Theirs {
                flaws.push(Flaws::read(db, name)?);
            }
        }
        Ok(Self {
            relations: db::relations(db)?,
            platform: Platform::read(db)?,
            standing,
            cancellations,
            flaws,
            log_columns: db::columns(db, legacy::TABLE)?,
            ledger_lacks: columns::lacking(db)?,
            done: db::Done::read(db)?,
            laravel: db::laravel_migrations(db)?,
        })
    }

    pub fn has(&self, relation: &str) -> bool {
        self.relations.iter().any(|name| name == relation)
    }

    /// No table at all, but those of an earlier run.
    pub fn is_empty(&self) -> bool {
        let ours = |name: &String| name.starts_with("__diesel");
        self.relations.iter().all(ours)
    }
}

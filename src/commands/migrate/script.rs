//! What `migrate` runs.

use anyhow::{Context, Result};
use diesel::connection::SimpleConnection;

use crate::{
    config::Config,
    db::{self, Db},
};

/// What is to be run, and what that does in words.
#[derive(Default)]
pub struct Script {
    pub statements: Vec<String>,
    steps: Vec<String>,
}

impl Script {
    pub fn run(&mut self, statement: impl Into<String>) {
        self.statements.push(statement.into());
    }

    pub fn step(&mut self, what: impl Into<String>) {
        self.steps.push(what.into());
    }

    /// The statements, after one that comes before all.
    pub fn sql(&self, first: Option<&str>) -> String {
        if self.statements.is_empty() {
            return "-- nothing to do".into();
        }
        let statements = self.statements.iter().map(String::as_str);
        let all: Vec<&str> = first.into_iter().chain(statements).collect();
        all.join("\n\n")
    }

    /// All of it or nothing, where the database can undo the making of tables; else what was made stays, and the next
    /// `migrate` makes the rest.
    pub fn execute(&self, config: &Config) -> Result<()> {
        let mut db = db::make(&config.database)?;
        if !db.dialect().undoes_tables {
            return self.execute_on(&mut db, "and what was made before it stays");
        }
        let done = db::once(&mut db, |db| Ok(self.execute_on(db, NOTHING_CHANGED)?));
        done.map_err(Stop::error)
    }

    /// What has been run in a transaction and undone is known to work.
    pub fn try_out(&self, config: &Config) -> Result<()> {
        let mut db = db::open(&config.database)?;
        if !db.dialect().undoes_tables {
            return Ok(());
        }
        let undone = db::once(&mut db, |db| {
            self.execute_on(db, NOTHING_CHANGED)?;
            Err::<(), Stop>(Stop::Undo)
        });
        match undone {
            Ok(()) | Err(Stop::Undo) => Ok(()),
            Err(stop) => Err(stop.error()),
        }
    }

    fn execute_on(&self, db: &mut Db, so_far: &str) -> Result<()> {
        for statement in &self.statements {
            db.batch_execute(statement)
                .with_context(|| format!("could not run, {so_far}: {}", head(statement)))?;
        }
        Ok(())
    }

    /// What was done, in words; `nothing` where there was nothing to do.
    pub fn done(&self, nothing: &str) -> String {
        if self.steps.is_empty() {
            format!("nothing to do: {nothing}")
        } else {
            self.steps.join("\n")
        }
    }
}

/// What a statement begins with, without its comments: `--dry-run` shows all of it.
fn head(statement: &str) -> &str {
    let mut lines = statement.lines().map(str::trim);
    lines
        .find(|line| !line.is_empty() && !line.starts_with("--"))
        .map_or(statement, |line| line.trim_end_matches([' ', '(']))
}

const NOTHING_CHANGED: &str = "and nothing was changed";

/// Why a transaction is rolled back.
enum Stop {
    Undo,
    Failed(anyhow::Error),
}

impl Stop {
    fn error(self) -> anyhow::Error {
        match self {
            Stop::Undo => anyhow::anyhow!("undone"),
            Stop::Failed(error) => error,
        }
    }
}

impl From<diesel::result::Error> for Stop {
    fn from(error: diesel::result::Error) -> Self {
        Stop::Failed(anyhow::Error::new(error).context("could not migrate; nothing was changed"))
    }
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Stop::Failed(error)
    }
}

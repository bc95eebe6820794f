//! What stands under the name of a view: nothing, ours, or an operator's own and what is wrong with that.

use anyhow::Result;
use diesel::QueryResult;

use super::{
    cancellations,
    view::{self, MARKER},
};
use crate::{
    db::{self, Db},
    exit::{self, Exit},
};

/// What a view of the operator's own must have.
const COLUMNS: [&str; 17] = [
    "session_id",
    "course_id",
    "session_title",
    "course_title",
    "scheduled_at",
    "duration_minutes",
    "mode",
    "modality",
    "meeting_url",
    "location",
    "user_id",
    "name",
    "email",
    "phone",
    "whatsapp_opt_in",
    "timezone",
    "locale",
];

/// What is wrong with an operator's own view: columns it lacks, or has in a type that cannot be read.
pub struct Flaws {
    view: &'static str,
    missing: Vec<&'static str>,
    mistyped: Vec<String>,
}

impl Flaws {
    pub fn read(db: &mut Db, view: &'static str) -> QueryResult<Self> {
        let there = db::columns(db, view)?;
        let lacks = |column: &&str| !there.iter().any(|name| name == column);
        Ok(Self {
            view,
            missing: COLUMNS.into_iter().filter(lacks).collect(),
            mistyped: db::mistyped(db, view)?,
        })
    }

    /// # Errors
    /// Ends with 78, naming every column that is wrong.
    pub fn check(&self) -> Result<()> {
        if !self.missing.is_empty() {
            let missing = self.missing.join(", ");
            return Err(self.wrong(&format!(
                "lacks {missing}: give it these columns, NULL where there is nothing"
            )));
        }
        if !self.mistyped.is_empty() {
            let mistyped = self.mistyped.join("; ");
            return Err(self.wrong(&format!("gives a wrong type: {mistyped} (use CAST)")));
        }
        Ok(())
    }

    fn wrong(&self, what: &str) -> anyhow::Error {
        exit::error(Exit::Config, format!("your own {} {what}", self.view))
    }
}

/// What stands under a view's name.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Standing {
    #[default]
    Missing,
    /// Ours, with its text in the database's own words.
    Ours(String),
    /// An operator's own view (or table): left alone.
    Theirs,
}

impl Standing {
    pub fn read(db: &mut Db, view: &str) -> QueryResult<Self> {
        // The text first: the columns of a view that lags behind its tables cannot be asked for.
        let text = db::view_definition(db, view)?;
        if let Some(text) = text.filter(|text| text.contains(MARKER)) {
            return Ok(Standing::Ours(text));
        }
        let columns = db::columns(db, view)?;
        Ok(if columns.is_empty() {
            Standing::Missing
        } else if columns.iter().any(|column| column == MARKER) {
            // MySQL shows the text only to those who may.
            Standing::Ours(String::new())
        } else {
            Standing::Theirs
        })
    }
}

/// Whether cancelled sessions can be told from those that somebody has left.
pub fn has_cancellations(db: &mut Db) -> QueryResult<bool> {
    Ok(!db::columns(db, cancellations::NAME)?.is_empty())
}

/// # Errors
/// Ends with 78 where `migrate` has made the view of the participants, but not yet the one of the cancellations.
pub fn check_cancellations(db: &mut Db) -> Result<()> {
    if has_cancellations(db)? || !matches!(Standing::read(db, view::NAME)?, Standing::Ours(_)) {
        return Ok(());
    }
    let text = format!(
        "REMINDER_CORRECTIONS=on needs the view {}: run `reminders migrate`",
        cancellations::NAME
    );
    Err(exit::error(Exit::Config, text))
}

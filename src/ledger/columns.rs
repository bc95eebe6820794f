//! Whether the ledger has all its columns, or was made by an older program.

use anyhow::Result;
use diesel::QueryResult;

use super::TABLE;
use crate::{
    db::{self, Db, Dialect},
    exit::{self, Exit},
};

/// The columns that the ledger lacks, each as `migrate` makes it with the table: `error_code VARCHAR(64)`.
///
/// None where there is no ledger at all.
pub fn lacking(db: &mut Db) -> QueryResult<Vec<&'static str>> {
    let there = db::columns(db, TABLE)?;
    if there.is_empty() {
        return Ok(Vec::new());
    }
    let lacks = |column: &&'static str| !there.iter().any(|there| there == name(column));
    Ok(definitions(db.dialect()).filter(lacks).collect())
}

/// # Errors
/// Ends with 78 where the ledger lacks columns: an older program has made it.
pub fn check(lacking: &[&'static str]) -> Result<()> {
    if lacking.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = lacking.iter().copied().map(name).collect();
    let text = format!(
        "{TABLE} lacks {}: run `reminders migrate`",
        names.join(", ")
    );
    Err(exit::error(Exit::Config, text))
}

/// Of a column as `migrate` makes it.
pub fn name(column: &'static str) -> &'static str {
    column.split(' ').next().unwrap_or_default()
}

/// The columns in the statement that makes the table.
fn definitions(dialect: &Dialect) -> impl Iterator<Item = &'static str> {
    let lines = dialect.reminders.lines().map(str::trim);
    lines
        .skip_while(|line| !(line.starts_with("CREATE TABLE") && line.contains(TABLE)))
        .skip(1)
        .take_while(|line| !line.starts_with(')'))
        .map(|line| line.trim_end_matches(','))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
}

//! Whether the ledger still has the columns that it was made with.

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
    let lacks = |column: &&str| {
        let name = column.split(' ').next().unwrap_or_default();
        !there.iter().any(|column| column == name)
    };
    Ok(definitions(db.dialect()).filter(lacks).collect())
}

/// # Errors
/// Ends with 78 where the ledger lacks columns.
pub fn check(lacking: &[&str]) -> Result<()> {
    if lacking.is_empty() {
        return Ok(());
    }
    let add = |column: &&str| format!("ALTER TABLE {TABLE} ADD COLUMN {column};");
    let text = format!(
        "{TABLE} lacks columns, which `reminders migrate` makes with the table only: restore it from a backup, or add them empty: {}",
        lacking.iter().map(add).collect::<Vec<_>>().join(" ")
    );
    Err(exit::error(Exit::Config, text))
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

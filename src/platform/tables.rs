//! The platform's tables: which columns it has of those that a reminder is made of.

use std::collections::BTreeMap;

use diesel::QueryResult;

use crate::db::{self, Db, ViewSql};

/// The tables a reminder is made of, with the columns it cannot do without (the course's title apart:
/// [`Platform::title_column`]).
const NEEDED: [(&str, &[&str]); 5] = [
    ("users", &["id", "name", "email"]),
    ("user_profiles", &["id", "user_id", "phone"]),
    ("courses", &["id"]),
    (
        "course_sessions",
        &["id", "course_id", "title", "scheduled_at"],
    ),
    ("enrollments", &["user_id", "course_id", "status"]),
];

/// The columns that are used where the platform has them.
const OPTIONAL: [(&str, &[&str]); 5] = [
    ("users", &["status", "deleted_at", "locale"]),
    ("user_profiles", &["whatsapp_opt_in", "timezone", "locale"]),
    (
        "courses",
        &["title", "mode", "default_meeting_url", "deleted_at"],
    ),
    (
        "course_sessions",
        &[
            "duration_minutes",
            "mode",
            "meeting_url",
            "location",
            "status",
            "cancelled_at",
            "deleted_at",
        ],
    ),
    (
        "enrollments",
        &["modality", "online_access_url", "expires_at", "deleted_at"],
    ),
];

/// The platform's tables and the columns they have.
#[derive(Clone, Default)]
pub struct Platform {
    columns: BTreeMap<&'static str, Vec<String>>,
}

impl Platform {
    pub fn read(db: &mut Db) -> QueryResult<Self> {
        let mut columns = BTreeMap::new();
        for (table, _) in NEEDED {
            columns.insert(table, db::columns(db, table)?);
        }
        Ok(Self { columns })
    }

    /// As our own `migrate` makes it in an empty database: with every column that can be used.
    pub fn complete() -> Self {
        let mut platform = Self::default();
        for (table, columns) in NEEDED.into_iter().chain(OPTIONAL) {
            columns
                .iter()
                .for_each(|column| platform.add(table, column));
        }
        platform
    }

    pub fn add(&mut self, table: &'static str, column: &str) {
        self.columns
            .entry(table)
            .or_default()
            .push(column.to_owned());
    }

    pub fn has(&self, table: &str, column: &str) -> bool {
        self.columns
            .get(table)
            .is_some_and(|columns| columns.iter().any(|name| name == column))
    }

    /// The needed tables and columns that are not there.
    pub(super) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (table, needed) in NEEDED {
            if self.columns.get(table).is_none_or(Vec::is_empty) {
                missing.push(format!("table {table}"));
                continue;
            }
            let lacking = needed.iter().filter(|column| !self.has(table, column));
            missing.extend(lacking.map(|column| format!("column {table}.{column}")));
            if table == "courses" && self.title_column().is_none() {
                missing.push("column courses.title".into());
            }
        }
        missing
    }

    /// Courses are called by their `title`, on some platforms by their `name`.
    pub(super) fn title_column(&self) -> Option<&'static str> {
        ["title", "name"]
            .into_iter()
            .find(|column| self.has("courses", column))
    }

    /// `alias.column`, or `NULL` where the platform has no such column.
    pub(super) fn column(&self, table: &str, alias: &str, column: &str) -> String {
        if self.has(table, column) {
            format!("{alias}.{column}")
        } else {
            "NULL".into()
        }
    }

    /// The same of a text, of which an empty one is none.
    pub(super) fn text(&self, sql: &ViewSql, table: &str, alias: &str, column: &str) -> String {
        match self.column(table, alias, column) {
            null if null == "NULL" => null,
            column => format!("nullif(trim({}), '')", (sql.text)(&column)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../docs/tables.md");

    #[test]
    fn the_columns_stand_in_the_documentation() {
        for (needed, optional) in NEEDED.into_iter().zip(OPTIONAL) {
            let row = format!("| `{}` |", needed.0);
            let row = DOCUMENT.lines().find(|line| line.starts_with(&row));
            let cells: Vec<&str> = row.unwrap().split('|').collect();
            let has = |cell: &str, name: &str| cell.contains(&format!("`{name}`"));
            assert!(needed.1.iter().all(|name| has(cells[2], name)));
            let rest = &cells[2..].join(" ");
            assert!(optional.1.iter().all(|name| has(rest, name)));
        }
    }
}

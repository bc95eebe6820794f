//! Building `session_participants` from the columns that the platform has.

use std::collections::BTreeMap;

use anyhow::Result;
use diesel::QueryResult;

use crate::{
    db::{self, Db},
    exit::{self, Exit},
};

pub const NAME: &str = "session_participants";

/// The column that tells our view from an operator's own.
pub const MARKER: &str = "reminders_view";

/// The tables a reminder is made of, with the columns it cannot do without (the course's title apart: [`title_column`]).
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

/// The platform's tables and the columns they have.
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

    pub fn has(&self, table: &str, column: &str) -> bool {
        self.columns
            .get(table)
            .is_some_and(|columns| columns.iter().any(|name| name == column))
    }

    /// # Errors
    /// Ends with 78, naming every needed table and column that is missing.
    pub fn check(&self) -> Result<()> {
        let missing = self.missing();
        if missing.is_empty() {
            return Ok(());
        }
        let text = format!(
            "this database lacks {}: is it the platform's? Correct the database settings, or make a view \
             `{NAME}` of your own over the tables you have",
            missing.join(", ")
        );
        Err(exit::error(Exit::Config, text))
    }

    fn missing(&self) -> Vec<String> {
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
    fn title_column(&self) -> Option<&'static str> {
        ["title", "name"]
            .into_iter()
            .find(|column| self.has("courses", column))
    }

    /// `alias.column`, or `NULL` where the platform has no such column.
    fn column(&self, table: &str, alias: &str, column: &str) -> String {
        if self.has(table, column) {
            format!("{alias}.{column}")
        } else {
            "NULL".into()
        }
    }

    /// The same with an empty text read as none.
    fn text(&self, table: &str, alias: &str, column: &str) -> String {
        match self.column(table, alias, column) {
            null if null == "NULL" => null,
            column => format!("nullif(trim({column}), '')"),
        }
    }

    /// The statement that makes the view.
    ///
    /// `CROSS JOIN` fixes the order: sessions first, of which few are in the window, so that a platform without an index
    /// on `scheduled_at` costs one look at its sessions and, when none is due, none at its enrollments. `+` keeps SQLite
    /// from reading all active enrollments through the index on `status`, once per session. Users are asked for by the
    /// enrollment's `user_id`, which the platform's unique index begins with. Of several profiles the one with the lowest
    /// id counts, as in Laravel's `hasOne`: the one that no other profile `q` comes before.
    pub fn view(&self) -> String {
        let title = format!("c.{}", self.title_column().unwrap_or("title"));
        format!(
            "CREATE VIEW {NAME} AS
SELECT s.id AS session_id, s.course_id AS course_id,
    coalesce(nullif(trim(s.title), ''), {title}) AS session_title, {title} AS course_title,
    s.scheduled_at AS scheduled_at, {duration} AS duration_minutes,
    coalesce({mode}, {course_mode}) AS mode, {modality} AS modality,
    coalesce({link}, {course_link}, {own_link}) AS meeting_url, {place} AS location,
    e.user_id AS user_id, u.name AS name, u.email AS email,
    p.phone AS phone, coalesce(p.whatsapp_opt_in, 0) AS whatsapp_opt_in,
    {timezone} AS timezone, coalesce({profile_locale}, {user_locale}) AS locale,
    1 AS {MARKER}
FROM course_sessions s
CROSS JOIN courses c ON c.id = s.course_id
CROSS JOIN enrollments e ON e.course_id = s.course_id
CROSS JOIN users u ON u.id = e.user_id
LEFT JOIN user_profiles p ON p.user_id = u.id
LEFT JOIN user_profiles q ON q.user_id = u.id AND q.id < p.id
WHERE {conditions};",
            duration = self.column("course_sessions", "s", "duration_minutes"),
            mode = self.text("course_sessions", "s", "mode"),
            course_mode = self.text("courses", "c", "mode"),
            modality = self.column("enrollments", "e", "modality"),
            link = self.text("course_sessions", "s", "meeting_url"),
            course_link = self.text("courses", "c", "default_meeting_url"),
            own_link = self.text("enrollments", "e", "online_access_url"),
            place = self.text("course_sessions", "s", "location"),
            timezone = self.text("user_profiles", "p", "timezone"),
            profile_locale = self.text("user_profiles", "p", "locale"),
            user_locale = self.text("users", "u", "locale"),
            conditions = self.conditions().join("\n    AND "),
        )
    }

    /// Who is a participant of what, as far as the platform's columns say.
    fn conditions(&self) -> Vec<&'static str> {
        let optional = [
            ("course_sessions", "deleted_at", "s.deleted_at IS NULL"),
            ("course_sessions", "cancelled_at", "s.cancelled_at IS NULL"),
            (
                "course_sessions",
                "status",
                "coalesce(s.status, '') <> 'cancelled'",
            ),
            ("courses", "deleted_at", "c.deleted_at IS NULL"),
            ("enrollments", "deleted_at", "e.deleted_at IS NULL"),
            (
                "enrollments",
                "expires_at",
                "(e.expires_at IS NULL OR e.expires_at >= s.scheduled_at)",
            ),
            ("users", "status", "u.status = 'active'"),
            ("users", "deleted_at", "u.deleted_at IS NULL"),
        ];
        let present = optional
            .into_iter()
            .filter(|(table, column, _)| self.has(table, column));
        let always = ["+e.status = 'active'", "q.id IS NULL"];
        always
            .into_iter()
            .chain(present.map(|(_, _, condition)| condition))
            .collect()
    }
}

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

/// # Errors
/// Ends with 78, naming every column that an operator's own view lacks.
pub fn check_theirs(db: &mut Db) -> Result<()> {
    let there = db::columns(db, NAME)?;
    let lacks = |column: &&str| !there.iter().any(|name| name == column);
    let missing: Vec<&str> = COLUMNS.into_iter().filter(lacks).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!(
        "your own {NAME} lacks {}: give it these columns, NULL where there is nothing",
        missing.join(", ")
    );
    Err(exit::error(Exit::Config, text))
}

/// What stands under the view's name.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing {
    Missing,
    Ours(String),
    /// An operator's own view (or table): left alone.
    Theirs,
}

pub fn standing(db: &mut Db) -> QueryResult<Standing> {
    Ok(match db::view_definition(db, NAME)? {
        Some(sql) if sql.contains(&format!(" AS {MARKER}")) => Standing::Ours(sql),
        Some(_) => Standing::Theirs,
        None if db::columns(db, NAME)?.is_empty() => Standing::Missing,
        None => Standing::Theirs,
    })
}

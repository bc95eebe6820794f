//! Building `session_participants` from the columns that the platform has.

use anyhow::Result;

pub use super::tables::Platform;
use crate::{
    db::ViewSql,
    exit::{self, Exit},
};

pub const NAME: &str = "session_participants";

/// The column that tells our view from an operator's own.
pub const MARKER: &str = "reminders_view";

/// What the columns that the platform has must say of a participant, table by table.
const CONDITIONS: [(&str, &str, &str); 9] = [
    ("course_sessions", "deleted_at", "s.deleted_at IS NULL"),
    ("course_sessions", "cancelled_at", "s.cancelled_at IS NULL"),
    (
        "course_sessions",
        "status",
        "coalesce({s.status}, '') <> 'cancelled'",
    ),
    ("courses", "deleted_at", "c.deleted_at IS NULL"),
    ("enrollments", "status", "e.status = 'active'"),
    ("enrollments", "deleted_at", "e.deleted_at IS NULL"),
    (
        "enrollments",
        "expires_at",
        "(e.expires_at IS NULL OR e.expires_at >= s.scheduled_at)",
    ),
    ("users", "status", "u.status = 'active'"),
    ("users", "deleted_at", "u.deleted_at IS NULL"),
];

/// One of [`CONDITIONS`], in the words of a back end.
pub struct Condition {
    pub table: &'static str,
    /// What the view calls the table.
    pub alias: &'static str,
    pub column: &'static str,
    pub sql: String,
}

impl Condition {
    /// Those of one table, also on columns that a platform may not have.
    pub fn of(sql: &ViewSql, table: &str) -> Vec<Condition> {
        let status = (sql.text)("s.status");
        let of_table = CONDITIONS.into_iter().filter(|(of, ..)| *of == table);
        of_table
            .map(|(table, column, condition)| Condition {
                table,
                alias: match table {
                    "course_sessions" => "s",
                    "courses" => "c",
                    "enrollments" => "e",
                    _ => "u",
                },
                column,
                sql: condition.replace("{s.status}", &status),
            })
            .collect()
    }
}

impl Platform {
    /// Whether a view can be made of what there is.
    ///
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

    /// The statement that makes the view.
    ///
    /// Sessions are read first, of which few are in the window, so that a platform without an index on `scheduled_at`
    /// costs one look at its sessions and, when none is due, none at its enrollments. Users are asked for by the
    /// enrollment's `user_id`, which the platform's unique index begins with. Of several profiles the one with the
    /// lowest id counts, as in Laravel's `hasOne`: the one that no other profile `q` comes before.
    ///
    /// `coalesce(…, false)` and `+ 0` change no result: they keep planners from indexes on flags that most rows have,
    /// and from multiplying their guesses of how many rows have them down to one.
    pub fn view(&self, sql: &ViewSql) -> String {
        let query = self.participants(sql);
        marked(&format!("{} {NAME} AS\n{query};", sql.create))
    }

    /// The query of the view, which can also be asked before there is one: nobody has opted in where there is no column
    /// yet.
    pub fn participants(&self, sql: &ViewSql) -> String {
        let title = format!("c.{}", self.title_column().unwrap_or("title"));
        let text = |table, alias, column| self.text(sql, table, alias, column);
        format!(
            "SELECT {session_id} AS session_id, {course_id} AS course_id,
    coalesce({own_title}, {title}) AS session_title, {title} AS course_title,
    s.scheduled_at AS scheduled_at, {duration} AS duration_minutes,
    coalesce({mode}, {course_mode}) AS mode, {modality} AS modality,
    coalesce({link}, {course_link}, {own_link}) AS meeting_url, {place} AS location,
    {user_id} AS user_id, u.name AS name, u.email AS email,
    p.phone AS phone, {opted_in} AS whatsapp_opt_in,
    {timezone} AS timezone, coalesce({profile_locale}, {user_locale}) AS locale
FROM course_sessions s
{join} courses c ON c.id = s.course_id
{enrollments}
{join} users u ON u.id = e.user_id
LEFT JOIN user_profiles p ON p.user_id = u.id
LEFT JOIN user_profiles q ON q.user_id = p.user_id AND q.id + 0 < p.id
WHERE {conditions}",
            join = sql.join,
            session_id = (sql.id)("s.id"),
            course_id = (sql.id)("s.course_id"),
            user_id = (sql.id)("e.user_id"),
            own_title = text("course_sessions", "s", "title"),
            duration = (sql.integer)(&self.column("course_sessions", "s", "duration_minutes")),
            mode = text("course_sessions", "s", "mode"),
            course_mode = text("courses", "c", "mode"),
            modality = self.column("enrollments", "e", "modality"),
            link = text("course_sessions", "s", "meeting_url"),
            course_link = text("courses", "c", "default_meeting_url"),
            own_link = text("enrollments", "e", "online_access_url"),
            place = text("course_sessions", "s", "location"),
            opted_in = (sql.flag)(&self.column("user_profiles", "p", "whatsapp_opt_in")),
            timezone = text("user_profiles", "p", "timezone"),
            profile_locale = text("user_profiles", "p", "locale"),
            user_locale = text("users", "u", "locale"),
            enrollments = (sql.enrollments)(&self.enrollment_conditions(sql).join("\n    AND ")),
            conditions = self.conditions(sql).join("\n    AND "),
        )
    }

    /// Who is a participant of what, as far as the platform's columns say.
    fn conditions(&self, sql: &ViewSql) -> Vec<String> {
        let mut conditions = self.session_conditions(sql);
        conditions.extend(self.user_conditions(sql));
        conditions
    }

    /// Which sessions take place.
    pub(super) fn session_conditions(&self, sql: &ViewSql) -> Vec<String> {
        let tables = ["course_sessions", "courses"];
        let conditions = tables.into_iter().map(|table| self.all(sql, table));
        conditions.flatten().collect()
    }

    /// Who is written to, and which of several profiles counts.
    pub(super) fn user_conditions(&self, sql: &ViewSql) -> Vec<String> {
        let one_profile = "q.id IS NULL".to_owned();
        let active = self.all(sql, "users");
        active.into_iter().chain([one_profile]).collect()
    }

    pub(super) fn enrollment_conditions(&self, sql: &ViewSql) -> Vec<String> {
        let of_course = Some("e.course_id = s.course_id".to_owned());
        let active = self.all(sql, "enrollments");
        of_course.into_iter().chain(active).collect()
    }

    /// The conditions on the columns that a table has, as one that planners cannot look into.
    fn all(&self, sql: &ViewSql, table: &str) -> Option<String> {
        let present: Vec<String> = Condition::of(sql, table)
            .into_iter()
            .filter(|condition| self.has(table, condition.column))
            .map(|condition| condition.sql)
            .collect();
        (!present.is_empty()).then(|| format!("coalesce({}, false)", present.join(" AND ")))
    }
}

/// The statement with a last column that tells what it makes from an operator's own, and an older one of ours from
/// this.
pub(super) fn marked(view: &str) -> String {
    let marker = format!(",\n    '{:016x}' AS {MARKER}\nFROM", fingerprint(view));
    view.replacen("\nFROM", &marker, 1)
}

/// FNV-1a of 64 bits: databases keep a view in their own words, but its marker as it is.
fn fingerprint(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Whether a view of ours is the one that this statement makes.
pub fn is_current(ours: &str, wanted: &str) -> bool {
    let marker = wanted.rsplit_once(&format!(" AS {MARKER}"));
    let marker = marker.and_then(|(before, _)| before.rsplit_once("    "));
    marker.is_some_and(|(_, fingerprint)| ours.contains(fingerprint))
}

//! Building `session_cancellations`: who was told of a session that has been cancelled or deleted since. Such a session
//! is no longer in `session_participants`, where somebody who has left is missing just the same.

use super::{tables::Platform, view::marked};
use crate::db::ViewSql;

pub const NAME: &str = "session_cancellations";

impl Platform {
    /// The statement that makes the view: the ledger's `sent` rows whose session does not take place, with the columns
    /// of `session_participants`. Of a session that was deleted nothing is left but the start that was told.
    pub fn cancellations(&self, sql: &ViewSql) -> String {
        marked(&self.unmarked_cancellations(sql))
    }

    fn unmarked_cancellations(&self, sql: &ViewSql) -> String {
        let text = |table, alias, column| self.text(sql, table, alias, column);
        let title = format!("c.{}", self.title_column().unwrap_or("title"));
        format!(
            "{create} {NAME} AS
SELECT d.course_session_id AS session_id, {course_id} AS course_id,
    coalesce({own_title}, {title}) AS session_title, {title} AS course_title,
    d.scheduled_at AS scheduled_at, {duration} AS duration_minutes,
    coalesce({mode}, {course_mode}) AS mode, NULL AS modality,
    coalesce({link}, {course_link}) AS meeting_url, {place} AS location,
    d.user_id AS user_id, u.name AS name, u.email AS email,
    p.phone AS phone, {opted_in} AS whatsapp_opt_in,
    {timezone} AS timezone, coalesce({profile_locale}, {user_locale}) AS locale
FROM session_reminder_deliveries d
LEFT JOIN course_sessions s ON s.id = d.course_session_id
LEFT JOIN courses c ON c.id = s.course_id
JOIN users u ON u.id = d.user_id
LEFT JOIN user_profiles p ON p.user_id = u.id
LEFT JOIN user_profiles q ON q.user_id = p.user_id AND q.id + 0 < p.id
WHERE d.status = 'sent'
    AND (c.id IS NULL OR NOT ({takes_place}))
    AND (s.id IS NULL OR EXISTS (SELECT 1 FROM enrollments e WHERE e.user_id = d.user_id
        AND {enrolled}))
    AND {reachable};",
            create = sql.create,
            course_id = (sql.id)("s.course_id"),
            own_title = text("course_sessions", "s", "title"),
            duration = (sql.integer)(&self.column("course_sessions", "s", "duration_minutes")),
            mode = text("course_sessions", "s", "mode"),
            course_mode = text("courses", "c", "mode"),
            link = text("course_sessions", "s", "meeting_url"),
            course_link = text("courses", "c", "default_meeting_url"),
            place = text("course_sessions", "s", "location"),
            opted_in = (sql.flag)("p.whatsapp_opt_in"),
            timezone = text("user_profiles", "p", "timezone"),
            profile_locale = text("user_profiles", "p", "locale"),
            user_locale = text("users", "u", "locale"),
            takes_place = joined(self.session_conditions(sql)),
            enrolled = self.enrollment_conditions(sql).join("\n        AND "),
            reachable = joined(self.user_conditions(sql)),
        )
    }
}

/// All of them; true where the platform knows none.
fn joined(conditions: Vec<String>) -> String {
    if conditions.is_empty() {
        return "1 = 1".into();
    }
    conditions.join("\n    AND ")
}

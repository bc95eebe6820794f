//! What the conditions of the view are called, and what is said of them.

use super::Fact;
use crate::text;

impl Fact {
    pub fn rule(&self) -> &'static str {
        words(self.table, self.column).rule
    }

    /// What it says, with the value that was looked at.
    pub fn text(&self) -> String {
        let Words { yes, no, .. } = words(self.table, self.column);
        let column = format!("{}.{}", self.table, self.column);
        let Some(found) = &self.found else {
            return format!("the platform has no {column}");
        };
        let value = text::one_line(found.value.as_deref().unwrap_or("empty").trim(), 60);
        let text = if found.holds() { yes } else { no };
        format!("{text} ({column}: {value})")
    }

    /// Whether it keeps somebody from being told.
    pub fn bars(&self) -> bool {
        self.found.as_ref().is_some_and(|found| !found.holds())
    }
}

/// What is said of a condition.
pub(in crate::platform) struct Words {
    pub rule: &'static str,
    /// Where it holds.
    pub yes: &'static str,
    /// Where it does not; a sentence of its own.
    pub no: &'static str,
}

pub(in crate::platform) fn words(table: &str, column: &str) -> Words {
    let (rule, yes, no) = match (table, column) {
        ("course_sessions", "deleted_at") => {
            ("session_deleted", "not deleted", "the session was deleted")
        }
        ("course_sessions", "cancelled_at") => (
            "session_cancelled",
            "not cancelled",
            "the session was cancelled",
        ),
        ("course_sessions", _) => (
            "session_status",
            "not cancelled",
            "the session is cancelled",
        ),
        ("courses", _) => ("course_deleted", "not deleted", "the course was deleted"),
        ("enrollments", "deleted_at") => (
            "enrollment_deleted",
            "not deleted",
            "the enrollment was deleted",
        ),
        ("enrollments", "expires_at") => (
            "enrollment_expired",
            "lasts until the start",
            "the enrollment ends before the start",
        ),
        ("enrollments", _) => (
            "enrollment_active",
            "active",
            "the enrollment is not active",
        ),
        (_, "deleted_at") => ("user_deleted", "not deleted", "the user was deleted"),
        _ => ("user_active", "active", "the user is not active"),
    };
    Words { rule, yes, no }
}

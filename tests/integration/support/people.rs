//! What the platform's tables hold: courses, sessions, people, and what Laravel has told.

use std::ops::RangeInclusive;

use super::Platform;

impl Platform {
    /// Course 1, which all sessions are of.
    pub fn course(&self) {
        self.sql("INSERT INTO courses (id, title) VALUES (1, 'Matematika Dasar')");
    }

    /// A session of course 1 that starts then (the platform's digits).
    pub fn session(&self, id: i64, start: &str) {
        self.sql(&format!(
            "INSERT INTO course_sessions (id, course_id, title, mode, scheduled_at, meeting_url)
             VALUES ({id}, 1, 'Pecahan', 'online', '{start}', 'https://meet.example.org/{id}')"
        ));
    }

    /// A user with an active enrollment in course 1, and no profile.
    pub fn participant(&self, id: i64, name: &str, email: &str) {
        let (name, email) = (name.replace('\'', "''"), email.replace('\'', "''"));
        self.sql(&format!(
            "INSERT INTO users (id, name, email) VALUES ({id}, '{name}', '{email}');
             INSERT INTO enrollments (user_id, course_id, status) VALUES ({id}, 1, 'active');"
        ));
    }

    /// Many of them at once: `Peserta 7`, `peserta7@example.org`.
    pub fn participants(&self, ids: RangeInclusive<i64>) {
        let users: Vec<String> = ids
            .clone()
            .map(|id| format!("({id}, 'Peserta {id}', 'peserta{id}@example.org')"))
            .collect();
        let enrollments: Vec<String> = ids.map(|id| format!("({id}, 1, 'active')")).collect();
        self.sql(&format!(
            "INSERT INTO users (id, name, email) VALUES {};
             INSERT INTO enrollments (user_id, course_id, status) VALUES {};",
            users.join(", "),
            enrollments.join(", ")
        ));
    }

    /// A profile with that number, opted in.
    pub fn opted_in(&self, user: i64, phone: &str) {
        let phone = phone.replace('\'', "''");
        self.sql(&format!("INSERT INTO user_profiles (user_id, phone, whatsapp_opt_in) VALUES ({user}, '{phone}', true)"));
    }

    /// The row that the Laravel command enters when it has dispatched its notifications.
    pub fn laravel_tells(&self, session: i64, sent_at: &str, recipients: u32) {
        self.sql(&format!(
            "INSERT INTO session_reminder_logs (course_session_id, sent_at, recipients_count, created_at, updated_at)
             VALUES ({session}, '{sent_at}', {recipients}, '{sent_at}', '{sent_at}')"
        ));
    }
}

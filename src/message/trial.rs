//! A message on trial: the session in it is made up, and it says so in whatever words the templates have.

use super::{MailMessage, WhatsappMessage};
use crate::config::Locale;
use crate::platform::Participant;

/// What a message on trial says of itself, in one language.
struct Words {
    mark: &'static str,
    note: &'static str,
    session: &'static str,
    course: &'static str,
    name: &'static str,
    place: &'static str,
}

const ID: Words = Words {
    mark: "[uji coba]",
    note: "Ini hanya pesan uji coba dari `reminders test`. Sesi di bawah ini tidak ada.",
    session: "Sesi uji coba (bukan sesi sungguhan)",
    course: "Kursus uji coba",
    name: "Peserta uji coba",
    place: "tidak ada, ini hanya uji coba",
};

const EN: Words = Words {
    mark: "[test]",
    note: "This is only a test message of `reminders test`. There is no such session as below.",
    session: "Test session (not a real one)",
    course: "Test course",
    name: "Test participant",
    place: "none, this is only a test",
};

fn words(locale: Locale) -> &'static Words {
    match locale {
        Locale::Id => &ID,
        Locale::En => &EN,
    }
}

/// The made-up participant of the made-up session. An approved template shows nothing but their texts.
pub fn participant(locale: Locale) -> Participant {
    let words = words(locale);
    Participant {
        session_id: 0,
        session_title: Some(words.session.to_owned()),
        course_title: Some(words.course.to_owned()),
        scheduled_at: String::new(),
        duration_minutes: Some(60),
        mode: Some("offline".to_owned()),
        meeting_url: None,
        location: Some(words.place.to_owned()),
        user_id: 0,
        name: Some(words.name.to_owned()),
        email: None,
        phone: None,
        whatsapp_opt_in: None,
        timezone: None,
        locale: None,
    }
}

impl MailMessage {
    /// The same, known as a trial by its subject and first line.
    pub fn marked(self, locale: Locale) -> Self {
        let Words { mark, note, .. } = words(locale);
        Self {
            subject: format!("{mark} {}", self.subject),
            text: format!("{note}\n\n{}", self.text),
            ..self
        }
    }
}

impl WhatsappMessage {
    /// The same, known as a trial by its first line. (It is far from the longest that Twilio takes.)
    pub fn marked(self, locale: Locale) -> Self {
        Self {
            body: format!("{}\n\n{}", words(locale).note, self.body),
            ..self
        }
    }
}

//! Somebody who does not exist, in a session that does not either: what messages look like where nothing is at hand.

use super::language;
use crate::config::Locale;
use crate::platform::Participant;

/// Texts in one language.
struct Words {
    session: &'static str,
    course: &'static str,
    place: &'static str,
}

fn words(locale: Locale) -> Words {
    match locale {
        Locale::Id => Words {
            session: "Turunan dan Integral",
            course: "Kalkulus Dasar",
            place: "Ruang 3, Gedung A",
        },
        Locale::En => Words {
            session: "Derivatives and Integrals",
            course: "Basic Calculus",
            place: "Room 3, Building A",
        },
    }
}

/// A made-up participant who has opted in to WhatsApp, of a hybrid session.
pub fn participant(locale: Locale) -> Participant {
    let words = words(locale);
    let text = |text: &str| Some(text.to_owned());
    Participant {
        session_id: 0,
        session_title: text(words.session),
        course_title: text(words.course),
        scheduled_at: String::new(),
        duration_minutes: Some(90),
        mode: text("hybrid"),
        meeting_url: text("https://meet.example.org/kalkulus"),
        location: text(words.place),
        user_id: 0,
        name: text("Budi"),
        email: text("budi@example.org"),
        phone: text("+6281234567890"),
        whatsapp_opt_in: Some(true),
        timezone: None,
        locale: text(language::code(locale)),
    }
}

/// The same in the session of somebody else: of that one nothing but the session is kept.
pub fn in_session_of(participant: &Participant, locale: Locale) -> Participant {
    let somebody = self::participant(locale);
    Participant {
        session_id: participant.session_id,
        session_title: participant.session_title.clone(),
        course_title: participant.course_title.clone(),
        scheduled_at: participant.scheduled_at.clone(),
        duration_minutes: participant.duration_minutes,
        mode: participant.mode.clone(),
        meeting_url: participant.meeting_url.clone(),
        location: participant.location.clone(),
        ..somebody
    }
}

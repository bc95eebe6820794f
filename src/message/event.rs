//! A session as an entry of a calendar: what the mail says of it, but for its words. No template has a part in it.

use chrono::{DateTime, Datelike, Duration, Utc};
use url::Url;

use super::{News, context::Context};
use crate::platform::Participant;

/// The facts that this participant's mail tells, and nothing of any other participant. Every text but `notes` is one
/// line; what is unknown is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub is_cancelled: bool,
    pub start: DateTime<Utc>,
    /// `None` where the platform does not say how long it takes: a made-up end would be a promise.
    pub end: Option<DateTime<Utc>>,
    pub title: String,
    /// Where to go, else where to join.
    pub place: String,
    /// Where to join, if a browser can open it.
    pub url: Option<String>,
    pub notes: String,
}

impl Event {
    pub fn new(news: News, to: &Participant, start: DateTime<Utc>, told: &Context) -> Event {
        let place = [&told.place, &told.link];
        Event {
            is_cancelled: news == News::Cancelled,
            start,
            end: end(to, start),
            title: title(told),
            place: place.into_iter().find(is_said).cloned().unwrap_or_default(),
            url: url(told),
            notes: lines([&told.link, &told.app_name, &told.app_url]),
        }
    }
}

/// The course comes first, since sessions are often called `Pertemuan 3`.
fn title(told: &Context) -> String {
    match (told.course.as_str(), told.session.as_str()) {
        ("", "") => told.app_name.clone(),
        ("", session) => session.to_owned(),
        (course, session) => format!("{course}: {session}"),
    }
}

/// Calendars write a year in four digits.
fn end(to: &Participant, start: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let minutes = to.duration_minutes.filter(|minutes| *minutes > 0)?;
    let end = start.checked_add_signed(Duration::minutes(minutes.into()))?;
    (end.year() <= 9999).then_some(end)
}

/// In ASCII only, as an address has to be there.
fn url(told: &Context) -> Option<String> {
    let url = told.link_is_url.then(|| Url::parse(&told.link));
    url?.ok().map(String::from)
}

fn lines(texts: [&String; 3]) -> String {
    let said: Vec<&str> = texts
        .into_iter()
        .filter(is_said)
        .map(String::as_str)
        .collect();
    said.join("\n")
}

fn is_said(text: &&String) -> bool {
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::{bare, event, hostile, participant, told, utc};

    #[test]
    fn an_entry_says_what_the_mail_says() {
        let event = event(&participant());
        assert_eq!(
            event,
            Event {
                is_cancelled: false,
                start: utc("2026-11-23T10:00:00Z"),
                end: Some(utc("2026-11-23T11:30:00Z")),
                title: "Kalkulus: Turunan dan Integral".to_owned(),
                place: "Ruang 3".to_owned(),
                url: Some("https://meet.example/abc?x=1&y=2".to_owned()),
                notes: "https://meet.example/abc?x=1&y=2\nKursus Kita\nhttps://kursus.example"
                    .to_owned(),
            }
        );
    }

    #[test]
    fn the_place_and_the_link_are_those_of_the_mode() {
        let link = "https://meet.example/abc?x=1&y=2";
        for (mode, place, url) in [
            ("online", link, Some(link)),
            ("offline", "Ruang 3", None),
            ("", "Ruang 3", Some(link)),
        ] {
            let mut person = participant();
            person.mode = Some(mode.to_owned());
            let event = event(&person);
            assert_eq!(
                (event.place.as_str(), event.url.as_deref()),
                (place, url),
                "{mode}"
            );
            assert_eq!(event.notes.contains(link), url.is_some(), "{mode}");
        }
    }

    #[test]
    fn a_link_that_is_none_is_told_but_not_opened() {
        let mut person = participant();
        person.mode = Some("online".to_owned());
        person.meeting_url = Some("Zoom 123 456".to_owned());
        let entry = event(&person);
        assert_eq!(
            (entry.place.as_str(), entry.url.as_deref()),
            ("Zoom 123 456", None)
        );
        person.meeting_url = Some("https://contoh.example/kelas-é".to_owned());
        let url = event(&person).url;
        assert_eq!(url.as_deref(), Some("https://contoh.example/kelas-%C3%A9"));
    }

    #[test]
    fn a_session_of_which_little_is_known_has_a_title_and_no_end() {
        let event = event(&bare());
        assert_eq!((event.title.as_str(), event.end), ("Kursus Kita", None));
        assert_eq!((event.place.as_str(), event.url), ("", None));
    }

    #[test]
    fn a_duration_beyond_all_calendars_is_no_end() {
        for (minutes, end) in [
            (Some(1), Some("2026-11-23T10:01:00Z")),
            (Some(0), None),
            (Some(-90), None),
            (None, None),
        ] {
            let mut person = participant();
            person.duration_minutes = minutes;
            assert_eq!(event(&person).end, end.map(utc), "{minutes:?}");
        }
        let (mut person, start) = (participant(), utc("9999-12-31T23:00:00Z"));
        for (minutes, is_told) in [(59, true), (60, false), (i32::MAX, false)] {
            person.duration_minutes = Some(minutes);
            assert_eq!(end(&person, start).is_some(), is_told, "{minutes}");
        }
    }

    #[test]
    fn a_cancelled_session_leads_nowhere() {
        let event = told(News::Cancelled, &participant()).0.event;
        assert!(event.is_cancelled && event.place.is_empty() && event.url.is_none());
        assert_eq!(event.notes, "Kursus Kita\nhttps://kursus.example");
        let moved = News::Moved { from: None };
        assert!(!told(moved, &participant()).0.event.is_cancelled);
    }

    #[test]
    fn its_texts_are_lines_without_control_characters() {
        for text in ["a\r\nb\0c\u{1b}[31m\u{202e}", &"🎉\r".repeat(1_000)] {
            let event = event(&hostile(text));
            for line in [&event.title, &event.place].into_iter().chain(&event.url) {
                assert!(!line.contains(char::is_control), "{line:?}");
            }
            let notes = event.notes.replace('\n', "");
            assert!(!notes.contains(char::is_control), "{notes:?}");
        }
    }
}

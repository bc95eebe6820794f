use super::*;
use crate::message::tests::{app, participant, utc};

fn context(participant: &Participant) -> Context {
    let defaults = Defaults::new(&app(), Locale::Id, Tz::Asia__Jakarta);
    defaults.context(
        participant,
        utc("2026-11-23T10:00:00Z"),
        utc("2026-11-23T09:00:00Z"),
    )
}

#[test]
fn the_zone_is_the_participants_own_if_it_is_one() {
    let cases = [
        (None, "Senin, 23 November 2026 pukul 17.00 WIB"),
        (Some(""), "Senin, 23 November 2026 pukul 17.00 WIB"),
        (Some("WIB"), "Senin, 23 November 2026 pukul 17.00 WIB"),
        (
            Some("Mars/Olympus"),
            "Senin, 23 November 2026 pukul 17.00 WIB",
        ),
        (
            Some(" Asia/Jayapura\n"),
            "Senin, 23 November 2026 pukul 19.00 WIT",
        ),
        (
            Some("Pacific/Auckland"),
            "Senin, 23 November 2026 pukul 23.00 NZDT",
        ),
        (
            Some("Pacific/Kiritimati"),
            "Selasa, 24 November 2026 pukul 00.00 UTC+14",
        ),
        (
            Some("Pacific/Honolulu"),
            "Senin, 23 November 2026 pukul 00.00 HST",
        ),
        (
            Some("Pacific/Pago_Pago"),
            "Minggu, 22 November 2026 pukul 23.00 SST",
        ),
    ];
    for (zone, expected) in cases {
        let mut person = participant();
        person.timezone = zone.map(str::to_string);
        assert_eq!(context(&person).start, expected, "{zone:?}");
    }
}

#[test]
fn the_remaining_time_is_rounded_to_the_minute() {
    let cases = [
        (3600, 60),
        (3629, 60),
        (3630, 61),
        (3570, 60),
        (3569, 59),
        (29, 0),
        (0, 0),
        (-40, -1),
    ];
    for (seconds, minutes) in cases {
        assert_eq!(
            rounded_minutes(chrono::Duration::seconds(seconds)),
            minutes,
            "{seconds} s"
        );
    }
}

#[test]
fn link_and_place_follow_the_mode() {
    let cases = [
        (Some("online"), true, false),
        (Some("offline"), false, true),
        (Some("hybrid"), true, true),
        (Some(" Online "), true, false),
        (Some("telepathic"), true, true),
        (Some(""), true, true),
        (None, true, true),
    ];
    for (mode, has_link, has_place) in cases {
        let mut person = participant();
        person.mode = mode.map(str::to_string);
        let context = context(&person);
        assert_eq!(
            (!context.link.is_empty(), !context.place.is_empty()),
            (has_link, has_place),
            "{mode:?}"
        );
    }
}

#[test]
fn only_a_whole_http_address_is_a_url() {
    let cases = [
        ("https://meet.example/a?b=c&d", true),
        ("HTTP://MEET.EXAMPLE", true),
        ("https://例え.jp/x", true),
        ("javascript:alert(1)", false),
        ("JaVaScRiPt:alert(1)//https://x", false),
        ("java\nscript:alert(1)", false),
        ("data:text/html,<script>", false),
        ("meet.example/abc", false),
        ("https://", false),
        ("https://zoom.example/j/1 passcode 42", false),
        ("Zoom 123 456 789", false),
        ("", false),
    ];
    for (link, is_url) in cases {
        let mut person = participant();
        person.meeting_url = Some(link.to_string());
        assert_eq!(context(&person).link_is_url, is_url, "{link:?}");
    }
}

#[test]
fn a_link_too_long_to_work_is_left_out() {
    let mut person = participant();
    person.meeting_url = Some(format!("https://meet.example/{}", "x".repeat(1_979)));
    assert_eq!(context(&person).link.len(), 2_000);
    person.meeting_url = Some(format!("https://meet.example/{}", "x".repeat(1_980)));
    assert_eq!(context(&person).link, "");
    assert!(!context(&person).link_is_url);
}

#[test]
fn a_title_is_said_once() {
    let cases = [
        (Some("Integral"), Some("Kalkulus"), "Integral", "Kalkulus"),
        (Some(" KALKULUS\n"), Some("Kalkulus"), "Kalkulus", ""),
        (None, Some("Kalkulus"), "Kalkulus", ""),
        (Some("\t"), Some("Kalkulus"), "Kalkulus", ""),
        (Some("Integral"), None, "Integral", ""),
        (None, None, "", ""),
    ];
    for (session, course, said_session, said_course) in cases {
        let mut person = participant();
        person.session_title = session.map(str::to_string);
        person.course_title = course.map(str::to_string);
        let context = context(&person);
        assert_eq!(
            (context.session.as_str(), context.course.as_str()),
            (said_session, said_course)
        );
    }
}

#[test]
fn a_duration_that_is_none_is_not_told() {
    for minutes in [None, Some(0), Some(-90), Some(i32::MIN)] {
        let mut person = participant();
        person.duration_minutes = minutes;
        assert_eq!(context(&person).duration, "", "{minutes:?}");
    }
}

#[test]
fn an_address_that_only_the_server_can_reach_is_not_shown() {
    for url in [
        "http://localhost",
        "http://localhost:8000",
        "http://127.0.0.1",
        "http://[::1]/",
        "kursus",
        "",
    ] {
        assert_eq!(public_address(url), None, "{url}");
    }
    assert_eq!(
        public_address("https://kursus.example/").as_deref(),
        Some("https://kursus.example/")
    );
}

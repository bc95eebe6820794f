//! The session as an entry of a calendar, attached to each mail: read from what the server got, by a library that did
//! not write it.

use calcard::icalendar::{
    ICalendar, ICalendarComponent, ICalendarProperty as Name, ICalendarValue as Value,
};

use crate::{
    smtp::{Mail, Smtp},
    support::{Platform, START},
};

/// What a calendar makes of the file.
#[derive(Debug)]
struct Entry {
    written: String,
    parsed: ICalendarComponent,
}

impl Entry {
    fn of(mail: &Mail) -> Entry {
        let written = mail.calendar();
        let calendar = ICalendar::parse(&written).unwrap();
        let parsed = calendar.components[1].clone();
        Entry { written, parsed }
    }

    fn value(&self, name: Name) -> Option<&Value> {
        self.parsed.property(&name)?.values.first()
    }

    fn text(&self, name: Name) -> Option<&str> {
        self.value(name)?.as_text()
    }

    fn moment(&self, name: Name) -> Option<String> {
        match self.value(name)? {
            Value::PartialDateTime(time) => time.to_rfc3339(),
            other => panic!("{other:?}"),
        }
    }

    fn sequence(&self) -> i64 {
        match self.value(Name::Sequence) {
            Some(Value::Integer(number)) => *number,
            other => panic!("{other:?}"),
        }
    }

    fn has(&self, line: &str) -> bool {
        self.written.split("\r\n").any(|written| written == line)
    }
}

fn entries(smtp: &Smtp) -> Vec<Entry> {
    smtp.mails().iter().map(Entry::of).collect()
}

/// A platform whose wall clock is nine hours ahead of UTC, with one session and a pass in its window.
fn told(smtp: &Smtp) -> Platform {
    let platform = Platform::seed()
        .mail(smtp)
        .set("APP_TIMEZONE", "Asia/Jayapura")
        .set("REMINDER_CORRECTIONS", "on");
    platform.session(1, START);
    platform.sql("UPDATE course_sessions SET duration_minutes = 90");
    platform.participant(1, "Budi Santoso", "budi@example.org");
    platform.participant(2, "Siti Rahma", "siti@example.org");
    platform.opted_in(1, "+6281234567801");
    platform.opted_in(2, "+6281234567802");
    platform.send_at("2026-11-23T07:00:00Z").succeeds();
    platform
}

#[test]
fn each_mail_brings_the_session_in_utc() {
    let smtp = Smtp::start();
    told(&smtp);
    let entries = entries(&smtp);
    assert_eq!(entries.len(), 2);
    for entry in &entries {
        assert!(entry.has("METHOD:PUBLISH") && entry.has("DTSTART:20261123T080000Z"));
        assert_eq!(entry.moment(Name::Dtstart).unwrap(), "2026-11-23T08:00:00Z");
        assert_eq!(entry.moment(Name::Dtend).unwrap(), "2026-11-23T09:30:00Z");
        assert_eq!(
            entry.text(Name::Location),
            Some("https://meet.example.org/1")
        );
        assert!(entry.text(Name::Summary).unwrap().contains("Pecahan"));
    }
    assert_eq!(entries[0].text(Name::Uid), entries[1].text(Name::Uid));
}

#[test]
fn an_entry_names_nobody_but_the_sender() {
    let smtp = Smtp::start();
    told(&smtp);
    for (mail, entry) in smtp.mails().iter().zip(entries(&smtp)) {
        assert!(entry.parsed.property(&Name::Attendee).is_none());
        let (own, other) = match mail.to[0].as_str() {
            "budi@example.org" => (["Budi", "budi@", "801"], ["Siti", "siti@", "802"]),
            _ => (["Siti", "siti@", "802"], ["Budi", "budi@", "801"]),
        };
        for name in own.into_iter().chain(other) {
            assert!(
                !entry.written.contains(name),
                "{name} in\n{}",
                entry.written
            );
        }
        for name in other {
            assert!(
                !String::from_utf8_lossy(&mail.data).contains(name),
                "{name}"
            );
        }
    }
}

#[test]
fn a_moved_session_is_the_same_entry_with_another_time_and_a_higher_sequence() {
    let smtp = Smtp::start();
    let platform = told(&smtp);
    platform.sql("UPDATE course_sessions SET scheduled_at = '2026-11-24 09:30:00'");
    platform.send_at("2026-11-23T07:02:00Z").succeeds();
    let entries = entries(&smtp);
    let (before, after) = (&entries[0], &entries[2]);
    assert_eq!(after.text(Name::Uid), before.text(Name::Uid));
    assert_eq!(after.sequence() - before.sequence(), 120);
    assert!(after.has("METHOD:PUBLISH") && after.has("STATUS:CONFIRMED"));
    assert_eq!(after.moment(Name::Dtstart).unwrap(), "2026-11-24T00:30:00Z");
    assert_eq!(after.moment(Name::Dtend).unwrap(), "2026-11-24T02:00:00Z");
}

#[test]
fn a_cancelled_session_is_taken_out_of_the_calendar() {
    let smtp = Smtp::start();
    let platform = told(&smtp);
    platform.sql("DELETE FROM course_sessions");
    platform.send_at("2026-11-23T07:02:00Z").succeeds();
    let entries = entries(&smtp);
    let (before, after) = (&entries[0], &entries[2]);
    assert_eq!(after.text(Name::Uid), before.text(Name::Uid));
    assert!(after.sequence() > before.sequence());
    assert!(after.has("METHOD:CANCEL") && after.has("STATUS:CANCELLED"));
    assert_eq!(after.text(Name::Location), None);
}

#[test]
fn an_eml_file_brings_the_session_too() {
    let platform = Platform::seed()
        .set("MAIL_MAILER", "file")
        .set("MAIL_FILE_DIR", "mails")
        .set("MAIL_FROM_ADDRESS", "kursus@example.org");
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.send().succeeds();
    let file = std::fs::read_dir(platform.path("mails")).unwrap().next();
    let text = std::fs::read_to_string(file.unwrap().unwrap().path()).unwrap();
    assert!(text.contains("Content-Type: text/calendar; charset=utf-8; method=PUBLISH"));
    assert!(text.contains("Content-Disposition: attachment; filename=\"session.ics\""));
}

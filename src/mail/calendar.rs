//! The session as an iCalendar file (RFC 5545), to be attached to its mail. It holds nothing but what the mail says,
//! and nobody's name or address but the sender's.

use chrono::{DateTime, Utc};
use icalendar::{Calendar, Component, Event as Entry, EventLike, EventStatus, Property};
use lettre::message::Mailbox;

use crate::message::Event;

/// 2020-01-01T00:00:00Z.
const FIRST_SEQUENCE: i64 = 1_577_836_800;
/// Octets of a line, without its end.
const LINE: usize = 75;

/// PUBLISH: an entry that everybody may take over and nobody has to answer. It is moved by another PUBLISH and taken
/// back by a CANCEL (RFC 5546, section 3.2.1): only that tells a calendar to take it out. One that merely says
/// STATUS:CANCELLED under another method stays in Outlook's, Google's and Apple's, and goes on ringing there.
pub fn method(event: &Event) -> &'static str {
    if event.is_cancelled {
        "CANCEL"
    } else {
        "PUBLISH"
    }
}

/// `date` is that of the mail: the same mail has the same file, whenever it is sent.
///
/// No VALARM: the reminder is this mail, and whoever wants to be rung has an alarm set in their own calendar.
pub fn write(event: &Event, from: &Mailbox, session: i64, date: DateTime<Utc>) -> String {
    let mut entry = Entry::new();
    entry
        .uid(&uid(from, session))
        .sequence(sequence(date))
        .timestamp(date)
        .starts(event.start)
        .summary(&event.title)
        .append_property(organizer(from));
    entry.status(status(event));
    if let Some(end) = event.end {
        entry.ends(end);
    }
    if let Some(url) = &event.url {
        entry.url(url);
    }
    if !event.place.is_empty() {
        entry.location(&event.place);
    }
    if !event.notes.is_empty() {
        entry.description(&event.notes);
    }
    calendar(method(event), entry)
}

/// The entry that was written last: the mails of a session, made in the same second, all have the same one.
#[derive(Default)]
pub struct Last(Option<(Key, String)>);

/// Event, session, and the second.
type Key = (Event, i64, i64);

impl Last {
    /// As [`write()`]; `from` must be the same each time.
    pub fn write(
        &mut self,
        event: &Event,
        from: &Mailbox,
        session: i64,
        date: DateTime<Utc>,
    ) -> String {
        let key = (event.clone(), session, date.timestamp());
        if let Some((last, entry)) = &self.0
            && *last == key
        {
            return entry.clone();
        }
        let entry = write(event, from, session, date);
        self.0 = Some((key, entry.clone()));
        entry
    }
}

fn calendar(method: &str, entry: Entry) -> String {
    let mut calendar = Calendar::empty();
    for property in [
        ("VERSION", "2.0"),
        ("PRODID", "-//reminders//EN"),
        ("CALSCALE", "GREGORIAN"),
        ("METHOD", method),
    ] {
        calendar.append_property(property);
    }
    folded(&calendar.push(entry).to_string())
}

/// The last piece of a long line comes with the blank that continues it on top of its 75 octets: the one octet too many
/// (RFC 5545, section 3.1) gets a line of its own.
fn folded(written: &str) -> String {
    let mut folded = String::with_capacity(written.len() + 3);
    for mut line in written.split_inclusive('\n') {
        if line.len() > LINE + "\r\n".len() {
            let end = (0..=LINE).rev().find(|end| line.is_char_boundary(*end));
            let (head, rest) = line.split_at(end.unwrap_or_default());
            folded.extend([head, "\r\n "]);
            line = rest;
        }
        folded.push_str(line);
    }
    folded
}

/// One per session, in all of its mails, so that a later one changes the entry and adds none. With the sender's whole
/// address: sessions of other platforms have the same numbers, and many of them send from gmail.com.
fn uid(from: &Mailbox, session: i64) -> String {
    format!("session-{session}.{}", from.email)
}

/// Grows from one mail to the next, since a calendar leaves its entry as it is where the number is a smaller one.
/// Seconds, counted from late enough to fit into 31 bits until 2088.
fn sequence(date: DateTime<Utc>) -> u32 {
    u32::try_from(date.timestamp() - FIRST_SEQUENCE).unwrap_or_default()
}

fn status(event: &Event) -> EventStatus {
    if event.is_cancelled {
        EventStatus::Cancelled
    } else {
        EventStatus::Confirmed
    }
}

/// Demanded of whatever is published (RFC 5546, section 3.2.1).
fn organizer(from: &Mailbox) -> Property {
    let mut organizer = Property::new("ORGANIZER", format!("mailto:{}", from.email));
    if let Some(name) = &from.name {
        // No value of a parameter can hold a quotation mark.
        organizer.add_parameter("CN", &name.replace('"', "'"));
    }
    organizer
}

#[cfg(test)]
pub mod tests {
    use calcard::icalendar::{
        ICalendar, ICalendarComponent, ICalendarProperty as Name, ICalendarValue as Value,
    };

    use super::*;

    pub fn event() -> Event {
        Event {
            is_cancelled: false,
            start: time("2026-11-23T10:00:00Z"),
            end: Some(time("2026-11-23T11:30:00Z")),
            title: "Kalkulus: Turunan".to_owned(),
            place: "Ruang 3".to_owned(),
            url: Some("https://meet.example/abc?x=1;y=2,3".to_owned()),
            notes: "https://meet.example/abc\nKursus Kita".to_owned(),
        }
    }

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn written(event: &Event) -> String {
        let from = Mailbox::new(
            Some("Kursus \"Kita\", dkk".to_owned()),
            "a@example.org".parse().unwrap(),
        );
        write(event, &from, 12, time("2026-11-23T09:00:00Z"))
    }

    /// The one entry of a file, read by a library that did not write it.
    fn read(written: &str) -> ICalendarComponent {
        let calendar = ICalendar::parse(written).unwrap();
        assert_eq!(calendar.components.len(), 2, "{written}");
        calendar.components[1].clone()
    }

    fn text<'a>(entry: &'a ICalendarComponent, name: &Name) -> Option<&'a str> {
        entry.property(name)?.values[0].as_text()
    }

    fn moment(entry: &ICalendarComponent, name: &Name) -> Option<String> {
        match &entry.property(name)?.values[0] {
            Value::PartialDateTime(time) => time.to_rfc3339(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_entry_reads_as_it_was_written() {
        assert_eq!(
            written(&event()),
            "BEGIN:VCALENDAR\r\n\
             VERSION:2.0\r\n\
             PRODID:-//reminders//EN\r\n\
             CALSCALE:GREGORIAN\r\n\
             METHOD:PUBLISH\r\n\
             BEGIN:VEVENT\r\n\
             DESCRIPTION:https://meet.example/abc\\nKursus Kita\r\n\
             DTEND:20261123T113000Z\r\n\
             DTSTAMP:20261123T090000Z\r\n\
             DTSTART:20261123T100000Z\r\n\
             LOCATION:Ruang 3\r\n\
             ORGANIZER;CN=\"Kursus 'Kita', dkk\":mailto:a@example.org\r\n\
             SEQUENCE:217587600\r\n\
             STATUS:CONFIRMED\r\n\
             SUMMARY:Kalkulus: Turunan\r\n\
             UID:session-12.a@example.org\r\n\
             URL:https://meet.example/abc?x=1;y=2,3\r\n\
             END:VEVENT\r\n\
             END:VCALENDAR\r\n"
        );
    }

    #[test]
    fn another_library_reads_the_same_facts() {
        let entry = read(&written(&event()));
        let event = event();
        assert_eq!(text(&entry, &Name::Summary), Some(event.title.as_str()));
        assert_eq!(text(&entry, &Name::Location), Some("Ruang 3"));
        assert_eq!(text(&entry, &Name::Description), Some(event.notes.as_str()));
        assert_eq!(text(&entry, &Name::Uid), Some("session-12.a@example.org"));
        assert_eq!(
            moment(&entry, &Name::Dtstart).unwrap(),
            "2026-11-23T10:00:00Z"
        );
        assert_eq!(
            moment(&entry, &Name::Dtend).unwrap(),
            "2026-11-23T11:30:00Z"
        );
        assert_eq!(
            moment(&entry, &Name::Dtstamp).unwrap(),
            "2026-11-23T09:00:00Z"
        );
    }

    #[test]
    fn what_is_unknown_is_not_written() {
        let bare = Event {
            end: None,
            place: String::new(),
            url: None,
            notes: String::new(),
            ..event()
        };
        let entry = read(&written(&bare));
        for name in [Name::Dtend, Name::Location, Name::Url, Name::Description] {
            assert!(entry.property(&name).is_none(), "{name:?}");
        }
    }

    #[test]
    fn no_text_breaks_out_of_its_line() {
        for hostile in [
            "a,b;c\\d:e\"f\\n\\,",
            "\nEND:VEVENT\nATTENDEE:mailto:eve@example.com",
            "Matematika 🎉 数学 é, ; \\ ",
            "x\u{2028}y\u{200d}z",
            "--mail-s12",
            " leading and   blanks ",
        ] {
            for times in [1, 3, 7, 40] {
                let notes = hostile.repeat(times);
                let title = notes.replace('\n', " ");
                let event = Event {
                    title: title.clone(),
                    place: title.clone(),
                    notes,
                    ..event()
                };
                let written = written(&event);
                for line in written.split("\r\n") {
                    assert!(line.len() <= LINE && !line.contains(['\r', '\n']), "{line}");
                }
                let entry = read(&written);
                assert!(entry.property(&Name::Attendee).is_none());
                assert_eq!(text(&entry, &Name::Summary), Some(title.as_str()));
                assert_eq!(text(&entry, &Name::Location), Some(title.as_str()));
                assert_eq!(text(&entry, &Name::Description), Some(event.notes.as_str()));
            }
        }
    }

    #[test]
    fn a_cancelled_session_is_taken_back() {
        let event = Event {
            is_cancelled: true,
            ..event()
        };
        let written = written(&event);
        assert!(written.contains("\r\nMETHOD:CANCEL\r\n"), "{written}");
        assert!(written.contains("\r\nSTATUS:CANCELLED\r\n"), "{written}");
    }

    #[test]
    fn the_sequence_grows_by_the_second_and_fits_into_31_bits() {
        let of = |text| sequence(time(text));
        assert_eq!(of("2026-11-23T09:00:01Z") - of("2026-11-23T09:00:00Z"), 1);
        assert!(of("2087-12-31T23:59:59Z") <= i32::MAX as u32);
        assert_eq!(of("1999-01-01T00:00:00Z"), 0);
    }
}

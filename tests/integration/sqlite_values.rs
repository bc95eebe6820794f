//! What an SQLite column may hold whatever its type: numbers, bytes, texts that are no times.

use crate::{
    hostile::{assert_harmless, assert_one_plain_mail, send_in_every_mode},
    smtp::Smtp,
    support::{BackEnd, NOW, Platform, START},
    twilio::Twilio,
};

/// An SQL literal for these bytes as a text, whether they are UTF-8 or not.
fn sql_text(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("CAST(x'{hex}' AS TEXT)")
}

/// Tables of the seed's names whose columns take anything.
pub fn untyped() -> Platform {
    let platform = Platform::empty_on(BackEnd::Sqlite);
    platform.sql(
        "CREATE TABLE users (id integer primary key, name, email, status DEFAULT 'active', locale);
         CREATE TABLE user_profiles (id integer primary key, user_id, phone, whatsapp_opt_in, timezone, locale);
         CREATE TABLE courses (id integer primary key, title);
         CREATE TABLE course_sessions (id integer primary key, course_id, title, mode, scheduled_at,
             duration_minutes, meeting_url, location);
         CREATE TABLE enrollments (user_id, course_id, status);",
    );
    platform.migrated()
}

#[test]
fn nothing_and_numbers_where_a_text_belongs_still_make_a_readable_mail() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = untyped().mail(&smtp).whatsapp(&twilio);
    platform.sql(&format!(
        "INSERT INTO courses (id, title) VALUES (2, NULL), (3, ''), (4, 404), (5, x'ff00');
         INSERT INTO course_sessions (id, course_id, title, mode, scheduled_at, duration_minutes, meeting_url, location)
             VALUES (2, 2, NULL, NULL, '{START}', NULL, NULL, NULL), (3, 3, '', '', '{START}', '', '', ''),
                    (4, 4, 3.5, 7, '{START}', 'lama', 8, 9), (5, 5, x'ff00', x'00', '{START}', -1e300, x'ff', 1e300);
         INSERT INTO users (id, name, email, locale) VALUES (2, NULL, 'two@example.org', NULL),
             (3, '', 'three@example.org', ''), (4, 42, 'four@example.org', 7), (5, x'ff00', x'66697665406578616d706c652e6f7267', x'ff');
         INSERT INTO user_profiles (user_id, phone, whatsapp_opt_in, timezone, locale)
             VALUES (2, '081234567892', 1, NULL, NULL), (3, '081234567893', 1, '', ''),
                    (4, 6281234567894, 1.0, 7, 1), (5, 81234567895, 1, x'ff', 0.5);
         INSERT INTO enrollments VALUES (2, 2, 'active'), (3, 3, 'active'), (4, 4, 'active'), (5, 5, 'active');"
    ));
    let run = send_in_every_mode(&platform).succeeds();
    assert_eq!(run.json()["channels"]["mail"]["sent"], 4, "{run:?}");
    let mails = smtp.mails();
    for mail in &mails {
        assert_one_plain_mail(mail);
        assert!(
            mail.text()
                .contains("Senin, 23 November 2026 pukul 17.00 WIB")
        );
    }
    let to = |address: &str| mails.iter().find(|mail| mail.to == [address]).unwrap();
    for nobody in ["two@example.org", "three@example.org"] {
        assert_eq!(
            to(nobody).subject(),
            "Pengingat: Sesi akan dimulai dalam 1 jam"
        );
        assert!(
            to(nobody).text().starts_with("Halo,"),
            "{}",
            to(nobody).text()
        );
    }
    let four = to("four@example.org");
    assert!(four.text().starts_with("Halo 42,"), "{}", four.text());
    assert!(four.text().contains("Sesi: 3.5") && four.text().contains("Kursus: 404"));
    let mut numbers: Vec<String> = twilio.created().into_iter().map(|one| one.to).collect();
    numbers.sort();
    assert_eq!(
        numbers,
        [2, 3, 4, 5].map(|last| format!("whatsapp:+628123456789{last}"))
    );
}

#[test]
fn a_start_that_is_no_time_fails_and_the_other_sessions_are_told() {
    let smtp = Smtp::start();
    let platform = untyped().mail(&smtp);
    platform.participant(1, "Budi", "budi@example.org");
    platform.session(1, START);
    let bad: [&[u8]; 7] = [
        b"2026-11-23 17:00:99",
        b"2026-11-23 16:60:00",
        b"2026-11-23 17:00:0x",
        b"2026-11-23 17:00:\x1b[2J",
        "2026-11-23 17:00:\u{9b}31m\u{202e}".as_bytes(),
        b"2026-11-23 17:00:\xff",
        b"2026-11-23 17:00:00\r\nBcc: eve@example.net",
    ];
    for (id, start) in (10..).zip(bad) {
        platform.sql(&format!(
            "INSERT INTO course_sessions (id, course_id, title, scheduled_at) VALUES ({id}, 1, 'Pecahan', {})",
            sql_text(start)
        ));
    }
    let run = platform
        .run(&["send", "--dry-run", "--now", NOW, "--format", "json"])
        .succeeds();
    assert_eq!(
        run.json()["reminders"].as_array().unwrap().len(),
        1,
        "{run:?}"
    );

    let summary = send_in_every_mode(&platform).exits(1).json();
    assert_eq!(
        (&summary["sent"], &summary["failed"]),
        (&1.into(), &bad.len().into())
    );
    assert_eq!(smtp.mails().len(), 1);
    for row in platform.rows(
        "status, error_code, error",
        "session_reminder_deliveries WHERE course_session_id >= 10",
    ) {
        assert!(row.starts_with("failed|scheduled_at|"), "{row}");
        assert!(
            row.contains("is no time") && row.contains("correct"),
            "{row}"
        );
        assert_harmless(&row);
    }
    platform.send().succeeds();
    platform.send_at("2026-11-23T17:30:00+07:00").succeeds();
}

#[test]
fn a_start_that_no_pass_finds_in_time_is_missed_for_that_reason() {
    let smtp = Smtp::start();
    let platform = Platform::seed_on(BackEnd::Sqlite).mail(&smtp);
    platform.participant(1, "Budi", "budi@example.org");
    platform.session(1, START);
    platform.session(2, &START.replace(' ', "T"));
    platform.send().succeeds();
    assert_eq!(smtp.mails().len(), 1);
    let tomorrow = "2026-11-24T08:00:00+07:00";
    let run = platform.send_at(tomorrow).exits(1);
    let why = "the start \"2026-11-23T17:00:00\" is no time";
    assert!(
        run.stderr
            .contains(&format!("1 missed for session 2: {why}")),
        "{}",
        run.stderr
    );
    let run = platform.run(&["explain", "2", "1", "--now", tomorrow]);
    let said = format!("Budi was not told by mail: {why}");
    assert!(run.succeeds().stdout.contains(&said));
}

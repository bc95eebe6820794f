//! Who is a participant: what the platform's columns say, and how often each person counts.

use crate::{
    smtp::Smtp,
    support::{NOW, Platform, START},
    twilio::Twilio,
};

/// The columns that not every platform has.
const OPTIONAL: &str = "
    ALTER TABLE course_sessions ADD COLUMN status varchar(255);
    ALTER TABLE course_sessions ADD COLUMN cancelled_at timestamp NULL;
    ALTER TABLE course_sessions ADD COLUMN deleted_at timestamp NULL;
    ALTER TABLE enrollments ADD COLUMN deleted_at timestamp NULL;";

/// A view of an operator's own, which lists everybody once for each profile.
const OWN_VIEW: &str = "
    CREATE VIEW session_participants AS
    SELECT s.id AS session_id, s.course_id, s.title AS session_title, c.title AS course_title, s.scheduled_at,
        s.duration_minutes + 0 AS duration_minutes, s.mode, e.modality, s.meeting_url, s.location, u.id AS user_id, u.name, u.email,
        p.phone, p.whatsapp_opt_in, NULL AS timezone, NULL AS locale
    FROM course_sessions s
    JOIN courses c ON c.id = s.course_id
    JOIN enrollments e ON e.course_id = c.id
    JOIN users u ON u.id = e.user_id
    LEFT JOIN user_profiles p ON p.user_id = u.id";

/// The seed's platform with changes of its own, then migrated.
fn platform_with(changes: &str, smtp: &Smtp) -> Platform {
    let platform = Platform::untouched().mail(smtp);
    platform.sql(changes);
    platform.run(&["migrate"]).succeeds();
    platform.course();
    platform
}

#[test]
fn only_those_who_take_part_now_are_told() {
    let smtp = Smtp::start();
    let platform = platform_with(OPTIONAL, &smtp);
    platform.session(1, START);
    let changes = [
        "UPDATE users SET deleted_at = '2026-11-01 00:00:00' WHERE id = ",
        "UPDATE users SET status = 'suspended' WHERE id = ",
        "UPDATE enrollments SET deleted_at = '2026-11-01 00:00:00' WHERE user_id = ",
        "UPDATE enrollments SET status = 'pending' WHERE user_id = ",
        "UPDATE enrollments SET status = 'completed' WHERE user_id = ",
        "UPDATE enrollments SET status = 'expired' WHERE user_id = ",
        "UPDATE enrollments SET status = 'cancelled' WHERE user_id = ",
        "UPDATE enrollments SET expires_at = '2026-11-23 16:59:59' WHERE user_id = ",
        "DELETE FROM enrollments WHERE user_id = ",
    ];
    for (id, change) in (1..).zip(changes) {
        platform.participant(id, "Tidak", &format!("tidak{id}@example.org"));
        platform.sql(&format!("{change}{id}"));
    }
    platform.participant(20, "Tanpa", "tanpa@example.org");
    platform.participant(21, "Sampai", "sampai@example.org");
    platform.sql("UPDATE enrollments SET expires_at = '2026-11-23 17:00:00' WHERE user_id = 21");
    platform.send().succeeds();
    assert_eq!(
        smtp.recipients(),
        ["sampai@example.org", "tanpa@example.org"]
    );
}

#[test]
fn sessions_that_are_cancelled_or_deleted_are_not_told() {
    let smtp = Smtp::start();
    let platform = platform_with(OPTIONAL, &smtp);
    platform.participant(1, "Budi", "budi@example.org");
    let changes = [
        "status = 'cancelled'",
        "cancelled_at = '2026-11-23 12:00:00'",
        "deleted_at = '2026-11-23 12:00:00'",
        "status = 'scheduled'",
        "status = NULL",
    ];
    for (id, change) in (1..).zip(changes) {
        platform.session(id, START);
        platform.sql(&format!(
            "UPDATE course_sessions SET {change} WHERE id = {id}"
        ));
    }
    platform.send().succeeds();
    assert_eq!(
        platform.rows(
            "course_session_id",
            "session_reminder_deliveries ORDER BY 1"
        ),
        ["4", "5"]
    );
}

#[test]
fn a_deleted_course_has_no_sessions_to_tell_of() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.sql("UPDATE courses SET deleted_at = '2026-11-01 00:00:00'");
    platform.send().succeeds();
    assert!(platform.ledger().is_empty());
}

#[test]
fn a_session_without_a_title_is_called_by_its_course() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    platform.participant(1, "Budi", "budi@example.org");
    for (id, title) in [(1, "NULL"), (2, "''"), (3, "'  '")] {
        platform.session(id, START);
        platform.sql(&format!(
            "UPDATE course_sessions SET title = {title} WHERE id = {id}"
        ));
    }
    platform.send().succeeds();
    let subjects: Vec<_> = smtp.mails().iter().map(|mail| mail.subject()).collect();
    assert_eq!(
        subjects,
        ["Pengingat: Sesi Matematika Dasar akan dimulai dalam 1 jam"; 3]
    );
}

#[test]
fn of_several_profiles_the_lowest_id_counts() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = Platform::seed().mail(&smtp).whatsapp(&twilio);
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.participant(2, "Siti", "siti@example.org");
    platform.sql(
        "INSERT INTO user_profiles (id, user_id, phone, whatsapp_opt_in) VALUES
            (9, 1, '081299999999', false), (3, 1, '081234567890', true),
            (4, 2, '081277777777', false), (8, 2, '081288888888', true)",
    );
    platform.send().succeeds();
    let to: Vec<_> = twilio
        .created()
        .iter()
        .map(|message| message.to.clone())
        .collect();
    assert_eq!(to, ["whatsapp:+6281234567890"]);
    assert_eq!(smtp.recipients(), ["budi@example.org", "siti@example.org"]);
}

#[test]
fn an_opt_in_that_was_never_answered_is_a_no() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let nullable = "ALTER TABLE user_profiles DROP COLUMN whatsapp_opt_in;
        ALTER TABLE user_profiles ADD COLUMN whatsapp_opt_in boolean;";
    for changes in [nullable.to_owned(), format!("{nullable}{OWN_VIEW}")] {
        let platform = platform_with(&changes, &smtp).whatsapp(&twilio);
        platform.session(1, START);
        platform.participant(1, "Budi", "budi@example.org");
        platform.sql("INSERT INTO user_profiles (user_id, phone) VALUES (1, '081234567890')");
        platform.send().succeeds();
        assert_eq!(platform.ledger(), ["mail|1|sent|NULL"]);
    }
    assert!(twilio.requests().is_empty());
}

#[test]
fn who_joins_while_the_window_is_open_is_told_by_the_next_pass() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.send().succeeds();
    platform.participant(2, "Siti", "siti@example.org");
    platform.send_at("2026-11-23T16:04:50+07:00").succeeds();
    platform.participant(3, "Tono", "tono@example.org");
    platform.send_at("2026-11-23T16:06:00+07:00").succeeds();
    assert_eq!(smtp.recipients(), ["budi@example.org", "siti@example.org"]);
}

#[test]
fn who_opts_in_while_the_window_is_open_gets_a_whatsapp_message_too() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = Platform::seed().mail(&smtp).whatsapp(&twilio);
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.send().succeeds();
    platform.opted_in(1, "081234567890");
    platform.send_at("2026-11-23T16:01:00+07:00").succeeds();
    assert_eq!((smtp.mails().len(), twilio.created().len()), (1, 1));
}

#[test]
fn a_participant_whom_an_operators_own_view_lists_twice_counts_once() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = platform_with(OWN_VIEW, &smtp).whatsapp(&twilio);
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.opted_in(1, "081234567890");
    platform.opted_in(1, "081234567890");
    let plan = platform.run(&["send", "--dry-run", "--now", NOW, "--format", "json"]);
    let plan = plan.succeeds().json();
    assert_eq!(plan["reminders"].as_array().unwrap().len(), 2, "{plan}");
    for now in [NOW, "2026-11-23T16:01:00+07:00"] {
        platform.send_at(now).succeeds();
        assert_eq!(
            platform.ledger(),
            ["mail|1|sent|NULL", "whatsapp|1|sent|NULL"]
        );
    }
    assert_eq!((smtp.mails().len(), twilio.created().len()), (1, 1));
}

#[test]
fn of_two_rows_in_an_operators_own_view_the_one_that_said_yes_counts() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = platform_with(OWN_VIEW, &smtp).whatsapp(&twilio);
    platform.session(1, START);
    for (id, profiles) in [(1, [false, true]), (2, [true, false])] {
        platform.participant(id, "Budi", &format!("budi{id}@example.org"));
        for yes in profiles {
            platform.sql(&format!(
                "INSERT INTO user_profiles (user_id, phone, whatsapp_opt_in) VALUES ({id}, '08123456789{id}', {yes})"
            ));
        }
    }
    let plan = platform.run(&["send", "--dry-run", "--now", NOW, "--format", "json"]);
    let plan = plan.succeeds().json();
    assert_eq!(plan["reminders"].as_array().unwrap().len(), 4, "{plan}");
    platform.send().succeeds();
    assert_eq!((smtp.mails().len(), twilio.created().len()), (2, 2));
}

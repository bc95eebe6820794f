//! `send --dry-run --compare-log`: beside the Laravel command, what either does differently.

use crate::support::{NOW, Platform, Run, START, on};

const COMPARE: [&str; 5] = ["send", "--dry-run", "--compare-log", "--now", NOW];

/// The seed's tables as Laravel leaves them, before any `migrate`; three people in course 1, of whom two want WhatsApp.
fn untouched() -> Platform {
    let platform = Platform::untouched().with_files();
    platform.course();
    platform.sql("INSERT INTO courses (id, title) VALUES (2, 'Gamelan')");
    platform.participants(1..=3);
    platform.opted_in(1, "081234567801");
    platform.opted_in(2, "+6281234567802");
    platform
}

/// Somebody enrolled in course 2 long ago.
fn enrolled(platform: &Platform, id: i64, status: &str) {
    platform.sql(&format!(
        "INSERT INTO users (id, name, email) VALUES ({id}, 'Peserta {id}', 'peserta{id}@example.org');
         INSERT INTO enrollments (user_id, course_id, status, created_at, updated_at)
         VALUES ({id}, 2, '{status}', '2026-09-01 08:00:00', '2026-09-01 08:00:00')"
    ));
}

/// A session of course 2.
fn gamelan(platform: &Platform, id: i64) {
    platform.session(id, START);
    platform.sql(&format!(
        "UPDATE course_sessions SET course_id = 2 WHERE id = {id}"
    ));
}

fn compare(platform: &Platform) -> String {
    let before = platform.contents();
    let run = platform.run(&COMPARE).succeeds();
    assert_eq!(run.stderr, "");
    assert_eq!(platform.contents(), before, "nothing is written");
    run.stdout
}

/// The line of a session: its words between the columns.
#[track_caller]
fn line(report: &str, session: i64) -> Vec<String> {
    let cells = |line: &str| -> Vec<String> {
        let cells = line.split("  ").map(str::trim);
        cells
            .filter(|cell| !cell.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let of_session = |cells: &Vec<String>| cells.get(1) == Some(&session.to_string());
    let found = report.lines().map(cells).find(of_session);
    found.unwrap_or_else(|| panic!("no session {session}: {report}"))
}

#[test]
fn who_tells_as_many_agrees_before_and_after_migrate() {
    let platform = untouched();
    platform.session(12, START);
    platform.laravel_tells(12, "2026-11-23 15:55:03", 3);
    let expected = [
        "both",
        "12",
        "11-23 17:00",
        "3 at 11-23 15:55",
        "3 from 11-23 15:55",
        "3 by mail, 2 by WhatsApp",
    ];
    let report = compare(&platform);
    assert_eq!(line(&report, 12), expected);
    assert!(report.starts_with(
        "reminders that were due, or sent by Laravel, from Sun 2026-11-22 16:00 WIB to Mon 2026-11-23 16:00 WIB\n"
    ));
    assert!(report.ends_with("\n\n1 session: 1 both\n"), "{report}");
    assert!(!platform.path("mails").exists());
    platform.run(&["migrate"]).succeeds();
    assert_eq!(line(&compare(&platform), 12), expected);
}

#[test]
fn another_number_is_explained_by_the_conditions_that_laravel_does_not_ask() {
    let platform = untouched();
    gamelan(&platform, 13);
    for id in 4..=11 {
        enrolled(&platform, id, "active");
    }
    enrolled(&platform, 12, "cancelled");
    enrolled(&platform, 13, "cancelled");
    platform.sql(
        "UPDATE users SET status = 'suspended' WHERE id IN (5, 6);
         UPDATE users SET deleted_at = '2026-11-01 08:00:00' WHERE id = 7;
         UPDATE enrollments SET expires_at = '2026-11-23 16:59:59' WHERE user_id = 8;
         UPDATE users SET email = 'nowhere' WHERE id = 9;
         UPDATE enrollments SET created_at = '2026-11-23 15:57:00', updated_at = '2026-11-23 15:57:00' WHERE user_id = 10;
         UPDATE enrollments SET updated_at = '2026-11-23 15:58:00' WHERE user_id = 12",
    );
    // Of course 2, without 10 and 13: 4, 5, 6, 7, 8, 9, 11 and 12. Told are 4, 10 and 11.
    platform.laravel_tells(13, "2026-11-23 15:56:02", 8);
    let cells = line(&compare(&platform), 13);
    assert_eq!(cells[0], "other number");
    assert_eq!(cells[3..5], ["8 at 11-23 15:56", "3 from 11-23 15:55"]);
    let why: Vec<&str> = cells[5].split("; ").collect();
    assert_eq!(
        why,
        [
            "3 by mail, 0 by WhatsApp",
            "1: no address that can be used",
            "1: the enrollment ends before the start (enrollments.expires_at)",
            "1: enrolled since Laravel's row",
            "1: not enrolled any more, since Laravel's row",
            "1: the user was deleted (users.deleted_at)",
            "2: the user is not active (users.status)",
        ]
    );
}

#[test]
fn what_nothing_explains_is_said_to_be_unknown() {
    let platform = untouched();
    platform.session(12, START);
    platform.laravel_tells(12, "2026-11-23 15:55:03", 5);
    platform.sql("UPDATE users SET status = 'suspended' WHERE id = 1");
    let cells = line(&compare(&platform), 12);
    assert_eq!(cells[0], "other number");
    let why = &cells[5];
    assert!(why.contains("1: the user is not active"), "{why}");
    assert!(why.contains("2: not known why"), "{why}");
}

#[test]
fn laravel_alone_tells_of_what_does_not_take_place() {
    let platform = untouched();
    platform.sql("ALTER TABLE course_sessions ADD cancelled_at timestamp NULL");
    platform.session(12, START);
    platform.sql("UPDATE course_sessions SET cancelled_at = '2026-11-20 08:00:00'");
    platform.laravel_tells(12, "2026-11-23 15:55:03", 3);
    gamelan(&platform, 13);
    enrolled(&platform, 4, "active");
    platform.sql("UPDATE users SET status = 'suspended' WHERE id = 4");
    platform.laravel_tells(13, "2026-11-23 15:55:03", 1);
    let report = compare(&platform);
    let cells = line(&report, 12);
    assert_eq!(cells[0], "only Laravel");
    assert_eq!(cells[3..5], ["3 at 11-23 15:55", "nobody"]);
    assert_eq!(
        cells[5],
        "the session was cancelled (course_sessions.cancelled_at: 2026-11-20 08:00:00)"
    );
    let cells = line(&report, 13);
    assert_eq!(cells[0], "only Laravel");
    assert_eq!(cells[5], "1: the user is not active (users.status)");
}

#[test]
fn reminders_alone_tells_what_laravel_has_overlooked_once_its_window_is_over() {
    let platform = untouched();
    platform.session(12, "2026-11-23 10:00:00");
    platform.session(13, "2026-11-23 17:05:00");
    platform.session(14, "2026-11-22 17:04:00");
    platform.session(15, "2026-11-23 17:05:01");
    platform.session(16, "2026-11-23 16:55:00");
    platform.session(17, "2026-11-23 16:54:59");
    let report = compare(&platform);
    let cells = line(&report, 12);
    assert_eq!(cells[0], "only reminders");
    assert_eq!(cells[3..5], ["–", "3 from 11-23 08:55"]);
    assert_eq!(cells[5], "3 by mail, 2 by WhatsApp; Laravel has no row");
    let cells = line(&report, 13);
    assert_eq!(cells[0], "not yet");
    assert!(cells[5].ends_with("its window is open, and Laravel has no row yet"));
    assert_eq!(line(&report, 16)[0], "not yet");
    assert_eq!(line(&report, 17)[0], "only reminders");
    assert!(
        report.ends_with("4 sessions: 2 only reminders, 2 not yet\n"),
        "those of longer ago, and those to come, are not there: {report}"
    );
}

#[test]
fn a_session_that_moved_after_laravel_told_of_it_is_told_of_again_by_reminders_alone() {
    let platform = untouched();
    platform.session(12, "2026-11-23 16:30:00");
    platform.session(13, "2026-11-23 20:00:00");
    for id in [12, 13] {
        platform.laravel_tells(id, "2026-11-23 09:00:00", 3);
    }
    let report = compare(&platform);
    let cells = line(&report, 12);
    assert_eq!(cells[0], "only reminders");
    assert_eq!(cells[3..5], ["3 at 11-23 09:00", "3 from 11-23 15:25"]);
    assert!(cells[5].contains("outside the window of this start"));
    let cells = line(&report, 13);
    assert_eq!(cells[0], "not yet");
    assert_eq!(cells[4], "3 from 11-23 18:55");
}

#[test]
fn what_a_pass_has_told_is_called_its_own() {
    let platform = untouched();
    platform.run(&["migrate"]).succeeds();
    platform.session(12, START);
    platform.send().succeeds();
    let cells = line(&compare(&platform), 12);
    assert_eq!(cells[0], "reminders itself");
    assert_eq!(cells[3], "3 at 11-23 16:00");
}

#[test]
fn who_has_told_whatsapp_to_stop_and_a_channel_that_is_off_count_as_in_a_pass() {
    let platform = untouched();
    platform.run(&["migrate"]).succeeds();
    platform.session(12, START);
    platform.laravel_tells(12, "2026-11-23 15:55:03", 3);
    platform.sql(
        "INSERT INTO session_reminder_deliveries
            (course_session_id, user_id, channel, kind, lead_minutes, scheduled_at, status, delivery_status, created_at, updated_at)
         VALUES (9, 1, 'whatsapp', 'reminder', 60, '2026-01-05 10:00:00', 'failed', 'opted_out', '2026-01-05 02:00:00', '2026-01-05 02:00:00')",
    );
    assert_eq!(line(&compare(&platform), 12)[5], "3 by mail, 1 by WhatsApp");
    let platform = platform.set("MAIL_MAILER", "log");
    let report = compare(&platform);
    assert!(report.contains("mail is off (MAIL_MAILER=log)"), "{report}");
    let cells = line(&report, 12);
    assert_eq!(cells[..1], ["other number"]);
    assert_eq!(cells[5], "0 by mail, 1 by WhatsApp; 2: mail is off");
}

#[test]
fn where_laravel_has_no_log_that_is_said() {
    let platform = untouched();
    platform.sql(
        "DROP TABLE session_reminder_logs; ALTER TABLE user_profiles DROP COLUMN whatsapp_opt_in",
    );
    let report = compare(&platform);
    assert!(
        report.contains("there is no session_reminder_logs"),
        "{report}"
    );
    assert!(report.ends_with("no session\n"), "{report}");
    platform.session(12, "2026-11-23 10:00:00");
    let cells = line(&compare(&platform), 12);
    assert_eq!(cells[0], "only reminders");
    assert_eq!(cells[5], "3 by mail, 0 by WhatsApp; Laravel has no row");
}

#[test]
fn json_has_the_same_for_programs() {
    let platform = untouched();
    platform.session(12, START);
    platform.session(14, "2026-11-23 10:00:00");
    platform.laravel_tells(12, "2026-11-23 15:55:03", 3);
    let json = |more: &[&str]| {
        platform
            .run(&[&COMPARE[..], more].concat())
            .succeeds()
            .json()
    };
    let all = json(&["--format", "json"]);
    assert_eq!(all["from"], "2026-11-22T16:00:00+07:00");
    assert_eq!(all["to"], NOW);
    let (first, second) = (&all["sessions"][0], &all["sessions"][1]);
    assert_eq!(first["session_id"], 14);
    assert_eq!(first["verdict"], "only_reminders");
    assert!(first["laravel"].is_null());
    assert_eq!(first["why"][0], "Laravel has no row");
    assert_eq!(
        second.to_string(),
        serde_json::json!({
            "session_id": 12, "scheduled_at": START, "verdict": "both",
            "laravel": {"sent_at": "2026-11-23 15:55:03", "recipients": 3},
            "reminders": {"told_from": "2026-11-23T15:55:00+07:00", "people": 3, "mail": 3, "whatsapp": 2},
            "why": [],
        })
        .to_string()
    );
    let one = json(&["--format", "json", "--session", "14"]);
    assert_eq!(one["sessions"].as_array().unwrap().len(), 1);
}

#[test]
fn comparing_is_refused_without_a_dry_run_or_with_a_limit_or_a_channel() {
    let platform = untouched();
    let refused = |arguments: &[&str]| -> Run { platform.run(arguments).exits(2) };
    assert!(
        refused(&["send", "--compare-log"])
            .stderr
            .contains("--dry-run")
    );
    refused(&[&COMPARE[..], &["--limit", "1"]].concat());
    refused(&[&COMPARE[..], &["--channel", "mail"]].concat());
}

#[test]
fn of_an_operators_own_view_no_more_is_known_than_it_says() {
    let platform = Platform::empty()
        .set("MAIL_MAILER", "file")
        .set("MAIL_FILE_DIR", "mails");
    platform.sql(&format!(
        "CREATE TABLE mine (session_id bigint, user_id bigint);
         INSERT INTO mine VALUES (12, 7);
         CREATE VIEW session_participants AS SELECT session_id, session_id AS course_id, 'Gong' AS session_title,
            'Gamelan' AS course_title, CAST('{START}' AS {time}) AS scheduled_at, 90 AS duration_minutes, 'online' AS mode,
            NULL AS modality, NULL AS meeting_url, NULL AS location, user_id, 'Budi' AS name,
            'budi@example.org' AS email, NULL AS phone, {no} AS whatsapp_opt_in, NULL AS timezone, NULL AS locale FROM mine",
        time = on("char", "timestamp", "datetime"),
        no = on("0", "false", "0"),
    ));
    platform.sql(
        "CREATE TABLE session_reminder_logs (id bigint, course_session_id bigint, sent_at timestamp NULL, recipients_count integer,
            created_at timestamp NULL, updated_at timestamp NULL);
         INSERT INTO session_reminder_logs VALUES (1, 12, '2026-11-23 15:55:03', 2, NULL, NULL),
            (2, 13, '2026-11-23 15:55:03', 4, NULL, NULL)",
    );
    let report = compare(&platform);
    let cells = line(&report, 12);
    assert_eq!(cells[0], "other number");
    assert!(cells[5].contains("1: not known why"), "{report}");
    let cells = line(&report, 13);
    assert_eq!(
        (cells[0].as_str(), cells[2].as_str()),
        ("only Laravel", "?")
    );
    assert_eq!(cells[5], "session_participants lists nobody for it");
}

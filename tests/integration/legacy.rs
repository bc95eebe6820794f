//! `session_reminder_logs`: what the Laravel command has told, and what it is to leave alone.

use std::sync::atomic::Ordering::SeqCst;

use crate::{
    smtp::Smtp,
    support::{NOW, Platform, busy_smtp},
};

/// Session, recipients, and when to the minute: a pass may take a second.
fn log(platform: &Platform) -> Vec<String> {
    let rows = platform.rows(
        "course_session_id, recipients_count, sent_at",
        "session_reminder_logs ORDER BY course_session_id",
    );
    rows.iter().map(|row| minutes(row)).collect()
}

fn minutes(row: &str) -> String {
    row.rsplit_once(':').unwrap().0.to_owned()
}

#[test]
fn what_laravel_has_told_inside_the_window_is_not_told_again() {
    for sent_at in [
        "2026-11-23 15:55:00",
        "2026-11-23 15:59:30",
        "2026-11-23 16:05:00",
    ] {
        let smtp = Smtp::start();
        let platform = Platform::due(&smtp);
        platform.laravel_tells(1, sent_at, 7);
        let plan = platform
            .run(&["send", "--dry-run", "--now", NOW])
            .succeeds();
        assert!(
            plan.stdout.contains("Laravel has reminded"),
            "{}",
            plan.stdout
        );
        platform.send().succeeds();
        assert_eq!(smtp.connections(), 0, "{sent_at}");
        assert!(platform.ledger().is_empty());
        assert_eq!(log(&platform), [minutes(&format!("1|7|{sent_at}"))]);
    }
}

#[test]
fn a_row_of_laravel_outside_the_window_was_for_another_start() {
    for sent_at in [
        "2026-11-20 10:00:00",
        "2026-11-23 15:54:59",
        "2026-11-23 16:05:01",
    ] {
        let smtp = Smtp::start();
        let platform = Platform::due(&smtp);
        platform.laravel_tells(1, sent_at, 7);
        platform.send_at("2026-11-23T16:02:00+07:00").succeeds();
        assert_eq!(smtp.mails().len(), 1, "{sent_at}");
        assert_eq!(log(&platform), ["1|1|2026-11-23 16:02"]);
    }
}

#[test]
fn a_catch_up_also_reaches_back_to_what_laravel_has_told_late() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp).set("REMINDER_CATCH_UP", "30m");
    platform.laravel_tells(1, "2026-11-23 16:20:00", 7);
    platform.send_at("2026-11-23T16:21:00+07:00").succeeds();
    assert!(smtp.mails().is_empty());
}

#[test]
fn our_own_row_silences_no_late_joiner_and_counts_them_in_the_end() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    assert_eq!(log(&platform), ["1|1|2026-11-23 16:00"]);
    platform.participant(2, "Siti", "siti@example.org");
    platform.send_at("2026-11-23T16:03:00+07:00").succeeds();
    assert_eq!(smtp.recipients(), ["budi@example.org", "siti@example.org"]);
    assert_eq!(log(&platform), ["1|2|2026-11-23 16:03"]);
}

#[test]
fn the_row_is_there_before_the_first_mail_and_silences_none_that_waits() {
    let (smtp, busy) = busy_smtp();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    assert_eq!(log(&platform), ["1|0|2026-11-23 16:00"]);
    busy.store(false, SeqCst);
    platform.send_at("2026-11-23T16:02:00+07:00").succeeds();
    assert_eq!(smtp.mails().len(), 1);
    assert_eq!(log(&platform), ["1|1|2026-11-23 16:02"]);
}

#[test]
fn our_row_of_the_old_start_does_not_silence_the_new_one() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    platform.sql("UPDATE course_sessions SET scheduled_at = '2026-11-23 17:02:00'");
    platform.send_at("2026-11-23T16:01:00+07:00").succeeds();
    assert_eq!(smtp.mails().len(), 2);
}

#[test]
fn the_row_is_in_the_platforms_own_shape() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    let times = platform.rows("created_at, updated_at", "session_reminder_logs");
    assert!(
        times[0].starts_with("2026-11-23 16:00:0") && times[0].contains("|2026-11-23 16:00:0"),
        "{times:?}"
    );
}

#[test]
fn a_longer_lead_neither_reads_nor_writes_it() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp).set("REMINDER_LEAD", "24h,60m");
    platform.laravel_tells(1, "2026-11-22 17:00:00", 7);
    platform.send_at("2026-11-22T17:00:00+07:00").succeeds();
    assert_eq!(smtp.mails().len(), 1);
    assert_eq!(log(&platform), ["1|7|2026-11-22 17:00"]);
    platform.send().succeeds();
    assert_eq!(smtp.mails().len(), 2);
    assert_eq!(log(&platform), ["1|1|2026-11-23 16:00"]);
}

#[test]
fn a_longer_lead_does_not_make_a_row() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp).set("REMINDER_LEAD", "24h,60m");
    platform.send_at("2026-11-22T17:00:00+07:00").succeeds();
    assert!(log(&platform).is_empty());
}

#[test]
fn without_a_lead_of_an_hour_the_shortest_one_keeps_it() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp).set("REMINDER_LEAD", "3h,90m");
    platform.send_at("2026-11-23T14:00:00+07:00").succeeds();
    assert!(log(&platform).is_empty());
    platform.send_at("2026-11-23T15:30:00+07:00").succeeds();
    assert_eq!(log(&platform), ["1|1|2026-11-23 15:30"]);
}

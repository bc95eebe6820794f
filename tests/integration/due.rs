//! When a reminder is due: the window to the second, several leads, a changed lead.

use crate::{
    smtp::Smtp,
    support::{NOW, Platform, START},
};

/// A platform with a participant and sessions 1, 2, 3 … that start at these times of the day.
fn sessions_at(smtp: &Smtp, times: &[&str]) -> Platform {
    let platform = Platform::seed().mail(smtp);
    platform.participant(1, "Budi", "budi@example.org");
    for (id, time) in (1..).zip(times) {
        platform.session(id, &format!("2026-11-23 {time}"));
    }
    platform
}

fn told(platform: &Platform) -> Vec<String> {
    platform.rows(
        "course_session_id, status",
        "session_reminder_deliveries ORDER BY course_session_id",
    )
}

#[test]
fn the_window_includes_its_first_and_its_last_second() {
    let smtp = Smtp::start();
    let platform = sessions_at(&smtp, &["16:54:59", "16:55:00", "17:05:00", "17:05:01"]);
    platform.send().succeeds();
    assert_eq!(told(&platform), ["2|sent", "3|sent"]);
}

#[test]
fn a_dry_run_shows_the_same_window_and_writes_nothing() {
    let smtp = Smtp::start();
    let platform = sessions_at(&smtp, &["16:54:59", "16:55:00", "17:05:00", "17:05:01"]);
    let plan = platform
        .run(&["send", "--dry-run", "--now", NOW, "--format", "json"])
        .succeeds()
        .json();
    assert_eq!(plan["window"]["from"], "2026-11-23T16:55:00+07:00");
    assert_eq!(plan["window"]["to"], "2026-11-23T17:05:00+07:00");
    let planned = plan["reminders"].as_array().unwrap();
    let sessions: Vec<_> = planned.iter().map(|one| &one["session_id"]).collect();
    assert_eq!(sessions, [2, 3], "{plan}");
    assert!(told(&platform).is_empty());
    assert_eq!(smtp.connections(), 0);
}

#[test]
fn the_tolerance_is_what_the_setting_says() {
    let smtp = Smtp::start();
    let platform = sessions_at(&smtp, &["16:58:59", "16:59:00", "17:01:00", "17:01:01"])
        .set("REMINDER_TOLERANCE", "1m");
    platform.send().succeeds();
    assert_eq!(told(&platform), ["2|sent", "3|sent"]);
}

#[test]
fn what_an_outage_has_missed_is_caught_up_as_far_as_the_setting_says() {
    let smtp = Smtp::start();
    let platform =
        sessions_at(&smtp, &["16:24:59", "16:25:00", "17:05:01"]).set("REMINDER_CATCH_UP", "30m");
    platform.send().succeeds();
    assert_eq!(told(&platform), ["2|sent"]);
    assert_eq!(
        smtp.mails()[0].subject(),
        "Pengingat: Sesi Pecahan akan dimulai dalam 25 menit"
    );
}

#[test]
fn nobody_is_told_of_a_session_that_starts_within_a_minute_or_has_started() {
    let smtp = Smtp::start();
    let platform =
        sessions_at(&smtp, &["15:59:00", "16:00:59", "16:01:10"]).set("REMINDER_CATCH_UP", "2h");
    platform.send().succeeds();
    assert_eq!(told(&platform), ["3|sent"]);
}

#[test]
fn several_leads_tell_of_the_same_start_once_each() {
    let smtp = Smtp::start();
    let platform = sessions_at(&smtp, &["17:00:00"]).set("REMINDER_LEAD", "24h,60m");
    for (now, mails) in [
        ("2026-11-22T17:00:00+07:00", 1),
        ("2026-11-22T17:01:00+07:00", 1),
        (NOW, 2),
        ("2026-11-23T16:01:00+07:00", 2),
    ] {
        platform.send_at(now).succeeds();
        assert_eq!(smtp.mails().len(), mails, "{now}");
    }
    assert_eq!(
        platform.rows(
            "lead_minutes, status",
            "session_reminder_deliveries ORDER BY lead_minutes"
        ),
        ["60|sent", "1440|sent"]
    );
    let ids: Vec<_> = smtp
        .mails()
        .iter()
        .map(|m| m.header("Message-ID"))
        .collect();
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn a_dry_run_names_the_sessions_of_every_lead_the_nearest_first() {
    let platform = Platform::seed()
        .with_files()
        .set("REMINDER_LEAD", "24h,60m");
    let at = ["send", "--dry-run", "--now", "2026-11-23T16:00:00+07:00"];
    let text = platform.run(&at).succeeds().stdout;
    let lines: Vec<&str> = text.lines().take(2).collect();
    let named = [
        "sessions that start from 2026-11-23 16:55:00 to 2026-11-23 17:05:00 (Asia/Jakarta)",
        "sessions that start from 2026-11-24 15:55:00 to 2026-11-24 16:05:00 (Asia/Jakarta)",
    ];
    assert_eq!(lines, named);
}

#[test]
fn a_changed_lead_tells_nobody_twice_and_late_joiners_once() {
    let smtp = Smtp::start();
    let platform = sessions_at(&smtp, &["17:00:00"]);
    platform.send().succeeds();
    let platform = platform.set("REMINDER_LEAD", "55m");
    platform.participant(2, "Siti", "siti@example.org");
    platform.send_at("2026-11-23T16:02:00+07:00").succeeds();
    assert_eq!(smtp.recipients(), ["budi@example.org", "siti@example.org"]);
    assert_eq!(
        platform.rows(
            "user_id, lead_minutes",
            "session_reminder_deliveries ORDER BY user_id"
        ),
        ["1|60", "2|55"]
    );
}

#[test]
fn a_session_without_participants_and_participants_without_a_session_are_no_work() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    platform.session(1, START);
    platform.send().succeeds();
    platform.sql("DELETE FROM course_sessions");
    platform.participant(1, "Budi", "budi@example.org");
    platform.send().succeeds();
    assert!(platform.ledger().is_empty());
    assert_eq!(smtp.connections(), 0);
}

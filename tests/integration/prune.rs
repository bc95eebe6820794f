//! `prune`: what is long over goes, and no later pass does anything because of that.

use crate::{
    smtp::Smtp,
    support::{Platform, wall_in},
};

const DAY: i64 = 24 * 60;

/// A row of the ledger whose session starts so many days from now.
fn row(platform: &Platform, session: i64, days: i64, status: &str) {
    row_of(platform, session, 1, "mail", days, status);
}

fn row_of(platform: &Platform, session: i64, user: i64, channel: &str, days: i64, status: &str) {
    let (start, made) = (wall_in(days * DAY), wall_in(days * DAY - 480));
    platform.sql(&format!(
        "INSERT INTO session_reminder_deliveries
            (course_session_id, user_id, channel, kind, lead_minutes, scheduled_at, status, sent_at, created_at, updated_at)
         VALUES ({session}, {user}, '{channel}', 'reminder', 60, '{start}', '{status}',
            {sent}, '{made}', '{made}')",
        sent = if status == "sent" { format!("'{made}'") } else { "NULL".into() },
    ));
}

fn sessions(platform: &Platform) -> Vec<String> {
    platform.rows(
        "course_session_id",
        "session_reminder_deliveries ORDER BY course_session_id",
    )
}

#[test]
fn finished_rows_of_starts_that_are_long_past_go_and_no_others() {
    let platform = Platform::seed();
    for (session, status) in (1..).zip(["sent", "failed", "cancelled", "missed", "unknown"]) {
        row(&platform, session, -91, status);
        row(&platform, session + 10, -89, status);
    }
    row(&platform, 21, -91, "pending");
    row(&platform, 22, -91, "sending");
    row(&platform, 23, 1, "unknown");
    let before = sessions(&platform).len();
    let look = platform
        .run(&["prune", "--older-than", "90d", "--dry-run"])
        .succeeds();
    assert!(
        look.stdout.starts_with("would delete 5 rows"),
        "{}",
        look.stdout
    );
    assert_eq!(sessions(&platform).len(), before);

    let done = platform
        .run(&["prune", "--older-than", "90d", "--format", "json"])
        .succeeds()
        .json();
    assert_eq!(
        (&done["rows"], &done["dry_run"]),
        (&5.into(), &false.into())
    );
    assert_eq!(
        sessions(&platform),
        ["11", "12", "13", "14", "15", "21", "22", "23"]
    );
    let again = platform.run(&["prune", "--older-than", "90d"]).succeeds();
    assert!(
        again.stdout.starts_with("deleted 0 rows"),
        "{}",
        again.stdout
    );
}

#[test]
fn many_rows_go_in_batches() {
    let platform = Platform::seed();
    let start = wall_in(-100 * DAY);
    let rows: Vec<String> = (1..=1203)
        .map(|user| format!("(1, {user}, 'mail', 60, '{start}', 'sent', '{start}', '{start}')"))
        .collect();
    platform.sql(&format!(
        "INSERT INTO session_reminder_deliveries
            (course_session_id, user_id, channel, lead_minutes, scheduled_at, status, created_at, updated_at)
         VALUES {}",
        rows.join(", ")
    ));
    let run = platform.run(&["prune", "--older-than", "90d"]).succeeds();
    assert!(
        run.stdout.starts_with("deleted 1203 rows"),
        "{}",
        run.stdout
    );
    assert!(sessions(&platform).is_empty());
}

#[test]
fn a_later_pass_sends_nothing_and_misses_nothing() {
    let smtp = Smtp::start();
    let platform = Platform::seed()
        .mail(&smtp)
        .set("REMINDER_CORRECTIONS", "on")
        .set("REMINDER_LEAD", "24h,60m")
        .set("REMINDER_CATCH_UP", "5h");
    platform.participant(1, "Budi", "budi@example.org");
    // The first row ever, which stays: since it was made a pass looks back.
    row(&platform, 99, 3, "cancelled");
    let made = wall_in(-40 * DAY);
    platform.sql(&format!(
        "UPDATE session_reminder_deliveries SET created_at = '{made}', updated_at = '{made}'"
    ));
    for days in 1..=20 {
        platform.session(days, &wall_in(-days * DAY));
    }
    for lead in [60, 1440] {
        platform.sql(&format!(
            "INSERT INTO session_reminder_deliveries
                (course_session_id, user_id, channel, lead_minutes, scheduled_at, status, sent_at, created_at, updated_at)
             SELECT id, 1, 'mail', {lead}, scheduled_at, 'sent', '{made}', '{made}', '{made}' FROM course_sessions"
        ));
    }
    let run = platform.run(&["send"]).succeeds();
    assert_eq!(run.stderr, "", "nothing is due before");
    let pruned = platform.run(&["prune", "--older-than", "2d"]).succeeds();
    assert!(
        pruned.stdout.contains("still looks back"),
        "{}",
        pruned.stdout
    );
    assert!(!pruned.stdout.contains("deleted 0 "), "{}", pruned.stdout);
    let left = sessions(&platform);
    for _ in 0..2 {
        let run = platform.run(&["send"]).succeeds();
        assert_eq!(run.stderr, "");
    }
    assert!(smtp.mails().is_empty());
    assert_eq!(sessions(&platform), left, "no row has come");
}

#[test]
fn what_says_that_a_start_still_ahead_was_corrected_stays() {
    let platform = Platform::seed();
    // Told of a start in 20 days; then that it is 40 days ago instead.
    row(&platform, 1, 20, "sent");
    row(&platform, 1, -40, "sent");
    // Moved on from week to week: the earlier ones go.
    for weeks in (1..=6).rev() {
        row(&platform, 2, -7 * weeks, "sent");
    }
    row(&platform, 2, 1, "sent");
    platform.run(&["prune", "--older-than", "10d"]).succeeds();
    assert_eq!(sessions(&platform), ["1", "1", "2", "2"]);
}

#[test]
fn that_somebody_has_told_whatsapp_to_stop_is_not_forgotten() {
    let platform = Platform::seed();
    row_of(&platform, 1, 1, "whatsapp", -200, "failed");
    row_of(&platform, 1, 2, "whatsapp", -200, "failed");
    platform.sql(
        "UPDATE session_reminder_deliveries SET delivery_status = 'opted_out' WHERE user_id = 2",
    );
    platform.run(&["prune", "--older-than", "90d"]).succeeds();
    let left = platform.rows("user_id", "session_reminder_deliveries");
    assert_eq!(left, ["2"]);
}

#[test]
fn too_short_a_time_or_none_is_refused_before_anything_is_done() {
    let platform = Platform::seed();
    row(&platform, 1, -91, "sent");
    for arguments in [
        &["prune"][..],
        &["prune", "--older-than", "1d"],
        &["prune", "--older-than", "47h"],
        &["prune", "--older-than", "90"],
        &["prune", "--older-than", "soon"],
        &["prune", "--older-than=-90d"],
    ] {
        platform.run(arguments).exits(2);
    }
    assert_eq!(sessions(&platform), ["1"]);
    let run = Platform::untouched()
        .run(&["prune", "--older-than", "90d"])
        .exits(78);
    assert!(
        run.stderr.contains("run `reminders migrate`"),
        "{}",
        run.stderr
    );
}

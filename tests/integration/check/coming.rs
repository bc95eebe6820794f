//! The next session and its people, the zone of the times, and Laravel's log: also before `migrate`.

use std::fs;

use super::{lines, says};
use crate::support::{Platform, on_sqlite, wall_in};

/// A Monday.
const START: &str = "2031-11-24 17:00:00";
const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

/// The seed's tables with course 1 in them; mail and WhatsApp become files.
fn untouched() -> Platform {
    let platform = Platform::untouched().with_files();
    platform.course();
    platform
}

fn check(platform: &Platform) -> String {
    platform.run(&["check"]).stdout
}

/// Five people, of whom one has no address and three have opted in, one of them without a number.
fn people(platform: &Platform) {
    platform.participants(1..=4);
    platform.participant(5, "Tanpa Alamat", "nowhere");
    platform.opted_in(1, "081234567801");
    platform.opted_in(2, "0812");
    platform.opted_in(3, "+6281234567803");
}

#[test]
fn the_next_session_is_told_as_its_participants_read_it_before_and_after_migrate() {
    let platform = untouched();
    platform.session(1, &wall_in(-10));
    platform.session(2, START);
    platform.session(3, "2031-11-25 17:00:00");
    people(&platform);
    let words = "Pecahan (Matematika Dasar), Senin, 24 November 2031 pukul 17.00 WIB, 4 mails, 2 WhatsApp, told at 15.55 WIB";
    let before = platform.contents();
    let report = check(&platform);
    assert_eq!(platform.contents(), before, "nothing is written");
    says(&report, "view", "FAIL", "reminders migrate");
    says(&report, "next", "ok", words);
    says(&report, "addresses", "ok", "none in the coming 7 days");
    platform.run(&["migrate"]).succeeds();
    let report = platform.run(&["check"]).succeeds().stdout;
    says(&report, "next", "ok", words);
}

#[test]
fn starts_that_no_pass_can_read_are_named_and_nothing_else_promises_them() {
    if !on_sqlite() {
        return;
    }
    let platform = untouched();
    let soon = wall_in(60);
    let bad = [
        (11, soon.replace(' ', "T")),
        (12, format!("{} garbage", &soon[..10])),
        (13, wall_in(3 * DAY).replace(' ', "T") + ".000000Z"),
        (14, "besok\nsore".into()),
        (15, wall_in(9 * DAY).replace(' ', "T")),
        (16, wall_in(-9 * DAY).replace(' ', "T")),
    ];
    for (id, start) in &bad {
        platform.session(*id, start);
    }
    platform.session(20, &wall_in(2 * DAY));
    people(&platform);
    let named = |report: &str| {
        let line = lines(report, "starts").join("");
        let ids: Vec<i64> = (11..=20)
            .filter(|id| line.contains(&format!("session {id}: ")))
            .collect();
        assert_eq!(ids, [11, 12, 13, 14], "{line}");
        says(report, "starts", "warn", "write it as 2026-11-23 17:00:00");
    };
    named(&check(&platform));
    platform.run(&["migrate"]).succeeds();
    let report = platform.run(&["check"]).succeeds().stdout;
    named(&report);
    says(&report, "next", "ok", "4 mails, 2 WhatsApp");

    platform.run(&["send"]);
    let sent = "session_reminder_deliveries WHERE status = 'sent'";
    assert_eq!(platform.rows("count(*)", sent), ["0"]);
    let explained = platform.run(&["explain", "11", "1"]).succeeds().stdout;
    assert!(explained.contains("is not told: the start"), "{explained}");
    let told = platform.run(&["report", "11"]).succeeds().stdout;
    assert!(
        told.contains("not told") && told.contains("is no time") && !told.contains("to be told"),
        "{told}"
    );
    let status = platform.run(&["status"]).succeeds().stdout;
    let table: Vec<&str> = status
        .lines()
        .skip_while(|line| !line.starts_with("start"))
        .collect();
    let column = table[0].find("session").unwrap();
    let rows = table.iter().skip(1).take_while(|line| !line.is_empty());
    for row in rows {
        let gap: String = row.chars().skip(column - 2).take(2).collect();
        assert_eq!(gap, "  ", "{status}");
    }
    assert!(status.contains("never"), "{status}");
    platform.sql(
        "UPDATE course_sessions SET scheduled_at = replace(scheduled_at, 'T', ' ') WHERE id = 11",
    );
    platform.run(&["send", "--session", "11"]);
    assert_eq!(platform.rows("count(*) > 3", sent), ["1"]);
}

#[test]
fn an_untouched_laravel_folder_is_enough_and_stays_untouched() {
    let platform = untouched()
        .set("APP_TIMEZONE", "null")
        .set("MAIL_MAILER", "log");
    fs::create_dir(platform.path("config")).unwrap();
    let source = "<?php return ['timezone' => 'Asia/Makassar'];";
    fs::write(platform.path("config/app.php"), source).unwrap();
    platform.session(1, START);
    people(&platform);
    let before = (platform.files(), platform.contents());
    let run = platform.run(&["check"]).exits(78);
    assert_eq!(run.stderr, "");
    says(&run.stdout, "mail", "FAIL", "MAIL_MAILER=log");
    says(&run.stdout, "pass", "warn", "none yet");
    says(
        &run.stdout,
        "next",
        "ok",
        "pukul 17.00 WITA, no mail (off), 2 WhatsApp",
    );
    assert_eq!((platform.files(), platform.contents()), before);
}

#[test]
fn before_migrate_the_opt_in_and_the_log_may_be_missing() {
    let platform = untouched();
    platform.sql(
        "ALTER TABLE user_profiles DROP COLUMN whatsapp_opt_in; DROP TABLE session_reminder_logs",
    );
    platform.session(1, START);
    platform.participants(1..=2);
    let report = check(&platform);
    says(&report, "tables", "FAIL", "whatsapp_opt_in");
    says(&report, "laravel", "ok", "no row");
    says(&report, "next", "ok", "2 mails, 0 WhatsApp");
}

#[test]
fn the_next_session_is_told_in_the_platforms_language_with_its_first_lead() {
    let platform = untouched()
        .set("REMINDER_LOCALE", "en")
        .set("REMINDER_LEAD", "24h,60m")
        .set("WHATSAPP_TRANSPORT", "none");
    platform.session(1, START);
    platform.participants(1..=1);
    let words = "Monday, 24 November 2031, 17:00 WIB, 1 mail, no WhatsApp (off), told at Sunday, 23 November 2031, 16:55 WIB";
    says(&check(&platform), "next", "ok", words);
}

#[test]
fn what_is_due_is_told_now_and_what_is_over_is_not_next() {
    let platform = untouched();
    platform.session(1, &wall_in(30));
    platform.session(2, &wall_in(HOUR));
    people(&platform);
    platform.sql("UPDATE course_sessions SET title = 'Nanti' WHERE id = 2");
    let report = check(&platform);
    says(&report, "next", "ok", "Nanti");
    says(&report, "next", "ok", "due since");
}

#[test]
fn what_was_told_is_not_said_to_be_due() {
    let platform = untouched();
    platform.run(&["migrate"]).succeeds();
    platform.session(1, &wall_in(HOUR));
    platform.participant(1, "Budi", "budi@example.org");
    platform.opted_in(1, "081234567801");
    says(&check(&platform), "next", "ok", "due since");
    platform.run(&["send", "--channel", "mail"]).succeeds();
    says(&check(&platform), "next", "ok", "due since");
    platform.run(&["send"]).succeeds();
    says(
        &check(&platform),
        "next",
        "ok",
        "1 WhatsApp, nobody left to tell",
    );
    platform.participant(2, "Siti", "siti@example.org");
    says(&check(&platform), "next", "ok", "due since");
}

#[test]
fn where_all_channels_are_off_nobody_has_been_told() {
    let platform = Platform::seed();
    platform.session(1, &wall_in(HOUR));
    platform.participants(1..=2);
    says(
        &check(&platform),
        "next",
        "ok",
        "no mail (off), no WhatsApp (off), due since",
    );
}

#[test]
fn what_laravel_has_told_is_not_said_to_be_due() {
    let platform = untouched();
    platform.session(1, &wall_in(HOUR));
    platform.participants(1..=2);
    says(&check(&platform), "next", "ok", "due since");
    platform.laravel_tells(1, &wall_in(0), 2);
    says(&check(&platform), "next", "ok", "told by Laravel");
}

#[test]
fn without_a_coming_session_nobody_will_be_told() {
    let platform = untouched();
    platform.session(1, START);
    let report = check(&platform);
    says(&report, "next", "warn", "nobody will be told");
    says(&report, "addresses", "ok", "none in the coming 7 days");
}

#[test]
fn who_has_told_whatsapp_to_stop_is_not_counted() {
    let platform = untouched();
    platform.run(&["migrate"]).succeeds();
    platform.session(1, START);
    people(&platform);
    platform.sql(
        "INSERT INTO session_reminder_deliveries
            (course_session_id, user_id, channel, kind, lead_minutes, scheduled_at, status, delivery_status, created_at, updated_at)
         VALUES (9, 1, 'whatsapp', 'reminder', 60, '2026-01-05 10:00:00', 'failed', 'opted_out', '2026-01-05 02:00:00', '2026-01-05 02:00:00')",
    );
    says(&check(&platform), "next", "ok", "4 mails, 1 WhatsApp");
}

#[test]
fn addresses_and_numbers_that_cannot_be_used_are_counted_and_named() {
    let platform = untouched();
    platform.session(1, &wall_in(DAY));
    people(&platform);
    let report = check(&platform);
    says(
        &report,
        "addresses",
        "warn",
        "1 of 5 in the coming 7 days cannot be used (user 5)",
    );
    says(
        &report,
        "phones",
        "warn",
        "1 of 3 in the coming 7 days cannot be used (user 2)",
    );
    assert!(
        !report.contains("nowhere") && !report.contains("0812"),
        "{report}"
    );

    platform.sql("UPDATE user_profiles SET phone = '081234567802' WHERE user_id = 2");
    platform.sql("UPDATE users SET email = 'ada@example.org' WHERE id = 5");
    let report = check(&platform);
    says(&report, "addresses", "ok", "all 5 in the coming 7 days");
    says(&report, "phones", "ok", "all 3 in the coming 7 days");
}

#[test]
fn of_many_the_first_few_are_named() {
    let platform = untouched();
    platform.session(1, &wall_in(DAY));
    platform.participants(1..=9);
    platform.sql("UPDATE users SET email = cast(id AS char(9))");
    says(&check(&platform), "addresses", "warn", "9 of 9");
    says(
        &check(&platform),
        "addresses",
        "warn",
        "(users 1, 2, 3, 4, 5 …)",
    );
}

#[test]
fn times_of_change_that_lie_ahead_are_times_of_another_zone() {
    let platform = untouched();
    platform.participants(1..=1);
    says(&check(&platform), "zone", "ok", "Asia/Jakarta");
    platform.sql(&format!("UPDATE users SET updated_at = '{}'", wall_in(-1)));
    says(&check(&platform), "zone", "ok", "Asia/Jakarta");
    // What Jakarta has written, read as UTC.
    let platform = platform.set("APP_TIMEZONE", "UTC");
    says(
        &check(&platform),
        "zone",
        "warn",
        "6 hours ahead of now in UTC",
    );
}

#[test]
fn a_zone_that_nobody_names_fails_and_says_what_to_set() {
    let platform = untouched().set("APP_TIMEZONE", "null");
    let report = check(&platform);
    says(&report, "zone", "FAIL", "APP_TIMEZONE");
    assert!(lines(&report, "next").is_empty());
}

#[test]
fn a_recent_row_of_laravels_scheduler_says_to_disable_it() {
    let platform = untouched();
    says(&check(&platform), "laravel", "ok", "no row");
    platform.session(1, &wall_in(-3 * DAY));
    platform.laravel_tells(1, &wall_in(-3 * DAY - HOUR), 7);
    says(&check(&platform), "laravel", "ok", "3 days old");
    platform.session(2, &wall_in(HOUR));
    platform.laravel_tells(2, &wall_in(-190), 7);
    let words = "has a log row of 3 hours ago: disable its command first";
    says(&check(&platform), "laravel", "warn", words);
    platform.run(&["migrate"]).succeeds();
    says(&check(&platform), "laravel", "warn", words);
}

#[test]
fn a_row_of_our_own_is_not_laravels() {
    let platform = untouched();
    platform.run(&["migrate"]).succeeds();
    platform.session(1, &wall_in(HOUR));
    platform.participants(1..=1);
    platform.run(&["send"]).succeeds();
    assert_eq!(
        platform.rows("recipients_count", "session_reminder_logs"),
        ["1"]
    );
    says(
        &check(&platform),
        "laravel",
        "ok",
        "no row that is not ours",
    );
}

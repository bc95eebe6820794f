//! Whose time the stored times are: where the zone comes from, and the two nights when the clocks change.

use std::fs;

use crate::{
    smtp::Smtp,
    support::{NOW, Platform, START},
};

/// A session an hour after [`NOW`] in Jakarta, and no `APP_TIMEZONE`.
fn without_zone(smtp: &Smtp) -> Platform {
    let platform = Platform::seed().mail(smtp).set("APP_TIMEZONE", "");
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform
}

fn app_php(platform: &Platform, zone: &str) {
    fs::create_dir(platform.path("config")).unwrap();
    let source =
        format!("<?php\n\nreturn [\n    'name' => 'x',\n    'timezone' => '{zone}',\n];\n");
    fs::write(platform.path("config/app.php"), source).unwrap();
}

fn sessions_told(platform: &Platform) -> Vec<String> {
    platform.rows(
        "course_session_id, status",
        "session_reminder_deliveries ORDER BY course_session_id",
    )
}

#[test]
fn without_a_zone_nothing_is_sent_from_a_platforms_own_database() {
    let smtp = Smtp::start();
    let platform = without_zone(&smtp);
    for arguments in [["send"].as_slice(), &["send", "--dry-run"]] {
        let run = platform.run(arguments).exits(78);
        assert!(run.stderr.contains("APP_TIMEZONE=Asia/Jakarta"));
    }
    assert_eq!(smtp.connections(), 0);
}

#[test]
fn the_zone_of_config_app_php_counts_where_the_env_has_none() {
    let smtp = Smtp::start();
    let platform = without_zone(&smtp);
    app_php(&platform, "Asia/Jakarta");
    platform.send().succeeds();
    assert_eq!(smtp.mails().len(), 1);
}

#[test]
fn two_zones_that_differ_stop_everything() {
    let smtp = Smtp::start();
    let platform = without_zone(&smtp).set("APP_TIMEZONE", "UTC");
    app_php(&platform, "Asia/Jakarta");
    let run = platform.send().exits(78);
    assert!(run.stderr.contains("APP_TIMEZONE"), "{}", run.stderr);
    assert!(run.stderr.contains("Asia/Jakarta"), "{}", run.stderr);
    assert_eq!(smtp.connections(), 0);
}

#[test]
fn on_tables_that_migrate_made_the_times_are_utc() {
    let smtp = Smtp::start();
    let platform = Platform::empty().mail(&smtp).set("APP_TIMEZONE", "");
    platform.run(&["migrate"]).succeeds();
    platform.course();
    platform.participant(1, "Budi", "budi@example.org");
    platform.session(1, START);
    platform.session(2, "2026-11-23 10:00:00");
    platform.send().succeeds();
    assert_eq!(sessions_told(&platform), ["2|sent"]);
}

#[test]
fn the_same_digits_are_due_at_another_moment_in_another_zone() {
    let smtp = Smtp::start();
    let platform = without_zone(&smtp).set("APP_TIMEZONE", "Asia/Makassar");
    platform.send().succeeds();
    assert!(smtp.mails().is_empty());
    platform.send_at("2026-11-23T15:00:00+07:00").succeeds();
    assert!(smtp.mails()[0].text().contains("17.00 WITA"));
}

/// New York sets its clocks back on 2026-11-01 at 06:00 UTC.
#[test]
fn in_the_repeated_hour_a_start_is_told_before_the_first_of_its_two_instants() {
    let smtp = Smtp::start();
    let platform = Platform::seed()
        .mail(&smtp)
        .set("APP_TIMEZONE", "America/New_York");
    platform.participant(1, "Ann", "ann@example.org");
    platform.session(1, "2026-11-01 01:30:00");
    platform.session(2, "2026-11-01 02:30:00");
    for (now, told) in [
        ("2026-11-01T04:24:00Z", [].as_slice()),
        ("2026-11-01T04:30:00Z", &["1|sent"]),
        ("2026-11-01T05:30:00Z", &["1|sent"]),
        ("2026-11-01T06:24:00Z", &["1|sent"]),
        ("2026-11-01T06:30:00Z", &["1|sent", "2|sent"]),
    ] {
        platform.send_at(now).succeeds();
        assert_eq!(sessions_told(&platform), told, "{now}");
    }
}

/// New York sets its clocks forward on 2026-03-08 at 07:00 UTC: there is no 02:30, which Laravel reads as 03:30.
#[test]
fn a_start_in_the_skipped_hour_is_told_as_an_hour_later() {
    let smtp = Smtp::start();
    let platform = Platform::seed()
        .mail(&smtp)
        .set("APP_TIMEZONE", "America/New_York");
    platform.participant(1, "Ann", "ann@example.org");
    platform.session(1, "2026-03-08 01:30:00");
    platform.session(2, "2026-03-08 02:30:00");
    platform.session(3, "2026-03-08 03:30:00");
    for (now, told) in [
        ("2026-03-08T05:30:00Z", ["1|sent"].as_slice()),
        ("2026-03-08T06:24:00Z", &["1|sent"]),
        ("2026-03-08T06:30:00Z", &["1|sent", "2|sent", "3|sent"]),
    ] {
        platform.send_at(now).succeeds();
        assert_eq!(sessions_told(&platform), told, "{now}");
    }
    for mail in &smtp.mails()[1..] {
        assert!(mail.text().contains("03.30"), "{}", mail.text());
    }
}

#[test]
fn a_moment_may_be_given_in_any_zone() {
    let smtp = Smtp::start();
    let platform = without_zone(&smtp).set("APP_TIMEZONE", "Asia/Jakarta");
    for same in [NOW, "2026-11-23T09:00:00Z", "2026-11-23T04:00:00-05:00"] {
        let plan = platform.run(&["send", "--dry-run", "--now", same, "--format", "json"]);
        let plan = plan.succeeds().json();
        assert_eq!(plan["reminders"].as_array().unwrap().len(), 1, "{same}");
    }
}

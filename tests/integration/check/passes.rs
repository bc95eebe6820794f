//! Whether passes run, and what they have left for a person.

use std::{
    fs::{self, File},
    time::{Duration, SystemTime},
};

use super::{lines, says};
use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{Platform, busy_smtp, wall_in},
};

fn check(platform: &Platform) -> String {
    platform.run(&["check"]).stdout
}

/// A platform with one reminder due now.
fn due(smtp: &Smtp) -> Platform {
    let platform = Platform::seed().mail(smtp);
    platform.session(1, &wall_in(60));
    platform.participants(1..=1);
    platform
}

/// Makes the last pass of this host older.
fn age(platform: &Platform, minutes: u64) {
    let folder = platform.path(".local/state/reminders");
    for lock in fs::read_dir(folder).unwrap() {
        let then = SystemTime::now() - Duration::from_secs(minutes * 60);
        File::options()
            .write(true)
            .open(lock.unwrap().path())
            .unwrap()
            .set_modified(then)
            .unwrap();
    }
}

#[test]
fn the_last_pass_is_told_with_its_age_and_a_late_one_is_a_warning() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    let report = platform.run(&["check"]).succeeds().stdout;
    says(&report, "pass", "warn", "none yet");
    platform.run(&["send"]).succeeds();
    says(&check(&platform), "pass", "ok", "the last one began");
    age(&platform, 190);
    says(
        &check(&platform),
        "pass",
        "warn",
        "for 3 hours: is the crontab line there",
    );
    age(&platform, 2);
    says(&check(&platform), "pass", "ok", "minutes ago");
}

#[test]
fn a_pass_of_another_host_is_known_by_the_ledger() {
    let smtp = Smtp::start();
    let platform = due(&smtp);
    let other = platform.path("other");
    let elsewhere = [("STATE_DIRECTORY", other.to_str().unwrap())];
    platform.run_with(&elsewhere, &["send"]).succeeds();
    let there = platform.run_with(&elsewhere, &["check"]).stdout;
    says(&there, "pass", "ok", "the last one began");
    says(&check(&platform), "pass", "ok", "by another user or host");
    platform.sql("UPDATE session_reminder_deliveries SET updated_at = '2026-01-05 10:00:00'");
    says(
        &check(&platform),
        "pass",
        "warn",
        "none is known on this host",
    );
}

#[test]
fn a_channel_that_is_held_back_is_told_with_its_reason() {
    let down = |phase, _: &str| match phase {
        Phase::Mail => Reply::Say("550 5.4.5 Daily user sending limit exceeded".into()),
        _ => Reply::Accept,
    };
    let smtp = Smtp::builder().script(down).start();
    let platform = due(&smtp);
    assert!(lines(&check(&platform), "held").is_empty());
    platform.run(&["send"]).exits(75);
    let report = platform.run(&["check"]).succeeds().stdout;
    says(&report, "held", "warn", "Daily user sending limit exceeded");
    says(&report, "held", "warn", "tried again after");
}

#[test]
fn one_recipient_that_is_put_off_holds_no_channel_back() {
    let (smtp, _) = busy_smtp();
    let platform = due(&smtp);
    platform.run(&["send"]).succeeds();
    assert!(lines(&check(&platform), "held").is_empty());
}

#[test]
fn what_waits_for_a_person_is_counted() {
    let gone = |phase, _: &str| match phase {
        Phase::Rcpt => Reply::Say("550 5.1.1 no such user".into()),
        _ => Reply::Accept,
    };
    let smtp = Smtp::builder().script(gone).start();
    let platform = due(&smtp);
    says(
        &check(&platform),
        "failed",
        "ok",
        "nothing in the last 24 hours",
    );
    platform.run(&["send"]).exits(1);
    says(
        &check(&platform),
        "failed",
        "warn",
        "1 failed in the last 24 hours",
    );
    platform.sql("UPDATE session_reminder_deliveries SET status = 'unknown'");
    says(
        &check(&platform),
        "failed",
        "warn",
        "1 unknown in the last 24 hours",
    );
    platform.sql("UPDATE session_reminder_deliveries SET status = 'missed'");
    says(
        &check(&platform),
        "failed",
        "warn",
        "1 missed in the last 24 hours",
    );
    platform.sql("UPDATE session_reminder_deliveries SET updated_at = '2026-01-05 10:00:00'");
    says(&check(&platform), "failed", "ok", "nothing");
}

//! The day's budget of mails.

use crate::{
    smtp::Smtp,
    support::{NOW, Platform, START},
};

fn due(smtp: &Smtp, participants: i64) -> Platform {
    let platform = Platform::seed().mail(smtp);
    platform.session(1, START);
    for id in 1..=participants {
        platform.participant(id, &format!("Peserta {id}"), &format!("p{id}@example.org"));
    }
    platform
}

#[test]
fn beyond_the_days_budget_mails_wait_until_the_first_no_longer_count() {
    let smtp = Smtp::start();
    let platform = due(&smtp, 5).set("MAIL_MAX_PER_DAY", "3");
    let run = platform.send().exits(75);
    assert!(run.stderr.contains("MAIL_MAX_PER_DAY"), "{}", run.stderr);
    assert_eq!(smtp.mails().len(), 3);
    platform.send_at("2026-11-23T16:20:00+07:00").exits(75);
    assert_eq!(smtp.mails().len(), 3);

    platform.session(2, "2026-11-24 17:30:00");
    platform.sql("DELETE FROM enrollments WHERE user_id > 2");
    platform.send_at("2026-11-24T16:30:00+07:00").succeeds();
    assert_eq!(
        smtp.mails().len(),
        5,
        "a day later the budget is there again"
    );
}

#[test]
fn the_pass_that_uses_up_most_of_the_days_budget_says_so_once() {
    let smtp = Smtp::start();
    let platform = due(&smtp, 7).set("MAIL_MAX_PER_DAY", "10");
    let said = |now: &str| -> usize {
        let run = platform.send_at(now).succeeds();
        let lines = run.complaints();
        let told = lines
            .iter()
            .filter(|line| line.contains("MAIL_MAX_PER_DAY"));
        told.filter(|line| line.contains("8 of the 10 mails"))
            .count()
    };
    assert_eq!(said("2026-11-23T16:00:00+07:00"), 0);
    platform.participant(8, "Siti", "siti@example.org");
    assert_eq!(said("2026-11-23T16:01:00+07:00"), 1);
    platform.participant(9, "Tono", "tono@example.org");
    assert_eq!(said("2026-11-23T16:02:00+07:00"), 0);
    assert_eq!(smtp.mails().len(), 9);
}

#[test]
fn a_pass_that_uses_up_all_of_the_days_budget_says_so_and_what_waits_says_how_much() {
    let smtp = Smtp::start();
    let platform = due(&smtp, 10).set("MAIL_MAX_PER_DAY", "10");
    let run = platform.send().succeeds();
    assert!(run.stderr.contains("10 of the 10 mails"), "{}", run.stderr);
    platform.participant(11, "Siti", "siti@example.org");
    platform.participant(12, "Tono", "tono@example.org");
    let run = platform.send_at("2026-11-23T16:01:00+07:00").exits(75);
    let spent = "MAIL_MAX_PER_DAY=10 is reached: 2 wait";
    assert!(run.stderr.contains(spent), "{}", run.stderr);
    assert_eq!(run.complaints().len(), 1, "{}", run.stderr);
}

#[test]
fn how_many_wait_for_the_days_budget_is_said_by_the_pass_and_not_of_each_of_them() {
    let smtp = Smtp::start();
    let platform = due(&smtp, 4).set("MAIL_MAX_PER_DAY", "2");
    let run = platform.run(&["send", "--now", NOW, "--format", "json"]);
    let run = run.exits(75);
    let said = "MAIL_MAX_PER_DAY=2 is reached: 2 wait";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    let stopped = run.json()["channels"]["mail"]["stopped"].to_string();
    assert!(stopped.contains(said), "{stopped}");
    let stored = "session_reminder_deliveries WHERE status = 'pending'";
    let why = platform.rows("error", stored);
    let reached = "channel stopped: MAIL_MAX_PER_DAY=2 is reached: mails wait until others were sent 24 hours ago, or are missed; \
         raise it if the mail provider allows more";
    assert_eq!(why, [reached, reached]);
}

#[test]
fn the_nearest_sessions_come_first_where_the_days_budget_is_short() {
    let smtp = Smtp::start();
    let platform = due(&smtp, 2).set("MAIL_MAX_PER_DAY", "2");
    platform.session(2, "2026-11-23 16:56:00");
    platform.send().exits(75);
    let sent = platform.rows(
        "course_session_id, count(*)",
        "session_reminder_deliveries WHERE status = 'sent' GROUP BY course_session_id",
    );
    assert_eq!(sent, ["2|2"]);
}

#[test]
fn a_dry_run_says_who_would_wait_for_the_days_budget() {
    let smtp = Smtp::start();
    let platform = due(&smtp, 2).set("MAIL_MAX_PER_DAY", "3");
    platform.send().succeeds();
    platform.session(2, "2026-11-23 17:01:00");
    platform.session(3, "2026-11-23 16:56:00");
    let look = ["send", "--dry-run", "--now", NOW];
    let text = platform.run(&look).succeeds().stdout;
    for line in [
        "mail waits: MAIL_MAX_PER_DAY=3 is reached: 3 wait",
        "would send 1:",
        "session 3 at 2026-11-23 16:56:00, user 1: p***@e***.org",
        "session 3 at 2026-11-23 16:56:00, user 2: waits: MAIL_MAX_PER_DAY=3 is reached",
        "session 2 at 2026-11-23 17:01:00, users 1, 2: waits: MAIL_MAX_PER_DAY=3 is reached",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let json = platform.run(&[&look[..], &["--format", "json"]].concat());
    let json = json.succeeds().json();
    let stopped = &json["channels"]["mail"]["stopped"];
    assert!(stopped.as_str().unwrap().contains("3 wait"), "{stopped}");

    platform.send().exits(75);
    let sent = "session_reminder_deliveries WHERE status = 'sent' AND course_session_id > 1";
    assert_eq!(platform.rows("course_session_id, user_id", sent), ["3|1"]);
    let text = platform.run(&look).succeeds().stdout;
    assert!(text.contains("would send nobody"), "{text}");
}

#[test]
fn a_dry_run_counts_what_the_days_budget_leaves_of_both_channels_to_the_limit() {
    let smtp = Smtp::start();
    let platform = due(&smtp, 3)
        .set("MAIL_MAX_PER_DAY", "1")
        .set("WHATSAPP_TRANSPORT", "file")
        .set("WHATSAPP_FILE_DIR", "messages")
        .set("TWILIO_WHATSAPP_FROM", "+14155550100");
    for user in 1..=3 {
        platform.opted_in(user, &format!("+628123456780{user}"));
    }
    let look = ["send", "--dry-run", "--now", NOW, "--limit", "3"];
    let text = platform.run(&look).succeeds().stdout;
    assert!(text.contains("would send 3:"), "{text}");
    assert!(
        text.contains("users 2, 3: waits: MAIL_MAX_PER_DAY=1"),
        "{text}"
    );
    assert!(text.contains("user 3: beyond --limit 3"), "{text}");
}

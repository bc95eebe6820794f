//! `status`: what comes next, what became of the last day's messages, and what needs a person.

use std::{
    io,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::Ordering::SeqCst,
};

use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{Platform, Run, busy_smtp, wall_in},
    twilio::Twilio,
};

fn status(platform: &Platform) -> serde_json::Value {
    let run = platform.run(&["status", "--format", "json"]).succeeds();
    assert_eq!(run.stderr, "");
    run.json()
}

#[test]
fn before_migrate_it_says_what_is_missing() {
    let run = Platform::untouched().run(&["status"]).exits(78);
    assert_eq!(run.stdout, "");
    for missing in [
        "session_participants",
        "session_reminder_deliveries",
        "run `reminders migrate`",
    ] {
        assert!(run.stderr.contains(missing), "{}", run.stderr);
    }
}

#[test]
fn on_a_platform_where_nothing_happens_it_says_so() {
    let platform = Platform::seed();
    let run = platform.run(&["status"]).succeeds();
    for words in [
        "last pass  none of this user on this host",
        "ledger     nothing was written yet",
        "mail       off (MAIL_MAILER=none)",
        "no session to come has participants",
        "nothing needs a person",
    ] {
        assert!(run.stdout.contains(words), "{words}: {}", run.stdout);
    }
    assert!(!run.stdout.contains("sent per hour"));
}

#[test]
fn the_next_sessions_are_listed_with_their_people_and_when_they_are_told() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = Platform::seed().mail(&smtp).whatsapp(&twilio);
    platform.participants(1..=3);
    platform.opted_in(1, "081234567890");
    platform.opted_in(2, "081234567891");
    let start = wall_in(60);
    platform.session(1, &start);
    platform.session(20, &wall_in(-10));
    for n in 2..=15 {
        platform.session(n, &wall_in(60 * n));
    }
    platform.run(&["send"]).succeeds();
    let status = status(&platform);
    let upcoming = status["upcoming"].as_array().unwrap();
    let ids: Vec<i64> = upcoming
        .iter()
        .map(|one| one["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids, (1..=10).collect::<Vec<_>>());
    let count = |participants: i64, told: i64| serde_json::json!({"participants": participants, "told": told});
    assert_eq!(upcoming[0]["mail"], count(3, 3));
    assert_eq!(upcoming[0]["whatsapp"], count(2, 2));
    assert_eq!(upcoming[1]["mail"], count(3, 0));
    assert_eq!(upcoming[0]["scheduled_at"], start.as_str());
    let told = upcoming[1]["told_from"].as_str().unwrap();
    let told = chrono::DateTime::parse_from_rfc3339(told).unwrap();
    let minutes = (told.to_utc() - chrono::Utc::now()).num_seconds();
    assert!((54 * 60..=55 * 60).contains(&minutes), "{told}");
    assert!(told.to_rfc3339().ends_with("+07:00"));

    let text = platform.run(&["status"]).succeeds().stdout;
    assert!(
        text.contains("3/3") && text.contains("1: Pecahan"),
        "{text}"
    );
}

/// What `status` counts by mail of the next session, and how many `report` says are reached; neither says that it is
/// too late.
fn told_by_mail(platform: &Platform) -> (serde_json::Value, serde_json::Value) {
    let text = platform.run(&["status"]).succeeds().stdout;
    assert!(!text.contains("too late"), "{text}");
    let report = platform.run(&["report", "1", "--format", "json"]);
    let reached = report.succeeds().json()["summary"]["reached"].clone();
    (status(platform)["upcoming"][0]["mail"].clone(), reached)
}

#[test]
fn who_knows_the_start_by_a_correction_is_told_as_report_says() {
    let smtp = Smtp::start();
    let platform = Platform::seed()
        .mail(&smtp)
        .set("REMINDER_CORRECTIONS", "on");
    platform.session(1, &wall_in(60));
    platform.participants(1..=2);
    platform.run(&["send"]).succeeds();
    for minutes in [30, 24 * 60] {
        platform.sql(&format!(
            "UPDATE course_sessions SET scheduled_at = '{}'",
            wall_in(minutes)
        ));
        let counts = |told: i64| serde_json::json!({"participants": 2, "told": told});
        // The next pass says the new start, however near it is.
        assert_eq!(told_by_mail(&platform), (counts(0), 0.into()));
        let report = platform.run(&["report", "1", "--format", "json"]);
        assert_eq!(report.succeeds().json()["summary"]["waiting"], 2);
        platform.run(&["send"]).succeeds();
        assert_eq!(told_by_mail(&platform), (counts(2), 2.into()));
    }
}

#[test]
fn who_was_told_with_another_lead_is_told_and_counts_once() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    platform.session(1, &wall_in(60));
    platform.participants(1..=2);
    platform.run(&["send"]).succeeds();
    let both = || (serde_json::json!({"participants": 2, "told": 2}), 2.into());
    // Its window is over; the row of another lead this near stands for it.
    let platform = platform.set("REMINDER_LEAD", "70m");
    assert_eq!(told_by_mail(&platform), both());
    // Reminded a day before, and missed since.
    platform.sql(
        "UPDATE session_reminder_deliveries SET lead_minutes = 1440; DELETE FROM session_reminder_logs",
    );
    let platform = platform.set("REMINDER_LEAD", "24h,70m");
    assert_eq!(told_by_mail(&platform), both());
    let platform = platform.set("REMINDER_LEAD", "24h,60m");
    platform.run(&["send"]).succeeds();
    assert_eq!(smtp.mails().len(), 4);
    assert_eq!(told_by_mail(&platform), both());
}

#[test]
fn a_session_that_laravel_has_told_says_so() {
    let platform = Platform::seed();
    platform.participants(1..=2);
    for (id, minutes) in [(1, 50), (2, 50), (3, 600)] {
        platform.session(id, &wall_in(minutes));
    }
    platform.sql(&format!(
        "INSERT INTO session_reminder_logs (course_session_id, sent_at, recipients_count) VALUES (1, '{}', 2), (3, '{0}', 2)",
        wall_in(-10)
    ));
    let upcoming = status(&platform)["upcoming"].clone();
    let told = |n: usize| upcoming[n]["by_laravel"].clone();
    assert_eq!([told(0), told(1), told(2)], [true, false, false]);
    let text = platform.run(&["status"]).succeeds().stdout;
    assert_eq!(
        text.matches("1: Pecahan (told by Laravel)\n").count(),
        1,
        "{text}"
    );
    assert_eq!(text.matches("Laravel").count(), 1, "{text}");
}

#[test]
fn what_became_of_the_last_days_messages_is_counted_by_channel() {
    let smtp = Smtp::builder().script(|phase, to| match (phase, to) {
        (Phase::Rcpt, "peserta4@example.org") => {
            Reply::Say("550 5.1.1 \u{1b}[31mno\u{202e} such user".into())
        }
        (Phase::Rcpt, "peserta5@example.org") => Reply::Say("451 4.3.2 later".into()),
        _ => Reply::Accept,
    });
    let (smtp, twilio) = (smtp.start(), Twilio::start());
    let platform = Platform::seed().mail(&smtp).whatsapp(&twilio);
    platform.session(1, &wall_in(60));
    platform.participants(1..=5);
    for id in 1..=3 {
        platform.opted_in(id, &format!("+628123456780{id}"));
    }
    platform.run(&["send"]).exits(1);
    platform.sql(
        "UPDATE session_reminder_deliveries SET delivery_status = 'delivered' WHERE channel = 'whatsapp' AND user_id = 1;
         UPDATE session_reminder_deliveries SET delivery_status = 'read' WHERE channel = 'whatsapp' AND user_id = 2;",
    );
    // Longer ago than a day.
    let old = wall_in(-3 * 24 * 60);
    for (user, state) in [(1, "sent"), (2, "failed"), (3, "missed")] {
        platform.sql(&format!(
            "INSERT INTO session_reminder_deliveries
                (course_session_id, user_id, channel, lead_minutes, scheduled_at, status, sent_at, created_at, updated_at)
             VALUES (9, {user}, 'mail', 60, '{old}', '{state}', '{old}', '{old}', '{old}')"
        ));
    }
    let status = status(&platform);
    let outcomes = |sent, delivered, read, waiting, failed| {
        serde_json::json!({"sent": sent, "delivered": delivered, "read": read, "waiting": waiting,
            "failed": failed, "missed": 0, "unknown": 0, "cancelled": 0})
    };
    assert_eq!(status["mail"]["outcomes"], outcomes(3, 0, 0, 1, 1));
    assert_eq!(status["whatsapp"]["outcomes"], outcomes(3, 2, 1, 0, 0));
    let hours = status["sent_per_hour"].as_array().unwrap();
    assert_eq!(hours.len(), 24);
    assert_eq!(
        hours
            .iter()
            .map(|count| count.as_i64().unwrap())
            .sum::<i64>(),
        6
    );
    assert!(status["last_pass"]["age_seconds"].as_i64().unwrap() < 3600);
    assert!(status["last_written"]["host"].is_string());

    let need = &status["needs_a_person"];
    assert_eq!(need["count"], 1);
    let message = &need["messages"][0];
    assert_eq!(message["user_id"], 4);
    let id = message["id"].as_i64().unwrap();
    assert_eq!(message["command"], format!("reminders retry {id}"));
    assert_eq!(message["recipient"], "p***@e***.org");

    let text = platform.run(&["status"]).succeeds().stdout;
    assert!(
        text.contains("1 of the last 24 hours needs a person"),
        "{text}"
    );
    assert!(
        text.contains("sent per hour") && text.contains('█'),
        "{text}"
    );
    assert!(
        text.contains(&format!("; once that is cured: `reminders retry {id}`")),
        "{text}"
    );
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
}

#[test]
fn a_session_whose_window_is_over_untold_is_marked_and_those_who_left_are_not_counted_as_told() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = Platform::seed().mail(&smtp).whatsapp(&twilio);
    platform.session(2, &wall_in(60));
    platform.participants(1..=4);
    platform.opted_in(1, "081234567890");
    platform.opted_in(2, "081234567891");
    platform.run(&["send"]).succeeds();
    platform.sql(
        "UPDATE enrollments SET status = 'expired' WHERE user_id > 2;
         UPDATE user_profiles SET whatsapp_opt_in = false WHERE user_id = 2",
    );
    // Has come since.
    platform.participant(5, "Budi", "budi@example.org");
    platform.session(1, &wall_in(20));
    let text = platform.run(&["status"]).succeeds().stdout;
    let line = |title: &str| text.lines().find(|line| line.contains(title)).unwrap();
    assert!(line("1: ").contains("  too late  "), "{text}");
    assert!(line("2: ").contains("   2/3       1/1  "), "{text}");
    assert!(!line("2: ").contains("too late"), "{text}");
}

#[test]
fn what_nobody_can_send_again_is_explained_and_not_to_be_retried() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    platform.participants(1..=3);
    for user in 1..=3 {
        platform.sql(&format!(
            "UPDATE users SET email = 'no address {user}' WHERE id = {user}"
        ));
    }
    platform.session(1, &wall_in(60));
    platform.run(&["send"]).exits(1);
    // Each for a reason of its own.
    platform.sql("UPDATE session_reminder_deliveries SET error = CAST(user_id AS CHAR(2))");
    let commands = || {
        let mut commands: Vec<String> = status(&platform)["needs_a_person"]["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message["command"].as_str().unwrap().to_owned())
            .collect();
        commands.sort();
        commands
    };
    let retry = |id| format!("reminders retry {id}");
    let explain = |user| format!("reminders explain 1 {user}");
    assert_eq!(commands(), [retry(1), retry(2), retry(3)]);
    let becomes = |status: &str| {
        platform.sql(&format!(
            "UPDATE session_reminder_deliveries SET status = '{status}' WHERE user_id = 3"
        ));
    };
    becomes("unknown");
    assert_eq!(commands(), [explain(3), retry(1), retry(2)]);
    platform.sql("UPDATE users SET email = 'user3@example.org' WHERE id = 3");
    let explained = platform.run(&["explain", "1", "3"]).succeeds().stdout;
    let once_more = "`reminders retry 3 --even-if-in-doubt` sends it once more";
    assert!(explained.contains(once_more), "{explained}");
    becomes("failed");
    platform.sql("UPDATE enrollments SET status = 'cancelled' WHERE user_id = 2");
    assert_eq!(commands(), [explain(2), retry(1), retry(3)]);
    let refused = platform.run(&["retry", "2"]).exits(1).stdout;
    assert!(refused.contains("is not sent again"), "{refused}");
    let moved = wall_in(180);
    platform.sql(&format!(
        "UPDATE course_sessions SET scheduled_at = '{moved}'"
    ));
    assert_eq!(commands(), [explain(1), explain(2), explain(3)]);
}

#[test]
fn what_waits_past_its_window_is_not_too_late() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    platform.participants(1..=2);
    let start = wall_in(40);
    platform.session(1, &start);
    let text = || platform.run(&["status"]).succeeds().stdout;
    assert!(text().contains("too late"), "{}", text());
    let wait = |start: &str| {
        platform.sql(&format!(
            "INSERT INTO session_reminder_deliveries
                (course_session_id, user_id, channel, lead_minutes, scheduled_at, status, created_at, updated_at)
             VALUES (1, 1, 'mail', 60, '{start}', 'pending', '{start}', '{start}')"
        ));
    };
    wait(&wall_in(50));
    assert!(text().contains("too late"), "it is of another start");
    wait(&start);
    assert!(!text().contains("too late"), "{}", text());
    platform.run(&["send"]).succeeds();
    assert!(text().contains("1/2"), "{}", text());
}

#[test]
fn of_many_that_need_a_person_the_newest_are_shown() {
    let platform = Platform::seed();
    let start = wall_in(-30);
    let now = chrono::Utc::now().format("%Y-%m-%d %H:%M:%S");
    for user in 1..=25 {
        platform.sql(&format!(
            "INSERT INTO session_reminder_deliveries
                (course_session_id, user_id, channel, lead_minutes, scheduled_at, status, error_code, created_at, updated_at)
             VALUES (3, {user}, 'mail', 60, '{start}', 'missed', 'window_passed', '{now}', '{now}')"
        ));
    }
    let status = status(&platform);
    // No pass has claimed what it missed.
    let written = status["last_written"].as_object().unwrap();
    assert_eq!(written["host"], serde_json::Value::Null);
    let need = &status["needs_a_person"];
    assert_eq!(need["count"], 25);
    // All of one reason in one line.
    assert_eq!(need["messages"].as_array().unwrap().len(), 1);
    assert_eq!(need["messages"][0]["alike"], 25);
    assert_eq!(need["messages"][0]["user_id"], 25);
    assert_eq!(need["messages"][0]["command"], "reminders report 3");
    let text = platform.run(&["status"]).succeeds().stdout;
    let words = "its window was over before a pass could tell them (created or moved too late, or no pass ran)";
    let line = format!("mail  missed  session 3, 25 messages: {words}; see `reminders report 3`");
    assert!(text.contains(&line), "{text}");
    assert!(!text.contains("more: "), "{text}");
    assert!(!text.contains("window_passed"), "{text}");
    assert!(platform.run(&["log"]).succeeds().stdout.contains(words));

    // Of each reason, the newest.
    platform.sql(
        "UPDATE session_reminder_deliveries SET error_code = 'x', error = CAST(user_id AS CHAR(2)) WHERE user_id > 2",
    );
    let need = self::status(&platform)["needs_a_person"].clone();
    assert_eq!(need["count"], 25);
    assert_eq!(need["messages"].as_array().unwrap().len(), 10);
    assert_eq!(need["messages"][0]["command"], "reminders explain 3 25");
    assert_eq!(need["messages"][0]["alike"], 1);
    let text = platform.run(&["status"]).succeeds().stdout;
    assert!(
        text.contains("15 more: `reminders log --since 24h --status failed,"),
        "{text}"
    );
    assert!(
        text.contains("x: 25; see `reminders explain 3 25`"),
        "{text}"
    );
}

#[test]
fn what_failed_alike_has_one_line_with_a_command_for_all_of_it() {
    let smtp = Smtp::builder().script(|phase, _| match phase {
        Phase::Rcpt => Reply::Say("550 5.1.1 no".into()),
        _ => Reply::Accept,
    });
    let (smtp, twilio) = (smtp.start(), Twilio::start());
    let platform = Platform::seed().mail(&smtp).whatsapp(&twilio);
    platform.participants(1..=4);
    platform.opted_in(1, "1");
    platform.opted_in(2, "2");
    platform.session(1, &wall_in(60));
    platform.run(&["send"]).exits(1);
    let text = || platform.run(&["status"]).succeeds().stdout;
    let mail = |command: &str| {
        let text = text();
        let line = text
            .lines()
            .find(|line| line.contains("  mail      failed  "));
        let line = line.unwrap();
        assert!(
            line.contains("session 1, 4 messages: 550 5.1.1: no such mailbox")
                && line.ends_with(command),
            "{line}"
        );
    };
    let retry = "; once that is cured: `reminders retry --failed --session 1`";
    mail(retry);
    // It helps the others.
    platform.sql("UPDATE enrollments SET status = 'cancelled' WHERE user_id = 4");
    mail(retry);
    assert!(
        text().contains("; see `reminders log --session 1 --status failed`"),
        "{}",
        text()
    );
    platform
        .sql("DELETE FROM session_reminder_deliveries WHERE channel = 'whatsapp' AND user_id = 1");
    assert!(
        text().contains(": `reminders opt-in 2 --phone NUMBER && reminders retry "),
        "{}",
        text()
    );
    platform.sql("DELETE FROM course_sessions");
    mail("; see `reminders report 1`");
}

#[test]
fn while_the_days_budget_is_used_up_mail_waits_until_it_has_room() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp).set("MAIL_MAX_PER_DAY", "2");
    platform.session(1, &wall_in(60));
    platform.participants(1..=3);
    platform.run(&["send"]).exits(75);
    // Whether the next pass may try already or not.
    for next in ["next_attempt_at", "NULL"] {
        platform.sql(&format!(
            "UPDATE session_reminder_deliveries SET next_attempt_at = {next}"
        ));
        let mail = status(&platform)["mail"].clone();
        assert_eq!(mail["state"], "held");
        let why = mail["why"].as_str().unwrap();
        assert!(
            why.starts_with("MAIL_MAX_PER_DAY=2 is reached (tried again after "),
            "{why}"
        );
        let text = platform.run(&["status"]).succeeds().stdout;
        let last = "mail sends nothing now, 1 waiting: MAIL_MAX_PER_DAY=2 is reached (tried again";
        assert!(text.contains(last), "{text}");
    }
    platform.sql("DELETE FROM session_reminder_deliveries WHERE status = 'pending'");
    assert_eq!(status(&platform)["mail"]["state"], "held");
    let text = platform.run(&["status"]).succeeds().stdout;
    assert!(text.ends_with("\nnothing needs a person\n"), "{text}");
}

#[test]
fn a_channel_that_is_held_back_or_wrong_says_why() {
    let refused = Smtp::start();
    let port = refused.port().to_string();
    drop(refused);
    let platform = Platform::seed()
        .set("MAIL_MAILER", "smtp")
        .set("MAIL_HOST", "127.0.0.1")
        .set("MAIL_PORT", &port);
    platform.session(1, &wall_in(60));
    platform.participant(1, "Budi", "budi@example.org");
    platform.run(&["send"]).exits(75);
    let held = status(&platform);
    assert_eq!(held["mail"]["state"], "held");
    let why = held["mail"]["why"].as_str().unwrap();
    assert!(
        why.contains("channel stopped") && why.contains("tried again after"),
        "{why}"
    );
    assert_eq!(held["whatsapp"]["state"], "off");
    let text = platform.run(&["status"]).succeeds().stdout;
    let last = text.lines().last().unwrap();
    assert!(
        last.starts_with("mail sends nothing now, 1 waiting: channel stopped"),
        "{text}"
    );

    let platform = platform.set("MAIL_PORT", "many");
    let wrong = status(&platform);
    assert_eq!(wrong["mail"]["state"], "wrong");
    assert!(wrong["mail"]["why"].as_str().unwrap().contains("MAIL_PORT"));
    let text = platform.run(&["status"]).succeeds().stdout;
    let last = text.lines().last().unwrap();
    assert!(
        last.starts_with("mail sends nothing now, 1 waiting: MAIL_PORT"),
        "{text}"
    );
}

#[test]
fn hostile_titles_keep_the_columns_and_the_terminal() {
    let (smtp, busy) = busy_smtp();
    let platform = Platform::seed().mail(&smtp);
    platform.participant(1, "Budi", "budi@example.org");
    for (id, title) in (1..).zip([
        "数学 I",
        "a\u{1b}[2Jb\u{202e}\nc",
        "x",
        &"panjang ".repeat(30),
    ]) {
        platform.session(id, &wall_in(60 + id));
        platform.sql(&format!(
            "UPDATE course_sessions SET title = '{title}' WHERE id = {id}"
        ));
    }
    busy.store(true, SeqCst);
    platform.run(&["send"]).succeeds();
    let text = platform.run(&["status"]).succeeds().stdout;
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    let first = lines
        .iter()
        .position(|line| line.starts_with("start"))
        .unwrap();
    let column = lines[first].find("session").unwrap();
    for (id, line) in (1..=4).zip(&lines[first + 1..]) {
        assert!(line[column..].starts_with(&format!("{id}: ")), "{line}");
    }
    assert!(lines[first + 2].contains("a [2Jb c"), "{text}");
}

#[test]
fn on_a_narrow_terminal_no_line_is_broken() {
    if !Path::new("/usr/bin/script").exists() {
        eprintln!("SKIPPED: util-linux's script is not installed");
        return;
    }
    let smtp = Smtp::builder().script(|phase, to| match (phase, to) {
        (Phase::Rcpt, "peserta2@example.org") => Reply::Say("550 5.1.1 no such user".into()),
        _ => Reply::Accept,
    });
    let smtp = smtp.start();
    let platform = Platform::seed().mail(&smtp);
    platform.session(1, &wall_in(60));
    platform.participants(1..=2);
    platform.run(&["send"]).exits(1);
    let program = env!("CARGO_BIN_EXE_reminders");
    let line = format!(
        "stty cols 40 rows 20; {program} status; {program} log; {program} send --dry-run; {program} retry 1 99; {program} prune --older-than 90d --dry-run"
    );
    let output = Command::new("/usr/bin/script")
        .args(["-qec", &line, "/dev/null"])
        .current_dir(platform.path(""))
        .env_clear()
        .envs([
            ("PATH", "/usr/bin:/bin"),
            ("SHELL", "/bin/sh"),
            ("NO_COLOR", "1"),
        ])
        .env("HOME", platform.path(""))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = Run::of(&["status"], output).succeeds().stdout;
    assert!(text.contains("session 1, user 2") && text.contains("p***@e***.org"));
    for line in text.lines() {
        assert!(line.trim_end().chars().count() <= 40, "{line:?}");
    }
}

#[test]
fn a_reader_who_has_had_enough_is_no_error() {
    let platform = Platform::seed();
    for arguments in [&["status"][..], &["status", "--format", "json"]] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = platform.command(arguments).stdout(writer).output().unwrap();
        assert_eq!(Run::of(arguments, output).succeeds().stderr, "");
    }
}

#[test]
fn status_log_and_a_dry_prune_write_nothing() {
    let platform = Platform::seed();
    platform.session(1, &wall_in(60));
    platform.participant(1, "Budi", "budi@example.org");
    let before = platform.contents();
    for arguments in [
        &["status"][..],
        &["log"],
        &["prune", "--older-than", "2d", "--dry-run"],
    ] {
        platform.run(arguments).succeeds();
    }
    assert!(platform.contents() == before, "it wrote");
}

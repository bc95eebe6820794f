//! What could not be told in time is on record, and what a dead pass left is taken up.

use std::{net::TcpListener, sync::atomic::Ordering::SeqCst};

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{BackEnd, NOW, Platform, START, busy_smtp, wall_in},
};

/// Takes the mail and then says nothing: nobody can tell whether it was sent.
fn silent_after_taking() -> Smtp {
    let server = Smtp::builder().script(|phase, _| match phase {
        Phase::Body => Reply::AcceptThenDrop,
        _ => Reply::Accept,
    });
    server.start()
}

/// After the lease of a pass at [`NOW`] has ended.
const LATER: &str = "2026-11-23T16:03:00+07:00";

#[test]
fn a_session_whose_window_passed_during_an_outage_is_missed_once() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    platform.session(2, "2026-11-23 18:30:00");
    let outage = platform.send_at("2026-11-23T18:00:00+07:00").exits(1);
    assert!(
        outage.stderr.contains("mail: 1 missed"),
        "{}",
        outage.stderr
    );
    for now in ["2026-11-23T18:01:00+07:00", "2026-11-23T19:00:00+07:00"] {
        platform.send_at(now).succeeds();
    }
    assert_eq!(
        platform.ledger(),
        ["mail|1|sent|NULL", "mail|1|missed|window_passed"]
    );
    assert_eq!(smtp.mails().len(), 1);
}

#[test]
fn the_window_passes_with_the_second_after_its_last() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    platform.session(2, "2026-11-23 17:54:59");
    platform.session(3, "2026-11-23 17:55:10");
    platform.send_at("2026-11-23T17:00:00+07:00").exits(1);
    assert_eq!(
        platform.ledger(),
        [
            "mail|1|sent|NULL",
            "mail|1|missed|window_passed",
            "mail|1|sent|NULL"
        ]
    );
}

#[test]
fn a_session_that_has_started_meanwhile_is_missed_too() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    platform.session(2, "2026-11-23 18:30:00");
    platform.send_at("2026-11-24T02:00:00+07:00").exits(1);
    assert_eq!(platform.ledger()[1], "mail|1|missed|window_passed");
}

#[test]
fn what_was_missed_because_its_start_is_no_time_says_so() {
    let smtp = Smtp::start();
    // Only SQLite takes anything.
    let platform = Platform::seed_on(BackEnd::Sqlite).mail(&smtp);
    platform.participant(1, "Budi", "budi@example.org");
    platform.session(1, START);
    platform.session(2, &START.replace(' ', "T"));
    platform.send().succeeds();
    platform.send_at("2026-11-24T08:00:00+07:00").exits(1);
    let missed = "session_reminder_deliveries WHERE status = 'missed'";
    assert_eq!(platform.rows("error_code", missed), ["window_passed"]);

    let why = "the start \"2026-11-23T17:00:00\" is no time as in 2026-11-23 17:00:00: correct it";
    let log = platform.run(&["log", "--session", "2"]).succeeds().stdout;
    assert!(log.contains(&format!("missed  - {why}")), "{log}");
    // As if it had happened just now.
    let now = chrono::Utc::now().format("%Y-%m-%d %H:%M:%S");
    platform.sql(&format!(
        "UPDATE session_reminder_deliveries SET scheduled_at = '{}', updated_at = '{now}' WHERE status = 'missed'",
        wall_in(-10)
    ));
    let status = platform.run(&["status"]).succeeds().stdout;
    assert!(status.contains(&format!("user 1: {why}")), "{status}");
}

#[test]
fn what_was_before_the_first_pass_is_not_missed() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    platform.session(1, "2026-11-23 16:30:00");
    platform.participant(1, "Budi", "budi@example.org");
    platform.send().succeeds();
    assert!(platform.ledger().is_empty());

    platform.session(2, START);
    platform.send().succeeds();
    platform.send_at(LATER).succeeds();
    assert_eq!(platform.ledger(), ["mail|1|sent|NULL"]);
}

#[test]
fn what_laravel_has_told_meanwhile_is_not_missed() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    platform.session(2, "2026-11-23 18:30:00");
    platform.sql(
        "INSERT INTO session_reminder_logs (course_session_id, sent_at) VALUES (2, '2026-11-23 17:30:00')",
    );
    platform.send_at("2026-11-23T18:00:00+07:00").succeeds();
    assert_eq!(platform.ledger(), ["mail|1|sent|NULL"]);
}

#[test]
fn a_session_moved_to_a_start_that_is_too_near_is_missed_for_that_start() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    platform.session(9, "2026-11-22 17:00:00");
    platform.send_at("2026-11-22T16:00:00+07:00").succeeds();
    platform.send().succeeds();
    platform.sql("UPDATE course_sessions SET scheduled_at = '2026-11-23 16:40:00' WHERE id = 1");
    platform.send_at(LATER).exits(1);
    platform.send_at(LATER).succeeds();
    assert_eq!(
        platform.ledger()[1..],
        ["mail|1|missed|window_passed", "mail|1|sent|NULL"]
    );
}

#[test]
fn a_mail_that_waits_is_sent_until_a_minute_before_the_start_and_then_missed() {
    for (now, code, row) in [
        ("2026-11-23T16:58:50+07:00", 0, "mail|1|sent|NULL"),
        ("2026-11-23T16:59:01+07:00", 1, "mail|1|missed|451"),
        ("2026-11-23T18:00:00+07:00", 1, "mail|1|missed|451"),
    ] {
        let (smtp, busy) = busy_smtp();
        let platform = Platform::due(&smtp);
        platform.send().succeeds();
        busy.store(false, SeqCst);
        platform.send_at(now).exits(code);
        assert!(
            platform.ledger()[0].starts_with(row),
            "{:?}",
            platform.ledger()
        );
        platform.send_at("2026-11-23T18:01:00+07:00").succeeds();
        assert_eq!(smtp.mails().len(), usize::from(code == 0), "{now}");
    }
}

#[test]
fn what_waits_on_a_channel_that_was_switched_off_is_missed_and_not_forgotten() {
    let (smtp, _busy) = busy_smtp();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    let platform = platform.set("MAIL_MAILER", "none");
    platform.send_at("2026-11-23T17:30:00+07:00").exits(1);
    assert_eq!(
        platform.rows("status", "session_reminder_deliveries"),
        ["missed"]
    );
}

#[test]
fn what_is_missed_because_a_channel_sends_nothing_says_why() {
    for (setting, value, why) in [
        (
            "MAIL_FROM_ADDRESS",
            "nobody",
            "the settings of mail are wrong: MAIL_FROM_ADDRESS is \"nobody\"",
        ),
        ("MAIL_MAILER", "log", "mail is off (MAIL_MAILER=log)"),
    ] {
        let (smtp, _busy) = busy_smtp();
        let platform = Platform::due(&smtp);
        platform.send().succeeds();
        let nothing_else = "UPDATE session_reminder_deliveries SET error_code = NULL, error = NULL";
        platform.sql(nothing_else);
        let platform = platform.set(setting, value);
        platform.send_at("2026-11-23T17:00:30+07:00");
        let why = format!("the session began before it could be sent: {why}");
        for command in [&["log"][..], &["explain", "1", "budi@example.org"]] {
            let said = platform.run(command).stdout;
            assert!(said.contains(&why), "{said}");
        }
    }
}

#[test]
fn a_server_that_stays_down_until_the_start_leaves_a_missed_row_with_its_reason() {
    // A port on which nobody listens.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp).set("MAIL_PORT", &port.to_string());
    platform.send().exits(75);
    platform.send_at("2026-11-23T17:00:30+07:00").exits(1);
    let row = platform.rows("status, error", "session_reminder_deliveries");
    assert!(row[0].starts_with("missed|channel stopped: "), "{row:?}");
}

#[test]
fn a_mail_in_doubt_is_sent_again_as_the_same_mail() {
    let smtp = silent_after_taking();
    let platform = Platform::due(&smtp);
    platform.send();
    assert_eq!(
        platform.rows("status", "session_reminder_deliveries"),
        ["sending"]
    );
    platform.send_at("2026-11-23T16:01:00+07:00").succeeds();
    assert_eq!(smtp.mails().len(), 1, "its lease lasts two minutes");

    let again = Smtp::start();
    let platform = platform.mail(&again);
    let run = platform.send_at(LATER).succeeds();
    assert!(run.stderr.contains("same Message-ID"), "{}", run.stderr);
    platform.send_at("2026-11-23T16:04:00+07:00").succeeds();
    assert_eq!(platform.ledger(), ["mail|1|sent|NULL"]);
    let (first, second) = (&smtp.mails()[0], &again.mails());
    assert_eq!(second.len(), 1);
    for header in ["Message-ID", "Date", "Subject"] {
        assert_eq!(first.header(header), second[0].header(header), "{header}");
    }
}

#[test]
fn a_mail_in_doubt_is_held_where_the_operator_wants_that() {
    let smtp = silent_after_taking();
    let platform = Platform::due(&smtp).set("REMINDER_IN_DOUBT", "hold");
    platform.send();
    platform.send_at(LATER).exits(1);
    platform.send_at("2026-11-23T16:04:00+07:00").succeeds();
    assert_eq!(platform.ledger(), ["mail|1|unknown|lost"]);
    assert_eq!(smtp.mails().len(), 1);
}

#[test]
fn a_mail_in_doubt_is_not_sent_again_when_the_session_starts() {
    for now in ["2026-11-23T16:59:10+07:00", "2026-11-23T17:10:00+07:00"] {
        let smtp = silent_after_taking();
        let platform = Platform::due(&smtp);
        platform.send();
        platform.send_at(now).exits(1);
        platform.send_at("2026-11-23T17:11:00+07:00").succeeds();
        assert_eq!(platform.ledger(), ["mail|1|unknown|lost"], "{now}");
        assert_eq!(smtp.mails().len(), 1);
    }
}

#[test]
fn with_several_leads_each_window_that_passed_in_an_outage_is_told() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp).set("REMINDER_LEAD", "24h,60m");
    platform.send_at("2026-11-22T17:00:00+07:00").succeeds();
    let outage = platform.send_at("2026-11-23T16:20:00+07:00").exits(1);
    assert!(
        outage.stderr.contains("mail: 1 missed"),
        "{}",
        outage.stderr
    );
    assert_eq!(
        platform.rows(
            "lead_minutes, status",
            "session_reminder_deliveries ORDER BY lead_minutes"
        ),
        ["60|missed", "1440|sent"]
    );
    platform.send_at("2026-11-23T16:21:00+07:00").succeeds();
}

#[test]
fn what_failed_and_is_put_back_by_hand_says_the_time_that_is_left_then() {
    let first = AtomicBool::new(true);
    let smtp = Smtp::builder()
        .script(move |phase, _| match phase {
            Phase::Rcpt if first.swap(false, Ordering::Relaxed) => {
                Reply::Say("550 5.1.1 no such user".into())
            }
            _ => Reply::Accept,
        })
        .start();
    let platform = Platform::due(&smtp);
    platform.send().exits(1);
    platform
        .sql("UPDATE session_reminder_deliveries SET status = 'pending', next_attempt_at = NULL");
    platform.send_at("2026-11-23T16:40:00+07:00").succeeds();
    assert!(
        smtp.mails()[0].subject().contains("20 menit"),
        "{}",
        smtp.mails()[0].subject()
    );
}

#[test]
fn losses_are_said_even_to_those_who_want_to_hear_little() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp).set("MAIL_PORT", "9");
    let run = platform.run(&["-q", "send", "--now", NOW]).exits(75);
    assert!(run.stderr.contains("mail has stopped"), "{}", run.stderr);
    let run = platform
        .run(&["-q", "send", "--now", "2026-11-23T17:00:00+07:00"])
        .exits(1);
    assert!(run.stderr.contains("1 missed"), "{}", run.stderr);
}

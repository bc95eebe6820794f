//! What each answer of a mail server means for the reminder, the channel and the passes after it.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{NOW, Platform, Run, START, wait_until},
    twilio::{Answer, Twilio},
};

/// Session 1, with these participants, told through `smtp`.
fn platform(smtp: &Smtp, names: &[&str]) -> Platform {
    let platform = Platform::seed().mail(smtp);
    platform.session(1, START);
    for (id, name) in (1..).zip(names) {
        platform.participant(id, name, &format!("{name}@example.org"));
    }
    platform
}

fn say(text: &str) -> Reply {
    Reply::Say(text.into())
}

/// A server that answers so at one phase whenever the argument is that; any argument where it is empty.
fn at(phase: Phase, argument: &'static str, reply: fn() -> Reply) -> Smtp {
    Smtp::builder()
        .script(move |now, given| {
            match now == phase && (argument.is_empty() || given == argument) {
                true => reply(),
                false => Reply::Accept,
            }
        })
        .start()
}

/// `status|error_code|attempts|next_attempt_at` of a user's mail.
fn state(platform: &Platform, user: i64) -> String {
    let rows = platform.rows(
        "status, error_code, attempts, next_attempt_at",
        &format!("session_reminder_deliveries WHERE channel = 'mail' AND user_id = {user}"),
    );
    rows[0].clone()
}

fn error(platform: &Platform, user: i64) -> String {
    let rows = platform.rows(
        "error",
        &format!("session_reminder_deliveries WHERE channel = 'mail' AND user_id = {user}"),
    );
    rows[0].clone()
}

/// One recipient of three meets `reply`; the other two are told.
#[track_caller]
fn one_of_three(phase: Phase, reply: fn() -> Reply, expected: &str, cure: &str, exit: i32) {
    let smtp = at(phase, "budi@example.org", reply);
    let platform = platform(&smtp, &["ani", "budi", "siti"]);
    let run = platform.send().exits(exit);
    assert_eq!(state(&platform, 2), expected, "{phase:?}");
    assert!(
        error(&platform, 2).contains(cure),
        "{}",
        error(&platform, 2)
    );
    assert!(
        !error(&platform, 2).contains("budi@"),
        "{}",
        error(&platform, 2)
    );
    assert_eq!(smtp.mails().len(), 2);
    assert_eq!(state(&platform, 1), "sent|NULL|1|NULL");
    assert_eq!(state(&platform, 3), "sent|NULL|1|NULL");
    // What needs a person is said once, what the next pass mends is not.
    let needs_person = usize::from(!expected.starts_with("pending"));
    assert_eq!(run.complaints().len(), needs_person, "{}", run.stderr);
    assert!(
        run.complaints()
            .iter()
            .all(|line| line.contains("user 2") && line.contains(cure))
    );
}

#[test]
fn a_5xx_fails_that_recipient_with_the_cure() {
    for (phase, reply, code, cure) in [
        (
            Phase::Rcpt,
            (|| say("550 5.1.1 <budi@example.org>: no such user")) as fn() -> Reply,
            "550 5.1.1",
            "correct the participant's email address",
        ),
        (
            Phase::Rcpt,
            || say("550 No such user"),
            "550",
            "correct the participant's email address",
        ),
        (
            Phase::Rcpt,
            || say("550 Not this one"),
            "550",
            "refused for this recipient",
        ),
        (
            Phase::Rcpt,
            || say("553 5.1.3 Bad address"),
            "553 5.1.3",
            "correct the participant's",
        ),
        (
            Phase::Rcpt,
            || say("550 5.7.1 Not wanted here"),
            "550 5.7.1",
            "Not wanted here",
        ),
        (
            Phase::Rcpt,
            || say("554 5.7.1 <budi@example.org>: Relay access denied"),
            "554 5.7.1",
            "set MAIL_USERNAME",
        ),
        (
            Phase::Rcpt,
            || say("552 5.2.2 Over quota"),
            "552 5.2.2",
            "mailbox is full",
        ),
        (Phase::Data, || say("554 5.5.1 No"), "554 5.5.1", "refused"),
        (Phase::Body, || say("554 5.7.1 Spam"), "554 5.7.1", "Spam"),
        (
            Phase::Body,
            || say("552-5.3.4 Too\n552 5.3.4 big"),
            "552 5.3.4",
            "refused",
        ),
    ] {
        one_of_three(phase, reply, &format!("failed|{code}|1|NULL"), cure, 1);
    }
}

#[test]
fn a_4xx_or_a_loss_before_the_text_is_tried_again_in_a_minute() {
    for (phase, reply, code) in [
        (
            Phase::Rcpt,
            (|| say("450 4.7.1 Greylisted")) as fn() -> Reply,
            "450 4.7.1",
        ),
        (Phase::Rcpt, || say("452 Mailbox full"), "452"),
        (Phase::Data, || say("451 4.3.0 Later"), "451 4.3.0"),
        (Phase::Body, || say("451 4.3.0 Later"), "451 4.3.0"),
        (Phase::Rcpt, || Reply::Drop, "lost"),
        (Phase::Data, || Reply::Drop, "lost"),
    ] {
        let expected = format!("pending|{code}|1|2026-11-23 09:01:00");
        one_of_three(phase, reply, &expected, "", 0);
    }
    // "Receiving mail too quickly" passes in minutes.
    let expected = "pending|450 4.2.1|1|2026-11-23 09:05:00";
    one_of_three(
        Phase::Rcpt,
        || say("450 4.2.1 Too quickly"),
        expected,
        "put it off",
        0,
    );
}

#[test]
fn a_recipient_who_is_put_off_waits_longer_each_time_and_reads_the_true_remaining_time() {
    let open = Arc::new(AtomicUsize::new(0));
    let smtp = Smtp::builder()
        .script({
            let open = Arc::clone(&open);
            move |phase, to| match phase == Phase::Rcpt
                && to == "budi@example.org"
                && open.load(SeqCst) == 0
            {
                true => say("450 4.7.1 Greylisted"),
                false => Reply::Accept,
            }
        })
        .start();
    let platform = platform(&smtp, &["ani", "budi"]);
    for (now, attempts, next) in [
        ("16:00", 1, "09:01"),
        ("16:00", 1, "09:01"),
        ("16:01", 2, "09:03"),
        ("16:02", 2, "09:03"),
        ("16:03", 3, "09:08"),
        ("16:08", 4, "09:18"),
        ("16:18", 5, "09:28"),
    ] {
        let run = platform
            .send_at(&format!("2026-11-23T{now}:00+07:00"))
            .succeeds();
        assert_eq!(run.complaints(), [""; 0]);
        let expected = format!("pending|450 4.7.1|{attempts}|2026-11-23 {next}:00");
        assert_eq!(state(&platform, 2), expected, "at {now}");
    }
    open.store(1, SeqCst);
    platform.send_at("2026-11-23T16:40:00+07:00").succeeds();
    assert_eq!(state(&platform, 2), "sent|NULL|6|NULL");
    let mails = smtp.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(
        mails[1].subject(),
        "Pengingat: Sesi Pecahan akan dimulai dalam 20 menit"
    );
    assert_eq!(
        mails[1].header("Date").unwrap(),
        "Mon, 23 Nov 2026 09:40:00 +0000"
    );
}

#[test]
fn a_recipient_who_is_put_off_until_the_start_is_missed_with_the_last_reason() {
    let smtp = at(Phase::Rcpt, "budi@example.org", || {
        say("450 4.7.1 Greylisted")
    });
    let platform = platform(&smtp, &["budi"]);
    platform.send().succeeds();
    platform.send_at("2026-11-23T16:59:00+07:00").succeeds();
    let run = platform.send_at("2026-11-23T16:59:01+07:00").exits(1);
    assert!(run.stderr.contains("missed"), "{}", run.stderr);
    assert_eq!(state(&platform, 1), "missed|450 4.7.1|2|NULL");
    platform.send_at("2026-11-23T17:10:00+07:00").succeeds();
}

/// The whole channel meets `reply`: nothing is sent by mail, WhatsApp goes on, and the next pass leaves the server
/// alone.
#[track_caller]
fn channel_down(smtp: &Smtp, configure: impl Fn(Platform) -> Platform, code: &str, cure: &str) {
    let twilio = Twilio::start();
    let platform = configure(platform(smtp, &["ani", "budi", "siti"]).whatsapp(&twilio));
    platform.opted_in(3, "081234567890");

    let run = platform
        .run(&["send", "--now", NOW, "--format", "json"])
        .exits(75);
    for user in [1, 2, 3] {
        assert_eq!(
            state(&platform, user),
            format!("pending|{code}|1|2026-11-23 09:01:00")
        );
        assert!(
            error(&platform, user).contains(cure),
            "{}",
            error(&platform, user)
        );
    }
    let summary = run.json();
    let stopped = summary["channels"]["mail"]["stopped"].as_str().unwrap();
    assert!(
        stopped.contains(code) && stopped.contains(cure),
        "{stopped}"
    );
    assert_eq!(summary["channels"]["mail"]["sent"], 0);
    assert_eq!(summary["channels"]["whatsapp"]["sent"], 1);
    assert_eq!(
        summary["channels"]["whatsapp"]["stopped"],
        serde_json::Value::Null
    );
    let said = run.complaints();
    assert_eq!(said.len(), 1, "{}", run.stderr);
    assert!(
        said[0].contains("mail has stopped") && said[0].contains(cure),
        "{}",
        said[0]
    );
    assert_eq!(smtp.mails().len(), 0);

    let connections = smtp.connections();
    let run = platform.send_at("2026-11-23T16:00:59+07:00").exits(75);
    assert_eq!(run.complaints(), [""; 0]);
    assert_eq!(smtp.connections(), connections);
}

#[test]
fn a_server_that_does_not_greet_or_take_us_stops_the_channel() {
    for (phase, reply, code, cure) in [
        (
            Phase::Connect,
            (|| say("554 5.7.1 Go away")) as fn() -> Reply,
            "554 5.7.1",
            "Go away",
        ),
        (
            Phase::Connect,
            || say("421 4.3.2 Not now"),
            "421 4.3.2",
            "Not now",
        ),
        (
            Phase::Connect,
            || Reply::Drop,
            "connect",
            "check MAIL_HOST and MAIL_PORT",
        ),
        (
            Phase::Ehlo,
            || say("550 5.7.1 Bad name"),
            "550 5.7.1",
            "Bad name",
        ),
        (Phase::Ehlo, || say("451 4.3.0 Later"), "451 4.3.0", "Later"),
        (
            Phase::Ehlo,
            || say("421 4.3.2 Not now"),
            "421 4.3.2",
            "Not now",
        ),
        (
            Phase::Connect,
            || say("450 4.3.2 Busy"),
            "450 4.3.2",
            "Busy",
        ),
        (
            Phase::Ehlo,
            || Reply::Drop,
            "connect",
            "check MAIL_HOST and MAIL_PORT",
        ),
    ] {
        let smtp = at(phase, "", reply);
        channel_down(&smtp, |platform| platform, code, cure);
        assert_eq!(smtp.connections(), 1, "{phase:?} {code}");
    }
}

#[test]
fn a_refused_login_costs_one_login() {
    for (reply, code, cure) in [
        (
            (|| say("535 5.7.8 No")) as fn() -> Reply,
            "535 5.7.8",
            "check MAIL_USERNAME and MAIL_PASSWORD",
        ),
        (
            || say("534 5.7.9 Application-specific password required - gsmtp"),
            "534 5.7.9",
            "app password",
        ),
        (
            || say("454 4.7.0 Too many logins"),
            "454 4.7.0",
            "lower MAIL_CONNECTIONS",
        ),
        (
            || say("530 5.7.0 Must issue STARTTLS"),
            "530 5.7.0",
            "MAIL_ENCRYPTION=tls",
        ),
        (
            || say("421 4.7.0 Try later"),
            "421 4.7.0",
            "takes no login now",
        ),
        (|| Reply::Drop, "connect", "127.0.0.1"),
    ] {
        let smtp = Smtp::builder()
            .login("budi", "rahasia")
            .script(move |phase, _| {
                if phase == Phase::Auth {
                    reply()
                } else {
                    Reply::Accept
                }
            })
            .start();
        let login = |platform: Platform| {
            platform
                .set("MAIL_USERNAME", "budi")
                .set("MAIL_PASSWORD", "rahasia")
        };
        channel_down(&smtp, login, code, cure);
        assert_eq!((smtp.logins(), smtp.connections()), (1, 1), "{code}");
    }
}

#[test]
fn what_would_meet_every_mail_stops_the_channel() {
    let one_line = |platform: Platform| platform.set("MAIL_CONNECTIONS", "1");
    for (phase, reply, code, cure) in [
        (
            Phase::Mail,
            (|| say("451 4.3.0 Later")) as fn() -> Reply,
            "451 4.3.0",
            "MAIL_FROM_ADDRESS",
        ),
        (
            Phase::Mail,
            || say("550 5.4.5 Daily user sending limit exceeded"),
            "550 5.4.5",
            "quota",
        ),
        (
            Phase::Mail,
            || say("553 5.7.1 Not yours"),
            "553 5.7.1",
            "MAIL_FROM_ADDRESS",
        ),
        (
            Phase::Mail,
            || say("550 5.7.1 Sender rejected"),
            "550 5.7.1",
            "MAIL_FROM_ADDRESS",
        ),
        (
            Phase::Mail,
            || say("554 5.3.0 No"),
            "554 5.3.0",
            "MAIL_FROM_ADDRESS",
        ),
        (
            Phase::Mail,
            || say("530 5.7.0 Authentication Required"),
            "530 5.7.0",
            "set MAIL_USERNAME",
        ),
        (
            Phase::Mail,
            || say("421 4.3.2 Closing"),
            "421 4.3.2",
            "takes nothing now",
        ),
        (
            Phase::Rcpt,
            || say("421 4.3.2 Closing"),
            "421 4.3.2",
            "takes nothing now",
        ),
        (
            Phase::Rcpt,
            || say("553 5.7.1 <halo@kursuskita.test>: Sender address rejected: not owned by user"),
            "553 5.7.1",
            "does not let this account send as MAIL_FROM_ADDRESS",
        ),
        (
            Phase::Data,
            || say("421 4.3.2 Closing"),
            "421 4.3.2",
            "takes nothing now",
        ),
        (
            Phase::Body,
            || say("421 4.3.2 Closing"),
            "421 4.3.2",
            "takes nothing now",
        ),
        (
            Phase::Body,
            || say("550 5.4.5 Daily sending quota exceeded"),
            "550 5.4.5",
            "MAIL_MAX_PER_DAY",
        ),
        (
            Phase::Body,
            || say("550 5.7.60 Client does not have permissions to send as this sender"),
            "550 5.7.60",
            "use the account's own address",
        ),
    ] {
        let mails = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&mails);
        // The sender comes first; only the text brings the next mail's commands with it.
        let sign = if phase == Phase::Body {
            phase
        } else {
            Phase::Mail
        };
        let smtp = Smtp::builder()
            .script(move |now, _| {
                seen.fetch_add(usize::from(now == sign), SeqCst);
                if now == phase { reply() } else { Reply::Accept }
            })
            .start();
        channel_down(&smtp, one_line, code, cure);
        let mails = mails.load(SeqCst);
        assert_eq!((smtp.connections(), mails), (1, 1), "{phase:?} {code}");
    }
}

#[test]
fn a_server_that_is_not_there_or_has_no_name_stops_the_channel() {
    let smtp = Smtp::start();
    let nowhere = |platform: Platform| {
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        platform.set("MAIL_PORT", &free.port().to_string())
    };
    channel_down(&smtp, nowhere, "connect", "check MAIL_HOST and MAIL_PORT");
    let nameless = |platform: Platform| platform.set("MAIL_HOST", "mail.invalid");
    channel_down(
        &smtp,
        nameless,
        "dns",
        "check MAIL_HOST and this host's DNS",
    );
    assert_eq!(smtp.connections(), 0);
}

#[test]
fn a_channel_that_stays_down_is_asked_ever_more_seldom_and_said_once() {
    let down = Arc::new(AtomicUsize::new(1));
    let smtp = Smtp::builder()
        .script({
            let down = Arc::clone(&down);
            move |phase, _| match (phase, down.load(SeqCst)) {
                (Phase::Connect, 1) => say("554 5.3.2 Down for repair"),
                (Phase::Connect, 2) => say("421 4.3.2 Nearly there"),
                _ => Reply::Accept,
            }
        })
        .start();
    let platform = platform(&smtp, &["ani", "budi"]);
    for (now, connections, next, said) in [
        ("16:00", 1, "09:01", 1),
        ("16:01", 2, "09:03", 0),
        ("16:02", 2, "09:03", 0),
        ("16:03", 3, "09:08", 0),
        ("16:04", 3, "09:08", 0),
        ("16:08", 4, "09:18", 0),
        ("16:10", 4, "09:18", 0),
    ] {
        if now == "16:04" {
            // Who comes late waits with the others.
            platform.participant(3, "siti", "siti@example.org");
        }
        let run = platform
            .send_at(&format!("2026-11-23T{now}:00+07:00"))
            .exits(75);
        assert_eq!(run.complaints().len(), said, "at {now}: {}", run.stderr);
        assert_eq!(smtp.connections(), connections, "at {now}");
        let expected = format!("pending|554 5.3.2|{connections}|2026-11-23 {next}:00");
        assert_eq!(state(&platform, 1), expected, "at {now}");
    }

    down.store(2, SeqCst);
    let run = platform.send_at("2026-11-23T16:18:00+07:00").exits(75);
    assert_eq!(run.complaints().len(), 1, "{}", run.stderr);
    assert!(run.stderr.contains("Nearly there"), "{}", run.stderr);

    down.store(0, SeqCst);
    let run = platform.send_at("2026-11-23T16:30:00+07:00").succeeds();
    assert_eq!(run.complaints(), [""; 0]);
    assert_eq!(smtp.mails().len(), 3);
}

#[test]
fn a_channel_that_is_down_for_hours_is_said_again_every_hour() {
    let smtp = at(Phase::Connect, "", || say("554 5.3.2 Down for repair"));
    let platform = platform(&smtp, &["ani"]).set("REMINDER_LEAD", "4h");
    let said: Vec<usize> = ["13:00", "13:01", "13:30", "14:05", "14:30", "15:10"]
        .iter()
        .map(|now| {
            let run = platform
                .send_at(&format!("2026-11-23T{now}:00+07:00"))
                .exits(75);
            run.complaints().len()
        })
        .collect();
    assert_eq!(said, [1, 0, 0, 1, 0, 1]);
}

#[test]
fn a_quota_that_is_used_up_halfway_keeps_what_was_sent_and_holds_the_rest() {
    let taken = AtomicUsize::new(0);
    let smtp = Smtp::builder()
        .script(move |phase, _| match phase {
            Phase::Body if taken.fetch_add(1, SeqCst) >= 2 => say("550 5.4.5 Daily quota exceeded"),
            _ => Reply::Accept,
        })
        .start();
    let platform =
        platform(&smtp, &["ani", "budi", "siti", "tuti", "wati"]).set("MAIL_CONNECTIONS", "1");
    platform.send().exits(75);
    assert_eq!(
        platform.ledger(),
        [
            "sent|NULL",
            "sent|NULL",
            "pending|550 5.4.5",
            "pending|550 5.4.5",
            "pending|550 5.4.5"
        ]
        .iter()
        .zip(1..)
        .map(|(state, user)| format!("mail|{user}|{state}"))
        .collect::<Vec<_>>()
    );
    assert_eq!(smtp.mails().len(), 2);
}

/// What a mail server that goes silent at a phase leads to, while Twilio is silent too.
fn silent(phase: Phase, state_of_budi: &str, exit: i32) {
    let smtp = at(phase, "", || Reply::Silent);
    let twilio = Twilio::script(|_| Answer::Silent);
    let platform = platform(&smtp, &["budi"]).whatsapp(&twilio);
    platform.opted_in(1, "081234567890");
    let began = std::time::Instant::now();
    let run = platform.send().exits(exit);
    assert!(began.elapsed() < Duration::from_secs(45));
    let mail = format!("mail|1|{state_of_budi}");
    let whatsapp = "whatsapp|1|sending|timeout".to_owned();
    assert_eq!(platform.ledger(), [mail, whatsapp]);
    assert!(run.stderr.contains("in doubt: timeout"), "{}", run.stderr);
}

/// All at once, since each takes as long as we wait for a server.
#[test]
fn silence_stops_the_channel_before_the_text_and_is_in_doubt_after_it() {
    thread::scope(|threads| {
        threads.spawn(|| silent(Phase::Connect, "pending|timeout", 75));
        threads.spawn(|| silent(Phase::Mail, "pending|timeout", 75));
        threads.spawn(|| silent(Phase::Body, "sending|timeout", 75));
    });
}

#[test]
fn many_mails_take_as_many_connections_and_logins_as_the_setting_says() {
    for lines in [1, 3] {
        let smtp = Smtp::builder()
            .login("budi", "rahasia")
            .delay(Duration::from_millis(2))
            .start();
        let platform = Platform::seed()
            .mail(&smtp)
            .set("MAIL_USERNAME", "budi")
            .set("MAIL_PASSWORD", "rahasia")
            .set("MAIL_CONNECTIONS", &lines.to_string());
        platform.session(1, START);
        for id in 1..=25 {
            platform.participant(id, "Ani", &format!("user{id}@example.org"));
        }
        platform.send().succeeds();
        assert_eq!(smtp.mails().len(), 25);
        assert_eq!((smtp.connections(), smtp.logins()), (lines, lines));
    }
}

#[test]
fn a_slow_server_gets_all_mails_at_once_that_there_are_connections_for() {
    let (arrived, all) = (Mutex::new(0), Condvar::new());
    let smtp = Smtp::builder()
        .script(move |phase, _| {
            if phase == Phase::Body {
                let mut arrived = arrived.lock().unwrap();
                *arrived += 1;
                all.notify_all();
                // Nobody is answered before the tenth has come.
                let patience = Duration::from_secs(20);
                let waited = all.wait_timeout_while(arrived, patience, |arrived| *arrived < 10);
                assert!(!waited.unwrap().1.timed_out(), "they wait for each other");
            }
            Reply::Accept
        })
        .start();
    let names: Vec<String> = (1..=30).map(|number| format!("user{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let platform = platform(&smtp, &names).set("MAIL_CONNECTIONS", "10");
    platform.send().succeeds();
    assert_eq!((smtp.mails().len(), smtp.connections()), (30, 10));
}

#[test]
fn refusals_cost_no_connection_and_no_login() {
    let smtp = Smtp::builder()
        .login("budi", "rahasia")
        .script(|phase, argument| match phase {
            Phase::Rcpt if argument.starts_with("gone") => say("550 5.1.1 No such user"),
            Phase::Rcpt if argument.starts_with("grey") => say("450 4.7.1 Greylisted"),
            Phase::Data if argument.starts_with("odd") => say("451 4.3.0 Later"),
            Phase::Body if argument.starts_with("spam") => say("554 5.7.1 Spam"),
            _ => Reply::Accept,
        })
        .start();
    let names = [
        "gone1", "ani", "grey1", "gone2", "budi", "odd1", "spam1", "siti", "grey2", "tuti",
    ];
    let platform = platform(&smtp, &names)
        .set("MAIL_CONNECTIONS", "1")
        .set("MAIL_USERNAME", "budi")
        .set("MAIL_PASSWORD", "rahasia");
    let run = platform
        .run(&["send", "--now", NOW, "--format", "json"])
        .exits(1);
    let summary = run.json();
    let counts = ["sent", "failed", "retried"].map(|name| summary[name].as_u64().unwrap());
    assert_eq!(counts, [4, 3, 3], "{summary}");
    assert_eq!((smtp.connections(), smtp.logins()), (1, 1));
    assert_eq!(smtp.mails().len(), 4);
}

#[test]
fn a_server_that_takes_only_one_connection_gets_all_mails_over_that_one() {
    let connections = AtomicUsize::new(0);
    let smtp = Smtp::builder()
        .script(move |phase, _| {
            match phase == Phase::Connect && connections.fetch_add(1, SeqCst) > 0 {
                true => say("421 4.7.0 Too many connections"),
                false => Reply::Accept,
            }
        })
        .start();
    let platform = platform(&smtp, &["ani", "budi", "siti", "tuti", "wati", "yani"]);
    let run = platform.send().succeeds();
    assert_eq!(run.complaints(), [""; 0]);
    assert_eq!(smtp.mails().len(), 6);
}

#[test]
fn rows_for_connections_that_a_server_refuses_are_given_back_at_once() {
    let (connections, answers) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let may_answer = Arc::clone(&answers);
    let smtp = Smtp::builder()
        .script(move |phase, _| match phase {
            Phase::Connect if connections.fetch_add(1, SeqCst) > 0 => say("421 4.7.0 Too many"),
            Phase::Body => {
                wait_until(|| may_answer.load(SeqCst));
                Reply::Accept
            }
            _ => Reply::Accept,
        })
        .start();
    let names: Vec<String> = (1..=30).map(|number| format!("user{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let platform = platform(&smtp, &names).set("MAIL_CONNECTIONS", "10");
    let pass = platform.start(&["send", "--now", NOW]);
    let sending = "session_reminder_deliveries WHERE status = 'sending'";
    // Two for the one that is open, in place of twenty.
    wait_until(|| smtp.connections() > 1 && platform.rows("count(*)", sending) == ["2"]);
    answers.store(true, SeqCst);
    Run::of(&["send"], pass.wait_with_output().unwrap()).succeeds();
    assert_eq!(smtp.recipients().len(), 30);
}

#[test]
fn a_mail_in_doubt_is_sent_again_as_the_same_mail_once_its_lease_is_over() {
    let first = AtomicUsize::new(0);
    let smtp = Smtp::builder()
        .script(move |phase, to| {
            let strike = phase == Phase::Body && to == "budi@example.org";
            match strike && first.fetch_add(1, SeqCst) == 0 {
                true => Reply::AcceptThenDrop,
                false => Reply::Accept,
            }
        })
        .start();
    let platform = platform(&smtp, &["ani", "budi", "siti"]);
    let run = platform.send().succeeds();
    assert_eq!(run.complaints().len(), 1, "{}", run.stderr);
    assert!(run.stderr.contains("in doubt"), "{}", run.stderr);
    assert_eq!(
        platform.ledger(),
        [
            "mail|1|sent|NULL",
            "mail|2|sending|lost",
            "mail|3|sent|NULL"
        ]
    );

    platform.send_at("2026-11-23T16:01:30+07:00").succeeds();
    assert_eq!(smtp.mails().len(), 3);
    let said = |command: &[&str]| {
        let now = ["--now", "2026-11-23T16:01:30+07:00"];
        platform.run(&[command, &now].concat()).stdout
    };
    let explained = said(&["explain", "1", "2"]);
    for words in [
        "budi was perhaps told by mail: lost: ",
        "; the first pass after Mon 2026-11-23 16:02 WIB sends it again, as the same mail",
    ] {
        assert!(explained.contains(words), "{explained}");
    }
    let dry = said(&["send", "--dry-run"]);
    assert!(
        dry.contains("user 2: in doubt: the connection broke"),
        "{dry}"
    );
    let report = said(&["report", "1"]);
    let budi = |line: &&str| line.contains("budi") && line.contains(" perhaps ");
    assert!(report.lines().any(|line| budi(&line)), "{report}");
    let run = platform.send_at("2026-11-23T16:03:00+07:00").succeeds();
    assert!(run.stderr.contains("same Message-ID"), "{}", run.stderr);
    assert_eq!(state(&platform, 2), "sent|NULL|2|NULL");
    let mails = smtp.mails();
    let budi: Vec<_> = mails
        .iter()
        .filter(|mail| mail.to == ["budi@example.org"])
        .collect();
    assert_eq!((mails.len(), budi.len()), (4, 2));
    assert_eq!(budi[0].data, budi[1].data);
    assert_eq!(
        budi[0].header("Date").unwrap(),
        "Mon, 23 Nov 2026 09:00:00 +0000"
    );
}

#[test]
fn a_mail_in_doubt_that_is_put_off_afterwards_is_still_the_same_mail() {
    let asked = AtomicUsize::new(0);
    let smtp = Smtp::builder()
        .script(move |phase, _| match (phase, asked.load(SeqCst)) {
            (Phase::Body, 0) => {
                asked.store(1, SeqCst);
                Reply::AcceptThenDrop
            }
            (Phase::Rcpt, 1) => {
                asked.store(2, SeqCst);
                say("450 4.7.1 Greylisted")
            }
            _ => Reply::Accept,
        })
        .start();
    let platform = platform(&smtp, &["budi"]);
    for now in ["16:00", "16:05", "16:20"] {
        platform
            .send_at(&format!("2026-11-23T{now}:00+07:00"))
            .succeeds();
    }
    let mails = smtp.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].data, mails[1].data);
}

#[test]
fn a_mail_in_doubt_is_held_when_the_setting_says_so_or_the_session_has_begun() {
    let smtp = at(Phase::Body, "", || Reply::AcceptThenDrop);
    for (setting, now) in [("hold", "16:05"), ("resend", "17:00")] {
        let platform = platform(&smtp, &["budi"]).set("REMINDER_IN_DOUBT", setting);
        let before = smtp.mails().len();
        platform.send().succeeds();
        let run = platform
            .send_at(&format!("2026-11-23T{now}:00+07:00"))
            .exits(1);
        assert!(run.stderr.contains("in doubt"), "{}", run.stderr);
        assert_eq!(platform.ledger(), ["mail|1|unknown|lost"]);
        assert_eq!(smtp.mails().len(), before + 1);
    }
}

/// The mail server refuses these users so, at this phase; one connection.
fn refused(
    reply: impl Fn() -> Reply + Send + Sync + 'static,
    users: &'static [&'static str],
    phase: Phase,
) -> (Platform, Smtp) {
    let script = move |now, to: &str| {
        let meant = users.iter().any(|user| to == format!("{user}@example.org"));
        if now == phase && meant {
            reply()
        } else {
            Reply::Accept
        }
    };
    let smtp = Smtp::builder().script(script).start();
    let names = ["ani", "budi", "citra", "dewi", "eka", "fajar"];
    let platform = platform(&smtp, &names).set("MAIL_CONNECTIONS", "1");
    (platform, smtp)
}

#[test]
fn the_same_unknown_refusal_three_times_in_a_row_stops_the_channel() {
    for phase in [Phase::Rcpt, Phase::Body] {
        let all = &["ani", "budi", "citra", "dewi", "eka", "fajar"];
        let refusals = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&refusals);
        let reply = move || {
            counted.fetch_add(1, SeqCst);
            say("554 5.7.1 Not today")
        };
        let (platform, _smtp) = refused(reply, all, phase);
        let run = platform.send().exits(75);
        let stops = run.complaints();
        let stops = stops
            .iter()
            .filter(|line| line.contains("mail has stopped"));
        assert_eq!(stops.count(), 1, "{}", run.stderr);
        // The fourth mail's commands may have travelled with the third one's text; its own text stays here.
        assert_eq!(refusals.load(SeqCst), 3);
        for user in [1, 2] {
            assert_eq!(state(&platform, user), "failed|554 5.7.1|1|NULL");
        }
        for user in [3, 4, 5, 6] {
            let held = "pending|554 5.7.1|1|2026-11-23 09:01:00";
            assert_eq!(state(&platform, user), held);
            assert!(error(&platform, user).contains("Not today"));
        }
    }
}

#[test]
fn unknown_refusals_with_a_success_or_another_code_between_do_not_stop_the_channel() {
    let some = &["ani", "budi", "dewi", "eka"];
    let (platform, smtp) = refused(|| say("554 5.7.1 Not today"), some, Phase::Body);
    platform.send().exits(1);
    assert_eq!(smtp.mails().len(), 2);
}

#[test]
fn missing_mailboxes_never_stop_the_channel_however_many_come_in_a_row() {
    for reply in [
        (|| say("550 5.1.1 no")) as fn() -> Reply,
        || say("550 No such user here"),
        || say("552 5.2.2 full"),
    ] {
        let some = &["ani", "budi", "citra", "dewi", "eka"];
        let (platform, smtp) = refused(reply, some, Phase::Rcpt);
        platform.send().exits(1);
        assert_eq!(smtp.recipients(), ["fajar@example.org"]);
    }
}

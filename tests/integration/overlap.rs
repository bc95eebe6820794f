//! Passes that overlap, and passes that are killed: everybody is told exactly once.

use std::{
    collections::BTreeSet,
    fs::File,
    process::Child,
    time::{Duration, SystemTime},
};

use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{NOW, Platform, Run, START, counted, wait_until, wall_in},
    twilio::Twilio,
};

/// A due session with that many participants, every fourth of them with WhatsApp.
fn course(smtp: &Smtp, participants: i64) -> Platform {
    filled(Platform::seed().mail(smtp), participants)
}

fn filled(platform: Platform, participants: i64) -> Platform {
    platform.session(1, START);
    platform.participants(1..=participants);
    for id in (4..=participants).step_by(4) {
        platform.opted_in(id, &format!("0812345{}", 10_000 + id));
    }
    platform
}

/// So many passes at the same moment, on a platform of this kind.
pub fn everybody_once(platform: Platform, passes: usize) {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = filled(platform.mail(&smtp), 200).whatsapp(&twilio);
    let running: Vec<Child> = (0..passes)
        .map(|number| platform.start_on(&format!("host{number}"), NOW))
        .collect();
    for pass in running {
        Run::of(&["send"], pass.wait_with_output().unwrap()).succeeds();
    }
    assert_eq!(smtp.recipients().len(), 200);
    assert_eq!(counted(smtp.recipients()).len(), 200);
    let numbers = twilio.created().into_iter().map(|message| message.to);
    assert_eq!(twilio.created().len(), 50);
    assert_eq!(counted(numbers).len(), 50);
    assert_eq!(
        platform.rows(
            "status, count(*)",
            "session_reminder_deliveries GROUP BY status"
        ),
        ["sent|250"]
    );
    assert_eq!(
        platform.rows("recipients_count", "session_reminder_logs"),
        ["200"]
    );
}

#[test]
fn two_passes_at_once_tell_everybody_exactly_once() {
    everybody_once(Platform::seed(), 2);
}

#[test]
fn eight_passes_at_once_tell_everybody_exactly_once() {
    everybody_once(Platform::seed(), 8);
}

#[test]
fn after_kills_nobody_is_lost_and_few_mails_are_repeated_under_their_own_message_id() {
    const CONNECTIONS: usize = 3;
    let smtp = Smtp::builder().script(|phase, _| match phase {
        Phase::Body => Reply::Delay(Duration::from_millis(10)),
        _ => Reply::Accept,
    });
    let smtp = smtp.start();
    let platform = course(&smtp, 120).set("MAIL_CONNECTIONS", &CONNECTIONS.to_string());
    let kills = [(30, NOW), (60, "2026-11-23T16:03:00+07:00")];
    for (mails, now) in kills {
        let mut pass = platform.start(&["send", "--now", now]);
        smtp.wait_for(mails);
        // SIGKILL.
        pass.kill().unwrap();
        pass.wait().unwrap();
        let left = platform.rows(
            "count(*)",
            "session_reminder_deliveries WHERE status = 'sending'",
        );
        assert!(
            left[0].parse::<usize>().unwrap() <= 2 * CONNECTIONS,
            "{left:?}"
        );
    }
    for now in ["2026-11-23T16:06:00+07:00", "2026-11-23T16:09:00+07:00"] {
        platform.send_at(now).succeeds();
    }

    assert_eq!(
        platform.rows(
            "status, count(*)",
            "session_reminder_deliveries GROUP BY status"
        ),
        ["sent|120"]
    );
    let mails = smtp.mails();
    let of = |mail: &crate::smtp::Mail| (mail.to[0].clone(), mail.header("Message-ID"));
    let identities: BTreeSet<_> = mails.iter().map(of).collect();
    assert_eq!(counted(smtp.recipients()).len(), 120);
    assert_eq!(identities.len(), 120, "one Message-ID for each");
    assert!(
        mails.len() - 120 <= kills.len() * 2 * CONNECTIONS,
        "{}",
        mails.len()
    );
}

#[test]
fn a_killed_pass_leaves_no_lock_behind() {
    let smtp = Smtp::builder().script(|phase, _| match phase {
        Phase::Body => Reply::Silent,
        _ => Reply::Accept,
    });
    let smtp = smtp.start();
    let platform = course(&smtp, 1);
    let mut pass = platform.start(&["send", "--now", NOW]);
    wait_until(|| smtp.commands().iter().any(|command| command == "DATA"));
    pass.kill().unwrap();
    pass.wait().unwrap();
    let again = Smtp::start();
    let platform = platform.mail(&again);
    platform.send_at("2026-11-23T16:03:00+07:00").succeeds();
    assert_eq!(again.recipients(), ["peserta1@example.org"]);
}

#[test]
fn a_second_pass_leaves_quietly_while_the_first_one_works() {
    let smtp = slow_greeting();
    let platform = Platform::seed().mail(&smtp);
    platform.session(1, &wall_in(60));
    platform.participant(1, "Budi", "budi@example.org");
    let first = platform.start(&["send"]);
    wait_until(|| smtp.connections() == 1);
    let second = platform.run(&["send"]).succeeds();
    assert_eq!((second.stdout.as_str(), second.stderr.as_str()), ("", ""));
    Run::of(&["send"], first.wait_with_output().unwrap()).succeeds();
    assert_eq!((smtp.connections(), smtp.mails().len()), (1, 1));
}

#[test]
fn a_pass_that_has_the_lock_for_too_long_is_reported() {
    let smtp = slow_greeting();
    let platform = Platform::seed().mail(&smtp);
    platform.session(1, &wall_in(60));
    platform.participant(1, "Budi", "budi@example.org");
    let first = platform.start(&["send"]);
    wait_until(|| smtp.connections() == 1);
    let folder = platform.path(".local/state/reminders").read_dir().unwrap();
    let lock = folder.map(|entry| entry.unwrap().path()).next().unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(16 * 60);
    File::options()
        .write(true)
        .open(lock)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    let second = platform.run(&["send"]).exits(75);
    assert!(second.stderr.contains("16 minutes"), "{}", second.stderr);
    Run::of(&["send"], first.wait_with_output().unwrap()).succeeds();
}

#[test]
fn a_session_a_channel_and_a_limit_narrow_a_pass() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = course(&smtp, 8).whatsapp(&twilio);
    platform.session(2, START);
    let sent = |extra: &[&str]| {
        let arguments = [&["send", "--now", NOW, "--format", "json"], extra].concat();
        let summary = platform.run(&arguments).succeeds().json();
        assert_eq!(
            summary["sent"],
            summary["channels"]["mail"]["sent"].as_u64().unwrap()
                + summary["channels"]["whatsapp"]["sent"].as_u64().unwrap()
        );
        (smtp.mails().len(), twilio.created().len())
    };
    assert_eq!(sent(&["--session", "9"]), (0, 0));
    assert_eq!(sent(&["--session", "2", "--channel", "whatsapp"]), (0, 2));
    assert_eq!(sent(&["--session", "2", "--limit", "3"]), (3, 2));
    assert_eq!(sent(&["--session", "2"]), (8, 2));
    assert!(!platform.ledger().is_empty());
    let others = "session_reminder_deliveries WHERE course_session_id = 1";
    assert_eq!(platform.rows("count(*)", others), ["0"]);
    assert_eq!(sent(&["--channel", "mail"]), (16, 2));
    assert_eq!(sent(&["--limit", "1"]), (16, 3));
    assert_eq!(sent(&[]), (16, 4));
}

fn slow_greeting() -> Smtp {
    let server = Smtp::builder().script(|phase, _| match phase {
        Phase::Connect => Reply::Delay(Duration::from_millis(700)),
        _ => Reply::Accept,
    });
    server.start()
}

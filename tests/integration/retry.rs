//! `retry`: what has failed is sent again where it can be, and nothing is sent twice by that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use chrono::{Duration, Utc};

use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{Platform, Run, on, wall_in},
    twilio::{Answer, Twilio},
};

/// A mail server that refuses every recipient for good while the switch is on, as it is at first.
fn refusing_smtp() -> (Smtp, Arc<AtomicBool>) {
    let refuses = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&refuses);
    let server = Smtp::builder().script(move |phase, _| match phase {
        Phase::Rcpt if asked.load(SeqCst) => Reply::Say("550 5.1.1 no such user".into()),
        _ => Reply::Accept,
    });
    (server.start(), refuses)
}

/// Participants of a session in an hour, whose mails have all failed.
fn failed(participants: i64) -> (Platform, Smtp) {
    let (smtp, refuses) = refusing_smtp();
    let platform = Platform::seed().mail(&smtp);
    platform.session(1, &wall_in(60));
    platform.participants(1..=participants);
    platform.run(&["send"]).exits(1);
    refuses.store(false, SeqCst);
    (platform, smtp)
}

fn ids(platform: &Platform) -> Vec<String> {
    platform.rows("id", "session_reminder_deliveries ORDER BY id")
}

fn states(platform: &Platform) -> Vec<String> {
    platform.rows("status", "session_reminder_deliveries ORDER BY id")
}

/// As if it had been so long ago that a pass claimed what it is still sending.
fn let_leases_end(platform: &Platform) {
    let past = (Utc::now() - Duration::minutes(5)).format("%Y-%m-%d %H:%M:%S");
    platform.sql(&format!(
        "UPDATE session_reminder_deliveries SET lease_until = '{past}' WHERE status = 'sending'"
    ));
}

#[test]
fn a_failed_mail_is_sent_by_the_next_pass_once() {
    let (platform, smtp) = failed(2);
    let first = &ids(&platform)[0];
    let run = platform.run(&["retry", first]).succeeds();
    assert_eq!(
        run.stdout,
        format!("{first}: mail for session 1, user 1: waits to be sent again\n")
    );
    let columns =
        "status, next_attempt_at, claimed_by, claimed_at, lease_until, error_code, error, attempts";
    let rows = platform.rows(columns, "session_reminder_deliveries WHERE user_id = 1");
    assert_eq!(rows, ["pending|NULL|NULL|NULL|NULL|NULL|NULL|1"]);
    for _ in 0..2 {
        platform.run(&["send"]).succeeds();
        assert_eq!(smtp.recipients(), ["peserta1@example.org"]);
    }
    assert_eq!(states(&platform), ["sent", "failed"]);
}

#[test]
fn what_waits_on_a_channel_that_is_held_back_says_until_when() {
    let (platform, _smtp) = failed(2);
    let id = ids(&platform);
    let later = (Utc::now() + Duration::minutes(2)).format("%Y-%m-%d %H:%M:%S");
    platform.sql(&format!(
        "UPDATE session_reminder_deliveries SET status = 'pending', next_attempt_at = '{later}', error = 'channel stopped: closed'
         WHERE user_id = 2"
    ));
    let wall = wall_in(2);
    let run = platform.run(&["retry", &id[0], &id[1]]).succeeds();
    for (line, waits) in run.stdout.lines().zip(["again", "already"]) {
        let said = format!("waits to be sent {waits}, not before ");
        assert!(line.contains(&said), "{line}");
        assert!(
            line.ends_with(&format!("{} WIB: channel stopped: closed", &wall[..16])),
            "{line}"
        );
    }
}

#[test]
fn all_that_failed_goes_back_at_once() {
    let (platform, smtp) = failed(3);
    platform.session(2, &wall_in(60));
    let run = platform
        .run(&["retry", "--failed", "--session", "2"])
        .succeeds();
    assert!(
        run.stdout.starts_with("nothing has failed"),
        "{}",
        run.stdout
    );
    let answers = platform
        .run(&["retry", "--failed", "--session", "1", "--format", "json"])
        .succeeds()
        .json();
    assert_eq!(answers.as_array().unwrap().len(), 3);
    assert_eq!(
        (&answers[0]["user_id"], &answers[0]["waits"]),
        (&1.into(), &true.into())
    );
    platform.run(&["send", "--session", "1"]).succeeds();
    assert_eq!(smtp.mails().len(), 3);
}

#[test]
fn for_each_id_it_says_what_was_done_or_why_not() {
    let (platform, smtp) = failed(10);
    platform.session(2, &wall_in(90));
    let id = ids(&platform);
    let set = |user: usize, what: &str| {
        platform.sql(&format!(
            "UPDATE session_reminder_deliveries SET {what} WHERE user_id = {user}"
        ));
    };
    set(1, "status = 'sent'");
    set(2, "status = 'pending'");
    set(3, "status = 'sending', error_code = NULL, error = NULL");
    set(10, "status = 'sending'");
    set(4, "status = 'missed'");
    set(
        5,
        "status = 'cancelled', error_code = 'left', error = 'gone'",
    );
    set(6, &format!("scheduled_at = '{}'", wall_in(-1)));
    set(7, &format!("scheduled_at = '{}'", wall_in(30)));
    platform.sql("UPDATE enrollments SET status = 'cancelled' WHERE user_id = 8");
    let asked: Vec<&str> = id.iter().map(String::as_str).chain(["99999"]).collect();
    let before = platform.rows(
        "id, status, updated_at",
        "session_reminder_deliveries ORDER BY id",
    );
    let run = platform.run(&[&["retry"], &asked[..]].concat()).exits(1);
    let said: Vec<&str> = run.stdout.lines().collect();
    for (line, words) in said.iter().zip([
        "was sent already",
        "waits to be sent already",
        "is being sent",
        "was missed",
        "was cancelled already (left: gone)",
        "the session has started",
        "the session was moved to",
        "no longer a participant",
        "waits to be sent again",
        "may have arrived: a pass looks after it when its lease",
        "there is no such message",
    ]) {
        assert!(line.contains(words), "{line}: {words}");
    }
    assert_eq!(said.len(), 11);
    let after = platform.rows(
        "id, status, updated_at",
        "session_reminder_deliveries ORDER BY id",
    );
    assert_eq!(
        after[..8],
        before[..8],
        "what is not put back is left alone"
    );
    // What waits already needs nothing more.
    platform.run(&["retry", &id[1], &id[8]]).succeeds();
    platform.run(&["retry"]).exits(2);
    platform.run(&["retry", "1", "--failed"]).exits(2);
    platform.run(&["retry", "first"]).exits(2);
    assert!(smtp.mails().is_empty());
}

/// A mail that the server has taken without saying so, kept as `unknown`.
fn mail_in_doubt() -> (Platform, Smtp) {
    let count = AtomicUsize::new(0);
    let smtp = Smtp::builder().script(move |phase, _| {
        match phase == Phase::Body && count.fetch_add(1, SeqCst) == 0 {
            true => Reply::AcceptThenDrop,
            false => Reply::Accept,
        }
    });
    let smtp = smtp.start();
    let platform = Platform::seed()
        .mail(&smtp)
        .set("REMINDER_IN_DOUBT", "hold");
    platform.session(1, &wall_in(60));
    platform.participant(1, "Budi", "budi@example.org");
    platform.run(&["send"]).succeeds();
    let_leases_end(&platform);
    platform.run(&["send"]).exits(1);
    assert_eq!(states(&platform), ["unknown"]);
    (platform, smtp)
}

#[test]
fn a_mail_in_doubt_goes_again_only_when_that_is_said_and_is_the_same_mail() {
    let (platform, smtp) = mail_in_doubt();
    let id = &ids(&platform)[0];
    let run = platform.run(&["retry", id]).exits(1);
    assert!(run.stdout.contains("may have arrived"), "{}", run.stdout);
    platform.run(&["retry", "--failed"]).succeeds();
    assert_eq!(states(&platform), ["unknown"]);

    // A mail of its own would have another Date.
    thread::sleep(std::time::Duration::from_millis(1100));
    let run = platform
        .run(&["retry", "--failed", "--even-if-in-doubt"])
        .succeeds();
    assert!(run.stdout.contains("may arrive twice"), "{}", run.stdout);
    for _ in 0..2 {
        platform.run(&["send"]).succeeds();
    }
    let mails = smtp.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].data, mails[1].data);
    assert_eq!(states(&platform), ["sent"]);
}

/// A WhatsApp message in doubt, kept as `unknown`.
fn message_in_doubt(answer: fn() -> Answer) -> (Platform, Twilio) {
    let count = AtomicUsize::new(0);
    let twilio = Twilio::script(move |_| match count.fetch_add(1, SeqCst) {
        0 => answer(),
        _ => Answer::Created,
    });
    let platform = Platform::seed().whatsapp(&twilio);
    platform.session(1, &wall_in(60));
    platform.participant(1, "Budi", "budi@example.org");
    platform.opted_in(1, "081234567890");
    platform.run(&["send"]).succeeds();
    assert_eq!(states(&platform), ["sending"]);
    platform.sql("UPDATE session_reminder_deliveries SET status = 'unknown'");
    (platform, twilio)
}

#[test]
fn a_whatsapp_message_in_doubt_is_looked_for_before_it_goes_again() {
    for (answer, posts) in [
        ((|| Answer::CreateThenDrop) as fn() -> Answer, 1),
        (|| Answer::Drop, 2),
    ] {
        let (platform, twilio) = message_in_doubt(answer);
        let run = platform.run(&["retry", &ids(&platform)[0]]).succeeds();
        assert!(
            run.stdout.contains("unless Twilio has it"),
            "{}",
            run.stdout
        );
        platform.run(&["send"]).succeeds();
        assert_eq!(states(&platform), ["sent"]);
        assert_eq!((twilio.posts(), twilio.created().len()), (posts, 1));
    }
}

#[test]
fn a_whatsapp_message_that_was_taken_and_not_delivered_goes_again() {
    let twilio = Twilio::start();
    let platform = Platform::seed().whatsapp(&twilio);
    platform.session(1, &wall_in(60));
    platform.participant(1, "Budi", "budi@example.org");
    platform.opted_in(1, "081234567890");
    platform.run(&["send"]).succeeds();
    twilio.set_status(&twilio.created()[0].sid, "undelivered", Some(63016));
    let past = (Utc::now() - Duration::minutes(1)).format("%Y-%m-%d %H:%M:%S");
    platform.sql(&format!(
        "UPDATE session_reminder_deliveries SET next_attempt_at = '{past}'"
    ));
    platform.run(&["send"]).exits(1);
    assert_eq!(platform.ledger(), ["whatsapp|1|failed|63016"]);

    platform.run(&["retry", "--failed"]).succeeds();
    let again = platform.rows(
        "status, sent_at, rendered_at",
        "session_reminder_deliveries",
    );
    assert_eq!(again, ["pending|NULL|NULL"]);
    platform.run(&["send"]).succeeds();
    assert_eq!(twilio.created().len(), 2, "it is sent, not found at Twilio");
    let sid = platform.rows("message_id", "session_reminder_deliveries");
    assert_eq!(sid, [twilio.created()[1].sid.clone()]);
}

#[test]
fn who_has_opted_out_is_written_to_only_after_an_opt_in() {
    let stopped = AtomicBool::new(true);
    let twilio = Twilio::script(move |_| match stopped.swap(false, SeqCst) {
        true => Answer::error(400, 21610, "Attempt to send to unsubscribed recipient"),
        false => Answer::Created,
    });
    let platform = Platform::seed().whatsapp(&twilio);
    platform.session(1, &wall_in(60));
    platform.participant(1, "Budi", "budi@example.org");
    platform.opted_in(1, "081234567890");
    platform.run(&["send"]).exits(1);
    let id = &ids(&platform)[0];
    let run = platform.run(&["retry", id]).exits(1);
    assert!(
        run.stdout.contains("`reminders opt-in 1` first"),
        "{}",
        run.stdout
    );

    // Where the platform could not be told, the ledger remembers it.
    platform.sql(
        "UPDATE user_profiles SET whatsapp_opt_in = true;
         UPDATE session_reminder_deliveries SET delivery_status = 'opted_out'",
    );
    let run = platform.run(&["retry", id]).exits(1);
    assert!(
        run.stdout.contains("has told WhatsApp to stop"),
        "{}",
        run.stdout
    );
    platform.run(&["opt-in", "1"]).succeeds();
    platform.run(&["retry", id]).succeeds();
    platform.run(&["send"]).succeeds();
    assert_eq!(twilio.created().len(), 1);
}

#[test]
fn a_number_that_is_still_wrong_is_not_put_back() {
    let twilio = Twilio::start();
    let platform = Platform::seed().whatsapp(&twilio);
    platform.session(1, &wall_in(60));
    platform.participant(1, "Budi", "budi@example.org");
    platform.opted_in(1, "12");
    platform.run(&["send"]).exits(1);
    let id = &ids(&platform)[0];
    let run = platform.run(&["retry", id]).exits(1);
    assert!(
        run.stdout
            .contains("`reminders opt-in 1 --phone NUMBER` first"),
        "{}",
        run.stdout
    );
    platform
        .run(&["opt-in", "1", "--phone", "081234567890"])
        .succeeds();
    platform.run(&["retry", id]).succeeds();
    platform.run(&["send"]).succeeds();
    assert_eq!(twilio.created().len(), 1);
}

#[test]
fn beside_running_passes_everybody_is_still_told_once() {
    let (platform, smtp) = failed(60);
    let ids = ids(&platform);
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let waiting = || states(&platform).iter().any(|state| state != "sent");
    for _ in 0..20 {
        let half = [&["retry"], &all[..30]].concat();
        let commands = [
            &["send"][..],
            &half,
            &["retry", "--failed"],
            &["send", "--channel", "mail"],
        ];
        let running = commands.map(|arguments| (arguments, platform.start(arguments)));
        for (arguments, process) in running {
            let run = Run::of(arguments, process.wait_with_output().unwrap());
            assert!([0, 1].contains(&run.code), "{}", run.stderr);
        }
        if !waiting() {
            break;
        }
    }
    assert!(!waiting(), "{:?}", states(&platform));
    let mut told = smtp.recipients();
    assert_eq!(told.len(), 60);
    told.dedup();
    assert_eq!(told.len(), 60);
}

#[test]
fn what_is_sent_at_the_same_moment_stays_sent() {
    let (platform, _smtp) = failed(1);
    let id = &ids(&platform)[0];
    let mut other = platform.database();
    other.run(on("BEGIN IMMEDIATE", "BEGIN", "BEGIN")).unwrap();
    other
        .run("UPDATE session_reminder_deliveries SET status = 'sent'")
        .unwrap();
    let retry = platform.start(&["retry", id]);
    // It has seen a row that has failed, or waits to see it.
    thread::sleep(std::time::Duration::from_secs(2));
    other.run("COMMIT").unwrap();
    let run = Run::of(&["retry"], retry.wait_with_output().unwrap()).exits(1);
    assert!(run.stdout.contains("was sent already"), "{}", run.stdout);
    assert_eq!(states(&platform), ["sent"]);
}

#[test]
fn what_waits_for_a_channel_that_is_off_is_said() {
    let (platform, _smtp) = failed(1);
    let platform = platform.set("MAIL_MAILER", "none");
    let run = platform.run(&["retry", "--failed"]).succeeds();
    assert!(run.stderr.contains("mail is off"), "{}", run.stderr);
}

#[test]
fn before_migrate_it_says_what_is_missing() {
    let run = Platform::untouched().run(&["retry", "1"]).exits(78);
    assert!(
        run.stderr.contains("run `reminders migrate`"),
        "{}",
        run.stderr
    );
}

#[test]
fn of_what_was_missed_it_says_why_it_is_not_sent_later() {
    let platform = Platform::seed();
    platform.participant(1, "Budi", "budi@example.org");
    let said = |start: &str| {
        platform.sql("DELETE FROM session_reminder_deliveries; DELETE FROM course_sessions");
        platform.session(1, start);
        platform.sql(&format!(
            "INSERT INTO session_reminder_deliveries
                (id, course_session_id, user_id, channel, lead_minutes, scheduled_at, status, error_code, created_at, updated_at)
             VALUES (1, 1, 1, 'mail', 60, '{start}', 'missed', 'window_passed', '{start}', '{start}')"
        ));
        platform.run(&["retry", "1"]).exits(1).stdout
    };
    let ahead = said(&wall_in(30));
    assert!(ahead.contains("REMINDER_CATCH_UP"), "{ahead}");
    let begun = said(&wall_in(-30));
    assert!(
        begun.contains("was missed, and is not sent later: the session has started"),
        "{begun}"
    );
    assert!(!begun.contains("REMINDER_CATCH_UP"), "{begun}");
}

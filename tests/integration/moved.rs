//! What changes between the reminder and the start: the session is moved, somebody leaves, opts out, comes back.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{BackEnd, Database, NOW, Platform, START, busy_smtp},
    twilio::{Answer, Twilio},
};

fn move_to(platform: &Platform, start: &str) {
    platform.sql(&format!(
        "UPDATE course_sessions SET scheduled_at = '{start}'"
    ));
}

fn leave(platform: &Platform) {
    platform.sql("UPDATE enrollments SET status = 'cancelled'");
}

fn come_back(platform: &Platform) {
    platform.sql("UPDATE enrollments SET status = 'active'");
}

fn starts(platform: &Platform) -> Vec<String> {
    platform.rows(
        "scheduled_at, status, error_code",
        "session_reminder_deliveries ORDER BY scheduled_at",
    )
}

const AFTER_TWO_MINUTES: &str = "2026-11-23T16:02:00+07:00";
const AFTER_THREE_MINUTES: &str = "2026-11-23T16:03:00+07:00";

#[test]
fn a_moved_session_is_told_again_for_its_new_start() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    move_to(&platform, "2026-11-24 09:30:00");
    platform.send_at(AFTER_TWO_MINUTES).succeeds();
    assert_eq!(smtp.mails().len(), 1);

    for now in ["2026-11-24T08:30:00+07:00", "2026-11-24T08:31:00+07:00"] {
        platform.send_at(now).succeeds();
        assert_eq!(smtp.mails().len(), 2);
    }
    assert_eq!(
        starts(&platform),
        [
            "2026-11-23 17:00:00|sent|NULL",
            "2026-11-24 09:30:00|sent|NULL"
        ]
    );
    let mails = smtp.mails();
    assert!(
        mails[1]
            .text()
            .contains("Selasa, 24 November 2026 pukul 09.30 WIB")
    );
    assert_ne!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
}

#[test]
fn a_session_moved_by_a_few_minutes_is_told_again_too() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    move_to(&platform, "2026-11-23 17:04:00");
    platform.send_at(AFTER_TWO_MINUTES).succeeds();
    assert!(smtp.mails()[1].text().contains("17.04 WIB"));
}

#[test]
fn what_waits_for_the_old_start_is_cancelled_as_moved() {
    let (smtp, busy) = busy_smtp();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    move_to(&platform, "2026-11-24 09:30:00");
    busy.store(false, Ordering::SeqCst);
    let run = platform.run(&["send", "--now", AFTER_TWO_MINUTES, "--format", "json"]);
    assert_eq!(run.succeeds().json()["cancelled"], 1);
    assert_eq!(starts(&platform), ["2026-11-23 17:00:00|cancelled|moved"]);
    assert!(smtp.mails().is_empty());
}

#[test]
fn a_session_moved_there_and_back_is_told_for_both_starts_once() {
    let (smtp, busy) = busy_smtp();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    busy.store(false, Ordering::SeqCst);
    move_to(&platform, "2026-11-23 17:04:00");
    platform.send_at(AFTER_TWO_MINUTES).succeeds();
    assert_eq!(
        starts(&platform),
        [
            "2026-11-23 17:00:00|cancelled|moved",
            "2026-11-23 17:04:00|sent|NULL"
        ]
    );
    move_to(&platform, START);
    for _ in 0..2 {
        platform.send_at(AFTER_THREE_MINUTES).succeeds();
        assert_eq!(
            starts(&platform),
            [
                "2026-11-23 17:00:00|sent|NULL",
                "2026-11-23 17:04:00|sent|NULL"
            ]
        );
    }
    assert_eq!(smtp.mails().len(), 2);
}

#[test]
fn who_has_left_gets_nothing_and_who_comes_back_is_told() {
    let (smtp, busy) = busy_smtp();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    busy.store(false, Ordering::SeqCst);
    leave(&platform);
    for _ in 0..2 {
        platform.send_at(AFTER_TWO_MINUTES).succeeds();
        assert_eq!(platform.ledger(), ["mail|1|cancelled|left"]);
    }
    assert!(smtp.mails().is_empty());

    come_back(&platform);
    for _ in 0..2 {
        platform.send_at(AFTER_THREE_MINUTES).succeeds();
        assert_eq!(platform.ledger(), ["mail|1|sent|NULL"]);
    }
    assert_eq!(smtp.mails().len(), 1);
}

#[test]
fn who_was_told_is_not_told_again_after_leaving_and_coming_back() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    leave(&platform);
    platform.send_at(AFTER_TWO_MINUTES).succeeds();
    come_back(&platform);
    platform.send_at(AFTER_THREE_MINUTES).succeeds();
    assert_eq!(platform.ledger(), ["mail|1|sent|NULL"]);
    assert_eq!(smtp.mails().len(), 1);
}

#[test]
fn who_opts_out_while_a_message_waits_gets_none() {
    let twilio = Twilio::script(|_| Answer::error(429, 20429, "Too many requests"));
    let platform = Platform::seed().whatsapp(&twilio);
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.opted_in(1, "081234567890");
    platform.send();
    assert_eq!(
        platform.rows("status", "session_reminder_deliveries"),
        ["pending"]
    );
    let asked = twilio.requests().len();
    platform.run(&["opt-out", "1"]).succeeds();
    platform.send_at("2026-11-23T16:20:00+07:00");
    assert_eq!(platform.ledger(), ["whatsapp|1|cancelled|opted_out"]);
    assert_eq!(twilio.requests().len(), asked);
}

#[test]
fn a_session_that_is_deleted_while_a_mail_waits_is_not_told() {
    let (smtp, busy) = busy_smtp();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    busy.store(false, Ordering::SeqCst);
    platform.sql("DELETE FROM course_sessions");
    platform.send_at(AFTER_TWO_MINUTES).succeeds();
    assert_eq!(platform.ledger(), ["mail|1|cancelled|left"]);
}

#[test]
fn what_waits_until_its_old_start_comes_is_cancelled_and_not_missed() {
    let (smtp, _busy) = busy_smtp();
    let platform = Platform::due(&smtp);
    // The last of these puts it off until 17.01.
    for now in [
        NOW,
        AFTER_TWO_MINUTES,
        "2026-11-23T16:05:00+07:00",
        "2026-11-23T16:51:00+07:00",
    ] {
        platform.send_at(now).succeeds();
    }
    move_to(&platform, "2026-11-24 09:30:00");
    platform.send_at("2026-11-23T16:59:30+07:00").succeeds();
    assert_eq!(starts(&platform), ["2026-11-23 17:00:00|cancelled|moved"]);
}

#[test]
fn a_change_in_the_middle_of_a_pass_holds_for_every_claim_after_it() {
    // At the fifth mail the session is cancelled: a mail on its way and one that is claimed may still go.
    let database = Arc::new(Mutex::new(String::new()));
    let (place, count) = (database.clone(), AtomicUsize::new(0));
    let smtp = Smtp::builder()
        .script(move |phase, _| {
            if phase == Phase::Rcpt && count.fetch_add(1, Ordering::Relaxed) == 4 {
                let mut db = Database::open(BackEnd::chosen(), &place.lock().unwrap());
                db.run("DELETE FROM enrollments").unwrap();
            }
            Reply::Accept
        })
        .start();
    let platform = Platform::seed().mail(&smtp).set("MAIL_CONNECTIONS", "1");
    *database.lock().unwrap() = platform.database_place();
    platform.session(1, START);
    for id in 1..=40 {
        platform.participant(id, &format!("Peserta {id}"), &format!("p{id}@example.org"));
    }
    platform.send().succeeds();
    assert!(
        (5..=6).contains(&smtp.mails().len()),
        "{}",
        smtp.mails().len()
    );
    let cancelled = platform.rows(
        "user_id",
        "session_reminder_deliveries WHERE status = 'cancelled'",
    );
    assert_eq!(cancelled.len() + smtp.mails().len(), 40);
}

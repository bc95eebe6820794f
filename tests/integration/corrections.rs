//! `REMINDER_CORRECTIONS=on`: who was told of a start that has changed since hears of it, once.

use std::{
    process::Child,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use crate::{
    smtp::{Mail, Phase, Reply, Smtp},
    support::{BackEnd, Platform, Run, START, busy_smtp},
    twilio::{Answer, Twilio},
};

const AFTER_TWO_MINUTES: &str = "2026-11-23T16:02:00+07:00";
const AFTER_THREE_MINUTES: &str = "2026-11-23T16:03:00+07:00";
const AFTER_SIX_MINUTES: &str = "2026-11-23T16:06:00+07:00";

const TOMORROW: &str = "2026-11-24 09:30:00";
const TONIGHT: &str = "2026-11-23 20:00:00";
/// Inside the window that is open at [`AFTER_TWO_MINUTES`].
const SOON: &str = "2026-11-23 17:04:00";

/// A platform that corrects, with one session.
fn course(smtp: &Smtp) -> Platform {
    let platform = Platform::seed()
        .mail(smtp)
        .set("REMINDER_CORRECTIONS", "on");
    platform.session(1, START);
    platform
}

/// The same with so many participants, all of them told.
fn told(smtp: &Smtp, participants: i64) -> Platform {
    let platform = course(smtp);
    platform.participants(1..=participants);
    platform.send().succeeds();
    assert_eq!(smtp.mails().len() as i64, participants);
    platform
}

/// A pass, and another one that finds nothing left.
fn send_twice(platform: &Platform, now: &str) {
    let first = platform.send_at(now).succeeds();
    assert_eq!(first.complaints(), [""; 0]);
    let second = platform.run(&["send", "--now", now, "--format", "json"]);
    assert_eq!(second.succeeds().json()["enqueued"], 0);
}

fn move_to(platform: &Platform, start: &str) {
    platform.sql(&format!(
        "UPDATE course_sessions SET scheduled_at = '{start}' WHERE id = 1"
    ));
}

fn delete(platform: &Platform) {
    platform.sql("DELETE FROM course_sessions");
}

/// A platform that marks cancelled sessions, instead of deleting them.
fn with_cancelled_at(platform: &Platform) {
    platform.sql("ALTER TABLE course_sessions ADD COLUMN cancelled_at timestamp NULL");
    platform.run(&["migrate"]).succeeds();
}

const CANCEL: &str = "UPDATE course_sessions SET cancelled_at = '2026-11-23 16:01:00'";
const RESTORE: &str = "UPDATE course_sessions SET cancelled_at = NULL";

/// `kind|user_id|scheduled_at|status|error_code`, in the order in which they were made.
fn ledger(platform: &Platform) -> Vec<String> {
    platform.rows(
        "kind, user_id, scheduled_at, status, error_code",
        "session_reminder_deliveries ORDER BY id",
    )
}

/// The first words of each mail's subject, in the order in which they came.
fn news(smtp: &Smtp) -> Vec<String> {
    let news = |mail: &Mail| mail.subject().split(':').next().unwrap().to_owned();
    smtp.mails().iter().map(news).collect()
}

/// Where each mail went, in the order in which they came.
fn recipients(smtp: &Smtp) -> Vec<String> {
    smtp.mails().iter().map(|mail| mail.to[0].clone()).collect()
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

#[test]
fn exactly_those_who_were_told_hear_that_a_session_has_moved() {
    let smtp = Smtp::start();
    let platform = told(&smtp, 2);
    platform.participant(3, "Siti", "siti@example.org");
    move_to(&platform, TOMORROW);
    send_twice(&platform, AFTER_TWO_MINUTES);
    send_twice(&platform, AFTER_THREE_MINUTES);
    assert_eq!(
        sorted(recipients(&smtp)[2..].to_vec()),
        ["peserta1@example.org", "peserta2@example.org"]
    );
    let mail = &smtp.mails()[2];
    assert_eq!(
        mail.subject(),
        "Jadwal berubah: Pecahan, Selasa, 24 November 2026 pukul 09.30 WIB"
    );
    let text = mail.text();
    assert!(
        text.contains("Waktu lama: Senin, 23 November 2026 pukul 17.00 WIB"),
        "{text}"
    );
    assert!(text.contains("https://meet.example.org/1"), "{text}");

    // The window of the new start opens tomorrow: then all are reminded as usual.
    send_twice(&platform, "2026-11-24T08:30:00+07:00");
    assert_eq!(smtp.mails().len(), 4 + 3);
    assert!(news(&smtp)[4..].iter().all(|news| news == "Pengingat"));
}

#[test]
fn a_correction_answers_the_mail_that_it_corrects() {
    let smtp = Smtp::start();
    let platform = told(&smtp, 1);
    move_to(&platform, TOMORROW);
    platform.send_at(AFTER_TWO_MINUTES).succeeds();
    move_to(&platform, TONIGHT);
    platform.send_at(AFTER_THREE_MINUTES).succeeds();
    let mails = smtp.mails();
    for (first, second) in [(0, 1), (1, 2)] {
        let id = mails[first].header("Message-ID");
        assert_eq!(mails[second].header("In-Reply-To"), id);
        assert_eq!(mails[second].header("References"), id);
        assert_ne!(mails[second].header("Message-ID"), id);
    }
    assert_eq!(mails[0].header("In-Reply-To"), None);
}

#[test]
fn without_the_setting_nobody_hears_and_the_second_view_is_not_even_asked() {
    let smtp = Smtp::start();
    let platform = told(&smtp, 1).set("REMINDER_CORRECTIONS", "off");
    platform.sql("DROP VIEW session_cancellations");
    move_to(&platform, TOMORROW);
    send_twice(&platform, AFTER_TWO_MINUTES);
    delete(&platform);
    send_twice(&platform, AFTER_THREE_MINUTES);
    assert_eq!(news(&smtp), ["Pengingat"]);
}

#[test]
fn nothing_is_said_while_nothing_changes() {
    let smtp = Smtp::start();
    let platform = told(&smtp, 2);
    for now in [AFTER_TWO_MINUTES, AFTER_THREE_MINUTES, AFTER_SIX_MINUTES] {
        let run = platform.run(&["send", "--now", now, "--format", "json"]);
        assert_eq!(run.succeeds().json()["enqueued"], 0);
    }
    assert_eq!(smtp.mails().len(), 2);
}

#[test]
fn there_and_back_and_there_again_is_told_each_time_once() {
    let smtp = Smtp::start();
    let platform = told(&smtp, 1);
    let moves = [
        (TONIGHT, AFTER_TWO_MINUTES),
        (START, AFTER_THREE_MINUTES),
        (TONIGHT, "2026-11-23T16:04:00+07:00"),
        (START, "2026-11-23T16:05:00+07:00"),
    ];
    for (start, now) in moves {
        move_to(&platform, start);
        send_twice(&platform, now);
    }
    let said: Vec<String> = smtp.mails()[1..].iter().map(Mail::text).collect();
    for (text, (new, old)) in
        said.iter()
            .zip([("20", "17"), ("17", "20"), ("20", "17"), ("17", "20")])
    {
        assert!(
            text.contains(&format!("baru: Senin, 23 November 2026 pukul {new}.00")),
            "{text}"
        );
        assert!(
            text.contains(&format!("lama: Senin, 23 November 2026 pukul {old}.00")),
            "{text}"
        );
    }
    assert_eq!(said.len(), 4);
    // The first reminder was for this very start.
    send_twice(&platform, AFTER_SIX_MINUTES);
    assert_eq!(smtp.mails().len(), 5);
}

#[test]
fn a_correction_inside_the_window_takes_the_place_of_the_reminder() {
    let smtp = Smtp::start();
    let platform = told(&smtp, 2);
    platform.participant(3, "Siti", "siti@example.org");
    move_to(&platform, SOON);
    for now in [AFTER_TWO_MINUTES, AFTER_THREE_MINUTES, AFTER_SIX_MINUTES] {
        send_twice(&platform, now);
        assert_eq!(
            sorted(news(&smtp)[2..].to_vec()),
            ["Jadwal berubah", "Jadwal berubah", "Pengingat"]
        );
    }
    assert!(recipients(&smtp)[2..].contains(&"siti@example.org".into()));
    assert_eq!(
        sorted(ledger(&platform)),
        [
            "moved|1|2026-11-23 17:04:00|sent|NULL",
            "moved|2|2026-11-23 17:04:00|sent|NULL",
            "reminder|1|2026-11-23 17:00:00|sent|NULL",
            "reminder|1|2026-11-23 17:04:00|cancelled|corrected",
            "reminder|2|2026-11-23 17:00:00|sent|NULL",
            "reminder|2|2026-11-23 17:04:00|cancelled|corrected",
            "reminder|3|2026-11-23 17:04:00|sent|NULL",
        ]
    );
    // Laravel's log counts reminders, as before.
    assert_eq!(
        platform.rows("recipients_count", "session_reminder_logs"),
        ["1"]
    );
}

#[test]
fn a_correction_past_the_window_leaves_nobody_missed_but_the_untold() {
    let smtp = Smtp::start();
    let platform = course(&smtp);
    platform.participants(1..=1);
    // Windows are looked back at from the first reminder on.
    platform.session(2, "2026-11-23 10:00:00");
    platform.send_at("2026-11-23T09:00:00+07:00").succeeds();
    platform.send().succeeds();
    move_to(&platform, "2026-11-23 16:30:00");
    send_twice(&platform, AFTER_TWO_MINUTES);
    assert_eq!(news(&smtp)[1..], ["Pengingat", "Jadwal berubah"]);

    platform.participant(2, "Siti", "siti@example.org");
    move_to(&platform, "2026-11-23 16:35:00");
    platform.send_at(AFTER_THREE_MINUTES).exits(1);
    send_twice(&platform, "2026-11-23T16:04:00+07:00");
    assert_eq!(smtp.mails().len(), 4);
    let missed = "session_reminder_deliveries WHERE status = 'missed'";
    assert_eq!(
        platform.rows("user_id, scheduled_at", missed),
        ["2|2026-11-23 16:35:00"]
    );
}

#[test]
fn one_correction_stands_for_the_reminders_of_every_lead_that_has_come() {
    let smtp = Smtp::start();
    let platform = course(&smtp).set("REMINDER_LEAD", "24h,60m");
    platform.participants(1..=1);
    platform.send_at("2026-11-22T17:00:00+07:00").succeeds();
    move_to(&platform, "2026-11-23 15:00:00");
    send_twice(&platform, "2026-11-23T14:00:00+07:00");
    send_twice(&platform, "2026-11-23T14:03:00+07:00");
    assert_eq!(news(&smtp), ["Pengingat", "Jadwal berubah"]);
}

#[test]
fn a_waiting_reminder_of_a_start_that_comes_back_is_replaced_too() {
    let (smtp, busy) = busy_smtp();
    let platform = course(&smtp).set("REMINDER_LEAD", "24h,60m");
    platform.participants(1..=1);
    busy.store(false, SeqCst);
    platform.send_at("2026-11-22T17:00:00+07:00").succeeds();
    busy.store(true, SeqCst);
    platform.send().succeeds();
    move_to(&platform, TONIGHT);
    busy.store(false, SeqCst);
    platform.send_at("2026-11-23T16:00:30+07:00").succeeds();
    move_to(&platform, START);
    send_twice(&platform, AFTER_TWO_MINUTES);
    assert_eq!(
        news(&smtp),
        ["Pengingat", "Jadwal berubah", "Jadwal berubah"]
    );
}

#[test]
fn a_deleted_session_is_told_as_cancelled() {
    let smtp = Smtp::start();
    let platform = told(&smtp, 2);
    delete(&platform);
    send_twice(&platform, AFTER_TWO_MINUTES);
    send_twice(&platform, AFTER_SIX_MINUTES);
    assert_eq!(news(&smtp)[2..], ["Dibatalkan", "Dibatalkan"]);
    let mail = &smtp.mails()[2];
    assert_eq!(
        mail.subject(),
        "Dibatalkan: sesi Anda, Senin, 23 November 2026 pukul 17.00 WIB"
    );
    assert!(ledger(&platform)[2..].contains(&"cancelled|1|2026-11-23 17:00:00|sent|NULL".into()));
}

#[test]
fn whatever_a_platform_cancels_with_is_told_with_the_title() {
    for (column, change) in [
        ("cancelled_at timestamp NULL", CANCEL),
        (
            "status varchar(20)",
            "UPDATE course_sessions SET status = 'cancelled'",
        ),
        (
            "deleted_at timestamp NULL",
            "UPDATE course_sessions SET deleted_at = '2026-11-23 16:01:00'",
        ),
        (
            "note varchar(20)",
            "UPDATE courses SET deleted_at = '2026-11-23 16:01:00'",
        ),
    ] {
        let smtp = Smtp::start();
        let platform = told(&smtp, 1);
        platform.sql(&format!("ALTER TABLE course_sessions ADD COLUMN {column}"));
        platform.run(&["migrate"]).succeeds();
        send_twice(&platform, AFTER_TWO_MINUTES);
        platform.sql(change);
        send_twice(&platform, AFTER_THREE_MINUTES);
        assert_eq!(news(&smtp), ["Pengingat", "Dibatalkan"], "{change}");
        let text = smtp.mails()[1].text();
        assert!(
            text.contains("Sesi: Pecahan\r\nKursus: Matematika Dasar\r\n"),
            "{text}"
        );
        assert!(!text.contains("meet.example.org"), "{text}");
    }
}

#[test]
fn who_has_left_or_may_not_be_written_to_hears_nothing() {
    let smtp = Smtp::start();
    let platform = told(&smtp, 3);
    with_cancelled_at(&platform);
    platform.sql("UPDATE enrollments SET status = 'cancelled' WHERE user_id = 1");
    platform.sql("UPDATE users SET status = 'suspended' WHERE id = 2");
    send_twice(&platform, AFTER_TWO_MINUTES);
    assert_eq!(smtp.mails().len(), 3, "leaving is no cancellation");
    move_to(&platform, TOMORROW);
    send_twice(&platform, AFTER_THREE_MINUTES);
    platform.sql(CANCEL);
    send_twice(&platform, AFTER_SIX_MINUTES);
    assert_eq!(news(&smtp)[3..], ["Jadwal berubah", "Dibatalkan"]);
    assert_eq!(
        recipients(&smtp)[3..],
        ["peserta3@example.org", "peserta3@example.org"]
    );
}

#[test]
fn who_leaves_while_a_correction_waits_gets_none_and_one_on_coming_back() {
    let (smtp, busy) = busy_smtp();
    busy.store(false, SeqCst);
    let platform = told(&smtp, 1);
    move_to(&platform, SOON);
    busy.store(true, SeqCst);
    platform.send_at(AFTER_TWO_MINUTES).succeeds();
    platform.sql("UPDATE enrollments SET status = 'cancelled'");
    busy.store(false, SeqCst);
    send_twice(&platform, "2026-11-23T16:04:00+07:00");
    assert!(ledger(&platform).contains(&"moved|1|2026-11-23 17:04:00|cancelled|left".into()));
    platform.sql("UPDATE enrollments SET status = 'active'");
    send_twice(&platform, AFTER_SIX_MINUTES);
    assert_eq!(news(&smtp), ["Pengingat", "Jadwal berubah"]);
}

#[test]
fn a_session_that_is_cancelled_restored_and_cancelled_is_told_each_time() {
    let smtp = Smtp::start();
    let platform = told(&smtp, 1);
    with_cancelled_at(&platform);
    for (change, now) in [
        (CANCEL, AFTER_TWO_MINUTES),
        (RESTORE, AFTER_THREE_MINUTES),
        (CANCEL, "2026-11-23T16:04:00+07:00"),
    ] {
        platform.sql(change);
        send_twice(&platform, now);
    }
    assert_eq!(
        news(&smtp),
        ["Pengingat", "Dibatalkan", "Tetap diadakan", "Dibatalkan"]
    );
    let text = smtp.mails()[2].text();
    assert!(
        text.contains("Waktu baru: Senin, 23 November 2026 pukul 17.00 WIB"),
        "{text}"
    );
    assert!(!text.contains("lama"), "{text}");
}

#[test]
fn a_correction_that_is_no_longer_true_is_not_sent() {
    let (smtp, busy) = busy_smtp();
    busy.store(false, SeqCst);
    let platform = told(&smtp, 1);
    with_cancelled_at(&platform);
    busy.store(true, SeqCst);
    for (change, now) in [
        (CANCEL, AFTER_TWO_MINUTES),
        (RESTORE, "2026-11-23T16:04:00+07:00"),
    ] {
        platform.sql(change);
        platform.send_at(now).succeeds();
    }
    move_to(&platform, TOMORROW);
    platform.send_at("2026-11-23T16:05:00+07:00").succeeds();
    move_to(&platform, TONIGHT);
    busy.store(false, SeqCst);
    send_twice(&platform, "2026-11-23T16:10:00+07:00");
    assert_eq!(
        ledger(&platform)[1..],
        [
            "cancelled|1|2026-11-23 17:00:00|cancelled|restored",
            "moved|1|2026-11-24 09:30:00|cancelled|moved",
            "moved|1|2026-11-23 20:00:00|sent|NULL",
        ]
    );
    assert_eq!(news(&smtp), ["Pengingat", "Jadwal berubah"]);
}

#[test]
fn a_correction_that_fails_is_not_made_again() {
    let refuse = Arc::new(AtomicBool::new(false));
    let refuses = Arc::clone(&refuse);
    let smtp = Smtp::builder().script(move |phase, _| match phase {
        Phase::Rcpt if refuses.load(SeqCst) => Reply::Say("550 5.1.1 no such mailbox".into()),
        _ => Reply::Accept,
    });
    let smtp = smtp.start();
    let platform = told(&smtp, 1);
    refuse.store(true, SeqCst);
    move_to(&platform, SOON);
    platform.send_at(AFTER_TWO_MINUTES).exits(1);
    send_twice(&platform, AFTER_THREE_MINUTES);
    assert_eq!(
        ledger(&platform)[1..],
        [
            "moved|1|2026-11-23 17:04:00|failed|550 5.1.1",
            "reminder|1|2026-11-23 17:04:00|cancelled|corrected",
        ]
    );
}

#[test]
fn a_correction_in_doubt_is_sent_again_as_the_same_mail() {
    let break_off = Arc::new(AtomicBool::new(false));
    let breaks = Arc::clone(&break_off);
    let smtp = Smtp::builder().script(move |phase, _| match phase {
        Phase::Body if breaks.swap(false, SeqCst) => Reply::AcceptThenDrop,
        _ => Reply::Accept,
    });
    let smtp = smtp.start();
    let platform = told(&smtp, 1);
    break_off.store(true, SeqCst);
    move_to(&platform, SOON);
    platform.send_at(AFTER_TWO_MINUTES).succeeds();
    let again = platform.send_at("2026-11-23T16:05:00+07:00").succeeds();
    assert!(again.stderr.contains("same Message-ID"), "{}", again.stderr);
    let mails = smtp.mails();
    assert_eq!(news(&smtp)[1..], ["Jadwal berubah", "Jadwal berubah"]);
    for header in ["Message-ID", "Date", "In-Reply-To"] {
        assert_eq!(mails[1].header(header), mails[2].header(header));
    }
    assert_eq!(mails[1].text(), mails[2].text());
    send_twice(&platform, AFTER_SIX_MINUTES);
    assert_eq!(smtp.mails().len(), 3);
}

#[test]
fn nothing_is_corrected_in_the_last_minute_nor_after_the_start_that_was_told() {
    let smtp = Smtp::start();
    let platform = told(&smtp, 1);
    move_to(&platform, TOMORROW);
    for now in ["2026-11-23T16:59:30+07:00", "2026-11-23T17:01:00+07:00"] {
        send_twice(&platform, now);
    }
    move_to(&platform, "2026-11-23 16:10:00");
    platform.send_at("2026-11-23T16:09:30+07:00").succeeds();
    assert_eq!(news(&smtp), ["Pengingat"]);
}

#[test]
fn who_was_told_by_laravel_alone_hears_nothing() {
    let smtp = Smtp::start();
    let platform = course(&smtp);
    platform.participants(1..=1);
    platform.sql("INSERT INTO session_reminder_logs (course_session_id, sent_at) VALUES (1, '2026-11-23 15:58:00')");
    platform.send().succeeds();
    move_to(&platform, TOMORROW);
    send_twice(&platform, AFTER_TWO_MINUTES);
    assert_eq!(smtp.mails().len(), 0);
}

#[test]
fn a_dry_run_shows_the_corrections_and_not_the_reminders_that_they_replace() {
    let smtp = Smtp::start();
    let platform = told(&smtp, 1);
    platform.participant(2, "Siti", "siti@example.org");
    let dry = ["send", "--dry-run", "--now", AFTER_TWO_MINUTES];
    let plan = || {
        let run = platform.run(&[&dry[..], &["--format", "json"]].concat());
        run.succeeds().json()["reminders"].clone()
    };
    move_to(&platform, SOON);
    let reminders = plan();
    assert_eq!(reminders.as_array().unwrap().len(), 2, "{reminders}");
    assert_eq!(reminders[0]["kind"], "moved");
    assert_eq!(reminders[0]["scheduled_at"], SOON);
    assert!(reminders[1].get("kind").is_none());
    let text = platform.run(&dry).succeeds().stdout;
    assert!(
        text.contains("session 1 at 2026-11-23 17:04:00, moved, user 1"),
        "{text}"
    );
    delete(&platform);
    let reminders = plan();
    assert_eq!(reminders.as_array().unwrap().len(), 1, "{reminders}");
    assert_eq!(reminders[0]["kind"], "cancelled");
    assert_eq!(reminders[0]["scheduled_at"], START);
    assert_eq!(reminders[0]["to"], "peserta1@example.org");
    assert_eq!(ledger(&platform).len(), 1, "nothing was written");
}

#[test]
fn without_the_second_view_a_pass_says_to_migrate() {
    let smtp = Smtp::start();
    let platform = told(&smtp, 1);
    platform.sql("DROP VIEW session_cancellations");
    for arguments in [
        ["send", "--now", AFTER_TWO_MINUTES].as_slice(),
        &["send", "--dry-run"],
        &["check"],
    ] {
        let run = platform.run(arguments).exits(78);
        let said = run.stderr + &run.stdout;
        assert!(
            said.contains("session_cancellations") && said.contains("reminders migrate"),
            "{said}"
        );
    }
    let made = platform.run(&["migrate"]).succeeds().stdout;
    assert!(
        made.contains("made the view session_cancellations"),
        "{made}"
    );
    let check = platform.run(&["check"]).succeeds().stdout;
    assert!(check.contains("session_cancellations is there"), "{check}");
    delete(&platform);
    send_twice(&platform, AFTER_TWO_MINUTES);
    assert_eq!(news(&smtp), ["Pengingat", "Dibatalkan"]);
}

/// What a platform of another shape would show us.
const OWN_VIEW: &str = "CREATE VIEW session_participants AS
    SELECT l.id AS session_id, NULL AS course_id, l.topic AS session_title, l.topic AS course_title,
        l.begins AS scheduled_at, 45 AS duration_minutes, 'offline' AS mode, NULL AS modality, NULL AS meeting_url,
        'Ruang 3' AS location, p.id AS user_id, p.nick AS name, p.mailbox AS email, NULL AS phone,
        false AS whatsapp_opt_in, NULL AS timezone, 'en' AS locale
    FROM lessons l CROSS JOIN people p WHERE l.held";

#[test]
fn with_an_operators_own_view_moves_are_told_and_with_a_second_one_cancellations() {
    let smtp = Smtp::start();
    let platform = Platform::empty()
        .mail(&smtp)
        .set("REMINDER_CORRECTIONS", "on");
    platform.sql(&format!(
        "CREATE TABLE lessons (id bigint primary key, topic varchar(255), begins timestamp NULL, held boolean);
         CREATE TABLE people (id bigint primary key, nick varchar(255), mailbox varchar(255));
         INSERT INTO lessons VALUES (7, 'Gamelan', '{START}', true);
         INSERT INTO people VALUES (3, 'Agus', 'agus@example.org');
         {OWN_VIEW};"
    ));
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
    platform.sql(&format!("UPDATE lessons SET begins = '{TONIGHT}'"));
    send_twice(&platform, AFTER_TWO_MINUTES);
    platform.sql("UPDATE lessons SET held = false");
    send_twice(&platform, AFTER_THREE_MINUTES);
    assert_eq!(news(&smtp), ["Reminder", "Moved"]);
    let check = platform.run(&["check"]).stdout;
    assert!(check.contains("cancelled ones not"), "{check}");

    let second = OWN_VIEW
        .replace("session_participants", "session_cancellations")
        .replace("WHERE l.held", "WHERE NOT l.held");
    platform.sql(&second);
    platform.run(&["migrate"]).succeeds();
    send_twice(&platform, AFTER_SIX_MINUTES);
    assert_eq!(news(&smtp), ["Reminder", "Moved", "Cancelled"]);
    assert!(
        smtp.mails()[2]
            .subject()
            .starts_with("Cancelled: Gamelan, Monday, 23 November 2026, 20:00")
    );
    let check = platform.run(&["check"]).stdout;
    assert!(
        check.contains("session_cancellations is your own"),
        "{check}"
    );
    platform.run(&["migrate", "--drop-view"]).succeeds();
    assert!(
        platform
            .relations()
            .contains(&"session_cancellations".into())
    );
}

#[test]
fn passes_at_the_same_moment_make_one_correction_each() {
    let smtp = Smtp::start();
    let platform = told(&smtp, 60);
    if platform.back_end() == BackEnd::Sqlite {
        platform.sql("PRAGMA journal_mode = WAL");
    }
    for (start, now, mails) in [
        (SOON, AFTER_TWO_MINUTES, 120),
        (TONIGHT, AFTER_SIX_MINUTES, 180),
    ] {
        move_to(&platform, start);
        let running: Vec<Child> = (0..4)
            .map(|number| platform.start_on(&format!("host{number}"), now))
            .collect();
        for pass in running {
            let run = Run::of(&["send"], pass.wait_with_output().unwrap()).succeeds();
            assert_eq!(run.complaints(), [""; 0]);
        }
        let mut to = recipients(&smtp)[mails - 60..].to_vec();
        to.sort();
        to.dedup();
        assert_eq!((smtp.mails().len(), to.len()), (mails, 60));
    }
}

/// One participant who has opted in, told by WhatsApp.
fn told_by_whatsapp(twilio: &Twilio, settings: &[(&str, &str)]) -> (Smtp, Platform) {
    let smtp = Smtp::start();
    let mut platform = course(&smtp).whatsapp(twilio);
    for (name, value) in settings {
        platform = platform.set(name, value);
    }
    platform.participants(1..=1);
    platform.opted_in(1, "+6281234567890");
    platform.send().succeeds();
    assert_eq!(twilio.created().len(), 1);
    (smtp, platform)
}

#[test]
fn whatsapp_without_templates_corrects_in_plain_words() {
    let twilio = Twilio::start();
    let (smtp, platform) = told_by_whatsapp(&twilio, &[("REMINDER_LOCALE", "en")]);
    move_to(&platform, TOMORROW);
    send_twice(&platform, AFTER_TWO_MINUTES);
    delete(&platform);
    send_twice(&platform, AFTER_SIX_MINUTES);
    let bodies = twilio
        .created()
        .into_iter()
        .map(|message| message.body.unwrap());
    let bodies: Vec<String> = bodies.collect();
    assert!(bodies[1].contains("• New time: Tuesday, 24 November 2026, 09:30 WIB\n• Old time: Monday, 23 November 2026, 17:00 WIB"), "{bodies:?}");
    assert!(bodies[2].contains("your course session has been cancelled.\n\n• Planned for: Tuesday, 24 November 2026, 09:30 WIB"), "{bodies:?}");
    assert_eq!(news(&smtp), ["Reminder", "Moved", "Cancelled"]);
}

#[test]
fn whatsapp_corrects_with_the_template_of_the_kind() {
    let twilio = Twilio::start();
    let sid = |number: u32| format!("HX{number:032x}");
    let (_smtp, platform) = told_by_whatsapp(
        &twilio,
        &[
            ("TWILIO_WHATSAPP_CONTENT_SID", &sid(1)),
            ("TWILIO_WHATSAPP_CONTENT_SID_MOVED", &sid(2)),
            ("TWILIO_WHATSAPP_CONTENT_SID_CANCELLED_ID", &sid(3)),
            ("TWILIO_WHATSAPP_CONTENT_SID_CANCELLED_EN", &sid(4)),
        ],
    );
    with_cancelled_at(&platform);
    move_to(&platform, TOMORROW);
    send_twice(&platform, AFTER_TWO_MINUTES);
    platform.sql(CANCEL);
    send_twice(&platform, AFTER_SIX_MINUTES);
    let created = twilio.created();
    let sids = created
        .iter()
        .map(|message| message.content_sid.clone().unwrap());
    assert_eq!(sids.collect::<Vec<_>>(), [sid(1), sid(2), sid(3)]);
    let variables = |number: usize| -> serde_json::Value {
        serde_json::from_str(created[number].content_variables.as_deref().unwrap()).unwrap()
    };
    let start = "Selasa, 24 November 2026 pukul 09.30 WIB";
    assert_eq!(
        variables(1),
        serde_json::json!({"1": "Peserta 1", "2": "Pecahan", "3": "Matematika Dasar", "4": start, "5": "https://meet.example.org/1"})
    );
    assert_eq!(
        variables(2),
        serde_json::json!({"1": "Peserta 1", "2": "Pecahan", "3": "Matematika Dasar", "4": start, "5": "-"})
    );
}

#[test]
fn whatsapp_without_a_template_for_the_kind_leaves_it_to_the_mail_and_check_says_so() {
    let twilio = Twilio::start();
    let sid = format!("HX{:032x}", 1);
    let (smtp, platform) = told_by_whatsapp(&twilio, &[("TWILIO_WHATSAPP_CONTENT_SID", &sid)]);
    move_to(&platform, TOMORROW);
    send_twice(&platform, AFTER_TWO_MINUTES);
    delete(&platform);
    send_twice(&platform, AFTER_SIX_MINUTES);
    assert_eq!(twilio.created().len(), 1);
    assert_eq!(news(&smtp), ["Pengingat", "Jadwal berubah", "Dibatalkan"]);
    let check = platform.run(&["check"]).succeeds().stdout;
    for variable in ["CONTENT_SID_MOVED", "CONTENT_SID_CANCELLED"] {
        assert!(check.contains(variable), "{check}");
    }
}

#[test]
fn who_has_opted_out_since_hears_nothing_by_whatsapp() {
    let twilio = Twilio::start();
    let (smtp, platform) = told_by_whatsapp(&twilio, &[]);
    platform.run(&["opt-out", "1"]).succeeds();
    move_to(&platform, TOMORROW);
    send_twice(&platform, AFTER_TWO_MINUTES);
    delete(&platform);
    send_twice(&platform, AFTER_SIX_MINUTES);
    assert_eq!((smtp.mails().len(), twilio.created().len()), (3, 1));
}

#[test]
fn own_words_replace_those_of_the_corrections_one_by_one() {
    let smtp = Smtp::start();
    let platform = told(&smtp, 1);
    let folder = platform.path("texts/id");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(
        folder.join("moved.mail.subject.txt"),
        "{{ old_start }} -> {{ start }}",
    )
    .unwrap();
    let platform = platform.set("REMINDER_TEMPLATES", "texts");
    move_to(&platform, TONIGHT);
    send_twice(&platform, AFTER_TWO_MINUTES);
    assert_eq!(
        smtp.mails()[1].subject(),
        "Senin, 23 November 2026 pukul 17.00 WIB -> Senin, 23 November 2026 pukul 20.00 WIB"
    );
    std::fs::write(folder.join("cancelled.whatsapp.txt"), "{{ sesion }}").unwrap();
    std::fs::write(folder.join("cancelled.mail.txt"), "{{ sesion }}").unwrap();
    let refused = platform
        .run(&["send", "--now", AFTER_THREE_MINUTES])
        .exits(78);
    assert!(
        refused.stderr.contains("cancelled.mail.txt:1"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_whatsapp_correction_in_doubt_is_found_at_twilio_and_not_sent_again() {
    let break_off = Arc::new(AtomicBool::new(false));
    let breaks = Arc::clone(&break_off);
    let twilio = Twilio::script(move |_| match breaks.swap(false, SeqCst) {
        true => Answer::CreateThenDrop,
        false => Answer::Created,
    });
    let (_smtp, platform) = told_by_whatsapp(&twilio, &[]);
    for (change, now, later) in [
        (
            move_to as fn(&Platform, &str),
            AFTER_TWO_MINUTES,
            "2026-11-23T16:05:00+07:00",
        ),
        (
            |platform, _| delete(platform),
            AFTER_SIX_MINUTES,
            "2026-11-23T16:09:00+07:00",
        ),
    ] {
        change(&platform, TOMORROW);
        break_off.store(true, SeqCst);
        platform.send_at(now).succeeds();
        platform.send_at(later).succeeds();
    }
    let rows = platform.rows(
        "kind, status",
        "session_reminder_deliveries WHERE channel = 'whatsapp' ORDER BY id",
    );
    assert_eq!(rows, ["reminder|sent", "moved|sent", "cancelled|sent"]);
    assert_eq!(twilio.created().len(), 3);
}

#[test]
fn what_an_operators_own_second_view_lacks_is_named() {
    let platform = Platform::untouched().set("REMINDER_CORRECTIONS", "on");
    platform.sql("CREATE VIEW session_cancellations AS SELECT 1 AS session_id, 2 AS user_id");
    let refused = platform.run(&["migrate"]).exits(78).stderr;
    assert!(
        refused.contains("your own session_cancellations lacks") && refused.contains("locale"),
        "{refused}"
    );
}

#[test]
fn a_platform_whose_own_tables_are_ours_corrects_too() {
    let smtp = Smtp::start();
    let platform = Platform::empty()
        .mail(&smtp)
        .set("REMINDER_CORRECTIONS", "on")
        .migrated();
    platform.session(1, START);
    platform.participants(1..=1);
    platform.send().succeeds();
    move_to(&platform, TONIGHT);
    send_twice(&platform, AFTER_TWO_MINUTES);
    platform.sql(CANCEL);
    send_twice(&platform, AFTER_THREE_MINUTES);
    assert_eq!(news(&smtp), ["Pengingat", "Jadwal berubah", "Dibatalkan"]);
}

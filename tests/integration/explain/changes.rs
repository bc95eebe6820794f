//! Of moves, cancellations and a channel that is held back it says what the next pass then does.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use super::{at, conclusion, has, platform, rule};
use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{NOW, Platform},
    twilio::Twilio,
};

/// Who gets what in the next pass, as `explain` says, is what that pass then sends.
#[track_caller]
fn agrees_with_the_next_pass(platform: &Platform, now: &str, users: &[i64]) {
    let sent = || {
        platform.rows(
            "user_id, channel, kind",
            "session_reminder_deliveries WHERE status = 'sent' ORDER BY user_id, channel, kind",
        )
    };
    let mut expected = sent();
    for user in users {
        let answer = at(platform, now, "1", &user.to_string());
        for one in answer["conclusion"].as_array().unwrap() {
            let text = one["text"].as_str().unwrap();
            if one["told"] == "will" && text.contains("in the next pass") {
                let kind = one["kind"].as_str().unwrap_or("reminder");
                expected.push(format!(
                    "{user}|{}|{kind}",
                    one["channel"].as_str().unwrap()
                ));
            }
        }
    }
    expected.sort();
    platform.send_at(now);
    assert_eq!(sent(), expected);
}

#[test]
fn what_it_says_of_moves_and_cancellations_is_what_the_next_pass_does() {
    let platform = platform().set("REMINDER_CORRECTIONS", "on");
    platform.run(&["migrate"]).succeeds();
    platform.participant(2, "Siti", "siti@example.org");
    let move_to = |start: &str| {
        platform.sql(&format!(
            "UPDATE course_sessions SET scheduled_at = '{start}'"
        ));
    };
    let users = [1, 2, 3, 4];
    agrees_with_the_next_pass(&platform, NOW, &users[..2]);
    // Into the window that is open, where the correction stands for the reminder; one more has come meanwhile.
    platform.participant(3, "Tono", "tono@example.org");
    move_to("2026-11-23 17:04:00");
    agrees_with_the_next_pass(&platform, "2026-11-23T16:01:00+07:00", &users[..3]);
    // To the next day: those who were told hear of it, and all are reminded again.
    platform.sql("UPDATE user_profiles SET whatsapp_opt_in = false");
    platform.participant(4, "Rina", "rina@example.org");
    move_to("2026-11-24 12:00:00");
    agrees_with_the_next_pass(&platform, "2026-11-23T16:02:00+07:00", &users);
    agrees_with_the_next_pass(&platform, "2026-11-23T16:03:00+07:00", &users);
    agrees_with_the_next_pass(&platform, "2026-11-24T11:00:00+07:00", &users);
    // Cancelled; one has left before.
    platform.sql("UPDATE enrollments SET status = 'cancelled' WHERE user_id = 2");
    platform.sql("UPDATE course_sessions SET cancelled_at = '2026-11-24 11:01:00'");
    agrees_with_the_next_pass(&platform, "2026-11-24T11:02:00+07:00", &users);
    agrees_with_the_next_pass(&platform, "2026-11-24T11:03:00+07:00", &users);
    let rows = platform.rows(
        "channel, kind, count(*)",
        "session_reminder_deliveries WHERE status = 'sent' GROUP BY channel, kind ORDER BY channel, kind",
    );
    assert_eq!(
        rows,
        [
            "mail|cancelled|3",
            "mail|moved|5",
            "mail|reminder|7",
            "whatsapp|moved|1",
            "whatsapp|reminder|1",
        ]
    );
}

#[test]
fn a_new_start_that_was_told_is_reminded_of_and_a_cancellation_that_was_told_is_said() {
    let platform = platform().set("REMINDER_CORRECTIONS", "on");
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
    let texts = |now: &str| said(&platform, now);
    platform.sql("UPDATE course_sessions SET scheduled_at = '2026-11-24 12:00:00'");
    let moved = "that the session was moved to Tue 2026-11-24 12:00 WIB";
    let later = "Budi will be told by mail on Tue 2026-11-24 10:55 WIB".to_owned();
    assert_eq!(
        texts("2026-11-23T16:01:00+07:00"),
        [
            format!("Budi will be told by mail in the next pass {moved}"),
            later.clone()
        ]
    );
    platform.send_at("2026-11-23T16:01:00+07:00").succeeds();
    let told = format!("Budi was told by mail on Mon 2026-11-23 16:01 WIB {moved}");
    assert_eq!(texts("2026-11-23T16:02:00+07:00"), [told.clone(), later]);
    assert_eq!(
        texts("2026-11-24T10:56:00+07:00"),
        [told, "Budi will be told by mail in the next pass".into()]
    );
    platform.send_at("2026-11-24T10:56:00+07:00").succeeds();
    platform.sql("UPDATE course_sessions SET cancelled_at = '2026-11-24 10:57:00'");
    let reminded = "Budi was told by mail on Tue 2026-11-24 10:56 WIB".to_owned();
    assert_eq!(
        texts("2026-11-24T10:58:00+07:00")[1..],
        [
            reminded.clone(),
            "Budi will be told by mail in the next pass that the session is cancelled".into()
        ]
    );
    platform.send_at("2026-11-24T10:58:00+07:00").succeeds();
    assert_eq!(
        texts("2026-11-24T11:00:00+07:00"),
        [
            reminded,
            "Budi was told by mail on Tue 2026-11-24 10:58 WIB that the session is cancelled"
                .into()
        ]
    );
}

#[test]
fn while_a_channel_is_held_neither_explain_nor_a_dry_run_promises_what_a_pass_does_not() {
    let is_down = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&is_down);
    let smtp = Smtp::builder().script(move |phase, _| match phase {
        Phase::Mail if asked.load(SeqCst) => Reply::Say("421 4.3.2 closing".into()),
        _ => Reply::Accept,
    });
    let smtp = smtp.start();
    let platform = platform().mail(&smtp);
    platform.send();
    is_down.store(false, SeqCst);
    platform.participant(2, "Siti", "siti@example.org");
    let soon = "2026-11-23T16:00:30+07:00";
    let run = platform
        .run(&["send", "--dry-run", "--now", soon])
        .succeeds();
    has(&run.stdout, "mail waits: channel stopped: ");
    has(
        &run.stdout,
        "(tried again after Mon 2026-11-23 16:01 WIB)\n",
    );
    has(&run.stdout, "would send nobody");
    let plan = platform.run(&["send", "--dry-run", "--now", soon, "--format", "json"]);
    let plan = plan.succeeds().json();
    let stopped = plan["channels"]["mail"]["stopped"].as_str().unwrap();
    has(stopped, "channel stopped: ");
    agrees_with_the_next_pass(&platform, soon, &[1, 2]);
    assert_eq!(smtp.mails().len(), 0);
    agrees_with_the_next_pass(&platform, "2026-11-23T16:02:00+07:00", &[1, 2]);
    assert_eq!(smtp.mails().len(), 2);
}

#[test]
fn news_of_a_move_waits_for_a_held_channel_too() {
    let is_down = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_down);
    let smtp = Smtp::builder().script(move |phase, _| match phase {
        Phase::Mail if asked.load(SeqCst) => Reply::Say("421 4.3.2 closing".into()),
        _ => Reply::Accept,
    });
    let smtp = smtp.start();
    let platform = platform().mail(&smtp).set("REMINDER_CORRECTIONS", "on");
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
    is_down.store(true, SeqCst);
    platform.participant(2, "Siti", "siti@example.org");
    platform.send_at("2026-11-23T16:01:00+07:00").exits(75);
    is_down.store(false, SeqCst);
    platform.sql("UPDATE course_sessions SET scheduled_at = '2026-11-23 19:00:00'");
    let soon = "2026-11-23T16:01:30+07:00";
    let answer = at(&platform, soon, "1", "1");
    has(
        &rule(&answer, "changed"),
        "ok: the user was told of the start 2026-11-23 17:00:00, and hears of the change by mail and WhatsApp",
    );
    let text = "will: Budi will be told by mail that the session was moved to Mon 2026-11-23 19:00 WIB when the channel works \
                again, not before Mon 2026-11-23 16:02 WIB: channel stopped: ";
    has(&conclusion(&answer, "mail"), text);
    has(
        &conclusion(&answer, "whatsapp"),
        "will: Budi will be told by WhatsApp in the next pass that the session was moved",
    );
    let users = [1, 2];
    agrees_with_the_next_pass(&platform, soon, &users);
    has(&conclusion(&at(&platform, soon, "1", "1"), "mail"), text);
    agrees_with_the_next_pass(&platform, "2026-11-23T16:02:30+07:00", &users);
    agrees_with_the_next_pass(&platform, "2026-11-23T17:55:00+07:00", &users);
    assert_eq!(smtp.mails().len(), 1 + 1 + 2);
}

const TOLD: &str = "the user was told of the start 2026-11-23 17:00:00, and";

/// Moved to the evening, whose window is not open yet.
const MOVED: &str = "UPDATE course_sessions SET scheduled_at = '2026-11-23 20:00:00'";
const CANCELLED: &str = "UPDATE course_sessions SET cancelled_at = '2026-11-23 16:00:30'";

/// Budi was told at 16:00, by mail and by WhatsApp.
fn told() -> Platform {
    let platform = platform().set("REMINDER_CORRECTIONS", "on");
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
    platform
}

fn changed(platform: &Platform, now: &str) -> String {
    rule(&at(platform, now, "1", "1"), "changed")
}

/// The corrections that were sent.
fn corrections(platform: &Platform) -> Vec<String> {
    let sent = "session_reminder_deliveries WHERE status = 'sent' AND kind <> 'reminder'";
    platform.rows(
        "kind, channel",
        &format!("{sent} ORDER BY sent_at, kind, channel"),
    )
}

#[test]
fn who_has_left_hears_of_no_change_and_it_says_why() {
    let platform = told();
    platform.sql("UPDATE enrollments SET status = 'cancelled'");
    for (change, minute) in [(MOVED, 1), (CANCELLED, 2)] {
        platform.sql(change);
        let now = format!("2026-11-23T16:0{minute}:00+07:00");
        assert_eq!(
            changed(&platform, &now),
            format!(
                "none: {TOLD} does not hear of the change by mail and WhatsApp: the enrollment is not active \
                 (enrollments.status: cancelled)"
            )
        );
        platform.send_at(&now).succeeds();
        assert_eq!(corrections(&platform), [""; 0]);
    }
}

#[test]
fn who_has_opted_out_of_whatsapp_hears_by_mail_alone() {
    let platform = told();
    platform.sql("UPDATE user_profiles SET whatsapp_opt_in = false");
    platform.sql(MOVED);
    let now = "2026-11-23T16:01:00+07:00";
    let not_by_whatsapp =
        "does not hear of the change by WhatsApp: the user has not opted in: `reminders opt-in 1`";
    assert_eq!(
        changed(&platform, now),
        format!(
            "ok: {TOLD} hears of the change by mail; of the start 2026-11-23 17:00:00, and {not_by_whatsapp}"
        )
    );
    agrees_with_the_next_pass(&platform, now, &[1]);
    assert_eq!(corrections(&platform), ["moved|mail"]);
    let later = "2026-11-23T16:02:00+07:00";
    assert_eq!(
        changed(&platform, later),
        format!("none: {TOLD} {not_by_whatsapp}")
    );
    agrees_with_the_next_pass(&platform, later, &[1]);
    assert_eq!(corrections(&platform), ["moved|mail"]);
}

#[test]
fn a_change_that_comes_too_late_is_not_heard_of() {
    let platform = told();
    platform.sql(MOVED);
    for (now, why) in [
        ("2026-11-23T17:00:00+07:00", "that start has come"),
        ("2026-11-23T16:59:30+07:00", "that start has come"),
    ] {
        let said = changed(&platform, now);
        assert_eq!(
            said,
            format!("none: {TOLD} does not hear of the change by mail and WhatsApp: {why}")
        );
    }
    platform.send_at("2026-11-23T16:59:30+07:00").succeeds();
    assert_eq!(corrections(&platform), [""; 0]);

    let platform = told();
    platform.sql("UPDATE course_sessions SET scheduled_at = '2026-11-23 16:01:30'");
    let now = "2026-11-23T16:01:00+07:00";
    has(&changed(&platform, now), ": the new start has come");
    platform.send_at(now);
    assert_eq!(corrections(&platform), [""; 0]);
}

#[test]
fn a_reminder_that_waits_for_the_new_start_tells_the_change() {
    let platform = told();
    platform.sql(MOVED);
    platform.sql(
        "INSERT INTO session_reminder_deliveries (course_session_id, user_id, channel, kind, lead_minutes, scheduled_at, status,
            attempts, created_at, updated_at)
         SELECT course_session_id, user_id, channel, kind, lead_minutes, '2026-11-23 20:00:00', 'pending', 0, created_at, updated_at
         FROM session_reminder_deliveries WHERE channel = 'mail'",
    );
    let now = "2026-11-23T16:01:00+07:00";
    assert_eq!(
        changed(&platform, now),
        format!(
            "ok: {TOLD} hears of the change by mail with the reminder; of the start 2026-11-23 17:00:00, and hears of the \
             change by WhatsApp"
        )
    );
    agrees_with_the_next_pass(&platform, now, &[1]);
    assert_eq!(corrections(&platform), ["moved|whatsapp"]);
}

#[test]
fn of_a_correction_that_was_refused_it_does_not_say_that_it_is_heard() {
    let smtp = Smtp::builder().script(|phase, to| match (phase, to) {
        (Phase::Rcpt, "moved@example.org") => Reply::Say("550 5.1.1 no such user".into()),
        _ => Reply::Accept,
    });
    let smtp = smtp.start();
    let platform = platform().mail(&smtp).set("REMINDER_CORRECTIONS", "on");
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
    platform.sql(MOVED);
    platform.sql("UPDATE users SET email = 'moved@example.org'");
    platform.send_at("2026-11-23T16:01:00+07:00").exits(1);
    let now = "2026-11-23T16:02:00+07:00";
    assert_eq!(
        changed(&platform, now),
        format!("none: {TOLD} does not hear of the change by mail")
    );
    platform.send_at(now).succeeds();
    assert_eq!(corrections(&platform), ["moved|whatsapp"]);
}

#[test]
fn where_one_channel_tells_of_the_cancellation_the_other_says_that_it_does_not() {
    let platform = platform().set("REMINDER_CORRECTIONS", "on");
    platform.run(&["migrate"]).succeeds();
    platform.sql("UPDATE user_profiles SET whatsapp_opt_in = false");
    platform.send().succeeds();
    platform.sql(CANCELLED);
    let answer = at(&platform, "2026-11-23T16:01:00+07:00", "1", "1");
    let why = "the session was cancelled (course_sessions.cancelled_at: 2026-11-23 16:00:30)";
    assert_eq!(
        conclusion(&answer, "whatsapp"),
        format!("no: Budi is not told by WhatsApp: {why}")
    );
    let run = platform.run(&["explain", "1", "1", "--now", "2026-11-23T16:01:00+07:00"]);
    let said = format!(
        "Budi was told by mail on Mon 2026-11-23 16:00 WIB\n\
         Budi will be told by mail in the next pass that the session is cancelled\n\
         Budi is not told by WhatsApp: {why}\n"
    );
    assert!(run.succeeds().stdout.ends_with(&said));
    agrees_with_the_next_pass(&platform, "2026-11-23T16:01:00+07:00", &[1]);
    assert_eq!(corrections(&platform), ["cancelled|mail"]);
}

#[test]
fn without_the_view_that_corrections_need_it_promises_what_comes_after_migrate() {
    let platform = told();
    platform.sql("DROP VIEW session_cancellations");
    let now = "2026-11-23T16:01:00+07:00";
    let news = || {
        let answer = at(&platform, now, "1", "1");
        (rule(&answer, "changed"), conclusion(&answer, "mail"))
    };
    platform.sql(CANCELLED);
    assert_eq!(
        news().0,
        format!(
            "none: {TOLD} does not hear of the change by mail and WhatsApp: there is no session_cancellations yet: run \
             `reminders migrate`"
        )
    );
    platform.sql("UPDATE course_sessions SET cancelled_at = NULL");
    platform.sql(MOVED);
    assert_eq!(
        news().1,
        "will: Budi will be told by mail in the next pass that the session was moved to Mon 2026-11-23 20:00 WIB, once \
         `reminders migrate` has run"
    );
    platform.send_at(now).exits(78);
    platform.run(&["migrate"]).succeeds();
    agrees_with_the_next_pass(&platform, now, &[1]);
    assert_eq!(corrections(&platform), ["moved|mail", "moved|whatsapp"]);
}

#[test]
fn a_correction_that_whatsapp_has_no_template_for_goes_by_mail_alone() {
    let smtp = Smtp::start();
    let twilio = Twilio::start();
    let platform = platform().mail(&smtp).whatsapp(&twilio);
    let platform = platform
        .set("WHATSAPP_TRANSPORT", "twilio")
        .set("REMINDER_CORRECTIONS", "on")
        .set("TWILIO_WHATSAPP_CONTENT_SID", &format!("HX{:032x}", 1));
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
    platform.sql(MOVED);
    let now = "2026-11-23T16:01:00+07:00";
    has(
        &changed(&platform, now),
        "does not hear of the change by WhatsApp: that has no template for it: set TWILIO_WHATSAPP_CONTENT_SID_MOVED",
    );
    agrees_with_the_next_pass(&platform, now, &[1]);
    assert_eq!(corrections(&platform), ["moved|mail"]);
}

/// All that it says of mail.
fn said(platform: &Platform, now: &str) -> Vec<String> {
    let answer = at(platform, now, "1", "1");
    let all = answer["conclusion"].as_array().unwrap().iter();
    let mail = all.filter(|one| one["channel"] == "mail");
    mail.map(|one| one["text"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn who_is_told_of_a_cancellation_is_said_not_to_be_reminded() {
    let platform = told();
    platform.sql(MOVED);
    platform.send_at("2026-11-23T16:01:00+07:00").succeeds();
    platform.sql(CANCELLED);
    let now = "2026-11-23T16:02:00+07:00";
    assert_eq!(
        said(&platform, now),
        [
            "Budi was told by mail on Mon 2026-11-23 16:01 WIB that the session was moved to Mon 2026-11-23 20:00 WIB",
            "Budi is not reminded by mail: the session was cancelled (course_sessions.cancelled_at: 2026-11-23 16:00:30)",
            "Budi will be told by mail in the next pass that the session is cancelled",
        ]
    );
    agrees_with_the_next_pass(&platform, now, &[1]);
    // It takes place after all: the cancellation is history.
    platform.sql("UPDATE course_sessions SET cancelled_at = NULL");
    let later = "2026-11-23T16:03:00+07:00";
    assert_eq!(
        said(&platform, later),
        [
            "Budi was told by mail on Mon 2026-11-23 16:02 WIB that the session is cancelled",
            "Budi will be told by mail in the next pass that the session was moved to Mon 2026-11-23 20:00 WIB",
            "Budi will be told by mail on Mon 2026-11-23 18:55 WIB",
        ]
    );
    agrees_with_the_next_pass(&platform, later, &[1]);
}

#[test]
fn who_was_told_of_a_move_and_of_no_more_was_not_reminded() {
    let platform = told();
    platform.sql(MOVED);
    platform.send_at("2026-11-23T16:01:00+07:00").succeeds();
    let now = "2026-11-23T19:10:00+07:00";
    let not_reminded = |why: &str| {
        assert_eq!(
            said(&platform, now),
            [
                "Budi was told by mail on Mon 2026-11-23 16:01 WIB that the session was moved to Mon 2026-11-23 20:00 WIB".into(),
                format!("Budi was not reminded by mail: {why}"),
            ]
        );
    };
    not_reminded(
        "nothing was recorded while the window was open (enrolled or opted in too late, the session created or moved too late, \
         or no pass ran)",
    );
    platform.send_at(now).exits(1);
    not_reminded(
        "its window was over before a pass could tell them (created or moved too late, or no pass ran)",
    );
}

#[test]
fn without_corrections_it_says_that_nobody_hears_of_a_change() {
    let platform = told().set("REMINDER_CORRECTIONS", "off");
    let now = "2026-11-23T16:02:00+07:00";
    platform.sql(MOVED);
    assert_eq!(
        said(&platform, now),
        [
            "Budi is not told by mail that the session was moved to Mon 2026-11-23 20:00 WIB: REMINDER_CORRECTIONS is off",
            "Budi will be told by mail on Mon 2026-11-23 18:55 WIB",
        ]
    );
    platform.sql(CANCELLED);
    assert_eq!(
        said(&platform, now),
        [
            "Budi is not told by mail: the session was cancelled (course_sessions.cancelled_at: 2026-11-23 16:00:30)",
            "Budi is not told by mail that the session is cancelled: REMINDER_CORRECTIONS is off",
        ]
    );
    platform.sql("UPDATE course_sessions SET scheduled_at = '2026-11-23 17:00:00'");
    let silence =
        "Budi is not told by mail that the session is cancelled: REMINDER_CORRECTIONS is off";
    assert_eq!(
        said(&platform, now),
        ["Budi was told by mail on Mon 2026-11-23 16:00 WIB", silence]
    );
    // Who is not there any more need not hear of it, nor anybody when it would have begun.
    assert!(!said(&platform, "2026-11-23T17:00:00+07:00").contains(&silence.to_owned()));
    platform.sql("UPDATE enrollments SET status = 'cancelled'");
    assert!(!said(&platform, now).contains(&silence.to_owned()));
}

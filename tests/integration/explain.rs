//! `explain`: each rule's yes and no, what the ledger says, and that it agrees with what a pass does.

mod changes;
mod own_view;

use std::process::Stdio;

use serde_json::Value;

use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{NOW, Platform, START, on_sqlite},
    twilio::Twilio,
};

/// The columns that not every platform has.
const OPTIONAL: &str = "
    ALTER TABLE course_sessions ADD COLUMN status varchar(255);
    ALTER TABLE course_sessions ADD COLUMN cancelled_at timestamp NULL;
    ALTER TABLE course_sessions ADD COLUMN deleted_at timestamp NULL;
    ALTER TABLE enrollments ADD COLUMN deleted_at timestamp NULL;
    ALTER TABLE user_profiles ADD COLUMN timezone varchar(255);";

/// Mails and WhatsApp messages become files. Budi (1), who has opted in, takes part in session 1.
fn platform() -> Platform {
    let platform = Platform::untouched().with_files();
    platform.sql(OPTIONAL);
    let platform = platform.migrated();
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.opted_in(1, "081234567890");
    platform
}

fn at(platform: &Platform, now: &str, session: &str, user: &str) -> Value {
    let arguments = ["explain", session, user, "--now", now, "--format", "json"];
    platform.run(&arguments).succeeds().json()
}

fn explain(platform: &Platform) -> Value {
    at(platform, NOW, "1", "1")
}

/// `verdict: text` of a rule.
#[track_caller]
fn rule(answer: &Value, name: &str) -> String {
    let rules = answer["rules"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["rule"] == name);
    let rule = rule.unwrap_or_else(|| panic!("no rule {name}: {answer}"));
    format!(
        "{}: {}",
        rule["verdict"].as_str().unwrap(),
        rule["text"].as_str().unwrap()
    )
}

/// `told: text` of a channel.
#[track_caller]
fn conclusion(answer: &Value, channel: &str) -> String {
    let all = answer["conclusion"].as_array().unwrap();
    let one = all.iter().find(|one| one["channel"] == channel).unwrap();
    format!(
        "{}: {}",
        one["told"].as_str().unwrap(),
        one["text"].as_str().unwrap()
    )
}

#[track_caller]
fn has(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in {text:?}");
}

#[test]
fn every_rule_says_yes_of_somebody_who_is_to_be_told() {
    let platform = platform();
    let answer = explain(&platform);
    let rules = answer["rules"].as_array().unwrap();
    let told: Vec<String> = rules
        .iter()
        .map(|rule| format!("{} {}", rule["rule"], rule["verdict"]).replace('"', ""))
        .collect();
    assert_eq!(
        told,
        [
            "session ok",
            "session_deleted ok",
            "session_cancelled ok",
            "session_status ok",
            "course_deleted ok",
            "user ok",
            "enrolled ok",
            "enrollment_active ok",
            "enrollment_deleted ok",
            "enrollment_expired ok",
            "user_active ok",
            "user_deleted ok",
            "participant ok",
            "start ok",
            "changed none",
            "window ok",
            "laravel ok",
            "mail ok",
            "mail_address ok",
            "whatsapp ok",
            "whatsapp_opt_in ok",
            "whatsapp_phone ok",
        ]
    );
    assert_eq!(rule(&answer, "start"), "ok: Mon 2026-11-23 17:00 WIB");
    assert_eq!(
        rule(&answer, "window"),
        "ok: 60 minutes before, from Mon 2026-11-23 15:55 WIB to 16:05: open now"
    );
    assert_eq!(rule(&answer, "mail_address"), "ok: b***@e***.org");
    assert_eq!(rule(&answer, "whatsapp_phone"), "ok: +62812****890");
    for (channel, word) in [("mail", "mail"), ("whatsapp", "WhatsApp")] {
        let said = format!("will: Budi will be told by {word} in the next pass");
        assert_eq!(conclusion(&answer, channel), said);
    }
    assert_eq!(answer["session"]["starts_at"], "2026-11-23T10:00:00Z");
    assert_eq!(answer["user"]["name"], "Budi");
}

/// Who is told by mail in a pass now, as `send --dry-run` says and as `explain` says, must be the same.
#[track_caller]
fn agrees_with_a_pass(platform: &Platform, users: &[i64]) {
    agrees_with_a_pass_on(platform, 1, users);
}

#[track_caller]
fn agrees_with_a_pass_on(platform: &Platform, session: i64, users: &[i64]) {
    let arguments = ["send", "--dry-run", "--now", NOW, "--format", "json"];
    let plan = platform.run(&arguments).succeeds().json();
    for user in users {
        for channel in ["mail", "whatsapp"] {
            let reminders = plan["reminders"].as_array().unwrap();
            let planned = reminders.iter().any(|one| {
                (&one["session_id"], &one["user_id"]) == (&session.into(), &(*user).into())
                    && one["channel"] == channel
            });
            let answer = at(platform, NOW, &session.to_string(), &user.to_string());
            let said = conclusion(&answer, channel);
            assert_eq!(said.starts_with("will: "), planned, "user {user}: {said}");
        }
    }
}

#[test]
fn every_rule_about_the_person_says_no_with_the_value_that_it_found() {
    let platform = platform();
    let cases = [
        (
            "UPDATE users SET deleted_at = '2026-11-01 00:00:00' WHERE id = ",
            "user_deleted",
            "the user was deleted (users.deleted_at: 2026-11-01 00:00:00)",
        ),
        (
            "UPDATE users SET status = 'suspended' WHERE id = ",
            "user_active",
            "the user is not active (users.status: suspended)",
        ),
        (
            "UPDATE enrollments SET deleted_at = '2026-11-01 00:00:00' WHERE user_id = ",
            "enrollment_deleted",
            "the enrollment was deleted (enrollments.deleted_at: 2026-11-01 00:00:00)",
        ),
        (
            "UPDATE enrollments SET status = 'pending' WHERE user_id = ",
            "enrollment_active",
            "the enrollment is not active (enrollments.status: pending)",
        ),
        (
            "UPDATE enrollments SET expires_at = '2026-11-23 16:59:59' WHERE user_id = ",
            "enrollment_expired",
            "the enrollment ends before the start (enrollments.expires_at: 2026-11-23 16:59:59)",
        ),
        (
            "DELETE FROM enrollments WHERE user_id = ",
            "enrolled",
            "the user is not enrolled in the session's course",
        ),
    ];
    let mut users = vec![1];
    for (id, (change, name, text)) in (11..).zip(cases) {
        platform.participant(id, "Tidak", &format!("tidak{id}@example.org"));
        platform.sql(&format!("{change}{id}"));
        let answer = at(&platform, NOW, "1", &id.to_string());
        assert_eq!(rule(&answer, name), format!("no: {text}"));
        let listed = rule(&answer, "participant");
        assert_eq!(listed, "no: session_participants does not list the user");
        for channel in ["mail", "whatsapp"] {
            let said = format!("no: Tidak is not told: {text}");
            assert_eq!(conclusion(&answer, channel), said);
        }
        users.push(id);
    }
    // One day is enough, and the last second counts.
    platform.participant(30, "Sampai", "sampai@example.org");
    platform.sql("UPDATE enrollments SET expires_at = '2026-11-23 17:00:00' WHERE user_id = 30");
    has(
        &rule(&at(&platform, NOW, "1", "30"), "enrollment_expired"),
        "ok: ",
    );
    users.push(30);
    agrees_with_a_pass(&platform, &users);
}

#[test]
fn every_rule_about_the_session_says_no_with_the_value_that_it_found() {
    let platform = platform();
    let cases = [
        (
            "course_sessions SET status = 'cancelled'",
            "session_status",
            "status: cancelled",
        ),
        (
            "course_sessions SET cancelled_at = '2026-11-23 12:00:00'",
            "session_cancelled",
            "cancelled_at: 2026-11-23 12:00:00",
        ),
        (
            "course_sessions SET deleted_at = '2026-11-23 12:00:00'",
            "session_deleted",
            "deleted_at: 2026-11-23 12:00:00",
        ),
        (
            "courses SET deleted_at = '2026-11-23 12:00:00'",
            "course_deleted",
            "courses.deleted_at: 2026-11-23 12:00:00",
        ),
    ];
    for (change, name, value) in cases {
        platform.sql(&format!("UPDATE {change}"));
        let answer = explain(&platform);
        let text = rule(&answer, name);
        assert!(text.starts_with("no: ") && text.contains(value), "{text}");
        let said = conclusion(&answer, "mail");
        assert_eq!(said, text.replacen("no: ", "no: Budi is not told: ", 1));
        agrees_with_a_pass(&platform, &[1]);
        let undo = change.split_once(" = ").unwrap().0;
        platform.sql(&format!("UPDATE {undo} = NULL"));
    }
    agrees_with_a_pass(&platform, &[1]);
}

#[test]
fn of_a_column_that_the_platform_has_not_it_says_so() {
    let platform = Platform::seed().with_files();
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    let answer = explain(&platform);
    assert_eq!(
        rule(&answer, "session_cancelled"),
        "none: the platform has no course_sessions.cancelled_at"
    );
    has(&conclusion(&answer, "mail"), "will: ");
}

#[test]
fn the_channels_rules_say_no_each_with_its_cure() {
    let platform = platform();
    platform.participant(2, "Siti", "siti@@example.org");
    platform.participant(3, "Tono", "tono@example.org");
    platform.opted_in(3, "12345");
    let siti = at(&platform, NOW, "1", "2");
    has(
        &rule(&siti, "mail_address"),
        "no: the email address is more than one address",
    );
    has(
        &conclusion(&siti, "mail"),
        "no: Siti is not told by mail: the email address is more than one",
    );
    assert_eq!(
        conclusion(&siti, "whatsapp"),
        "no: Siti is not told by WhatsApp: the user has not opted in: `reminders opt-in 2 --phone NUMBER`"
    );
    let tono = at(&platform, NOW, "1", "3");
    has(&rule(&tono, "whatsapp_opt_in"), "ok: ");
    has(&rule(&tono, "whatsapp_phone"), "no: the phone number");
    has(
        &conclusion(&tono, "whatsapp"),
        "no: Tono is not told by WhatsApp: the phone",
    );
    agrees_with_a_pass(&platform, &[1, 2, 3]);

    platform.sql("UPDATE user_profiles SET whatsapp_opt_in = false WHERE user_id = 1");
    has(
        &conclusion(&explain(&platform), "whatsapp"),
        "the user has not opted in: `reminders opt-in 1`",
    );
    let platform = platform.set("MAIL_MAILER", "none");
    let answer = explain(&platform);
    assert_eq!(rule(&answer, "mail"), "no: mail is off (MAIL_MAILER=none)");
    has(
        &conclusion(&answer, "mail"),
        "no: Budi is not told by mail: mail is off",
    );
    let platform = platform.set("MAIL_MAILER", "file").set("MAIL_FILE_DIR", "");
    let answer = explain(&platform);
    has(
        &rule(&answer, "mail"),
        "no: the settings of mail are wrong: MAIL_FILE_DIR",
    );
}

#[test]
fn a_redirected_channel_says_so() {
    let platform = platform().set("REMINDER_REDIRECT_MAIL", "me@example.org");
    has(&rule(&explain(&platform), "mail"), "REMINDER_REDIRECT_MAIL");
}

#[test]
fn who_has_told_whatsapp_to_stop_is_not_told_though_the_platform_says_yes() {
    let platform = platform();
    platform.send().succeeds();
    platform.sql(
        "UPDATE session_reminder_deliveries SET status = 'failed', delivery_status = 'opted_out', scheduled_at = '2026-11-01 17:00:00'
         WHERE channel = 'whatsapp'",
    );
    let answer = explain(&platform);
    has(
        &rule(&answer, "whatsapp_opt_in"),
        "no: the user has told WhatsApp to stop",
    );
    has(&conclusion(&answer, "whatsapp"), "`reminders opt-in 1`");
    agrees_with_a_pass(&platform, &[1]);
}

#[test]
fn before_its_window_somebody_will_be_told_and_after_it_was_not() {
    let platform = platform();
    let early = at(&platform, "2026-11-23T15:54:59+07:00", "1", "1");
    has(&rule(&early, "window"), "none: ");
    has(&rule(&early, "window"), "not open yet");
    assert_eq!(
        conclusion(&early, "mail"),
        "will: Budi will be told by mail on Mon 2026-11-23 15:55 WIB"
    );
    for now in ["2026-11-23T15:55:00+07:00", "2026-11-23T16:05:00+07:00"] {
        has(&rule(&at(&platform, now, "1", "1"), "window"), "ok: ");
    }
    let late = at(&platform, "2026-11-23T16:05:01+07:00", "1", "1");
    has(&rule(&late, "window"), "no: ");
    has(
        &conclusion(&late, "mail"),
        "no: Budi was not told by mail: nothing was recorded",
    );
    let over = at(&platform, "2026-11-23T18:00:00+07:00", "1", "1");
    has(&rule(&over, "start"), "is over");
}

#[test]
fn each_lead_has_its_window_and_its_conclusion() {
    let platform = platform().set("REMINDER_LEAD", "24h,60m");
    let answer = at(&platform, "2026-11-22T17:00:00+07:00", "1", "1");
    let texts: Vec<&str> = answer["conclusion"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["channel"] == "mail")
        .map(|one| one["text"].as_str().unwrap())
        .collect();
    assert_eq!(
        texts,
        [
            "Budi will be told by mail 1440 minutes before in the next pass",
            "Budi will be told by mail 60 minutes before on Mon 2026-11-23 15:55 WIB",
        ]
    );
}

#[test]
fn a_window_was_used_where_a_message_was_made_in_it() {
    let platform = platform().set("REMINDER_LEAD", "24h,60m");
    platform.send_at("2026-11-22T17:00:00+07:00").succeeds();
    let late = "2026-11-23T16:30:00+07:00";
    let windows = || -> Vec<String> {
        let answer = at(&platform, late, "1", "1");
        let rules = answer["rules"].as_array().unwrap().iter();
        let windows = rules.filter(|rule| rule["rule"] == "window");
        windows
            .map(|rule| rule["text"].as_str().unwrap().to_owned())
            .collect()
    };
    let first =
        "1440 minutes before, from Sun 2026-11-22 16:55 WIB to 17:05: is over, and was used";
    let second = "60 minutes before, from Mon 2026-11-23 15:55 WIB to 16:05: is over";
    assert_eq!(windows(), [first, second]);
    // The pass that says that it has passed has not used it.
    platform.send_at(late).exits(1);
    assert_eq!(
        conclusion(&at(&platform, late, "1", "1"), "mail"),
        "yes: Budi was told by mail 1440 minutes before on Sun 2026-11-22 17:00 WIB"
    );
    assert_eq!(
        platform.rows(
            "count(*)",
            "session_reminder_deliveries WHERE status = 'missed'"
        ),
        ["2"]
    );
    assert_eq!(windows(), [first, second]);
}

#[test]
fn a_start_is_shown_in_the_participants_zone_too_and_one_that_is_no_time_is_told() {
    let platform = platform();
    platform.sql("UPDATE user_profiles SET timezone = 'Asia/Makassar'");
    assert_eq!(
        rule(&explain(&platform), "start"),
        "ok: Mon 2026-11-23 17:00 WIB, for the user Mon 2026-11-23 18:00 WITA"
    );
    // Only SQLite takes anything.
    if on_sqlite() {
        platform.sql("UPDATE course_sessions SET scheduled_at = 'besok'");
        let answer = explain(&platform);
        has(
            &rule(&answer, "start"),
            "no: the start \"besok\" is no time",
        );
        has(
            &conclusion(&answer, "mail"),
            "no: Budi is not told: the start",
        );
    }
}

#[test]
fn what_laravel_has_told_is_not_told_again_and_our_own_row_is_ours() {
    let platform = platform();
    let laravel = |sent_at: &str| {
        platform.sql("DELETE FROM session_reminder_logs");
        platform.laravel_tells(1, sent_at, 1);
    };
    has(
        &rule(&explain(&platform), "laravel"),
        "ok: session_reminder_logs has no row",
    );
    laravel("2026-11-23 15:58:00");
    let answer = explain(&platform);
    has(
        &rule(&answer, "laravel"),
        "no: Laravel has reminded of the session at 2026-11-23 15:58:00",
    );
    has(
        &conclusion(&answer, "mail"),
        "perhaps: Budi is not told by this program: Laravel has reminded of the session, and keeps no names",
    );
    agrees_with_a_pass(&platform, &[1]);
    laravel("2026-11-20 15:58:00");
    let answer = explain(&platform);
    has(
        &rule(&answer, "laravel"),
        "ok: session_reminder_logs has a row of 2026-11-20 15:58:00, which is outside",
    );
    agrees_with_a_pass(&platform, &[1]);
    platform.send().succeeds();
    has(&rule(&explain(&platform), "laravel"), "has our own row");
}

#[test]
fn whom_laravel_cannot_have_told_is_said_not_to_be_told() {
    let platform = platform();
    platform.participant(2, "Siti", "siti@@example.org");
    platform.participant(3, "Tono", "tono@example.org");
    platform.laravel_tells(1, "2026-11-23 15:58:00", 1);
    let said = |user: &str, channel| conclusion(&at(&platform, NOW, "1", user), channel);
    let no_names = "Laravel has reminded of the session, and keeps no names";
    for channel in ["mail", "whatsapp"] {
        let budi = format!("perhaps: Budi is not told by this program: {no_names}");
        assert_eq!(said("1", channel), budi);
    }
    has(
        &said("2", "mail"),
        "no: Siti is not told by mail: the email address is more than one address",
    );
    let not_opted_in = |name: &str, user: u8| {
        format!(
            "no: {name} is not told by WhatsApp: the user has not opted in: `reminders opt-in {user} --phone NUMBER`"
        )
    };
    assert_eq!(said("2", "whatsapp"), not_opted_in("Siti", 2));
    assert_eq!(
        said("3", "mail"),
        format!("perhaps: Tono is not told by this program by mail: {no_names}")
    );
    assert_eq!(said("3", "whatsapp"), not_opted_in("Tono", 3));
    agrees_with_a_pass(&platform, &[1, 2, 3]);
}

#[test]
fn of_somebody_who_was_deleted_it_does_not_know_how_they_were_reached() {
    let platform = platform();
    platform.send().succeeds();
    platform.sql("DELETE FROM enrollments; DELETE FROM user_profiles; DELETE FROM users");
    let answer = explain(&platform);
    for name in ["mail_address", "whatsapp_opt_in", "whatsapp_phone"] {
        assert_eq!(rule(&answer, name), "none: not known");
    }
}

#[test]
fn what_was_sent_is_told_with_time_host_id_and_what_twilio_said() {
    let platform = platform();
    platform.send().succeeds();
    platform.sql(
        "UPDATE session_reminder_deliveries SET claimed_by = 'web:1:7:9', delivery_status = 'read', message_id = 'SM1'
         WHERE channel = 'whatsapp'",
    );
    let answer = explain(&platform);
    assert_eq!(
        conclusion(&answer, "mail"),
        "yes: Budi was told by mail on Mon 2026-11-23 16:00 WIB"
    );
    assert_eq!(
        conclusion(&answer, "whatsapp"),
        "yes: Budi was told by WhatsApp on Mon 2026-11-23 16:00 WIB, and has read it"
    );
    assert_eq!(
        rule(&answer, "changed"),
        "ok: what the user was told is still so"
    );
    let later = at(&platform, "2026-11-23T16:30:00+07:00", "1", "1");
    has(&rule(&later, "window"), "none: 60 minutes before");
    has(&rule(&later, "window"), "is over, and was used");
    let row = &answer["deliveries"][1];
    assert_eq!(row["message_id"], "SM1");
    assert_eq!(row["recipient"], "+62812****890");
    assert_eq!(row["sent_at"], "2026-11-23T09:00:00Z");
    let text = platform
        .run(&["explain", "1", "1", "--now", NOW])
        .succeeds()
        .stdout;
    has(
        &text,
        "sent    for 2026-11-23 17:00:00, sent Mon 2026-11-23 16:00 WIB, by web:1, SM1, read, attempts 1",
    );
    assert!(
        !text.contains("81234567890") || text.contains("file-"),
        "{text}"
    );
}

#[test]
fn each_state_of_a_row_has_its_conclusion() {
    let platform = platform();
    platform.send().succeeds();
    let cases = [
        (
            "status = 'failed', error_code = '550 5.1.1', error = 'no such mailbox'",
            "no: Budi was not told by mail: 550 5.1.1: no such mailbox; once that is cured: `reminders retry ",
        ),
        (
            "status = 'pending', next_attempt_at = '2026-11-23 09:02:00', error_code = '451', error = 'busy'",
            "will: Budi will be told by mail when it is tried again on Mon 2026-11-23 16:02 WIB; so far 451: busy",
        ),
        (
            "status = 'pending', next_attempt_at = NULL, error_code = NULL, error = NULL",
            "will: Budi will be told by mail in the next pass",
        ),
        (
            "status = 'sending', claimed_by = 'web1:7:9', lease_until = '2026-11-23 09:00:00'",
            "will: Budi is told by mail now, by web1",
        ),
        (
            "status = 'sending', attempts = 2, error_code = 'timeout', error = 'no answer'",
            "perhaps: Budi was perhaps told by mail: timeout: no answer; the first pass after Mon 2026-11-23 16:00 WIB sends it again, as the same mail",
        ),
        (
            // A later attempt, of which nothing is known but that it began: what is noted was to be tried again then.
            "status = 'sending', next_attempt_at = '2026-11-23 08:59:00'",
            "will: Budi is told by mail now, by web1",
        ),
        (
            "status = 'sending', next_attempt_at = NULL, error_code = NULL, error = NULL, lease_until = '2026-11-23 08:59:59'",
            "perhaps: Budi was perhaps told by mail: a pass on web1 ended before it recorded it; the next pass sends it again, as the same mail",
        ),
        (
            "status = 'unknown', message_id = '<1@x>'",
            "perhaps: Budi was perhaps told by mail: nobody recorded whether it was sent, look in the mail server's log for <1@x>",
        ),
        (
            "status = 'missed', error_code = 'window_passed'",
            "no: Budi was not told by mail: its window was over",
        ),
        (
            "status = 'missed', error_code = 'too_late', error = NULL",
            "no: Budi was not told by mail: the session began before it could be sent",
        ),
        (
            "status = 'missed', error_code = '451', error = 'busy'",
            "no: Budi was not told by mail: 451: busy",
        ),
        (
            "status = 'cancelled', error_code = 'left', error = 'no longer a participant'",
            "will: Budi will be told by mail in the next pass",
        ),
        (
            "status = 'cancelled', error_code = 'corrected', error = NULL",
            "no: Budi was not told by mail: corrected",
        ),
    ];
    for (change, said) in cases {
        platform.sql(&format!(
            "UPDATE session_reminder_deliveries SET {change} WHERE channel = 'mail'"
        ));
        let answer = explain(&platform);
        let told = conclusion(&answer, "mail");
        assert!(told.starts_with(said), "{change}: {told}");
    }
}

#[test]
fn of_what_has_failed_it_offers_no_retry_that_is_refused() {
    let platform = platform();
    platform.participant(2, "Siti", "siti lestari@example.org");
    let real = crate::support::wall_in(60);
    platform.sql(&format!(
        "UPDATE course_sessions SET scheduled_at = '{real}'"
    ));
    platform.run(&["send"]).exits(1);
    let failed = "session_reminder_deliveries WHERE status = 'failed'";
    let id = platform.rows("id", failed)[0].clone();
    let said = || {
        let run = platform.run(&["explain", "1", "2", "--format", "json"]);
        conclusion(&run.succeeds().json(), "mail")
    };
    assert!(said().ends_with(&format!("; once that is cured: `reminders retry {id}`")));
    for (change, why) in [
        (
            "UPDATE course_sessions SET cancelled_at = '2026-11-23 15:00:00'",
            "the session was cancelled (course_sessions.cancelled_at: 2026-11-23 15:00:00)",
        ),
        (
            "UPDATE course_sessions SET cancelled_at = NULL; UPDATE enrollments SET status = 'cancelled' WHERE user_id = 2",
            "the enrollment is not active (enrollments.status: cancelled)",
        ),
    ] {
        platform.sql(change);
        let said = said();
        assert!(
            said.ends_with(&format!("; it is not sent again: {why}")),
            "{said}"
        );
        let refused = platform.run(&["retry", &id]).exits(1).stdout;
        has(&refused, "is not sent again");
    }
}

#[test]
fn what_is_tried_again_only_when_the_session_begins_is_not_sent() {
    let platform = platform();
    platform.send().succeeds();
    let waits = |until: &str, fault: &str| {
        platform.sql(&format!(
            "UPDATE session_reminder_deliveries SET status = 'pending', next_attempt_at = '{until}', {fault}"
        ));
        let report = platform.run(&["report", "1", "--now", NOW]).succeeds();
        (conclusion(&explain(&platform), "mail"), report.stdout)
    };
    let busy = "error_code = '451', error = 'busy'";
    let (said, report) = waits("2026-11-23 09:59:00", busy);
    assert_eq!(
        said,
        "will: Budi will be told by mail when it is tried again on Mon 2026-11-23 16:59 WIB; so far 451: busy"
    );
    has(&report, "waiting");
    let late = "Mon 2026-11-23 16:59 WIB, too late for the session";
    for (fault, so_far, why) in [
        (busy, "; so far 451: busy", ": 451: busy"),
        ("error_code = NULL, error = NULL", "", ""),
    ] {
        let (said, report) = waits("2026-11-23 09:59:01", fault);
        assert_eq!(
            said,
            format!("no: Budi will not be told by mail: not tried again before {late}{so_far}")
        );
        has(&report, "not sent");
        has(&report, &format!("not before {late}{why}"));
    }
}

#[test]
fn what_waits_for_somebody_who_has_left_is_not_sent() {
    let platform = platform();
    platform.send().succeeds();
    platform.sql("UPDATE session_reminder_deliveries SET status = 'pending'; UPDATE enrollments SET status = 'cancelled'");
    let answer = explain(&platform);
    assert_eq!(
        conclusion(&answer, "mail"),
        "no: Budi will not be told by mail: the enrollment is not active (enrollments.status: cancelled)"
    );
    has(
        &rule(&answer, "changed"),
        "none: nobody has told the user anything yet",
    );
}

#[test]
fn a_channel_that_has_stopped_says_why_and_until_when() {
    let smtp = Smtp::builder()
        .script(|phase, _| match phase {
            Phase::Mail => Reply::Say("421 4.3.2 closing".into()),
            _ => Reply::Accept,
        })
        .start();
    let platform = platform().mail(&smtp);
    platform.participant(3, "Tono", "tono@example.org");
    platform.send();
    platform.participant(2, "Siti", "siti@example.org");
    let siti = at(&platform, NOW, "1", "2");
    has(
        &rule(&siti, "mail"),
        "none: on, but waits: channel stopped: ",
    );
    has(
        &conclusion(&siti, "mail"),
        "will: Siti will be told by mail when the channel works again, not before Mon 2026-11-23 16:01 WIB: channel stopped: ",
    );
    // One whose own time has come waits for the channel all the same.
    platform.sql(
        "UPDATE session_reminder_deliveries SET next_attempt_at = NULL, error = NULL, error_code = NULL WHERE user_id = 3",
    );
    has(
        &conclusion(&at(&platform, NOW, "1", "3"), "mail"),
        "will: Tono will be told by mail when the channel works again, not before Mon 2026-11-23 16:01 WIB: channel stopped: ",
    );
    // And one whose session begins before that is not told.
    platform.session(2, "2026-11-23 16:01:30");
    has(
        &conclusion(
            &at(&platform, "2026-11-23T16:00:20+07:00", "2", "2"),
            "mail",
        ),
        "no: Siti was not told by mail: ",
    );
    platform.sql(
        "UPDATE session_reminder_deliveries SET scheduled_at = '2026-11-23 16:01:30', course_session_id = 2 WHERE user_id = 3",
    );
    has(
        &conclusion(
            &at(&platform, "2026-11-23T16:00:20+07:00", "2", "3"),
            "mail",
        ),
        "no: Tono will not be told by mail: the channel waits until Mon 2026-11-23 16:01 WIB, too late for the session",
    );
    has(
        &conclusion(&explain(&platform), "mail"),
        "will: Budi will be told by mail when it is tried again on Mon 2026-11-23 16:01 WIB; so far channel stopped: ",
    );
}

/// So many are due; Siti (9) is the last of them.
fn with_budget(max: &str, participants: i64) -> Platform {
    let platform = Platform::seed().with_files().set("MAIL_MAX_PER_DAY", max);
    for id in 1..participants {
        platform.participant(id, &format!("Peserta {id}"), &format!("p{id}@example.org"));
    }
    platform.participant(9, "Siti", "siti@example.org");
    platform
}

#[test]
fn a_days_budget_that_is_not_used_up_is_a_rule_that_holds_and_without_one_there_is_none() {
    let platform = with_budget("3", 3);
    platform.session(1, START);
    has(
        &rule(&at(&platform, NOW, "1", "9"), "mail_budget"),
        "ok: 0 of 3 in the last 24 hours",
    );
    platform.run(&["send", "--now", NOW, "--limit", "2"]);
    let siti = at(&platform, NOW, "1", "9");
    assert_eq!(
        rule(&siti, "mail_budget"),
        "ok: 2 of 3 in the last 24 hours"
    );
    has(
        &conclusion(&siti, "mail"),
        "will: Siti will be told by mail in the next pass",
    );
    let rules = explain(&self::platform())["rules"].to_string();
    assert!(!rules.contains("mail_budget"), "{rules}");
}

#[test]
fn a_days_budget_that_is_used_up_until_the_session_begins_keeps_somebody_from_being_told() {
    let platform = with_budget("2", 3);
    platform.session(1, START);
    platform.send().exits(75);
    let siti = at(&platform, NOW, "1", "9");
    assert_eq!(
        rule(&siti, "mail_budget"),
        "no: 2 of 2 in the last 24 hours (MAIL_MAX_PER_DAY), the next one from Tue 2026-11-24 16:00 WIB on"
    );
    has(
        &conclusion(&siti, "mail"),
        "no: Siti will not be told by mail: MAIL_MAX_PER_DAY=2 is reached until Tue 2026-11-24 16:00 WIB, too late for the session; raise it",
    );
    // One who was told is.
    has(
        &conclusion(&at(&platform, NOW, "1", "1"), "mail"),
        "yes: Peserta 1 was told by mail",
    );
    // Nobody has a row of the later one yet: its window opens today, or the day after.
    platform.session(2, "2026-11-23 17:30:00");
    platform.session(3, "2026-11-24 17:30:00");
    has(
        &conclusion(&at(&platform, NOW, "2", "9"), "mail"),
        "no: Siti will not be told by mail: MAIL_MAX_PER_DAY=2 is reached",
    );
    has(
        &conclusion(&at(&platform, NOW, "3", "9"), "mail"),
        "will: Siti will be told by mail on Tue 2026-11-24 16:25 WIB",
    );
}

#[test]
fn a_days_budget_that_others_use_up_in_the_next_pass_is_answered_as_after_it() {
    let platform = with_budget("2", 3);
    platform.session(1, START);
    let look = |session: &str, user: &str| at(&platform, NOW, session, user);
    agrees_with_a_pass(&platform, &[1, 2, 9]);
    let siti = look("1", "9");
    assert_eq!(
        rule(&siti, "mail_budget"),
        "no: 0 of 2 in the last 24 hours, and those who are due before the user use up the rest"
    );
    let said = conclusion(&siti, "mail");
    has(&said, "no: Siti will not be told by mail: ");
    // What is due later waits for nobody yet; a nearer session comes first, whoever explains.
    platform.session(3, "2026-11-24 17:30:00");
    has(&conclusion(&look("3", "9"), "mail"), "will: Siti will be");
    platform.session(2, "2026-11-23 16:56:00");
    for session in [1, 2] {
        agrees_with_a_pass_on(&platform, session, &[1, 2, 9]);
    }
    platform.send().exits(75);
    assert_eq!(conclusion(&look("1", "9"), "mail"), said);
    assert_eq!(
        conclusion(&look("1", "1"), "mail"),
        said.replace("Siti", "Peserta 1")
    );
    has(&conclusion(&look("2", "1"), "mail"), "yes: Peserta 1 was");
    // Rows that an earlier pass has left.
    let (platform, later) = (
        platform.set("MAIL_MAX_PER_DAY", "3"),
        "2026-11-23T16:02:00+07:00",
    );
    let asked =
        |session: &str, user: &str| conclusion(&at(&platform, later, session, user), "mail");
    has(
        &asked("2", "9"),
        "will: Siti will be told by mail in the next pass",
    );
    let waits = asked("1", "1");
    has(
        &waits,
        "no: Peserta 1 will not be told by mail: MAIL_MAX_PER_DAY=3 is reached until Tue 2026-11-24 16:00 WIB",
    );
    platform.send_at(later).exits(75);
    has(&asked("2", "9"), "yes: Siti was told");
    assert_eq!(asked("1", "1"), waits);
}

#[test]
fn a_channel_that_waits_longer_than_the_days_budget_says_until_when() {
    let platform = with_budget("2", 3);
    platform.session(1, START);
    platform.send().exits(75);
    platform.sql("UPDATE session_reminder_deliveries SET next_attempt_at = '2026-11-24 09:49:30' WHERE status = 'pending'");
    platform.session(2, "2026-11-24 16:50:00");
    let until = "Tue 2026-11-24 16:49 WIB, too late for the session";
    has(
        &conclusion(&at(&platform, NOW, "2", "9"), "mail"),
        &format!("no: Siti will not be told by mail: the channel waits until {until}"),
    );
    let report = platform.run(&["report", "2", "--now", NOW]).succeeds();
    has(&report.stdout, &format!("not before {until}"));
}

#[test]
fn a_days_budget_that_is_free_again_in_time_delays_as_a_pass_does() {
    let platform = with_budget("2", 3).set("REMINDER_LEAD", "48h");
    platform.session(1, "2026-11-25 16:00:00");
    platform.send().exits(75);
    let siti = at(&platform, NOW, "1", "9");
    has(
        &rule(&siti, "mail_budget"),
        "no: 2 of 2 in the last 24 hours",
    );
    has(
        &conclusion(&siti, "mail"),
        "will: Siti will be told by mail on Tue 2026-11-24 16:00 WIB at the earliest, nearest sessions first: MAIL_MAX_PER_DAY=2 is \
         reached",
    );
    // A limit that was lowered waits for more of them.
    platform.sql(
        "UPDATE session_reminder_deliveries SET sent_at = '2026-11-23 09:10:00' WHERE user_id = 2",
    );
    let platform = platform.set("MAIL_MAX_PER_DAY", "1");
    has(
        &rule(&at(&platform, NOW, "1", "9"), "mail_budget"),
        "no: 2 of 1 in the last 24 hours (MAIL_MAX_PER_DAY), the next one from Tue 2026-11-24 16:10 WIB on",
    );
    platform.send_at("2026-11-24T15:59:00+07:00").exits(75);
    let later = "2026-11-24T16:15:00+07:00";
    has(
        &rule(&at(&platform, later, "1", "9"), "mail_budget"),
        "ok: 0 of 1 in the last 24 hours",
    );
    platform.send_at(later).succeeds();
    has(
        &conclusion(&at(&platform, later, "1", "9"), "mail"),
        "yes: Siti was told by mail on Tue 2026-11-24 16:15 WIB",
    );
}

#[test]
fn a_days_budget_that_others_are_using_up_right_now_has_room_when_they_end() {
    let platform = with_budget("1", 2);
    platform.session(1, START);
    platform.send().exits(75);
    platform.sql("UPDATE session_reminder_deliveries SET status = 'sending', sent_at = NULL WHERE status = 'sent'");
    let siti = at(&platform, NOW, "1", "9");
    assert_eq!(
        rule(&siti, "mail_budget"),
        "no: 1 of 1 in the last 24 hours (MAIL_MAX_PER_DAY)"
    );
    has(
        &conclusion(&siti, "mail"),
        "will: Siti will be told by mail when the day's budget has room: MAIL_MAX_PER_DAY=1 is reached",
    );
}

#[test]
fn a_session_that_has_moved_since_is_told_again_and_corrected_where_that_is_on() {
    let platform = platform();
    platform.send().succeeds();
    platform.sql("UPDATE course_sessions SET scheduled_at = '2026-11-23 19:00:00'");
    let answer = explain(&platform);
    assert_eq!(
        rule(&answer, "changed"),
        "none: the user was told of the start 2026-11-23 17:00:00, and does not hear of the change: REMINDER_CORRECTIONS is off"
    );
    let all = answer["conclusion"].as_array().unwrap().iter();
    let mail = all.filter(|one| one["channel"] == "mail");
    let said: Vec<_> = mail.map(|one| one["text"].as_str().unwrap()).collect();
    assert_eq!(
        said,
        [
            "Budi is not told by mail that the session was moved to Mon 2026-11-23 19:00 WIB: REMINDER_CORRECTIONS is off",
            "Budi will be told by mail on Mon 2026-11-23 17:55 WIB",
        ]
    );

    let platform = platform.set("REMINDER_CORRECTIONS", "on");
    has(
        &rule(&explain(&platform), "changed"),
        "ok: the user was told of the start 2026-11-23 17:00:00, and hears of the change by mail and WhatsApp",
    );
    platform.send_at("2026-11-23T16:01:00+07:00").succeeds();
    has(
        &rule(&explain(&platform), "changed"),
        "ok: what the user was told is still so",
    );
    platform.sql("UPDATE course_sessions SET cancelled_at = '2026-11-23 16:01:00'");
    let answer = explain(&platform);
    has(
        &rule(&answer, "changed"),
        "ok: the user was told of the start 2026-11-23 19:00:00, and hears of the change by mail and WhatsApp",
    );
    has(&conclusion(&answer, "mail"), "that the session was moved");
}

#[test]
fn a_session_and_a_user_that_are_gone_are_known_by_their_rows() {
    let platform = platform();
    platform.send().succeeds();
    platform.sql(
        "DELETE FROM session_reminder_logs; DELETE FROM enrollments; DELETE FROM course_sessions;
         DELETE FROM user_profiles; DELETE FROM users",
    );
    let answer = explain(&platform);
    has(
        &rule(&answer, "session"),
        "no: session 1 is not there any more",
    );
    has(&rule(&answer, "user"), "no: user 1 is not there any more");
    has(&conclusion(&answer, "mail"), "yes: user 1 was told by mail");
    platform.run(&["explain", "1", "2"]).exits(1);
}

#[test]
fn an_unknown_session_or_user_is_named_with_what_there_is() {
    let platform = platform();
    platform.session(12, "2036-01-01 10:00:00");
    platform.session(11, "2037-01-01 10:00:00");
    let line = |arguments: &[&str]| {
        let run = platform.run(arguments).exits(1);
        assert_eq!(run.stdout, "");
        assert_eq!(run.stderr.lines().count(), 1);
        run.stderr
    };
    let said = "there is no session 999: sessions that start soon are 12, 11 (`reminders status`)";
    has(
        &line(&["explain", "999", "1", "--now", "2026-12-01T00:00:00Z"]),
        said,
    );
    has(
        &line(&["report", "999", "--now", "2026-12-01T00:00:00Z"]),
        said,
    );
    has(
        &line(&["explain", "999", "1", "--now", "2037-12-01T00:00:00Z"]),
        "there is no session 999, and nobody takes part in one that is still to start",
    );
    for who in ["7", "siapa@example.org", "' OR 1=1", "\u{1b}[31m"] {
        has(
            &line(&["explain", "1", who]),
            "give a user's numeric id or email address",
        );
    }
    platform.run(&["explain", "x", "1"]).exits(2);
    platform.run(&["explain", "1"]).exits(2);
    let by_address = at(&platform, NOW, "1", " BUDI@example.org ");
    assert_eq!(by_address["user"]["id"], 1);
}

#[test]
fn before_migrate_it_says_so_and_changes_nothing() {
    let platform = Platform::untouched().with_files();
    platform.course();
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    let before = platform.schema();
    let answer = explain(&platform);
    has(
        &rule(&answer, "participant"),
        "none: there is no session_participants yet: run `reminders migrate`",
    );
    assert_eq!(
        conclusion(&answer, "mail"),
        "will: Budi will be told by mail in the next pass, once `reminders migrate` has run"
    );
    let text = platform
        .run(&["explain", "1", "1", "--now", NOW])
        .succeeds();
    has(&text.stdout, "no ledger yet: run `reminders migrate`");
    platform.sql("UPDATE enrollments SET status = 'pending'");
    has(
        &conclusion(&explain(&platform), "mail"),
        "no: Budi is not told: the enrollment is not active",
    );
    assert_eq!(platform.schema(), before);
    has(
        &platform.run(&["report", "1"]).exits(78).stderr,
        "run `reminders migrate`",
    );
}

#[test]
fn a_view_that_lags_behind_is_told_in_either_direction() {
    let platform = Platform::seed().with_files();
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.sql("ALTER TABLE course_sessions ADD COLUMN cancelled_at timestamp NULL");
    platform.sql("UPDATE course_sessions SET cancelled_at = '2026-11-23 12:00:00'");
    let answer = explain(&platform);
    has(&rule(&answer, "session_cancelled"), "no: ");
    has(&rule(&answer, "participant"), "lists the user all the same");
    has(
        &conclusion(&answer, "mail"),
        "will: Budi will be told by mail in the next pass",
    );
    agrees_with_a_pass(&platform, &[1]);
}

#[test]
fn names_of_any_kind_keep_the_columns_and_the_terminal() {
    let platform = platform();
    platform.send().succeeds();
    let name = "数学\u{1b}[2J\u{202e}\r\nkim";
    platform.sql(&format!(
        "UPDATE users SET name = '{name}'; UPDATE courses SET title = '{name}'"
    ));
    let run = platform
        .run(&["explain", "1", "1", "--now", NOW])
        .succeeds();
    assert!(
        !run.stdout.contains(['\u{1b}', '\u{202e}', '\r', '\0']),
        "{:?}",
        run.stdout
    );
    has(
        &run.stdout,
        "ok  user                数学 [2J kim, user 1\n",
    );
    let json = platform
        .run(&["explain", "1", "1", "--format", "json"])
        .succeeds();
    assert!(
        !json.stdout.contains(['\u{1b}', '\u{202e}', '\r']),
        "{:?}",
        json.stdout
    );
    assert_eq!(json.json()["user"]["name"], name);
}

#[test]
fn a_reader_who_has_had_enough_is_no_error() {
    let platform = platform();
    for arguments in [["explain", "1", "1"].as_slice(), &["report", "1"]] {
        let mut child = platform
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}

#[test]
fn what_twilio_says_later_is_in_the_answer() {
    let twilio = Twilio::start();
    let platform = platform()
        .set("WHATSAPP_TRANSPORT", "twilio")
        .whatsapp(&twilio);
    platform.send().succeeds();
    let answer = explain(&platform);
    let row = answer["deliveries"].as_array().unwrap();
    let row = row.iter().find(|row| row["channel"] == "whatsapp").unwrap();
    assert!(
        row["message_id"].as_str().unwrap().starts_with("SM"),
        "{row}"
    );
    assert_eq!(row["status"], "sent");
    assert!(!row["delivery_status"].is_null(), "{row}");
}

const GUIDE: &str = include_str!("../../docs/operating.md");

#[test]
fn the_documented_sample_is_what_it_prints() {
    let platform = Platform::seed().with_files();
    platform.session(12, START);
    platform.participant(34, "Siti", "siti@example.org");
    let now = "2026-11-23T15:30:00+07:00";
    let run = platform.run(&["explain", "12", "siti@example.org", "--now", now]);
    for line in run.succeeds().stdout.lines() {
        let shown = format!("    {line}");
        assert!(GUIDE.contains(shown.trim_end()), "{line}");
    }
}

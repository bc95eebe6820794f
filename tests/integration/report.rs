//! `report`: whom a session's reminder has reached, as text, CSV and JSON.

use serde_json::Value;

use crate::support::{NOW, Platform, START};

/// Everybody by mail, Budi and Dewi by WhatsApp, at [`NOW`]; then something else became of each.
fn platform() -> Platform {
    let platform = Platform::seed().with_files();
    platform.session(1, START);
    for (id, name) in (1..).zip(["Budi", "Siti", "Dewi", "Agus", "Tono", "Rina", "Umar"]) {
        platform.participant(id, name, &format!("{}@example.org", name.to_lowercase()));
    }
    platform.opted_in(1, "081234567890");
    platform.opted_in(3, "081298765432");
    platform
}

fn told() -> Platform {
    let platform = platform();
    platform.send().succeeds();
    let set = |user: i64, channel: &str, change: &str| {
        platform.sql(&format!(
            "UPDATE session_reminder_deliveries SET {change} WHERE user_id = {user} AND channel = '{channel}'"
        ));
    };
    set(1, "whatsapp", "delivery_status = 'read'");
    set(3, "whatsapp", "delivery_status = 'delivered'");
    set(
        2,
        "mail",
        "status = 'failed', error_code = '550 5.1.1', error = 'no such mailbox'",
    );
    set(4, "mail", "status = 'unknown'");
    set(5, "mail", "status = 'missed', error_code = 'too_late'");
    set(
        6,
        "mail",
        "status = 'pending', sent_at = NULL, rendered_at = NULL, error_code = '451', error = 'busy'",
    );
    // Has left, and was told.
    platform.sql("UPDATE enrollments SET status = 'cancelled' WHERE user_id = 7");
    // Came when the window was over.
    platform.participant(8, "Zaki", "zaki@example.org");
    platform
}

fn report(platform: &Platform, format: &str) -> String {
    let arguments = [
        "report",
        "1",
        "--now",
        "2026-11-23T16:30:00+07:00",
        "--format",
        format,
    ];
    platform.run(&arguments).succeeds().stdout
}

/// Without the blanks at the ends of its lines.
fn trimmed(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}

fn json(platform: &Platform) -> Value {
    serde_json::from_str(&report(platform, "json")).unwrap()
}

#[test]
fn every_participant_and_whoever_left_but_was_told_has_a_line() {
    let text = report(&told(), "text");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    assert_eq!(
        lines,
        [
            "Pecahan (session 1), Mon 2026-11-23 17:00 WIB",
            "",
            "name  mail      WhatsApp",
            "Agus  perhaps   not wanted",
            "Budi  told      read",
            "Dewi  told      delivered",
            "Rina  waiting   not wanted  451: busy",
            "Siti  bounced   not wanted  550 5.1.1: no such mailbox",
            "Tono  missed    not wanted  the session began before it could be sent",
            "Umar  told      not wanted  does not take part any more",
            "Zaki  not told  not wanted",
            "",
            "3 of 8 reached, 1 to be told yet, 1 perhaps, 3 not reached (mail: 3 told, 1 waiting, 1 perhaps, 1 bounced, 1 missed, \
             1 not told; WhatsApp: 1 read, 1 delivered, 6 not wanted)",
        ]
    );
}

#[test]
fn in_csv_the_same_with_times_and_masked_addresses() {
    let csv = report(&told(), "csv");
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let titles = reader.headers().unwrap().clone();
    assert_eq!(
        titles.iter().collect::<Vec<_>>().join(" "),
        "user_id name mail mail_at mail_to mail_reason whatsapp whatsapp_at whatsapp_to whatsapp_reason note"
    );
    let rows: Vec<_> = reader.records().map(|row| row.unwrap()).collect();
    assert_eq!(rows.len(), 8);
    let of = |name: &str| -> Vec<String> {
        let row = rows.iter().find(|row| &row[1] == name).unwrap();
        row.iter().map(str::to_owned).collect()
    };
    assert_eq!(
        of("Budi"),
        [
            "1",
            "Budi",
            "told",
            "2026-11-23 16:00:00",
            "b***@e***.org",
            "",
            "read",
            "2026-11-23 16:00:00",
            "'+62812****890",
            "",
            ""
        ]
    );
    assert_eq!(
        of("Siti")[5..],
        ["550 5.1.1: no such mailbox", "not wanted", "", "", "", ""]
    );
    assert_eq!(of("Umar")[10], "does not take part any more");
}

#[test]
fn of_two_reasons_each_names_its_channel() {
    let platform = told();
    platform.sql("UPDATE session_reminder_deliveries SET status = 'failed', error_code = 'x', error = 'y' WHERE user_id = 1");
    let text = report(&platform, "text");
    assert!(
        text.contains("Budi  bounced   bounced     mail: x: y; WhatsApp: x: y\n"),
        "{text}"
    );
    assert_eq!(json(&platform)["participants"][1]["note"], "");
}

#[test]
fn in_json_states_are_words_of_their_own_and_times_utc() {
    let report = json(&told());
    let budi = &report["participants"][1];
    assert_eq!(budi["name"], "Budi");
    assert_eq!(budi["mail"]["at"], "2026-11-23T09:00:00Z");
    assert_eq!(budi["whatsapp"]["state"], "read");
    assert_eq!(report["participants"][7]["mail"]["state"], "not_told");
    let summary = &report["summary"];
    assert_eq!(summary["reached"], 3);
    assert_eq!(summary["mail"]["not_told"], 1);
    assert_eq!(report["session"]["scheduled_at"], START);
    assert!(!report.to_string().contains("@example.org"), "{report}");
}

#[test]
fn before_the_window_everybody_is_to_be_told_yet() {
    let platform = platform();
    let run = platform.run(&["report", "1", "--now", NOW]).succeeds();
    assert!(
        run.stdout.ends_with(
            "0 of 7 reached, 7 to be told yet, 0 not reached (mail: 7 not yet; WhatsApp: 2 not yet, 5 not wanted)\n"
        ),
        "{}",
        run.stdout
    );
}

#[test]
fn of_several_leads_the_best_counts() {
    let platform = platform().set("REMINDER_LEAD", "24h,60m");
    platform.send_at("2026-11-22T17:00:00+07:00").succeeds();
    platform.send().succeeds();
    platform.sql(
        "UPDATE session_reminder_deliveries SET status = 'failed', error_code = '550', error = 'full'
         WHERE lead_minutes = 60 AND channel = 'mail'",
    );
    assert_eq!(json(&platform)["summary"]["mail"]["told"], 7);
}

#[test]
fn who_was_told_another_start_or_that_it_is_cancelled_is_said() {
    let platform = told();
    platform.sql("UPDATE course_sessions SET scheduled_at = '2026-11-23 20:00:00'");
    let report = json(&platform);
    assert_eq!(report["participants"][1]["mail"]["state"], "not_yet");
    assert_eq!(
        report["participants"][1]["note"],
        "was told of the start 2026-11-23 17:00:00"
    );
    platform.sql(&format!(
        "UPDATE course_sessions SET scheduled_at = '{START}'"
    ));
    platform.sql("UPDATE session_reminder_deliveries SET kind = 'cancelled', lead_minutes = -1 WHERE user_id = 3 AND channel = 'whatsapp'");
    let dewi = &json(&platform)["participants"][2];
    assert_eq!(dewi["note"], "was told that it is cancelled");
    assert_eq!(dewi["mail"]["state"], "told");
}

#[test]
fn who_heard_of_the_move_knows_the_start_and_who_has_left_is_not_to_be_told() {
    let platform = platform().set("REMINDER_CORRECTIONS", "on");
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
    platform.sql("UPDATE enrollments SET status = 'cancelled' WHERE user_id = 7");
    platform.sql("UPDATE course_sessions SET scheduled_at = '2026-11-23 20:00:00'");
    platform.send_at("2026-11-23T16:02:00+07:00").succeeds();
    let text = trimmed(&report(&platform, "text"));
    assert!(text.contains("\nBudi  told        told\n"), "{text}");
    assert!(
        text.contains(
            "\nUmar  not wanted  not wanted  does not take part any more; was told of the start 2026-11-23 17:00:00\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("\n6 of 6 reached, 1 left the course, 0 not reached (mail: 6 told; "),
        "{text}"
    );
    // Back again: the first start is the last that they were told.
    platform.sql(&format!(
        "UPDATE course_sessions SET scheduled_at = '{START}'"
    ));
    assert_eq!(
        json(&platform)["participants"][1]["note"],
        "was told of the start 2026-11-23 20:00:00"
    );
}

#[test]
fn what_was_never_handed_over_has_not_bounced() {
    let platform = platform();
    platform.participant(8, "Wati", "wati lestari@example.org");
    platform.send().exits(1);
    let text = report(&platform, "text");
    assert!(
        text.contains("\nWati  not sent  not wanted  address: "),
        "{text}"
    );
    assert!(!text.contains("bounced"), "{text}");
    // Nor after a pass that found the mail server down.
    platform.sql("UPDATE session_reminder_deliveries SET attempts = 1 WHERE user_id = 8");
    let text = report(&platform, "text");
    assert!(text.contains("\nWati  not sent  "), "{text}");
    platform.sql("UPDATE session_reminder_deliveries SET error_code = '550' WHERE user_id = 8");
    let text = report(&platform, "text");
    assert!(text.contains("\nWati  bounced "), "{text}");
}

#[test]
fn a_session_that_is_gone_still_has_its_report() {
    let platform = told();
    platform.sql("DELETE FROM session_reminder_logs; DELETE FROM course_sessions");
    let text = report(&platform, "text");
    assert!(
        text.starts_with("session 1, Mon 2026-11-23 17:00 WIB\n"),
        "{text}"
    );
    assert!(text.contains("\nBudi  told     read"), "{text}");
    assert!(text.contains("\nthe session was deleted\n"), "{text}");
    assert!(!text.contains("does not take part"), "{text}");
}

/// A platform that marks cancelled sessions, and corrects; Budi's WhatsApp message waits.
fn cancellable() -> Platform {
    let platform = platform().set("REMINDER_CORRECTIONS", "on");
    platform.sql("ALTER TABLE course_sessions ADD COLUMN cancelled_at timestamp NULL");
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
    platform.sql(
        "UPDATE session_reminder_deliveries SET status = 'pending', sent_at = NULL, rendered_at = NULL, next_attempt_at = NULL
         WHERE user_id = 1 AND channel = 'whatsapp'",
    );
    platform
}

const CANCEL: &str = "UPDATE course_sessions SET cancelled_at = '2026-11-23 16:01:00'";

#[test]
fn of_a_cancelled_session_it_says_why_and_who_has_not_heard() {
    let platform = cancellable();
    platform.sql(CANCEL);
    let why = "the session was cancelled (course_sessions.cancelled_at: 2026-11-23 16:01:00";
    let before = trimmed(&report(&platform, "text"));
    let pending =
        "\nBudi  told  cancelled   has not heard that it is cancelled; the session was cancelled (";
    assert!(before.contains(pending), "{before}");
    assert!(before.contains(&format!("\n{why}")), "{before}");
    let siti = "\nSiti  told  not wanted  has not heard that it is cancelled\n";
    assert!(before.contains(siti), "{before}");
    assert!(!before.contains("waiting"), "{before}");

    platform.send_at("2026-11-23T16:02:00+07:00").succeeds();
    let after = trimmed(&report(&platform, "text"));
    let budi =
        "\nBudi  told  cancelled   was told that it is cancelled; the session was cancelled (";
    assert!(after.contains(budi), "{after}");
    assert!(!after.contains("has not heard"), "{after}");
    assert!(!after.contains("or the session was cancelled"), "{after}");

    // What was said before it took place again is no longer so.
    platform.sql("UPDATE course_sessions SET cancelled_at = NULL");
    platform.send_at("2026-11-23T16:03:00+07:00").succeeds();
    let restored = report(&platform, "text");
    assert!(!restored.contains("cancelled"), "{restored}");
}

#[test]
fn without_corrections_nobody_has_heard_either_and_once_it_is_over_nobody_needs_to() {
    let platform = cancellable().set("REMINDER_CORRECTIONS", "off");
    platform.sql(CANCEL);
    let text = report(&platform, "text");
    let unheard = text.matches("has not heard that it is cancelled").count();
    assert_eq!(unheard, 7, "{text}");
    let run = platform.run(&["report", "1", "--now", "2026-11-23T17:30:00+07:00"]);
    let text = run.succeeds().stdout;
    assert!(!text.contains("has not heard"), "{text}");
    assert!(text.contains("the session was cancelled"), "{text}");
}

#[test]
fn of_a_cancelled_session_of_which_nobody_was_told_nobody_is_counted() {
    let platform = platform();
    platform.sql("ALTER TABLE course_sessions ADD COLUMN cancelled_at timestamp NULL");
    platform.run(&["migrate"]).succeeds();
    platform.sql(CANCEL);
    let text = report(&platform, "text");
    assert!(text.contains("the session was cancelled ("), "{text}");
    assert!(text.ends_with("\nnobody is to be told\n"), "{text}");
}

#[test]
fn where_all_have_left_the_session_is_not_called_cancelled() {
    let platform = told();
    platform.sql("UPDATE enrollments SET status = 'cancelled'");
    let text = report(&platform, "text");
    assert!(
        text.contains("\nnobody takes part any more: all have left\n"),
        "{text}"
    );
    assert!(!text.contains("heard"), "{text}");
}

#[test]
fn what_waits_and_will_not_be_sent_says_so() {
    let platform = told();
    platform.sql(
        "UPDATE session_reminder_deliveries SET status = 'pending', sent_at = NULL, rendered_at = NULL WHERE channel = 'whatsapp';
         UPDATE user_profiles SET whatsapp_opt_in = false WHERE user_id = 1;
         UPDATE user_profiles SET phone = '12' WHERE user_id = 3",
    );
    let text = trimmed(&report(&platform, "text"));
    for line in [
        "\nBudi  told      cancelled   opted_out: no longer wants WhatsApp messages\n",
        "\nDewi  told      not sent    phone: ",
        "\nRina  waiting   not wanted  451: busy\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    // Who has left hears nothing more.
    platform.sql("UPDATE enrollments SET status = 'cancelled' WHERE user_id = 1");
    let text = trimmed(&report(&platform, "text"));
    let budi = "\nBudi  told      cancelled   does not take part any more\n";
    assert!(text.contains(budi), "{text}");

    let run = platform.run(&["report", "1", "--now", "2026-11-23T16:59:30+07:00"]);
    let text = trimmed(&run.succeeds().stdout);
    let rina = "\nRina  missed    not wanted  too_late: the session has started, or starts within a minute\n";
    assert!(text.contains(rina), "{text}");

    let platform = platform.set("MAIL_MAILER", "none");
    let text = trimmed(&report(&platform, "text"));
    let rina = "\nRina  not sent    not wanted  mail is off (MAIL_MAILER=none)\n";
    assert!(text.contains(rina), "{text}");
}

#[test]
fn what_may_have_been_sent_by_a_pass_that_died_is_in_doubt() {
    let platform = told();
    platform.sql(
        "UPDATE session_reminder_deliveries SET status = 'sending', error_code = NULL, error = NULL, lease_until = '2026-11-23 09:31:00' WHERE user_id = 2;
         UPDATE session_reminder_deliveries SET status = 'sending', lease_until = '2026-11-23 09:02:00' WHERE user_id = 6",
    );
    let text = trimmed(&report(&platform, "text"));
    assert!(text.contains("\nSiti  waiting "), "{text}");
    assert!(text.contains("\nRina  perhaps "), "{text}");
}

#[test]
fn who_waits_for_the_days_budget_is_told_when_it_has_room_if_that_is_in_time() {
    let platform = platform().set("MAIL_MAX_PER_DAY", "3");
    platform.session(2, "2026-11-24 17:00:00");
    platform.session(3, "2026-11-24 16:00:30");
    platform.send().exits(75);
    let text = report(&platform, "text");
    let reached = "MAIL_MAX_PER_DAY=3 is reached";
    let late = format!("not before Tue 2026-11-24 16:00 WIB, too late for the session: {reached}");
    assert_eq!(
        text.matches(&format!("not sent  not wanted  {late}"))
            .count(),
        4,
        "{text}"
    );
    assert!(
        text.contains("4 not reached (mail: 3 told, 4 not sent"),
        "{text}"
    );

    let of = |session: &str| {
        let arguments = ["report", session, "--now", "2026-11-23T16:30:00+07:00"];
        platform.run(&arguments).succeeds().stdout
    };
    let tomorrow = of("2");
    let waits = format!("not yet  not wanted  not before Tue 2026-11-24 16:00 WIB: {reached}");
    assert_eq!(tomorrow.matches(&waits).count(), 5, "{tomorrow}");
    assert!(tomorrow.contains("7 to be told yet"), "{tomorrow}");
    let too_near = of("3");
    assert!(
        too_near.contains(&format!("not sent  not wanted  {late}")),
        "{too_near}"
    );
}

#[test]
fn who_waits_for_a_channel_that_broke_down_is_told_when_it_works_again_if_that_is_in_time() {
    let platform = told();
    let hold = |until: &str| {
        platform.sql(&format!(
            "UPDATE session_reminder_deliveries SET error_code = '535', error = 'channel stopped: wrong password', next_attempt_at = '{until}'
             WHERE user_id = 6"
        ));
        trimmed(&report(&platform, "text"))
    };
    let in_time = hold("2026-11-23 09:35:00");
    let rina = "\nRina  waiting   not wanted  channel stopped: wrong password\n";
    assert!(in_time.contains(rina), "{in_time}");
    let late = hold("2026-11-23 09:59:30");
    let rina = "\nRina  not sent  not wanted  not before Mon 2026-11-23 16:59 WIB, too late for the session: channel stopped: wrong password\n";
    assert!(late.contains(rina), "{late}");
}

#[test]
fn of_a_channel_that_sends_nothing_it_says_why() {
    let platform = platform().set("MAIL_MAILER", "log");
    let text = report(&platform, "text");
    assert!(text.contains("\nmail is off (MAIL_MAILER=log)\n"), "{text}");
    let platform = platform.set("MAIL_MAILER", "smtp");
    let platform = platform.set("MAIL_FROM_ADDRESS", "nobody");
    let text = report(&platform, "text");
    let wrong = "\nthe settings of mail are wrong: MAIL_FROM_ADDRESS is \"nobody\": ";
    assert!(text.contains(wrong), "{text}");
}

#[test]
fn what_laravel_has_sent_is_not_known_by_name() {
    let platform = platform();
    platform.laravel_tells(1, "2026-11-23 15:58:00", 7);
    platform.send().succeeds();
    let text = report(&platform, "text");
    assert!(
        text.contains("Laravel has reminded of this session at 2026-11-23 15:58:00; whom it reached is not recorded"),
        "{text}"
    );
    // In the window, and when it is over.
    for now in [NOW, "2026-11-23T18:00:00+07:00"] {
        let run = platform.run(&["report", "1", "--now", now]).succeeds();
        let text = trimmed(&run.stdout);
        assert!(text.contains("\nBudi  by Laravel  by Laravel\n"), "{text}");
        assert!(text.contains("\nSiti  by Laravel  not wanted\n"), "{text}");
        assert!(
            text.ends_with(
                "0 of 7 reached, 7 by Laravel, 0 not reached (mail: 7 by Laravel; WhatsApp: 2 by Laravel, 5 not wanted)\n"
            ),
            "{text}"
        );
    }
    // Without an address nobody has been told by anybody, as explain says as well.
    platform.sql("UPDATE users SET email = 'no address' WHERE id = 2");
    let text = trimmed(&report(&platform, "text"));
    assert!(
        text.contains("\nSiti  not sent    not wanted  address:"),
        "{text}"
    );
    assert!(text.contains("6 by Laravel, 1 not reached"), "{text}");
    // Of a lead that Laravel knows nothing of, they are still to be told.
    platform.sql("UPDATE users SET email = 'siti@example.org' WHERE id = 2");
    let platform = platform.set("REMINDER_LEAD", "60m,15m");
    let text = report(&platform, "text");
    assert!(text.contains("0 of 7 reached, 7 to be told yet"), "{text}");
}

#[test]
fn a_name_is_no_formula_no_line_and_no_command_to_a_terminal() {
    let platform = platform();
    for (id, name) in [
        (1, "=HYPERLINK(\"http://evil\",\"x\")"),
        (2, "+62"),
        (3, "@SUM(A1)"),
        (4, "-1+1"),
        (5, "数学, \"x\"\r\n=1\u{1b}[2J"),
        (6, ""),
    ] {
        platform.sql(&format!("UPDATE users SET name = '{name}' WHERE id = {id}"));
    }
    let csv = report(&platform, "csv");
    assert_eq!(csv.lines().count(), 8);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let names: Vec<String> = reader
        .records()
        .map(|row| row.unwrap()[1].to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "'+62",
            "'-1+1",
            "'=HYPERLINK(\"http://evil\",\"x\")",
            "'@SUM(A1)",
            "Umar",
            "user 6",
            "数学, \"x\" =1 [2J",
        ]
    );
    let text = report(&platform, "text");
    assert!(!text.contains(['\u{1b}', '\r']), "{text:?}");
    for start in [
        "\n=HYPERLINK(\"http://evil\",\"x\")  not told",
        "\nuser 6                         not told",
        "\n数学, \"x\" =1 [2J               not told",
    ] {
        assert!(text.contains(start), "{text}");
    }
}

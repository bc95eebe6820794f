//! `preview` shows what `send` sends, and says so where it cannot.

use std::fs;

use crate::{
    smtp::{Mail, Smtp},
    support::{NOW, Platform, Run, START, program, wall_in},
    twilio::{Create, Twilio},
};

/// A platform that corrects, with session 1, and Budi on both channels.
fn course(smtp: &Smtp, twilio: &Twilio) -> Platform {
    let platform = Platform::seed()
        .mail(smtp)
        .whatsapp(twilio)
        .set("REMINDER_CORRECTIONS", "on");
    platform.session(1, START);
    platform.participant(34, "Budi Santoso", "budi@example.org");
    platform.opted_in(34, "081234567890");
    platform
}

fn preview(platform: &Platform, now: &str, more: &[&str]) -> serde_json::Value {
    let always = ["preview", "1", "34", "--now", now, "--format", "json"];
    platform.run(&[&always, more].concat()).succeeds().json()
}

/// Without the second in which it was made.
fn timeless(entry: &str) -> String {
    let made = |line: &&str| line.starts_with("DTSTAMP") || line.starts_with("SEQUENCE");
    let lines: Vec<&str> = entry.lines().filter(|line| !made(line)).collect();
    assert!(lines.len() > 10, "{entry}");
    lines.join("\n")
}

#[track_caller]
fn assert_same(shown: &serde_json::Value, mail: &Mail, message: &Create) {
    let of_mail = &shown["mail"];
    assert_eq!(of_mail["subject"], mail.subject());
    let text = |field: &str| of_mail[field].as_str().unwrap().trim_end().to_owned();
    assert_eq!(text("text"), mail.text().replace("\r\n", "\n").trim_end());
    assert_eq!(text("html"), mail.html().replace("\r\n", "\n").trim_end());
    let entry = of_mail["calendar"].as_str().unwrap();
    assert_eq!(timeless(entry), timeless(&mail.calendar()));
    assert_eq!(of_mail["from"], "Kursus Kita <halo@kursuskita.test>");
    assert_eq!(of_mail["to"], format!("Budi Santoso <{}>", mail.to[0]));
    let of_message = &shown["whatsapp"];
    let to = of_message["to"].as_str().unwrap();
    assert_eq!(format!("whatsapp:{to}"), message.to);
    assert_eq!(of_message["body"].as_str(), message.body.as_deref());
    let sid = of_message["content_sid"].as_str();
    assert_eq!(sid, message.content_sid.as_deref());
}

#[test]
fn it_shows_what_send_sends_of_every_kind() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = course(&smtp, &twilio);
    let both = |shown, count: usize| {
        let (mails, messages) = (smtp.mails(), twilio.created());
        assert_eq!((mails.len(), messages.len()), (count, count));
        assert_same(&shown, &mails[count - 1], &messages[count - 1]);
    };
    let shown = preview(&platform, NOW, &[]);
    platform.send().succeeds();
    both(shown, 1);

    let (moved, later) = ("2026-11-23 20:30:00", "2026-11-23T16:02:00+07:00");
    platform.sql(&format!(
        "UPDATE course_sessions SET scheduled_at = '{moved}'"
    ));
    let shown = preview(&platform, later, &["--kind", "moved"]);
    platform.send_at(later).succeeds();
    both(shown.clone(), 2);
    let text = shown["mail"]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("pukul 17.00 WIB"), "what was told: {text}");

    // One that is gone is known only to those who were told of it.
    let later = "2026-11-23T16:04:00+07:00";
    platform.sql("DELETE FROM course_sessions");
    let run = platform.run(&["preview", "1", "34"]).exits(1);
    assert!(run.stderr.contains("--kind cancelled"), "{}", run.stderr);
    let shown = preview(&platform, later, &["--kind", "cancelled"]);
    platform.send_at(later).succeeds();
    both(shown, 3);
}

#[test]
fn it_shows_a_redirected_mail_and_an_approved_template() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let sid = format!("HX{}", "0".repeat(32));
    let platform = course(&smtp, &twilio)
        .set("REMINDER_REDIRECT_MAIL", "try@example.net")
        .set("REMINDER_REDIRECT_WHATSAPP", "+6281111111111")
        .set("TWILIO_WHATSAPP_CONTENT_SID", &sid);
    let shown = preview(&platform, NOW, &[]);
    platform.send().succeeds();
    let (mails, messages) = (smtp.mails(), twilio.created());
    assert_same(&shown, &mails[0], &messages[0]);
    assert_eq!(messages[0].content_sid.as_deref(), Some(sid.as_str()));
    let sent = messages[0].content_variables.as_deref().unwrap();
    let sent: serde_json::Value = serde_json::from_str(sent).unwrap();
    for number in 1..=5 {
        let variable = &shown["whatsapp"]["content_variables"][number - 1];
        assert_eq!(variable, &sent[number.to_string()]);
    }
    let run = platform.run(&["preview", "1", "34"]).succeeds();
    for shown in [
        &sid,
        "try@example.net",
        "+6281111111111",
        "[for b***@e***.org]",
    ] {
        assert!(run.stdout.contains(shown), "{shown}");
    }
}

#[test]
fn without_a_user_somebody_is_made_up_in_either_language() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = course(&smtp, &twilio);
    let run = platform.run(&["preview", "1"]).succeeds();
    for text in [
        "Halo Budi,",
        "Pecahan",
        "pukul 17.00 WIB",
        "https://meet.example.org/1",
    ] {
        assert!(run.stdout.contains(text), "{text}");
    }
    let run = platform.run(&["preview", "1", "--locale", "en"]).succeeds();
    assert!(run.stdout.contains("Hello Budi,"), "{}", run.stdout);
    assert!(!run.stdout.contains("Santoso"), "{}", run.stdout);
    platform
        .run(&["preview", "1", "34", "--locale", "en"])
        .exits(2);
}

#[test]
fn a_session_whose_window_is_over_is_not_the_next_one() {
    let platform = Platform::seed();
    platform.session(1, &wall_in(20));
    platform.participants(1..=1);
    let run = platform.run(&["preview"]).exits(1);
    assert!(
        run.stderr.contains("whose reminder is still to go"),
        "{}",
        run.stderr
    );
    platform.session(2, &wall_in(300));
    let shown = platform
        .run(&["preview", "--format", "json"])
        .succeeds()
        .json();
    assert_eq!(shown["session_id"], 2);
}

#[test]
fn without_a_session_it_is_the_next_one_as_its_reminder_will_be() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = course(&smtp, &twilio);
    platform.sql("DELETE FROM course_sessions");
    let run = platform.run(&["preview"]).exits(1);
    assert!(run.stderr.contains("--sample"), "{}", run.stderr);
    platform.session(7, &wall_in(3 * 24 * 60));
    platform.session(8, &wall_in(-60));
    let shown = platform
        .run(&["preview", "--format", "json"])
        .succeeds()
        .json();
    assert_eq!(shown["session_id"], 7);
    assert_eq!(shown["user_id"], serde_json::Value::Null);
    let text = shown["mail"]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("dalam 1 jam 5 menit"), "{text}");
}

#[test]
fn an_unknown_session_or_user_is_named_with_those_there_are() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = course(&smtp, &twilio);
    platform.session(5, &wall_in(60));
    platform.participant(35, "Siti", "siti@example.org");
    let says = |arguments: &[&str], texts: &[&str]| {
        let run = platform.run(arguments).exits(1);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        assert_eq!(run.stdout, "");
        for text in texts {
            assert!(run.stderr.contains(text), "{text}: {}", run.stderr);
        }
    };
    says(&["preview", "99"], &["no session 99", "are 5"]);
    says(
        &["preview", "1", "eve@example.org"],
        &["\"eve@example.org\"", "34, 35", "reminders explain 1 USER"],
    );
    says(&["preview", "1", "99"], &["\"99\"", "34, 35"]);
    platform.run(&["preview", "abc"]).exits(2);
    platform
        .run(&["preview", "1", " BUDI@example.org "])
        .succeeds();
}

/// Sessions 2 and 3 do not take place, and nobody was told of them; 4 and 5 do.
fn course_with_cancelled_sessions(smtp: &Smtp, twilio: &Twilio) -> Platform {
    let platform = course(smtp, twilio);
    platform.sql(
        "ALTER TABLE course_sessions ADD COLUMN status varchar(255);
         ALTER TABLE course_sessions ADD COLUMN deleted_at timestamp NULL",
    );
    platform.run(&["migrate"]).succeeds();
    for (session, minutes) in [(2, 90), (3, 120), (4, 180), (5, 150)] {
        platform.session(session, &wall_in(minutes));
    }
    platform.sql(
        "UPDATE course_sessions SET deleted_at = '2026-01-01 00:00:00' WHERE id = 2;
         UPDATE course_sessions SET status = 'cancelled' WHERE id = 3",
    );
    platform
}

#[test]
fn a_session_that_has_nobody_to_tell_is_not_an_unknown_one() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = course_with_cancelled_sessions(&smtp, &twilio);
    for session in ["2", "3"] {
        let explain = format!("reminders explain {session} USER");
        let why = format!("session {session} has nobody to tell: `{explain}` says why");
        for more in [&[][..], &["34"], &["--kind", "cancelled"]] {
            let run = platform.run(&[&["preview", session], more].concat());
            let run = run.exits(1);
            assert_eq!(run.stdout, "");
            assert!(run.stderr.contains(&why), "{}", run.stderr);
        }
        platform.run(&["explain", session, "34"]).succeeds();
    }
}

#[test]
fn instead_of_an_unknown_session_those_of_status_are_named() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = course_with_cancelled_sessions(&smtp, &twilio);
    let says = |text: &str| {
        for command in [
            &["preview", "99"][..],
            &["explain", "99", "34"],
            &["report", "99"],
        ] {
            let run = platform.run(command).exits(1);
            assert!(run.stderr.contains(text), "{}", run.stderr);
        }
    };
    says("there is no session 99: sessions that start soon are 5, 4 (`reminders status`)");
    let status = platform.run(&["status", "--format", "json"]).json();
    let upcoming = status["upcoming"].as_array().unwrap().iter();
    let ids: Vec<i64> = upcoming.map(|one| one["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [5, 4]);

    platform.sql("UPDATE course_sessions SET status = 'cancelled'");
    says("there is no session 99, and nobody takes part in one that is still to start");
}

#[test]
fn a_sample_needs_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "MAIL_MAILER=log\nAPP_TIMEZONE=Asia/Makassar\nDB_CONNECTION=oracle\n";
    fs::write(folder.path().join(".env"), settings).unwrap();
    let arguments = ["preview", "--sample", "--kind", "cancelled"];
    let output = program(folder.path()).args(arguments).output().unwrap();
    let run = Run::of(&arguments, output).succeeds();
    for text in [
        "dibatalkan",
        "WITA",
        "MAIL_MAILER=log",
        "REMINDER_CORRECTIONS",
    ] {
        assert!(run.stdout.contains(text), "{text}");
    }
}

#[test]
fn before_migrate_the_platforms_tables_are_enough() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = Platform::untouched().mail(&smtp).whatsapp(&twilio);
    platform.course();
    platform.session(1, &wall_in(60));
    platform.participant(34, "Budi Santoso", "budi@example.org");
    let before = platform.contents();
    for arguments in [&["preview"][..], &["preview", "1"], &["preview", "1", "34"]] {
        let run = platform.run(arguments).succeeds();
        assert!(run.stdout.contains("Pecahan"), "{}", run.stdout);
    }
    platform
        .run(&["preview", "1", "34", "--kind", "moved"])
        .succeeds();
    let run = platform.run(&["preview", "99"]).exits(1);
    assert!(run.stderr.contains("soon are 1"), "{}", run.stderr);
    platform
        .run(&["preview", "1", "--kind", "cancelled"])
        .succeeds();
    assert_eq!(platform.contents(), before, "nothing is written");
    platform.sql("ALTER TABLE user_profiles DROP COLUMN whatsapp_opt_in");
    platform.run(&["preview", "1", "34"]).succeeds();
    let run = Platform::empty().run(&["preview", "1"]).exits(78);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
}

#[test]
fn what_would_not_be_sent_is_said() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = course(&smtp, &twilio);
    platform.participant(35, "Siti", "siti");
    let run = platform.run(&["preview", "1", "35"]).succeeds();
    assert!(run.stdout.contains("has not opted in"), "{}", run.stdout);
    assert!(run.stdout.contains("has no @"), "{}", run.stdout);

    let platform = platform.set("TWILIO_AUTH_TOKEN", "");
    let run = platform.run(&["preview", "1", "34"]).exits(78);
    assert!(run.stdout.contains("Halo Budi Santoso"), "{}", run.stdout);
    assert!(run.stderr.contains("TWILIO_AUTH_TOKEN"), "{}", run.stderr);
    platform
        .run(&["preview", "1", "34", "--channel", "mail"])
        .succeeds();
}

#[test]
fn the_html_part_goes_to_a_file_or_alone_to_stdout() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = course(&smtp, &twilio);
    let html = preview(&platform, NOW, &[])["mail"]["html"].clone();
    let html = html.as_str().unwrap();
    let always = ["preview", "1", "34", "--now", NOW, "--html"];
    let run = platform
        .run(&[&always[..], &["mail.html"]].concat())
        .succeeds();
    assert!(run.stdout.contains("Halo Budi Santoso"), "{}", run.stdout);
    assert_eq!(
        fs::read_to_string(platform.path("mail.html")).unwrap(),
        html
    );
    let run = platform.run(&[&always[..], &["-"]].concat()).succeeds();
    assert_eq!(run.stdout.trim_end(), html.trim_end());
    let run = platform
        .run(&[&always[..], &["no/such/folder"]].concat())
        .exits(1);
    assert!(run.stderr.contains("no/such/folder"), "{}", run.stderr);
    let run = platform
        .run(&[&always[..], &["-", "--channel", "whatsapp"]].concat())
        .exits(2);
    assert!(run.stderr.contains("Usage"), "{}", run.stderr);
}

#[test]
fn nothing_that_somebody_typed_acts_on_the_terminal() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = course(&smtp, &twilio).set("REMINDER_TEMPLATES", "pesan");
    fs::create_dir_all(platform.path("pesan/id")).unwrap();
    fs::write(
        platform.path("pesan/id/mail.txt"),
        "\u{1b}[2J\t{{ name }}\u{202e}\n\u{9b}31m",
    )
    .unwrap();
    let name = "Budi \u{1b}]0;x\u{7} \u{202e}";
    platform.sql(&format!(
        "UPDATE users SET name = '{name}'; UPDATE course_sessions SET title = '{name}'"
    ));
    let run = platform.run(&["preview", "1", "34"]).succeeds();
    let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!run.stdout.contains(acts), "{:?}", run.stdout);
}

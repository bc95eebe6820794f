//! The operator's own templates: one file at a time, and a broken one is known before anybody is due.

use std::{fs, path::Path};

use crate::{
    smtp::Smtp,
    support::{NOW, Platform, Run, START, program},
    twilio::Twilio,
};

/// Session 1, one participant on both channels, and a folder of templates with these files.
fn platform(smtp: &Smtp, twilio: &Twilio, files: &[(&str, &str)]) -> Platform {
    let platform = Platform::seed()
        .mail(smtp)
        .whatsapp(twilio)
        .set("REMINDER_TEMPLATES", "pesan");
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.opted_in(1, "081234567890");
    fs::create_dir(platform.path("pesan")).unwrap();
    for (name, text) in files {
        let file = platform.path("pesan").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    platform
}

#[test]
fn a_file_replaces_its_template_and_no_other() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let files = [
        ("id/mail.subject.txt", "{{ session }} sebentar lagi\n"),
        ("id/mail.html", "<p>Hai {{ name }}</p>"),
    ];
    let platform = platform(&smtp, &twilio, &files);
    platform.sql("UPDATE users SET name = '<b>Budi</b>'");
    platform.send().succeeds();
    let mails = smtp.mails();
    assert_eq!(mails[0].subject(), "Pecahan sebentar lagi");
    assert_eq!(
        mails[0].html().trim(),
        "<p>Hai &lt;b&gt;Budi&lt;&#x2f;b&gt;</p>"
    );
    assert!(
        mails[0]
            .text()
            .contains("Sesi kursus Anda akan dimulai dalam 1 jam.")
    );
    assert!(
        twilio.created()[0]
            .body
            .as_ref()
            .unwrap()
            .contains("Pengingat Sesi Kursus")
    );
}

#[test]
fn a_subject_of_several_lines_stays_one_header() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let files = [(
        "id/mail.subject.txt",
        "{{ session }}\r\nBcc: eve@example.net\n\nX: y\n",
    )];
    let platform = platform(&smtp, &twilio, &files);
    platform.send().succeeds();
    assert_eq!(
        smtp.mails()[0].subject(),
        "Pecahan Bcc: eve@example.net X: y"
    );
    assert_eq!(smtp.mails()[0].header("Bcc"), None);
}

#[test]
fn a_broken_mail_template_names_file_and_line_and_whatsapp_still_goes() {
    for (text, line, what) in [
        ("Halo {{ name }},\n\n{% if link %}\n", 3, "syntax error"),
        ("Halo\n{{ nama }}\n", 2, "undefined"),
        ("Halo {{ name|besar }}\n", 1, "unknown filter"),
    ] {
        let (smtp, twilio) = (Smtp::start(), Twilio::start());
        let platform = platform(&smtp, &twilio, &[("id/mail.txt", text)]);
        let run = platform
            .run(&["send", "--now", NOW, "--format", "json"])
            .exits(78);
        let place = format!("pesan/id/mail.txt:{line}: {what}");
        assert!(run.stderr.contains(&place), "{place}: {}", run.stderr);
        assert!(run.stderr.contains("REMINDER_TEMPLATES"), "{}", run.stderr);
        assert_eq!((smtp.mails().len(), twilio.created().len()), (0, 1));
        assert_eq!(run.json()["channels"]["whatsapp"]["sent"], 1);
        assert_eq!(
            platform.ledger(),
            ["mail|1|pending|NULL", "whatsapp|1|sent|NULL"]
        );

        fs::remove_file(platform.path("pesan/id/mail.txt")).unwrap();
        platform.send().succeeds();
        assert_eq!((smtp.mails().len(), twilio.created().len()), (1, 1));
    }
}

#[test]
fn a_broken_whatsapp_template_stops_whatsapp_only() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = platform(&smtp, &twilio, &[("en/whatsapp.txt", "Hi {{ oops }}")]);
    let run = platform.send().exits(78);
    assert!(
        run.stderr.contains("pesan/en/whatsapp.txt:1: undefined"),
        "{}",
        run.stderr
    );
    assert_eq!((smtp.mails().len(), twilio.created().len()), (1, 0));
}

#[test]
fn a_broken_template_is_said_on_a_day_without_sessions_too() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = platform(&smtp, &twilio, &[("id/mail.html", "{{")]);
    platform.sql("DELETE FROM course_sessions");
    let run = platform.send().exits(78);
    assert!(
        run.stderr.contains("pesan/id/mail.html:1"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_name_that_replaces_nothing_is_said_with_the_names_there_are() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = platform(&smtp, &twilio, &[("id/mail.htm", "<p>Hai</p>")]);
    let run = platform.send().exits(78);
    assert!(
        run.stderr
            .contains("pesan/id/mail.htm replaces no template"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("id/mail.html"), "{}", run.stderr);
    assert_eq!((smtp.mails().len(), twilio.created().len()), (0, 1));
}

#[test]
fn what_stops_both_channels_is_said_once_and_shortly() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let files = [("id/mail.txt~", "{{"), ("notes.md", "x")];
    let platform = platform(&smtp, &twilio, &files);
    let run = platform.send().exits(78);
    let [line] = run.complaints()[..] else {
        panic!("{}", run.stderr)
    };
    assert!(
        line.contains("pesan/notes.md replaces no template: "),
        "{line}"
    );
    assert!(line.len() < 250, "{line}");
    fs::remove_file(platform.path("pesan/notes.md")).unwrap();
    platform.send().succeeds();
    assert_eq!((smtp.mails().len(), twilio.created().len()), (1, 1));
}

#[test]
fn a_missing_folder_stops_before_anything_is_sent() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = platform(&smtp, &twilio, &[]).set("REMINDER_TEMPLATES", "pesan-lama");
    let run = platform.send().exits(78);
    assert!(
        run.stderr.contains("REMINDER_TEMPLATES is \""),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("pesan-lama"), "{}", run.stderr);
    assert_eq!((smtp.mails().len(), twilio.created().len()), (0, 0));
}

/// Runs the program where there are neither settings nor a database.
fn alone(folder: &Path, arguments: &[&str]) -> Run {
    let output = program(folder).args(arguments).output().unwrap();
    Run::of(arguments, output)
}

#[test]
fn the_exported_templates_pass_their_check_and_are_not_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("pesan/id/mail.txt");
    let export = ["templates", "export", "pesan"];
    let run = alone(home.path(), &export).succeeds();
    assert_eq!(run.stdout.matches("written").count(), 24, "{}", run.stdout);
    let built_in = fs::read_to_string(&file).unwrap();
    let run = alone(
        home.path(),
        &["templates", "check", "pesan", "--format", "json"],
    )
    .succeeds();
    let found = run.json();
    let found = found.as_array().unwrap();
    assert_eq!(found.len(), 24);
    assert!(
        found
            .iter()
            .all(|one| one["verdict"] == "ok" && one["built_in"] == false)
    );

    fs::write(&file, "Halo {{ name }}").unwrap();
    fs::remove_file(home.path().join("pesan/id/mail.html")).unwrap();
    let run = alone(home.path(), &export).succeeds();
    let lines = |word: &str| {
        run.stdout
            .lines()
            .filter(|line| line.starts_with(word))
            .count()
    };
    assert_eq!((lines("written"), lines("kept")), (1, 23));
    assert_eq!(fs::read_to_string(&file).unwrap(), "Halo {{ name }}");
    alone(home.path(), &[&export[..], &["--force"]].concat()).succeeds();
    assert_eq!(fs::read_to_string(&file).unwrap(), built_in);

    let run = alone(home.path(), &["templates", "export", "pesan/id/mail.txt"]).exits(1);
    assert!(run.stderr.contains("pesan/id/mail.txt"), "{}", run.stderr);
}

#[test]
fn a_check_names_each_file_and_what_is_wrong_with_it() {
    let home = tempfile::tempdir().unwrap();
    let check = ["templates", "check", "pesan"];
    let run = alone(home.path(), &check).exits(1);
    assert!(run.stderr.contains("pesan"), "{}", run.stderr);
    for (name, text) in [
        ("id/mail.txt", "Halo {{ name }}\n"),
        ("id/mail.html", "<p>\n{{ nama }}"),
        ("id/moved.mail.html", "<h1>\n{{ session|safe }}</h1>"),
        ("en/mial.subject.txt", "x"),
    ] {
        let file = home.path().join("pesan").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let run = alone(home.path(), &check).exits(1);
    let line = |file: &str| {
        let lines = run.stdout.lines();
        let mut lines = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
        lines.find(|words| words[1] == file).unwrap().join(" ")
    };
    assert_eq!(line("id/mail.txt"), "ok id/mail.txt");
    assert_eq!(line("en/mail.txt"), "ok en/mail.txt built in");
    assert!(line("id/mail.html").starts_with("FAIL id/mail.html pesan/id/mail.html:2: undefined"));
    assert!(line("id/moved.mail.html").contains("pesan/id/moved.mail.html:2: a text stands"));
    assert!(line("en/mial.subject.txt").starts_with("FAIL en/mial.subject.txt"));
}

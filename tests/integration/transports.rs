//! Where mail goes besides a mail server, where it goes on trial, and what every mail says of itself.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use mail_parser::MessageParser;

use crate::{
    smtp::Smtp,
    support::{NOW, Platform, START},
    twilio::Twilio,
};

const MESSAGE_ID: &str = "<s1.u1.reminder.60m.20261123170000@kursuskita.test>";

fn platform() -> Platform {
    let platform = Platform::seed();
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform
}

/// Mail goes through a shell script with this body.
fn sendmail(body: &str) -> Platform {
    let platform = platform();
    let program = platform.path("sendmail");
    fs::write(&program, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let program = format!("{} -bs -i", program.display());
    platform
        .set("MAIL_MAILER", "sendmail")
        .set("MAIL_SENDMAIL_PATH", &program)
}

fn files(folder: PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn mails_become_files_that_a_mail_program_opens() {
    let platform = platform()
        .set("MAIL_MAILER", "file")
        .set("MAIL_FILE_DIR", "surat/keluar");
    platform.participant(2, "Siti", "siti@example.org");
    platform.send().succeeds();
    let files = files(platform.path("surat/keluar"));
    assert_eq!(files.len(), 2);
    assert!(
        files[0].ends_with("s1.u1.reminder.60m.20261123170000.eml"),
        "{files:?}"
    );
    let bytes = fs::read(&files[0]).unwrap();
    let mail = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(
        mail.to().unwrap().first().unwrap().address(),
        Some("budi@example.org")
    );
    assert_eq!(
        mail.subject(),
        Some("Pengingat: Sesi Pecahan akan dimulai dalam 1 jam")
    );
    assert_eq!(
        platform.rows(
            "status, message_id",
            "session_reminder_deliveries WHERE user_id = 1"
        ),
        [format!("sent|{MESSAGE_ID}")]
    );
}

#[test]
fn a_folder_that_cannot_be_written_stops_the_channel() {
    let platform = platform()
        .set("MAIL_MAILER", "file")
        .set("MAIL_FILE_DIR", ".env/surat");
    let run = platform.send().exits(75);
    assert!(
        run.stderr.contains("cannot write mails into"),
        "{}",
        run.stderr
    );
    assert_eq!(platform.ledger(), ["mail|1|pending|file"]);
}

#[test]
fn sendmail_gets_the_mail_with_its_one_recipient_as_an_argument() {
    let platform = sendmail("echo \"$@\" > arguments; cat > mail");
    let run = platform.send().succeeds();
    assert_eq!(run.complaints(), [""; 0]);
    let arguments = fs::read_to_string(platform.path("arguments")).unwrap();
    assert_eq!(
        arguments,
        "-i -f halo@kursuskita.test -- budi@example.org\n"
    );
    let bytes = fs::read(platform.path("mail")).unwrap();
    assert!(!bytes.contains(&b'\r'));
    let mail = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(mail.to().unwrap().iter().count(), 1);
    assert_eq!(platform.ledger(), ["mail|1|sent|NULL"]);
}

#[test]
fn sendmails_exit_code_decides() {
    for (code, row, exit, said) in [
        (75, "mail|1|pending|exit 75", 0, None),
        (
            67,
            "mail|1|failed|exit 67",
            1,
            Some("it said: b***@e***.org is unknown"),
        ),
        (78, "mail|1|pending|exit 78", 75, Some("MAIL_SENDMAIL_PATH")),
    ] {
        let platform = sendmail(&format!(
            "cat > mail; echo 'budi@example.org is unknown' >&2; exit {code}"
        ));
        let run = platform.send().exits(exit);
        assert_eq!(platform.ledger(), [row]);
        assert_eq!(
            run.complaints().len(),
            usize::from(said.is_some()),
            "{}",
            run.stderr
        );
        assert!(
            run.stderr.contains(said.unwrap_or_default()),
            "{}",
            run.stderr
        );
        assert!(!run.stderr.contains("budi@"), "{}", run.stderr);
    }
}

#[test]
fn a_sendmail_that_is_not_there_stops_the_channel() {
    let platform = sendmail("").set("MAIL_SENDMAIL_PATH", "/nowhere/sendmail -t");
    let run = platform.send().exits(75);
    assert!(
        run.stderr.contains("cannot run /nowhere/sendmail"),
        "{}",
        run.stderr
    );
    assert_eq!(platform.ledger(), ["mail|1|pending|sendmail"]);
}

#[test]
fn a_mailer_that_sends_nothing_is_off_and_warns_when_a_mail_is_due() {
    for mailer in ["log", "array", "none"] {
        let twilio = Twilio::start();
        let platform = platform().whatsapp(&twilio).set("MAIL_MAILER", mailer);
        platform.opted_in(1, "081234567890");
        let run = platform.send().succeeds();
        let said = run.complaints();
        assert_eq!(said.len(), 1, "{}", run.stderr);
        assert!(
            said[0].contains(&format!("MAIL_MAILER={mailer}")),
            "{}",
            said[0]
        );
        assert_eq!(platform.ledger(), ["whatsapp|1|sent|NULL"]);
        platform.sql("DELETE FROM course_sessions; DELETE FROM session_reminder_deliveries");
        assert_eq!(platform.send().succeeds().complaints(), [""; 0]);
    }
}

#[test]
fn a_mailer_that_is_not_ours_is_an_error_with_the_cure() {
    let twilio = Twilio::start();
    let platform = platform().whatsapp(&twilio).set("MAIL_MAILER", "ses");
    platform.opted_in(1, "081234567890");
    let run = platform.send().exits(78);
    assert!(
        run.stderr
            .contains("set MAIL_MAILER=smtp, MAIL_HOST=email-smtp"),
        "{}",
        run.stderr
    );
    assert_eq!(
        platform.ledger(),
        ["mail|1|pending|NULL", "whatsapp|1|sent|NULL"]
    );
}

#[test]
fn on_trial_every_message_goes_elsewhere_and_the_summary_says_so() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = platform()
        .mail(&smtp)
        .whatsapp(&twilio)
        .set("REMINDER_REDIRECT_MAIL", "uji@kursuskita.test")
        .set("REMINDER_REDIRECT_WHATSAPP", "0811 2233 4455");
    platform.participant(2, "Siti", "siti@example.org");
    platform.opted_in(1, "081234567890");
    for dry_run in [&["--dry-run"][..], &[]] {
        let arguments = [&["send", "--now", NOW, "--format", "json"], dry_run].concat();
        let summary = platform.run(&arguments).succeeds().json();
        let said = summary["redirected"].to_string();
        assert!(
            said.contains("uji@kursuskita.test") && said.contains("+6281122334455"),
            "{summary}"
        );
    }
    let mails = smtp.mails();
    assert_eq!(mails.len(), 2);
    for mail in &mails {
        assert_eq!(mail.to, ["uji@kursuskita.test"]);
        assert!(!String::from_utf8_lossy(&mail.data).contains("@example.org"));
        assert!(
            mail.subject().contains("***@e***.org] Pengingat: "),
            "{}",
            mail.subject()
        );
    }
    let messages = twilio.created();
    assert_eq!(
        (messages.len(), messages[0].to.as_str()),
        (1, "whatsapp:+6281122334455")
    );
}

#[test]
fn a_dry_run_on_trial_says_so_in_words_too() {
    let smtp = Smtp::start();
    let platform = platform()
        .mail(&smtp)
        .set("REMINDER_REDIRECT_MAIL", "uji@kursuskita.test");
    let run = platform
        .run(&["send", "--dry-run", "--now", NOW])
        .succeeds();
    assert!(
        run.stdout
            .contains("every mail goes to uji@kursuskita.test"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_mail_says_what_it_is_and_where_to_answer() {
    let smtp = Smtp::start();
    let platform = platform()
        .mail(&smtp)
        .set("MAIL_FROM_NAME", "${APP_NAME}")
        .set("MAIL_REPLY_TO", "tanya@kursuskita.test");
    // Twice the same facts: the same mail to the last byte.
    for _ in 0..2 {
        platform.send().succeeds();
        platform.sql("DELETE FROM session_reminder_deliveries; DELETE FROM session_reminder_logs");
    }
    let mails = smtp.mails();
    assert_eq!(mails[0].data, mails[1].data);
    let mail = &mails[0];
    assert_eq!(mail.from, "halo@kursuskita.test");
    for (name, value) in [
        ("Message-ID", MESSAGE_ID),
        ("Date", "Mon, 23 Nov 2026 09:00:00 +0000"),
        ("From", "\"Kursus Kita\" <halo@kursuskita.test>"),
        ("To", "Budi <budi@example.org>"),
        ("Reply-To", "tanya@kursuskita.test"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("MIME-Version", "1.0"),
    ] {
        assert_eq!(mail.header(name).as_deref(), Some(value), "{name}");
    }
    assert!(
        mail.header("Content-Type")
            .unwrap()
            .starts_with("multipart/mixed")
    );
}

#[test]
fn everybody_reads_their_own_language_and_clock() {
    let smtp = Smtp::start();
    let platform = Platform::untouched().mail(&smtp);
    platform.sql(
        "ALTER TABLE users ADD COLUMN locale varchar(255);
         ALTER TABLE user_profiles ADD COLUMN timezone varchar(255);
         ALTER TABLE user_profiles ADD COLUMN locale varchar(255);
         INSERT INTO courses (id, title) VALUES (1, 'Matematika Dasar')",
    );
    platform.run(&["migrate"]).succeeds();
    platform.session(1, START);
    for (id, user, profile, zone) in [
        (1, "NULL", "NULL", "NULL"),
        (2, "'en'", "NULL", "NULL"),
        (3, "'id'", "'en'", "'Asia/Jayapura'"),
        (4, "'fr'", "NULL", "'Mars/Olympus'"),
        (5, "'en_US'", "NULL", "'America/New_York'"),
    ] {
        platform.participant(id, "Ani", &format!("user{id}@example.org"));
        platform.sql(&format!(
            "UPDATE users SET locale = {user} WHERE id = {id};
             INSERT INTO user_profiles (user_id, timezone, locale) VALUES ({id}, {zone}, {profile})"
        ));
    }
    platform.send().succeeds();
    let mails = smtp.mails();
    for (id, subject, time) in [
        (
            1,
            "Pengingat: Sesi Pecahan akan dimulai dalam 1 jam",
            "Senin, 23 November 2026 pukul 17.00 WIB",
        ),
        (2, "Reminder: Pecahan starts in 1 hour", "17:00 WIB"),
        (3, "Reminder: Pecahan starts in 1 hour", "19:00 WIT"),
        (
            4,
            "Pengingat: Sesi Pecahan akan dimulai dalam 1 jam",
            "pukul 17.00 WIB",
        ),
        (
            5,
            "Reminder: Pecahan starts in 1 hour",
            "Monday, 23 November 2026",
        ),
    ] {
        let address = format!("user{id}@example.org");
        let mail = mails
            .iter()
            .find(|mail| mail.to == [address.clone()])
            .unwrap();
        assert_eq!(mail.subject(), subject, "user {id}");
        assert!(mail.text().contains(time), "{}", mail.text());
    }
    let new_york = mails
        .iter()
        .find(|mail| mail.to == ["user5@example.org"])
        .unwrap();
    assert!(new_york.text().contains("05:00 EST"), "{}", new_york.text());
}

#[test]
fn the_platforms_language_is_for_those_who_have_none() {
    let smtp = Smtp::start();
    let platform = platform()
        .mail(&smtp)
        .set("REMINDER_LOCALE", "en")
        .set("APP_LOCALE", "id");
    platform.send().succeeds();
    assert_eq!(
        smtp.mails()[0].subject(),
        "Reminder: Pecahan starts in 1 hour"
    );
}

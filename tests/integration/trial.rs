//! `test`: one real message on trial.

use std::fs;

use tempfile::TempDir;

use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{Run, program},
    twilio::{ACCOUNT_SID, AUTH_TOKEN, Answer, TEMPLATE, Twilio},
};

/// A folder with these settings, and no database.
struct Host {
    folder: TempDir,
    settings: String,
}

impl Host {
    fn new(settings: &str) -> Self {
        let host = Self {
            folder: tempfile::tempdir().unwrap(),
            settings: "MAIL_MAILER=none\nMAIL_FROM_ADDRESS=halo@kursuskita.test\n".to_owned(),
        };
        host.and(settings)
    }

    fn mail(smtp: &Smtp) -> Self {
        let port = smtp.port();
        Self::new(&format!(
            "MAIL_MAILER=smtp\nMAIL_PORT={port}\nMAIL_ENCRYPTION=none"
        ))
    }

    fn whatsapp(twilio: &Twilio) -> Self {
        Self::new(&format!(
            "TWILIO_SID={ACCOUNT_SID}\nTWILIO_AUTH_TOKEN={AUTH_TOKEN}\nTWILIO_WHATSAPP_FROM=+14155550100\n\
             TWILIO_API_BASE={}",
            twilio.base()
        ))
    }

    /// Later lines win.
    fn and(mut self, settings: &str) -> Self {
        self.settings.push_str(settings);
        self.settings.push('\n');
        fs::write(self.folder.path().join(".env"), &self.settings).unwrap();
        self
    }

    fn test(&self, arguments: &[&str]) -> Run {
        let arguments = [&["test"], arguments].concat();
        let mut command = program(self.folder.path());
        let output = command.args(&arguments).output().unwrap();
        Run::of(&arguments, output)
    }

    fn test_mail(&self) -> Run {
        self.test(&["mail", "budi@example.org"])
    }

    fn test_whatsapp(&self) -> Run {
        self.test(&["whatsapp", "0812-3456-7890"])
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// The value of a line of the table.
fn value<'a>(run: &'a Run, name: &str) -> &'a str {
    let mut lines = run.stdout.lines();
    let line = lines.find_map(|line| line.strip_prefix(name));
    line.unwrap_or_default().trim()
}

fn refusing(phase: Phase, words: &'static str) -> Smtp {
    let script = move |now: Phase, _: &str| match now == phase {
        true => Reply::Say(words.to_owned()),
        false => Reply::Accept,
    };
    Smtp::builder().script(script).start()
}

#[test]
fn a_mail_on_trial_says_so_and_needs_no_database() {
    let smtp = Smtp::start();
    let host = Host::mail(&smtp);
    let run = host.test_mail().succeeds();
    let mail = &smtp.mails()[0];
    assert_eq!(mail.to, ["budi@example.org"]);
    assert!(
        mail.subject().starts_with("[uji coba] "),
        "{}",
        mail.subject()
    );
    assert!(
        mail.text().starts_with("Ini hanya pesan uji coba"),
        "{}",
        mail.text()
    );
    assert!(mail.html().contains("bukan sesi sungguhan"));
    assert_eq!(
        Some(value(&run, "id").to_owned()),
        mail.header("Message-ID")
    );
    let server = format!("smtp 127.0.0.1:{}", smtp.port());
    assert_eq!(
        (value(&run, "by"), value(&run, "encryption")),
        (server.as_str(), "none")
    );
    assert_eq!(
        (value(&run, "to"), value(&run, "result")),
        ("budi@example.org", "sent")
    );
    assert_eq!(
        (run.stderr.as_str(), host.files()),
        ("", vec![".env".to_owned()])
    );
}

#[test]
fn two_trials_are_two_mails() {
    let smtp = Smtp::start();
    let host = Host::mail(&smtp);
    host.test_mail().succeeds();
    host.test_mail().succeeds();
    let mails = smtp.mails();
    assert_ne!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
}

#[test]
fn a_trial_speaks_the_language_of_those_who_have_none_and_logs_in_over_tls() {
    let smtp = Smtp::builder().starttls().login("budi", "rahasia").start();
    let ca = smtp.ca_file().display();
    let settings = "REMINDER_LOCALE=en\nMAIL_USERNAME=budi\nMAIL_PASSWORD=rahasia\nMAIL_ENCRYPTION=tls\n\
         MAIL_HOST=localhost\nMAIL_CA_FILE=";
    let host = Host::mail(&smtp).and(&format!("{settings}{ca}"));
    let run = host.test_mail().succeeds();
    assert!(value(&run, "by").ends_with(" as budi"), "{}", run.stdout);
    assert_eq!(value(&run, "encryption"), "STARTTLS");
    let mail = &smtp.mails()[0];
    assert!(
        mail.tls && mail.subject().starts_with("[test] "),
        "{mail:?}"
    );

    let host = host.and("MAIL_PASSWORD=salah");
    let run = host.test_mail().exits(75);
    assert!(
        run.stderr.contains("make an app password"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("salah"), "{}", run.stderr);
    assert_eq!((value(&run, "result"), smtp.mails().len()), ("not sent", 1));
}

#[test]
fn it_says_how_the_connection_was_really_encrypted() {
    let (plain, starttls) = (Smtp::start(), Smtp::builder().starttls().start());
    let implicit = Smtp::builder().implicit_tls().start();
    for (smtp, setting, trusted, agreed) in [
        (&plain, "null", &starttls, "none"),
        (&starttls, "none", &starttls, "none"),
        (&starttls, "null", &starttls, "STARTTLS"),
        (&implicit, "ssl", &implicit, "TLS from the start"),
    ] {
        let ca = trusted.ca_file().display();
        let tls = format!("MAIL_ENCRYPTION={setting}\nMAIL_HOST=localhost\nMAIL_CA_FILE={ca}");
        let host = Host::mail(smtp).and(&tls);
        let run = host.test_mail().succeeds();
        assert_eq!(value(&run, "encryption"), agreed, "{setting}");
        assert_eq!(smtp.mails().last().unwrap().tls, agreed != "none");
        let json = host.test(&["mail", "budi@example.org", "--format", "json"]);
        assert_eq!(json.json()["encryption"], agreed);
    }
    let host = Host::mail(&plain);
    drop(plain);
    let nobody = host.test(&["mail", "budi@example.org", "--format", "json"]);
    assert_eq!(nobody.code, 75);
    assert!(nobody.json()["encryption"].is_null(), "{}", nobody.stdout);
}

#[test]
fn a_refused_recipient_and_a_channel_that_is_down_have_exit_codes_of_their_own() {
    for (phase, words, exit, cure) in [
        (
            Phase::Rcpt,
            "550 5.1.1 no such user",
            1,
            "550 5.1.1: no such mailbox",
        ),
        (
            Phase::Mail,
            "550 5.7.1 not your sender",
            75,
            "MAIL_FROM_ADDRESS",
        ),
        (Phase::Rcpt, "451 4.3.2 later", 75, "451 4.3.2"),
        (
            Phase::Connect,
            "554 5.7.1 go away",
            75,
            "refuses to talk to us",
        ),
    ] {
        let smtp = refusing(phase, words);
        let run = Host::mail(&smtp).test_mail().exits(exit);
        assert!(run.stderr.contains(cure), "{}", run.stderr);
        assert_eq!(value(&run, "result"), "not sent");
    }
    let run = Host::new("MAIL_MAILER=smtp\nMAIL_PORT=9")
        .test_mail()
        .exits(75);
    assert!(
        run.stderr.contains("check MAIL_HOST and MAIL_PORT"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_redirect_holds_for_trials_too_and_is_said() {
    let (smtp, twilio) = (
        Smtp::start(),
        Twilio::script(|_| Answer::Ends("delivered", None)),
    );
    let host = Host::mail(&smtp).and("REMINDER_REDIRECT_MAIL=dev@example.org");
    let run = host.test_mail().succeeds();
    assert_eq!(smtp.recipients(), ["dev@example.org"]);
    assert!(
        value(&run, "redirected").contains("dev@example.org"),
        "{}",
        run.stdout
    );
    assert_eq!(value(&run, "to"), "budi@example.org");

    let host = Host::whatsapp(&twilio).and("REMINDER_REDIRECT_WHATSAPP=+6281200000000");
    let run = host.test_whatsapp().succeeds();
    assert_eq!(twilio.created()[0].to, "whatsapp:+6281200000000");
    assert!(
        value(&run, "redirected").contains("+6281200000000"),
        "{}",
        run.stdout
    );
}

#[test]
fn what_is_no_address_or_number_is_the_command_lines_mistake_and_says_what_would_do() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let (mail, whatsapp) = (Host::mail(&smtp), Host::whatsapp(&twilio));
    for (host, to, example) in [
        (
            &mail,
            ["mail", "budi"],
            "has no @: give one such as budi@example.org",
        ),
        (&mail, ["mail", "a@x.org,b@x.org"], "more than one address"),
        (&mail, ["mail", ""], "is empty"),
        (&whatsapp, ["whatsapp", "0812"], "+6281234567890"),
        (
            &whatsapp,
            ["whatsapp", "budi@example.org"],
            "PHONE_REGION=ID",
        ),
    ] {
        let run = host.test(&to).exits(2);
        assert!(run.stderr.contains(example), "{}", run.stderr);
        assert!(!run.stderr.contains("user's record"), "{}", run.stderr);
    }
    for arguments in [
        &[][..],
        &["mail"],
        &["sms", "x"],
        &["mail", "a@x.org", "b@x.org"],
    ] {
        mail.test(arguments).exits(2);
    }
    assert_eq!((smtp.connections(), twilio.connections()), (0, 0));
}

#[test]
fn wrong_settings_and_a_channel_that_is_off_are_said_before_anything_is_sent() {
    let twilio = Twilio::start();
    let run = Host::new("MAIL_MAILER=log").test_mail().exits(78);
    assert!(run.stderr.contains("MAIL_MAILER=log"), "{}", run.stderr);
    let run = Host::new("").test_whatsapp().exits(78);
    assert!(run.stderr.contains("TWILIO_SID"), "{}", run.stderr);
    let run = Host::new("MAIL_MAILER=smtp\nMAIL_PORT=x")
        .test_mail()
        .exits(78);
    assert!(run.stderr.contains("MAIL_PORT is \"x\""), "{}", run.stderr);
    let broken = Host::whatsapp(&twilio).and("TWILIO_WHATSAPP_FROM=14155550100");
    let run = broken.test_whatsapp().exits(78);
    assert!(
        run.stderr.contains("TWILIO_WHATSAPP_FROM"),
        "{}",
        run.stderr
    );
    assert_eq!(twilio.posts(), 0);
}

#[test]
fn wrong_settings_of_the_database_keep_nobody_from_a_trial() {
    let smtp = Smtp::start();
    let host = Host::mail(&smtp).and("DB_CONNECTION=oracle");
    host.test_mail().succeeds();
    assert_eq!(smtp.mails().len(), 1);
}

#[test]
fn a_whatsapp_message_on_trial_says_so_and_is_followed_to_its_end() {
    let twilio = Twilio::script(|_| Answer::Ends("delivered", None));
    let run = Host::whatsapp(&twilio).test_whatsapp().succeeds();
    let message = &twilio.created()[0];
    assert_eq!(message.to, "whatsapp:+6281234567890");
    let body = message.body.as_deref().unwrap();
    assert!(body.starts_with("Ini hanya pesan uji coba"), "{body}");
    assert!(
        value(&run, "template").starts_with("none"),
        "{}",
        run.stdout
    );
    assert_eq!(value(&run, "id"), message.sid);
    assert_eq!(value(&run, "status"), "queued, then delivered");
    assert_eq!((value(&run, "result"), run.stderr.as_str()), ("sent", ""));
}

#[test]
fn an_approved_template_says_in_its_variables_that_it_is_a_trial() {
    let twilio = Twilio::script(|_| Answer::Ends("read", None));
    let sid = format!("HX{}", "a1".repeat(16));
    let host = Host::whatsapp(&twilio).and(&format!("TWILIO_WHATSAPP_CONTENT_SID={sid}"));
    let run = host.test_whatsapp().succeeds();
    assert_eq!(value(&run, "template"), sid);
    let message = &twilio.created()[0];
    assert_eq!(
        (&message.body, message.content_sid.as_ref()),
        (&None, Some(&sid))
    );
    let variables = message.content_variables.as_deref().unwrap();
    assert!(
        variables.contains("bukan sesi sungguhan"),
        "{variables} in {TEMPLATE}"
    );
}

#[test]
fn a_failure_that_comes_after_twilio_took_the_message_is_told_with_its_cure() {
    for (status, code, cure) in [
        ("undelivered", 63016, "set TWILIO_WHATSAPP_CONTENT_SID"),
        ("failed", 63015, "3 days"),
        ("failed", 30008, "failed for a moment"),
    ] {
        let twilio = Twilio::script(move |_| Answer::Ends(status, Some(code)));
        let run = Host::whatsapp(&twilio).test_whatsapp().exits(1);
        assert!(run.stderr.contains(cure), "{}", run.stderr);
        assert!(run.stderr.contains(&code.to_string()), "{}", run.stderr);
        let statuses = format!("queued, then {status}");
        assert_eq!(value(&run, "status"), statuses);
        assert_eq!(value(&run, "result"), "taken by Twilio and not delivered");
    }
}

#[test]
fn what_twilio_refuses_at_once_has_its_exit_code_and_cure() {
    for (http, code, exit, cure) in [
        (400, 21211, 1, "is no number Twilio can send to"),
        (400, 63003, 1, "not on WhatsApp"),
        (400, 21610, 1, "unsubscribed"),
        (401, 20003, 75, "check TWILIO_SID and TWILIO_AUTH_TOKEN"),
        (400, 63007, 75, "TWILIO_WHATSAPP_FROM"),
        (429, 20429, 75, "TWILIO_MAX_PER_SECOND"),
        (503, 20503, 75, "may or may not have taken"),
    ] {
        let twilio = Twilio::script(move |_| Answer::error(http, code, "Twilio's own words"));
        let run = Host::whatsapp(&twilio).test_whatsapp().exits(exit);
        assert!(run.stderr.contains(cure), "{}", run.stderr);
        assert_eq!(twilio.posts(), 1);
        assert!(!run.stderr.contains(AUTH_TOKEN), "{}", run.stderr);
    }
}

#[test]
fn what_is_not_known_after_ten_seconds_is_told_as_far_as_it_is() {
    let twilio = Twilio::start();
    let run = Host::whatsapp(&twilio).test_whatsapp().succeeds();
    assert_eq!(value(&run, "status"), "queued");
    assert!((2..=10).contains(&twilio.looks()), "{}", twilio.looks());
}

#[test]
fn files_are_a_transport_too() {
    let host = Host::new(
        "MAIL_MAILER=file\nMAIL_FILE_DIR=surat\nWHATSAPP_TRANSPORT=file\nWHATSAPP_FILE_DIR=pesan",
    );
    let run = host.test_mail().succeeds();
    assert!(value(&run, "by").ends_with("/surat"), "{}", run.stdout);
    host.test_whatsapp().succeeds();
    for folder in ["surat", "pesan"] {
        let files = fs::read_dir(host.folder.path().join(folder)).unwrap();
        assert_eq!(files.count(), 1, "{folder}");
    }
}

#[test]
fn for_programs_there_is_the_same_as_json() {
    let smtp = refusing(Phase::Rcpt, "550 5.1.1 no such user");
    let host = Host::mail(&smtp);
    let run = host.test(&["mail", "budi@example.org", "--format", "json"]);
    let trial = run.exits(1).json();
    assert_eq!(
        (&trial["channel"], &trial["result"]),
        (&"mail".into(), &"failed".into())
    );
    assert_eq!(
        (&trial["code"], &trial["message_id"]),
        (&"550 5.1.1".into(), &().into())
    );

    let twilio = Twilio::script(|_| Answer::Ends("delivered", None));
    let host = Host::whatsapp(&twilio);
    let run = host.test(&["whatsapp", "+6281234567890", "--format", "json"]);
    let trial = run.succeeds().json();
    assert_eq!(
        trial["statuses"],
        serde_json::json!(["queued", "delivered"])
    );
    assert_eq!(
        (&trial["result"], &trial["reason"]),
        (&"sent".into(), &().into())
    );
}

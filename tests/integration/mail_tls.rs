//! TLS and the login: nothing secret goes in clear, nothing secret is ever said.

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{NOW, Platform, START},
};

const PASSWORD: &str = "s3cr3t p@ss$word";

/// Session 1 with one participant, over that server, by its name.
fn platform(smtp: &Smtp) -> Platform {
    let platform = Platform::seed().mail(smtp).set("MAIL_HOST", "localhost");
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform
}

fn trusting(platform: Platform, smtp: &Smtp) -> Platform {
    platform.set("MAIL_CA_FILE", &smtp.ca_file().display().to_string())
}

fn login(platform: Platform) -> Platform {
    platform
        .set("MAIL_USERNAME", "info@kursuskita.test")
        .set("MAIL_PASSWORD", PASSWORD)
}

/// The channel is down for this reason, and nothing was sent.
#[track_caller]
fn assert_stopped(platform: &Platform, smtp: &Smtp, code: &str, cure: &str) {
    let run = platform.send().exits(75);
    assert!(run.stderr.contains(cure), "{}", run.stderr);
    assert_eq!(platform.ledger(), [format!("mail|1|pending|{code}")]);
    assert_eq!(smtp.mails().len(), 0);
    assert!(
        !smtp
            .commands()
            .iter()
            .any(|line| line.starts_with("AUTH") || line.starts_with("MAIL"))
    );
}

#[test]
fn starttls_protects_login_and_mail() {
    let smtp = Smtp::builder()
        .starttls()
        .login("info@kursuskita.test", PASSWORD)
        .start();
    for encryption in ["tls", ""] {
        let platform = login(trusting(platform(&smtp), &smtp)).set("MAIL_ENCRYPTION", encryption);
        platform.send().succeeds();
    }
    let mails = smtp.mails();
    assert_eq!(mails.len(), 2);
    assert!(
        mails
            .iter()
            .all(|mail| mail.tls && mail.login.as_deref() == Some("info@kursuskita.test"))
    );
}

#[test]
fn starttls_is_used_where_it_is_offered_even_without_a_login() {
    let smtp = Smtp::builder().starttls().start();
    let platform = trusting(platform(&smtp), &smtp).set("MAIL_ENCRYPTION", "");
    platform.send().succeeds();
    assert!(smtp.mails()[0].tls);
}

#[test]
fn a_server_without_starttls_gets_mail_in_clear_only_where_nothing_is_secret_or_required() {
    let smtp = Smtp::start();
    let required = platform(&smtp).set("MAIL_ENCRYPTION", "tls");
    assert_stopped(&required, &smtp, "tls", "offers no STARTTLS");
    let with_password = login(platform(&smtp)).set("MAIL_ENCRYPTION", "");
    assert_stopped(&with_password, &smtp, "tls", "offers no STARTTLS");
    platform(&smtp).set("MAIL_ENCRYPTION", "").send().succeeds();
    assert!(!smtp.mails()[0].tls);
}

#[test]
fn a_server_that_refuses_starttls_gets_neither_login_nor_mail() {
    for (code, words) in [("454 4.7.0", "TLS not available"), ("421 4.3.2", "Closing")] {
        let smtp = Smtp::builder()
            .starttls()
            .login("info@kursuskita.test", PASSWORD)
            .script(move |phase, _| match phase {
                Phase::Starttls => Reply::Say(format!("{code} {words}")),
                _ => Reply::Accept,
            })
            .start();
        let platform = login(trusting(platform(&smtp), &smtp)).set("MAIL_ENCRYPTION", "tls");
        assert_stopped(&platform, &smtp, code, words);
    }
}

#[test]
fn tls_from_the_first_byte_by_either_setting() {
    let smtp = Smtp::builder()
        .implicit_tls()
        .login("info@kursuskita.test", PASSWORD)
        .start();
    let by_encryption = login(trusting(platform(&smtp), &smtp)).set("MAIL_ENCRYPTION", "ssl");
    by_encryption.send().succeeds();
    let by_scheme = login(trusting(platform(&smtp), &smtp)).set("MAIL_SCHEME", "smtps");
    by_scheme.send().succeeds();
    let mails = smtp.mails();
    assert!(mails.len() == 2 && mails.iter().all(|mail| mail.tls && mail.login.is_some()));
}

#[test]
fn a_certificate_nobody_knows_stops_the_channel_and_names_the_cure() {
    let starttls = Smtp::builder().starttls().start();
    for encryption in ["tls", ""] {
        let platform = login(platform(&starttls)).set("MAIL_ENCRYPTION", encryption);
        assert_stopped(&platform, &starttls, "tls", "MAIL_CA_FILE");
    }
    let opportunistic = platform(&starttls).set("MAIL_ENCRYPTION", "");
    assert_stopped(&opportunistic, &starttls, "tls", "MAIL_CA_FILE");
    let implicit = Smtp::builder().implicit_tls().start();
    let platform = login(platform(&implicit)).set("MAIL_ENCRYPTION", "ssl");
    assert_stopped(&platform, &implicit, "tls", "MAIL_CA_FILE");
}

#[test]
fn plain_smtp_where_tls_was_expected_names_the_setting() {
    let smtp = Smtp::start();
    let platform = login(platform(&smtp)).set("MAIL_SCHEME", "smtps");
    assert_stopped(&platform, &smtp, "tls", "MAIL_ENCRYPTION=tls");
}

#[test]
fn a_ca_file_that_is_none_is_named() {
    let smtp = Smtp::builder().starttls().start();
    let missing = platform(&smtp)
        .set("MAIL_CA_FILE", "missing.pem")
        .set("MAIL_ENCRYPTION", "tls");
    let run = missing.send().exits(78);
    assert!(run.stderr.contains("MAIL_CA_FILE") && run.stderr.contains("missing.pem"));

    let platform = platform(&smtp)
        .set("MAIL_ENCRYPTION", "tls")
        .set("MAIL_CA_FILE", "words.pem");
    std::fs::write(platform.path("words.pem"), "not a certificate").unwrap();
    let run = platform.send();
    assert!(
        run.stderr.contains("words.pem is no certificate"),
        "{}",
        run.stderr
    );
    assert_ne!(run.code, 0);
    assert_eq!(smtp.mails().len(), 0);
}

#[test]
fn a_login_in_clear_to_another_host_is_refused_before_anything_is_done() {
    let smtp = Smtp::start();
    let platform = login(platform(&smtp)).set("MAIL_HOST", "mail.kursuskita.test");
    let run = platform.send().exits(78);
    assert!(
        run.stderr.contains("MAIL_ENCRYPTION is \"none\""),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("in clear"), "{}", run.stderr);
    assert!(!run.stderr.contains(PASSWORD));
}

#[test]
fn a_wrong_password_is_told_with_gmails_cure_and_never_shown() {
    // Gmail's own words, and a server that repeats what it was given.
    let plain = BASE64_STANDARD.encode(format!("\0info@kursuskita.test\0{PASSWORD}"));
    let shown = [
        PASSWORD.to_owned(),
        BASE64_STANDARD.encode(PASSWORD),
        plain.clone(),
    ];
    let parrot = format!("535 5.7.8 no: {PASSWORD} {plain} - gsmtp");
    for reply in [None, Some(parrot)] {
        let smtp = Smtp::builder()
            .login("info@kursuskita.test", "another")
            .script(move |phase, _| match (phase, &reply) {
                (Phase::Auth, Some(text)) => Reply::Say(text.clone()),
                _ => Reply::Accept,
            })
            .start();
        let platform = login(platform(&smtp));
        let output = platform
            .command(&["-vv", "send", "--now", NOW, "--format", "json"])
            .env("RUST_LOG", "trace")
            .output()
            .unwrap();
        let run = crate::support::Run::of(&["-vv send"], output).exits(75);
        assert!(
            run.stderr.contains("535 5.7.8: Gmail refused the login"),
            "{}",
            run.stderr
        );
        assert!(run.stderr.contains("2-Step Verification") && run.stderr.contains("app password"));
        assert!(run.stderr.contains("in quotes because of its spaces"));
        assert_eq!(smtp.logins(), 1);
        assert_eq!(platform.ledger(), ["mail|1|pending|535 5.7.8"]);
        let trace = platform
            .command(&["send", "--now", "2026-11-23T16:05:00+07:00"])
            .env("RUST_LOG", "trace")
            .output()
            .unwrap();
        let trace = crate::support::Run::of(&["RUST_LOG=trace send"], trace).exits(75);
        let ledger = platform
            .rows("error", "session_reminder_deliveries")
            .concat();
        for secret in &shown {
            for text in [&run.stdout, &run.stderr, &trace.stderr, &ledger] {
                assert!(!text.contains(secret.as_str()), "{text}");
            }
        }
    }
}

#[test]
fn a_password_from_a_file_works_and_laravels_special_characters_survive() {
    let smtp = Smtp::builder()
        .login("info@kursuskita.test", PASSWORD)
        .start();
    let platform = platform(&smtp)
        .set("MAIL_USERNAME", "info@kursuskita.test")
        .set("MAIL_PASSWORD_FILE", "password.txt");
    std::fs::write(platform.path("password.txt"), format!("{PASSWORD}\n")).unwrap();
    platform.send().succeeds();
    assert_eq!(smtp.mails().len(), 1);
}

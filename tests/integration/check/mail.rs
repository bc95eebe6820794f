//! The links of mail, against a real server.

use std::fs;

use super::{lines, says};
use crate::{
    smtp::{Phase, Reply, Smtp},
    support::Platform,
};

fn over_tls(smtp: &Smtp, password: &str) -> Platform {
    Platform::untouched()
        .mail(smtp)
        .set("MAIL_ENCRYPTION", "tls")
        .set("MAIL_HOST", "localhost")
        .set("MAIL_CA_FILE", smtp.ca_file().to_str().unwrap())
        .set("MAIL_USERNAME", "budi")
        .set("MAIL_PASSWORD", password)
}

fn check(platform: &Platform) -> String {
    platform.run(&["check"]).stdout
}

#[test]
fn the_server_is_asked_as_a_pass_would_and_gets_no_mail() {
    let smtp = Smtp::builder().starttls().login("budi", "rahasia").start();
    let report = check(&over_tls(&smtp, "rahasia"));
    says(&report, "mailer", "ok", "takes the login of budi, over TLS");
    says(&report, "from", "ok", "halo@kursuskita.test");
    assert_eq!(smtp.logins(), 1);
    assert!(smtp.mails().is_empty());
    let commands = smtp.commands();
    assert_eq!(
        commands.last().map(String::as_str),
        Some("QUIT"),
        "{commands:?}"
    );
    assert!(!commands.iter().any(|line| line.starts_with("MAIL")));
    assert!(!report.contains("rahasia"), "{report}");
}

#[test]
fn tls_that_was_only_offered_is_told_too() {
    let smtp = Smtp::builder().starttls().start();
    let platform = Platform::untouched()
        .mail(&smtp)
        .set("MAIL_HOST", "localhost")
        .set("MAIL_CA_FILE", smtp.ca_file().to_str().unwrap());
    let offered = platform.set("MAIL_ENCRYPTION", "null");
    says(
        &check(&offered),
        "mailer",
        "ok",
        "without a login, over TLS",
    );
    let clear = offered.set("MAIL_ENCRYPTION", "none");
    says(&check(&clear), "mailer", "ok", "without a login, in clear");
}

#[test]
fn a_wrong_password_says_what_to_set() {
    let smtp = Smtp::builder().starttls().login("budi", "rahasia").start();
    let report = check(&over_tls(&smtp, "salah-sekali"));
    says(&report, "mailer", "FAIL", "MAIL_PASSWORD");
    assert!(!report.contains("salah-sekali"), "{report}");
}

#[test]
fn a_server_that_nobody_vouches_for_says_so() {
    let smtp = Smtp::builder().starttls().start();
    let platform = Platform::untouched()
        .mail(&smtp)
        .set("MAIL_ENCRYPTION", "tls");
    says(&check(&platform), "mailer", "FAIL", "MAIL_CA_FILE");
}

#[test]
fn a_server_that_refuses_to_talk_is_told_in_its_words() {
    let busy = |phase, _: &str| match phase {
        Phase::Connect => Reply::Say("554 5.7.1 not you".into()),
        _ => Reply::Accept,
    };
    let smtp = Smtp::builder().script(busy).start();
    let report = check(&Platform::untouched().mail(&smtp));
    says(&report, "mailer", "FAIL", "not you");
}

#[test]
fn nobody_there_is_told_and_offline_nobody_is_asked() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    let report = platform.run(&["check", "--offline"]).succeeds().stdout;
    says(&report, "mailer", "ok", "was not asked");
    assert_eq!(smtp.connections(), 0);
    drop(smtp);
    let run = platform.run(&["check"]).exits(1);
    says(&run.stdout, "mailer", "FAIL", "MAIL_HOST and MAIL_PORT");
}

#[test]
fn a_mailer_that_sends_nothing_is_no_mail() {
    for mailer in ["log", "array", "none"] {
        let platform = Platform::seed().set("MAIL_MAILER", mailer);
        let run = platform.run(&["check"]).exits(1);
        says(
            &run.stdout,
            "mail",
            "FAIL",
            &format!("MAIL_MAILER={mailer}"),
        );
        assert!(lines(&run.stdout, "mailer").is_empty());
        assert!(lines(&run.stdout, "addresses").is_empty());
    }
}

#[test]
fn the_sendmail_program_is_looked_for() {
    let platform = Platform::untouched()
        .set("MAIL_MAILER", "sendmail")
        .set("MAIL_SENDMAIL_PATH", "/nowhere/sendmail -bs");
    says(&check(&platform), "mailer", "FAIL", "/nowhere/sendmail");
    let platform = platform.set("MAIL_SENDMAIL_PATH", "/bin/true");
    says(&check(&platform), "mailer", "ok", "/bin/true");
}

#[test]
fn a_folder_of_mails_is_tried_out_and_not_made() {
    let platform = Platform::untouched()
        .set("MAIL_MAILER", "file")
        .set("MAIL_FILE_DIR", "mails");
    let before = platform.files();
    says(&check(&platform), "mailer", "ok", "mails");
    assert_eq!(platform.files(), before);
    fs::write(platform.path("mails"), "in the way").unwrap();
    says(&check(&platform), "mailer", "FAIL", "cannot write into");
}

#[test]
fn a_redirect_is_told() {
    let smtp = Smtp::start();
    let platform = Platform::seed()
        .mail(&smtp)
        .set("REMINDER_REDIRECT_MAIL", "saya@example.org");
    let report = platform.run(&["check"]).succeeds().stdout;
    says(&report, "redirect", "warn", "saya@example.org");
}

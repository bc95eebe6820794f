//! Settings: where they come from, and what is said about wrong ones.

use std::fs;

use crate::{
    smtp::Smtp,
    support::{NOW, Platform, Run, on},
    twilio::{AUTH_TOKEN, Twilio},
};

/// What the platform's setup guide tells people to add to their `.env`, word for word.
pub const GUIDE: &str = r#"
# Twilio Configuration (untuk WhatsApp)
TWILIO_SID=your_twilio_account_sid
TWILIO_AUTH_TOKEN=your_twilio_auth_token
TWILIO_WHATSAPP_FROM=+14155238886  # Twilio Sandbox atau nomor WhatsApp Business Anda

# Mail Configuration (untuk Gmail)
MAIL_MAILER=smtp
MAIL_HOST=smtp.gmail.com
MAIL_PORT=587
MAIL_USERNAME=your_email@gmail.com
MAIL_PASSWORD=your_app_password
MAIL_ENCRYPTION=tls
MAIL_FROM_ADDRESS=your_email@gmail.com
MAIL_FROM_NAME="${APP_NAME}"

# Queue Configuration
QUEUE_CONNECTION=database  # atau redis/sqs sesuai kebutuhan
"#;

fn send_with(platform: &Platform, environment: &[(&str, &str)]) -> Run {
    platform.run_with(environment, &["send", "--now", NOW])
}

#[track_caller]
pub fn names_each_once(run: &Run, variables: &[&str]) {
    for variable in variables {
        let lines = run.stderr.lines();
        let found = lines.filter(|line| line.contains(&format!(" {variable}")));
        assert_eq!(found.count(), 1, "{variable} in {}", run.stderr);
    }
}

pub const GUIDE_TO_FILL_IN: [&str; 5] = [
    "TWILIO_SID",
    "TWILIO_AUTH_TOKEN",
    "MAIL_USERNAME",
    "MAIL_PASSWORD",
    "MAIL_FROM_ADDRESS",
];

#[test]
fn the_guides_settings_as_they_stand_name_every_placeholder_at_once() {
    let platform = Platform::seed();
    fs::write(
        platform.path(".env"),
        format!(
            "APP_NAME=Kursus\nAPP_TIMEZONE=Asia/Jakarta\n{}{GUIDE}",
            platform.database_settings()
        ),
    )
    .unwrap();
    let run = platform.send().exits(78);
    names_each_once(&run, &GUIDE_TO_FILL_IN);
    assert_eq!(run.stderr.matches("fill in your own").count(), 5);
}

#[test]
fn the_problems_of_all_parts_come_together_and_no_secret_is_shown() {
    let platform = Platform::seed()
        .set("APP_TIMEZONE", "WIB")
        .set("REMINDER_LEAD", "soon")
        .set("PHONE_REGION", "Indonesia")
        .set("MAIL_MAILER", "smtp")
        .set("MAIL_PORT", "many")
        .set("MAIL_PASSWORD", "hunter2")
        .set("TWILIO_SID", "hunter2")
        .set("TWILIO_AUTH_TOKEN", "hunter2")
        .set("HEALTHCHECK_URL", "hunter2");
    let run = platform.send().exits(78);
    let wrong = [
        "APP_TIMEZONE is \"WIB\"",
        "REMINDER_LEAD is \"soon\"",
        "PHONE_REGION is \"Indonesia\"",
        "MAIL_PORT is \"many\"",
        "TWILIO_SID is no Account SID",
        "TWILIO_WHATSAPP_FROM is not set",
        "HEALTHCHECK_URL: ",
    ];
    names_each_once(&run, &wrong);
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
    assert_eq!(run.stdout, "");
}

#[test]
fn a_problem_of_one_channel_stops_that_channel_only() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = Platform::due(&smtp)
        .whatsapp(&twilio)
        .set("TWILIO_WHATSAPP_FROM", "Kursus Kita");
    platform.opted_in(1, "081234567890");
    let run = platform.send().exits(78);
    names_each_once(&run, &["TWILIO_WHATSAPP_FROM"]);
    assert_eq!(smtp.mails().len(), 1);
    assert_eq!(
        platform.ledger(),
        ["mail|1|sent|NULL", "whatsapp|1|pending|NULL"]
    );

    // Once it is mended, what waited goes.
    let platform = platform.whatsapp(&twilio).set("MAIL_PORT", "many");
    let run = platform.send().exits(78);
    names_each_once(&run, &["MAIL_PORT"]);
    assert_eq!((smtp.mails().len(), twilio.created().len()), (1, 1));
}

#[test]
fn the_real_environment_wins_over_the_file() {
    let (right, wrong) = (Smtp::start(), Smtp::start());
    let platform = Platform::due(&wrong);
    send_with(&platform, &[("MAIL_PORT", &right.port().to_string())]).succeeds();
    assert_eq!((right.mails().len(), wrong.mails().len()), (1, 0));
}

#[test]
fn of_several_files_the_first_wins_and_paths_start_at_their_own() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    fs::create_dir_all(platform.path("etc")).unwrap();
    fs::create_dir_all(platform.path("elsewhere")).unwrap();
    let database = on("DB_DATABASE=../platform.sqlite\n", "", "");
    let ours = format!("MAIL_FROM_ADDRESS=ours@kursus.test\n{database}");
    fs::write(platform.path("etc/ours.env"), ours).unwrap();
    let run = |first: &str| {
        let mut command = platform.command(&["--env-file", first, "--env-file", "../.env"]);
        command
            .current_dir(platform.path("elsewhere"))
            .args(["send", "--now", NOW]);
        Run::of(&[first], command.output().unwrap())
    };
    run("../etc/ours.env").succeeds();
    assert_eq!(smtp.mails()[0].from, "ours@kursus.test");

    let gone = run("../etc/theirs.env").exits(78);
    let said = "theirs.env: there is no such env file";
    assert!(gone.stderr.contains(said), "{}", gone.stderr);
}

#[test]
fn a_variable_may_name_the_env_files() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    fs::write(
        platform.path("first.env"),
        "MAIL_FROM_ADDRESS=first@kursus.test",
    )
    .unwrap();
    fs::rename(platform.path(".env"), platform.path("second.env")).unwrap();
    send_with(&platform, &[("REMINDERS_ENV_FILE", "first.env:second.env")]).succeeds();
    assert_eq!(smtp.mails()[0].from, "first@kursus.test");
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let (smtp, twilio) = (
        Smtp::builder()
            .starttls()
            .login("budi", "kata sandi $1")
            .start(),
        Twilio::start(),
    );
    let platform = Platform::due(&smtp)
        .whatsapp(&twilio)
        .set("MAIL_ENCRYPTION", "tls")
        .set("MAIL_CA_FILE", &smtp.ca_file().to_string_lossy())
        .set("MAIL_USERNAME", "budi")
        .set("MAIL_PASSWORD_FILE", "mail-password")
        .set("TWILIO_AUTH_TOKEN", "")
        .set("TWILIO_AUTH_TOKEN_FILE", "token");
    platform.opted_in(1, "081234567890");
    fs::write(platform.path("mail-password"), "kata sandi $1\n").unwrap();
    fs::write(platform.path("token"), AUTH_TOKEN).unwrap();
    platform.send().succeeds();
    assert_eq!((smtp.mails().len(), twilio.created().len()), (1, 1));

    let both = platform.set("MAIL_PASSWORD", "hunter2");
    let run = both.send().exits(78);
    assert!(
        run.stderr
            .contains("MAIL_PASSWORD_FILE: MAIL_PASSWORD is set too")
    );
    assert!(!run.stderr.contains("hunter2"));
}

#[test]
fn a_server_that_is_away_is_tried_again_later_and_one_that_is_not_built_in_named_with_the_cure() {
    let platform = Platform::empty();
    // Nobody listens at port 9.
    for (url, built) in [
        (
            "postgres://lms:hunter2@127.0.0.1:9/lms",
            cfg!(feature = "postgres"),
        ),
        (
            "mysql://lms:hunter2@127.0.0.1:9/lms",
            cfg!(feature = "mysql"),
        ),
        (
            "mysql://lms:hunter2/?#@127.0.0.1:9/lms",
            cfg!(feature = "mysql"),
        ),
    ] {
        let (code, said) = match built {
            true => (
                75,
                "check DB_HOST and DB_PORT, or DATABASE_URL, and that the server runs",
            ),
            false => (78, "--features full"),
        };
        for command in ["send", "migrate"] {
            let run = platform
                .run_with(&[("DATABASE_URL", url)], &[command])
                .exits(code);
            assert!(run.stderr.contains(said), "{}", run.stderr);
            let name = !built || run.stderr.contains("database lms");
            assert!(name, "{}", run.stderr);
            assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
        }
        let checked = platform.run_with(&[("DATABASE_URL", url)], &["check"]);
        assert!(checked.stdout.contains(said), "{}", checked.stdout);
    }
}

#[test]
fn what_is_wrong_with_a_database_server_is_told_at_once_without_its_password() {
    let platform = Platform::seed()
        .set("DB_CONNECTION", "pgsql")
        .set("DB_DATABASE", "")
        .set("DB_HOST", "tcp://db")
        .set("DB_PORT", "many")
        .set("DB_PASSWORD", "hunter2")
        .set("DB_SSLMODE", "always")
        .set("DB_SSLROOTCERT", "gone.pem");
    let run = platform.send().exits(78);
    let wrong = [
        "DB_DATABASE is not set",
        "DB_HOST is \"tcp://db\"",
        "DB_PORT is \"many\"",
        "DB_SSLMODE is \"always\"",
        "DB_SSLROOTCERT: the file /",
    ];
    names_each_once(&run, &wrong);
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
}

#[test]
fn a_password_that_cuts_its_url_in_two_ways_is_to_be_encoded() {
    let url = "mysql://lms:hunter2@home?a=b@db/lms";
    let run = Platform::empty()
        .run_with(&[("DATABASE_URL", url)], &["send"])
        .exits(78);
    assert!(run.stderr.contains("percent-encoded"), "{}", run.stderr);
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
}

#[test]
fn a_database_before_migrate_says_so() {
    let platform = Platform::untouched();
    for arguments in [&["send"][..], &["send", "--dry-run"]] {
        let run = platform.run(arguments).exits(78);
        assert!(
            run.stderr.contains("run `reminders migrate`"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn without_a_zone_nothing_is_sent() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp).set("APP_TIMEZONE", "");
    let run = platform.send().exits(78);
    assert!(
        run.stderr.contains("APP_TIMEZONE is not set"),
        "{}",
        run.stderr
    );
    assert!(smtp.mails().is_empty());
    fs::create_dir(platform.path("config")).unwrap();
    fs::write(
        platform.path("config/app.php"),
        "<?php return ['timezone' => 'Asia/Jakarta'];",
    )
    .unwrap();
    platform.send().succeeds();
    assert_eq!(smtp.mails().len(), 1);
}

#[test]
fn a_watchers_address_which_is_its_password_is_in_no_log() {
    let platform = Platform::seed().set("HEALTHCHECK_URL", "http://127.0.0.1:9/hunter2");
    let run = send_with(&platform, &[("RUST_LOG", "trace")]).succeeds();
    let said = "HEALTHCHECK_URL could not be reached";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
}

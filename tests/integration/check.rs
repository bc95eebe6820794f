//! `check`: each link as it is when all is well, and when it is broken; here those of the database.

mod coming;
mod mail;
mod metrics;
mod passes;
mod whatsapp;

use crate::{
    support::{BackEnd, Platform, Run, on},
    twilio::Twilio,
};

/// The lines of one link.
fn lines<'a>(report: &'a str, link: &str) -> Vec<&'a str> {
    let is_of = |line: &&str| line.split_whitespace().nth(1) == Some(link);
    report.lines().filter(is_of).collect()
}

/// The one line of a link, which must begin and go on so.
#[track_caller]
fn says(report: &str, link: &str, verdict: &str, words: &str) {
    let found = lines(report, link);
    assert_eq!(found.len(), 1, "{link}: {report}");
    assert!(
        found[0].starts_with(verdict) && found[0].contains(words),
        "{}",
        found[0]
    );
}

fn check(platform: &Platform) -> String {
    platform.run(&["check"]).stdout
}

/// The statements that it advises.
fn advised(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| line.starts_with("warn  index"));
    lines
        .map(|line| line[line.find("CREATE INDEX").unwrap()..].to_owned())
        .collect()
}

/// With mail, so that nothing but the database is wrong.
fn untouched() -> Platform {
    Platform::untouched()
        .set("MAIL_MAILER", "file")
        .set("MAIL_FILE_DIR", "mails")
}

#[test]
fn the_advised_indexes_are_those_that_are_missing_and_make_it_content() {
    let platform = untouched().migrated();
    let before = platform.schema();
    let report = check(&platform);
    let statements = advised(&report);
    let words = on("CREATE INDEX", "CREATE INDEX CONCURRENTLY", "CREATE INDEX");
    let wanted = |table: &str, column: &str| {
        format!("{words} {table}_{column}_index ON {table} ({column});")
    };
    let mut expected = vec![wanted("course_sessions", "scheduled_at")];
    // The foreign keys have theirs on MySQL.
    if platform.back_end() != BackEnd::Mysql {
        expected.push(wanted("enrollments", "course_id"));
        expected.push(wanted("user_profiles", "user_id"));
    }
    assert_eq!(statements, expected);
    assert_eq!(platform.schema(), before, "none is made unasked");

    for statement in &statements {
        platform.sql(statement);
    }
    let report = check(&platform);
    assert_eq!(advised(&report), [""; 0]);
    assert!(
        report.contains("every index that helps is there"),
        "{report}"
    );
}

#[test]
fn before_migrate_it_says_what_is_missing() {
    let platform = untouched();
    let run = platform.run(&["check"]).exits(78);
    for missing in ["session_participants", "session_reminder_deliveries"] {
        let line = format!("there is no {missing}: run `reminders migrate`");
        assert!(run.stdout.contains(&line), "{}", run.stdout);
    }
    platform.run(&["migrate"]).succeeds();
    platform.run(&["check"]).succeeds();
}

#[test]
fn a_view_that_lags_behind_the_platforms_columns_is_told() {
    let platform = untouched().migrated();
    assert!(check(&platform).contains("session_participants is up to date"));
    platform.sql("ALTER TABLE course_sessions ADD COLUMN cancelled_at timestamp NULL");
    let report = platform.run(&["check"]).succeeds().stdout;
    assert!(
        report.contains("lags behind the platform's columns"),
        "{report}"
    );
    platform.run(&["migrate"]).succeeds();
    assert!(check(&platform).contains("session_participants is up to date"));
    // One that the view does not use.
    platform.sql("ALTER TABLE course_sessions ADD COLUMN room_colour varchar(20)");
    assert!(check(&platform).contains("session_participants is up to date"));
}

#[test]
fn every_link_is_told_also_when_one_is_broken() {
    let platform = untouched()
        .set("DB_DATABASE", "nowhere")
        .set("DB_PORT", "9")
        .set("TWILIO_SID", "unwell");
    let run = platform.run(&["check"]).exits(78);
    let links = ["mail", "mailer", "from", "whatsapp", "database"];
    for link in links {
        assert!(
            !lines(&run.stdout, link).is_empty(),
            "{link}: {}",
            run.stdout
        );
    }
    says(&run.stdout, "whatsapp", "FAIL", "TWILIO_SID");
    assert!(lines(&run.stdout, "database")[0].starts_with("FAIL"));
}

/// The first link of all.
fn env(run: &Run) -> serde_json::Value {
    run.json()[0].clone()
}

#[test]
fn it_begins_with_the_env_files_that_were_read() {
    let platform = untouched().migrated();
    let file = platform.path(".env").display().to_string();
    let report = platform.run(&["check"]).succeeds().stdout;
    assert_eq!(
        lines(&report, "env").first(),
        report.lines().next().as_ref()
    );
    says(&report, "env", "ok", &file);

    let own = platform.path("own.env");
    std::fs::write(&own, "REMINDERS_ENV_FILE=.env\nAPP_NAME=Kursus").unwrap();
    let arguments = ["--env-file", "own.env", "check", "--format", "json"];
    let mut command = platform.command(&arguments);
    command.env("APP_NAME", "Kita");
    let run = Run::of(&arguments, command.output().unwrap()).succeeds();
    let text = format!(
        "{}, then {file}; the environment sets APP_NAME otherwise, and wins",
        own.display()
    );
    assert_eq!(
        env(&run),
        serde_json::json!({"link": "env", "verdict": "ok", "text": text})
    );
}

#[test]
fn without_an_env_file_it_says_so() {
    let platform = untouched();
    std::fs::rename(platform.path(".env"), platform.path("elsewhere")).unwrap();
    let arguments = ["check", "--format", "json"];
    let mut command = platform.command(&arguments);
    // Where the database is does not matter here.
    let settings = [("DB_CONNECTION", "sqlite"), ("MAIL_MAILER", "none")];
    let output = command.envs(settings).output().unwrap();
    let run = Run::of(&arguments, output);
    let first = env(&run);
    let text = first["text"].as_str().unwrap();
    let folder = platform.path("").display().to_string();
    assert!(
        text.starts_with("no env file found: there is no .env in "),
        "{text}"
    );
    assert!(text.contains(folder.trim_end_matches('/')), "{text}");
    assert_eq!(first["verdict"], "ok");

    // And where nothing says which database it is, somebody is in the wrong folder.
    let run = platform.run(&arguments).exits(78);
    let first = env(&run);
    let text = first["text"].as_str().unwrap();
    assert_eq!(first["verdict"], "warn");
    assert!(text.contains("--env-file"), "{text}");
}

#[test]
fn settings_that_every_command_needs_are_the_first_link_when_they_are_wrong() {
    let platform = untouched()
        .set("APP_TIMEZONE", "Mars/Olympus")
        .set("REMINDER_LEAD", "soon");
    let run = platform.run(&["check"]).exits(78);
    let found = lines(&run.stdout, "env");
    assert_eq!(found.len(), 2, "{}", run.stdout);
    assert!(found[0].starts_with("FAIL  env  APP_TIMEZONE is \"Mars/Olympus\": "));
    assert!(found[1].starts_with("FAIL  env  REMINDER_LEAD is \"soon\": "));
    assert_eq!(run.stderr, "", "each is said once");
    let json = platform.run(&["check", "--format", "json"]).exits(78);
    let first = env(&json);
    assert_eq!(
        (&first["link"], &first["verdict"]),
        (&"env".into(), &"fail".into())
    );
    let gone = ["--env-file", "gone.env", "check", "--format", "json"];
    let first = env(&platform.run(&gone).exits(78));
    assert!(
        first["text"].as_str().unwrap().contains("gone.env"),
        "{first}"
    );
}

#[test]
fn a_misspelt_setting_is_named_with_the_one_that_was_meant() {
    let platform = untouched()
        .set("REMINDER_CATCHUP", "30m")
        .set("REMINDER_CATCH_UP", "30m")
        .set("REMINDER_SPEED", "fast")
        .migrated();
    let run = platform.run_with(&[("REMINDER_LEADS", "24h")], &["check"]);
    let report = run.succeeds().stdout;
    let warned: Vec<&str> = lines(&report, "env")[1..].to_vec();
    assert_eq!(
        warned[..2],
        [
            "warn  env        REMINDER_CATCHUP is no setting: did you mean REMINDER_CATCH_UP?",
            "warn  env        REMINDER_LEADS is no setting: did you mean REMINDER_LEAD?",
        ]
    );
    let all = "REMINDER_SPEED is no setting: there are REMINDER_LEAD, ";
    assert!(warned.len() == 3 && warned[2].contains(all), "{warned:?}");
}

#[test]
fn a_platform_without_a_single_user_is_suspicious() {
    for platform in [untouched().migrated(), {
        let empty = Platform::empty().set("MAIL_MAILER", "none");
        empty.run(&["migrate"]).succeeds();
        empty
    }] {
        says(
            &check(&platform),
            "tables",
            "warn",
            "users is empty: is this the platform's database?",
        );
        platform.sql("INSERT INTO users (id, name, email) VALUES (1, 'Budi', 'budi@example.org')");
        says(
            &check(&platform),
            "tables",
            "ok",
            "the columns that are needed",
        );
    }
}

#[test]
fn json_has_a_link_a_verdict_and_a_text_each() {
    let twilio = Twilio::start();
    let platform = untouched()
        .whatsapp(&twilio)
        .set("REMINDER_CORRECTIONS", "on")
        .set("REMINDER_REDIRECT_MAIL", "saya@example.org")
        .migrated();
    let run = platform.run(&["check", "--format", "json"]).succeeds();
    let json = run.json();
    let links = json.as_array().unwrap();
    let named = |name: &str| links.iter().find(|link| link["link"] == name).unwrap();
    assert_eq!(named("view")["verdict"], "ok");
    assert_eq!(named("index")["verdict"], "warn");
    assert!(
        named("next")["text"]
            .as_str()
            .unwrap()
            .contains("no coming session")
    );
    let keys = |link: &serde_json::Value| {
        link.as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert!(
        links
            .iter()
            .all(|link| keys(link) == ["link", "text", "verdict"])
    );
    // Each name is in the documentation.
    let document = include_str!("../../docs/check.md");
    for link in links {
        let name = link["link"].as_str().unwrap();
        assert!(document.contains(&format!("| `{name}` |")), "{name}");
    }
}

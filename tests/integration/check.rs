//! `check` on the database: what is missing, and the cure that makes it content.

use crate::support::{BackEnd, Platform, on};

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

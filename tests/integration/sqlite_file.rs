//! SQLite's own matters: the file and how it is named, its journal, its locks, its query plans.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::Text,
};

use crate::{
    config::{GUIDE, GUIDE_TO_FILL_IN, names_each_once},
    overlap::everybody_once,
    smtp::Smtp,
    support::{BackEnd, NOW, Platform, Run, START},
};

const LEDGER: &str = "session_reminder_deliveries";
const LOG: &str = "session_reminder_logs";
const VIEW: &str = "session_participants";

fn journal_mode(platform: &Platform) -> String {
    platform
        .rows("journal_mode", "pragma_journal_mode")
        .remove(0)
}

#[test]
fn a_new_database_keeps_a_write_ahead_log() {
    let platform = Platform::empty_on(BackEnd::Sqlite);
    platform.run(&["migrate"]).succeeds();
    assert_eq!(journal_mode(&platform), "wal");
}

#[test]
fn an_empty_file_is_a_new_database() {
    let platform = Platform::empty_on(BackEnd::Sqlite);
    fs::write(platform.path("platform.sqlite"), "").unwrap();
    platform.run(&["migrate"]).succeeds();
    assert_eq!(journal_mode(&platform), "wal");
    assert_eq!(
        platform.relations(),
        [
            "course_sessions",
            "courses",
            "enrollments",
            "session_cancellations",
            VIEW,
            LEDGER,
            LOG,
            "user_profiles",
            "users"
        ]
    );
}

#[test]
fn a_database_that_is_there_keeps_its_journal_mode() {
    for mode in ["delete", "wal"] {
        let platform = Platform::untouched_on(BackEnd::Sqlite);
        platform.sql(&format!("PRAGMA journal_mode = {mode}"));
        platform.run(&["migrate"]).succeeds();
        platform.send().succeeds();
        assert_eq!(journal_mode(&platform), mode);
    }
}

/// What `check` says of the rights to the file.
fn rights(run: Run) -> String {
    let lines = run.stdout.lines();
    let mut lines = lines.filter(|line| line.split_whitespace().nth(1) == Some("rights"));
    lines.next().unwrap().to_owned()
}

#[test]
fn check_says_who_may_write_the_file_and_who_owns_it() {
    let platform = Platform::seed_on(BackEnd::Sqlite);
    let own = rights(platform.run(&["check"]));
    assert!(own.starts_with("ok"), "{own}");
    if std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap()) != 0 {
        eprintln!("SKIPPED: only root can be somebody else");
        return;
    }
    let open = |name: &str, mode: u32| {
        fs::set_permissions(platform.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    for (file, folder, verdict, words) in [
        (0o644, 0o755, "FAIL", "this user may not write /"),
        (0o666, 0o755, "FAIL", "may not write into "),
        (0o666, 0o777, "warn", "belongs to root, and this is "),
    ] {
        open("platform.sqlite", file);
        open("", folder);
        let before = platform.contents();
        let run = platform.run_as(65534, &["check"]);
        assert_eq!(run.code == 78, verdict == "FAIL");
        let said = rights(run);
        assert!(said.starts_with(verdict) && said.contains(words), "{said}");
        assert!(platform.contents() == before, "it wrote");
    }
    let file = platform.path("platform.sqlite");
    std::os::unix::fs::chown(file, Some(65534), None).unwrap();
    let root = rights(platform.run(&["check"]));
    assert!(
        root.starts_with("warn") && root.contains("and this is root"),
        "{root}"
    );
    platform.sql("DROP VIEW session_participants");
    let early = rights(platform.run(&["check"]));
    assert_eq!(early, root, "before migrate, too");
    platform.run(&["migrate"]).succeeds();
    let owner = rights(platform.run_as(65534, &["check"]));
    assert!(owner.starts_with("ok"), "{owner}");
}

#[test]
fn two_passes_at_once_on_a_write_ahead_log_tell_everybody_exactly_once() {
    let platform = Platform::seed_on(BackEnd::Sqlite);
    platform.sql("PRAGMA journal_mode = wal");
    everybody_once(platform, 2);
}

#[test]
fn there_is_nothing_to_take_away_from_a_database_that_does_not_exist() {
    let platform = Platform::empty_on(BackEnd::Sqlite);
    for arguments in [["migrate", "--uninstall"], ["migrate", "--drop-view"]] {
        platform.run(&arguments).exits(78);
    }
    assert_eq!(platform.files(), [".env"]);
}

#[test]
fn migrate_waits_for_another_writer() {
    let platform = Platform::untouched_on(BackEnd::Sqlite);
    let mut other = platform.database();
    other
        .run("BEGIN IMMEDIATE; INSERT INTO courses (id, title) VALUES (1, 'x')")
        .unwrap();
    let mut migrate = platform.start(&["migrate"]);
    std::thread::sleep(Duration::from_millis(300));
    assert!(migrate.try_wait().unwrap().is_none(), "it did not wait");
    other.run("COMMIT").unwrap();
    assert!(migrate.wait().unwrap().success());
    assert!(platform.relations().contains(&VIEW.to_owned()));
}

#[test]
fn a_database_that_may_not_be_written_is_said_to_be_so() {
    let platform = Platform::untouched_on(BackEnd::Sqlite);
    read_only(&platform);
    let refused = platform.run(&["migrate"]).exits(78);
    assert!(
        refused.stderr.contains("may not write"),
        "{}",
        refused.stderr
    );
    platform.run(&["migrate", "--dry-run"]).exits(78);
}

/// A write version of the file format that is yet to come makes a file read-only even for root (SQLite file format,
/// section 1.3.3).
fn read_only(platform: &Platform) {
    let path = platform.path("platform.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    bytes[18] = 3;
    fs::write(&path, bytes).unwrap();
}

#[test]
fn what_cannot_be_a_database_is_named() {
    let platform = Platform::empty_on(BackEnd::Sqlite);
    fs::write(platform.path("platform.sqlite"), "no database at all").unwrap();
    let platform = platform.set("DB_DATABASE", "platform.sqlite");
    let no_database = platform.run(&["migrate"]).exits(78);
    assert!(
        no_database.stderr.contains("platform.sqlite")
            && no_database.stderr.contains("DB_DATABASE"),
        "{}",
        no_database.stderr
    );
    let platform = platform.set("DB_DATABASE", "nowhere/platform.sqlite");
    let no_folder = platform.run(&["migrate"]).exits(78);
    assert!(
        no_folder.stderr.contains("nowhere") && no_folder.stderr.contains("DB_DATABASE"),
        "{}",
        no_folder.stderr
    );
}

/// How SQLite goes about finding the participants of a window, a step a line.
fn plan(platform: &Platform) -> String {
    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = Text)]
        detail: String,
    }
    let mut db = SqliteConnection::establish(&platform.database_place()).unwrap();
    let query = format!(
        "EXPLAIN QUERY PLAN SELECT user_id, phone FROM {VIEW} WHERE scheduled_at BETWEEN '{START}' AND '{START}'"
    );
    let steps = sql_query(query).load::<Step>(&mut db);
    let steps: Vec<String> = steps.unwrap().into_iter().map(|step| step.detail).collect();
    steps.join("\n")
}

#[test]
fn the_view_begins_at_the_sessions_and_uses_the_indexes_there_are() {
    let seed = Platform::seed_on(BackEnd::Sqlite);
    let bare = plan(&seed);
    assert!(bare.starts_with("SCAN s\n"), "{bare}");
    assert!(!bare.contains("SCAN e"), "{bare}");

    seed.sql("CREATE INDEX by_course ON enrollments (course_id)");
    let indexed = plan(&seed);
    assert!(
        indexed.contains("SEARCH e USING INDEX by_course"),
        "{indexed}"
    );

    let ours = Platform::empty_on(BackEnd::Sqlite);
    ours.run(&["migrate"]).succeeds();
    let ours = plan(&ours);
    assert!(
        ours.starts_with("SEARCH s USING INDEX course_sessions_scheduled_at_index"),
        "{ours}"
    );
    assert!(!ours.contains("AUTOMATIC"), "{ours}");
}

#[test]
fn a_database_is_named_in_every_way_laravel_knows() {
    let smtp = Smtp::start();
    let platform = Platform::seed_on(BackEnd::Sqlite)
        .mail(&smtp)
        .set("DB_DATABASE", "");
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    let send_with =
        |environment: &[(&str, &str)]| platform.run_with(environment, &["send", "--now", NOW]);
    let absolute = platform.path("platform.sqlite");
    let absolute = absolute.display();
    for (variable, value) in [
        ("DATABASE_URL", format!("sqlite://{absolute}")),
        ("DATABASE_URL", "sqlite:platform.sqlite".into()),
        ("DB_URL", "platform.sqlite".into()),
        ("DB_DATABASE", absolute.to_string()),
    ] {
        send_with(&[(variable, &value)]).succeeds();
    }
    assert_eq!(smtp.mails().len(), 1);

    let platform = platform
        .set("DATABASE_URL", "other.sqlite")
        .set("DB_DATABASE", "platform.sqlite");
    let run = platform.send().exits(78);
    assert!(
        run.stderr
            .contains("DB_DATABASE: names another database than DATABASE_URL does")
    );
}

#[test]
fn a_missing_database_hides_no_other_problem() {
    let platform = Platform::empty_on(BackEnd::Sqlite);
    fs::write(platform.path(".env"), GUIDE).unwrap();
    let run = platform.send().exits(78);
    names_each_once(&run, &GUIDE_TO_FILL_IN);
    assert!(
        run.stderr.contains("there is no database file"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_is_no_database_is_told_apart_from_one_that_is_busy() {
    let platform = Platform::empty_on(BackEnd::Sqlite);
    fs::write(platform.path("notes.txt"), "Rapat hari Senin. ".repeat(100)).unwrap();
    fs::create_dir(platform.path("folder")).unwrap();
    fs::write(platform.path("nothing.sqlite"), "").unwrap();
    for (name, said) in [
        ("missing.sqlite", "there is no database file"),
        ("folder", "is a folder"),
        ("notes.txt", "is no SQLite database"),
        ("nothing.sqlite", "run `reminders migrate`"),
    ] {
        for arguments in [&["send"][..], &["send", "--dry-run"], &["opt-out", "1"]] {
            let run = platform
                .run_with(&[("DB_DATABASE", name)], arguments)
                .exits(78);
            let of_tables = name == "nothing.sqlite" && arguments[0] == "opt-out";
            assert!(of_tables || run.stderr.contains(said), "{}", run.stderr);
            assert!(of_tables || run.stderr.contains(name) || said.contains("migrate"));
        }
    }
    for name in ["folder", "notes.txt"] {
        platform
            .run_with(&[("DB_DATABASE", name)], &["migrate"])
            .exits(78);
    }
    assert!(!platform.path("missing.sqlite").exists());
}

//! `migrate`: what it makes, what it leaves alone, and what it refuses.

use std::{fs, time::Duration};

use diesel::{
    QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::Text,
};

use crate::{
    smtp::Smtp,
    support::{NOW, Platform, START},
};

const LEDGER: &str = "session_reminder_deliveries";
const LOG: &str = "session_reminder_logs";
const VIEW: &str = "session_participants";

/// Everything there is in the database but its data.
fn schema(platform: &Platform) -> Vec<String> {
    platform.rows("type, name, sql", "sqlite_master ORDER BY type, name")
}

fn names(platform: &Platform) -> Vec<String> {
    let own = "name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_\\_%' ESCAPE '\\'";
    platform.rows(
        "name",
        &format!("sqlite_master WHERE type <> 'index' AND {own} ORDER BY name"),
    )
}

fn files(platform: &Platform) -> Vec<String> {
    let entries = fs::read_dir(platform.path("")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn journal_mode(platform: &Platform) -> String {
    platform
        .rows("journal_mode", "pragma_journal_mode")
        .remove(0)
}

/// Takes back the platform's two notification migrations.
fn without_notifications(platform: &Platform) {
    platform.sql(&format!("DROP TABLE {LOG}"));
    rebuild_profiles(platform);
}

/// As Laravel changes a table on SQLite: a new one, filled from the old one, takes its place.
fn rebuild_profiles(platform: &Platform) {
    platform.sql(
        "CREATE TABLE __temp__user_profiles (id integer primary key autoincrement not null, user_id integer not null references users(id) on delete cascade, phone varchar, address varchar, created_at datetime, updated_at datetime);
         INSERT INTO __temp__user_profiles SELECT id, user_id, phone, address, created_at, updated_at FROM user_profiles;
         DROP TABLE user_profiles;
         ALTER TABLE __temp__user_profiles RENAME TO user_profiles;",
    );
}

/// A migration of the platform's, in its place beside the `.env`.
fn laravel_migration(platform: &Platform, name: &str) {
    let folder = platform.path("database/migrations");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), "<?php\n").unwrap();
}

#[test]
fn where_there_is_no_database_a_new_one_is_made_and_a_pass_works_on_it_in_utc() {
    let smtp = Smtp::start();
    let platform = Platform::empty().set("APP_TIMEZONE", "").mail(&smtp);
    platform.run(&["migrate"]).succeeds();
    assert_eq!(journal_mode(&platform), "wal");
    platform.sql("INSERT INTO courses (id, title) VALUES (1, 'Matematika Dasar')");
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.participant(2, "Siti", "siti@example.org");
    platform.sql("UPDATE enrollments SET expires_at = '2026-11-23 16:59:59' WHERE user_id = 2");
    platform.send_at("2026-11-23T16:00:00Z").succeeds();
    assert_eq!(platform.ledger(), ["mail|1|sent|NULL"]);
    assert!(smtp.mails()[0].text().contains("17.00 UTC"));
}

#[test]
fn an_empty_file_is_a_new_database() {
    let platform = Platform::empty();
    fs::write(platform.path("platform.sqlite"), "").unwrap();
    platform.run(&["migrate"]).succeeds();
    assert_eq!(journal_mode(&platform), "wal");
    assert_eq!(
        names(&platform),
        [
            "course_sessions",
            "courses",
            "enrollments",
            VIEW,
            LEDGER,
            LOG,
            "user_profiles",
            "users"
        ]
    );
}

#[test]
fn of_a_platform_that_lacks_nothing_not_a_table_and_not_a_row_is_changed() {
    let platform = Platform::untouched();
    platform.sql("INSERT INTO courses (id, title) VALUES (1, 'Matematika Dasar')");
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.opted_in(1, "081234567890");
    platform.sql("INSERT INTO session_reminder_logs (course_session_id, sent_at) VALUES (1, '2026-11-01 10:00:00')");
    let (tables, data) = (schema(&platform), dump(&platform));
    platform.run(&["migrate"]).succeeds();
    let after = schema(&platform);
    assert!(tables.iter().all(|table| after.contains(table)));
    let added: Vec<String> = names(&platform)
        .into_iter()
        .filter(|name| !tables.iter().any(|table| table.contains(name)))
        .collect();
    assert_eq!(added, [VIEW, LEDGER]);
    assert_eq!(dump(&platform), data);
}

/// Every row of the platform's tables.
fn dump(platform: &Platform) -> Vec<String> {
    let tables = [
        ("users", "id, name, email, status"),
        ("user_profiles", "id, user_id, phone, whatsapp_opt_in"),
        ("courses", "id, title"),
        ("course_sessions", "id, course_id, title, scheduled_at"),
        ("enrollments", "id, user_id, course_id, status"),
        (LOG, "id, course_session_id, sent_at, recipients_count"),
    ];
    tables
        .iter()
        .flat_map(|(table, columns)| platform.rows(columns, table))
        .collect()
}

#[test]
fn a_platform_without_its_notification_migrations_gets_what_they_make_in_their_shape() {
    let shape = |platform: &Platform, table: &str| {
        let columns = "name, lower(type), \"notnull\"";
        platform.rows(
            columns,
            &format!("pragma_table_info('{table}') ORDER BY name"),
        )
    };
    let seed = Platform::untouched();
    let smtp = Smtp::start();
    let platform = Platform::untouched().mail(&smtp);
    without_notifications(&platform);
    platform.sql("INSERT INTO courses (id, title) VALUES (1, 'Matematika Dasar')");
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.sql("INSERT INTO user_profiles (user_id, phone) VALUES (1, '081234567890')");
    platform.run(&["migrate"]).succeeds();
    for table in [LOG, "user_profiles"] {
        assert_eq!(shape(&platform, table), shape(&seed, table));
    }
    let profiles = platform.rows("phone, whatsapp_opt_in", "user_profiles");
    assert_eq!(profiles, ["081234567890|0"]);
    platform.send().succeeds();
    assert_eq!(platform.rows("recipients_count", LOG), ["1"]);
    platform.sql(&format!("INSERT INTO {LOG} (course_session_id, sent_at) VALUES (1, '{START}') ON CONFLICT (course_session_id) DO NOTHING"));
    assert_eq!(platform.rows("recipients_count", LOG), ["1"]);
}

#[test]
fn a_second_run_changes_nothing() {
    for platform in [Platform::empty(), Platform::untouched()] {
        platform.run(&["migrate"]).succeeds();
        let before = schema(&platform);
        let version = || platform.rows("schema_version", "pragma_schema_version");
        let version_before = version();
        let again = platform.run(&["migrate"]).succeeds();
        assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);
        assert_eq!((schema(&platform), version()), (before, version_before));
    }
}

#[test]
fn a_dry_run_prints_the_very_statements_and_leaves_no_trace() {
    let bare = Platform::untouched();
    without_notifications(&bare);
    let twin = Platform::untouched();
    without_notifications(&twin);
    for (platform, twin) in [(Platform::empty(), Platform::empty()), (bare, twin)] {
        let before = (
            files(&platform),
            fs::read(platform.path("platform.sqlite")).ok(),
        );
        let sql = platform.run(&["migrate", "--dry-run"]).succeeds().stdout;
        let after = (
            files(&platform),
            fs::read(platform.path("platform.sqlite")).ok(),
        );
        assert!(before == after, "the dry run left a trace");
        platform.run(&["migrate"]).succeeds();
        twin.database().batch_execute(&sql).unwrap();
        assert_eq!(schema(&twin), schema(&platform));
        assert_eq!(journal_mode(&twin), journal_mode(&platform));
        let again = twin.run(&["migrate"]).succeeds();
        assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);
    }
}

#[test]
fn the_view_steps_aside_for_a_table_rebuild_and_comes_back_with_the_new_columns() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.participant(2, "Siti", "siti@example.org");
    platform.run(&["migrate", "--drop-view"]).succeeds();
    assert!(!names(&platform).contains(&VIEW.to_owned()));
    let lacking = platform.send().exits(78);
    assert!(
        lacking.stderr.contains(VIEW) && lacking.stderr.contains("reminders migrate"),
        "{}",
        lacking.stderr
    );
    rebuild_profiles(&platform);
    platform.sql("ALTER TABLE enrollments ADD COLUMN deleted_at datetime; UPDATE enrollments SET deleted_at = '2026-11-01 00:00:00' WHERE user_id = 2");
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
    assert_eq!(platform.ledger(), ["mail|1|sent|NULL"]);
}

#[test]
fn a_column_that_the_platform_adds_later_counts_after_the_next_migrate() {
    let platform = Platform::untouched();
    platform.sql("ALTER TABLE enrollments DROP COLUMN expires_at");
    platform.run(&["migrate"]).succeeds();
    platform.sql("INSERT INTO courses (id, title) VALUES (1, 'Matematika Dasar')");
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.sql("ALTER TABLE enrollments ADD COLUMN expires_at datetime; UPDATE enrollments SET expires_at = '2026-11-01 00:00:00'");
    let participants = || platform.rows("user_id", VIEW);
    assert_eq!(participants(), ["1"]);
    platform.run(&["migrate"]).succeeds();
    assert_eq!(participants(), [""; 0]);
}

#[test]
fn a_column_that_the_platform_has_dropped_ends_in_the_advice_to_migrate() {
    let platform = Platform::seed();
    platform.run(&["migrate", "--drop-view"]).succeeds();
    let view = platform.run(&["migrate", "--dry-run"]).succeeds().stdout;
    platform.sql("ALTER TABLE course_sessions DROP COLUMN location");
    platform.sql(&view);
    let lagging = platform.send().exits(78);
    assert!(
        lagging.stderr.contains("location") && lagging.stderr.contains("reminders migrate"),
        "{}",
        lagging.stderr
    );
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
}

#[test]
fn uninstalling_takes_the_view_and_only_when_asked_the_record_of_what_was_sent() {
    let smtp = Smtp::start();
    let platform = Platform::untouched().mail(&smtp);
    let before = schema(&platform);
    platform.run(&["migrate"]).succeeds();
    platform.sql("INSERT INTO courses (id, title) VALUES (1, 'Matematika Dasar')");
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.send().succeeds();
    platform.run(&["migrate", "--uninstall"]).succeeds();
    assert!(!names(&platform).contains(&VIEW.to_owned()));
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
    assert_eq!(smtp.mails().len(), 1, "the record was kept");

    platform
        .run(&["migrate", "--uninstall", "--ledger"])
        .succeeds();
    assert_eq!(schema(&platform), before, "as if we had never been there");
    assert_eq!(platform.rows("recipients_count", LOG), ["1"]);
    platform.run(&["migrate"]).succeeds();
    assert_eq!(platform.ledger(), [""; 0]);
}

#[test]
fn there_is_nothing_to_take_away_from_a_database_that_does_not_exist() {
    let platform = Platform::empty();
    for arguments in [["migrate", "--uninstall"], ["migrate", "--drop-view"]] {
        platform.run(&arguments).exits(78);
    }
    assert_eq!(files(&platform), [".env"]);
}

/// What a platform of another shape would show us.
const OWN_VIEW: &str = "CREATE VIEW session_participants AS
    SELECT l.id AS session_id, NULL AS course_id, l.topic AS session_title, l.topic AS course_title,
        l.begins AS scheduled_at, 45 AS duration_minutes, 'offline' AS mode, NULL AS modality, NULL AS meeting_url,
        'Ruang 3' AS location, p.id AS user_id, p.nick AS name, p.mailbox AS email, NULL AS phone,
        0 AS whatsapp_opt_in, NULL AS timezone, 'id' AS locale
    FROM lessons l CROSS JOIN people p";

#[test]
fn an_operators_own_view_is_left_alone_and_reminders_go_to_those_it_names() {
    let smtp = Smtp::start();
    let platform = Platform::empty().mail(&smtp);
    platform.sql(&format!(
        "CREATE TABLE lessons (id integer primary key, topic varchar, begins datetime);
         CREATE TABLE people (id integer primary key, nick varchar, mailbox varchar);
         INSERT INTO lessons VALUES (7, 'Gamelan', '{START}');
         INSERT INTO people VALUES (3, 'Agus', 'agus@example.org');
         {OWN_VIEW};"
    ));
    platform.run(&["migrate"]).succeeds();
    assert_eq!(names(&platform), ["lessons", "people", VIEW, LEDGER, LOG]);
    platform.send().succeeds();
    assert_eq!(smtp.mails()[0].to, ["agus@example.org"]);
    assert!(smtp.mails()[0].text().contains("Gamelan"));
    for arguments in [
        ["migrate", "--drop-view"].as_slice(),
        &["migrate"],
        &["migrate", "--uninstall", "--ledger"],
    ] {
        platform.run(arguments).succeeds();
        let view = platform.rows("sql", &format!("sqlite_master WHERE name = '{VIEW}'"));
        assert_eq!(view, [OWN_VIEW]);
    }
}

/// The columns no reminder can do without.
const NEEDED: [(&str, &[&str]); 5] = [
    ("users", &["id", "name", "email"]),
    ("user_profiles", &["id", "user_id", "phone"]),
    ("courses", &["id", "title"]),
    (
        "course_sessions",
        &["id", "course_id", "title", "scheduled_at"],
    ),
    ("enrollments", &["user_id", "course_id", "status"]),
];

/// The needed tables and columns, but those named.
fn needed_but(platform: &Platform, lacking: &[&str]) {
    for (table, columns) in NEEDED {
        let kept: Vec<&str> = columns
            .iter()
            .copied()
            .filter(|column| !lacking.contains(&format!("{table}.{column}").as_str()))
            .collect();
        if !lacking.contains(&table) {
            platform.sql(&format!("CREATE TABLE {table} ({}, x)", kept.join(", ")));
        }
    }
}

#[test]
fn the_needed_columns_are_enough_and_a_course_may_have_a_name_instead_of_a_title() {
    let smtp = Smtp::start();
    let platform = Platform::empty().mail(&smtp);
    needed_but(&platform, &["courses.title"]);
    platform.sql("ALTER TABLE courses ADD COLUMN name");
    platform.run(&["migrate"]).succeeds();
    platform.sql(&format!(
        "INSERT INTO courses (id, name) VALUES (1, 'Aljabar');
         INSERT INTO course_sessions (id, course_id, scheduled_at) VALUES (1, 1, '{START}');"
    ));
    platform.participant(1, "Budi", "budi@example.org");
    platform.send().succeeds();
    assert!(smtp.mails()[0].subject().contains("Aljabar"));
}

#[test]
fn each_missing_table_or_column_is_named_and_nothing_is_made() {
    let columns = NEEDED.iter().flat_map(|(table, columns)| {
        columns
            .iter()
            .map(move |column| format!("{table}.{column}"))
    });
    let tables = NEEDED.iter().map(|(table, _)| (*table).to_owned());
    for missing in tables.chain(columns) {
        let platform = Platform::empty();
        needed_but(&platform, &[&missing]);
        let before = schema(&platform);
        let refused = platform.run(&["migrate"]).exits(78);
        assert!(
            refused.stderr.contains(&format!(" {missing}:")),
            "{missing}: {}",
            refused.stderr
        );
        assert_eq!(schema(&platform), before);
    }
}

#[test]
fn a_log_of_another_shape_is_named_too() {
    let platform = Platform::untouched();
    platform.sql(&format!("ALTER TABLE {LOG} DROP COLUMN recipients_count"));
    let refused = platform.run(&["migrate"]).exits(78);
    assert!(
        refused
            .stderr
            .contains("session_reminder_logs.recipients_count"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_database_that_is_there_keeps_its_journal_mode() {
    for mode in ["delete", "wal"] {
        let platform = Platform::untouched();
        platform.sql(&format!("PRAGMA journal_mode = {mode}"));
        platform.run(&["migrate"]).succeeds();
        platform.send().succeeds();
        assert_eq!(journal_mode(&platform), mode);
    }
}

#[test]
fn what_laravels_own_migrations_will_make_is_left_to_them() {
    let log = "2025_08_01_000002_create_session_reminder_logs_table.php";
    let column = "2025_08_01_000001_add_whatsapp_opt_in_to_user_profiles_table.php";
    let users = "0001_01_01_000000_create_users_table.php";
    for (migration, platform) in [
        (log, Platform::untouched()),
        (column, Platform::untouched()),
        (column, Platform::empty()),
        (log, Platform::empty()),
        (users, Platform::empty()),
    ] {
        if platform.path("platform.sqlite").exists() {
            without_notifications(&platform);
        }
        laravel_migration(&platform, migration);
        let before = files(&platform);
        let refused = platform.run(&["migrate"]).exits(78);
        assert!(
            refused.stderr.contains("php artisan migrate"),
            "{}",
            refused.stderr
        );
        assert_eq!(files(&platform), before);
    }
}

#[test]
fn laravels_migrations_that_have_been_run_stand_in_nobodys_way() {
    let platform = Platform::untouched();
    let log = "2025_08_01_000002_create_session_reminder_logs_table";
    laravel_migration(&platform, &format!("{log}.php"));
    platform.run(&["migrate"]).succeeds();
    // Run once, and its table lost since: `php artisan migrate` would have nothing to do.
    platform.sql(&format!(
        "DROP TABLE {LOG};
         CREATE TABLE migrations (id integer primary key, migration varchar, batch integer);
         INSERT INTO migrations (migration, batch) VALUES ('{log}', 1);"
    ));
    platform.run(&["migrate"]).succeeds();
    assert!(names(&platform).contains(&LOG.to_owned()));
}

#[test]
fn a_pass_before_migrate_names_what_is_missing_and_the_cure() {
    let platform = Platform::untouched();
    for arguments in [
        ["send", "--now", NOW].as_slice(),
        &["send", "--dry-run", "--now", NOW],
    ] {
        let refused = platform.run(arguments).exits(78);
        for word in [VIEW, LEDGER, "reminders migrate"] {
            assert!(refused.stderr.contains(word), "{}", refused.stderr);
        }
        assert!(!refused.stderr.contains(LOG), "{}", refused.stderr);
    }
}

#[test]
fn migrate_waits_for_another_writer() {
    let platform = Platform::untouched();
    let mut other = platform.database();
    other
        .batch_execute("BEGIN IMMEDIATE; INSERT INTO courses (id, title) VALUES (1, 'x')")
        .unwrap();
    let mut migrate = platform.start(&["migrate"]);
    std::thread::sleep(Duration::from_millis(300));
    assert!(migrate.try_wait().unwrap().is_none(), "it did not wait");
    other.batch_execute("COMMIT").unwrap();
    assert!(migrate.wait().unwrap().success());
    assert!(names(&platform).contains(&VIEW.to_owned()));
}

#[test]
fn a_database_that_may_not_be_written_is_said_to_be_so() {
    let platform = Platform::untouched();
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
    let platform = Platform::empty();
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
    let query = format!(
        "EXPLAIN QUERY PLAN SELECT user_id, phone FROM {VIEW} WHERE scheduled_at BETWEEN '{START}' AND '{START}'"
    );
    let steps = sql_query(query).load::<Step>(&mut platform.database());
    let steps: Vec<String> = steps.unwrap().into_iter().map(|step| step.detail).collect();
    steps.join("\n")
}

#[test]
fn the_view_begins_at_the_sessions_and_uses_the_indexes_there_are() {
    let seed = Platform::seed();
    let bare = plan(&seed);
    assert!(bare.starts_with("SCAN s\n"), "{bare}");
    assert!(!bare.contains("SCAN e"), "{bare}");

    seed.sql("CREATE INDEX by_course ON enrollments (course_id)");
    let indexed = plan(&seed);
    assert!(
        indexed.contains("SEARCH e USING INDEX by_course"),
        "{indexed}"
    );

    let ours = Platform::empty();
    ours.run(&["migrate"]).succeeds();
    let ours = plan(&ours);
    assert!(
        ours.starts_with("SEARCH s USING INDEX course_sessions_scheduled_at_index"),
        "{ours}"
    );
    assert!(!ours.contains("AUTOMATIC"), "{ours}");
}

#[test]
fn what_an_operators_own_view_lacks_is_named() {
    let platform = Platform::empty();
    platform.sql("CREATE VIEW session_participants AS SELECT 1 AS session_id, 2 AS user_id");
    let refused = platform.run(&["migrate"]).exits(78);
    for column in ["session_title", "scheduled_at", "locale"] {
        assert!(refused.stderr.contains(column), "{}", refused.stderr);
    }
    assert!(
        !refused.stderr.contains("lacks session_id"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_row_of_nobody_in_an_operators_own_view_stops_nobody_else() {
    let smtp = Smtp::start();
    let platform = Platform::empty().mail(&smtp);
    let row = |user: &str, email: &str| {
        format!(
            "SELECT 7 AS session_id, 1 AS course_id, 'Gamelan' AS session_title, 'Seni' AS course_title,
             '{START}' AS scheduled_at, 60 AS duration_minutes, 'online' AS mode, NULL AS modality,
             NULL AS meeting_url, NULL AS location, {user} AS user_id, 'A' AS name, '{email}' AS email,
             NULL AS phone, 0 AS whatsapp_opt_in, NULL AS timezone, NULL AS locale"
        )
    };
    let (nobody, agus) = (
        row("NULL", "nobody@example.org"),
        row("3", "agus@example.org"),
    );
    platform.sql(&format!("CREATE VIEW {VIEW} AS {nobody} UNION ALL {agus}"));
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
    assert_eq!(smtp.mails().len(), 1);
    assert_eq!(smtp.mails()[0].to, ["agus@example.org"]);
}

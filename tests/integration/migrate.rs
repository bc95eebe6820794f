//! `migrate`: what it makes, what it leaves alone, and what it refuses.

use std::fs;

use crate::{
    smtp::Smtp,
    support::{BackEnd, NOW, Platform, START, on, on_sqlite},
};

const LEDGER: &str = "session_reminder_deliveries";
const LOG: &str = "session_reminder_logs";
const VIEW: &str = "session_participants";
const CANCELLATIONS: &str = "session_cancellations";

/// Takes back the platform's two notification migrations.
fn without_notifications(platform: &Platform) {
    platform.sql(&format!("DROP TABLE {LOG}"));
    rebuild_profiles(platform);
}

/// As Laravel drops a column; on SQLite a new table, filled from the old one, takes its place.
fn rebuild_profiles(platform: &Platform) {
    let drop = "ALTER TABLE user_profiles DROP COLUMN whatsapp_opt_in";
    let rebuild =
        "CREATE TABLE __temp__user_profiles (id integer primary key autoincrement not null, user_id integer not null references users(id) on delete cascade, phone varchar, address varchar, created_at datetime, updated_at datetime);
         INSERT INTO __temp__user_profiles SELECT id, user_id, phone, address, created_at, updated_at FROM user_profiles;
         DROP TABLE user_profiles;
         ALTER TABLE __temp__user_profiles RENAME TO user_profiles;";
    platform.sql(on(rebuild, drop, drop));
}

/// The seed's platform before its notification migrations.
fn bare() -> Platform {
    let platform = Platform::untouched();
    without_notifications(&platform);
    platform
}

/// What on SQLite only shows in the file's own settings.
fn pragma(platform: &Platform, name: &str) -> Vec<String> {
    match platform.back_end() {
        BackEnd::Sqlite => platform.rows(name, &format!("pragma_{name}")),
        _ => Vec::new(),
    }
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
    platform.course();
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.participant(2, "Siti", "siti@example.org");
    platform.sql("UPDATE enrollments SET expires_at = '2026-11-23 16:59:59' WHERE user_id = 2");
    platform.send_at("2026-11-23T16:00:00Z").succeeds();
    assert_eq!(platform.ledger(), ["mail|1|sent|NULL"]);
    assert!(smtp.mails()[0].text().contains("17.00 UTC"));
}

#[test]
fn of_a_platform_that_lacks_nothing_not_a_table_and_not_a_row_is_changed() {
    let platform = Platform::untouched();
    platform.course();
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.opted_in(1, "081234567890");
    platform.sql("INSERT INTO session_reminder_logs (course_session_id, sent_at) VALUES (1, '2026-11-01 10:00:00')");
    let (tables, data) = (platform.schema(), dump(&platform));
    platform.run(&["migrate"]).succeeds();
    let after = platform.schema();
    assert!(tables.iter().all(|table| after.contains(table)));
    let is_ours = |line: &&String| {
        [VIEW, CANCELLATIONS, LEDGER, "__diesel"]
            .iter()
            .any(|name| line.contains(name))
    };
    let theirs = after.iter().filter(|line| !is_ours(line)).count();
    assert_eq!(theirs, tables.len(), "{after:?}");
    let added: Vec<String> = platform
        .relations()
        .into_iter()
        .filter(|name| !tables.iter().any(|table| table.contains(name)))
        .collect();
    assert_eq!(added, [CANCELLATIONS, VIEW, LEDGER]);
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
    let seed = Platform::untouched();
    let smtp = Smtp::start();
    let platform = bare().mail(&smtp);
    platform.course();
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.sql("INSERT INTO user_profiles (user_id, phone) VALUES (1, '081234567890')");
    platform.run(&["migrate"]).succeeds();
    for table in [LOG, "user_profiles"] {
        assert_eq!(platform.shape(table), seed.shape(table));
    }
    let profiles = platform.rows("phone, whatsapp_opt_in", "user_profiles");
    assert_eq!(profiles, ["081234567890|0"]);
    platform.send().succeeds();
    assert_eq!(platform.rows("recipients_count", LOG), ["1"]);
    let (or_not, conflict) = on(
        ("", "ON CONFLICT (course_session_id) DO NOTHING"),
        ("", "ON CONFLICT (course_session_id) DO NOTHING"),
        ("IGNORE", ""),
    );
    platform.sql(&format!(
        "INSERT {or_not} INTO {LOG} (course_session_id, sent_at) VALUES (1, '{START}') {conflict}"
    ));
    assert_eq!(platform.rows("recipients_count", LOG), ["1"]);
}

#[test]
fn a_second_run_changes_nothing() {
    for platform in [Platform::empty(), Platform::untouched()] {
        platform.run(&["migrate"]).succeeds();
        let before = platform.schema();
        let version = || pragma(&platform, "schema_version");
        let version_before = version();
        let again = platform.run(&["migrate"]).succeeds();
        assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);
        assert_eq!((platform.schema(), version()), (before, version_before));
    }
}

#[test]
fn a_dry_run_prints_the_very_statements_and_leaves_no_trace() {
    for (platform, twin) in [(Platform::empty(), Platform::empty()), (bare(), bare())] {
        let before = (platform.files(), platform.contents());
        let sql = platform.run(&["migrate", "--dry-run"]).succeeds().stdout;
        let after = (platform.files(), platform.contents());
        assert!(before == after, "the dry run left a trace");
        platform.run(&["migrate"]).succeeds();
        twin.sql(&sql);
        assert_eq!(twin.schema(), platform.schema());
        assert_eq!(
            pragma(&twin, "journal_mode"),
            pragma(&platform, "journal_mode")
        );
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
    for view in [VIEW, CANCELLATIONS] {
        assert!(!platform.relations().contains(&view.to_owned()));
    }
    let lacking = platform.send().exits(78);
    assert!(
        lacking.stderr.contains(VIEW) && lacking.stderr.contains("reminders migrate"),
        "{}",
        lacking.stderr
    );
    rebuild_profiles(&platform);
    platform.sql("ALTER TABLE enrollments ADD COLUMN deleted_at timestamp NULL; UPDATE enrollments SET deleted_at = '2026-11-01 00:00:00' WHERE user_id = 2");
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
    assert_eq!(platform.ledger(), ["mail|1|sent|NULL"]);
}

#[test]
fn a_column_that_the_platform_adds_later_counts_after_the_next_migrate() {
    let platform = Platform::untouched();
    platform.sql("ALTER TABLE enrollments DROP COLUMN expires_at");
    platform.run(&["migrate"]).succeeds();
    platform.course();
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.sql("ALTER TABLE enrollments ADD COLUMN expires_at timestamp NULL; UPDATE enrollments SET expires_at = '2026-11-01 00:00:00'");
    let participants = || platform.rows("user_id", VIEW);
    assert_eq!(participants(), ["1"]);
    platform.run(&["migrate"]).succeeds();
    assert_eq!(participants(), [""; 0]);
}

/// Drops a column under the view: SQLite keeps the view only when it is away meanwhile, PostgreSQL drops it too.
fn drop_location(platform: &Platform) {
    let drop = "ALTER TABLE course_sessions DROP COLUMN location";
    match platform.back_end() {
        BackEnd::Sqlite => {
            platform.run(&["migrate", "--drop-view"]).succeeds();
            let view = platform.run(&["migrate", "--dry-run"]).succeeds().stdout;
            platform.sql(&format!("{drop}; {view}"));
        }
        BackEnd::Postgres => platform.sql(&format!("{drop} CASCADE")),
        BackEnd::Mysql => platform.sql(drop),
    }
}

#[test]
fn a_column_that_the_platform_has_dropped_ends_in_the_advice_to_migrate() {
    let platform = Platform::seed();
    drop_location(&platform);
    let lagging = platform.send().exits(78);
    let said = &lagging.stderr;
    assert!(said.contains("reminders migrate"), "{said}");
    assert!(!on_sqlite() || said.contains("location"), "{said}");
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
}

#[test]
fn uninstalling_takes_the_view_and_only_when_asked_the_record_of_what_was_sent() {
    let smtp = Smtp::start();
    let platform = Platform::untouched().mail(&smtp);
    let before = platform.schema();
    platform.run(&["migrate"]).succeeds();
    platform.course();
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.send().succeeds();
    platform.run(&["migrate", "--uninstall"]).succeeds();
    for view in [VIEW, CANCELLATIONS] {
        assert!(!platform.relations().contains(&view.to_owned()));
    }
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
    assert_eq!(smtp.mails().len(), 1, "the record was kept");

    platform
        .run(&["migrate", "--uninstall", "--ledger"])
        .succeeds();
    assert_eq!(platform.schema(), before, "as if we had never been there");
    assert_eq!(platform.rows("recipients_count", LOG), ["1"]);
    platform.run(&["migrate"]).succeeds();
    assert_eq!(platform.ledger(), [""; 0]);
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

/// A column's type where it must have one.
fn type_of(column: &str) -> &'static str {
    let on_servers = match column {
        "scheduled_at" => "timestamp NULL",
        id if id.ends_with("id") => "bigint",
        _ => "varchar(255)",
    };
    on("", on_servers, on_servers)
}

/// The needed tables and columns, but those named.
fn needed_but(platform: &Platform, lacking: &[&str]) {
    for (table, columns) in NEEDED {
        let kept: String = columns
            .iter()
            .filter(|column| !lacking.contains(&format!("{table}.{column}").as_str()))
            .map(|column| format!("{column} {}, ", type_of(column)))
            .collect();
        if !lacking.contains(&table) {
            platform.sql(&format!("CREATE TABLE {table} ({kept} x {})", type_of("x")));
        }
    }
}

#[test]
fn the_needed_columns_are_enough_and_a_course_may_have_a_name_instead_of_a_title() {
    let smtp = Smtp::start();
    let platform = Platform::empty().mail(&smtp);
    needed_but(&platform, &["courses.title"]);
    platform.sql("ALTER TABLE courses ADD COLUMN name varchar(255)");
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
        let before = platform.schema();
        let refused = platform.run(&["migrate"]).exits(78);
        assert!(
            refused.stderr.contains(&format!(" {missing}:")),
            "{missing}: {}",
            refused.stderr
        );
        assert_eq!(platform.schema(), before);
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
fn a_ledger_of_an_older_program_is_named_and_gets_the_columns_that_it_lacks() {
    let platform = Platform::seed();
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    for column in ["error_code", "delivery_status"] {
        platform.sql(&format!("ALTER TABLE {LEDGER} DROP COLUMN {column}"));
    }
    let lacks = format!("{LEDGER} lacks error_code, delivery_status: run `reminders migrate`");
    let arguments: [&[&str]; 6] = [
        &["send", "--now", NOW],
        &["send", "--now", NOW, "--dry-run"],
        &["log"],
        &["status"],
        &["explain", "1", "1"],
        &["report", "1"],
    ];
    for arguments in arguments {
        let refused = platform.run(arguments).exits(78);
        let mut errors = refused
            .stderr
            .lines()
            .filter(|line| line.contains("error:"));
        assert!(
            errors.next().unwrap().ends_with(&lacks),
            "{}",
            refused.stderr
        );
        assert_eq!(errors.next(), None);
    }
    let told = platform.run(&["check", "--offline"]).exits(78);
    assert!(told.stdout.contains(&lacks), "{}", told.stdout);

    let dry = platform.run(&["migrate", "--dry-run"]).succeeds().stdout;
    let done = platform.run(&["migrate"]).succeeds().stdout;
    for column in ["error_code", "delivery_status"] {
        assert!(dry.contains(&format!("ADD COLUMN {column} ")), "{dry}");
        assert!(
            done.contains(&format!("added {LEDGER}.{column}\n")),
            "{done}"
        );
    }
    platform.run(&["log"]).succeeds();
    platform.run(&["send", "--now", NOW]).succeeds();
    let again = platform.run(&["migrate"]).succeeds().stdout;
    assert!(again.starts_with("nothing to do"), "{again}");
}

#[test]
fn what_laravels_own_migrations_will_make_is_left_to_them() {
    let log = "2025_08_01_000002_create_session_reminder_logs_table.php";
    let column = "2025_08_01_000001_add_whatsapp_opt_in_to_user_profiles_table.php";
    let users = "0001_01_01_000000_create_users_table.php";
    for (migration, platform) in [
        (log, bare()),
        (column, bare()),
        (column, Platform::empty()),
        (log, Platform::empty()),
        (users, Platform::empty()),
    ] {
        laravel_migration(&platform, migration);
        let before = (platform.files(), platform.contents());
        let refused = platform.run(&["migrate"]).exits(78);
        assert!(
            refused.stderr.contains("php artisan migrate"),
            "{}",
            refused.stderr
        );
        assert!((platform.files(), platform.contents()) == before);
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
         CREATE TABLE migrations (id integer primary key, migration varchar(255), batch integer);
         INSERT INTO migrations (id, migration, batch) VALUES (1, '{log}', 1);"
    ));
    platform.run(&["migrate"]).succeeds();
    assert!(platform.relations().contains(&LOG.to_owned()));
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

//! A platform of quite another shape, whose operator has made the view.

use crate::{
    smtp::Smtp,
    support::{BackEnd, Platform, START, on},
};

const LEDGER: &str = "session_reminder_deliveries";
const LOG: &str = "session_reminder_logs";
const VIEW: &str = "session_participants";

/// What a platform of another shape would show us.
const OWN_VIEW: &str = "CREATE VIEW session_participants AS
    SELECT l.id AS session_id, NULL AS course_id, l.topic AS session_title, l.topic AS course_title,
        l.begins AS scheduled_at, 45 AS duration_minutes, 'offline' AS mode, NULL AS modality, NULL AS meeting_url,
        'Ruang 3' AS location, p.id AS user_id, p.nick AS name, p.mailbox AS email, NULL AS phone,
        false AS whatsapp_opt_in, NULL AS timezone, 'id' AS locale
    FROM lessons l CROSS JOIN people p";

/// All that the database's catalog says of the view.
fn view(platform: &Platform) -> Vec<String> {
    let mut lines = platform.schema();
    lines.retain(|line| line.contains(VIEW));
    assert!(!lines.is_empty());
    lines
}

/// An operator's own tables, with ids of this type, and a view over them: one lesson, and one person in it.
fn lessons(smtp: &Smtp, id: &str) -> Platform {
    let platform = Platform::empty().mail(smtp);
    platform.sql(&format!(
        "CREATE TABLE lessons (id {id} primary key, topic varchar(255), begins timestamp NULL);
         CREATE TABLE people (id {id} primary key, nick varchar(255), mailbox varchar(255));
         INSERT INTO lessons VALUES (7, 'Gamelan', '{START}');
         INSERT INTO people VALUES (3, 'Agus', 'agus@example.org');
         {OWN_VIEW};"
    ));
    platform
}

#[test]
fn an_operators_own_view_is_left_alone_and_reminders_go_to_those_it_names() {
    let smtp = Smtp::start();
    let platform = lessons(&smtp, "bigint");
    let theirs = view(&platform);
    platform.run(&["migrate"]).succeeds();
    assert_eq!(
        platform.relations(),
        ["lessons", "people", VIEW, LEDGER, LOG]
    );
    platform.send().succeeds();
    assert_eq!(smtp.mails()[0].to, ["agus@example.org"]);
    assert!(smtp.mails()[0].text().contains("Gamelan"));
    for arguments in [
        ["migrate", "--drop-view"].as_slice(),
        &["migrate"],
        &["migrate", "--uninstall", "--ledger"],
    ] {
        platform.run(arguments).succeeds();
        assert_eq!(view(&platform), theirs);
    }
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
    let start = on(
        format!("'{START}'"),
        format!("timestamp '{START}'"),
        format!("timestamp '{START}'"),
    );
    let big = |id: &str| {
        on(
            id.to_owned(),
            format!("CAST({id} AS bigint)"),
            id.to_owned(),
        )
    };
    let seven = big("7");
    let row = |user: &str, email: &str| {
        format!(
            "SELECT {seven} AS session_id, NULL AS course_id, 'Gamelan' AS session_title, 'Seni' AS course_title,
             {start} AS scheduled_at, 60 AS duration_minutes, 'online' AS mode, NULL AS modality,
             NULL AS meeting_url, NULL AS location, {user} AS user_id, 'A' AS name, '{email}' AS email,
             NULL AS phone, false AS whatsapp_opt_in, NULL AS timezone, NULL AS locale"
        )
    };
    let (nobody, agus) = (
        row(&big("NULL"), "nobody@example.org"),
        row(&big("3"), "agus@example.org"),
    );
    platform.sql(&format!("CREATE VIEW {VIEW} AS {nobody} UNION ALL {agus}"));
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
    assert_eq!(smtp.mails().len(), 1);
    assert_eq!(smtp.mails()[0].to, ["agus@example.org"]);
}

#[test]
fn a_start_with_a_zone_of_its_own_is_refused_where_the_database_would_turn_it() {
    let platform = Platform::empty();
    if platform.back_end() != BackEnd::Postgres {
        return;
    }
    let starts = format!("CAST('{START}' AS timestamptz)");
    platform.sql(&format!(
        "CREATE VIEW {VIEW} AS SELECT 7::bigint AS session_id, 1::bigint AS course_id, 'Gamelan' AS session_title,
         'Seni' AS course_title, {starts} AS scheduled_at, 60 AS duration_minutes, 'online' AS mode, NULL AS modality,
         NULL AS meeting_url, NULL AS location, 3::bigint AS user_id, 'A' AS name, 'a@example.org' AS email,
         NULL AS phone, false AS whatsapp_opt_in, NULL AS timezone, NULL AS locale"
    ));
    let refused = platform.run(&["migrate"]).exits(78);
    let said = "scheduled_at is timestamp with time zone";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
}

#[test]
fn a_text_where_a_number_belongs_is_named_where_it_could_not_be_read() {
    let platform = Platform::empty();
    if platform.back_end() != BackEnd::Mysql {
        return;
    }
    platform.sql(&format!(
        "CREATE VIEW {VIEW} AS SELECT 7 AS session_id, 1 AS course_id, 'Gamelan' AS session_title, 'Seni' AS course_title,
         '{START}' AS scheduled_at, '90 menit' AS duration_minutes, 'online' AS mode, NULL AS modality,
         NULL AS meeting_url, NULL AS location, 3 AS user_id, 'A' AS name, 'a@example.org' AS email, NULL AS phone,
         0 AS whatsapp_opt_in, NULL AS timezone, NULL AS locale"
    ));
    let refused = platform.run(&["migrate"]).exits(78);
    assert!(
        refused.stderr.contains("duration_minutes is varchar"),
        "{}",
        refused.stderr
    );
}

#[test]
fn ids_of_another_type_are_read_or_named_with_the_cure() {
    let smtp = Smtp::start();
    let platform = lessons(&smtp, "integer");
    if platform.back_end() == BackEnd::Postgres {
        let refused = platform.run(&["migrate"]).exits(78);
        let said = "user_id is integer and must be bigint";
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
        return;
    }
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
    assert_eq!(smtp.recipients(), ["agus@example.org"]);
}

//! A platform with quite different tables, and the view that docs/tables.md proposes for it.

use crate::{
    smtp::Smtp,
    support::{Platform, START},
    twilio::Twilio,
};

const GUIDE: &str = include_str!("../../docs/tables.md");

/// The example, as it stands there.
fn proposed_view() -> &'static str {
    let begin = GUIDE.find("    CREATE VIEW session_participants").unwrap();
    let view = &GUIDE[begin..];
    let end = view.find(";\n").unwrap();
    &view[..end]
}

const TABLES: &str = "
    CREATE TABLE classes (id bigint PRIMARY KEY, name varchar(100) NOT NULL);
    CREATE TABLE members (id bigint PRIMARY KEY, class_id bigint NOT NULL, name varchar(100), email varchar(100),
        mobile varchar(30), wants_whatsapp boolean NOT NULL DEFAULT false);
    CREATE TABLE lessons (id bigint PRIMARY KEY, class_id bigint NOT NULL, topic varchar(100), starts_at timestamp NULL,
        url varchar(200), cancelled boolean NOT NULL DEFAULT false);";

fn platform(smtp: &Smtp, twilio: &Twilio) -> Platform {
    let platform = Platform::empty().mail(smtp).whatsapp(twilio);
    platform.sql(TABLES);
    platform.sql(proposed_view());
    platform.sql(&format!(
        "INSERT INTO classes VALUES (1, 'Gamelan');
         INSERT INTO members VALUES (7, 1, 'Budi', 'budi@example.org', '0812 3456 7890', true),
            (8, 1, 'Siti', 'siti@example.org', NULL, false);
         INSERT INTO lessons VALUES (3, 1, 'Gong', '{START}', 'https://meet.example.org/3', false),
            (4, 1, 'Kendang', '{START}', 'https://meet.example.org/4', true);"
    ));
    platform
}

#[test]
fn the_documented_view_is_all_that_a_platform_with_other_tables_needs() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = platform(&smtp, &twilio);
    platform.run(&["migrate"]).succeeds();
    assert_eq!(
        platform.relations(),
        [
            "classes",
            "lessons",
            "members",
            "session_participants",
            "session_reminder_deliveries",
            "session_reminder_logs"
        ]
    );
    let check = platform.run(&["check"]).succeeds().stdout;
    assert!(check.contains("is your own"), "{check}");

    assert_eq!(platform.send().succeeds().complaints(), [""; 0]);
    assert_eq!(smtp.recipients(), ["budi@example.org", "siti@example.org"]);
    assert!(
        smtp.mails()[0]
            .text()
            .contains("https://meet.example.org/3")
    );
    let numbers = twilio.created().into_iter().map(|message| message.to);
    assert_eq!(numbers.collect::<Vec<_>>(), ["whatsapp:+6281234567890"]);
    assert_eq!(
        platform.ledger(),
        [
            "mail|7|sent|NULL",
            "mail|8|sent|NULL",
            "whatsapp|7|sent|NULL"
        ]
    );
    platform.send_at("2026-11-23T16:01:00+07:00").succeeds();
    assert_eq!((smtp.mails().len(), twilio.created().len()), (2, 1));
}

#[test]
fn where_there_are_no_profiles_an_opt_in_says_where_it_belongs() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = platform(&smtp, &twilio);
    platform.run(&["migrate"]).succeeds();
    let refused = platform.run(&["opt-in", "8", "--phone", "081234567891"]);
    let refused = refused.exits(78);
    assert!(
        refused
            .stderr
            .contains("where your own session_participants view reads it"),
        "{}",
        refused.stderr
    );
}

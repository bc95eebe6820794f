//! Each database server for itself, whichever database the other tests are run on: its story in short, or the word that
//! it was not tested.

use std::{
    env,
    io::{self, Write},
};

use crate::{
    servers::Server,
    support::{BackEnd, NOW, Platform, START},
};

#[test]
#[cfg_attr(
    not(feature = "postgres"),
    ignore = "built without PostgreSQL: cargo test --features full"
)]
fn postgresql() {
    story(BackEnd::Postgres);
}

#[test]
#[cfg_attr(
    not(feature = "mysql"),
    ignore = "built without MySQL: cargo test --features full"
)]
fn mysql() {
    story(BackEnd::Mysql);
}

/// Whether the server can be started here. If not it is said past the test's captured output, and a failure where
/// `REMINDERS_TEST_REQUIRE=all` asks for all of them.
pub fn is_installed(back_end: BackEnd) -> bool {
    let Some(missing) = Server::missing(back_end) else {
        return true;
    };
    let required = env::var("REMINDERS_TEST_REQUIRE").is_ok_and(|which| which == "all");
    assert!(!required, "{missing}");
    let _ = writeln!(io::stderr(), "SKIPPED {}: {missing}", back_end.name());
    false
}

/// A platform adopted, its people told once, and one of them opted in.
fn story(back_end: BackEnd) {
    if !is_installed(back_end) {
        return;
    }
    let platform = Platform::seed_on(back_end)
        .with_files()
        .set("TWILIO_WHATSAPP_FROM", "+14155550100");
    platform.session(1, START);
    platform.participants(1..=3);
    let told = || {
        platform.send().succeeds();
        let files = |folder: &str| platform.path(folder).read_dir().map_or(0, Iterator::count);
        (files("mails"), files("messages"))
    };
    assert_eq!(told(), (3, 0));
    assert_eq!(told(), (3, 0));
    platform
        .run(&["opt-in", "2", "--phone", "081234567890"])
        .succeeds();
    let planned = platform.run(&["send", "--dry-run", "--now", NOW]);
    assert!(planned.succeeds().stdout.contains("would send 1:"));
    assert_eq!(told(), (3, 1));
    assert_eq!(platform.ledger()[3], "whatsapp|2|sent|NULL");
}

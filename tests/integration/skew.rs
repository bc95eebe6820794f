//! A database server whose clock is not this host's.

use std::sync::Arc;

use crate::{
    servers::Server,
    smtp::Smtp,
    support::{BackEnd, NOW, Platform, START, on_sqlite},
};

/// A platform on a server whose clock is an hour ahead, and what to give `run_with` for that.
fn ahead(smtp: &Smtp) -> (Platform, Vec<(&'static str, String)>) {
    let server = Server::start(BackEnd::chosen());
    let platform = Platform::untouched_at(&server).migrated().mail(smtp);
    match server.back_end() {
        BackEnd::Postgres => {
            let url = own_clock(&platform, &server);
            (platform, vec![("DATABASE_URL", url)])
        }
        _ => {
            server.admin(
                "SET GLOBAL init_connect = concat('SET timestamp = ', unix_timestamp() + 3600)",
            );
            (platform, Vec::new())
        }
    }
}

/// A function that the URL's search path puts before PostgreSQL's own.
fn own_clock(platform: &Platform, server: &Arc<Server>) -> String {
    platform.sql(
        "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
         'SELECT pg_catalog.clock_timestamp() + interval ''1 hour'''",
    );
    let url = server.url(platform.database_name());
    format!("{url}?search_path=public,pg_catalog")
}

#[test]
fn a_clock_an_hour_off_is_told_by_check_and_by_a_pass_with_work_and_by_no_idle_one() {
    if on_sqlite() {
        return;
    }
    let smtp = Smtp::start();
    let (platform, environment) = ahead(&smtp);
    let environment: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let run = |arguments: &[&str]| platform.run_with(&environment, arguments).succeeds();

    let check = run(&["check"]).stdout;
    let warned = |line: &str| line.starts_with("warn") && line.contains("behind the database's");
    assert!(check.lines().any(warned), "{check}");
    assert_eq!(run(&["send"]).stderr, "");

    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    let busy = run(&["send", "--now", NOW]);
    let complaints = busy.complaints();
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(
        complaints[0].contains("behind the database's"),
        "{complaints:?}"
    );
    assert_eq!(smtp.recipients(), ["budi@example.org"]);
    let again = run(&["send", "--now", NOW]);
    assert_eq!(again.complaints(), [""; 0]);
}

#[test]
fn clocks_that_agree_are_not_worth_a_word() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    let check = platform.run(&["check"]).succeeds().stdout;
    assert!(!check.contains("the database's: set both"), "{check}");
    assert_eq!(check.contains("database's agree"), !on_sqlite(), "{check}");
}

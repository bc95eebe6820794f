//! The servers themselves.

use super::*;
use crate::{back_ends::is_installed, support::Platform};

/// Those that can be started here.
fn back_ends() -> impl Iterator<Item = BackEnd> {
    let built = [BackEnd::Postgres, BackEnd::Mysql]
        .into_iter()
        .filter(|back_end| kind(*back_end).is_some());
    built.filter(|back_end| is_installed(*back_end))
}

#[test]
fn a_database_has_the_seeds_tables_and_the_digits_that_are_written() {
    for back_end in back_ends() {
        let platform = Platform::untouched_on(back_end);
        let tables = [
            "course_sessions",
            "courses",
            "enrollments",
            "session_reminder_logs",
            "user_profiles",
            "users",
        ];
        assert_eq!(platform.relations(), tables);
        platform.course();
        platform.session(1, "2026-11-23 17:00:00");
        platform.participant(1, "O'Neil", "oneil@example.org");
        platform.opted_in(1, "081234567890");
        let row = platform.rows(
            "scheduled_at, location, duration_minutes",
            "course_sessions",
        );
        assert_eq!(row, ["2026-11-23 17:00:00|NULL|90"]);
        let profile = platform.rows("whatsapp_opt_in, address", "user_profiles");
        assert_eq!(profile, ["1|NULL"]);
        assert!(Platform::empty_on(back_end).relations().is_empty());
    }
}

#[test]
fn what_was_committed_outlives_a_stop_and_nothing_outlives_the_server() {
    for back_end in back_ends() {
        let server = Server::start(back_end);
        let platform = Platform::untouched_at(&server);
        platform.course();
        server.stop();
        assert!((server.kind.run)(&server.url(platform.database_name()), "SELECT 1").is_err());
        server.restart();
        assert_eq!(platform.rows("title", "courses"), ["Matematika Dasar"]);

        let (port, folder) = (server.port(), server.keeper.lock().unwrap().folder.clone());
        assert!(folder.exists());
        drop((platform, server));
        assert!(!folder.exists());
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
    }
}

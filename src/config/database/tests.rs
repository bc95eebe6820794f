use std::path::Path;

use super::*;
use crate::config::testing::environment;

mod server;
mod sources;
mod tls;

/// The database of that `.env` under those real variables, relative to the folder, or all problems, a line each.
pub fn database(env_file: &str, real: &[(&str, &str)]) -> Result<Database, String> {
    let (folder, environment) = environment(env_file, real);
    let mut reader = Reader::new(&environment);
    let database = read(&mut reader);
    let problems = reader.into_problems();
    match database {
        Some(Database::Sqlite(path)) if problems.is_empty() => {
            let path = path.strip_prefix(folder.path()).unwrap_or(&path);
            Ok(Database::Sqlite(path.to_owned()))
        }
        Some(database) if problems.is_empty() => Ok(database),
        _ => {
            let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
            assert!(!lines.is_empty(), "no database and no problem: {env_file}");
            Err(lines.join("\n"))
        }
    }
}

fn read_from(env_file: &str, real: &[(&str, &str)]) -> Result<PathBuf, String> {
    match database(env_file, real)? {
        Database::Sqlite(path) => Ok(path),
        server => Err(server.describe()),
    }
}

fn file(env_file: &str) -> PathBuf {
    read_from(env_file, &[]).unwrap()
}

pub fn error(env_file: &str) -> String {
    database(env_file, &[]).unwrap_err()
}

#[test]
fn without_a_word_it_is_laravels_file() {
    assert_eq!(file(""), Path::new(DEFAULT_FILE));
    assert_eq!(
        file("DB_CONNECTION=sqlite\nDB_DATABASE="),
        Path::new(DEFAULT_FILE)
    );
}

#[test]
fn every_spelling_of_a_file_is_understood() {
    let spellings = [
        ("DATABASE_URL=sqlite:///srv/my%20lms.db", "/srv/my lms.db"),
        ("DATABASE_URL=sqlite:data/lms.db?mode=rw", "data/lms.db"),
        ("DB_URL=sqlite://data/lms.db", "data/lms.db"),
        ("DATABASE_URL=/srv/lms.db", "/srv/lms.db"),
        ("DATABASE_URL=lms.db", "lms.db"),
        ("DB_DATABASE=/srv/lms.db", "/srv/lms.db"),
        (
            "DB_CONNECTION=sqlite\nDB_DATABASE=lms.db\nDB_URL=null",
            "lms.db",
        ),
    ];
    for (text, path) in spellings {
        assert_eq!(file(text), Path::new(path), "{text}");
    }
}

#[test]
fn two_names_for_one_database_are_no_conflict() {
    let text =
        "DB_CONNECTION=sqlite\nDB_DATABASE=./lms.db\nDATABASE_URL=sqlite:lms.db\nDB_URL=lms.db";
    assert_eq!(file(text), Path::new("lms.db"));
    assert_eq!(
        file("DB_CONNECTION=sqlite\nDB_URL=lms.db"),
        Path::new("lms.db")
    );
}

#[test]
fn two_databases_in_one_file_are_a_conflict() {
    let cure = "names another database than DATABASE_URL does: keep one of the two";
    assert_eq!(
        error("DATABASE_URL=a.db\nDB_URL=b.db"),
        format!("DB_URL: {cure}")
    );
    assert_eq!(
        error("DATABASE_URL=a.db\nDB_DATABASE=b.db"),
        format!("DB_DATABASE: {cure}")
    );
    assert_eq!(
        error("DATABASE_URL=a.db\nDB_CONNECTION=mysql"),
        format!("DB_CONNECTION: {cure}")
    );
}

#[test]
fn the_real_environment_decides_over_a_file() {
    let real = [("DATABASE_URL", "sqlite:///srv/copy.db")];
    assert_eq!(
        read_from("DB_CONNECTION=mysql\nDB_DATABASE=lms", &real).unwrap(),
        Path::new("/srv/copy.db")
    );
}

#[test]
fn the_nearest_file_decides_over_a_server() {
    let real = [("DB_CONNECTION", "sqlite"), ("DB_DATABASE", "/srv/copy.db")];
    let database = database("DB_URL=mysql://lms:hunter2@db/lms\nDB_HOST=db", &real);
    assert_eq!(database, Ok(Database::Sqlite("/srv/copy.db".into())));
}

#[test]
fn what_is_no_known_kind_is_refused_without_its_password() {
    for text in [
        "DATABASE_URL=\"mysql:host=db;password=hunter2\"",
        "DATABASE_URL=\"lms:hunter2@db:3306/lms\"",
        "DATABASE_URL=\"u:hunter2@db\"",
        "DB_URL=mongodb://lms:hunter2@db/lms",
        "DB_CONNECTION=sqlsrv\nDB_PASSWORD=hunter2",
    ] {
        let line = error(text);
        assert!(
            !line.contains("hunter2") && line.contains("mysql://"),
            "{line}"
        );
    }
    assert!(error("DB_URL=mongodb://lms@db").starts_with("DB_URL is \"mongodb://…\": "));
    let line = error("DB_CONNECTION=sqlsrv");
    assert!(
        line.starts_with(
            "DB_CONNECTION is \"sqlsrv\": the database may be sqlite, pgsql, mysql or mariadb"
        ),
        "{line}"
    );
}

#[test]
fn what_is_no_file_is_refused() {
    for text in [
        "DB_DATABASE=:memory:",
        "DATABASE_URL=sqlite::memory:",
        "DATABASE_URL=sqlite:",
        "DATABASE_URL=sqlite:%ff",
        "DATABASE_URL=sqlite:a%00b",
    ] {
        assert!(error(text).contains("DB_DATABASE to its file"), "{text}");
    }
}

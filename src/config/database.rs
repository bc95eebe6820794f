use std::path::PathBuf;

use super::{address, reader::Reader, secret::Secret};

/// Laravel's own default, in the project's folder.
const DEFAULT_FILE: &str = "database/database.sqlite";
const GIVE_A_FILE: &str = "set DB_CONNECTION=sqlite and DB_DATABASE to its file, or DATABASE_URL=sqlite:///path/of/the/file";

/// Where the platform's data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// An absolute path (if the working directory is). Whether the file exists is not known yet.
    Sqlite(PathBuf),
    Postgres(Server),
    /// MySQL and MariaDB.
    Mysql(Server),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub socket: Option<PathBuf>,
    pub database: String,
    pub username: String,
    pub password: Option<Secret>,
    pub search_path: Option<String>,
    pub tls: Tls,
}
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    pub mode: TlsMode,
    pub ca: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TlsMode {
    Disable,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}
impl Database {
    pub fn describe(&self) -> String {
        String::new()
    }
}

/// What one way of naming the database says, and how near it stands.
struct Choice {
    variable: &'static str,
    nearness: usize,
    named: Named,
}

#[derive(PartialEq, Eq)]
enum Named {
    /// `None`: `DB_CONNECTION=sqlite` alone, which every SQLite file agrees with.
    Sqlite(Option<PathBuf>),
    /// A database server, by Laravel's name for its kind.
    Server(&'static str),
    Unknown(String),
}

/// Reads `DATABASE_URL`, `DB_URL` or `DB_CONNECTION` with `DB_DATABASE`. The nearest source decides alone; two names
/// for different databases in one source are a problem, since either may be the mistake. `None` is such a problem.
pub fn read(reader: &mut Reader) -> Option<Database> {
    let all = [
        by_url(reader, "DATABASE_URL"),
        by_url(reader, "DB_URL"),
        by_keys(reader),
    ];
    let choices: Vec<Choice> = all.into_iter().flatten().collect();
    let Some(first) = choices.iter().min_by_key(|choice| choice.nearness) else {
        return Some(default_file(reader));
    };
    let beside =
        |other: &&Choice| other.nearness == first.nearness && !agree(&first.named, &other.named);
    if let Some(other) = choices.iter().find(beside) {
        let cure = format!(
            "names another database than {} does: keep one of the two",
            first.variable
        );
        reader.complain(other.variable, None, cure);
        return None;
    }
    match &first.named {
        Named::Sqlite(Some(path)) => return Some(Database::Sqlite(path.clone())),
        Named::Sqlite(None) => return Some(default_file(reader)),
        Named::Server(kind) => {
            let cure = format!(
                "names a {kind} database, but this build serves SQLite only: {GIVE_A_FILE}"
            );
            reader.complain(first.variable, None, cure);
        }
        Named::Unknown(text) => reader.complain(first.variable, Some(text), GIVE_A_FILE),
    }
    None
}

fn default_file(reader: &Reader) -> Database {
    Database::Sqlite(reader.environment().project.join(DEFAULT_FILE))
}

fn agree(a: &Named, b: &Named) -> bool {
    a == b || matches!((a, b), (Named::Sqlite(_), Named::Sqlite(None)))
}

fn by_url(reader: &mut Reader, variable: &'static str) -> Option<Choice> {
    let url = reader.secret(variable)?;
    let nearness = reader.secret_nearness(variable)?;
    let text = url.expose().trim();
    let named = match text.split_once(':') {
        Some(("sqlite" | "sqlite3", rest)) => sqlite_url(reader, variable, rest),
        Some((scheme, rest)) if rest.starts_with("//") => server(scheme),
        // A DSN of PDO's, or an address without its scheme: neither is a file, and either may hold a password.
        Some((scheme, _)) if scheme.len() > 1 && scheme.chars().all(char::is_alphanumeric) => {
            server(scheme)
        }
        _ if text.contains('@') => server("a server"),
        _ => sqlite_file(reader, variable, text),
    };
    Some(Choice {
        variable,
        nearness,
        named,
    })
}

/// `///absolute`, `relative` or `//relative`, percent-encoded, before an optional `?query`.
fn sqlite_url(reader: &Reader, variable: &str, rest: &str) -> Named {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let path = path.split('?').next().unwrap_or_default();
    match address::percent_decoded(path) {
        Some(path) => sqlite_file(reader, variable, &path),
        None => Named::Unknown(rest.to_owned()),
    }
}

/// Nothing in memory: it would be empty in every pass.
fn sqlite_file(reader: &Reader, variable: &str, path: &str) -> Named {
    if path.is_empty()
        || path.contains('\0')
        || path.contains(":memory:")
        || path.starts_with("file:")
    {
        return Named::Unknown(path.to_owned());
    }
    Named::Sqlite(Some(reader.environment().resolve(variable, path)))
}

/// The kinds and their aliases are those of Laravel's ConfigurationUrlParser. What else it may be is not repeated:
/// there may be a password in it.
fn server(scheme: &str) -> Named {
    match scheme {
        "pgsql" | "postgres" | "postgresql" => Named::Server("PostgreSQL"),
        "mysql" | "mysql2" => Named::Server("MySQL"),
        "mariadb" => Named::Server("MariaDB"),
        "sqlsrv" | "mssql" => Named::Server("SQL Server"),
        other => Named::Unknown(format!("{other}://…")),
    }
}

fn by_keys(reader: &Reader) -> Option<Choice> {
    let (connection, database) = ("DB_CONNECTION", "DB_DATABASE");
    let nearness = [connection, database]
        .iter()
        .filter_map(|name| reader.environment().nearness(name))
        .min()?;
    let file = reader.text(database);
    let (variable, named) = match (reader.text(connection).as_deref(), file) {
        (None | Some("sqlite"), Some(file)) => (database, sqlite_file(reader, database, &file)),
        (None | Some("sqlite"), None) => (connection, Named::Sqlite(None)),
        (Some(kind), _) => (connection, server(kind)),
    };
    Some(Choice {
        variable,
        nearness,
        named,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::testing::environment;

    fn read_from(env_file: &str, real: &[(&str, &str)]) -> Result<PathBuf, String> {
        let (folder, environment) = environment(env_file, real);
        let mut reader = Reader::new(&environment);
        match read(&mut reader) {
            Some(Database::Sqlite(path)) => {
                Ok(path.strip_prefix(folder.path()).unwrap_or(&path).to_owned())
            }
            Some(_) => todo!(),
            None => Err(reader.into_problems()[0].to_string()),
        }
    }

    fn file(env_file: &str) -> PathBuf {
        read_from(env_file, &[]).unwrap()
    }

    fn error(env_file: &str) -> String {
        read_from(env_file, &[]).unwrap_err()
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
    fn servers_are_refused_by_kind_and_without_their_passwords() {
        let only = "this build serves SQLite only";
        for dsn in [
            "mysql:host=db;password=hunter2",
            "lms:hunter2@db:3306/lms",
            "u:hunter2@db",
        ] {
            let line = error(&format!("DATABASE_URL=\"{dsn}\""));
            assert!(!line.contains("hunter2"), "{line}");
        }
        let line = error("DATABASE_URL=postgres://lms:hunter2@db/lms");
        assert!(
            line.contains("names a PostgreSQL database")
                && line.contains(only)
                && !line.contains("hunter2"),
            "{line}"
        );
        assert!(
            error("DB_CONNECTION=mariadb\nDB_PASSWORD=hunter2")
                .contains("names a MariaDB database")
        );
        let line = error("DB_URL=mongodb://lms:hunter2@db/lms");
        assert!(
            line.starts_with("DB_URL is \"mongodb://…\"") && !line.contains("hunter2"),
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
}

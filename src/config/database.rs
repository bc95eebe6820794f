use std::path::PathBuf;

use self::{choice::Named, server::Kind};
use super::{reader::Reader, secret::Secret};

mod choice;
mod keys;
mod server;
#[cfg(test)]
mod tests;
mod tls;
mod url;

/// Laravel's own default, in the project's folder.
const DEFAULT_FILE: &str = "database/database.sqlite";

/// Where the platform's data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// An absolute path (if the working directory is). Whether the file exists is not known yet.
    Sqlite(PathBuf),
    Postgres(Server),
    /// MySQL and MariaDB, which speak one language.
    Mysql(Server),
}

/// A database server and what it asks for. Nothing here has been tried yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// A name or an IP address without brackets; for PostgreSQL a path that begins with `/` is the folder of a Unix
    /// socket.
    pub host: String,
    pub port: u16,
    /// MySQL's Unix socket: wins over host and port, as in Laravel.
    pub socket: Option<PathBuf>,
    /// Never empty; without control characters, as is the user's name.
    pub database: String,
    pub username: String,
    /// As it was meant, never empty: no encoding is left, and no NUL is in it.
    pub password: Option<Secret>,
    /// PostgreSQL's list of schemas, as it was written; `None` leaves it to the server.
    pub search_path: Option<String>,
    pub tls: Tls,
}

/// How the connection to a database server is protected. The files could be read when the settings were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    pub mode: TlsMode,
    /// The root certificates (PEM) that the server's own must go back to.
    pub ca: Option<PathBuf>,
    /// What this client shows to the server, with its private key.
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

/// Each promises more than the one before. The names are PostgreSQL's; MySQL calls the last `VERIFY_IDENTITY`, and its
/// libraries cannot be made to keep it here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TlsMode {
    Disable,
    /// Encrypted if the server can.
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Database {
    /// The kind and place without any secret: `PostgreSQL lms at db.example.org:5432`, `SQLite /path`.
    pub fn describe(&self) -> String {
        match self {
            Database::Sqlite(path) => format!("SQLite {}", path.display()),
            Database::Postgres(server) => format!("PostgreSQL {}", server.describe()),
            Database::Mysql(server) => format!("MySQL {}", server.describe()),
        }
    }
}

/// Reads `DATABASE_URL`, `DB_URL` or `DB_CONNECTION` with the other `DB_` variables. The nearest source decides alone;
/// two names for different databases in one source are a problem, since either may be the mistake. `None` is such a
/// problem.
pub fn read(reader: &mut Reader) -> Option<Database> {
    let chosen = choice::read(reader)?;
    match chosen.named {
        Named::Sqlite(path) => {
            Some(Database::Sqlite(path.unwrap_or_else(|| {
                reader.environment().project.join(DEFAULT_FILE)
            })))
        }
        Named::Server(kind, parts) => {
            let server = server::read(reader, kind, chosen.source, parts)?;
            Some(match kind {
                Kind::Postgres => Database::Postgres(server),
                Kind::Mysql => Database::Mysql(server),
            })
        }
        Named::Broken { holds, cure } => {
            reader.complain(chosen.source.variable, holds.as_deref(), cure);
            None
        }
    }
}

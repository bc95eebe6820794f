use std::path::PathBuf;

use super::{
    Server,
    choice::Source,
    keys::{DATABASE, Keys},
    tls,
    url::Parts,
};
use crate::config::{reader::Reader, secret::Secret};

/// As Laravel.
const DEFAULT_HOST: &str = "127.0.0.1";
const DEFAULT_USER: &str = "root";

/// What the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Postgres,
    Mysql,
}

impl Kind {
    /// By a name of Laravel's for the connection or by the scheme of a URL. The aliases are those of Laravel's
    /// ConfigurationUrlParser.
    pub fn of(name: &str) -> Option<Kind> {
        match name {
            "pgsql" | "postgres" | "postgresql" => Some(Kind::Postgres),
            "mysql" | "mysql2" | "mariadb" => Some(Kind::Mysql),
            _ => None,
        }
    }

    pub fn scheme(self) -> &'static str {
        match self {
            Kind::Postgres => "postgres",
            Kind::Mysql => "mysql",
        }
    }

    pub fn port(self) -> u16 {
        match self {
            Kind::Postgres => 5432,
            Kind::Mysql => 3306,
        }
    }
}

impl Server {
    /// `lms at db.example.org:5432`, the socket in place of the host where there is one.
    pub fn describe(&self) -> String {
        let place = match &self.socket {
            Some(socket) => socket.display().to_string(),
            None if self.host.contains(':') => format!("[{}]:{}", self.host, self.port),
            None => format!("{}:{}", self.host, self.port),
        };
        format!("{} at {place}", self.database)
    }
}

/// The server that a URL's parts name, completed by the `DB_` variables as in Laravel: what the URL says wins. Without
/// a URL they say all. `None` is a problem.
pub fn read(reader: &mut Reader, kind: Kind, source: Source, parts: Parts) -> Option<Server> {
    // Those of another kind of database are meant for that one.
    let keys_count = Keys::are_of(reader, kind);
    let mut keys = if keys_count {
        Keys::read(reader, kind)
    } else {
        Keys::default()
    };
    if source.is_url {
        keys = keys.beside(reader, &source, &parts);
    }
    let tls = tls::read(reader, kind, &source, &parts, keys_count);
    let socket = socket(reader, kind, &source, &parts, keys.socket);
    let search_path = search_path(kind, &parts);
    let database = parts.database.or(keys.database);
    if database.is_none() {
        complain_of_no_database(reader, kind, &source);
    }
    Some(Server {
        host: parts
            .host
            .or(keys.host)
            .unwrap_or_else(|| DEFAULT_HOST.to_owned()),
        port: parts.port.or(keys.port).unwrap_or(kind.port()),
        socket,
        database: database?,
        username: parts
            .username
            .or(keys.username)
            .unwrap_or_else(|| DEFAULT_USER.to_owned()),
        password: parts.password.or(keys.password).filter(is_set),
        search_path,
        tls,
    })
}

fn is_set(secret: &Secret) -> bool {
    !secret.expose().is_empty()
}

/// PostgreSQL's has no variable of its own: it is a host that begins with `/`. Such a host is none for MySQL.
fn socket(
    reader: &mut Reader,
    kind: Kind,
    source: &Source,
    parts: &Parts,
    of_keys: Option<PathBuf>,
) -> Option<PathBuf> {
    if kind == Kind::Postgres {
        return None;
    }
    if parts
        .host
        .as_ref()
        .is_some_and(|host| host.starts_with('/'))
    {
        let cure =
            "give the file of a Unix socket as mysql:///database?unix_socket=/path/of/the/socket";
        reader.complain(source.variable, None, cure);
    }
    let path = parts.parameter("unix_socket");
    path.map(|path| reader.environment().resolve(source.variable, path))
        .or(of_keys)
}

/// As Laravel's connector: `search_path`, else its older name. (The one that Laravel writes into `config/database.php`
/// is not an environment variable.)
fn search_path(kind: Kind, parts: &Parts) -> Option<String> {
    let named = parts.parameter("search_path").or(parts.parameter("schema"));
    named.filter(|_| kind == Kind::Postgres).map(str::to_owned)
}

fn complain_of_no_database(reader: &mut Reader, kind: Kind, source: &Source) {
    if source.is_url {
        let cure = format!(
            "name the database: {}://user:password@host/database",
            kind.scheme()
        );
        reader.complain(source.variable, None, cure);
    } else {
        reader.complain(
            DATABASE,
            None,
            "is not set: name the database on the server",
        );
    }
}

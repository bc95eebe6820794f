//! Laravel's single variables for a database server, which stand alone or complete a URL.

use std::path::PathBuf;

use super::{
    choice::{self, Source},
    server::Kind,
    url::{self, Parts},
};
use crate::config::{address, reader::Reader, secret::Secret};

pub const CONNECTION: &str = "DB_CONNECTION";
pub const DATABASE: &str = "DB_DATABASE";
const HOST: &str = "DB_HOST";
const PORT: &str = "DB_PORT";
const SOCKET: &str = "DB_SOCKET";
const USERNAME: &str = "DB_USERNAME";
const PASSWORD: &str = "DB_PASSWORD";

/// What they say; a part of another kind of database than the one that is asked for is not among them.
#[derive(Default)]
pub struct Keys {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub socket: Option<PathBuf>,
    pub database: Option<String>,
    pub username: Option<String>,
    pub password: Option<Secret>,
}

impl Keys {
    /// Whether they speak of this kind of server: `DB_CONNECTION` names it, or nothing.
    pub fn are_of(reader: &Reader, kind: Kind) -> bool {
        let connection = reader.text(CONNECTION);
        connection.is_none_or(|text| Kind::of(&text) == Some(kind))
    }

    pub fn read(reader: &mut Reader, kind: Kind) -> Keys {
        Keys {
            host: host(reader, kind),
            port: port(reader),
            socket: reader.path(SOCKET).filter(|_| kind == Kind::Mysql),
            database: name(reader, DATABASE),
            username: name(reader, USERNAME),
            password: password(reader),
        }
    }

    /// What they add to a URL's place. The nearest source decides alone: of those that are set further away than the
    /// URL, none may lead to another server than it names. Those that are not are a problem where they would.
    pub fn beside(mut self, reader: &mut Reader, source: &Source, parts: &Parts) -> Keys {
        let named = parts.host.is_some() || parts.parameter("unix_socket").is_some();
        let further = |reader: &Reader, name| {
            let nearness = reader.environment().nearness(name);
            nearness.is_some_and(|nearness| nearness > source.nearness)
        };
        self.complain_of_others(reader, source, parts);
        if named {
            self.host = None;
            self.socket = self.socket.filter(|_| !further(reader, SOCKET));
            self.port = self.port.filter(|_| !further(reader, PORT));
        }
        self
    }

    fn complain_of_others(&self, reader: &mut Reader, source: &Source, parts: &Parts) {
        let socket = self.socket.as_ref().map(|path| path.to_string_lossy());
        let other = [
            (
                HOST,
                differ(&self.host, &parts.host, |a, b| !url::same_host(a, b)),
            ),
            (PORT, differ(&self.port, &parts.port, |a, b| a != b)),
            (
                DATABASE,
                differ(&self.database, &parts.database, |a, b| a != b),
            ),
            (
                SOCKET,
                socket.is_some_and(|path| is_elsewhere(&path, parts)),
            ),
        ];
        for (variable, _) in other.into_iter().filter(|(_, differs)| *differs) {
            let nearness = reader.environment().nearness(variable);
            if nearness.is_some_and(|nearness| nearness <= source.nearness) {
                choice::complain_of_two(reader, variable, source);
            }
        }
    }
}

fn differ<T>(a: &Option<T>, b: &Option<T>, differ: impl FnOnce(&T, &T) -> bool) -> bool {
    a.as_ref()
        .zip(b.as_ref())
        .is_some_and(|(a, b)| differ(a, b))
}

/// Whether the URL leads elsewhere than this socket: MySQL's `localhost` is what a socket belongs to.
fn is_elsewhere(socket: &str, parts: &Parts) -> bool {
    match (parts.parameter("unix_socket"), &parts.host) {
        (Some(path), _) => path != socket,
        (None, Some(host)) => !address::is_loopback(host),
        (None, None) => false,
    }
}

fn host(reader: &mut Reader, kind: Kind) -> Option<String> {
    let cure = match kind {
        Kind::Postgres => {
            "give the server's name or IP address alone, or the folder of its Unix socket"
        }
        Kind::Mysql => {
            "give the server's name or IP address alone; the file of its Unix socket goes into DB_SOCKET"
        }
    };
    reader.parsed(HOST, cure, |text| {
        let is_folder = kind == Kind::Postgres && is_path(text);
        is_folder
            .then(|| text.to_owned())
            .or_else(|| address::host(text))
    })
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.contains(char::is_control)
}

fn port(reader: &mut Reader) -> Option<u16> {
    reader.parsed(PORT, "give a port number from 1 to 65535", |text| {
        text.parse().ok().filter(|&port| port > 0)
    })
}

fn name(reader: &mut Reader, variable: &str) -> Option<String> {
    let text = reader.text(variable)?;
    if text.contains(char::is_control) {
        let cure = "give a name without line breaks and other control characters";
        reader.complain(variable, Some(&text), cure);
    }
    Some(text)
}

/// A NUL would silently end it.
fn password(reader: &mut Reader) -> Option<Secret> {
    let password = reader.secret(PASSWORD)?;
    if password.expose().contains('\0') {
        reader.complain(PASSWORD, None, "there is a NUL in it: give it without");
    }
    Some(password)
}

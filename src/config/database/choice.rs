//! Which of the variables that may name the database decides.

use std::path::PathBuf;

use super::{
    keys::{CONNECTION, DATABASE},
    server::Kind,
    url::Parts,
};
use crate::config::{address, reader::Reader};

const GIVE_A_FILE: &str = "set DB_CONNECTION=sqlite and DB_DATABASE to its file, or DATABASE_URL=sqlite:///path/of/the/file";
const GIVE_A_KIND: &str = "the database may be sqlite, pgsql, mysql or mariadb in DB_CONNECTION, or DATABASE_URL=sqlite:///path, \
    postgres://user:password@host/database or mysql://user:password@host/database";

/// What one way of naming the database says.
pub struct Choice {
    pub source: Source,
    pub named: Named,
}

/// Which variable names the database, and where it is set.
#[derive(Clone, Copy)]
pub struct Source {
    pub variable: &'static str,
    /// As `Environment::nearness`.
    pub nearness: usize,
    /// Whether the variable holds a URL, which the `DB_` variables complete.
    pub is_url: bool,
}

pub enum Named {
    /// `None`: `DB_CONNECTION=sqlite` alone, which every SQLite file agrees with.
    Sqlite(Option<PathBuf>),
    /// A database server; no part comes from the `DB_` variables yet.
    Server(Kind, Parts),
    Broken {
        holds: Option<String>,
        cure: String,
    },
}

/// The nearest choice, Laravel's default file where there is none. `None` is a problem.
pub fn read(reader: &mut Reader) -> Option<Choice> {
    let urls = [by_url(reader, "DATABASE_URL"), by_url(reader, "DB_URL")];
    let mut choices: Vec<Choice> = urls.into_iter().flatten().collect();
    let nearest = choices.iter().min_by_key(|choice| choice.source.nearness);
    let completes = nearest.is_some_and(|url| completes(reader, url));
    choices.extend(by_keys(reader).filter(|_| !completes));
    let Some(first) = (0..choices.len()).min_by_key(|&index| choices[index].source.nearness) else {
        return Some(default());
    };
    let first = choices.remove(first);
    match choices.iter().find(|other| contradicts(&first, other)) {
        Some(other) => {
            complain_of_two(reader, other.source.variable, &first.source);
            None
        }
        None => Some(first),
    }
}

fn default() -> Choice {
    let source = Source {
        variable: CONNECTION,
        nearness: 0,
        is_url: false,
    };
    Choice {
        source,
        named: Named::Sqlite(None),
    }
}

/// Says that `variable` and the source of the choice disagree.
pub fn complain_of_two(reader: &mut Reader, variable: &str, source: &Source) {
    let cure = format!(
        "names another database than {} does: keep one of the two",
        source.variable
    );
    reader.complain(variable, None, cure);
}

fn contradicts(first: &Choice, other: &Choice) -> bool {
    let agree = match (&first.named, &other.named) {
        (Named::Sqlite(a), Named::Sqlite(b)) => b.is_none() || a == b,
        (Named::Server(kind, a), Named::Server(other, b)) => {
            kind == other && a.may_be_same_place(b, *kind)
        }
        // It is told by itself.
        (Named::Broken { .. }, _) => true,
        _ => false,
    };
    other.source.nearness == first.source.nearness && !agree
}

/// Whether the `DB_` variables only add to the URL of a server, as in Laravel: they name no other kind, and do not name
/// a whole database nearer than the URL does.
fn completes(reader: &Reader, url: &Choice) -> bool {
    let Named::Server(kind, _) = url.named else {
        return false;
    };
    let nearer = |name| {
        let nearness = reader.environment().nearness(name);
        nearness.is_some_and(|nearness| nearness < url.source.nearness)
    };
    let connection = reader.text(CONNECTION);
    let same_kind = connection.is_none_or(|text| Kind::of(&text) == Some(kind));
    same_kind && !(nearer(CONNECTION) && nearer(DATABASE))
}

fn by_url(reader: &mut Reader, variable: &'static str) -> Option<Choice> {
    let url = reader.secret(variable)?;
    let source = Source {
        variable,
        nearness: reader.secret_nearness(variable)?,
        is_url: true,
    };
    let text = url.expose().trim();
    let named = match text.split_once(':') {
        Some(("sqlite" | "sqlite3", rest)) => sqlite_url(reader, variable, rest),
        Some((scheme, rest)) if rest.starts_with("//") => server_url(scheme, rest),
        // A DSN of PDO's, or an address without its scheme: neither is a file, and either may hold a password.
        Some((scheme, rest)) if scheme.len() > 1 && scheme.chars().all(char::is_alphanumeric) => {
            server_url(scheme, rest)
        }
        _ if text.contains('@') => unknown("a server://…"),
        _ => sqlite_file(reader, variable, text),
    };
    Some(Choice { source, named })
}

/// What else the scheme may be is shown alone: there may be a password in the rest.
fn server_url(scheme: &str, rest: &str) -> Named {
    let Some(kind) = Kind::of(&scheme.to_ascii_lowercase()) else {
        return unknown(&format!("{scheme}://…"));
    };
    match Parts::parse(rest) {
        Some(parts) => Named::Server(kind, parts),
        None => Named::Broken {
            holds: None,
            cure: format!(
                "give {}://user:password@host:port/database, with special characters percent-encoded \
                (%40 for @, %3A for :, %2F for /, %3F for ?, %23 for #, %25 for %)",
                kind.scheme()
            ),
        },
    }
}

/// `///absolute`, `relative` or `//relative`, percent-encoded, before an optional `?query`.
fn sqlite_url(reader: &Reader, variable: &str, rest: &str) -> Named {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let path = path.split('?').next().unwrap_or_default();
    match address::percent_decoded(path) {
        Some(path) => sqlite_file(reader, variable, &path),
        None => no_file(rest),
    }
}

/// Nothing in memory: it would be empty in every pass.
fn sqlite_file(reader: &Reader, variable: &str, path: &str) -> Named {
    if path.is_empty()
        || path.contains('\0')
        || path.contains(":memory:")
        || path.starts_with("file:")
    {
        return no_file(path);
    }
    Named::Sqlite(Some(reader.environment().resolve(variable, path)))
}

fn no_file(text: &str) -> Named {
    Named::Broken {
        holds: Some(text.to_owned()),
        cure: GIVE_A_FILE.to_owned(),
    }
}

fn unknown(text: &str) -> Named {
    Named::Broken {
        holds: Some(text.to_owned()),
        cure: GIVE_A_KIND.to_owned(),
    }
}

fn by_keys(reader: &Reader) -> Option<Choice> {
    let nearness = [CONNECTION, DATABASE]
        .iter()
        .filter_map(|name| reader.environment().nearness(name))
        .min()?;
    let file = reader.text(DATABASE);
    let (variable, named) = match (reader.text(CONNECTION).as_deref(), file) {
        (None | Some("sqlite"), Some(file)) => (DATABASE, sqlite_file(reader, DATABASE, &file)),
        (None | Some("sqlite"), None) => (CONNECTION, Named::Sqlite(None)),
        (Some(kind), _) => (CONNECTION, by_kind(kind)),
    };
    let source = Source {
        variable,
        nearness,
        is_url: false,
    };
    Some(Choice { source, named })
}

fn by_kind(text: &str) -> Named {
    match Kind::of(text) {
        Some(kind) => Named::Server(kind, Parts::default()),
        None => unknown(text),
    }
}

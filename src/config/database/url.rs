use super::server::Kind;
use crate::config::{address, secret::Secret};

/// The parts of a server's URL, `//user:password@host:port/database?name=value`. Each may be missing.
#[derive(Default)]
pub struct Parts {
    /// Without brackets; what begins with `/` is a folder or file.
    pub host: Option<String>,
    pub port: Option<u16>,
    pub database: Option<String>,
    pub username: Option<String>,
    /// Empty where the URL says so.
    pub password: Option<Secret>,
    /// The parameters that are none of these.
    parameters: Vec<(String, String)>,
}

impl Parts {
    /// Reads what follows the colon of the scheme, percent-encoded or not (RFC 3986 where it is). `None` where it is no
    /// URL, or one that could be read in two ways: what is cut out of an unencoded password by mistake must not be
    /// used.
    pub fn parse(rest: &str) -> Option<Parts> {
        let rest = rest.strip_prefix("//")?;
        let ends = rest.match_indices('@').map(|(end, _)| Some(end));
        let mut readings = std::iter::once(None)
            .chain(ends)
            .filter_map(|end| Parts::reading(rest, end));
        let only = readings.next()?;
        readings.next().is_none().then_some(only)
    }

    /// The URL, if its user and password end at the byte `login_ends`.
    fn reading(rest: &str, login_ends: Option<usize>) -> Option<Parts> {
        let (login, place) = match login_ends {
            Some(end) => (rest.get(..end)?, rest.get(end + 1..)?),
            None => ("", rest),
        };
        let mut parts = Parts::default();
        parts.read_login(login)?;
        let (place, query) = place.split_once('?').unwrap_or((place, ""));
        let (authority, database) = place.split_once('/').unwrap_or((place, ""));
        parts.read_authority(authority)?;
        if database.contains(['/', '@', '#', '?']) {
            return None;
        }
        parts.database = name(database)?;
        parts.read_query(query)?;
        Some(parts)
    }

    /// The password is everything after the first colon, whatever is in it.
    fn read_login(&mut self, login: &str) -> Option<()> {
        let (username, password) = match login.split_once(':') {
            Some((username, password)) => (username, Some(password)),
            None => (login, None),
        };
        if username.contains(['/', '?', '#']) {
            return None;
        }
        self.username = name(username)?;
        self.password = match password {
            Some(password) => Some(secret(password)?),
            None => None,
        };
        Some(())
    }

    fn read_authority(&mut self, authority: &str) -> Option<()> {
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                address.parse::<std::net::Ipv6Addr>().ok()?;
                let port = port.strip_prefix(':').or(port.is_empty().then_some(""));
                (address, port?)
            }
            None => authority.split_once(':').unwrap_or((authority, "")),
        };
        self.host = some_host(host)?;
        self.port = some_port(port)?;
        Some(())
    }

    /// What Laravel and PostgreSQL let parameters say of the server wins over the rest of the URL.
    fn read_query(&mut self, query: &str) -> Option<()> {
        if query.contains('#') {
            return None;
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (parameter, raw) = pair.split_once('=').unwrap_or((pair, ""));
            let is_word = |c: char| c.is_ascii_alphanumeric() || "_-.[]".contains(c);
            if parameter.is_empty() || !parameter.chars().all(is_word) {
                return None;
            }
            self.read_parameter(parameter, raw)?;
        }
        Some(())
    }

    fn read_parameter(&mut self, parameter: &str, raw: &str) -> Option<()> {
        match parameter {
            _ if raw.is_empty() => {}
            "host" => self.host = some_host(raw)?,
            "port" => self.port = some_port(raw)?,
            "database" | "dbname" => self.database = name(raw)?,
            "username" | "user" => self.username = name(raw)?,
            "password" => self.password = Some(secret(raw)?),
            _ => {
                let value = name(raw)?.unwrap_or_default();
                self.parameters.push((parameter.to_owned(), value));
            }
        }
        Some(())
    }

    /// The names of the other parameters.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().map(|(name, _)| name.as_str())
    }

    /// The value of one of them; of several the last, as in PHP.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut found = self.parameters.iter().rev().filter(|(n, _)| n == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// Whether what both say of host, port, database and socket is the same.
    pub fn may_be_same_place(&self, other: &Parts, kind: Kind) -> bool {
        let port = |parts: &Parts| {
            parts
                .host
                .is_some()
                .then(|| parts.port.unwrap_or(kind.port()))
        };
        let equal = |name| same(self.parameter(name), other.parameter(name), |a, b| a == b);
        same(self.host.as_deref(), other.host.as_deref(), same_host)
            && same(port(self), port(other), |a, b| a == b)
            && same(
                self.database.as_deref(),
                other.database.as_deref(),
                |a, b| a == b,
            )
            && ["unix_socket", "search_path", "schema"]
                .into_iter()
                .all(equal)
    }
}

/// Names and addresses of one host, as far as that can be seen.
pub fn same_host(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || (address::is_loopback(a) && address::is_loopback(b))
}

/// What is missing on one side is no difference.
fn same<T>(a: Option<T>, b: Option<T>, equal: impl FnOnce(T, T) -> bool) -> bool {
    a.zip(b).is_none_or(|(a, b)| equal(a, b))
}

/// Decoded; `Some(None)` where it is empty. Control characters are in no name, and a NUL would end it.
fn name(raw: &str) -> Option<Option<String>> {
    let text = address::percent_decoded(raw)?;
    let is_clean = !text.contains(char::is_control);
    is_clean.then(|| Some(text).filter(|text| !text.is_empty()))
}

/// A NUL would silently end it.
fn secret(raw: &str) -> Option<Secret> {
    let text = address::percent_decoded(raw)?;
    (!text.contains('\0')).then(|| Secret::new(text))
}

fn some_host(raw: &str) -> Option<Option<String>> {
    match name(raw)? {
        Some(path) if path.starts_with('/') => Some(Some(path)),
        Some(text) => address::host(&text).map(Some),
        None => Some(None),
    }
}

fn some_port(raw: &str) -> Option<Option<u16>> {
    if raw.is_empty() {
        return Some(None);
    }
    raw.parse().ok().filter(|&port| port > 0).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `user|password|host|port|database`, or `None`.
    fn parsed(rest: &str) -> Option<String> {
        let parts = Parts::parse(rest)?;
        let text = |part: Option<String>| part.unwrap_or_default();
        let password = parts.password.map(|secret| secret.expose().to_owned());
        let port = parts.port.map(|port| port.to_string());
        let all = [parts.username, password, parts.host, port, parts.database];
        Some(all.map(text).join("|"))
    }

    #[test]
    fn parts_may_be_missing() {
        let cases = [
            ("//lms:x@db:3307/lms", "lms|x|db|3307|lms"),
            ("//lms@db/lms", "lms||db||lms"),
            ("//:x@db/lms", "|x|db||lms"),
            ("//@db:/lms", "||db||lms"),
            ("//db", "||db||"),
            ("//db/?charset=utf8", "||db||"),
            ("///lms", "||||lms"),
            ("//", "||||"),
            ("//[fe80::1]:1/lms", "||fe80::1|1|lms"),
            (
                "//a/b?host=c&port=9&dbname=d&user=e&password=f%26&x",
                "e|f&|c|9|d",
            ),
        ];
        for (rest, expected) in cases {
            assert_eq!(parsed(rest).as_deref(), Some(expected), "{rest}");
        }
    }

    #[test]
    fn a_password_is_read_encoded_or_not() {
        let passwords = [
            ("p%40s%3As%2Fw%3Fo%23r%25d", "p@s:s/w?o#r%d"),
            ("p@ss", "p@ss"),
            ("p:s:s", "p:s:s"),
            ("p/ss", "p/ss"),
            ("12/ss", "12/ss"),
            ("p?ss", "p?ss"),
            ("12?ss", "12?ss"),
            ("p#ss", "p#ss"),
            ("p@s/s", "p@s/s"),
            ("p@s?s", "p@s?s"),
            ("p@s#s", "p@s#s"),
            ("@/?#:", "@/?#:"),
            ("p%zz%4", "p%zz%4"),
            ("a+b c&d=e", "a+b c&d=e"),
            ("[::1]", "[::1]"),
            ("", ""),
        ];
        for (written, meant) in passwords {
            for (user, place) in [("lms", "db:3307"), ("lms@server", "[::1]:3307")] {
                let host = place.trim_end_matches(":3307").trim_matches(['[', ']']);
                let expected = format!("{user}|{meant}|{host}|3307|lms");
                let url = format!("//{user}:{written}@{place}/lms?charset=utf8mb4");
                assert_eq!(parsed(&url), Some(expected), "{url}");
            }
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for rest in [
            "//lms:x@db/lms?name=a@b",
            "//lms:x@evil/?a=b@db/lms",
            "//lms:12?x=y@db/lms",
        ] {
            assert_eq!(parsed(rest), None, "{rest}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for rest in [
            "lms",
            "host=db;dbname=lms",
            "//db:0/lms",
            "//db:99999/lms",
            "//db:x/lms",
            "//::1/lms",
            "//[::1/lms",
            "//[::1]x/lms",
            "//[db]/lms",
            "//a b/lms",
            "//a,b/lms",
            "//db/a/b",
            "//db/lms#x",
            "//db/lms?x#y",
            "//u:%ff@db/lms",
            "//u:%00@db/lms",
            "//u%0A@db/lms",
            "//db/l%00ms",
            "//db/lms?port=x",
            "//db/lms?host=a%20b",
            "//lms:p#ss",
        ] {
            assert_eq!(parsed(rest), None, "{rest}");
        }
    }
}

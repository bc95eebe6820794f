use std::path::PathBuf;

use super::url::MailUrl;
use crate::config::{address, app::App, reader::Reader, secret::Secret};

const MAX_CONNECTIONS: u32 = 64;

/// The mail server and how to speak to it.
#[derive(Debug)]
pub struct Smtp {
    /// A name or an IP address without brackets.
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    /// User name and password; `None` = no login.
    pub login: Option<(String, Secret)>,
    /// The name to introduce ourselves with.
    pub ehlo: Option<String>,
    /// An extra root certificate (PEM).
    pub ca_file: Option<PathBuf>,
    /// How many connections at once.
    pub connections: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// From the first byte (port 465).
    Implicit,
    /// STARTTLS, or nothing is sent.
    Required,
    /// STARTTLS where the server offers it.
    IfOffered,
    Never,
}

/// What `MAIL_SCHEME` or `MAIL_ENCRYPTION` asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Security {
    Implicit,
    StartTls,
    None,
    Unsaid,
}

impl Smtp {
    pub fn is_loopback(&self) -> bool {
        address::is_loopback(&self.host)
    }

    pub fn is_gmail(&self) -> bool {
        is_gmail(&self.host)
    }
}

/// Parts of `MAIL_URL` win over the single variables, as in Laravel.
pub fn read(reader: &mut Reader, app: &App) -> Option<Smtp> {
    let url = MailUrl::read(reader);
    let host = host(reader, &url);
    let security = security(reader, &url);
    let port = port(reader, &url, security);
    let login = login(reader, &url);
    let tls = tls(security, port, login.is_some());
    let ehlo = ehlo(reader, app);
    let ca_file = ca_file(reader);
    let connections = reader.count("MAIL_CONNECTIONS", MAX_CONNECTIONS);
    let host = host?;
    refuse_clear_password(reader, &host, tls, login.is_some());
    let default_connections = if is_gmail(&host) { 1 } else { 4 };
    let connections = connections.map_or(default_connections, |count| count as usize);
    Some(Smtp {
        host,
        port,
        tls,
        login,
        ehlo,
        ca_file,
        connections,
    })
}

fn is_gmail(host: &str) -> bool {
    host.eq_ignore_ascii_case("smtp.gmail.com")
}

fn host(reader: &mut Reader, url: &MailUrl) -> Option<String> {
    if url.host.is_some() {
        return url.host.clone();
    }
    if reader.text("MAIL_HOST").is_none() {
        return Some("127.0.0.1".to_owned());
    }
    reader.parsed(
        "MAIL_HOST",
        "give a host name or IP address alone; the port goes into MAIL_PORT",
        address::host,
    )
}

fn port(reader: &mut Reader, url: &MailUrl, security: Security) -> u16 {
    let set = reader.parsed("MAIL_PORT", "give a port number from 1 to 65535", |text| {
        text.parse().ok().filter(|port| *port != 0)
    });
    url.port.or(set).unwrap_or(match security {
        Security::Implicit => 465,
        Security::StartTls => 587,
        Security::None | Security::Unsaid => 2525,
    })
}

/// `smtps` in the URL, then `MAIL_SCHEME`, then `MAIL_ENCRYPTION`: the newer name wins, as in Laravel 12.
fn security(reader: &mut Reader, url: &MailUrl) -> Security {
    if url.implicit_tls {
        return Security::Implicit;
    }
    if reader.text("MAIL_SCHEME").is_some() {
        let cure = "give smtps for TLS from the start (port 465), else smtp, which means STARTTLS";
        return reader
            .parsed("MAIL_SCHEME", cure, by_scheme)
            .unwrap_or(Security::Unsaid);
    }
    let cure = "give tls for STARTTLS (port 587), ssl for TLS from the start (port 465), or none";
    reader
        .parsed("MAIL_ENCRYPTION", cure, by_encryption)
        .unwrap_or(Security::Unsaid)
}

fn by_scheme(text: &str) -> Option<Security> {
    match text.to_ascii_lowercase().as_str() {
        "smtps" => Some(Security::Implicit),
        "smtp" => Some(Security::Unsaid),
        _ => None,
    }
}

fn by_encryption(text: &str) -> Option<Security> {
    match text.to_ascii_lowercase().as_str() {
        "ssl" | "smtps" => Some(Security::Implicit),
        "tls" | "starttls" => Some(Security::StartTls),
        "none" => Some(Security::None),
        _ => None,
    }
}

/// Where nobody says, a password decides: it must not depend on what a server, or somebody in between, offers.
fn tls(security: Security, port: u16, has_login: bool) -> Tls {
    match (security, has_login) {
        (Security::None, _) => Tls::Never,
        (Security::Implicit, _) => Tls::Implicit,
        _ if port == 465 => Tls::Implicit,
        (Security::StartTls, _) | (Security::Unsaid, true) => Tls::Required,
        (Security::Unsaid, false) => Tls::IfOffered,
    }
}

/// No user name, no login: a password alone is a leftover.
fn login(reader: &mut Reader, url: &MailUrl) -> Option<(String, Secret)> {
    if url.username.is_none() && reader.text("MAIL_USERNAME").is_none() {
        return None;
    }
    let username = url
        .username
        .clone()
        .or_else(|| reader.filled("MAIL_USERNAME"));
    if url.password.is_none() && !reader.has_secret("MAIL_PASSWORD") {
        let cure = "is not set, but there is a user name: set it, or take MAIL_USERNAME out";
        reader.complain("MAIL_PASSWORD", None, cure);
    }
    let password = url
        .password
        .clone()
        .or_else(|| reader.secret("MAIL_PASSWORD"));
    Some((username?, password?))
}

fn refuse_clear_password(reader: &mut Reader, host: &str, tls: Tls, has_login: bool) {
    if tls == Tls::Never && has_login && !address::is_loopback(host) {
        let holds = reader.text("MAIL_ENCRYPTION");
        let cure =
            "the password would cross the network in clear: give tls (port 587) or ssl (port 465)";
        reader.complain("MAIL_ENCRYPTION", holds.as_deref(), cure);
    }
}

/// Laravel's default too is the host of `APP_URL`.
fn ehlo(reader: &mut Reader, app: &App) -> Option<String> {
    let set = reader.parsed(
        "MAIL_EHLO_DOMAIN",
        "give this machine's host name, such as lms.kursus.example",
        |text| {
            let valid = !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c));
            valid.then(|| text.to_owned())
        },
    );
    set.or_else(|| address::domain(app.url.as_deref()?))
}

fn ca_file(reader: &mut Reader) -> Option<PathBuf> {
    let file = reader.path("MAIL_CA_FILE")?;
    if !file.is_file() {
        reader.complain(
            "MAIL_CA_FILE",
            Some(&file.to_string_lossy()),
            "there is no such file: give the path of a PEM certificate",
        );
    }
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{app, testing::environment};

    fn read_from(env_file: &str) -> Result<Smtp, Vec<String>> {
        let (_folder, environment) = environment(env_file, &[]);
        let mut reader = Reader::new(&environment);
        let app = app::read(&mut reader);
        let smtp = read(&mut reader, &app);
        let problems: Vec<_> = reader
            .into_problems()
            .iter()
            .map(ToString::to_string)
            .collect();
        smtp.filter(|_| problems.is_empty()).ok_or(problems)
    }

    fn port_and_tls(env_file: &str) -> (u16, Tls) {
        let smtp = read_from(env_file).unwrap();
        (smtp.port, smtp.tls)
    }

    #[test]
    fn the_defaults_are_laravels() {
        let smtp =
            read_from("APP_URL=https://lms.kursus.id/app\nMAIL_USERNAME=null\nMAIL_PASSWORD=null")
                .unwrap();
        assert_eq!(
            (smtp.host.as_str(), smtp.port, smtp.tls, smtp.connections),
            ("127.0.0.1", 2525, Tls::IfOffered, 4)
        );
        assert_eq!(
            (smtp.login, smtp.ehlo.as_deref()),
            (None, Some("lms.kursus.id"))
        );
        assert_eq!(read_from("APP_URL=http://10.0.0.5").unwrap().ehlo, None);
        assert_eq!(
            read_from("MAIL_EHLO_DOMAIN=mx.kursus.id")
                .unwrap()
                .ehlo
                .as_deref(),
            Some("mx.kursus.id")
        );
    }

    #[test]
    fn encryption_decides_port_and_tls() {
        let login = "MAIL_USERNAME=u\nMAIL_PASSWORD=p\n";
        let cases = [
            ("MAIL_ENCRYPTION=ssl", 465, Tls::Implicit),
            ("MAIL_ENCRYPTION=TLS", 587, Tls::Required),
            ("MAIL_ENCRYPTION=tls\nMAIL_PORT=465", 465, Tls::Implicit),
            ("MAIL_PORT=465", 465, Tls::Implicit),
            ("MAIL_PORT=25", 25, Tls::IfOffered),
            ("MAIL_ENCRYPTION=null", 2525, Tls::IfOffered),
            ("MAIL_ENCRYPTION=none", 2525, Tls::Never),
            (
                "MAIL_SCHEME=smtps\nMAIL_ENCRYPTION=none",
                465,
                Tls::Implicit,
            ),
            (
                "MAIL_SCHEME=smtp\nMAIL_ENCRYPTION=ssl\nMAIL_PORT=587",
                587,
                Tls::IfOffered,
            ),
            ("MAIL_SCHEME=null\nMAIL_ENCRYPTION=ssl", 465, Tls::Implicit),
        ];
        for (text, port, tls) in cases {
            assert_eq!(port_and_tls(text), (port, tls), "{text}");
        }
        assert_eq!(port_and_tls(login), (2525, Tls::Required));
        assert_eq!(
            port_and_tls(&format!("{login}MAIL_SCHEME=smtp\nMAIL_PORT=587")),
            (587, Tls::Required)
        );
    }

    #[test]
    fn a_password_in_clear_stays_on_this_machine() {
        let clear = "MAIL_ENCRYPTION=none\nMAIL_USERNAME=u\nMAIL_PASSWORD=hunter2\n";
        assert_eq!(port_and_tls(clear).1, Tls::Never);
        let lines = read_from(&format!("{clear}MAIL_HOST=mail.kursus.id")).unwrap_err();
        assert!(
            lines[0].starts_with("MAIL_ENCRYPTION is \"none\": the password would cross"),
            "{lines:?}"
        );
        assert!(!lines[0].contains("hunter2"));
    }

    #[test]
    fn a_url_wins_part_by_part() {
        let text = "MAIL_URL=smtp://u%40k.id:p%40ss@mail.kursus.id\n\
            MAIL_HOST=other\nMAIL_PORT=587\nMAIL_USERNAME=x\nMAIL_PASSWORD=y";
        let smtp = read_from(text).unwrap();
        assert_eq!((smtp.host.as_str(), smtp.port), ("mail.kursus.id", 587));
        let (user, password) = smtp.login.unwrap();
        assert_eq!((user.as_str(), password.expose()), ("u@k.id", "p@ss"));
        assert_eq!(
            port_and_tls("MAIL_URL=smtps://mail.kursus.id"),
            (465, Tls::Implicit)
        );
    }

    #[test]
    fn broken_settings_are_all_told_and_no_password_is() {
        let text = "MAIL_HOST=smtp.gmail.com:587\nMAIL_PORT=0\nMAIL_SCHEME=tls\nMAIL_CONNECTIONS=0\n\
            MAIL_EHLO_DOMAIN='a b'\nMAIL_CA_FILE=nowhere.pem\nMAIL_USERNAME=u";
        let lines = read_from(text).unwrap_err();
        assert_eq!(lines.len(), 7, "{lines:#?}");
        assert!(
            lines.contains(&"MAIL_PORT is \"0\": give a port number from 1 to 65535".to_owned())
        );
        let lines =
            read_from("MAIL_URL=https://u:hunter2@h\nMAIL_HOST=smtp://u:hunter2@h").unwrap_err();
        assert!(
            lines.len() == 2 && !lines.concat().contains("hunter2"),
            "{lines:?}"
        );
    }
}

//! Where a database server is and as whom it is spoken to: names and passwords of any characters, Unix sockets.

use std::sync::Arc;

use crate::{
    servers::Server,
    smtp::Smtp,
    support::{BackEnd, NOW, Platform, START, on, on_sqlite},
};

/// To the grief of parsers: of the `.env`, of URLs, of libpq's connection strings.
const PASSWORDS: [&str; 8] = [
    r##"p@ss$w"o'rd #1:/?%"##,
    r"back\slash \\ and 'quote\' \",
    " blanks around ",
    "${APP_NAME} $APP_NAME `id` $(id)",
    "%41%zz%%20+&=;,",
    "100% sure? yes/no:maybe@home#1",
    "[::1]:3306{}|^~<>!*()",
    "sandi-ülar-☂-密码",
];

/// The database as a user with this password.
fn user(server: &Server, platform: &Platform, number: usize, password: &str) -> String {
    let name = format!("user_{number}_of_{}", platform.database_name());
    let (quoted, escaped) = (
        password.replace('\'', "''"),
        password.replace('\\', r"\\").replace('\'', r"\'"),
    );
    let user = server.user();
    server.admin(&on(
        String::new(),
        format!("CREATE ROLE {name} LOGIN PASSWORD '{quoted}' IN ROLE {user}"),
        format!(
            "CREATE USER {name} IDENTIFIED BY '{escaped}'; GRANT ALL ON {}.* TO {name}",
            platform.database_name()
        ),
    ));
    name
}

/// RFC 3986, everything but letters and digits.
fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    text.bytes().map(one).collect()
}

#[test]
fn a_password_may_hold_any_character() {
    if on_sqlite() {
        return;
    }
    let server = Server::shared(BackEnd::chosen());
    let mut platform = Platform::untouched();
    for (number, password) in PASSWORDS.into_iter().enumerate() {
        let name = user(&server, &platform, number, password);
        platform = platform
            .set("DB_USERNAME", &name)
            .set("DB_PASSWORD", password);
        platform.run(&["migrate", "--dry-run"]).succeeds();
        let (scheme, port) = (on("", "postgres", "mysql"), server.port());
        let url = format!(
            "{scheme}://{name}:{}@127.0.0.1:{port}/{}",
            encoded(password),
            platform.database_name()
        );
        let run = platform.run_with(&[("DATABASE_URL", &url)], &["migrate", "--dry-run"]);
        run.succeeds();
        let wrong = [("DB_PASSWORD", "wrong")];
        platform
            .run_with(&wrong, &["migrate", "--dry-run"])
            .exits(78);
        server.admin(&on(
            String::new(),
            format!("DROP ROLE {name}"),
            format!("DROP USER {name}"),
        ));
    }
}

/// Sees a participant told on it.
fn tells(platform: Platform, environment: &[(&str, &str)]) {
    let smtp = Smtp::start();
    let platform = platform.mail(&smtp);
    platform.run_with(environment, &["check"]).succeeds();
    let sent = platform.run_with(environment, &["send", "--now", NOW]);
    assert_eq!(sent.succeeds().complaints(), [""; 0]);
    assert_eq!(smtp.recipients(), ["budi@example.org"]);
}

fn due() -> Platform {
    let platform = Platform::seed();
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform
}

/// Dropped at the end of the test, also when that fails.
struct Named {
    server: Arc<Server>,
    quoted: String,
}

impl Drop for Named {
    fn drop(&mut self) {
        self.server.admin(&format!("DROP DATABASE {}", self.quoted));
    }
}

#[test]
fn a_database_may_have_a_blank_and_quotes_in_its_name() {
    if on_sqlite() {
        return;
    }
    const NAME: &str = r#"platform_it's "the" db? 100%"#;
    let server = Server::shared(BackEnd::chosen());
    let quoted = on(
        String::new(),
        format!("\"{}\"", NAME.replace('"', "\"\"")),
        format!("`{NAME}`"),
    );
    let owner = on("", " OWNER laravel", "");
    server.admin(&format!("CREATE DATABASE {quoted}{owner}"));
    let _named = Named {
        server: Arc::clone(&server),
        quoted,
    };
    let smtp = Smtp::start();
    let platform = Platform::empty().mail(&smtp).set("DB_DATABASE", NAME);
    platform.run(&["migrate"]).succeeds();
    let url = server.url(&encoded(NAME));
    let told = platform.run_with(&[("DATABASE_URL", &url)], &["migrate"]);
    assert!(told.succeeds().stdout.contains("nothing to do"));
    let check = platform.run(&["check"]).succeeds().stdout;
    assert!(check.contains(NAME), "{check}");
    platform.send().succeeds();
}

#[test]
fn mysql_is_reached_by_its_unix_socket() {
    if BackEnd::chosen() != BackEnd::Mysql {
        return;
    }
    let socket = Server::shared(BackEnd::Mysql).folder().join("socket");
    let socket = socket.to_str().unwrap();
    // A port that nobody listens on: the socket wins, as in Laravel.
    tells(due().set("DB_SOCKET", socket).set("DB_PORT", "9"), &[]);
    let platform = due();
    let server = Server::shared(BackEnd::Mysql);
    let url = format!(
        "mysql://{}:{}@localhost/{}?unix_socket={}",
        server.user(),
        encoded(server.password()),
        platform.database_name(),
        encoded(socket)
    );
    tells(platform, &[("DATABASE_URL", &url)]);
    let gone = due().set("DB_SOCKET", "/gone/mysqld.sock");
    let gone = gone.send().exits(75);
    assert!(gone.stderr.contains("/gone/mysqld.sock"), "{}", gone.stderr);
}

#[test]
fn postgresql_is_reached_by_the_folder_of_its_unix_socket() {
    if BackEnd::chosen() != BackEnd::Postgres {
        return;
    }
    let folder = Server::shared(BackEnd::Postgres).folder();
    let folder = folder.to_str().unwrap();
    tells(due().set("DB_HOST", folder), &[]);
    let gone = due().set("DB_HOST", "/gone");
    let gone = gone.send().exits(75);
    assert!(gone.stderr.contains("/gone"), "{}", gone.stderr);
}

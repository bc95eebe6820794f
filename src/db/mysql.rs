//! MySQL and MariaDB.

use std::{sync::mpsc, thread::Builder, time::Duration};

use anyhow::{Context, Result};
use diesel::{
    Connection, MysqlConnection, QueryableByName, RunQueryDsl, connection::SimpleConnection,
    sql_query, sql_types::Text,
};

use super::dialect::{Dialect, ViewSql};
use crate::{
    config::database::{Server, TlsMode},
    exit::{self, Exit},
};

pub const DIALECT: Dialect = Dialect {
    relations: "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = database() ORDER BY 1",
    columns: |relation| {
        format!(
            "SELECT column_name AS name FROM information_schema.columns
             WHERE table_schema = database() AND table_name = '{relation}' ORDER BY ordinal_position"
        )
    },
    view: |view| {
        format!(
            "SELECT view_definition AS name FROM information_schema.views
             WHERE table_schema = database() AND table_name = '{view}'"
        )
    },
    indexes: |table| {
        format!(
            "SELECT column_name AS name FROM information_schema.statistics
             WHERE table_schema = database() AND table_name = '{table}' AND seq_in_index = 1"
        )
    },
    now: Some("SELECT date_format(utc_timestamp(), '%Y-%m-%d %H:%i:%s') AS name"),
    skip_locked: " FOR UPDATE SKIP LOCKED",
    // A ledger that is empty for the planner would be read as a whole for each participant, while another host fills
    // it.
    by_unique_key: "FORCE INDEX (session_reminder_deliveries_unique)",
    mistyped: Some(|view| {
        format!(
            "SELECT concat(column_name, ' is ', data_type, ' and must be a number: CAST(… AS SIGNED)') AS name
             FROM information_schema.columns WHERE table_schema = database() AND table_name = '{view}'
             AND column_name IN ('session_id', 'user_id', 'duration_minutes', 'whatsapp_opt_in')
             AND data_type IN ('char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext')
             ORDER BY ordinal_position"
        )
    }),
    create_index: "CREATE INDEX",
    undoes_tables: false,
    new_database: None,
    platform: include_str!("../../migrations/mysql/2026-11-22-000001_platform/up.sql"),
    reminders: include_str!("../../migrations/mysql/2026-11-22-000002_reminders/up.sql"),
    opt_in_column: "ALTER TABLE user_profiles ADD COLUMN whatsapp_opt_in TINYINT(1) NOT NULL DEFAULT 0;",
    share_view: None,
    view_sql: ViewSql {
        // Whoever reads it needs the right to read the tables, and whoever made it may leave.
        create: "CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW",
        // Fixes the order.
        join: "STRAIGHT_JOIN",
        enrollments: |conditions| format!("STRAIGHT_JOIN enrollments e ON {conditions}"),
        integer: str::to_owned,
        id: str::to_owned,
        text: str::to_owned,
        flag: |column| format!("coalesce({column}, 0)"),
    },
};

/// Diesel sets the zone to UTC: set back, the `TIMESTAMP` columns have the digits that Laravel wrote. READ COMMITTED,
/// so that reading the platform's tables locks nothing in them. Whatever does not fit a column is to be an error. A
/// host that vanishes in the middle of a transaction keeps its rows locked no longer than their lease, and nobody waits
/// long for a lock, be it of a row or of a whole table (a day, if nothing is said).
const SESSION: &str =
    "SET SESSION time_zone = DEFAULT, sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION',
    innodb_lock_wait_timeout = 10, lock_wait_timeout = 10, wait_timeout = 150; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;";

/// For the connection and the login together: the client library waits for ever.
const PATIENCE: Duration = Duration::from_secs(10);

const SILENT: &str = "the server has been silent";

/// Connects, in a thread that is left behind when this takes too long: with a server that accepts and then is silent.
///
/// # Errors
/// Ends with 78 where the server refuses the user or has no such database, or TLS is wanted and there is none; with 75
/// where it cannot be reached.
pub fn open(server: &Server) -> Result<MysqlConnection> {
    let what = || format!("could not open the MySQL database {}", server.describe());
    let (done, connected) = mpsc::channel();
    let own = server.clone();
    let work = move || {
        // Nobody listens any more when this has taken too long.
        let _ = done.send(connect(&own));
    };
    Builder::new()
        .spawn(work)
        .context("the host allows no more threads")?;
    match connected.recv_timeout(PATIENCE) {
        Ok(db) => db.with_context(what),
        Err(_) => {
            let text = format!("{SILENT} for {} s", PATIENCE.as_secs());
            Err(exit::error(Exit::TryLater, text)).with_context(what)
        }
    }
}

fn connect(server: &Server) -> Result<MysqlConnection> {
    let mut db = MysqlConnection::establish(&url(server))?;
    db.batch_execute(SESSION)?;
    if !has_plain_name(server) {
        let name = server.database.replace('`', "``");
        db.batch_execute(&format!("USE `{name}`"))?;
    }
    check_tls(&mut db, server)?;
    Ok(db)
}

/// As Diesel takes it. The password and all other parts may hold any character.
fn url(server: &Server) -> String {
    let host = match (&server.socket, server.host.contains(':')) {
        (Some(_), _) => "localhost".to_owned(),
        (None, true) => format!("[{}]:{}", server.host, server.port),
        (None, false) => format!("{}:{}", server.host, server.port),
    };
    let password = server.password.as_ref().map(|password| password.expose());
    let database = if has_plain_name(server) {
        &server.database
    } else {
        ""
    };
    let files = [
        ("unix_socket", &server.socket),
        ("ssl_ca", &server.tls.ca),
        ("ssl_cert", &server.tls.certificate),
        ("ssl_key", &server.tls.key),
    ];
    let files: Vec<String> = files
        .iter()
        .filter_map(|(name, path)| Some((name, path.as_ref()?)))
        .map(|(name, path)| format!("{name}={}", encoded(&path.display().to_string())))
        .collect();
    format!(
        "mysql://{}:{}@{host}/{database}?{}",
        encoded(&server.username),
        encoded(password.unwrap_or_default()),
        files.join("&")
    )
}

/// A name that needs no escape: in a URL, Diesel would take the escape for the name.
fn has_plain_name(server: &Server) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    server.database.chars().all(plain)
}

/// RFC 3986, everything but letters and digits.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[derive(QueryableByName)]
struct Status {
    #[diesel(sql_type = Text, column_name = "Value")]
    value: String,
}

/// The client library stays in clear without a word where the server offers nothing else.
fn check_tls(db: &mut MysqlConnection, server: &Server) -> Result<()> {
    if matches!(server.tls.mode, TlsMode::Disable | TlsMode::Prefer) {
        return Ok(());
    }
    let cipher: Vec<Status> = sql_query("SHOW SESSION STATUS LIKE 'Ssl_cipher'").load(db)?;
    if cipher.iter().any(|status| !status.value.is_empty()) {
        return Ok(());
    }
    let text = "the connection to the database is not encrypted, although MYSQL_ATTR_SSL_CA or ssl_mode asks for it: \
                let the server offer TLS, or take the setting away";
    Err(exit::error(Exit::Config, text))
}

/// By the words of the server.
pub fn cure(error: &str) -> Option<&'static str> {
    let says = |words: &str| error.contains(words);
    if says("command denied to user") {
        Some("this database user lacks a right: docs/databases.md lists what each command needs")
    } else if says("Access denied for user") && says("to database") {
        Some(
            "correct DB_DATABASE or DATABASE_URL, or grant this user the rights that docs/databases.md lists",
        )
    } else if says("Access denied for user") {
        Some(
            "correct DB_USERNAME and DB_PASSWORD, or DATABASE_URL; a user who may log in under TLS only needs MYSQL_ATTR_SSL_CA",
        )
    } else if says("TLS/SSL error") && says("certificate") {
        Some("MYSQL_ATTR_SSL_CA is to be the authority that signed the server's certificate")
    } else if says("is blocked because of many connection errors") {
        Some(
            "the server bars this host: correct DB_PASSWORD, and let `mariadb-admin flush-hosts` lift the bar",
        )
    } else if says("Unknown database") {
        Some("correct DB_DATABASE or DATABASE_URL")
    } else if says("SKIP LOCKED") {
        Some("this needs MariaDB 10.6 or MySQL 8.0 at least")
    } else if says("references invalid table(s) or column(s)") {
        Some(
            "the platform's tables have changed: run `reminders migrate`; or this database user may not read one of them (see docs/databases.md)",
        )
    } else if says("Unknown column") || (says("Table '") && says("doesn't exist")) {
        Some("the platform's tables have changed; run `reminders migrate`")
    } else {
        None
    }
}

pub fn advice(error: &str) -> Option<&'static str> {
    let says = |words: &str| error.contains(words);
    if says("No space left on device") || says("Disk full") || says("' is full") {
        Some("make room on the server's disk")
    } else if says("Can't connect to local") {
        Some("check DB_SOCKET, or DATABASE_URL, and that the server runs")
    } else if says("Can't connect to ") || says("Unknown server host") || says(SILENT) {
        Some("check DB_HOST and DB_PORT, or DATABASE_URL, and that the server runs")
    } else if says("Lock wait timeout exceeded") {
        Some("somebody has kept it locked for more than 10 s: see SHOW FULL PROCESSLIST")
    } else {
        None
    }
}

//! PostgreSQL.

use anyhow::{Context, Result};
use diesel::{Connection, ConnectionError, PgConnection, connection::SimpleConnection};

use super::{
    dialect::{Dialect, ViewSql},
    write::words,
};
use crate::config::database::{Server, TlsMode};

pub const DIALECT: Dialect = Dialect {
    relations: "SELECT c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_table_is_visible(c.oid)
        AND n.nspname NOT IN ('pg_catalog', 'information_schema')
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
        ORDER BY 1",
    columns: |relation| {
        format!(
            "SELECT attname::text AS name FROM pg_attribute
             WHERE attrelid = to_regclass('{relation}') AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        )
    },
    view: |view| {
        format!(
            "SELECT pg_get_viewdef(oid) AS name FROM pg_class WHERE oid = to_regclass('{view}') AND relkind = 'v'"
        )
    },
    indexes: |table| {
        format!(
            "SELECT a.attname::text AS name FROM pg_index i
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
             WHERE i.indrelid = to_regclass('{table}') AND i.indisvalid AND i.indpred IS NULL"
        )
    },
    now: Some(
        "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS name",
    ),
    skip_locked: " FOR UPDATE SKIP LOCKED",
    by_unique_key: "",
    mistyped: Some(|view| {
        format!(
            "SELECT a.attname || ' is ' || format_type(a.atttypid, NULL) || ' and must be ' || w.type AS name
             FROM pg_attribute a
             JOIN (VALUES ('session_id', 'bigint'), ('user_id', 'bigint'), ('course_id', 'bigint'),
                ('duration_minutes', 'integer'), ('whatsapp_opt_in', 'boolean'),
                ('scheduled_at', 'timestamp without time zone')) w (name, type) ON w.name = a.attname
             WHERE a.attrelid = to_regclass('{view}') AND format_type(a.atttypid, NULL) <> w.type
             AND NOT (format_type(a.atttypid, NULL) = 'text' AND w.name IN ('course_id', 'duration_minutes'))
             ORDER BY a.attnum"
        )
    }),
    create_index: "CREATE INDEX CONCURRENTLY",
    undoes_tables: true,
    new_database: None,
    platform: include_str!("../../migrations/postgres/2026-11-22-000001_platform/up.sql"),
    reminders: include_str!("../../migrations/postgres/2026-11-22-000002_reminders/up.sql"),
    opt_in_column: "ALTER TABLE user_profiles ADD COLUMN whatsapp_opt_in boolean NOT NULL DEFAULT false;",
    share_view: Some(|view| {
        format!(
            "DO $$ DECLARE sender text; BEGIN
    FOR sender IN SELECT DISTINCT grantee::regrole::text FROM pg_class, aclexplode(relacl)
        WHERE oid = to_regclass('session_reminder_deliveries') AND privilege_type = 'INSERT' AND grantee <> 0
    LOOP EXECUTE 'GRANT SELECT ON {view} TO ' || sender; END LOOP;
END $$;"
        )
    }),
    view_sql: ViewSql {
        create: "CREATE VIEW",
        join: "JOIN",
        // A subquery that cannot be merged into the others, into which a condition on the user still goes.
        enrollments: |conditions| {
            format!(
                "CROSS JOIN LATERAL (SELECT DISTINCT ON (e.user_id) e.* FROM enrollments e
    WHERE {conditions} ORDER BY e.user_id) e"
            )
        },
        integer: |column| format!("CAST({column} AS integer)"),
        id: |column| format!("CAST({column} AS bigint)"),
        text: |column| format!("CAST({column} AS text)"),
        flag: |column| format!("coalesce(CAST({column} AS integer), 0) <> 0"),
    },
};

/// Diesel sets the zone to UTC: set back, a platform's `timestamptz` columns read as Laravel reads them. Dates are to
/// be read as text in one way. A commit is to be on the disk when it returns: a record that a power cut undoes would
/// send a reminder twice. Compiling a query takes longer than running ours, and plans for the values at hand are no
/// better. Nobody waits for ever, and a host that vanishes in the middle of a transaction locks nothing for long.
const SESSION: &str = "SET TIME ZONE DEFAULT; SET DateStyle = 'ISO, YMD';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
    SET jit = off; SET plan_cache_mode = force_generic_plan; SET lock_timeout = '10s';
    SET statement_timeout = '5min'; SET idle_in_transaction_session_timeout = '1min';";

/// # Errors
/// Ends with 78 where the server refuses the user or has no such database, with 75 where it cannot be reached.
pub fn open(server: &Server) -> Result<PgConnection> {
    let what = || {
        format!(
            "could not open the PostgreSQL database {}",
            server.describe()
        )
    };
    let mut db = PgConnection::establish(&parameters(server))
        .map_err(in_one_line)
        .with_context(what)?;
    db.batch_execute(SESSION).with_context(what)?;
    if let Some(path) = &server.search_path {
        let names: Vec<String> = path
            .split(',')
            .map(|name| format!("\"{}\"", name.trim().trim_matches('"').replace('"', "\"\"")))
            .collect();
        db.batch_execute(&format!("SET search_path = {}", names.join(", ")))
            .with_context(what)?;
    }
    Ok(db)
}

/// libpq breaks its words into lines; in a log each error is one.
fn in_one_line(error: ConnectionError) -> ConnectionError {
    match error {
        ConnectionError::BadConnection(text) => ConnectionError::BadConnection(words(&text)),
        other => other,
    }
}

/// A connection string of libpq's (`keyword='value'`), in which any character may stand.
fn parameters(server: &Server) -> String {
    let port = server.port.to_string();
    let mut all = vec![
        ("host", server.host.as_str()),
        ("port", &port),
        ("dbname", &server.database),
        ("user", &server.username),
        ("application_name", "reminders"),
        ("connect_timeout", "10"),
        // A server that is gone without a word is noticed within half a minute.
        ("tcp_user_timeout", "30000"),
        ("keepalives_idle", "10"),
        ("keepalives_interval", "5"),
        ("keepalives_count", "3"),
        ("sslmode", sslmode(server.tls.mode)),
    ];
    if let Some(password) = &server.password {
        all.push(("password", password.expose()));
    }
    let files = [
        ("sslrootcert", &server.tls.ca),
        ("sslcert", &server.tls.certificate),
        ("sslkey", &server.tls.key),
    ];
    let files =
        files.map(|(name, path)| (name, path.as_ref().map(|path| path.display().to_string())));
    for (name, path) in &files {
        all.extend(path.as_deref().map(|path| (*name, path)));
    }
    let quoted = |text: &str| text.replace('\\', r"\\").replace('\'', r"\'");
    let pairs: Vec<String> = all
        .iter()
        .map(|(name, value)| format!("{name}='{}'", quoted(value)))
        .collect();
    pairs.join(" ")
}

fn sslmode(mode: TlsMode) -> &'static str {
    match mode {
        TlsMode::Disable => "disable",
        TlsMode::Prefer => "prefer",
        TlsMode::Require => "require",
        TlsMode::VerifyCa => "verify-ca",
        TlsMode::VerifyFull => "verify-full",
    }
}

/// By the words of libpq and of a server that speaks English.
pub fn cure(error: &str) -> Option<&'static str> {
    let says = |words: &str| error.contains(words);
    if says("authentication failed for user")
        || says("no password supplied")
        || says("is not permitted to log in")
        || (says("role \"") && says("does not exist"))
    {
        Some("correct DB_USERNAME and DB_PASSWORD, or DATABASE_URL")
    } else if says("server does not support SSL") {
        Some("let the server offer TLS, or correct DB_SSLMODE or the URL's sslmode")
    } else if says("certificate verify failed")
        || says("does not match host name")
        || says("root certificate file")
    {
        Some(
            "DB_SSLROOTCERT is to be the authority that signed the server's certificate, and with verify-full DB_HOST a name in it",
        )
    } else if says("no pg_hba.conf entry") {
        Some("the server admits this user from this host only as its pg_hba.conf says")
    } else if says("FATAL: database") && says("does not exist") {
        Some("correct DB_DATABASE or DATABASE_URL")
    } else if says("must be owner of") {
        Some("run this as the user who made it, or who owns the platform's tables")
    } else if says("permission denied for") {
        Some("this database user lacks a right: docs/databases.md lists what each command needs")
    } else if (says("relation \"") || says("column ")) && says("does not exist") {
        Some("the platform's tables have changed; run `reminders migrate`")
    } else {
        None
    }
}

/// Why libpq comes to no server.
const LOST: [&str; 6] = [
    "Connection refused",
    "No such file or directory",
    "No route to host",
    "Network is unreachable",
    "Connection timed out",
    "timeout expired",
];

pub fn advice(error: &str) -> Option<&'static str> {
    let says = |words: &str| error.contains(words);
    if says("No space left on device") {
        Some("make room on the server's disk")
    } else if says("could not translate host name")
        || (says("connection to server ") && LOST.iter().any(|words| says(words)))
    {
        Some("check DB_HOST and DB_PORT, or DATABASE_URL, and that the server runs")
    } else if says("due to lock timeout") {
        Some("somebody has kept it locked for more than 10 s: see pg_stat_activity and pg_locks")
    } else {
        None
    }
}

//! PostgreSQL: how a private server is made and prepared.

use diesel::{Connection, PgConnection, connection::SimpleConnection};

use super::{
    ADMIN, Extra, Kind, PASSWORD, Server, USER, argument,
    keeper::Keeper,
    literal,
    programs::{Owner, find},
};

pub const KIND: Kind = Kind {
    scheme: "postgres",
    first_database: "postgres",
    missing,
    start,
    prepare,
    run,
    create: |name| create(name, "template0"),
    create_seeded: |name| create(name, SEEDED),
    drop: |name| format!("DROP DATABASE {name} WITH (FORCE)"),
};

/// The template of databases with the seed's tables.
const SEEDED: &str = "seeded";

const SEED: &str = include_str!("../../data/platform-postgres.sql");

/// What is said where it is not installed.
fn missing() -> Option<String> {
    let missing = find(&["initdb"]).is_none();
    missing.then(|| {
        "PostgreSQL is not installed: sudo apt-get install postgresql (no server needs to run)"
            .into()
    })
}

/// A server that nothing is left of after a crash of the machine, and whose time zone is not UTC, so that mistakes
/// show.
fn start(port: u16, extra: &Extra) -> Keeper {
    let owner = Owner::new(&["postgres", "nobody"]);
    let initdb = find(&["initdb"]).unwrap();
    let password = owner.write("password", PASSWORD);
    owner.run(owner.command(&initdb).args([
        "--no-sync",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        &format!("--username={ADMIN}"),
        &format!("--pwfile={}", argument(&password)),
        "--pgdata=data",
    ]));
    let postgres = initdb.with_file_name("postgres");
    let folder = argument(&owner.folder).to_owned();
    let port = port.to_string();
    let mut line = vec![
        argument(&postgres),
        "-D",
        "data",
        "-p",
        &port,
        "-k",
        &folder,
    ];
    owner.write_all(extra.files);
    for setting in SETTINGS.iter().chain(extra.settings) {
        line.extend(["-c", setting]);
    }
    // The immediate shutdown: open transactions are lost, as in a crash.
    Keeper::new(owner, "QUIT", &line)
}

const SETTINGS: [&str; 6] = [
    "listen_addresses=127.0.0.1",
    "max_connections=400",
    "timezone=Asia/Jakarta",
    "fsync=off",
    "full_page_writes=off",
    "autovacuum=off",
];

/// The user and the template.
fn prepare(server: &Server) {
    let password = literal(PASSWORD);
    server.admin(&format!("CREATE ROLE {USER} LOGIN PASSWORD {password}"));
    server.admin(&create(SEEDED, "template0"));
    run(&server.url(SEEDED), SEED).unwrap();
}

fn create(name: &str, template: &str) -> String {
    format!("CREATE DATABASE {name} OWNER {USER} TEMPLATE {template}")
}

fn run(url: &str, statements: &str) -> Result<(), String> {
    let mut db = PgConnection::establish(url).map_err(|error| error.to_string())?;
    db.batch_execute(statements)
        .map_err(|error| error.to_string())
}

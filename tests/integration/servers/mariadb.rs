//! MariaDB: how a private server is made and prepared.

use diesel::{Connection, MysqlConnection, connection::SimpleConnection};

use super::{
    ADMIN, Extra, Kind, PASSWORD, Server, USER, argument,
    keeper::Keeper,
    literal,
    programs::{Owner, find},
};

pub const KIND: Kind = Kind {
    scheme: "mysql",
    first_database: "mysql",
    missing,
    start,
    prepare,
    run,
    create: |name| format!("CREATE DATABASE {name}"),
    create_seeded: |name| format!("CREATE DATABASE {name}; USE {name}; {SEED}"),
    drop: |name| format!("DROP DATABASE {name}"),
};

const SEED: &str = include_str!("../../data/platform-mysql.sql");

const SERVER: [&str; 2] = ["mariadbd", "mysqld"];
const INSTALLER: [&str; 2] = ["mariadb-install-db", "mysql_install_db"];

/// What is said where it is not installed.
fn missing() -> Option<String> {
    let missing = find(&SERVER).is_none() || find(&INSTALLER).is_none();
    missing.then(|| {
        "MariaDB is not installed: sudo apt-get install mariadb-server-core mariadb-client-core (no server needs to run)".into()
    })
}

/// As the distribution's, without its settings; nothing is left of it after a crash of the machine, and its time zone
/// is not UTC, so that mistakes show.
fn start(port: u16, extra: &Extra) -> Keeper {
    let owner = Owner::new(&["mysql", "nobody"]);
    let (installer, mariadbd) = (find(&INSTALLER).unwrap(), find(&SERVER).unwrap());
    let data = format!("--datadir={}/data", argument(&owner.folder));
    owner.run(
        owner
            .command(&installer)
            .args(["--no-defaults", &data])
            .args([
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
                SMALL_LOG,
            ]),
    );
    let users = owner.write("users.sql", &users());
    let socket = format!("--socket={}/socket", argument(&owner.folder));
    let (users, port) = (
        format!("--init-file={}", argument(&users)),
        format!("--port={port}"),
    );
    let mut line = vec![
        argument(&mariadbd),
        "--no-defaults",
        &data,
        &socket,
        &users,
        &port,
    ];
    line.extend(SETTINGS);
    owner.write_all(extra.files);
    let extra: Vec<String> = extra
        .settings
        .iter()
        .map(|setting| format!("--{setting}"))
        .collect();
    line.extend(extra.iter().map(String::as_str));
    Keeper::new(owner, "KILL", &line)
}

const SMALL_LOG: &str = "--innodb-log-file-size=16M";

/// The SQL mode is the default one, which is strict.
const SETTINGS: [&str; 10] = [
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--max-connections=400",
    "--default-time-zone=+07:00",
    "--character-set-server=utf8mb4",
    "--lock-wait-timeout=20",
    SMALL_LOG,
    "--innodb-flush-method=nosync",
    "--innodb-flush-log-at-trx-commit=2",
    "--skip-innodb-doublewrite",
];

/// One statement a line, run at each start. Nobody without a name may log in: such a user would stand before `laravel`.
fn users() -> String {
    let password = literal(PASSWORD);
    format!(
        "DELETE FROM mysql.global_priv WHERE User = '';\nFLUSH PRIVILEGES;\n\
         CREATE USER IF NOT EXISTS {ADMIN} IDENTIFIED BY {password};\n\
         GRANT ALL ON *.* TO {ADMIN} WITH GRANT OPTION;\n\
         CREATE USER IF NOT EXISTS {USER} IDENTIFIED BY {password};\n"
    )
}

/// The user's rights.
fn prepare(server: &Server) {
    server.admin(&format!("GRANT ALL ON `platform\\_%`.* TO {USER}"));
}

fn run(url: &str, statements: &str) -> Result<(), String> {
    let mut db = MysqlConnection::establish(url).map_err(|error| error.to_string())?;
    db.batch_execute(statements)
        .map_err(|error| error.to_string())
}

//! Database servers of the tests' own: started when a test first asks for one, never one that was running before, and
//! gone with the test's process, however that ends.
//!
//! ```ignore
//! let server = Server::shared(BackEnd::Postgres);      // the one that all tests share
//! let database = server.create_database();
//!
//! let server = Server::start(BackEnd::Mysql);          // one to be stopped in the middle of a test
//! let platform = Platform::untouched_at(&server);
//! server.stop();
//! server.restart();
//! ```

// A build without one of them uses less of this.
#![cfg_attr(not(feature = "full"), allow(dead_code))]

mod keeper;
#[cfg(feature = "mysql")]
mod mariadb;
#[cfg(feature = "postgres")]
mod postgres;
mod programs;
mod tests;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use keeper::Keeper;

use crate::support::BackEnd;

/// Who owns the databases, as a platform's `DB_USERNAME` does.
const USER: &str = "laravel";

/// What a platform's `DB_PASSWORD` may hold to the grief of parsers.
const PASSWORD: &str = "p@ss$w\"o'rd #1:/?%";

/// Who makes databases and users.
const ADMIN: &str = "admin";

/// What differs between the two.
struct Kind {
    scheme: &'static str,
    /// Every server has this database.
    first_database: &'static str,
    /// What is not installed, with the cure.
    missing: fn() -> Option<String>,
    start: fn(port: u16, extra: &Extra) -> Keeper,
    /// Makes the user, and what else a new server needs once.
    prepare: fn(&Server),
    /// Runs statements in the database at a URL.
    run: fn(url: &str, statements: &str) -> Result<(), String>,
    /// The statement for a new database.
    create: fn(name: &str) -> String,
    /// The statements for one with the seed's tables.
    create_seeded: fn(name: &str) -> String,
    drop: fn(name: &str) -> String,
}

/// What a server has beside the usual.
#[derive(Default)]
pub struct Extra<'a> {
    /// Files beside its data, which its settings find under `../`.
    pub files: &'a [(&'a str, String)],
    /// `name=value`, as the server calls them.
    pub settings: &'a [&'a str],
}

/// `None` for what this build does not serve.
fn kind(back_end: BackEnd) -> Option<&'static Kind> {
    match back_end {
        #[cfg(feature = "postgres")]
        BackEnd::Postgres => Some(&postgres::KIND),
        #[cfg(feature = "mysql")]
        BackEnd::Mysql => Some(&mariadb::KIND),
        _ => None,
    }
}

pub struct Server {
    back_end: BackEnd,
    kind: &'static Kind,
    port: u16,
    keeper: Mutex<Keeper>,
    databases: AtomicUsize,
}

impl Server {
    /// The server that all tests of this process share.
    pub fn shared(back_end: BackEnd) -> Arc<Server> {
        static SHARED: Mutex<BTreeMap<BackEnd, Arc<Server>>> = Mutex::new(BTreeMap::new());
        // A test that failed to start it leaves nothing half done behind.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let server = shared
            .entry(back_end)
            .or_insert_with(|| Server::start(back_end));
        Arc::clone(server)
    }

    /// A server for one test.
    pub fn start(back_end: BackEnd) -> Arc<Server> {
        Server::start_with(back_end, &Extra::default())
    }

    pub fn start_with(back_end: BackEnd, extra: &Extra) -> Arc<Server> {
        if let Some(missing) = Server::missing(back_end) {
            panic!("{missing}");
        }
        let kind = kind(back_end).unwrap();
        let port = free_port();
        let server = Arc::new(Server {
            back_end,
            kind,
            port,
            keeper: Mutex::new((kind.start)(port, extra)),
            databases: AtomicUsize::new(0),
        });
        server.wait_until_it_answers();
        (kind.prepare)(&server);
        server
    }

    /// What keeps such a server from being started, with the cure; `None` when nothing does.
    pub fn missing(back_end: BackEnd) -> Option<String> {
        match kind(back_end) {
            Some(kind) => (kind.missing)(),
            None => Some(format!(
                "built without {}: cargo test --features full",
                back_end.name()
            )),
        }
    }

    pub fn back_end(&self) -> BackEnd {
        self.back_end
    }

    /// On 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it keeps its Unix socket.
    pub fn folder(&self) -> PathBuf {
        self.keeper.lock().unwrap().folder.clone()
    }

    /// A normal user, who owns the databases made here.
    pub fn user(&self) -> &'static str {
        USER
    }

    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// A database as its owner reaches it.
    pub fn url(&self, database: &str) -> String {
        self.url_of(USER, database)
    }

    /// The users made here all have the same password.
    fn url_of(&self, user: &str, database: &str) -> String {
        let (scheme, port) = (self.kind.scheme, self.port);
        let password = escaped(PASSWORD);
        format!("{scheme}://{user}:{password}@127.0.0.1:{port}/{database}")
    }

    /// Runs statements with all rights.
    pub fn admin(&self, statements: &str) {
        self.admin_in(self.kind.first_database, statements);
    }

    /// The same inside this database.
    pub fn admin_in(&self, database: &str, statements: &str) {
        let done = (self.kind.run)(&self.url_of(ADMIN, database), statements);
        done.unwrap_or_else(|error| panic!("{error}: {statements}"));
    }

    /// A new, empty database.
    pub fn create_database(&self) -> String {
        self.create(self.kind.create)
    }

    /// A new database with the seed's tables.
    pub fn create_seeded_database(&self) -> String {
        self.create(self.kind.create_seeded)
    }

    fn create(&self, statements: fn(&str) -> String) -> String {
        let name = format!("platform_{}", self.databases.fetch_add(1, Relaxed));
        self.admin(&statements(&name));
        name
    }

    /// Drops it; a test that has stopped its server takes everything with it.
    pub fn drop_database(&self, name: &str) {
        let url = self.url_of(ADMIN, self.kind.first_database);
        let _ = (self.kind.run)(&url, &(self.kind.drop)(name));
    }

    /// Ends the server at once, as a crash would; what was committed is there after [`Server::restart`].
    pub fn stop(&self) {
        self.keeper.lock().unwrap().stop();
    }

    /// Starts it again where it was, and returns when it answers.
    pub fn restart(&self) {
        self.keeper.lock().unwrap().start();
        self.wait_until_it_answers();
    }

    fn wait_until_it_answers(&self) {
        let patience = Instant::now() + Duration::from_secs(60);
        let url = self.url_of(ADMIN, self.kind.first_database);
        while let Err(error) = (self.kind.run)(&url, "SELECT 1") {
            let log = || self.keeper.lock().unwrap().log();
            assert!(Instant::now() < patience, "{error}\n{}", log());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A port that nobody listens on. It lies below those that the kernel gives to connections and to listeners that ask
/// for any (from 32768 on), so that no other test takes it before the server does, or while the server is stopped.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = (std::process::id() * 61 % 15_000) as u16;
    (0..1000)
        .map(|_| 15_000 + first.wrapping_add(NEXT.fetch_add(1, Relaxed)) % 15_000)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("no free port")
}

/// Percent-encoded for a URL, all but letters and digits.
fn escaped(text: &str) -> String {
    let one = |byte: u8| match byte {
        letter if letter.is_ascii_alphanumeric() => (letter as char).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}

/// The text as an SQL literal; the texts of ours hold no backslash.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A path as an argument, which those of temporary folders can be.
fn argument(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

//! Where a platform's database is.

use std::sync::Arc;

use super::BackEnd;
use crate::servers::Server;

/// The database's place; one on a server is dropped at the end.
pub enum Home {
    /// A file in the platform's folder.
    File,
    Server(Arc<Server>, String),
}

/// The file's name.
pub const FILE: &str = "platform.sqlite";

impl Home {
    /// An empty database on a server, or no file yet.
    pub fn empty(back_end: BackEnd) -> Home {
        Home::new(back_end, Server::create_database)
    }

    /// One with the seed's tables; on SQLite they are still to be made.
    pub fn seeded(back_end: BackEnd) -> Home {
        Home::new(back_end, Server::create_seeded_database)
    }

    /// One with the seed's tables, on a server that a test may stop.
    pub fn seeded_at(server: &Arc<Server>) -> Home {
        Home::Server(Arc::clone(server), server.create_seeded_database())
    }

    fn new(back_end: BackEnd, create: fn(&Server) -> String) -> Home {
        if back_end == BackEnd::Sqlite {
            return Home::File;
        }
        let server = Server::shared(back_end);
        let name = create(&server);
        Home::Server(server, name)
    }

    pub fn back_end(&self) -> BackEnd {
        match self {
            Home::File => BackEnd::Sqlite,
            Home::Server(server, _) => server.back_end(),
        }
    }

    /// What the platform's `.env` says of it.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        match self {
            Home::File => vec![("DB_DATABASE", FILE.into())],
            Home::Server(server, name) => vec![
                (
                    "DB_CONNECTION",
                    self.back_end().pick("sqlite", "pgsql", "mysql").into(),
                ),
                ("DB_HOST", "127.0.0.1".into()),
                ("DB_PORT", server.port().to_string()),
                ("DB_DATABASE", name.clone()),
                ("DB_USERNAME", server.user().into()),
                ("DB_PASSWORD", server.password().into()),
            ],
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        match self {
            Home::File => {}
            Home::Server(server, name) => server.drop_database(name),
        }
    }
}

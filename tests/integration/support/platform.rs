//! The platform: its folder with the `.env`, its database, its passes.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use tempfile::TempDir;

use super::{
    BackEnd, Database, NOW, Run, START, database,
    home::{FILE, Home},
    program,
};
use crate::{
    servers::Server,
    smtp::Smtp,
    twilio::{ACCOUNT_SID, AUTH_TOKEN, Twilio},
};

/// The seed's tables as its Laravel migrations make them; on a server they are in the database from the beginning.
const SEED: &str = include_str!("../../data/platform-sqlite.sql");

/// A platform in a folder of its own, removed at the end with its database.
pub struct Platform {
    folder: TempDir,
    home: Home,
    settings: BTreeMap<String, String>,
}

impl Platform {
    /// No database yet; on a server an empty one.
    pub fn empty() -> Self {
        Self::empty_on(BackEnd::chosen())
    }

    pub fn empty_on(back_end: BackEnd) -> Self {
        Self::new(Home::empty(back_end))
    }

    /// The seed's own tables, not migrated.
    pub fn untouched() -> Self {
        Self::untouched_on(BackEnd::chosen())
    }

    pub fn untouched_on(back_end: BackEnd) -> Self {
        let platform = Self::new(Home::seeded(back_end));
        if back_end == BackEnd::Sqlite {
            platform.sql(SEED);
        }
        platform
    }

    /// The same on a server that the test may stop.
    pub fn untouched_at(server: &Arc<Server>) -> Self {
        Self::new(Home::seeded_at(server))
    }

    /// The seed's own tables, migrated, with one course (id 1) in them.
    pub fn seed() -> Self {
        Self::seed_on(BackEnd::chosen())
    }

    pub fn seed_on(back_end: BackEnd) -> Self {
        Self::untouched_on(back_end).migrated()
    }

    /// Migrates it, and makes course 1.
    pub fn migrated(self) -> Self {
        self.run(&["migrate"]).succeeds();
        self.course();
        self
    }

    /// As [`Platform::seed`], with a reminder by mail that is due at [`NOW`]: Budi's, of session 1.
    pub fn due(smtp: &Smtp) -> Self {
        let platform = Self::seed().mail(smtp);
        platform.session(1, START);
        platform.participant(1, "Budi", "budi@example.org");
        platform
    }

    fn new(home: Home) -> Self {
        let mut platform = Self {
            folder: tempfile::tempdir().unwrap(),
            settings: BTreeMap::new(),
            home,
        };
        for (name, value) in platform.home.settings() {
            platform = platform.set(name, &value);
        }
        platform
            .set("APP_NAME", "Kursus Kita")
            .set("APP_TIMEZONE", "Asia/Jakarta")
            .set("MAIL_MAILER", "none")
            .set("MAIL_FROM_ADDRESS", "halo@kursuskita.test")
    }

    pub fn back_end(&self) -> BackEnd {
        self.home.back_end()
    }

    /// Mail goes to this server, in clear.
    pub fn mail(self, smtp: &Smtp) -> Self {
        self.set("MAIL_MAILER", "smtp")
            .set("MAIL_HOST", "127.0.0.1")
            .set("MAIL_PORT", &smtp.port().to_string())
            .set("MAIL_ENCRYPTION", "none")
    }

    /// WhatsApp goes to this stand-in for Twilio.
    pub fn whatsapp(self, twilio: &Twilio) -> Self {
        self.set("TWILIO_SID", ACCOUNT_SID)
            .set("TWILIO_AUTH_TOKEN", AUTH_TOKEN)
            .set("TWILIO_WHATSAPP_FROM", "+14155550100")
            .set("TWILIO_API_BASE", &twilio.base())
    }

    /// Mails and messages become files in its folder.
    pub fn with_files(self) -> Self {
        self.set("MAIL_MAILER", "file")
            .set("MAIL_FILE_DIR", "mails")
            .set("WHATSAPP_TRANSPORT", "file")
            .set("WHATSAPP_FILE_DIR", "messages")
    }

    /// One line of the `.env`.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.into(), value.into());
        let lines = self.settings.iter().map(|(name, value)| line(name, value));
        let text: String = lines.collect();
        std::fs::write(self.path(".env"), text).unwrap();
        self
    }

    /// The lines of its `.env` that say where the database is.
    pub fn database_settings(&self) -> String {
        let settings = self.home.settings();
        let lines = settings.iter().map(|(name, value)| line(name, value));
        lines.collect()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The names of the files in its folder.
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path("")).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Where [`Database::open`] finds the database: a path or a URL.
    pub fn database_place(&self) -> String {
        match &self.home {
            Home::File => self.path(FILE).to_string_lossy().into_owned(),
            Home::Server(server, name) => server.url(name),
        }
    }

    /// The file's name, or the database's on its server.
    pub fn database_name(&self) -> &str {
        match &self.home {
            Home::File => FILE,
            Home::Server(_, name) => name,
        }
    }

    /// A connection of the test's own; made anew each time, so that none is held open while the program runs.
    pub fn database(&self) -> Database {
        Database::open(self.back_end(), &self.database_place())
    }

    pub fn sql(&self, statements: &str) {
        self.database()
            .run(statements)
            .unwrap_or_else(|error| panic!("{error}: {statements}"));
    }

    /// The rows of a query as texts: columns joined by `|`, `NULL` for nothing, 1 and 0 for true and false, times as
    /// `YYYY-MM-DD HH:MM:SS`. A comma in `columns` is always one between two of them.
    pub fn rows(&self, columns: &str, rest: &str) -> Vec<String> {
        let joined = database::joined(self.back_end(), columns);
        let query = format!("SELECT {joined} AS joined FROM {rest}");
        let rows = self.database().texts(&query);
        let rows = rows.unwrap_or_else(|error| panic!("{error}: {query}"));
        // MySQL alone shows the microseconds of a full second.
        rows.into_iter()
            .map(|row| row.replace(".000000", ""))
            .collect()
    }

    /// `channel|user_id|status|error_code` of every row of the ledger.
    pub fn ledger(&self) -> Vec<String> {
        self.rows(
            "channel, user_id, status, error_code",
            "session_reminder_deliveries ORDER BY scheduled_at, course_session_id, channel, user_id, lead_minutes",
        )
    }

    /// Runs the program in the platform's folder, with nothing in its environment but what cron gives.
    pub fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().unwrap();
        Run::of(arguments, output)
    }

    /// The same with variables of its own in the real environment.
    pub fn run_with(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Run {
        let output = self
            .command(arguments)
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        Run::of(arguments, output)
    }

    /// Starts it and lets it run.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Starts a pass on a host of its own: the lock of one is nothing to another.
    pub fn start_on(&self, host: &str, now: &str) -> Child {
        self.command(&["send", "--now", now])
            .env("STATE_DIRECTORY", self.path(host))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// The command itself, for what a test wants to add.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(self.folder.path());
        command.args(arguments);
        command
    }

    /// Runs it as another user, which only root can. Where it was built, perhaps in somebody's home, not everybody may
    /// go: a copy elsewhere is run.
    pub fn run_as(&self, id: u32, arguments: &[&str]) -> Run {
        let elsewhere = TempDir::new().unwrap();
        fs::set_permissions(elsewhere.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let copy = elsewhere.path().join("reminders");
        fs::copy(env!("CARGO_BIN_EXE_reminders"), &copy).unwrap();
        let usual = self.command(arguments);
        let mut command = Command::new(&copy);
        command.args(usual.get_args()).env_clear();
        let known = usual.get_envs();
        command.envs(known.filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(usual.get_current_dir().unwrap());
        Run::of(arguments, command.uid(id).gid(id).output().unwrap())
    }

    /// One pass at [`NOW`].
    pub fn send(&self) -> Run {
        self.run(&["send", "--now", NOW])
    }

    /// One pass at another moment.
    pub fn send_at(&self, now: &str) -> Run {
        self.run(&["send", "--now", now])
    }
}

/// A line of the `.env`.
fn line(name: &str, value: &str) -> String {
    format!("{name}={}\n", quoted(value))
}

fn quoted(value: &str) -> String {
    format!(
        "\"{}\"",
        value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('$', "\\$")
    )
}

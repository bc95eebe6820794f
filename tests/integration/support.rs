//! A course platform on the disk, and the program run on it as cron would.
//!
//! ```ignore
//! let smtp = Smtp::start();
//! let platform = Platform::seed().mail(&smtp);
//! platform.session(1, "2026-11-23 17:00:00");
//! platform.participant(1, "Budi", "budi@example.org");
//! let run = platform.run(&["send", "--now", "2026-11-23T16:00:00+07:00"]);
//! assert_eq!(run.code, 0);
//! ```

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use chrono::{DateTime, Duration, TimeZone, Utc};
use chrono_tz::Asia::Jakarta;
use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection,
    sql_query, sql_types::Text,
};
use tempfile::TempDir;

use crate::{
    smtp::{Phase, Reply, Smtp},
    twilio::{ACCOUNT_SID, AUTH_TOKEN, Twilio},
};

/// The moment most tests play at: 16.00 in Jakarta, an hour before [`START`].
pub const NOW: &str = "2026-11-23T16:00:00+07:00";

/// An hour after [`NOW`], in the platform's digits.
pub const START: &str = "2026-11-23 17:00:00";

/// The seed's tables as its Laravel migrations make them.
const SEED: &str = include_str!("../data/platform-sqlite.sql");

/// A platform in a folder of its own, removed at the end.
pub struct Platform {
    folder: TempDir,
    settings: BTreeMap<String, String>,
}

impl Platform {
    /// No database yet.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let platform = Self {
            folder,
            settings: BTreeMap::new(),
        };
        platform
            .set("APP_NAME", "Kursus Kita")
            .set("APP_TIMEZONE", "Asia/Jakarta")
            .set("DB_DATABASE", "platform.sqlite")
            .set("MAIL_MAILER", "none")
            .set("MAIL_FROM_ADDRESS", "halo@kursuskita.test")
    }

    /// The seed's own tables, not migrated.
    pub fn untouched() -> Self {
        let platform = Self::empty();
        platform.sql(SEED);
        platform
    }

    /// The seed's own tables, migrated, with one course (id 1) in them.
    pub fn seed() -> Self {
        let platform = Self::untouched();
        platform.run(&["migrate"]).succeeds();
        platform.sql("INSERT INTO courses (id, title) VALUES (1, 'Matematika Dasar')");
        platform
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

    /// One line of the `.env`.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.into(), value.into());
        let line = |(name, value): (&String, &String)| format!("{name}={}\n", quoted(value));
        let text: String = self.settings.iter().map(line).collect();
        std::fs::write(self.path(".env"), text).unwrap();
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A connection of the test's own; made anew each time, so that none is held open while the program runs.
    pub fn database(&self) -> SqliteConnection {
        let mut db =
            SqliteConnection::establish(&self.path("platform.sqlite").to_string_lossy()).unwrap();
        db.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON")
            .unwrap();
        db
    }

    pub fn sql(&self, statements: &str) {
        self.database()
            .batch_execute(statements)
            .unwrap_or_else(|error| panic!("{error}: {statements}"));
    }

    /// The rows of a query as texts, columns joined by `|`.
    pub fn rows(&self, columns: &str, rest: &str) -> Vec<String> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            row: String,
        }
        let columns: Vec<String> = columns
            .split(',')
            .map(|column| format!("coalesce({}, 'NULL')", column.trim()))
            .collect();
        let query = format!("SELECT {} AS row FROM {rest}", columns.join(" || '|' || "));
        let rows = sql_query(&query).load::<Row>(&mut self.database());
        rows.unwrap_or_else(|error| panic!("{error}: {query}"))
            .into_iter()
            .map(|row| row.row)
            .collect()
    }

    /// `channel|user_id|status|error_code` of every row of the ledger.
    pub fn ledger(&self) -> Vec<String> {
        self.rows(
            "channel, user_id, status, error_code",
            "session_reminder_deliveries ORDER BY scheduled_at, course_session_id, channel, user_id, lead_minutes",
        )
    }

    /// A session of course 1 that starts then (the platform's digits).
    pub fn session(&self, id: i64, start: &str) {
        self.sql(&format!(
            "INSERT INTO course_sessions (id, course_id, title, mode, scheduled_at, meeting_url)
             VALUES ({id}, 1, 'Pecahan', 'online', '{start}', 'https://meet.example.org/{id}')"
        ));
    }

    /// A user with an active enrollment in course 1, and no profile.
    pub fn participant(&self, id: i64, name: &str, email: &str) {
        let (name, email) = (name.replace('\'', "''"), email.replace('\'', "''"));
        self.sql(&format!(
            "INSERT INTO users (id, name, email) VALUES ({id}, '{name}', '{email}');
             INSERT INTO enrollments (user_id, course_id, status) VALUES ({id}, 1, 'active');"
        ));
    }

    /// A profile with that number, opted in.
    pub fn opted_in(&self, user: i64, phone: &str) {
        let phone = phone.replace('\'', "''");
        self.sql(&format!("INSERT INTO user_profiles (user_id, phone, whatsapp_opt_in) VALUES ({user}, '{phone}', 1)"));
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

    /// The command itself, for what a test wants to add.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(self.folder.path());
        command.args(arguments);
        command
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

/// The program, as cron would start it in `folder`.
pub fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reminders"));
    command
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null());
    command
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

/// What a run of the program left.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Prints everything, so that a failed test explains itself.
    pub fn of(arguments: &[&str], output: std::process::Output) -> Self {
        let run = Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        println!(
            "reminders {}: exit {}\n{}{}",
            arguments.join(" "),
            run.code,
            run.stdout,
            run.stderr
        );
        run
    }

    #[track_caller]
    pub fn succeeds(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code; stderr: {}", self.stderr);
        self
    }

    /// What stderr says, but for the warning that every `--now` brings.
    pub fn complaints(&self) -> Vec<&str> {
        let lines = self.stderr.lines();
        lines.filter(|line| !line.contains("--now is")).collect()
    }

    /// stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// The platform's digits for a moment so many minutes from the real now, for tests without `--now`.
pub fn wall_in(minutes: i64) -> String {
    let instant: DateTime<Utc> = Utc::now() + Duration::minutes(minutes);
    Jakarta
        .from_utc_datetime(&instant.naive_utc())
        .format("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// A mail server that puts every recipient off while the switch is on, as it is at first.
pub fn busy_smtp() -> (Smtp, Arc<AtomicBool>) {
    let busy = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&busy);
    let server = Smtp::builder().script(move |phase, _| match phase {
        Phase::Rcpt if asked.load(SeqCst) => Reply::Say("451 4.3.2 try again later".into()),
        _ => Reply::Accept,
    });
    (server.start(), busy)
}

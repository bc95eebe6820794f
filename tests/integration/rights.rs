//! Database users with exactly the rights that `docs/databases.md` grants them: enough for every command, none too
//! many.

use std::sync::Arc;

use crate::{
    servers::Server,
    smtp::Smtp,
    support::{BackEnd, NOW, Platform, START, on, on_sqlite, wall_in},
    twilio::{Answer, Twilio},
};

const DOCUMENT: &str = include_str!("../../docs/databases.md");

/// The number of user 2, who has told WhatsApp to stop.
const STOPPED: &str = "+6281234567802";

/// The statements of the document's block for this back end and command.
fn block(command: &str) -> Vec<String> {
    let name = on("", "postgres", "mysql");
    let head = format!("```sql\n-- {name} {command}\n");
    let (_, rest) = DOCUMENT.split_once(&head).expect(&head);
    let (block, _) = rest.split_once("```").unwrap();
    let statements: Vec<String> = block.lines().map(str::to_owned).collect();
    assert!(!statements.is_empty());
    statements
}

/// A user of the server who may do nothing yet, and whose rights are those to one database.
struct User {
    server: Arc<Server>,
    database: String,
    name: String,
}

/// The platform, used from now on as such a user. The user comes second: it is to be dropped first.
fn limited(platform: Platform) -> (Platform, User) {
    let user = User::new(&platform);
    (platform.set("DB_USERNAME", &user.name), user)
}

impl User {
    fn new(platform: &Platform) -> User {
        let server = Server::shared(BackEnd::chosen());
        let database = platform.database_name().to_owned();
        let name = format!("user_of_{database}");
        let password = server.password().replace('\'', "''");
        server.admin(&on(
            String::new(),
            format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'"),
            format!("CREATE USER {name} IDENTIFIED BY '{password}'"),
        ));
        if server.back_end() == BackEnd::Postgres {
            // What PostgreSQL grants to everybody.
            let everybodys = format!(
                "REVOKE ALL ON DATABASE {database} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC"
            );
            server.admin_in(&database, &everybodys);
        }
        User {
            server,
            database,
            name,
        }
    }

    /// Grants what the document says.
    fn may(&self, statements: &[String]) {
        for statement in statements {
            let statement = statement
                .replace("TO reminders", &format!("TO {}", self.name))
                .replace("lms", &self.database);
            self.server.admin_in(&self.database, &statement);
        }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if self.server.back_end() == BackEnd::Postgres {
            let statement = format!("DROP OWNED BY {}", self.name);
            self.server.admin_in(&self.database, &statement);
        }
        self.server.admin(&format!("DROP USER {}", self.name));
    }
}

/// A platform that its own user has migrated, with three participants who have opted in and one who has no profile.
struct Story {
    user: User,
    twilio: Twilio,
    smtp: Smtp,
    platform: Platform,
}

fn story() -> Story {
    let smtp = Smtp::start();
    let twilio = Twilio::script(|message| match message.to.strip_prefix("whatsapp:") {
        Some(STOPPED) => Answer::error(400, 21610, "Attempt to send to unsubscribed recipient"),
        _ => Answer::Created,
    });
    let platform = Platform::seed().mail(&smtp).whatsapp(&twilio);
    platform.session(1, START);
    platform.participants(1..=4);
    for id in 1..=3 {
        platform.opted_in(id, &format!("+628123456780{id}"));
    }
    let (platform, user) = limited(platform);
    Story {
        user,
        twilio,
        smtp,
        platform,
    }
}

impl Story {
    /// As the owner sees them: `user_id|whatsapp_opt_in|phone` of the profiles.
    fn profiles(&self) -> Vec<String> {
        let all = "user_profiles ORDER BY user_id";
        self.platform.rows("user_id, whatsapp_opt_in, phone", all)
    }

    fn send_check_and_opt_out_work(&self) {
        let platform = &self.platform;
        platform
            .run(&["send", "--dry-run", "--now", NOW])
            .succeeds();
        let first = platform.send().exits(1);
        assert_eq!(first.complaints().len(), 1, "{}", first.stderr);
        assert_eq!(self.smtp.mails().len(), 4);
        assert_eq!(self.twilio.created().len(), 2);
        let counts = platform.rows("recipients_count", "session_reminder_logs");
        assert_eq!(counts, ["4"]);
        assert_eq!(self.profiles()[1], format!("2|0|{STOPPED}"));
        let again = platform.send_at("2026-11-23T16:01:00+07:00").succeeds();
        assert_eq!(again.complaints(), [""; 0]);
        let check = platform.run(&["check"]).succeeds();
        assert!(check.stdout.contains("up to date"), "{}", check.stdout);
        platform
            .run(&["opt-out", "peserta3@example.org"])
            .succeeds();
        assert_eq!(self.profiles()[2], "3|0|+6281234567803");
    }

    fn opt_in_works(&self) {
        let platform = &self.platform;
        for (user, phone) in [("1", "+6281234567811"), ("4", "+6281234567804")] {
            platform.run(&["opt-in", user, "--phone", phone]).succeeds();
        }
        platform.run(&["opt-in", "2"]).succeeds();
        assert_eq!(
            self.profiles(),
            [
                "1|1|+6281234567811",
                &format!("2|1|{STOPPED}"),
                "3|0|+6281234567803",
                "4|1|+6281234567804"
            ]
        );
    }
}

#[test]
fn the_documents_rights_are_enough() {
    if on_sqlite() {
        return;
    }
    let story = story();
    story.user.may(&block("send"));
    story.send_check_and_opt_out_work();
    let before = story.profiles();
    let refused = story
        .platform
        .run(&["opt-in", "4", "--phone", "+6281234567804"]);
    let refused = refused.exits(78);
    assert!(
        refused.stderr.contains("lacks a right"),
        "{}",
        refused.stderr
    );
    assert_eq!(story.profiles(), before);
    story.user.may(&block("opt-in"));
    story.opt_in_works();
}

#[test]
fn the_documents_rights_are_enough_to_look_to_retry_and_to_prune() {
    if on_sqlite() {
        return;
    }
    let story = story();
    let platform = &story.platform;
    story.user.may(&block("send"));
    platform.send().exits(1);
    platform.run(&["status"]).succeeds();
    platform
        .run(&["log", "--user", "peserta1@example.org"])
        .succeeds();
    let start = wall_in(60);
    platform.sql(&format!(
        "UPDATE course_sessions SET scheduled_at = '{start}';
         UPDATE session_reminder_deliveries SET scheduled_at = '{start}' WHERE status = 'failed'"
    ));
    let retried = platform.run(&["retry", "--failed"]).exits(1);
    assert!(retried.stdout.contains("opt-in 2"), "{}", retried.stdout);
    platform.sql("UPDATE user_profiles SET whatsapp_opt_in = true");
    platform.run(&["retry", "--failed"]).succeeds();

    platform.sql(
        "UPDATE session_reminder_deliveries SET scheduled_at = '2020-01-01 00:00:00' WHERE status = 'sent'",
    );
    let prune = ["prune", "--older-than", "90d"];
    platform
        .run(&[&prune[..], &["--dry-run"]].concat())
        .succeeds();
    let refused = platform.run(&prune).exits(78);
    assert!(
        refused.stderr.contains("lacks a right"),
        "{}",
        refused.stderr
    );
    story.user.may(&block("prune"));
    let pruned = platform.run(&prune).succeeds();
    assert!(
        pruned.stdout.starts_with("deleted 6 rows"),
        "{}",
        pruned.stdout
    );
}

#[test]
fn the_documents_rights_are_enough_for_corrections() {
    if on_sqlite() {
        return;
    }
    let mut story = story();
    story.user.may(&block("send"));
    story.platform = story.platform.set("REMINDER_CORRECTIONS", "on");
    story.platform.send().exits(1);
    story.platform.run(&["check"]).succeeds();
    story.platform.sql("DELETE FROM course_sessions");
    let now = "2026-11-23T16:01:00+07:00";
    story
        .platform
        .run(&["send", "--dry-run", "--now", now])
        .succeeds();
    story.platform.send_at(now).succeeds();
    assert_eq!(story.smtp.mails().len(), 8);
    assert_eq!(story.twilio.created().len(), 4);
}

/// The seed's.
const TABLES: [&str; 6] = [
    "users",
    "user_profiles",
    "courses",
    "course_sessions",
    "enrollments",
    "session_reminder_logs",
];

#[test]
fn the_documents_rights_are_enough_to_migrate() {
    if on_sqlite() {
        return;
    }
    let (platform, user) = limited(Platform::untouched());
    user.may(&block("migrate"));
    let made = platform.run(&["migrate"]).succeeds().stdout;
    assert!(made.contains("made the view"), "{made}");
    let again = platform.run(&["migrate"]).succeeds().stdout;
    assert!(again.contains("nothing to do"), "{again}");
    platform.run(&["migrate", "--drop-view"]).succeeds();
}

#[test]
fn migrate_without_the_right_to_is_refused_and_changes_nothing() {
    if on_sqlite() {
        return;
    }
    let (platform, user) = limited(Platform::untouched());
    let schema = on("", "", "lms.");
    let readable = |table| format!("GRANT SELECT ON {schema}{table} TO reminders");
    user.may(&TABLES.map(readable));
    if platform.back_end() == BackEnd::Postgres {
        user.may(&block("send")[..2]);
    }
    let before = platform.contents();
    let refused = platform.run(&["migrate"]).exits(78);
    assert_eq!(refused.complaints().len(), 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("denied"), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("lacks a right"),
        "{}",
        refused.stderr
    );
    assert_eq!(platform.contents(), before);
    let unready = platform.send().exits(78);
    assert!(
        unready.stderr.contains("reminders migrate"),
        "{}",
        unready.stderr
    );
}

/// Runs one command as the database's owner.
fn as_owner(platform: &Platform, arguments: &[&str]) {
    let server = Server::shared(BackEnd::chosen());
    platform
        .run_with(&[("DB_USERNAME", server.user())], arguments)
        .succeeds();
}

#[test]
fn a_view_that_is_made_anew_is_still_for_those_who_may_read_the_ledger() {
    if on_sqlite() {
        return;
    }
    let story = story();
    story.user.may(&block("send"));
    as_owner(&story.platform, &["migrate", "--drop-view"]);
    as_owner(&story.platform, &["migrate"]);
    story.platform.run(&["check"]).succeeds();
    story.platform.send().exits(1);
    assert_eq!(story.smtp.mails().len(), 4);
}

#[test]
fn check_tells_a_right_that_a_pass_would_lack() {
    if on_sqlite() {
        return;
    }
    let (platform, user) = limited(Platform::seed());
    let rights = block("send");
    let all_but_the_ledger = rights
        .iter()
        .filter(|right| !right.contains("session_reminder_deliveries"));
    user.may(&all_but_the_ledger.cloned().collect::<Vec<_>>());
    user.may(&[format!(
        "GRANT SELECT ON {}session_reminder_deliveries TO reminders",
        on("", "", "lms.")
    )]);
    let check = platform.run(&["check"]).exits(78);
    let rights = check.stdout.lines().find(|line| line.contains("rights"));
    let said = rights.expect("a line on rights");
    assert!(said.starts_with("FAIL"), "{said}");
    assert!(said.contains("session_reminder_deliveries"), "{said}");
}

#[test]
fn explain_and_report_tell_as_much_as_their_user_may_see() {
    if on_sqlite() {
        return;
    }
    let story = story();
    story.user.may(&block("send"));
    let platform = &story.platform;
    platform.send().exits(1);
    let explain = || {
        platform
            .run(&["explain", "1", "1", "--now", NOW])
            .succeeds()
    };
    let told = explain().stdout;
    assert!(told.contains("Peserta 1 was told by mail"), "{told}");
    platform.sql("UPDATE enrollments SET status = 'completed' WHERE user_id = 2");
    let report = platform.run(&["report", "1"]).succeeds().stdout;
    assert!(report.contains("\nPeserta 2  told"), "{report}");
    let compare = ["send", "--dry-run", "--compare-log", "--now", NOW];
    let compared = platform.run(&compare).succeeds().stdout;
    assert!(compared.contains("1 reminders itself"), "{compared}");
    if platform.back_end() == BackEnd::Postgres {
        assert!(!told.contains("enrollments.status"), "{told}");
        story.user.may(&block("explain"));
    }
    let told = explain().stdout;
    assert!(told.contains("(enrollments.status: active)"), "{told}");
}

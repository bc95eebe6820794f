//! The guide docs/switching.md, typed step by step on a platform with the seed's tables. There is no PHP: what Laravel
//! does is played by its rows.

use std::{
    fs,
    os::unix::fs::symlink,
    process::{Command, Stdio},
};

use crate::{
    smtp::Smtp,
    support::{NOW, Platform, Run, START, on_sqlite, wall_in},
};

const GUIDE: &str = include_str!("../../docs/switching.md");
const CRONTAB: &str = include_str!("../../crontab.example");

const CRON: &str = "* * * * * /usr/local/bin/reminders --env-file /srv/lms/.env send";
const TO_A_FILE: &str =
    "* * * * * /usr/local/bin/reminders --env-file /srv/lms/.env send 2>>/var/log/reminders.log";
const SAIL: &str = "* * * * * /usr/local/bin/reminders --env-file /etc/reminders.env send";
const WEEKLY: &str = "30 3 * * 0 /usr/local/bin/reminders --env-file /srv/lms/.env prune --older-than 365d >/dev/null";

/// The seed's tables before any `migrate`, with three people of whom one is suspended.
fn lms(smtp: &Smtp) -> Platform {
    let platform = Platform::untouched()
        .mail(smtp)
        .set("METRICS_FILE", "pass.prom")
        .set("WHATSAPP_TRANSPORT", "file")
        .set("WHATSAPP_FILE_DIR", "messages");
    platform.course();
    platform.participants(1..=3);
    platform.opted_in(1, "081234567801");
    platform.sql("UPDATE users SET status = 'suspended' WHERE id = 3");
    platform
}

fn migrated(smtp: &Smtp) -> Platform {
    let platform = lms(smtp);
    platform.run(&["migrate"]).succeeds();
    platform
}

/// Two sessions that are due, of which Laravel has told one, and one that is over.
fn sessions(platform: &Platform) {
    platform.session(1, &wall_in(-120));
    platform.laravel_tells(1, &wall_in(-183), 3);
    platform.session(2, &wall_in(57));
    platform.laravel_tells(2, &wall_in(-6), 3);
    platform.session(3, &wall_in(58));
}

/// Somebody who types what the guide says, in the platform's folder.
struct Sysadmin<'a> {
    platform: &'a Platform,
    /// The commands of ours that are still to be typed, in their order.
    rest: std::vec::IntoIter<&'static str>,
    copy: String,
}

impl<'a> Sysadmin<'a> {
    fn new(platform: &'a Platform, copy: &str) -> Self {
        fs::create_dir_all(platform.path("bin")).unwrap();
        let program = platform.path("bin/reminders");
        if !program.exists() {
            symlink(env!("CARGO_BIN_EXE_reminders"), program).unwrap();
        }
        let lines = GUIDE.lines().filter(|line| line.starts_with("    "));
        let lines = lines.map(str::trim);
        let ours = lines.filter(|line| {
            line.starts_with("reminders ") && !line.starts_with("reminders that were due")
        });
        Self {
            platform,
            rest: ours.collect::<Vec<_>>().into_iter(),
            copy: copy.to_owned(),
        }
    }

    /// Types the guide's next command, which is this one.
    #[track_caller]
    fn types(&mut self, command: &str) -> Run {
        assert_eq!(self.rest.next(), Some(command), "the guide's next command");
        self.runs(command)
    }

    /// Runs what stands somewhere in the guide.
    fn runs(&self, script: &str) -> Run {
        let folder = self.platform.path("");
        let place = folder.to_str().unwrap().trim_end_matches('/');
        let script = script
            .replace("/tmp/copy.sqlite", &self.copy)
            .replace("/tmp/copy.env", &format!("{place}/copy.env"))
            .replace("/usr/local/bin", &format!("{place}/bin"))
            .replace("/srv/lms/database/database.sqlite", &self.copy)
            .replace("/etc/", &format!("{place}/"))
            .replace("/srv/lms", place)
            .replace("/var/log", place);
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(&folder)
            .env_clear()
            .env("HOME", &folder)
            .env("STATE_DIRECTORY", &folder)
            .env("PATH", format!("{place}/bin:/usr/bin:/bin"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Run::of(&[&script], output)
    }

    /// What cron runs of a line.
    fn cron(&self, line: &str) -> Run {
        self.runs(line.splitn(6, ' ').nth(5).unwrap())
    }
}

/// The lines of an indented block, from the one that begins so to the one before an empty one.
fn block(document: &str, first: &str) -> String {
    let lines = document
        .lines()
        .map(|line| line.trim_start_matches('#').trim());
    let lines = lines.skip_while(|line| !line.starts_with(first));
    let lines: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    assert!(!lines.is_empty(), "{first}");
    lines.join("\n")
}

/// What the guide puts into the file that comes before Sail's own.
fn sails_settings() -> String {
    let (_, section) = GUIDE.split_once("## Laravel Sail").unwrap();
    block(section, "REMINDERS_ENV_FILE=")
}

/// That these stand in the guide in this order.
fn in_order(words: &[&str]) {
    let mut rest = GUIDE;
    for word in words {
        let (_, after) = rest
            .split_once(word)
            .unwrap_or_else(|| panic!("{word} comes next"));
        rest = after;
    }
}

fn broken(check: &Run) -> Vec<&str> {
    let failed = check
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("FAIL"));
    failed
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

/// Whom the Laravel command would find: in the window, and without a row.
fn found_by_laravel(platform: &Platform) -> Vec<String> {
    let (from, to) = (wall_in(55), wall_in(65));
    let due = format!("course_sessions s WHERE s.scheduled_at BETWEEN '{from}' AND '{to}'");
    let told = "SELECT 1 FROM session_reminder_logs l WHERE l.course_session_id = s.id";
    platform.rows("s.id", &format!("{due} AND NOT EXISTS ({told})"))
}

#[test]
fn the_guide_works_from_the_first_command_to_the_last() {
    let smtp = Smtp::start();
    let platform = lms(&smtp);
    sessions(&platform);
    let (copy, place) = a_copy(&platform, &smtp);
    let mut sysadmin = Sysadmin::new(&platform, &place);

    let before = platform.contents();
    let check = sysadmin.types("reminders check").exits(78);
    assert_eq!(broken(&check), ["view", "ledger"]);
    assert!(check.stdout.contains("disable its command first"));
    sysadmin
        .types("reminders test mail you@kursus.example")
        .succeeds();
    sysadmin
        .types("reminders test whatsapp 081234567890")
        .succeeds();
    assert_eq!(smtp.recipients(), ["you@kursus.example"]);

    on_the_copy(&mut sysadmin);
    assert_eq!(smtp.recipients(), ["you@kursus.example"; 3]);
    assert_eq!(platform.contents(), before);
    assert!(!platform.path("pass.prom").exists(), "no watcher is misled");
    drop(copy);

    let compare = sysadmin
        .types("reminders send --dry-run --compare-log")
        .succeeds();
    assert_eq!(platform.contents(), before);
    for words in [
        "1: the user is not active",
        "3 sessions: 2 other number, 1 not yet",
    ] {
        assert!(
            compare.stdout.contains(words),
            "{words}: {}",
            compare.stdout
        );
    }

    the_switch(&mut sysadmin);
    let mut told = smtp.recipients();
    told.retain(|address| address.starts_with("peserta"));
    assert_eq!(told, ["peserta1@example.org", "peserta2@example.org"]);
    assert!(found_by_laravel(&platform).is_empty());

    back_again_and_away(&mut sysadmin);
    assert_eq!(smtp.mails().len(), 5, "nobody was told twice");
    assert_eq!(
        sysadmin.rest.next(),
        Some("reminders --env-file /etc/reminders.env check")
    );
    assert_eq!(sysadmin.rest.next(), None);
}

/// The copy, and what to write for it in place of the guide's.
fn a_copy(platform: &Platform, smtp: &Smtp) -> (Option<Platform>, String) {
    if on_sqlite() {
        let place = platform.path("copy.sqlite").to_str().unwrap().to_owned();
        platform.sql(&format!("VACUUM INTO '{place}'"));
        return (None, place);
    }
    let copy = lms(smtp);
    sessions(&copy);
    let name = copy.database_name().to_owned();
    (Some(copy), name)
}

fn on_the_copy(sysadmin: &mut Sysadmin) {
    sysadmin
        .runs(&block(GUIDE, "cat > /tmp/copy.env"))
        .succeeds();
    let copy = "reminders --env-file /tmp/copy.env";
    let check = sysadmin.types(&format!("{copy} check")).exits(78);
    assert_eq!(broken(&check), ["view", "ledger"]);
    for words in ["every mail goes to you@kursus.example", &sysadmin.copy] {
        assert!(check.stdout.contains(words), "{words}: {}", check.stdout);
    }
    sysadmin.types(&format!("{copy} migrate")).succeeds();
    let plan = sysadmin.types(&format!("{copy} send --dry-run")).succeeds();
    assert!(plan.stdout.contains("would send 2:"), "{}", plan.stdout);
    assert!(plan.stdout.contains("Laravel has reminded of this session"));
    sysadmin.types(&format!("{copy} send --limit 3")).succeeds();
    let log = sysadmin.types(&format!("{copy} log")).succeeds();
    assert!(log.stdout.contains("sent"), "{}", log.stdout);
    sysadmin.runs(&format!("{copy} status")).succeeds();
    let played = format!("{copy} send --limit 3 --now 2026-11-23T16:00:00+07:00");
    sysadmin.types(&played).succeeds();
}

fn the_switch(sysadmin: &mut Sysadmin) {
    in_order(&[
        "## The switch",
        "Disable the scheduled command",
        "php artisan queue:work --stop-when-empty",
        "php artisan queue:failed",
        "reminders migrate\n",
        "install -d -o www-data /var/lib/reminders",
        CRON,
        "Stop the queue worker",
        "## Going back",
    ]);
    let platform = sysadmin.platform;
    let before = platform.contents();
    sysadmin.types("reminders migrate --dry-run").succeeds();
    assert_eq!(platform.contents(), before);
    sysadmin.types("reminders migrate").succeeds();
    let plan = sysadmin.types("reminders send --dry-run").succeeds();
    assert!(plan.stdout.contains("Laravel has reminded of this session"));
    assert_eq!(found_by_laravel(platform), ["3"]);
    let pass = sysadmin.cron(CRON).succeeds();
    assert_eq!((pass.stdout.as_str(), pass.stderr.as_str()), ("", ""));
    assert!(platform.path("pass.prom").exists());
    let check = sysadmin.types("reminders check").succeeds();
    assert!(check.stdout.contains("the last one began"));
    let status = sysadmin.types("reminders status").succeeds();
    assert!(status.stdout.contains("last pass"), "{}", status.stdout);
}

fn back_again_and_away(sysadmin: &mut Sysadmin) {
    let platform = sysadmin.platform;
    sysadmin.types("reminders status").succeeds();
    let pending = sysadmin.types("reminders log --status pending").succeeds();
    assert!(!pending.stdout.contains("mail"), "{}", pending.stdout);
    sysadmin.types("reminders migrate --uninstall").succeeds();
    assert!(
        found_by_laravel(platform).is_empty(),
        "Laravel finds nobody to tell again"
    );

    sysadmin.types("reminders migrate").succeeds();
    sysadmin.types("reminders check").succeeds();
    let again = sysadmin.runs("reminders migrate").succeeds();
    assert!(
        again.stdout.contains("the database has all it needs"),
        "{}",
        again.stdout
    );
    sysadmin.cron(CRON).succeeds();

    sysadmin.types("reminders migrate --drop-view").succeeds();
    platform.sql("ALTER TABLE course_sessions ADD cancelled_at timestamp NULL");
    let without = sysadmin.cron(CRON).exits(78);
    assert!(
        without.stderr.contains("run `reminders migrate`"),
        "{}",
        without.stderr
    );
    sysadmin.types("reminders migrate").succeeds();
    sysadmin.cron(CRON).succeeds();

    sysadmin.types("reminders migrate --uninstall").succeeds();
    let ledger = "session_reminder_deliveries".to_owned();
    assert!(platform.relations().contains(&ledger));
    sysadmin
        .types("reminders migrate --uninstall --ledger")
        .succeeds();
    let left = platform.relations();
    assert_eq!(left.len(), 6, "what Laravel has made is there: {left:?}");
    assert_eq!(platform.rows("id", "session_reminder_logs").len(), 3);
}

#[test]
fn the_comparison_is_what_the_guide_shows() {
    let smtp = Smtp::start();
    let platform = lms(&smtp);
    platform.sql(
        "INSERT INTO courses (id, title) VALUES (2, 'Gamelan');
         INSERT INTO enrollments (user_id, course_id, status) VALUES (2, 2, 'active'), (3, 2, 'active');
         UPDATE users SET status = 'active'",
    );
    platform.participant(4, "Suspended", "suspended@example.org");
    platform.sql(
        "UPDATE enrollments SET course_id = 2 WHERE user_id = 4; UPDATE users SET status = 'suspended' WHERE id = 4",
    );
    platform.session(12, "2026-11-23 13:00:00");
    platform.session(13, "2026-11-23 15:00:00");
    platform.session(14, "2026-11-23 09:00:00");
    platform.sql("UPDATE course_sessions SET course_id = 2 WHERE id = 13");
    platform.laravel_tells(12, "2026-11-23 11:55:02", 3);
    platform.laravel_tells(13, "2026-11-23 13:56:03", 3);
    let run = platform
        .run(&["send", "--dry-run", "--compare-log", "--now", NOW])
        .succeeds();
    let (_, sample) = GUIDE.split_once("<!-- sample -->\n").unwrap();
    let shown = sample
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with('|'));
    let shown: Vec<&str> = shown
        .map(|line| line.strip_prefix("    ").unwrap_or(line).trim_end())
        .collect();
    let printed: Vec<&str> = run.stdout.lines().map(str::trim_end).collect();
    assert_eq!(printed, shown[..shown.len() - 1]);
    for verdict in [
        "both",
        "other number",
        "only Laravel",
        "only reminders",
        "not yet",
        "reminders itself",
    ] {
        assert!(GUIDE.contains(&format!("| `{verdict}` |")), "{verdict}");
    }
}

#[test]
fn a_pass_that_lacks_something_says_migrate() {
    for lost in [
        "DROP VIEW session_participants",
        "DROP TABLE session_reminder_logs",
        "ALTER TABLE session_reminder_deliveries DROP COLUMN delivery_status",
    ] {
        let smtp = Smtp::start();
        let platform = Platform::seed().mail(&smtp);
        platform.session(1, START);
        platform.participants(1..=1);
        platform.sql(lost);
        let pass = platform.send().exits(78);
        assert!(
            pass.stderr.contains("run `reminders migrate`"),
            "{lost}: {}",
            pass.stderr
        );
        assert!(smtp.mails().is_empty());
    }
    assert!(GUIDE.contains("``run `reminders migrate` ``"));
}

/// The guide's file, with the ports of this test, and `more`.
fn sails_file(sysadmin: &Sysadmin, smtp: &Smtp, database: &str) {
    let text = sails_settings();
    let text = text.replace("MAIL_PORT=1025", &format!("MAIL_PORT={}", smtp.port()));
    let (host, port) = ("DB_HOST=127.0.0.1\n", "DB_PORT=3306\n");
    let text = match on_sqlite() {
        true => text
            .replace(host, "")
            .replace(port, &format!("{database}\n")),
        false => text.replace(port, &format!("{database}\n")),
    };
    sysadmin
        .runs(&format!("cat > /etc/reminders.env <<'END'\n{text}\nEND"))
        .succeeds();
}

#[test]
fn under_sail_a_file_before_the_platforms_own_says_what_the_host_calls_otherwise() {
    let smtp = Smtp::start();
    let platform = lms(&smtp);
    let settings = platform.database_settings();
    let port = settings
        .lines()
        .find(|line| line.starts_with("DB_PORT"))
        .unwrap_or_default();
    let database = match on_sqlite() {
        true => "DB_DATABASE=/srv/lms/database/database.sqlite",
        false => port,
    };
    sessions(&platform);
    let file = platform
        .path("platform.sqlite")
        .to_str()
        .unwrap()
        .to_owned();
    let platform = platform
        .set("MAIL_HOST", "mailpit")
        .set("MAIL_PORT", "1025");
    let platform = match on_sqlite() {
        true => platform.set("DB_DATABASE", "/var/www/html/database/database.sqlite"),
        false => platform.set("DB_HOST", "mysql").set("DB_PORT", "3306"),
    };
    // The zone stands where Laravel has it, beside the .env that is named last.
    let platform = platform.set("APP_TIMEZONE", "");
    fs::create_dir(platform.path("config")).unwrap();
    fs::write(
        platform.path("config/app.php"),
        "<?php return ['timezone' => 'Asia/Jakarta'];",
    )
    .unwrap();

    let sysadmin = Sysadmin::new(&platform, &file);
    let alone = sysadmin.runs("reminders check");
    assert_ne!(alone.code, 0);
    sails_file(&sysadmin, &smtp, database);
    let check = sysadmin
        .runs("reminders --env-file /etc/reminders.env check")
        .exits(78);
    assert_eq!(broken(&check), ["view", "ledger"]);
    sysadmin
        .runs("reminders --env-file /etc/reminders.env migrate")
        .succeeds();
    let pass = sysadmin.cron(SAIL).succeeds();
    assert_eq!((pass.stdout.as_str(), pass.stderr.as_str()), ("", ""));
    assert_eq!(
        smtp.recipients(),
        ["peserta1@example.org", "peserta2@example.org"]
    );
    if !on_sqlite() {
        let found = sysadmin.runs("DB_HOST=127.0.0.1 reminders send --dry-run");
        assert!(
            !found.stderr.contains("mysql"),
            "the real environment wins: {}",
            found.stderr
        );
    }
}

#[test]
fn without_a_mail_transfer_agent_a_file_has_what_needs_somebody() {
    let smtp = Smtp::start();
    let platform = migrated(&smtp);
    sessions(&platform);
    let sysadmin = Sysadmin::new(&platform, "");
    sysadmin.cron(TO_A_FILE).succeeds();
    let said = || fs::read_to_string(platform.path("reminders.log")).unwrap();
    assert_eq!(said(), "");
    platform.run(&["migrate", "--drop-view"]).succeeds();
    let pass = sysadmin.cron(TO_A_FILE).exits(78);
    assert_eq!((pass.stdout.as_str(), pass.stderr.as_str()), ("", ""));
    assert!(said().contains("run `reminders migrate`"), "{}", said());
}

#[test]
fn the_example_crontab_has_the_guides_lines_and_they_work() {
    let lines: Vec<&str> = CRONTAB
        .lines()
        .map(|line| line.trim_start_matches('#'))
        .filter(|line| line.contains(" /usr/local/bin/reminders "))
        .collect();
    assert_eq!(lines, [CRON, WEEKLY, TO_A_FILE, SAIL]);
    let active: Vec<&str> = CRONTAB
        .lines()
        .filter(|line| line.starts_with('*'))
        .collect();
    assert_eq!(active, [CRON]);
    for line in [CRON, TO_A_FILE, SAIL] {
        assert!(GUIDE.contains(line), "{line}");
    }
    assert_eq!(block(CRONTAB, "REMINDERS_ENV_FILE="), sails_settings());
    let rotation = "/var/log/reminders.log {";
    assert_eq!(block(CRONTAB, rotation), block(GUIDE, rotation));
    assert!(CRONTAB.ends_with('\n') && !CRONTAB.contains("\n\n\n"));

    let smtp = Smtp::start();
    let platform = migrated(&smtp);
    let sysadmin = Sysadmin::new(&platform, "");
    fs::copy(platform.path(".env"), platform.path("reminders.env")).unwrap();
    for line in lines {
        let run = sysadmin.cron(line).succeeds();
        assert_eq!(
            (run.stdout.as_str(), run.stderr.as_str()),
            ("", ""),
            "{line}"
        );
    }
}

#[test]
fn every_command_that_takes_the_place_of_one_of_laravels_works() {
    let smtp = Smtp::start();
    let platform = migrated(&smtp);
    sessions(&platform);
    fs::write(platform.path("opted-in.csv"), "2,081234567890\n").unwrap();
    let sysadmin = Sysadmin::new(&platform, "");
    let (_, table) = GUIDE.split_once("## Command for command").unwrap();
    let runs = |command: &str, code: i32| {
        assert!(table.contains(&format!("`{command}`")), "{command}");
        sysadmin.runs(command).exits(code)
    };
    for phone in ["081234567890", "6281234567890", "+6281234567890"] {
        assert!(table.contains(phone));
        platform.sql("UPDATE user_profiles SET phone = NULL, whatsapp_opt_in = false");
        platform.run(&["opt-in", "1", "--phone", phone]).succeeds();
        let profile = platform.rows("phone, whatsapp_opt_in", "user_profiles");
        assert_eq!(profile, ["+6281234567890|1"], "{phone}");
    }
    runs("reminders opt-in 1 --phone 081234567890", 0);
    assert!(table.contains("`--file opted-in.csv`"));
    platform
        .run(&["opt-in", "--file", "opted-in.csv"])
        .succeeds();
    runs("reminders opt-out 1", 0);
    runs("reminders send", 0);
    runs("reminders send -v", 0);
    runs("reminders status", 0);
    let failed = runs("reminders log --status failed", 0);
    assert!(!failed.stdout.contains("peserta"));
    runs("reminders retry 12", 1);
    runs("reminders retry --failed", 0);
    runs("reminders test mail you@kursus.example", 0);
    runs("reminders test whatsapp 081234567890", 0);
    platform.session(12, &wall_in(2000));
    platform.sql("UPDATE users SET email = 'budi@example.org' WHERE id = 1");
    runs("reminders explain 12 budi@example.org", 0);
    runs("reminders report 12", 0);
    assert_eq!(smtp.mails().len(), 3);
}

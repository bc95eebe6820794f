//! `log`: what was sent to whom, narrowed and followed.

use std::{
    io::{self, BufRead, BufReader},
    process::{Child, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{NOW, Platform, Run, START, wall_in},
    twilio::Twilio,
};

/// Budi and Siti were told by mail, Budi by WhatsApp, Joko could not be.
fn told(smtp: &Smtp, twilio: &Twilio) -> Platform {
    let platform = Platform::seed().mail(smtp).whatsapp(twilio);
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.participant(2, "Siti", "siti@example.org");
    platform.participant(3, "Joko", "joko@example.org");
    platform.opted_in(1, "081234567890");
    platform.send().exits(1);
    platform
}

/// A server that does not know Joko.
fn smtp() -> Smtp {
    let server = Smtp::builder().script(|phase, to| match (phase, to) {
        (Phase::Rcpt, "joko@example.org") => {
            Reply::Say("550 5.1.1 \u{1b}[31mno such user\u{202e}".into())
        }
        _ => Reply::Accept,
    });
    server.start()
}

/// The rows that `log` prints with these arguments, as JSON.
fn log(platform: &Platform, arguments: &[&str]) -> Vec<serde_json::Value> {
    let arguments = [&["log", "--format", "json"], arguments].concat();
    let run = platform.run(&arguments).succeeds();
    let lines = run.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn each_message_has_a_line_newest_first_with_its_recipient_masked() {
    let (smtp, twilio) = (smtp(), Twilio::start());
    let platform = told(&smtp, &twilio);
    let run = platform.run(&["log"]).succeeds();
    assert_eq!(run.stderr, "");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{}", run.stdout);
    assert!(lines[0].starts_with("id"), "{}", lines[0]);
    let shown: Vec<(&str, i64)> = lines[1..]
        .iter()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (words[2], words[0].parse().unwrap())
        })
        .collect();
    assert!(shown.is_sorted_by(|a, b| a > b), "{shown:?}");
    // In the platform's zone.
    assert!(lines[1].contains("23 16:00:0"), "{}", lines[1]);
    assert!(run.stdout.contains("+62812****890"), "{}", run.stdout);
    assert!(run.stdout.contains("b***@e***.org"), "{}", run.stdout);
    assert!(!run.stdout.contains("budi@") && !run.stdout.contains("81234567"));
    let joko = lines.iter().find(|line| line.contains("failed")).unwrap();
    assert!(joko.contains("550 5.1.1"), "{joko}");
    assert!(!run.stdout.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn options_narrow_what_is_listed() {
    let (smtp, twilio) = (smtp(), Twilio::start());
    let platform = told(&smtp, &twilio);
    platform.session(2, "2026-11-23 17:30:00");
    platform.session(9, "2026-11-24 17:30:00");
    platform.send_at("2026-11-23T16:30:00+07:00").exits(1);
    for (arguments, rows) in [
        (&[][..], 8),
        (&["--session", "2"], 4),
        (&["--session", "9"], 0),
        (&["--user", "1"], 4),
        (&["--user", "Budi@Example.org"], 4),
        (&["--status", "failed"], 2),
        (&["--status", "failed", "--session", "1"], 1),
        (&["--status", "pending"], 0),
        (&["--status", "failed,pending"], 2),
        (&["--status", "failed,sent"], 8),
        (&["--status", "failed,missed", "--session", "1"], 1),
        (&["--channel", "whatsapp"], 2),
        (&["--limit", "3"], 3),
        // Session 2's, and what was learnt of session 1's WhatsApp message meanwhile.
        (&["--since", "2026-11-23T16:15:00+07:00"], 5),
        (&["--since", "2026-11-23"], 8),
        (&["--since", "2026-11-24"], 0),
    ] {
        let found = log(&platform, arguments);
        assert_eq!(found.len(), rows, "{arguments:?}");
    }
}

#[test]
fn the_newest_by_the_time_shown_stands_first_whatever_its_id() {
    let (smtp, twilio) = (smtp(), Twilio::start());
    let platform = told(&smtp, &twilio);
    let rows = log(&platform, &[]);
    let all: Vec<i64> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
    // The oldest row was sent last; Joko's, which was never sent, failed last of all.
    let joko = log(&platform, &["--user", "3"])[0]["id"].as_i64().unwrap();
    let first = *all.iter().filter(|id| **id != joko).min().unwrap();
    for (id, column, minute) in [(first, "sent_at", 3), (joko, "updated_at", 4)] {
        platform.sql(&format!(
            "UPDATE session_reminder_deliveries SET {column} = '2026-11-23 09:0{minute}:00' WHERE id = {id}"
        ));
    }
    let ids = |arguments: &[&str]| -> Vec<i64> {
        let rows = log(&platform, arguments);
        rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(ids(&[])[..2], [joko, first]);
    assert_eq!(ids(&["--limit", "1"]), [joko]);
    assert_eq!(ids(&["--session", "1"]), ids(&[]));
    assert_eq!(ids(&["--status", "sent", "--limit", "1"]), [first]);
    let since = ["--since", "2026-11-23", "--limit", "2"];
    assert_eq!(ids(&since), [joko, first]);
}

#[test]
fn where_there_is_nothing_that_is_said() {
    let (smtp, twilio) = (smtp(), Twilio::start());
    let platform = told(&smtp, &twilio);
    let run = platform.run(&["log", "--status", "missed"]).succeeds();
    assert_eq!(
        (run.stdout.as_str(), run.stderr.as_str()),
        ("nothing\n", "")
    );
    assert_eq!(log(&platform, &["--status", "missed"]).len(), 0);
    // A session that is gone is known by what was sent.
    platform.sql("DELETE FROM course_sessions");
    let gone = ["log", "--session", "1", "--status", "missed"];
    assert_eq!(platform.run(&gone).succeeds().stdout, "nothing\n");
}

#[test]
fn a_session_that_nobody_knows_is_named_with_those_that_come() {
    let platform = Platform::seed();
    platform.participants(1..=1);
    platform.session(3, &wall_in(600));
    for arguments in [
        &["log", "--session", "99"][..],
        &["log", "--session", "99", "--follow"],
        &["retry", "--failed", "--session", "99"],
    ] {
        let run = platform.run(arguments).exits(1);
        assert_eq!(run.stdout, "");
        assert!(
            run.stderr
                .contains("there is no session 99: sessions that start soon are 3 ("),
            "{}",
            run.stderr
        );
    }
    // It narrows a pass, in which then nothing is due.
    for arguments in [
        &["send", "--session", "99"][..],
        &["send", "--session", "99", "--dry-run"],
    ] {
        let run = platform.run(arguments).succeeds();
        assert!(
            run.stderr.contains("warn: there is no session 99: "),
            "{}",
            run.stderr
        );
    }
    assert_eq!(
        platform.run(&["send", "--session", "3"]).succeeds().stderr,
        ""
    );
}

#[test]
fn whatever_state_is_shown_can_be_asked_for() {
    let (smtp, twilio) = (smtp(), Twilio::start());
    let platform = told(&smtp, &twilio);
    let ids = |state: &str| -> Vec<i64> {
        let rows = log(&platform, &["--status", state]);
        rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
    };
    let sent = ids("sent");
    assert_eq!(sent.len(), 3);
    for fate in ["delivered", "read"] {
        platform.sql(&format!(
            "UPDATE session_reminder_deliveries SET delivery_status = '{fate}' WHERE channel = 'whatsapp'"
        ));
        let found = ids(fate);
        assert_eq!(found.len(), 1, "{fate}");
        let shown = platform.run(&["log", "--status", fate]).succeeds().stdout;
        assert!(shown.lines().nth(1).unwrap().contains(fate), "{shown}");
        // It was sent all the same.
        assert_eq!(ids("sent"), sent);
    }
    assert_eq!(ids("delivered"), [0; 0]);
    // One that failed after all is no longer shown so.
    platform
        .sql("UPDATE session_reminder_deliveries SET status = 'failed' WHERE channel = 'whatsapp'");
    assert_eq!((ids("read").len(), ids("failed").len()), (0, 2));
}

#[test]
fn a_line_of_json_has_the_documented_fields() {
    let (smtp, twilio) = (smtp(), Twilio::start());
    let platform = told(&smtp, &twilio);
    let budi = &log(&platform, &["--user", "1", "--channel", "mail"])[0];
    let fields: Vec<&String> = budi.as_object().unwrap().keys().collect();
    let mut documented = [
        "id",
        "session_id",
        "user_id",
        "channel",
        "kind",
        "lead_minutes",
        "scheduled_at",
        "status",
        "attempts",
        "next_attempt_at",
        "claimed_by",
        "claimed_at",
        "lease_until",
        "recipient",
        "message_id",
        "error_code",
        "error",
        "sent_at",
        "delivery_status",
        "created_at",
        "updated_at",
    ];
    documented.sort_unstable();
    assert_eq!(fields, documented);
    assert_eq!(budi["recipient"], "b***@e***.org");
    assert_eq!(budi["scheduled_at"], START);
    assert!(
        budi["sent_at"]
            .as_str()
            .unwrap()
            .starts_with("2026-11-23T09:00:0")
    );
}

#[test]
fn what_it_does_not_know_is_named() {
    let platform = Platform::seed();
    let run = platform
        .run(&["log", "--user", "no\u{1b}body@example.org"])
        .exits(1);
    assert_eq!(run.stderr.lines().count(), 1);
    assert!(run.stderr.contains("no body@example.org"), "{}", run.stderr);
    platform.run(&["log", "--user", "77"]).exits(1);
    let run = platform.run(&["log", "--status", "bounced"]).exits(2);
    let states = "[possible values: pending, sending, sent, delivered, read, failed, cancelled, missed, unknown]";
    assert!(run.stderr.contains(states), "{}", run.stderr);
    for since in ["soon", "2w", "-3h", "2026-13-01", "9999999999d"] {
        let run = platform.run(&["log", &format!("--since={since}")]).exits(2);
        assert!(run.stderr.contains("such as 2026-11-23"), "{}", run.stderr);
    }
    let run = Platform::untouched().run(&["log"]).exits(78);
    assert!(
        run.stderr.contains("run `reminders migrate`"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_was_sent_to_somebody_who_is_gone_is_still_found_by_id() {
    let (smtp, twilio) = (smtp(), Twilio::start());
    let platform = told(&smtp, &twilio);
    let before = log(&platform, &["--user", "1"]);
    assert!(!before.is_empty());
    platform.sql("DELETE FROM enrollments; DELETE FROM user_profiles; DELETE FROM users");
    assert_eq!(log(&platform, &["--user", "1"]), before);
    platform.run(&["log", "--user", "77"]).exits(1);
}

/// The platform's own users are not those of the view.
const OWN_VIEW: &str = "CREATE VIEW session_participants AS
    SELECT l.id AS session_id, NULL AS course_id, l.topic AS session_title, l.topic AS course_title,
        l.begins AS scheduled_at, 45 AS duration_minutes, 'offline' AS mode, NULL AS modality, NULL AS meeting_url,
        'Ruang 3' AS location, p.id AS user_id, p.nick AS name, p.mailbox AS email, NULL AS phone,
        false AS whatsapp_opt_in, NULL AS timezone, 'id' AS locale
    FROM lessons l CROSS JOIN people p";

#[test]
fn whom_an_operators_own_view_lists_is_found_by_address() {
    for users in [
        "",
        "CREATE TABLE users (id bigint primary key, email varchar(255), name varchar(255));",
        "CREATE TABLE users (id bigint primary key, login varchar(255));",
    ] {
        let platform = Platform::empty().with_files();
        platform.sql(&format!(
            "CREATE TABLE lessons (id bigint primary key, topic varchar(255), begins timestamp NULL);
             CREATE TABLE people (id bigint primary key, nick varchar(255), mailbox varchar(255));
             INSERT INTO lessons VALUES (7, 'Gamelan', '{START}');
             INSERT INTO people VALUES (3, 'Agus', 'agus@example.org'), (4, 'Rina', 'rina@example.org');
             {users} {OWN_VIEW}"
        ));
        platform.run(&["migrate"]).succeeds();
        platform.send().succeeds();
        for who in ["agus@example.org", " Agus@Example.org", "3"] {
            let rows = log(&platform, &["--user", who]);
            assert_eq!(rows.len(), 1, "{who}");
            assert_eq!(rows[0]["user_id"], 3);
            platform.run(&["explain", "7", who]).succeeds();
        }
        let unknown = platform.run(&["log", "--user", "siti@example.org"]);
        let said = "the view session_participants lists no user \"siti@example.org\"";
        let stderr = unknown.exits(1).stderr;
        assert!(stderr.contains(said), "{stderr}");
    }
}

#[test]
fn a_reader_who_has_had_enough_is_no_error() {
    let (smtp, twilio) = (smtp(), Twilio::start());
    let platform = told(&smtp, &twilio);
    for arguments in [
        &["log"][..],
        &["log", "--format", "json"],
        &["log", "--follow"],
        &["log", "--follow", "--limit", "0"],
    ] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = platform.command(arguments).stdout(writer).output().unwrap();
        let run = Run::of(arguments, output).succeeds();
        assert_eq!(run.stderr, "");
    }
}

/// A `log --follow` whose lines come one by one.
struct Followed {
    process: Child,
    lines: Receiver<String>,
}

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

impl Followed {
    fn start(platform: &Platform, arguments: &[&str]) -> Followed {
        let mut command = platform.command(&[&["log", "--follow"], arguments].concat());
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (to, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                let _ = to.send(line.unwrap());
            }
        });
        Followed { process, lines }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    /// Ctrl-C.
    fn interrupt(mut self) -> i32 {
        let id = self.process.id().to_string();
        let kill = ["-c", &format!("kill -INT {id}")];
        std::process::Command::new("sh")
            .args(kill)
            .status()
            .unwrap();
        self.process.wait().unwrap().code().unwrap_or(-1)
    }
}

#[test]
fn following_it_prints_what_happens_once_and_ends_by_ctrl_c() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    platform.session(1, &wall_in(60));
    platform.participants(1..=2);
    platform.run(&["send"]).succeeds();
    let followed = Followed::start(&platform, &[]);
    assert!(followed.next().starts_with("id"));
    for user in ["peserta1", "peserta2"] {
        let line = followed.next();
        assert!(line.contains("sent"), "{user}: {line}");
    }
    platform.participants(3..=3);
    platform.run(&["send"]).succeeds();
    let line = followed.next();
    assert!(line.contains("sent") && line.contains(" 3  "), "{line}");
    // What happens to an older row, too.
    let now = chrono::Utc::now().format("%Y-%m-%d %H:%M:%S");
    platform.sql(&format!(
        "UPDATE session_reminder_deliveries SET status = 'failed', updated_at = '{now}' WHERE user_id = 1"
    ));
    let line = followed.next();
    assert!(line.contains("failed"), "{line}");
    let more = followed.lines.recv_timeout(Duration::from_secs(3));
    assert_eq!(
        more,
        Err(RecvTimeoutError::Timeout),
        "nothing is said twice"
    );
    assert_eq!(followed.interrupt(), 0);
}

#[test]
fn following_it_can_be_narrowed_and_be_json() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    platform.session(1, &wall_in(60));
    platform.participants(1..=3);
    let followed = Followed::start(&platform, &["--user", "2", "--format", "json"]);
    platform.run(&["send"]).succeeds();
    let mut line: serde_json::Value = serde_json::from_str(&followed.next()).unwrap();
    while line["status"] != "sent" {
        line = serde_json::from_str(&followed.next()).unwrap();
    }
    assert_eq!(line["user_id"], 2);
    assert_eq!(followed.interrupt(), 0);
}

#[test]
fn a_year_that_is_over_is_said() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    platform.session(1, "2025-11-23 17:00:00");
    platform.participant(1, "Budi", "budi@example.org");
    platform
        .run(&["send", "--now", &NOW.replace("2026", "2025")])
        .succeeds();
    let run = platform.run(&["log"]).succeeds();
    assert!(run.stdout.contains("2025-11-23 16:00:0"), "{}", run.stdout);
}

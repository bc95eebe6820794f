//! A database server that goes away in the middle of a pass, or is not there, or does not know us.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    process::{Child, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    servers::Server,
    smtp::{Phase, Reply, Smtp},
    support::{BackEnd, NOW, Platform, Run, START, nobody_lost, on, on_sqlite},
    twilio::Twilio,
};

/// After [`NOW`], later than every lease taken then.
const LATER: [&str; 2] = ["2026-11-23T16:03:00+07:00", "2026-11-23T16:06:00+07:00"];

const CONNECTIONS: usize = 3;

/// Longer than a pass looks for a server that is gone: a pass that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

struct Story {
    server: Arc<Server>,
    smtp: Smtp,
    twilio: Twilio,
    platform: Platform,
}

/// A due session with 200 participants, every fourth of them with WhatsApp, on a server of its own.
fn story() -> Story {
    let server = Server::start(BackEnd::chosen());
    let smtp = Smtp::builder().script(|phase, _| match phase {
        Phase::Body => Reply::Delay(Duration::from_millis(20)),
        _ => Reply::Accept,
    });
    let (smtp, twilio) = (smtp.start(), Twilio::start());
    let platform = Platform::untouched_at(&server)
        .migrated()
        .mail(&smtp)
        .whatsapp(&twilio)
        .set("MAIL_CONNECTIONS", &CONNECTIONS.to_string())
        .set("TWILIO_CONNECTIONS", &CONNECTIONS.to_string());
    platform.session(1, START);
    platform.participants(1..=200);
    for id in (4..=200).step_by(4) {
        platform.opted_in(id, &format!("0812345{}", 10_000 + id));
    }
    Story {
        server,
        smtp,
        twilio,
        platform,
    }
}

impl Story {
    /// A pass, and the server killed in the middle of it.
    fn killed_in_the_middle(&self) -> Child {
        let mut pass = self.platform.command(&["send", "--now", NOW]);
        let pass = pass.stdout(Stdio::piped()).stderr(Stdio::piped());
        let pass = pass.spawn().unwrap();
        self.smtp.wait_for(40);
        self.server.stop();
        pass
    }

    /// The passes of the next minutes.
    fn go_on(&self) {
        for now in LATER {
            self.platform.send_at(now).succeeds();
        }
    }

    fn everybody_was_told(&self) {
        nobody_lost(&self.smtp, 200, 2 * CONNECTIONS);
        let created = self.twilio.created();
        let numbers: BTreeSet<_> = created.iter().map(|message| &message.to).collect();
        assert_eq!((created.len(), numbers.len()), (50, 50));
        let by_status = "session_reminder_deliveries GROUP BY channel, status ORDER BY channel";
        assert_eq!(
            self.platform.rows("channel, status, count(*)", by_status),
            ["mail|sent|200", "whatsapp|sent|50"]
        );
    }
}

/// How a pass ended whose server was killed.
fn ended(mut pass: Child) -> Run {
    let end = Instant::now() + PATIENCE;
    while pass.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            pass.kill().unwrap();
            panic!("the pass hangs");
        }
        thread::sleep(Duration::from_millis(20));
    }
    let run = Run::of(&["send"], pass.wait_with_output().unwrap());
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    run
}

#[test]
fn a_server_that_restarts_in_the_middle_of_a_pass_costs_nobody_a_reminder() {
    if on_sqlite() {
        return;
    }
    let story = story();
    let pass = story.killed_in_the_middle();
    thread::sleep(Duration::from_secs(2));
    story.server.restart();
    let run = ended(pass);
    assert!([0, 75].contains(&run.code), "{}", run.code);
    story.go_on();
    story.everybody_was_told();
}

#[test]
fn a_server_that_stays_away_ends_the_pass_and_the_next_one_goes_on() {
    if on_sqlite() {
        return;
    }
    let story = story();
    let run = ended(story.killed_in_the_middle()).exits(75);
    assert!(run.stderr.contains("in the database"), "{}", run.stderr);
    assert!(run.complaints().len() <= 5, "{}", run.stderr);
    story.server.restart();
    story.go_on();
    story.everybody_was_told();
}

#[test]
fn a_server_that_is_not_there_is_one_clear_line() {
    if on_sqlite() {
        return;
    }
    let server = Server::start(BackEnd::chosen());
    let platform = Platform::untouched_at(&server).migrated();
    server.stop();
    for arguments in [&["send", "--now", NOW][..], &["send", "--dry-run"]] {
        let run = platform.run(arguments).exits(75);
        let complaints = run.complaints();
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        assert!(complaints[0].contains(platform.database_name()));
        let said = on("", "refused", "Can't connect to server");
        assert!(complaints[0].contains(said), "{complaints:?}");
        assert!(!run.stderr.contains(server.password()), "{}", run.stderr);
    }
    server.restart();
    platform.send().succeeds();
}

#[test]
fn a_server_that_accepts_and_is_silent_is_given_up_in_seconds() {
    if on_sqlite() {
        return;
    }
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let platform = Platform::untouched().set("DB_PORT", &port);
    let began = Instant::now();
    let run = platform.send().exits(75);
    let seconds = began.elapsed().as_secs();
    assert!((5..25).contains(&seconds), "{seconds} s: {}", run.stderr);
    assert!(run.stderr.contains(&port), "{}", run.stderr);
}

#[test]
fn what_the_server_refuses_for_good_is_78_with_the_cure() {
    if on_sqlite() {
        return;
    }
    let wrong = [
        ("DB_PASSWORD", "hunter2 'and\" more", "DB_PASSWORD"),
        ("DB_USERNAME", "nobody_of_that_name", "DB_USERNAME"),
        ("DB_DATABASE", "no_database_of_that_name", "DB_DATABASE"),
    ];
    for (variable, value, cure) in wrong {
        let platform = Platform::untouched().set(variable, value);
        for command in ["send", "migrate"] {
            let run = platform.run(&[command]).exits(78);
            assert_eq!(run.complaints().len(), 1, "{}", run.stderr);
            assert!(run.stderr.contains(cure), "{}", run.stderr);
            assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
        }
    }
}

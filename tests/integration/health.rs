//! The pings to a watcher.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant, SystemTime},
};

use crate::{
    loopback::Loopback,
    smtp::Smtp,
    support::{NOW, Platform, START, program},
};

/// A watcher that notes `path body` of every ping and then answers.
struct Watcher {
    server: Loopback,
    pings: Arc<Mutex<Vec<String>>>,
}

impl Watcher {
    fn start() -> Self {
        Self::answering(|_| {})
    }

    /// Answers a ping when `wait`, which is given the ping, has returned.
    fn answering(wait: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let pings: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&pings);
        let server = Loopback::start(move |mut stream, _| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while let Some(ping) = ping(&mut reader) {
                wait(&ping);
                noted.lock().unwrap().push(ping);
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";
                if stream.write_all(answer).is_err() {
                    return;
                }
            }
        });
        Self { server, pings }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/secret", self.server.port())
    }

    /// Those since the last time it was asked.
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.pings.lock().unwrap())
    }
}

/// The next request on a connection.
fn ping(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head: Vec<String> = Vec::new();
    while let Some(Ok(line)) = reader.by_ref().lines().next() {
        if line.is_empty() {
            break;
        }
        head.push(line.to_lowercase());
    }
    let length = head
        .iter()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let path = head.first()?.split(' ').nth(1).unwrap().to_owned();
    Some(format!("{path} {}", String::from_utf8(body).unwrap()))
}

fn due(smtp: &Smtp) -> Platform {
    let platform = Platform::seed().mail(smtp);
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform
}

#[test]
fn a_watcher_hears_of_the_start_and_the_end_of_each_pass_over_one_connection() {
    let (smtp, watcher) = (Smtp::start(), Watcher::start());
    let platform = due(&smtp).set("HEALTHCHECK_URL", &watcher.url());
    platform.send().succeeds();
    let heard = watcher.heard();
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert_eq!(heard[0], "/secret/start ");
    assert!(heard[1].starts_with("/secret sent 1,"), "{heard:?}");
    assert_eq!(watcher.server.connections(), 1);
    platform.send().succeeds();
    assert_eq!(watcher.heard().len(), 2, "also of a pass without work");
}

#[test]
fn a_reminder_that_failed_is_a_success_and_a_channel_or_setting_that_did_is_none() {
    let (smtp, watcher) = (Smtp::start(), Watcher::start());
    let platform = due(&smtp).set("HEALTHCHECK_URL", &watcher.url());
    platform.participant(2, "Siti", "siti");
    platform.send().exits(1);
    let heard = watcher.heard();
    assert!(heard[1].starts_with("/secret sent 1,"), "{heard:?}");
    assert!(heard[1].contains("failed 1,"), "{heard:?}");

    platform.participant(3, "Tono", "tono@example.org");
    let platform = platform.set("MAIL_PORT", "9");
    platform.send().exits(75);
    let heard = watcher.heard();
    assert!(heard[1].starts_with("/secret/fail sent 0,"), "{heard:?}");
    assert!(heard[1].ends_with("mail stopped: connect"), "{heard:?}");

    platform.set("MAIL_PORT", "x").send().exits(78);
    let heard = watcher.heard();
    assert_eq!(heard[0], "/secret/start ");
    assert!(heard[1].starts_with("/secret/fail "), "{heard:?}");
}

#[test]
fn settings_that_keep_a_pass_from_beginning_are_told_without_what_they_hold() {
    let watcher = Watcher::start();
    let platform = Platform::empty()
        .set("HEALTHCHECK_URL", &watcher.url())
        .set("REMINDER_LEAD", "budi@example.org")
        .set("DB_CONNECTION", "oracle");
    platform.send().exits(78);
    let told = "/secret/fail wrong settings: DB_CONNECTION, REMINDER_LEAD";
    assert_eq!(watcher.heard(), ["/secret/start ", told]);
    for command in [&["send", "--dry-run"][..], &["migrate"], &["check"]] {
        platform.run(command);
        assert!(watcher.heard().is_empty(), "{command:?}");
    }
}

#[test]
fn a_database_that_cannot_be_used_is_told() {
    let watcher = Watcher::start();
    let platform = Platform::empty().set("HEALTHCHECK_URL", &watcher.url());
    platform.send().exits(78);
    let heard = watcher.heard();
    assert!(
        heard[1].starts_with("/secret/fail could not work"),
        "{heard:?}"
    );
}

#[test]
fn a_pass_that_hangs_is_told_by_those_that_find_it_at_work() {
    let watcher = Watcher::start();
    let platform = Platform::seed().set("HEALTHCHECK_URL", &watcher.url());
    platform.send().succeeds();
    let state = platform.path(".local/state/reminders");
    let lock = fs::read_dir(state).unwrap().next().unwrap().unwrap().path();
    let lock = File::options().write(true).open(lock).unwrap();
    lock.lock().unwrap();
    platform.send().succeeds();
    assert_eq!(
        watcher.heard().len(),
        2,
        "it works since a moment: nothing is told"
    );
    let long_ago = SystemTime::now() - Duration::from_secs(20 * 60);
    lock.set_modified(long_ago).unwrap();
    platform.send().exits(75);
    let told = "/secret/fail another pass has been working for 20 minutes";
    assert_eq!(watcher.heard(), ["/secret/start ", told]);
}

#[test]
fn no_ping_names_anybody() {
    let watcher = Watcher::start();
    let smtp = Smtp::builder()
        .script(|phase, to| match phase {
            crate::smtp::Phase::Rcpt => {
                crate::smtp::Reply::Say(format!("421 4.7.0 {to} is too much"))
            }
            _ => crate::smtp::Reply::Accept,
        })
        .start();
    let platform = due(&smtp).set("HEALTHCHECK_URL", &watcher.url());
    platform.send().exits(75);
    let heard = watcher.heard();
    assert!(heard[1].starts_with("/secret/fail "), "{heard:?}");
    assert!(!heard.concat().contains("budi"), "{heard:?}");
}

#[test]
fn the_work_does_not_wait_for_the_watcher() {
    let smtp = Arc::new(Smtp::start());
    let asked = Arc::clone(&smtp);
    let watcher = Watcher::answering(move |_| drop(asked.wait_for(1)));
    let platform = due(&smtp).set("HEALTHCHECK_URL", &watcher.url());
    platform.send().succeeds();
    let heard = watcher.heard();
    assert!(heard[1].starts_with("/secret sent 1,"), "{heard:?}");
}

#[test]
fn the_end_is_not_told_before_the_start() {
    let watcher = Watcher::answering(|ping| {
        if ping.contains("/start") {
            thread::sleep(Duration::from_secs(1));
        }
    });
    let platform = Platform::seed().set("HEALTHCHECK_URL", &watcher.url());
    platform.send().succeeds();
    let heard = watcher.heard();
    assert_eq!(heard[0], "/secret/start ", "{heard:?}");
    assert!(heard[1].starts_with("/secret sent 0,"), "{heard:?}");
}

#[test]
fn a_silent_watcher_costs_five_seconds_in_all_and_one_that_is_gone_nothing() {
    let smtp = Smtp::start();
    let silent = Loopback::start(|mut stream, _| drop(stream.read_to_end(&mut Vec::new())));
    let url = format!("http://127.0.0.1:{}/", silent.port());
    let platform = due(&smtp).set("HEALTHCHECK_URL", &url);
    let begun = Instant::now();
    let run = platform.send().succeeds();
    // Not five for each of the two pings.
    assert!((4..9).contains(&begun.elapsed().as_secs()));
    assert_eq!(run.complaints(), [""; 0]);
    assert_eq!(smtp.mails().len(), 1);
    let begun = Instant::now();
    let platform = platform.set("HEALTHCHECK_URL", "http://127.0.0.1:9/");
    platform.send().succeeds();
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[test]
fn the_address_of_a_check_may_have_a_question_mark_and_is_never_shown() {
    let watcher = Watcher::start();
    let url = format!("{}/slug?create=1", watcher.url());
    let platform = Platform::seed().set("HEALTHCHECK_URL", &url);
    platform.run(&["-vv", "send", "--now", NOW]).succeeds();
    let heard = watcher.heard();
    assert_eq!(heard[0], "/secret/slug/start?create=1 ");
    assert!(
        heard[1].starts_with("/secret/slug?create=1 sent 0,"),
        "{heard:?}"
    );
    let mut gone = program(&platform.path(""));
    let gone = gone
        .args(["-vv", "send"])
        .env("HEALTHCHECK_URL", "http://127.0.0.1:9/secret");
    let said = gone.output().unwrap().stderr;
    let said = String::from_utf8_lossy(&said);
    assert!(
        said.contains("HEALTHCHECK_URL could not be reached"),
        "{said}"
    );
    assert!(!said.contains("secret"), "{said}");
}

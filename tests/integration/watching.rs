//! What watches the passes: the health ping and the metrics file; and the day's budget of mails.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    sync::{Arc, Mutex},
};

use crate::{
    loopback::Loopback,
    smtp::Smtp,
    support::{Platform, START},
};

/// A watcher that notes `path body` of every ping, and says OK.
fn watcher() -> (Loopback, Arc<Mutex<Vec<String>>>) {
    let pings = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&pings);
    let server = Loopback::start(move |mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = Vec::new();
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
        let path = head[0].split(' ').nth(1).unwrap().to_owned();
        noted
            .lock()
            .unwrap()
            .push(format!("{path} {}", String::from_utf8(body).unwrap()));
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK")
            .unwrap();
    });
    (server, pings)
}

fn due(smtp: &Smtp, participants: i64) -> Platform {
    let platform = Platform::seed().mail(smtp);
    platform.session(1, START);
    for id in 1..=participants {
        platform.participant(id, &format!("Peserta {id}"), &format!("p{id}@example.org"));
    }
    platform
}

#[test]
fn a_watcher_hears_of_the_start_and_the_end_of_each_pass_and_of_nobody() {
    let (server, pings) = watcher();
    let smtp = Smtp::start();
    let url = format!("http://127.0.0.1:{}/secret", server.port());
    let platform = due(&smtp, 1).set("HEALTHCHECK_URL", &url);
    platform.send().succeeds();
    platform
        .set("MAIL_PORT", "9")
        .set("TWILIO_SID", "half")
        .send()
        .exits(78);
    let pings = pings.lock().unwrap();
    assert_eq!(pings[0], "/secret/start ");
    assert!(pings[1].starts_with("/secret sent 1,"), "{pings:?}");
    assert_eq!(pings[2], "/secret/start ");
    assert!(pings[3].starts_with("/secret/fail "), "{pings:?}");
    assert!(!pings.concat().contains("example.org"), "{pings:?}");
}

#[test]
fn the_metrics_file_says_when_and_how_the_last_pass_ended_and_what_the_ledger_holds() {
    let smtp = Smtp::start();
    let platform = due(&smtp, 2).set("METRICS_FILE", "reminders.prom");
    platform.send().succeeds();
    let metrics = fs::read_to_string(platform.path("reminders.prom")).unwrap();
    assert!(
        metrics.contains("reminders_last_pass_exit_code 0\n"),
        "{metrics}"
    );
    let sent = "reminders_deliveries{channel=\"mail\",status=\"sent\"} 2\n";
    assert!(metrics.contains(sent), "{metrics}");
    let leftovers = fs::read_dir(platform.path("")).unwrap().flatten();
    let leftovers = leftovers.filter(|entry| entry.file_name().to_string_lossy().contains("prom."));
    assert_eq!(leftovers.count(), 0);
}

#[test]
fn a_metrics_file_that_cannot_be_written_fails_no_pass() {
    let smtp = Smtp::start();
    let platform = due(&smtp, 1).set("METRICS_FILE", "no/such/folder/reminders.prom");
    let run = platform.send().succeeds();
    assert!(run.stderr.contains("METRICS_FILE"), "{}", run.stderr);
    assert_eq!(smtp.mails().len(), 1);
}

#[test]
fn beyond_the_days_budget_mails_wait_until_the_first_no_longer_count() {
    let smtp = Smtp::start();
    let platform = due(&smtp, 5).set("MAIL_MAX_PER_DAY", "3");
    let run = platform.send().exits(75);
    assert!(run.stderr.contains("MAIL_MAX_PER_DAY"), "{}", run.stderr);
    assert_eq!(smtp.mails().len(), 3);
    platform.send_at("2026-11-23T16:20:00+07:00").exits(75);
    assert_eq!(smtp.mails().len(), 3);

    platform.session(2, "2026-11-24 17:30:00");
    platform.sql("DELETE FROM enrollments WHERE user_id > 2");
    platform.send_at("2026-11-24T16:30:00+07:00").succeeds();
    assert_eq!(
        smtp.mails().len(),
        5,
        "a day later the budget is there again"
    );
}

#[test]
fn the_pass_that_uses_up_most_of_the_days_budget_says_so_once() {
    let smtp = Smtp::start();
    let platform = due(&smtp, 7).set("MAIL_MAX_PER_DAY", "10");
    let said = |now: &str| -> usize {
        let run = platform.send_at(now).succeeds();
        let lines = run.complaints();
        let told = lines
            .iter()
            .filter(|line| line.contains("MAIL_MAX_PER_DAY"));
        told.filter(|line| line.contains("8 of the 10 mails"))
            .count()
    };
    assert_eq!(said("2026-11-23T16:00:00+07:00"), 0);
    platform.participant(8, "Siti", "siti@example.org");
    assert_eq!(said("2026-11-23T16:01:00+07:00"), 1);
    platform.participant(9, "Tono", "tono@example.org");
    assert_eq!(said("2026-11-23T16:02:00+07:00"), 0);
    assert_eq!(smtp.mails().len(), 9);
}

#[test]
fn a_pass_that_uses_up_all_of_the_days_budget_says_so_and_what_waits_says_how_much() {
    let smtp = Smtp::start();
    let platform = due(&smtp, 10).set("MAIL_MAX_PER_DAY", "10");
    let run = platform.send().succeeds();
    assert!(run.stderr.contains("10 of the 10 mails"), "{}", run.stderr);
    platform.participant(11, "Siti", "siti@example.org");
    platform.participant(12, "Tono", "tono@example.org");
    let run = platform.send_at("2026-11-23T16:01:00+07:00").exits(75);
    let spent = "MAIL_MAX_PER_DAY=10 is reached: 2 wait";
    assert!(run.stderr.contains(spent), "{}", run.stderr);
    assert_eq!(run.complaints().len(), 1, "{}", run.stderr);
}

#[test]
fn the_nearest_sessions_come_first_where_the_days_budget_is_short() {
    let smtp = Smtp::start();
    let platform = due(&smtp, 2).set("MAIL_MAX_PER_DAY", "2");
    platform.session(2, "2026-11-23 16:56:00");
    platform.send().exits(75);
    let sent = platform.rows(
        "course_session_id, count(*)",
        "session_reminder_deliveries WHERE status = 'sent' GROUP BY course_session_id",
    );
    assert_eq!(sent, ["2|2"]);
}

//! SIGTERM and SIGINT in the middle of a pass: it ends within five seconds, has accounted for what was on its way, and
//! the next pass goes on at once.

use std::{
    io::{Read, Write},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use crate::{
    loopback::Loopback,
    smtp::{Phase, Reply, Smtp},
    support::{NOW, Platform, Run, START},
    twilio::{Answer, Twilio},
};

/// Within the minute of [`NOW`], but after everything that the stopped pass did.
const AT_ONCE: &str = "2026-11-23T16:00:20+07:00";

/// When the leases of the stopped pass are over.
const AFTER_THE_LEASE: &str = "2026-11-23T16:03:00+07:00";

/// The rows that no pass has brought to their end, or is thought to be working at.
const SENDING: &str = "session_reminder_deliveries WHERE status = 'sending'";

fn course(platform: Platform, participants: i64) -> Platform {
    platform.session(1, START);
    platform.participants(1..=participants);
    for id in 1..=participants {
        platform.opted_in(id, &format!("0812345{}", 10_000 + id));
    }
    platform
}

/// A server that does so at one phase.
fn smtp_at(phase: Phase, reply: fn() -> Reply) -> Smtp {
    let script = move |now, _: &str| match now == phase {
        true => reply(),
        false => Reply::Accept,
    };
    Smtp::builder().script(script).start()
}

fn slow_twilio(delay: Duration) -> Twilio {
    Twilio::script(move |_| Answer::Delay(delay))
}

fn kill(pass: &Child, signal: &str) {
    let id = pass.id().to_string();
    let killed = Command::new("kill").args([signal, &id]).status().unwrap();
    assert!(killed.success());
}

/// What a pass left that got this signal as soon as `begun`.
#[track_caller]
fn stopped(platform: &Platform, signal: &str, begun: impl Fn() -> bool) -> Run {
    let pass = platform.start(&["send", "--now", NOW, "--format", "json"]);
    let end = Instant::now() + Duration::from_secs(20);
    while !begun() {
        assert!(Instant::now() < end, "waited in vain");
        thread::sleep(Duration::from_millis(5));
    }
    let asked = Instant::now();
    kill(&pass, signal);
    let run = Run::of(&["send"], pass.wait_with_output().unwrap()).exits(75);
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    let name = signal.replace('-', "SIG");
    let said = format!("stopped by {name}: the next pass goes on");
    assert_eq!(run.complaints().len(), 1, "{}", run.stderr);
    assert!(run.complaints()[0].ends_with(&said), "{}", run.stderr);
    assert_eq!(run.json()["channels"]["mail"]["stopped"], said);
    run
}

/// Every one of so many participants was told exactly once on each channel.
#[track_caller]
fn everybody_once(platform: &Platform, smtp: &Smtp, twilio: &Twilio, participants: usize) {
    let mut mails = smtp.recipients();
    mails.dedup();
    let mut numbers: Vec<String> = twilio.created().into_iter().map(|one| one.to).collect();
    numbers.sort();
    numbers.dedup();
    assert_eq!((mails.len(), numbers.len()), (participants, participants));
    assert_eq!(smtp.mails().len(), participants);
    assert_eq!(twilio.created().len(), participants);
    let counts = platform.rows(
        "status, count(*)",
        "session_reminder_deliveries GROUP BY status",
    );
    assert_eq!(counts, [format!("sent|{}", 2 * participants)]);
}

fn slow_servers_finish(signal: &str) {
    const DELAY: Duration = Duration::from_millis(400);
    let smtp = smtp_at(Phase::Body, || Reply::Delay(DELAY));
    let twilio = slow_twilio(DELAY);
    let platform = course(Platform::seed().mail(&smtp).whatsapp(&twilio), 40);
    let run = stopped(&platform, signal, || {
        smtp.mails().len() >= 4 && twilio.created().len() >= 4
    });
    let sent = run.json()["sent"].as_u64().unwrap();
    let handed_over = smtp.mails().len() + twilio.created().len();
    assert_eq!(usize::try_from(sent).unwrap(), handed_over);
    assert!(handed_over < 80, "the signal came too late");
    assert_eq!(platform.rows("count(*)", SENDING), ["0"]);
    platform.send_at(AT_ONCE).succeeds();
    everybody_once(&platform, &smtp, &twilio, 40);
    let tries = platform.rows("max(attempts)", "session_reminder_deliveries");
    assert_eq!(tries, ["1"]);
}

#[test]
fn a_pass_that_is_stopped_records_what_is_on_its_way_and_the_next_sends_the_rest_at_once() {
    slow_servers_finish("-TERM");
}

#[test]
fn an_interrupt_from_the_keyboard_does_the_same() {
    slow_servers_finish("-INT");
}

#[test]
fn what_may_have_arrived_stays_in_doubt_and_the_rest_is_given_back() {
    let smtp = smtp_at(Phase::Body, || Reply::Silent);
    let twilio = Twilio::script(|message| match message.to.ends_with("10001") {
        true => Answer::Silent,
        false => Answer::Created,
    });
    let platform = course(Platform::seed().mail(&smtp).whatsapp(&twilio), 6)
        .set("MAIL_CONNECTIONS", "1")
        .set("TWILIO_CONNECTIONS", "1");
    stopped(&platform, "-TERM", || {
        smtp.commands().iter().any(|command| command == "DATA") && !twilio.requests().is_empty()
    });
    let in_doubt = platform.rows("channel, user_id", &format!("{SENDING} ORDER BY channel"));
    assert_eq!(in_doubt, ["mail|1", "whatsapp|1"]);
    let rendered = platform.rows(
        "count(*)",
        &format!("{SENDING} AND rendered_at IS NOT NULL"),
    );
    assert_eq!(rendered, ["2"]);

    let (healthy, quick) = (Smtp::start(), Twilio::start());
    let platform = platform.mail(&healthy).whatsapp(&quick);
    platform.send_at(AT_ONCE).succeeds();
    assert_eq!((healthy.mails().len(), quick.created().len()), (5, 5));
    platform.send_at(AFTER_THE_LEASE).succeeds();
    everybody_once(&platform, &healthy, &quick, 6);
    let again = healthy.mails().pop().unwrap();
    let digits = platform.rows(
        "message_id",
        "session_reminder_deliveries WHERE channel = 'mail' AND user_id = 1",
    );
    assert_eq!(again.header("Message-ID").unwrap(), digits[0]);
    // The moment of the first attempt, not of the second.
    let date = again.header("Date").unwrap();
    assert!(date.contains("09:00:0"), "{date}");
}

#[test]
fn what_cannot_have_left_is_given_back_although_its_server_hangs() {
    for phase in [Phase::Mail, Phase::Rcpt, Phase::Data] {
        let smtp = smtp_at(phase, || Reply::Silent);
        let platform = course(Platform::seed().mail(&smtp), 6);
        let command = ["MAIL", "RCPT", "DATA"];
        let verb = command[[Phase::Mail, Phase::Rcpt, Phase::Data]
            .iter()
            .position(|one| *one == phase)
            .unwrap()];
        stopped(&platform, "-TERM", || {
            smtp.commands().iter().any(|line| line.starts_with(verb))
        });
        assert_eq!(platform.rows("count(*)", SENDING), ["0"], "{phase:?}");
        let healthy = Smtp::start();
        let platform = platform.mail(&healthy);
        platform.send_at(AT_ONCE).succeeds();
        assert_eq!(healthy.mails().len(), 6);
    }
}

#[test]
fn a_server_that_does_not_greet_keeps_no_stopped_pass() {
    let smtp = smtp_at(Phase::Connect, || Reply::Silent);
    let platform = course(Platform::seed().mail(&smtp), 6);
    stopped(&platform, "-TERM", || smtp.connections() == 1);
    assert_eq!(platform.rows("count(*)", SENDING), ["0"]);
    let healthy = Smtp::start();
    let platform = platform.mail(&healthy);
    platform.send_at(AT_ONCE).succeeds();
    assert_eq!(healthy.mails().len(), 6);
}

#[test]
fn who_waits_for_the_sandboxs_pace_is_given_back() {
    let twilio = Twilio::start();
    let platform = course(Platform::seed().whatsapp(&twilio), 4)
        .set("TWILIO_WHATSAPP_FROM", "whatsapp:+14155238886")
        .set("MAIL_MAILER", "none");
    let pass = platform.start(&["send", "--now", NOW]);
    while twilio.created().is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    let asked = Instant::now();
    kill(&pass, "-TERM");
    Run::of(&["send"], pass.wait_with_output().unwrap()).exits(75);
    assert!(asked.elapsed() < Duration::from_secs(1));
    assert_eq!(platform.rows("count(*)", SENDING), ["0"]);
    assert_eq!(twilio.created().len(), 1);
    let platform = platform.set("TWILIO_WHATSAPP_FROM", "+14155550100");
    platform.send_at(AT_ONCE).succeeds();
    assert_eq!(twilio.created().len(), 4);
}

#[test]
fn a_second_signal_ends_the_pass_at_once() {
    let smtp = smtp_at(Phase::Body, || Reply::Silent);
    let platform = course(Platform::seed().mail(&smtp), 1);
    let mut pass = platform.start(&["send", "--now", NOW]);
    while !smtp.commands().iter().any(|command| command == "DATA") {
        thread::sleep(Duration::from_millis(5));
    }
    kill(&pass, "-TERM");
    thread::sleep(Duration::from_millis(200));
    let asked = Instant::now();
    kill(&pass, "-TERM");
    assert_eq!(pass.wait().unwrap().code(), None, "ended by the signal");
    assert!(asked.elapsed() < Duration::from_secs(1));
}

/// Takes the ping of the start, and never answers another one.
fn tired_watcher() -> Loopback {
    Loopback::start(|mut stream, number| {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let mut asked = [0; 4096];
        while stream.read(&mut asked).is_ok_and(|count| count > 0) {
            if number == 1 {
                stream.write_all(answer).unwrap();
                return;
            }
        }
    })
}

#[test]
fn neither_a_silent_server_nor_a_silent_watcher_keeps_a_stopped_pass() {
    let watcher = tired_watcher();
    let smtp = smtp_at(Phase::Body, || Reply::Silent);
    let url = format!("http://127.0.0.1:{}/secret", watcher.port());
    let platform = course(Platform::seed().mail(&smtp), 1).set("HEALTHCHECK_URL", &url);
    stopped(&platform, "-TERM", || {
        smtp.commands().iter().any(|command| command == "DATA")
    });
    assert_eq!(watcher.connections(), 2);
}

#[test]
fn a_signal_while_there_is_nothing_to_do_ends_the_program_as_any_other() {
    let silent = Loopback::start(|mut stream, _| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let url = format!("http://127.0.0.1:{}/", silent.port());
    let platform = Platform::seed().set("HEALTHCHECK_URL", &url);
    let mut pass = platform.start(&["send", "--now", NOW]);
    while silent.connections() == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    kill(&pass, "-TERM");
    assert_eq!(pass.wait().unwrap().code(), None);
}

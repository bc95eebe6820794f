//! Passes of many minutes: one on a clock that runs sixty times as fast (libfaketime), one that waits for a true
//! minute.

use std::{
    env,
    io::{self, Write},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    smtp::Smtp,
    support::{NOW, Platform, Run, START},
    twilio::Twilio,
};

/// Many participants with WhatsApp through the sandbox: a message in three seconds, two hundred in ten minutes.
fn slow(twilio: &Twilio, participants: i64) -> Platform {
    let platform = Platform::seed().whatsapp(twilio);
    let platform = platform.set("TWILIO_WHATSAPP_FROM", "whatsapp:+14155238886");
    platform.session(1, START);
    platform.participants(1..=participants);
    for user in 1..=participants {
        platform.opted_in(user, &format!("0812345{}", 10_000 + user));
    }
    platform
}

/// Debian's package has the name of its program. Where it is missing this is said past the test's captured output, and
/// is a failure where `REMINDERS_TEST_REQUIRE=all` asks for everything.
fn has_faketime() -> bool {
    let tried = Command::new("faketime").args(["-f", "+0", "true"]).output();
    if tried.is_ok_and(|output| output.status.success()) {
        return true;
    }
    let missing = "faketime is missing (apt-get install faketime): no pass of ten minutes is tried";
    let required = env::var("REMINDERS_TEST_REQUIRE").is_ok_and(|which| which == "all");
    assert!(!required, "{missing}");
    let _ = writeln!(io::stderr(), "SKIPPED: {missing}");
    false
}

/// A pass in which a minute takes a second. What the program does by sleeping is as fast; how it waits for its threads
/// is not, since Rust asks the kernel for that past the library: it only goes on when something happens.
fn fast_pass(platform: &Platform) -> Child {
    let plain = platform.command(&["send", "--now", NOW, "--format", "json"]);
    let mut command = Command::new("faketime");
    command.args(["-f", "+0 x60"]);
    command.arg(plain.get_program()).args(plain.get_args());
    command
        .current_dir(platform.path(""))
        .env_clear()
        .env("HOME", platform.path(""))
        .env("PATH", "/usr/bin:/bin")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn after_ten_minutes_a_pass_takes_no_new_work_and_leaves_the_rest_to_the_next() {
    if !has_faketime() {
        return;
    }
    let twilio = Twilio::start();
    let platform = slow(&twilio, 300);
    let begun = Instant::now();
    let pass = fast_pass(&platform);
    let run = Run::of(&["send"], pass.wait_with_output().unwrap()).exits(75);
    let took = begun.elapsed().as_secs();
    assert!((9..20).contains(&took), "{took} s");
    let sent = twilio.created().len();
    assert!((150..=210).contains(&sent), "{sent}");
    let stopped = &run.json()["channels"]["whatsapp"]["stopped"];
    assert_eq!(stopped, "the pass's time is over, the next one goes on");
    let counts = platform.rows(
        "status, count(*)",
        "session_reminder_deliveries GROUP BY status ORDER BY status",
    );
    let expected = [format!("pending|{}", 300 - sent), format!("sent|{sent}")];
    assert_eq!(counts, expected);
}

#[test]
fn who_enrolls_while_a_long_pass_works_is_told_within_a_minute() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = slow(&twilio, 40).mail(&smtp);
    let mut pass = platform.start(&["send", "--now", NOW]);
    smtp.wait_for(40);
    platform.participant(41, "Terlambat", "terlambat@example.org");
    let end = Instant::now() + Duration::from_secs(75);
    while smtp.mails().len() < 41 {
        assert!(Instant::now() < end, "no round has come");
        assert_eq!(pass.try_wait().unwrap(), None, "the pass has ended");
        thread::sleep(Duration::from_millis(50));
    }
    pass.kill().unwrap();
    pass.wait().unwrap();
    assert!(smtp.recipients().contains(&"terlambat@example.org".into()));
}

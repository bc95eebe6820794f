//! The metrics file.

use std::{
    env, fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use crate::{
    smtp::Smtp,
    support::{NOW, Platform, START, busy_smtp},
};

const FILE: &str = "reminders.prom";

fn due(smtp: &Smtp, participants: i64) -> Platform {
    let platform = Platform::seed().mail(smtp).set("METRICS_FILE", FILE);
    platform.session(1, START);
    platform.participants(1..=participants);
    platform
}

fn metrics(platform: &Platform) -> String {
    fs::read_to_string(platform.path(FILE)).unwrap()
}

#[track_caller]
fn says(platform: &Platform, line: &str) {
    let metrics = metrics(platform);
    let line = format!("reminders_{line}");
    assert!(
        metrics.lines().any(|found| found == line),
        "no {line} in\n{metrics}"
    );
}

/// The value of a line without labels.
fn value(platform: &Platform, name: &str) -> f64 {
    let metrics = metrics(platform);
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(&format!("reminders_{name} ")));
    line.unwrap().parse().unwrap()
}

#[test]
fn the_file_says_what_the_passes_did_and_how_the_last_one_ended() {
    let smtp = Smtp::start();
    let platform = due(&smtp, 2);
    platform.send().succeeds();
    says(&platform, "last_pass_exit_code 0");
    says(
        &platform,
        "outcomes_total{channel=\"mail\",outcome=\"sent\"} 2",
    );
    says(&platform, "waiting{channel=\"mail\"} 0");
    says(&platform, "channel_stopped{channel=\"mail\"} 0");
    platform.participant(3, "Siti", "siti");
    platform.send().exits(1);
    says(
        &platform,
        "outcomes_total{channel=\"mail\",outcome=\"sent\"} 2",
    );
    says(
        &platform,
        "outcomes_total{channel=\"mail\",outcome=\"failed\"} 1",
    );
    says(&platform, "last_pass_exit_code 1");
    let success = value(&platform, "last_success_timestamp_seconds");
    assert_eq!(success, value(&platform, "last_pass_timestamp_seconds"));
    let now = chrono::Utc::now().timestamp() as f64;
    assert!(
        (success - now).abs() < 3600.0,
        "the host's time, and not that of --now"
    );
}

#[test]
fn a_channel_that_cannot_work_is_stopped_until_it_can() {
    let smtp = Smtp::start();
    let platform = due(&smtp, 3).set("MAIL_PORT", "9");
    platform.send().exits(75);
    says(&platform, "channel_stopped{channel=\"mail\"} 1");
    says(&platform, "channel_stopped{channel=\"whatsapp\"} 0");
    says(&platform, "waiting{channel=\"mail\"} 3");
    assert!(!metrics(&platform).contains("last_success"));
    platform.send_at("2026-11-23T16:00:10+07:00").exits(75);
    says(&platform, "channel_stopped{channel=\"mail\"} 1");
    let platform = platform.mail(&smtp);
    platform.send_at("2026-11-23T16:02:00+07:00").succeeds();
    says(&platform, "channel_stopped{channel=\"mail\"} 0");
    says(&platform, "waiting{channel=\"mail\"} 0");
    let platform = platform.set("MAIL_PORT", "x");
    platform.send_at("2026-11-23T12:00:00+07:00").exits(78);
    says(&platform, "channel_stopped{channel=\"mail\"} 1");
}

#[test]
fn what_is_tried_again_is_counted_and_waits() {
    let (smtp, _) = busy_smtp();
    let platform = due(&smtp, 1);
    platform.send().succeeds();
    says(
        &platform,
        "outcomes_total{channel=\"mail\",outcome=\"retried\"} 1",
    );
    says(&platform, "waiting{channel=\"mail\"} 1");
}

#[test]
fn a_pass_that_cannot_begin_is_measured_too() {
    let smtp = Smtp::start();
    let platform = due(&smtp, 1);
    platform.send().succeeds();
    let success = value(&platform, "last_success_timestamp_seconds");
    platform.sql("DROP VIEW session_participants");
    platform.send().exits(78);
    says(&platform, "last_pass_exit_code 78");
    says(
        &platform,
        "outcomes_total{channel=\"mail\",outcome=\"sent\"} 1",
    );
    assert_eq!(value(&platform, "last_success_timestamp_seconds"), success);
    fs::remove_file(platform.path(FILE)).unwrap();
    let platform = platform.set("REMINDER_LEAD", "x");
    platform.send().exits(78);
    says(&platform, "last_pass_exit_code 78");
    platform.run(&["migrate"]).exits(78);
    platform.run(&["send", "--dry-run"]).exits(78);
}

#[test]
fn the_collector_may_read_the_file_whatever_the_umask() {
    let platform = Platform::seed().set("METRICS_FILE", FILE);
    let send = platform.command(&["send", "--now", NOW]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 077; exec \"$0\" \"$@\""]);
    shell.arg(send.get_program()).args(send.get_args());
    shell.current_dir(platform.path("")).env_clear();
    shell.env("HOME", platform.path("")).stdin(Stdio::null());
    assert!(shell.output().unwrap().status.success());
    let permissions = fs::metadata(platform.path(FILE)).unwrap().permissions();
    assert_eq!(permissions.mode() & 0o777, 0o644);
}

#[test]
fn a_file_that_cannot_be_written_fails_no_pass_and_leaves_nothing_over() {
    let smtp = Smtp::start();
    let platform = due(&smtp, 1).set("METRICS_FILE", "no/such/folder/reminders.prom");
    let run = platform.send().succeeds();
    assert!(run.stderr.contains("METRICS_FILE"), "{}", run.stderr);
    assert_eq!(smtp.mails().len(), 1);
    fs::create_dir(platform.path("taken")).unwrap();
    let platform = platform.set("METRICS_FILE", "taken");
    platform.send().succeeds();
    let left = |name: &String| name.starts_with("taken.");
    assert!(!platform.files().iter().any(left), "{:?}", platform.files());
}

/// Debian has it in the package of its server. Where it is missing this is said past the test's captured output, and is
/// a failure where `REMINDERS_TEST_REQUIRE=all` asks for everything.
fn has_promtool() -> bool {
    if Command::new("promtool").arg("--version").output().is_ok() {
        return true;
    }
    let missing =
        "promtool is missing (in Debian's package prometheus): no metrics file is checked by it";
    let required = env::var("REMINDERS_TEST_REQUIRE").is_ok_and(|which| which == "all");
    assert!(!required, "{missing}");
    let _ = writeln!(io::stderr(), "SKIPPED: {missing}");
    false
}

#[track_caller]
fn check(platform: &Platform) {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped());
    let mut checking = promtool
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = checking.stdin.take().unwrap();
    input.write_all(metrics(platform).as_bytes()).unwrap();
    drop(input);
    let checked = checking.wait_with_output().unwrap();
    let said = [checked.stdout, checked.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        checked.status.success() && said.is_empty(),
        "{said}\n{}",
        metrics(platform)
    );
}

#[test]
fn promtool_has_nothing_to_say_against_the_file() {
    if !has_promtool() {
        return;
    }
    let smtp = Smtp::start();
    let platform = due(&smtp, 2);
    platform.send_at("2026-11-23T12:00:00+07:00").succeeds();
    check(&platform);
    platform.send().succeeds();
    check(&platform);
    let platform = platform.set("REMINDER_LEAD", "x");
    platform.send().exits(78);
    check(&platform);
    fs::remove_file(platform.path(FILE)).unwrap();
    platform.send().exits(78);
    check(&platform);
}

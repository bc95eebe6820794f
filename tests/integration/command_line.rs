//! The command line: arguments, output, exit codes, and the places a program may find itself in.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::Ordering,
    thread,
    time::{Duration, SystemTime},
};

use crate::{
    smtp::Smtp,
    support::{NOW, Platform, Run, START, busy_smtp, on, program, wall_in},
    twilio::Twilio,
};

/// Runs it with a terminal as stdin, stdout and stderr; `None` where util-linux's `script` is not installed.
fn on_a_terminal(platform: &Platform, arguments: &[&str]) -> Option<Run> {
    on_a_terminal_with(platform, &[], arguments)
}

fn on_a_terminal_with(
    platform: &Platform,
    environment: &[(&str, &str)],
    arguments: &[&str],
) -> Option<Run> {
    if !Path::new("/usr/bin/script").exists() {
        eprintln!("SKIPPED: util-linux's script is not installed");
        return None;
    }
    let line = format!(
        "{} {}",
        env!("CARGO_BIN_EXE_reminders"),
        arguments.join(" ")
    );
    let output = Command::new("/usr/bin/script")
        .args(["-qec", &line, "/dev/null"])
        .current_dir(platform.path(""))
        .env_clear()
        .env("HOME", platform.path(""))
        .env("PATH", "/usr/bin:/bin")
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm")
        .envs(environment.iter().copied())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    Some(Run::of(arguments, output))
}

fn help(arguments: &[&str]) -> String {
    let output = program(Path::new("/")).args(arguments).output().unwrap();
    Run::of(arguments, output).succeeds().stdout
}

#[test]
fn the_help_of_every_command_has_an_example() {
    assert!(help(&["--help"]).contains("Example"));
    for command in [
        "send",
        "opt-in",
        "opt-out",
        "migrate",
        "check",
        "status",
        "log",
        "retry",
        "prune",
        "preview",
        "test",
        "explain",
        "report",
        "demo",
        "completions",
        "man",
    ] {
        let help = help(&[command, "--help"]);
        let (_, examples) = help.split_once("Example").expect(command);
        assert!(
            examples.contains(&format!("\n  reminders {command}")),
            "{help}"
        );
    }
    assert!(help(&["--version"]).starts_with("reminders "));
}

#[test]
fn a_wrong_command_line_exits_2_before_anything_is_read() {
    let platform = Platform::empty();
    for arguments in [
        &[][..],
        &["sned"],
        &["send", "--dryrun"],
        &["send", "now"],
        &["send", "--now", "16:00"],
        &["send", "--now", "2026-11-23T16:00:00"],
        &["send", "--session", "first"],
        &["send", "--channel", "sms"],
        &["send", "--limit", "-1"],
        &["send", "--format", "xml"],
        &["-q", "-v", "send"],
        &["migrate", "--ledger"],
        &["log", "--limit", "0"],
        &["preview", "--html", "-", "--channel", "whatsapp"],
    ] {
        let run = platform.run(arguments).exits(2);
        assert_eq!(run.stdout, "");
        assert!(
            run.stderr.contains("Usage") || run.stderr.contains("--help"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn a_number_that_is_none_is_named_with_what_it_should_be() {
    let platform = Platform::empty();
    for (arguments, words) in [
        (
            &["explain", "x", "1"][..],
            "'x' for '<SESSION>': give the session's number, as `reminders status`",
        ),
        (
            &["report", "99999999999999999999"],
            "give the session's number",
        ),
        (&["preview", "x"], "give the session's number"),
        (&["log", "--session", "x"], "give the session's number"),
        (
            &["retry", "x"],
            "'x' for '[ID]...': give the message's number, as `reminders log`",
        ),
        (
            &["log", "--limit", "-1"],
            "'-1' for '--limit <N>': give a number, such as 50",
        ),
        (
            &["log", "--limit", "0"],
            "'0' for '--limit <N>': give 1 or more",
        ),
    ] {
        let run = platform.run(arguments).exits(2);
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}

#[test]
fn what_cannot_be_done_is_said_without_what_is_beside_it() {
    let platform = Platform::seed();
    let run = platform.run(&["send", "--now", "tomorrow"]).exits(2);
    let cure = "'tomorrow' for '--now <RFC3339>': give a time such as 2026-11-23T16:00:00+07:00";
    assert!(run.stderr.contains(cure), "{}", run.stderr);
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = platform.command(&["log"]).stdout(full).output().unwrap();
    let run = Run::of(&["log"], output).exits(1);
    assert!(
        run.stderr.contains("could not write to stdout"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("ledger"), "{}", run.stderr);
    let platform = platform.set("MAIL_MAILER", "log");
    for (channel, to, why) in [
        (
            "mail",
            "budi@example.org",
            "mail is off (MAIL_MAILER=log): ",
        ),
        ("whatsapp", "081234567890", "whatsapp is off (TWILIO_SID, "),
    ] {
        let run = platform.run(&["test", channel, to]).exits(78);
        assert!(run.stderr.contains(why), "{}", run.stderr);
    }
}

#[test]
fn the_summary_in_json_has_the_documented_fields_busy_or_idle() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    for sent in [1, 0] {
        let summary = platform
            .run(&["send", "--now", NOW, "--format", "json"])
            .succeeds()
            .json();
        for key in ["enqueued", "sent"] {
            assert_eq!(summary[key], sent, "{key}");
        }
        for key in ["failed", "retried", "cancelled", "missed", "unknown"] {
            assert_eq!(summary[key], 0, "{key}");
            assert_eq!(summary["channels"]["whatsapp"][key], 0, "{key}");
        }
        assert_eq!(summary["now"], NOW);
        assert_eq!(summary["window"]["from"], "2026-11-23T16:55:00+07:00");
        assert_eq!(summary["window"]["to"], "2026-11-23T17:05:00+07:00");
        assert_eq!(summary["dry_run"], false);
        assert_eq!(summary["channels"]["mail"]["sent"], sent);
        assert!(summary["channels"]["mail"]["stopped"].is_null());
        assert!(summary["elapsed_ms"].is_u64());
        assert!(summary.get("reminders").is_none());
    }
}

#[test]
fn a_dry_run_says_who_would_get_what_and_who_not_writes_nothing_and_connects_to_nobody() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = Platform::due(&smtp).whatsapp(&twilio);
    platform.opted_in(1, "081234567890");
    platform.participant(2, "Siti", "siti@example.org");
    let before = platform.contents();

    let look = ["send", "--dry-run", "--now", NOW];
    let plan = platform
        .run(&[&look[..], &["--format", "json"]].concat())
        .succeeds();
    assert_eq!(plan.stderr, "");
    let plan = plan.json();
    let reminder = |user: i64, channel: &str, to: &str| serde_json::json!({"session_id": 1, "user_id": user, "channel": channel, "to": to, "scheduled_at": START});
    assert_eq!(
        plan["reminders"],
        serde_json::json!([
            reminder(1, "mail", "budi@example.org"),
            reminder(2, "mail", "siti@example.org"),
            reminder(1, "whatsapp", "+6281234567890"),
        ])
    );
    assert_eq!((&plan["dry_run"], &plan["sent"]), (&true.into(), &0.into()));
    assert_eq!(plan["skipped"][0]["reason"], "has not opted in");

    let text = platform.run(&look).succeeds().stdout;
    assert!(text.contains("would send 3:"), "{text}");
    assert!(text.contains("user 2: has not opted in"), "{text}");
    assert!(text.contains("user 1: b***@e***.org"), "{text}");
    assert!(
        !text.contains("budi@") && !text.contains("81234567"),
        "{text}"
    );
    let narrowed = [&look[..], &["--channel", "mail", "--limit", "1"]].concat();
    assert!(
        platform
            .run(&narrowed)
            .succeeds()
            .stdout
            .contains("would send 1:")
    );
    let elsewhere = [&look[..], &["--session", "7"]].concat();
    assert!(
        platform
            .run(&elsewhere)
            .succeeds()
            .stdout
            .contains("would send nobody")
    );

    assert!(platform.contents() == before, "it wrote");
    assert_eq!((smtp.connections(), twilio.connections()), (0, 0));
    assert!(!platform.path(".local").exists(), "no lock is taken");
}

#[test]
fn a_dry_run_counts_those_whom_it_skips_for_the_same_reason() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    platform.session(1, START);
    platform.session(2, START);
    platform.participants(1..=7);
    platform.send().succeeds();
    let look = ["send", "--dry-run", "--now", NOW];
    let text = platform.run(&look).succeeds().stdout;
    assert!(text.contains("would skip 14:"), "{text}");
    let line =
        |session| format!("session {session} at {START}, 7 users (1, 2, 3, 4, 5, …): already sent");
    for session in [1, 2] {
        assert_eq!(text.matches(&line(session)).count(), 1, "{text}");
    }
    // Programs get them all.
    let json = platform.run(&[&look[..], &["--format", "json"]].concat());
    assert_eq!(
        json.succeeds().json()["skipped"].as_array().unwrap().len(),
        14
    );
}

#[test]
fn a_dry_run_has_colours_on_a_terminal_alone() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp).set("REMINDER_REDIRECT_MAIL", "try@example.net");
    platform.session(2, START);
    platform
        .run(&["send", "--now", NOW, "--session", "2"])
        .succeeds();
    let look = ["send", "--dry-run", "--now", NOW];
    let Some(seen) = on_a_terminal(&platform, &look) else {
        return;
    };
    let (green, yellow, faint) = ("\u{1b}[32m", "\u{1b}[33m", "\u{1b}[2m");
    for coloured in [
        format!("{green}would send 1:"),
        format!("{green}mail"),
        format!("{yellow}every mail goes to"),
        format!("{faint}would skip 1:"),
    ] {
        assert!(seen.stdout.contains(&coloured), "{coloured:?}");
    }
    let plain = on_a_terminal_with(&platform, &[("NO_COLOR", "1")], &look).unwrap();
    let piped = platform.run(&look).succeeds();
    assert!(plain.stdout.contains("would send 1:"), "{}", plain.stdout);
    assert!(!(plain.stdout + &piped.stdout).contains('\u{1b}'));
}

#[test]
fn options_narrow_what_a_pass_sends() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = Platform::due(&smtp).whatsapp(&twilio);
    platform.opted_in(1, "081234567890");
    platform.participant(2, "Siti", "siti@example.org");
    platform.session(2, START);
    let send = |options: &[&str]| {
        platform
            .run(&[&["send", "--now", NOW], options].concat())
            .succeeds();
        (smtp.mails().len(), twilio.created().len())
    };
    assert_eq!(send(&["--session", "2", "--channel", "whatsapp"]), (0, 1));
    assert_eq!(
        send(&["--session", "1", "--channel", "mail", "--limit", "1"]),
        (1, 1)
    );
    assert_eq!(send(&["--limit", "0"]), (1, 1));
    assert_eq!(send(&[]), (4, 2));
}

#[test]
fn on_a_terminal_a_pass_sums_up_what_it_did() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    let Some(run) = on_a_terminal(&platform, &["send", "--now", NOW]) else {
        return;
    };
    let run = run.succeeds();
    assert!(run.stdout.contains("mail      1 sent"), "{}", run.stdout);
    assert!(run.stdout.contains("whatsapp  nothing"), "{}", run.stdout);
}

#[test]
fn on_a_terminal_long_work_shows_its_progress() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    platform.participants(2..=150);
    let Some(run) = on_a_terminal(&platform, &["send", "--now", NOW]) else {
        return;
    };
    let run = run.succeeds();
    assert!(run.stdout.contains("/150"), "{}", run.stdout);
    assert!(run.stdout.contains("150 sent"), "{}", run.stdout);
}

#[test]
fn on_a_terminal_an_idle_pass_tells_the_next_session_and_when_its_reminder_goes() {
    let platform = Platform::seed();
    let idle = ["send", "--now", "2026-11-23T15:54:00+07:00"];
    let Some(run) = on_a_terminal(&platform, &idle) else {
        return;
    };
    assert!(
        run.succeeds()
            .stdout
            .contains("nothing is due; no later session has participants")
    );
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    let run = on_a_terminal(&platform, &idle).unwrap().succeeds();
    let expected = "nothing is due; next: Pecahan, starts 2026-11-23 17:00:00, its reminder goes at 2026-11-23 15:55:00 (Asia/Jakarta)";
    assert!(run.stdout.contains(expected), "{}", run.stdout);

    // The reminder of the day before has gone, or has been too late.
    let platform = platform.set("REMINDER_LEAD", "24h,60m");
    let run = on_a_terminal(&platform, &idle).unwrap().succeeds();
    assert!(run.stdout.contains(expected), "{}", run.stdout);
}

#[test]
fn recipients_are_masked_in_the_log() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    let run = platform.run(&["-v", "send", "--now", NOW]).succeeds();
    assert_eq!(run.stdout, "");
    assert!(
        run.stderr
            .contains("mail to b***@e***.org (session 1, user 1): sent"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("budi@example.org"));
}

#[test]
fn verbosity_is_set_by_flags_and_else_by_the_environment() {
    let smtp = Smtp::start();
    let says = |environment: &[(&str, &str)], flags: &[&str]| {
        let platform = Platform::due(&smtp);
        let arguments = [flags, &["send", "--now", NOW]].concat();
        platform.run_with(environment, &arguments).succeeds().stderr
    };
    let info = |text: &str| text.contains(" info: ");
    let warning = |text: &str| text.contains(" warn: --now is ");
    let default = says(&[], &[]);
    assert!(warning(&default) && !info(&default), "{default}");
    let chosen = says(&[("RUST_LOG", "reminders=info")], &[]);
    assert!(warning(&chosen) && info(&chosen), "{chosen}");
    assert_eq!(says(&[("RUST_LOG", "error")], &[]), "");
    assert_eq!(says(&[], &["-q"]), "");
    assert_eq!(says(&[("RUST_LOG", "trace")], &["-q"]), "");
}

#[test]
fn a_clock_set_far_from_the_hosts_is_warned_of_unless_nothing_is_sent() {
    let platform = Platform::seed();
    let run = platform.send().succeeds();
    assert!(run.stderr.contains("--now is"), "{}", run.stderr);
    let looked = platform
        .run(&["send", "--dry-run", "--now", NOW])
        .succeeds();
    assert_eq!(looked.stderr, "");
    let now = format!("{}+07:00", wall_in(0).replace(' ', "T"));
    assert_eq!(platform.send_at(&now).succeeds().stderr, "");
}

#[test]
fn output_into_a_closed_pipe_is_no_panic() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    for arguments in [
        &["send", "--dry-run", "--now", NOW][..],
        &["send", "--dry-run", "--now", NOW, "--format", "json"],
        &["-vv", "send", "--now", NOW, "--format", "json"],
        &["send", "--help"],
    ] {
        let output = platform
            .command(arguments)
            .stdout(closed_pipe())
            .output()
            .unwrap();
        let run = Run::of(arguments, output).succeeds();
        assert!(!run.stderr.contains("panic"), "{}", run.stderr);
    }
    let both = platform
        .command(&["-vv", "send", "--now", NOW])
        .stdout(closed_pipe())
        .stderr(closed_pipe())
        .output()
        .unwrap();
    Run::of(&["send"], both).succeeds();
}

fn closed_pipe() -> io::PipeWriter {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    writer
}

#[test]
fn what_failed_for_good_exits_1_in_the_pass_it_failed_in() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    platform.participant(2, "Siti", "no address");
    platform.send().exits(1);
    platform.send().succeeds();
    assert_eq!(smtp.mails().len(), 1);
}

#[test]
fn the_heaviest_ending_is_the_exit_code() {
    let refused = Smtp::start();
    let port = refused.port();
    drop(refused);
    let twilio = Twilio::start();
    let platform = Platform::seed()
        .whatsapp(&twilio)
        .set("MAIL_MAILER", "smtp")
        .set("MAIL_HOST", "127.0.0.1")
        .set("MAIL_PORT", &port.to_string());
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.opted_in(1, "12");
    platform.send().exits(75);
    let platform = platform.set("TWILIO_WHATSAPP_FROM", "nobody");
    platform.send_at("2026-11-23T16:03:00+07:00").exits(78);
}

#[test]
fn a_home_that_takes_no_lock_is_told_and_the_pass_goes_on() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    fs::write(platform.path("in-the-way"), "").unwrap();
    let home = platform.path("in-the-way");
    let home = home.to_string_lossy();
    // A folder that was chosen has no other in its place.
    for environment in [
        &[("HOME", "/proc"), ("TMPDIR", "/proc")][..],
        &[("HOME", &home), ("TMPDIR", &home)],
        &[("STATE_DIRECTORY", "/proc")],
        &[("STATE_DIRECTORY", &format!("{home}/state"))],
    ] {
        let run = platform
            .run_with(environment, &["send", "--now", NOW])
            .succeeds();
        assert!(run.stderr.contains("could not lock"), "{}", run.stderr);
        assert!(run.stderr.contains("going on"), "{}", run.stderr);
    }
    assert_eq!(smtp.mails().len(), 1);
}

#[test]
fn a_user_without_a_home_of_its_own_locks_among_the_temporary_files() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    let temporary = platform.path("tmp");
    fs::create_dir(&temporary).unwrap();
    let environment = [("HOME", "/proc"), ("TMPDIR", temporary.to_str().unwrap())];
    let run = platform.run_with(&environment, &["send"]).succeeds();
    assert_eq!(run.stdout + &run.stderr, "");
    let folder = only_entry(&temporary);
    only_file(&folder);
}

#[test]
fn while_another_pass_is_active_this_one_leaves_quietly_and_a_hanging_one_is_told() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    let state = platform.path("state");
    let state = [("STATE_DIRECTORY", state.to_str().unwrap())];
    platform
        .run_with(&state, &["send", "--now", NOW, "--limit", "0"])
        .succeeds();
    let lock = only_file(&platform.path("state"));
    lock.lock().unwrap();
    let run = platform
        .run_with(&state, &["-q", "send", "--now", NOW])
        .succeeds();
    assert_eq!(run.stdout + &run.stderr, "");
    assert!(smtp.mails().is_empty());

    lock.set_modified(SystemTime::now() - Duration::from_secs(16 * 60))
        .unwrap();
    let run = platform.run_with(&state, &["send", "--now", NOW]).exits(75);
    assert!(
        run.stderr.contains("working for 16 minutes"),
        "{}",
        run.stderr
    );
    drop(lock);
    platform
        .run_with(&state, &["send", "--now", NOW])
        .succeeds();
    assert_eq!(smtp.mails().len(), 1);
}

fn only_file(folder: &Path) -> File {
    let path = only_entry(folder);
    File::options().write(true).open(path).unwrap()
}

fn only_entry(folder: &Path) -> PathBuf {
    let mut entries = fs::read_dir(folder).unwrap();
    let path = entries.next().unwrap().unwrap().path();
    assert!(entries.next().is_none());
    path
}

#[test]
fn a_database_that_another_writer_holds_for_a_while_is_waited_for() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    let mut writer = platform.database();
    let (begin, end) = on(
        ("BEGIN IMMEDIATE", "COMMIT"),
        (
            "BEGIN; LOCK TABLE session_reminder_deliveries IN SHARE MODE",
            "COMMIT",
        ),
        (
            "LOCK TABLES session_reminder_deliveries READ",
            "UNLOCK TABLES",
        ),
    );
    writer.run(begin).unwrap();
    let pass = thread::scope(|threads| {
        let pass = threads.spawn(|| platform.command(&["send", "--now", NOW]).output().unwrap());
        thread::sleep(Duration::from_secs(2));
        assert!(!pass.is_finished() && smtp.mails().is_empty());
        writer.run(end).unwrap();
        let output: Output = pass.join().unwrap();
        output
    });
    Run::of(&["send"], pass).succeeds();
    assert_eq!(smtp.mails().len(), 1);
    assert_eq!(platform.ledger(), ["mail|1|sent|NULL"]);
}

#[test]
fn a_dry_run_holds_what_waits_against_the_same_rules_as_a_pass() {
    let (smtp, busy) = busy_smtp();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    busy.store(false, Ordering::SeqCst);
    platform.sql("UPDATE enrollments SET status = 'cancelled'");
    let plan = platform.run(&["send", "--dry-run", "--now", "2026-11-23T16:05:00+07:00"]);
    assert!(plan.stdout.contains("would send nobody"), "{}", plan.stdout);
    assert!(plan.stdout.contains("cancelled: left"), "{}", plan.stdout);
}

/// What a pass that died on the way has left: its lease is over.
const LEFT: &str =
    "UPDATE session_reminder_deliveries SET status = 'sending', sent_at = NULL, message_id = NULL,
    claimed_by = 'other:1:1', lease_until = '2026-11-23 09:03:00'";

#[test]
fn a_dry_run_takes_up_what_a_pass_that_died_has_left_as_the_next_pass_does() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    platform.send().succeeds();
    platform.sql(LEFT);
    for now in ["2026-11-23T16:05:00+07:00", "2026-11-23T16:20:00+07:00"] {
        let plan = platform.run(&["send", "--dry-run", "--now", now]);
        assert!(plan.stdout.contains("would send 1"), "{}", plan.stdout);
        assert!(!plan.stdout.contains("another pass"), "{}", plan.stdout);
    }
    let held = platform.set("REMINDER_IN_DOUBT", "hold");
    let later = ["send", "--dry-run", "--now", "2026-11-23T16:20:00+07:00"];
    let plan = held.run(&later);
    assert!(plan.stdout.contains("would send nobody"), "{}", plan.stdout);
    assert!(plan.stdout.contains("unknown: may have"), "{}", plan.stdout);
    held.run(&["send", "--now", "2026-11-23T16:20:00+07:00"]);
    assert_eq!(smtp.mails().len(), 1);
    held.sql(LEFT);
    let resent = held.set("REMINDER_IN_DOUBT", "resend");
    resent.run(&["send", "--now", "2026-11-23T16:20:00+07:00"]);
    assert_eq!(smtp.mails().len(), 2);
}

#[test]
fn a_redirect_is_said_in_every_pass_that_sends() {
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp).set("REMINDER_REDIRECT_MAIL", "me@example.org");
    let run = platform.send().succeeds();
    assert!(run.stderr.contains("me@example.org"), "{}", run.stderr);
    assert_eq!(smtp.mails()[0].to, ["me@example.org"]);
}

#[test]
fn without_settings_the_missing_env_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = program(folder.path()).arg("send").output().unwrap();
    let run = Run::of(&["send"], run).exits(78);
    assert!(run.stderr.contains("there is no .env in"), "{}", run.stderr);
}

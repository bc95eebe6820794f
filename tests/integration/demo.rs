//! `demo`: one command from nothing to a result.

use std::{
    ffi::OsStr,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::support::{Run, program};

/// Settings of a platform's own that nobody should meet in a demonstration.
const HOSTILE: [(&str, &str); 7] = [
    ("DB_CONNECTION", "mysql"),
    ("DATABASE_URL", "postgres://lms:hunter2@db.example.org/lms"),
    ("MAIL_MAILER", "smtp"),
    ("MAIL_HOST", "127.0.0.1"),
    ("APP_TIMEZONE", "Nowhere"),
    ("WHATSAPP_TRANSPORT", "twilio"),
    ("REMINDERS_ENV_FILE", "/nowhere/.env"),
];

fn demo(folder: &TempDir, arguments: &[&str]) -> Run {
    let mut command = program(folder.path());
    let output = command
        .arg("demo")
        .args(arguments)
        .envs(HOSTILE)
        .output()
        .unwrap();
    Run::of(&["demo"], output)
}

/// The messages in a folder, by the ending of their names.
fn messages(folder: &Path, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut texts: Vec<String> = entries
        .filter(|path| path.extension() == Some(OsStr::new(ending)))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    texts.sort();
    texts
}

/// How many mails and WhatsApp messages there are.
fn count(folder: &Path) -> (usize, usize) {
    (
        messages(folder, "eml").len(),
        messages(folder, "json").len(),
    )
}

/// The commands that the demonstration proposes, run as somebody would who copies them to the same shell.
fn next_commands(folder: &TempDir, shown: &str) -> Vec<Run> {
    let next = shown.split("Next").nth(1).unwrap();
    let lines = next.lines().filter(|line| line.starts_with("  "));
    let commands = lines.filter(|line| !line.starts_with("  #"));
    commands
        .map(|line| {
            let output = Command::new("/bin/sh")
                .args(["-c", line])
                .current_dir(folder.path())
                .env_clear()
                .envs(HOSTILE)
                .env("HOME", folder.path())
                .env("PATH", "/usr/bin:/bin")
                .stdin(Stdio::null())
                .output()
                .unwrap();
            Run::of(&[line], output).succeeds()
        })
        .collect()
}

#[test]
fn from_nothing_to_messages_whatever_the_environment_says() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".env"), "DB_DATABASE=\"broken\nX=${").unwrap();
    let run = demo(&folder, &[]).succeeds();
    assert_eq!(run.stderr, "");
    let made = folder.path().join("reminders-demo");
    assert_eq!(count(&made), (4, 2));
    for told in [
        "Budi Santoso",
        "Siti Rahma",
        "Emma Brown",
        "Dewi Lestari",
        "Small Talk",
        "Pengingat Sesi Kursus",
    ] {
        assert!(run.stdout.contains(told), "{told}");
    }
    assert!(!run.stdout.contains("Agus"), "a suspended user was told");
}

#[test]
fn what_it_proposes_next_can_be_copied_and_does_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let shown = demo(&folder, &[]).succeeds().stdout;
    let runs = next_commands(&folder, &shown);
    let made = folder.path().join("reminders-demo");
    assert!(
        runs.iter()
            .any(|run| run.stdout.contains("already sent") && run.stdout.contains("not opted in"))
    );
    // Nobody was told twice; the one who opted in meanwhile has got her message.
    assert_eq!(count(&made), (4, 3));
    assert!(messages(&made, "json").concat().contains("Dewi Lestari"));
}

#[test]
fn a_second_demo_replaces_the_first() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        demo(&folder, &[]).succeeds();
        assert_eq!(count(&folder.path().join("reminders-demo")), (4, 2));
    }
}

#[test]
fn a_folder_with_somebodys_files_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["work.json", ".env"] {
        let dir = folder.path().join(format!("with {name}"));
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join(name), "precious").unwrap();
        let refused = demo(&folder, &["--dir", dir.to_str().unwrap()]);
        assert_ne!(refused.code, 0);
        assert!(refused.stderr.contains("--dir"), "{}", refused.stderr);
        assert_eq!(fs::read_to_string(dir.join(name)).unwrap(), "precious");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    }
}

#[test]
fn the_folder_may_have_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let absolute = folder.path().join("absolute");
    fs::create_dir(folder.path().join("empty")).unwrap();
    for dir in [
        "two words",
        "100%20",
        "it's \"so\" & $HOME",
        "a?b#c",
        "nested/in/ñ",
        "empty",
        absolute.to_str().unwrap(),
    ] {
        let run = demo(&folder, &["--dir", dir]).succeeds();
        let made = folder.path().join(dir);
        assert_eq!(count(&made), (4, 2), "{dir}");
        next_commands(&folder, &run.stdout);
        assert_eq!(count(&made), (4, 3), "{dir}");
    }
}

#[test]
fn a_folder_with_a_database_of_that_name_and_other_files_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["demo.sqlite", "package.json", ".env"] {
        std::fs::write(folder.path().join(name), "mine").unwrap();
    }
    let refused = program(folder.path())
        .args(["demo", "--dir", "."])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    for name in ["demo.sqlite", "package.json", ".env"] {
        assert_eq!(
            std::fs::read(folder.path().join(name)).unwrap(),
            b"mine",
            "{name}"
        );
    }
}

//! A disk without room: nobody is told whom the database cannot record, and the pass with room goes on.

mod disk;

use std::{
    fs,
    process::Command,
    sync::{Arc, Mutex},
};

use self::disk::{Ballast, Disk};
use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{BackEnd, NOW, Platform, Run, START, nobody_lost},
};

/// After every lease that was taken at [`NOW`].
const LATER: &str = "2026-11-23T16:03:00+07:00";

const CURE: &str = "the disk that the database is on";

const FILE: &str = "platform.sqlite";

/// A due session with 60 participants, whose database is on a small disk.
struct Story {
    platform: Platform,
    disk: Disk,
}

impl Story {
    fn begin(journal: &str, platform: Platform) -> Option<Story> {
        platform.sql(&format!("PRAGMA journal_mode = {journal}"));
        let disk = Disk::small_at(&platform.path("disk"))?;
        fs::copy(platform.path(FILE), disk.path(FILE)).unwrap();
        let platform = platform.set("DB_DATABASE", &format!("disk/{FILE}"));
        Some(Story { platform, disk })
    }

    fn send_at(&self, now: &str) -> Run {
        let program = env!("CARGO_BIN_EXE_reminders");
        let folder = self.platform.path("");
        let mut pass = self.disk.enter(&folder, &[program, "send", "--now", now]);
        pass.env("HOME", folder);
        Run::of(&["send", "--now", now], pass.output().unwrap())
    }

    /// Looks at the database as it is when no pass runs.
    fn everybody_was_told(&self, smtp: &Smtp, repeats: usize) {
        fs::copy(self.disk.path(FILE), self.platform.path(FILE)).unwrap();
        everybody_was_told(&self.platform, smtp, repeats);
    }
}

fn platform(smtp: &Smtp) -> Platform {
    let platform = Platform::seed_on(BackEnd::Sqlite).mail(smtp);
    platform.session(1, START);
    platform.participants(1..=60);
    platform
}

/// Everybody once, but for so many repeats at most.
fn everybody_was_told(platform: &Platform, smtp: &Smtp, repeats: usize) {
    nobody_lost(smtp, 60, repeats);
    let by_status = "session_reminder_deliveries GROUP BY status";
    assert_eq!(platform.rows("status, count(*)", by_status), ["sent|60"]);
}

#[test]
fn on_a_full_disk_nobody_is_told_and_the_next_pass_with_room_goes_on() {
    for journal in ["delete", "wal"] {
        let smtp = Smtp::start();
        let Some(story) = Story::begin(journal, platform(&smtp)) else {
            return;
        };
        story.disk.ballast().fill();
        for now in [NOW, LATER] {
            let run = story.send_at(now).exits(75);
            assert_eq!(run.complaints().len(), 1, "{journal}: {}", run.stderr);
            assert!(run.stderr.contains(CURE), "{journal}: {}", run.stderr);
        }
        assert!(smtp.mails().is_empty());
        story.disk.ballast().clear();
        story.send_at(LATER).succeeds();
        story.everybody_was_told(&smtp, 0);
    }
}

/// A mail server that does something while it takes the 20th mail; the others wait for that.
fn smtp_that(acts: impl Fn() + Send + Sync + 'static) -> Smtp {
    let taken = Mutex::new(0);
    let server = Smtp::builder().script(move |phase, _| {
        if phase == Phase::Body {
            let mut taken = taken.lock().unwrap();
            *taken += 1;
            if *taken == 20 {
                acts();
            }
        }
        Reply::Accept
    });
    server.start()
}

#[test]
fn a_disk_that_fills_in_the_middle_of_a_pass_ends_it_and_repeats_few() {
    for journal in ["delete", "wal"] {
        let ballast = Arc::new(Mutex::new(None::<Ballast>));
        let smtp = smtp_that({
            let ballast = Arc::clone(&ballast);
            move || ballast.lock().unwrap().iter().for_each(Ballast::fill)
        });
        let Some(story) = Story::begin(journal, platform(&smtp)) else {
            return;
        };
        *ballast.lock().unwrap() = Some(story.disk.ballast());
        let run = story.send_at(NOW).exits(75);
        assert!(run.stderr.contains(CURE), "{journal}: {}", run.stderr);
        assert!(run.complaints().len() <= 3, "{journal}: {}", run.stderr);
        let told = smtp.mails().len();
        assert!((20..=28).contains(&told), "{told} were told");
        story.disk.ballast().clear();
        story.send_at(LATER).succeeds();
        story.everybody_was_told(&smtp, 8);
    }
}

/// A pass that may write no large file, as `ulimit -f` has it, with its signal ignored or not.
fn limited(platform: &Platform, signal: &str) -> Run {
    let script = format!(r#"{signal} ulimit -f 8; exec "$0" send --now "$1""#);
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_reminders"), NOW]);
    let folder = platform.path("");
    shell.current_dir(&folder).env("HOME", &folder);
    Run::of(&["send"], shell.output().unwrap())
}

#[test]
fn a_database_that_may_not_grow_is_said_and_nobody_is_told() {
    let smtp = Smtp::start();
    let platform = platform(&smtp);
    let run = limited(&platform, "trap '' XFSZ;").exits(75);
    assert_eq!(run.complaints().len(), 1, "{}", run.stderr);
    assert!(run.stderr.contains("ulimit -f"), "{}", run.stderr);
    // The kernel ends a pass that does not ignore the signal: the same as any other sudden end.
    limited(&platform, "").exits(-1);
    assert!(smtp.mails().is_empty());
    platform.send().succeeds();
    everybody_was_told(&platform, &smtp, 0);
}

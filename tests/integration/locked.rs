//! Somebody who keeps the database locked for longer than a pass waits: no delivery without a record, nobody twice.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{BackEnd, Database, NOW, Platform, START, nobody_lost, on},
};

const PEOPLE: usize = 40;

/// A minute after [`NOW`]: no lease taken then has ended.
const SOON: &str = "2026-11-23T16:01:00+07:00";

/// What a pass waits for a lock, and the time it may take beside.
const PATIENCE: Duration = Duration::from_secs(15);

fn platform(smtp: &Smtp) -> Platform {
    let platform = Platform::seed().mail(smtp);
    platform.session(1, START);
    platform.participants(1..=40);
    platform
}

/// Against writers alone, and against everybody.
fn locks() -> [&'static str; 2] {
    on(
        ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"],
        [
            "BEGIN; LOCK TABLE session_reminder_deliveries IN EXCLUSIVE MODE",
            "BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE",
        ],
        [
            "LOCK TABLES session_reminder_deliveries READ",
            "LOCK TABLES users WRITE",
        ],
    )
}

fn unlock(holder: &mut Database) {
    let unlock = on("ROLLBACK", "ROLLBACK", "UNLOCK TABLES");
    holder.run(unlock).unwrap();
}

fn everybody_once(platform: &Platform, smtp: &Smtp) {
    nobody_lost(smtp, PEOPLE, 0);
    let by_status = "session_reminder_deliveries GROUP BY status";
    let all = format!("sent|{PEOPLE}");
    assert_eq!(platform.rows("status, count(*)", by_status), [all]);
}

#[test]
fn a_lock_from_the_beginning_ends_the_pass_with_one_line_and_tells_nobody() {
    for lock in locks() {
        let smtp = Smtp::start();
        let platform = platform(&smtp);
        let mut holder = platform.database();
        holder.run(lock).unwrap();
        let began = Instant::now();
        let run = platform.send().exits(75);
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        assert_eq!(run.complaints().len(), 1, "{lock}: {}", run.stderr);
        let said = "for more than 10 s";
        assert!(run.stderr.contains(said), "{lock}: {}", run.stderr);
        assert!(smtp.mails().is_empty());
        unlock(&mut holder);
        platform.send_at(SOON).succeeds();
        everybody_once(&platform, &smtp);
    }
}

/// A mail server that locks the database, once its place is known, for `time` while it takes the tenth mail; the others
/// wait until the lock is held.
fn locking(place: &Arc<Mutex<String>>, time: Duration) -> Smtp {
    let (place, taken) = (Arc::clone(place), Mutex::new(0));
    let server = Smtp::builder().script(move |phase, _| {
        if phase == Phase::Body {
            let mut taken = taken.lock().unwrap();
            *taken += 1;
            if *taken == 10 {
                lock_for(time, &place.lock().unwrap());
            }
        }
        Reply::Accept
    });
    server.start()
}

fn lock_for(time: Duration, place: &str) {
    let mut holder = Database::open(BackEnd::chosen(), place);
    holder.run(locks()[0]).unwrap();
    thread::spawn(move || {
        thread::sleep(time);
        unlock(&mut holder);
    });
}

#[test]
fn a_lock_in_the_middle_of_a_pass_delays_its_records_and_loses_none() {
    let place = Arc::new(Mutex::new(String::new()));
    let smtp = locking(&place, Duration::from_secs(13));
    let platform = platform(&smtp);
    *place.lock().unwrap() = platform.database_place();
    let run = platform
        .run(&["send", "--now", NOW, "--format", "json"])
        .exits(75);
    assert_eq!(run.complaints().len(), 1, "{}", run.stderr);
    let told = smtp.mails().len();
    assert!((10..PEOPLE).contains(&told), "{told} were told");
    assert_eq!(run.json()["sent"], told);
    let open = "session_reminder_deliveries WHERE status = 'sending'";
    assert_eq!(platform.rows("count(*)", open), ["0"]);
    platform.send_at(SOON).succeeds();
    everybody_once(&platform, &smtp);
}

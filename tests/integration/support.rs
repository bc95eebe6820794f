//! A course platform on the disk or on a database server, and the program run on it as cron would.
//!
//! ```ignore
//! let smtp = Smtp::start();
//! let platform = Platform::seed().mail(&smtp);
//! platform.session(1, "2026-11-23 17:00:00");
//! platform.participant(1, "Budi", "budi@example.org");
//! let run = platform.run(&["send", "--now", "2026-11-23T16:00:00+07:00"]);
//! assert_eq!(run.code, 0);
//! ```
//!
//! The environment variable `REMINDERS_TEST_DATABASE` says which database the platforms have: `sqlite` (the default),
//! `postgres` or `mysql`.

mod back_end;
mod catalog;
mod database;
mod home;
mod people;
mod platform;
mod random;
mod run;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Instant,
};

use chrono::{DateTime, Duration, TimeZone, Utc};
use chrono_tz::Asia::Jakarta;

pub use self::{
    back_end::{BackEnd, on, on_sqlite},
    database::Database,
    platform::Platform,
    random::Random,
    run::{Run, program},
};
use crate::smtp::{Mail, Phase, Reply, Smtp};

/// The moment most tests play at: 16.00 in Jakarta, an hour before [`START`].
pub const NOW: &str = "2026-11-23T16:00:00+07:00";

/// An hour after [`NOW`], in the platform's digits.
pub const START: &str = "2026-11-23 17:00:00";

/// The platform's digits for a moment so many minutes from the real now, for tests without `--now`.
pub fn wall_in(minutes: i64) -> String {
    let instant: DateTime<Utc> = Utc::now() + Duration::minutes(minutes);
    Jakarta
        .from_utc_datetime(&instant.naive_utc())
        .format("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// A mail server that puts every recipient off while the switch is on, as it is at first.
pub fn busy_smtp() -> (Smtp, Arc<AtomicBool>) {
    let busy = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&busy);
    let server = Smtp::builder().script(move |phase, _| match phase {
        Phase::Rcpt if asked.load(SeqCst) => Reply::Say("451 4.3.2 try again later".into()),
        _ => Reply::Accept,
    });
    (server.start(), busy)
}

/// How often each of these things comes.
pub fn counted<T: Ord>(things: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for thing in things {
        *counts.entry(thing).or_default() += 1;
    }
    counts
}

/// By address, the Message-IDs that came to it.
fn identities(mails: &[Mail]) -> BTreeMap<String, BTreeSet<Option<String>>> {
    let mut all: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for mail in mails {
        let ids = all.entry(mail.to[0].clone()).or_default();
        ids.insert(mail.header("Message-ID"));
    }
    all
}

/// Nobody was lost, and whoever got a mail twice got the same one.
pub fn nobody_lost(smtp: &Smtp, participants: usize, most_repeats: usize) {
    let mails = smtp.mails();
    let identities = identities(&mails);
    assert_eq!(identities.len(), participants);
    for (to, ids) in identities {
        assert_eq!(ids.len(), 1, "{to}: {ids:?}");
    }
    let repeats = mails.len() - participants;
    assert!(repeats <= most_repeats, "{repeats} mails were repeated");
}

/// Looks every few milliseconds, and fails after ten seconds.
pub fn wait_until(condition: impl Fn() -> bool) {
    let end = Instant::now() + std::time::Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < end, "waited in vain");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

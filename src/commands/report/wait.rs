//! What comes of a message that waits, in words.

use chrono::{DateTime, Utc};

use super::{prospect::Prospect, reach::State};
use crate::{
    pass::wait::Wait,
    time::{Zone, when},
};

/// Of one that would be in that state, did it not wait.
pub fn prospect(wait: &Wait, would: State, start: DateTime<Utc>, zone: Zone) -> Prospect {
    match (wait.is_too_long(start), wait) {
        (true, _) => {
            let late = ", too late for the session";
            (State::NotSent, words(wait, late, zone))
        }
        (false, Wait::Attempt(row)) => (would, row.fault()),
        (false, _) => (would, words(wait, "", zone)),
    }
}

fn words(wait: &Wait, late: &str, zone: Zone) -> Option<String> {
    let until = wait.until().map(|until| when(zone.0, until));
    let until = until.map(|until| format!("not before {until}{late}"));
    let words: Vec<String> = until.into_iter().chain(wait.why()).collect();
    Some(words.join(": "))
}

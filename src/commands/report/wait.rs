//! What a message waits for, and whether that takes too long.

use chrono::{DateTime, Utc};

use super::reach::State;
use crate::{
    ledger::close::LAST_MOMENT,
    time::{Zone, when},
};

/// What keeps a channel from sending at once.
pub struct Wait {
    is_too_long: bool,
    pub why: String,
}

impl Wait {
    /// Until then, where that is known.
    pub fn new(
        until: Option<DateTime<Utc>>,
        why: String,
        start: DateTime<Utc>,
        zone: Zone,
    ) -> Self {
        let is_too_long = until.is_some_and(|until| start - until < LAST_MOMENT);
        let late = if is_too_long {
            ", too late for the session"
        } else {
            ""
        };
        let why = match until {
            Some(until) => format!("not before {}{late}: {why}", when(zone.0, until)),
            None => why,
        };
        Self { is_too_long, why }
    }

    pub fn is_too_long(&self) -> bool {
        self.is_too_long
    }

    /// The state of what would be in that one.
    pub fn or(&self, would: State) -> State {
        match self.is_too_long {
            true => State::NotSent,
            false => would,
        }
    }
}

//! How many were reached.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::{people::Row, reach::State};

/// How many people were reached, and by channel how many are in which state.
#[derive(Default, Serialize)]
pub struct Summary {
    participants: usize,
    reached: usize,
    /// To be told yet.
    waiting: usize,
    /// Nobody can tell.
    perhaps: usize,
    /// As far as Laravel has reached them.
    by_laravel: usize,
    not_reached: usize,
    /// Took part while it had another start. Not among the participants.
    left: usize,
    mail: BTreeMap<State, usize>,
    whatsapp: BTreeMap<State, usize>,
}

impl Summary {
    pub fn of(rows: &[Row]) -> Self {
        let mut summary = Self::default();
        for row in rows {
            let best = row.mail.state.max(row.whatsapp.state);
            if row.has_left && best == State::Unwanted {
                summary.left += 1;
                continue;
            }
            summary.participants += 1;
            *summary.mail.entry(row.mail.state).or_default() += 1;
            *summary.whatsapp.entry(row.whatsapp.state).or_default() += 1;
            match best {
                State::Told | State::Delivered | State::Read => summary.reached += 1,
                State::Waiting | State::NotYet => summary.waiting += 1,
                State::Perhaps => summary.perhaps += 1,
                State::ByLaravel => summary.by_laravel += 1,
                _ => summary.not_reached += 1,
            }
        }
        summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = |channel: &BTreeMap<State, usize>| {
            let counts: Vec<String> = channel
                .iter()
                .rev()
                .map(|(state, count)| format!("{count} {}", state.name()))
                .collect();
            counts.join(", ")
        };
        let also = |count: usize, words: &str| match count {
            0 => String::new(),
            count => format!(", {count} {words}"),
        };
        if self.participants == 0 {
            return f.write_str("nobody is to be told");
        }
        write!(
            f,
            "{} of {} reached{}{}{}{}, {} not reached",
            self.reached,
            self.participants,
            also(self.waiting, "to be told yet"),
            also(self.perhaps, "perhaps"),
            also(self.by_laravel, "by Laravel"),
            also(self.left, "left the course"),
            self.not_reached
        )?;
        write!(
            f,
            " (mail: {}; WhatsApp: {})",
            counts(&self.mail),
            counts(&self.whatsapp)
        )
    }
}

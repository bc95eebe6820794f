//! The comparison as a person reads it.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};

use super::{Compared, Comparison, DAY, Logged, Verdict, Would};
use crate::{
    table::{self, Cell, Table},
    text,
    time::{self, when},
};

impl Verdict {
    fn words(self) -> &'static str {
        match self {
            Verdict::Both => "both",
            Verdict::OtherNumber => "other number",
            Verdict::OnlyLaravel => "only Laravel",
            Verdict::OnlyReminders => "only reminders",
            Verdict::NotYet => "not yet",
            Verdict::Ours => "reminders itself",
        }
    }

    fn cell(self) -> Cell {
        let style = match self {
            Verdict::Both => table::GOOD,
            Verdict::NotYet | Verdict::Ours => table::FAINT,
            _ => table::DOUBTFUL,
        };
        Cell::new(self.words()).styled(style)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (
            when(self.zone.0, self.now - DAY),
            when(self.zone.0, self.now),
        );
        writeln!(
            f,
            "reminders that were due, or sent by Laravel, from {from} to {to}"
        )?;
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        if self.sessions.is_empty() {
            return write!(f, "no session");
        }
        let mut table = Table::titled(["", "session", "starts", "Laravel", "reminders", ""]);
        for one in &self.sessions {
            table.row(self.row(one));
        }
        write!(f, "\n{table}\n\n{}", self.summary())
    }
}

impl Comparison {
    fn row(&self, one: &Compared) -> [Cell; 6] {
        let start = one.scheduled_at.as_deref().unwrap_or("?");
        [
            one.verdict.cell(),
            Cell::number(one.session_id),
            Cell::new(self.digits(start)),
            Cell::new(
                one.laravel
                    .as_ref()
                    .map_or("–".into(), |logged| self.logged(logged)),
            ),
            Cell::new(
                one.reminders
                    .as_ref()
                    .map_or("nobody".into(), |would| self.would(would)),
            ),
            Cell::new(what(one)),
        ]
    }

    /// `32 at 11-23 15:56`.
    fn logged(&self, logged: &Logged) -> String {
        format!("{} at {}", logged.recipients, self.digits(&logged.sent_at))
    }

    /// `31 from 11-23 15:55`.
    fn would(&self, would: &Would) -> String {
        format!("{} from {}", would.people, self.minute(would.opens))
    }

    /// The platform's digits, shortened where they are a time.
    fn digits(&self, digits: &str) -> String {
        match self.zone.parse(digits) {
            Some(time) => self.minute(time),
            None => text::one_line(digits, 30),
        }
    }

    fn minute(&self, time: DateTime<Utc>) -> String {
        time::to_the_minute(time, self.zone, self.now)
    }

    /// `3 sessions: 2 both, 1 only Laravel`.
    fn summary(&self) -> String {
        let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
        for one in &self.sessions {
            *counts.entry(one.verdict).or_default() += 1;
        }
        let counts = counts
            .iter()
            .map(|(verdict, count)| format!("{count} {}", verdict.words()));
        let counts = counts.collect::<Vec<_>>().join(", ");
        match self.sessions.len() {
            1 => format!("1 session: {counts}"),
            count => format!("{count} sessions: {counts}"),
        }
    }
}

/// By what they are told, and why the two differ.
fn what(one: &Compared) -> String {
    let would = one
        .reminders
        .iter()
        .map(|would| format!("{} by mail, {} by WhatsApp", would.mail, would.whatsapp));
    let parts: Vec<String> = would.chain(one.why.iter().cloned()).collect();
    parts.join("; ")
}

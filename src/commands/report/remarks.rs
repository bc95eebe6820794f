//! What is to be said of somebody that the states and their reasons do not say.

use super::people::About;
use crate::ledger::{Channel, Kind, delivery::Delivery};

pub fn all(all: &[Delivery], has_left: bool, id: i64, about: &About) -> String {
    let mut remarks = Vec::new();
    if has_left {
        remarks.push("does not take part any more".to_owned());
    }
    remarks.extend(of_cancellation(all, id, about).map(str::to_owned));
    let start = about.session.scheduled_at.as_deref();
    let starts = sent(all).filter(|row| row.kind() != Kind::Cancelled);
    let last = starts.max_by_key(|row| (row.sent_at, row.id));
    if let Some(other) = last.filter(|row| !row.names(start)) {
        remarks.push(format!("was told of the start {}", other.scheduled_at));
    }
    remarks.join("; ")
}

fn sent(all: &[Delivery]) -> impl Iterator<Item = &Delivery> {
    all.iter().filter(|row| row.is_sent())
}

/// Whether the last that they were told is that it does not take place; or they are still to hear that.
fn of_cancellation(all: &[Delivery], id: i64, about: &About) -> Option<&'static str> {
    let last = |channel| {
        sent(all)
            .filter(move |row| row.is_of(channel))
            .max_by_key(|row| (row.sent_at, row.id))
    };
    let mut told = Channel::ALL.into_iter().filter_map(last).peekable();
    let is_told = told.peek().is_some();
    let is_ahead = about.start() > Some(about.pass.clock.start());
    match told.any(|row| row.kind() == Kind::Cancelled) {
        true => Some("was told that it is cancelled"),
        false if is_told && is_ahead && about.place.is_in_vain(id) => {
            Some("has not heard that it is cancelled")
        }
        false => None,
    }
}

//! Whether one person was reached by one channel.

use anstyle::Style;
use chrono::NaiveDateTime;
use serde::Serialize;

use super::people::About;
use crate::{
    ledger::{
        Channel,
        delivery::{self, Delivery},
        status,
    },
    platform::Participant,
    table::{self, Cell},
};

/// From the least to the most that can be said: of several messages about the same start the best counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The channel is off, or the person has not opted in, or takes no part any more.
    Unwanted,
    /// Nothing is recorded, and the time for it is over.
    NotTold,
    Cancelled,
    Missed,
    /// Never handed over: what was wrong was known before.
    NotSent,
    Bounced,
    /// May have been told: nobody recorded it.
    Perhaps,
    /// Laravel has reminded of the session, which has no record of whom it reached.
    ByLaravel,
    /// The time for it is still to come.
    NotYet,
    Waiting,
    Told,
    Delivered,
    Read,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Unwanted => "not wanted",
            State::NotTold => "not told",
            State::Cancelled => "cancelled",
            State::Missed => "missed",
            State::NotSent => "not sent",
            State::Bounced => "bounced",
            State::Perhaps => "perhaps",
            State::ByLaravel => "by Laravel",
            State::NotYet => "not yet",
            State::Waiting => "waiting",
            State::Told => "told",
            State::Delivered => "delivered",
            State::Read => "read",
        }
    }

    fn style(self) -> Style {
        match self {
            State::Told | State::Delivered | State::Read => table::GOOD,
            State::Perhaps | State::Waiting | State::ByLaravel => table::DOUBTFUL,
            State::NotTold | State::Missed | State::NotSent | State::Bounced => table::BAD,
            State::Unwanted | State::NotYet | State::Cancelled => table::FAINT,
        }
    }

    pub fn cell(self) -> Cell {
        Cell::new(self.name()).styled(self.style())
    }
}

/// A state, since when, where the message went, and why it did not.
#[derive(Serialize)]
pub struct Reach {
    pub state: State,
    #[serde(serialize_with = "delivery::optional_utc")]
    pub at: Option<NaiveDateTime>,
    /// Masked.
    pub to: Option<String>,
    pub reason: Option<String>,
}

impl Reach {
    pub fn of(row: &Delivery) -> Self {
        let state = match (row.status.as_str(), row.delivery_status.as_deref()) {
            (status::SENT, Some("read")) => State::Read,
            (status::SENT, Some("delivered")) => State::Delivered,
            (status::SENT, _) => State::Told,
            (status::PENDING | status::SENDING, _) => State::Waiting,
            (status::UNKNOWN, _) => State::Perhaps,
            (status::MISSED, _) => State::Missed,
            (status::CANCELLED, _) => State::Cancelled,
            _ if row.attempts == 0 => State::NotSent,
            _ => State::Bounced,
        };
        Self {
            state,
            at: row.sent_at.filter(|_| row.is_sent()),
            to: row.to(),
            reason: row.fault(),
        }
    }

    /// Of somebody for whom the ledger has nothing.
    pub fn without_row(channel: Channel, listed: Option<&Participant>, about: &About) -> Self {
        let pass = about.pass;
        let wanted = match channel {
            Channel::Mail => listed.is_some(),
            Channel::Whatsapp => listed.is_some_and(Participant::opted_in),
        };
        let state = match wanted && pass.off(channel).is_none() {
            false => State::Unwanted,
            true if is_to_come(about) => State::NotYet,
            true if about.by_laravel => State::ByLaravel,
            true => State::NotTold,
        };
        Self {
            state,
            at: None,
            to: None,
            reason: None,
        }
    }
}

/// Whether this program is still to remind of the session.
fn is_to_come(about: &About) -> bool {
    let (pass, start) = (about.pass, about.session.start(about.pass.zone));
    let by_laravel = pass.legacy_window().filter(|_| about.by_laravel);
    let mut windows = pass.windows().into_iter();
    windows.any(|window| {
        let closes = start.map(|start| window.closes(start));
        Some(window) != by_laravel && closes.is_some_and(|closes| closes >= pass.clock.start())
    })
}

/// Whether somebody has got this message, or may have.
pub fn may_be_told(row: &Delivery) -> bool {
    row.is_sent() || row.status == status::UNKNOWN
}

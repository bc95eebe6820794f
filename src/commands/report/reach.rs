//! Whether one person was reached by one channel.

use anstyle::Style;
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Serialize;

use crate::{
    ledger::{
        Channel,
        delivery::{self, Delivery},
        status,
    },
    pass::Pass,
    platform::Participant,
    table::{self, Cell},
};

/// From the least to the most that can be said: of several messages about the same start the best counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The channel is off, or the person has not opted in.
    Unwanted,
    /// Nothing is recorded, and the time for it is over.
    NotTold,
    Cancelled,
    Missed,
    Bounced,
    /// May have been told: nobody recorded it.
    Perhaps,
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
            State::Bounced => "bounced",
            State::Perhaps => "perhaps",
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
            State::Perhaps | State::Waiting => table::DOUBTFUL,
            State::NotTold | State::Missed | State::Bounced => table::BAD,
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
    pub fn without_row(
        channel: Channel,
        listed: Option<&Participant>,
        start: Option<DateTime<Utc>>,
        pass: &Pass,
    ) -> Self {
        let wanted = match channel {
            Channel::Mail => true,
            Channel::Whatsapp => listed.is_some_and(Participant::opted_in),
        };
        let closes = |start| {
            pass.windows()
                .iter()
                .map(|window| window.closes(start))
                .max()
        };
        let is_over = start
            .and_then(closes)
            .is_none_or(|closes| closes < pass.clock.start());
        let state = match (wanted && pass.off(channel).is_none(), is_over) {
            (false, _) => State::Unwanted,
            (true, true) => State::NotTold,
            (true, false) => State::NotYet,
        };
        Self {
            state,
            at: None,
            to: None,
            reason: None,
        }
    }
}

/// Whether somebody has got this message, or may have.
pub fn may_be_told(row: &Delivery) -> bool {
    row.is_sent() || row.status == status::UNKNOWN
}

//! Whether one person was reached by one channel.

use anstyle::Style;
use chrono::NaiveDateTime;
use serde::Serialize;

use super::{people::About, prospect};
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
    pub fn of(
        row: &Delivery,
        channel: Channel,
        listed: Option<&Participant>,
        about: &About,
    ) -> Self {
        let (state, reason) = match row.status.as_str() {
            status::PENDING => prospect::of_waiting(row, channel, listed, about),
            _ => {
                let code = row.error_code.as_deref().unwrap_or_default();
                (
                    state(row, about),
                    prospect::why(code, row.fault(), listed, about),
                )
            }
        };
        Self {
            state,
            at: row.sent_at.filter(|_| row.is_sent()),
            to: row.to(),
            reason,
        }
    }

    /// Of somebody for whom the ledger has nothing.
    pub fn without_row(channel: Channel, listed: Option<&Participant>, about: &About) -> Self {
        let wanted = listed.filter(|one| about.wants(one, channel));
        let (state, reason) = match wanted {
            None => (State::Unwanted, None),
            Some(to) => prospect::of_reminder(to, channel, about)
                .unwrap_or_else(|| prospect::of_nothing(to, channel, about)),
        };
        Self {
            state,
            at: None,
            to: None,
            reason,
        }
    }
}

/// Of what is over, or on its way.
fn state(row: &Delivery, about: &About) -> State {
    let now = about.pass.clock.start().naive_utc();
    match (row.status.as_str(), row.delivery_status.as_deref()) {
        (status::SENT, Some("read")) => State::Read,
        (status::SENT, Some("delivered")) => State::Delivered,
        (status::SENT, _) => State::Told,
        (status::SENDING, _)
            if row.lease_until.is_some_and(|until| until >= now) && !row.is_in_doubt() =>
        {
            State::Waiting
        }
        // The pass that had it has died, or has lost the answer.
        (status::UNKNOWN | status::SENDING, _) => State::Perhaps,
        (status::MISSED, _) => State::Missed,
        (status::CANCELLED, _) => State::Cancelled,
        _ if was_kept_back(row) => State::NotSent,
        _ => State::Bounced,
    }
}

/// Whether it never left: an attempt is counted also where the mail server was down, or the address was found wrong then.
fn was_kept_back(row: &Delivery) -> bool {
    let code = row.error_code.as_deref().unwrap_or_default();
    row.attempts == 0 || ["address", "phone"].contains(&code)
}

/// Whether somebody has got this message, or may have.
pub fn may_be_told(row: &Delivery) -> bool {
    row.is_sent() || row.status == status::UNKNOWN
}

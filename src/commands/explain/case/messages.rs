//! Which of the messages on record count.

use super::Case;
use crate::{
    ledger::{CORRECTED, Channel, Kind, REMINDER, delivery::Delivery, status},
    pass::window::Window,
};

impl Case<'_> {
    /// Whether a row is about the start as it is now.
    pub fn is_current(&self, row: &Delivery) -> bool {
        self.session.scheduled_at.as_deref() == Some(row.scheduled_at.as_str())
    }

    /// The row that stands for the reminder of one lead: its own, or the correction that took its place; else one that is
    /// made again.
    pub fn standing(&self, channel: Channel, window: &Window) -> Option<&Delivery> {
        let near = |row: &Delivery| {
            (row.lead_minutes - window.lead_minutes()).abs() <= window.width_minutes()
        };
        let rows = || {
            self.deliveries
                .iter()
                .rev()
                .filter(|row| row.is_of(channel) && self.is_current(row))
        };
        let reminder = || rows().filter(|row| row.kind == REMINDER && near(row));
        let is_live = |row: &&Delivery| row.status != status::CANCELLED;
        let moved = || rows().filter(|row| row.kind() == Kind::Moved).find(is_live);
        match reminder().find(|row| !row.is_open_again()) {
            Some(row) if row.error_code.as_deref() == Some(CORRECTED) => moved().or(Some(row)),
            Some(row) => Some(row),
            None => reminder().next(),
        }
    }

    /// The last correction on a channel that still counts: a pass ends those of which something else is so by now.
    pub fn correction(&self, channel: Channel) -> Option<&Delivery> {
        let waits = |row: &Delivery| row.status == status::PENDING;
        let counts = |row: &&Delivery| match row.kind() {
            Kind::Reminder => false,
            Kind::Moved => !row.is_open_again() && (!waits(row) || self.is_current(row)),
            Kind::Cancelled => !row.is_open_again() && (!waits(row) || self.is_in_vain),
        };
        let mut rows = self.deliveries.iter().rev();
        rows.find(|row| row.is_of(channel) && counts(row))
    }

    /// Whether something is said of a correction on a channel.
    pub fn has_news(&self, channel: Channel) -> bool {
        let is_owed = self.owed.iter().any(|(of, _)| *of == channel);
        is_owed || self.correction(channel).is_some()
    }

    /// The last message on a channel that was sent.
    pub fn told(&self, channel: Channel) -> Option<&Delivery> {
        let sent = self
            .deliveries
            .iter()
            .filter(|row| row.is_of(channel) && row.is_sent());
        sent.max_by_key(|row| (row.sent_at, row.id))
    }
}

//! How much may be sent: `--limit` of one pass, shared by both channels, and what is allowed in a day.

use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Duration, Utc};
use diesel::QueryResult;

use crate::{
    db::Db,
    ledger::{self, Channel},
};

/// What a day's limit counts.
const DAY: Duration = Duration::hours(24);

/// How many deliveries a pass may still begin (`--limit`).
pub struct Budget {
    left: AtomicUsize,
    pub is_limited: bool,
}

impl Budget {
    pub fn new(limit: Option<usize>) -> Self {
        Self {
            left: AtomicUsize::new(limit.unwrap_or(usize::MAX)),
            is_limited: limit.is_some(),
        }
    }

    /// Takes up to `wanted`, and says how many there were.
    pub fn take(&self, wanted: usize) -> usize {
        let took = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                Some(left - left.min(wanted))
            });
        took.unwrap_or_default().min(wanted)
    }

    pub fn is_empty(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    pub fn give_back(&self, unused: usize) {
        self.left.fetch_add(unused, Ordering::Relaxed);
    }
}

/// What a limit of messages a day leaves of the last 24 hours, what every host is sending included.
pub fn of_the_day(
    db: &mut Db,
    channel: Channel,
    max_per_day: Option<usize>,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    let Some(budget) = max_per_day else {
        return Ok(usize::MAX);
    };
    let spent = ledger::spent_since(db, channel, now - DAY)?;
    Ok(budget.saturating_sub(usize::try_from(spent).unwrap_or(0)))
}

/// A limit of messages a day, as it stands.
pub struct Day {
    pub max: u32,
    /// In the last 24 hours, what every host is sending included.
    pub spent: i64,
    /// Where it is used up: when the next one may be sent. Unknown while only what is being sent stands before it.
    pub free: Option<DateTime<Utc>>,
}

impl Day {
    pub fn read(db: &mut Db, channel: Channel, max: u32, now: DateTime<Utc>) -> QueryResult<Self> {
        let spent = ledger::spent_since(db, channel, now - DAY)?;
        let over = spent - i64::from(max);
        let free = match over >= 0 {
            true => ledger::sent_after(db, channel, now - DAY, over)?,
            false => None,
        };
        Ok(Self {
            max,
            spent,
            free: free.map(|sent| sent + DAY),
        })
    }

    /// The same day after a pass that uses up at `now` what is left.
    pub fn after_a_pass(
        &self,
        db: &mut Db,
        channel: Channel,
        now: DateTime<Utc>,
    ) -> QueryResult<Self> {
        let first = ledger::sent_after(db, channel, now - DAY, 0)?;
        Ok(Self {
            spent: i64::from(self.max),
            free: Some(first.unwrap_or(now) + DAY),
            ..*self
        })
    }

    /// What is said where it is used up.
    pub fn reached(&self) -> String {
        format!("MAIL_MAX_PER_DAY={} is reached", self.max)
    }

    pub fn left(&self) -> usize {
        usize::try_from(i64::from(self.max) - self.spent).unwrap_or(0)
    }

    pub fn is_used_up(&self) -> bool {
        self.spent >= i64::from(self.max)
    }
}

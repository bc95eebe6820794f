//! The ledger as people read it: what was sent to whom, and what became of it, newest first or as it happens.

use chrono::{DateTime, Duration, Utc};
use diesel::{
    BoolExpressionMethods, BoxableExpression, ExpressionMethods, NullableExpressionMethods,
    QueryDsl, QueryResult, RunQueryDsl, sql_types::Bool,
};

use super::{
    Channel, Condition,
    delivery::{Delivery, delivery},
    of_session, status,
};
use crate::{
    db::{Backend, Db, schema::session_reminder_deliveries as ledger},
    time::Zone,
};

/// The states of a row, as [`Delivery::state`] shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Status {
    Pending,
    Sending,
    Sent,
    Delivered,
    Read,
    Failed,
    Cancelled,
    Missed,
    Unknown,
}

impl Status {
    /// As the ledger has it.
    fn name(self) -> &'static str {
        match self {
            Status::Pending => status::PENDING,
            Status::Sending => status::SENDING,
            Status::Sent | Status::Delivered | Status::Read => status::SENT,
            Status::Failed => status::FAILED,
            Status::Cancelled => status::CANCELLED,
            Status::Missed => status::MISSED,
            Status::Unknown => status::UNKNOWN,
        }
    }

    /// Of what was sent, what Twilio must have said since.
    fn fate(self) -> Option<&'static str> {
        match self {
            Status::Delivered => Some("delivered"),
            Status::Read => Some("read"),
            _ => None,
        }
    }
}

/// The rows that are asked for.
#[derive(Debug, Default)]
pub struct Wanted {
    pub session: Option<i64>,
    pub user: Option<i64>,
    pub status: Option<Status>,
    pub channel: Option<Channel>,
    /// Something has happened to them since then.
    pub since: Option<DateTime<Utc>>,
}

impl Wanted {
    fn condition(&self) -> Condition {
        let fate = self.status.and_then(Status::fate);
        let conditions: [Option<Condition>; 5] = [
            self.user.map(|id| boxed(ledger::user_id.eq(id))),
            self.status.map(|one| boxed(ledger::status.eq(one.name()))),
            fate.map(|fate| boxed(ledger::delivery_status.assume_not_null().eq(fate))),
            self.channel
                .map(|channel| boxed(ledger::channel.eq(channel.name()))),
            self.since
                .map(|since| boxed(ledger::updated_at.ge(since.naive_utc()))),
        ];
        let and = |all: Condition, one: Condition| boxed(all.and(one));
        let conditions = conditions.into_iter().flatten();
        conditions.fold(of_session(self.session), and)
    }
}

fn boxed<C>(condition: C) -> Condition
where
    C: BoxableExpression<ledger::table, Backend, SqlType = Bool> + 'static,
{
    Box::new(condition)
}

/// The newest rows, so many at most.
pub fn newest(db: &mut Db, wanted: &Wanted, limit: usize) -> QueryResult<Vec<Delivery>> {
    ledger::table
        .filter(wanted.condition())
        .order(ledger::id.desc())
        .limit(limit.try_into().unwrap_or(i64::MAX))
        .select(delivery!())
        .load(db)
}

/// These rows.
pub fn of(db: &mut Db, ids: &[i64]) -> QueryResult<Vec<Delivery>> {
    let these = ledger::table.filter(ledger::id.eq_any(ids));
    these.select(delivery!()).load(db)
}

/// What happens to a row happens before its start or not long after: Twilio is asked until an hour later, and what an
/// outage has kept waiting is missed when the outage is over. These bounds keep the queries below inside the index of states and
/// starts, however many rows lie behind.
const FOLLOWED: Duration = Duration::hours(3);
pub(super) const OUTAGE: Duration = Duration::days(30);

/// Every state but `sent`, which has all that was ever sent.
const UNSENT: [&str; 6] = [
    status::PENDING,
    status::SENDING,
    status::FAILED,
    status::CANCELLED,
    status::MISSED,
    status::UNKNOWN,
];

/// The rows that something has happened to since then, oldest first.
pub fn changed(
    db: &mut Db,
    wanted: &Wanted,
    zone: Zone,
    since: DateTime<Utc>,
) -> QueryResult<Vec<Delivery>> {
    let mut changed = Vec::new();
    for (states, behind) in [(vec![status::SENT], FOLLOWED), (UNSENT.to_vec(), OUTAGE)] {
        let rows: Vec<Delivery> = ledger::table
            .filter(ledger::status.eq_any(states))
            .filter(ledger::channel.eq_any(Channel::ALL.map(Channel::name)))
            .filter(ledger::scheduled_at.ge(zone.wall(since - behind)))
            .filter(ledger::updated_at.ge(since.naive_utc()))
            .filter(wanted.condition())
            .select(delivery!())
            .load(db)?;
        changed.extend(rows);
    }
    changed.sort_by_key(|row| (row.updated_at, row.id));
    Ok(changed)
}

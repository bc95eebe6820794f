//! The ledger as people read it: what was sent to whom, and what became of it, newest first or as it happens.

use std::cmp::Reverse;

use chrono::{DateTime, Duration, Utc};
use diesel::{
    BoolExpressionMethods, BoxableExpression, ExpressionMethods, NullableExpressionMethods,
    QueryDsl, QueryResult, RunQueryDsl,
    dsl::sql,
    sql_types::{Bool, Timestamp},
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
    /// Any of these; none: all.
    pub states: Vec<Status>,
    pub channel: Option<Channel>,
    /// Something has happened to them since then.
    pub since: Option<DateTime<Utc>>,
}

impl Wanted {
    fn condition(&self) -> Condition {
        let conditions: [Option<Condition>; 5] = [
            self.user.map(|id| boxed(ledger::user_id.eq(id))),
            (!self.states.is_empty()).then(|| boxed(ledger::status.eq_any(self.statuses()))),
            self.fates(),
            self.channel
                .map(|channel| boxed(ledger::channel.eq(channel.name()))),
            self.since
                .map(|since| boxed(ledger::updated_at.ge(since.naive_utc()))),
        ];
        let and = |all: Condition, one: Condition| boxed(all.and(one));
        let conditions = conditions.into_iter().flatten();
        conditions.fold(of_session(self.session), and)
    }

    fn statuses(&self) -> Vec<&'static str> {
        self.states.iter().map(|state| state.name()).collect()
    }

    /// What Twilio must have said of those sent, unless all that were sent are asked for.
    fn fates(&self) -> Option<Condition> {
        let fates: Vec<&str> = self.states.iter().filter_map(|one| one.fate()).collect();
        let all = fates.is_empty() || self.states.contains(&Status::Sent);
        let said = ledger::delivery_status.assume_not_null().eq_any(fates);
        (!all).then(|| boxed(ledger::status.ne(status::SENT).or(said)))
    }

    /// Few rows, or none that an index has in the order of time.
    fn is_narrow(&self) -> bool {
        let sent = self.statuses().contains(&status::SENT);
        self.session.is_some() || self.user.is_some() || !(self.states.is_empty() || sent)
    }

    fn is_of_unsent(&self) -> bool {
        self.states.is_empty() || self.statuses().iter().any(|one| UNSENT.contains(one))
    }

    /// Those that may have such rows: only of WhatsApp messages it is known what became of them.
    fn channels(&self) -> Vec<Channel> {
        let is_of_fates =
            !self.states.is_empty() && self.states.iter().all(|one| one.fate().is_some());
        let all = Channel::ALL.into_iter();
        all.filter(|one| self.channel.is_none_or(|channel| channel == *one))
            .filter(|one| !is_of_fates || *one == Channel::Whatsapp)
            .collect()
    }
}

fn boxed<C>(condition: C) -> Condition
where
    C: BoxableExpression<ledger::table, Backend, SqlType = Bool> + 'static,
{
    Box::new(condition)
}

/// The newest rows by [`Delivery::at`], so many at most.
///
/// Of all rows, those sent are read backwards from the last one of each channel, by their index; of those not sent,
/// which are few, the recent ones are looked at, and all only where these are not enough.
pub fn newest(
    db: &mut Db,
    wanted: &Wanted,
    limit: usize,
    zone: Zone,
    now: DateTime<Utc>,
) -> QueryResult<Vec<Delivery>> {
    if wanted.is_narrow() {
        return latest(db, wanted.condition(), limit);
    }
    let mut newest = Vec::new();
    for channel in wanted.channels() {
        newest.extend(last_sent(db, wanted, channel, limit)?);
    }
    if wanted.is_of_unsent() {
        newest.extend(last_unsent(db, wanted, limit, zone, now)?);
    }
    newest.sort_by_key(|row| Reverse((row.at(), row.id)));
    // What has failed after it was sent is found twice.
    newest.dedup_by_key(|row| row.id);
    newest.truncate(limit);
    Ok(newest)
}

/// Nothing happens to a row longer than an outage after its start: a row from before these has nothing recent.
fn last_unsent(
    db: &mut Db,
    wanted: &Wanted,
    limit: usize,
    zone: Zone,
    now: DateTime<Utc>,
) -> QueryResult<Vec<Delivery>> {
    let unsent = || {
        let of_channel = ledger::channel.eq_any(Channel::ALL.map(Channel::name));
        let unsent = ledger::status.eq_any(UNSENT).and(of_channel);
        boxed(unsent.and(wanted.condition()))
    };
    let recent = now - OUTAGE;
    let from = ledger::scheduled_at.ge(zone.wall(recent - OUTAGE));
    let rows = latest(db, boxed(unsent().and(from)), limit)?;
    match rows.len() == limit && rows.iter().all(|row| row.at() >= recent) {
        true => Ok(rows),
        false => latest(db, unsent(), limit),
    }
}

fn latest(db: &mut Db, rows: Condition, limit: usize) -> QueryResult<Vec<Delivery>> {
    const AT: &str =
        "coalesce(session_reminder_deliveries.sent_at, session_reminder_deliveries.updated_at)";
    ledger::table
        .filter(rows)
        .order((sql::<Timestamp>(AT).desc(), ledger::id.desc()))
        .limit(limit.try_into().unwrap_or(i64::MAX))
        .select(delivery!())
        .load(db)
}

/// Those sent last on a channel, in the order of the index of channel and time.
fn last_sent(
    db: &mut Db,
    wanted: &Wanted,
    channel: Channel,
    limit: usize,
) -> QueryResult<Vec<Delivery>> {
    let since = wanted.since.map(|since| (since - LONGEST).naive_utc());
    let sent = since.map_or_else(
        || boxed(ledger::sent_at.is_not_null()),
        |since| boxed(ledger::sent_at.assume_not_null().ge(since)),
    );
    ledger::table
        .filter(ledger::channel.eq(channel.name()))
        .filter(sent)
        .filter(wanted.condition())
        .order((ledger::sent_at.desc(), ledger::id.desc()))
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
/// outage has kept waiting is missed when the outage is over. These bounds keep the queries below inside the index of
/// states and starts, however many rows lie behind.
const FOLLOWED: Duration = Duration::hours(3);
pub(super) const OUTAGE: Duration = Duration::days(30);
/// Longer than anything happens to a row after it was sent: the longest lead, and what Twilio is asked after the start.
const LONGEST: Duration = Duration::days(31);

/// Every status but `sent`, which has all that was ever sent.
pub(super) const UNSENT: [&str; 6] = [
    status::PENDING,
    status::SENDING,
    status::FAILED,
    status::CANCELLED,
    status::MISSED,
    status::UNKNOWN,
];

/// The rows that something has happened to since then, in the order of the times that they show.
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
    changed.sort_by_key(|row| (row.at(), row.id));
    Ok(changed)
}

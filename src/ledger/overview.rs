//! The ledger at a glance: what became of the last day's messages, and which of them need a person.
//!
//! No query reads all of a large ledger: each begins at an index, and ends at a bound of time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::{
    AggregateExpressionMethods, BoolExpressionMethods, ExpressionMethods,
    NullableExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl,
    dsl::{count, count_star, max, sql},
    sql_types::{Bool, Nullable, Text},
};
use serde::Serialize;

use super::{
    Channel, Condition, Kind,
    delivery::{Delivery, delivery},
    is_still,
    journal::OUTAGE,
    start_digits, status,
};
use crate::{
    db::{Db, Lossy, schema::session_reminder_deliveries as ledger},
    time::Zone,
};

/// Channel, status, and how many.
type Count = (String, String, i64);

/// What became of the messages of one channel.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub struct Outcomes {
    /// Accepted by the mail server or by Twilio.
    pub sent: i64,
    /// Of those sent, what has arrived (WhatsApp).
    pub delivered: i64,
    /// Of those delivered, what was read.
    pub read: i64,
    /// To be sent, or being sent, now.
    pub waiting: i64,
    pub failed: i64,
    pub missed: i64,
    pub unknown: i64,
    pub cancelled: i64,
}

/// What was sent in one hour (`YYYY-MM-DD HH`, UTC) on one channel: what became of it since, and how many there are.
type Hour = (String, String, Option<String>, String, i64);

/// The outcomes of the time since then.
#[derive(Debug, Default)]
pub struct Overview {
    pub mail: Outcomes,
    pub whatsapp: Outcomes,
    /// How many were sent in each hour, as `YYYY-MM-DD HH` (UTC); none where nothing was.
    pub hours: BTreeMap<String, i64>,
}

impl Overview {
    fn of(&mut self, channel: &str) -> &mut Outcomes {
        match channel == Channel::Whatsapp.name() {
            true => &mut self.whatsapp,
            false => &mut self.mail,
        }
    }

    fn add_sent(&mut self, (channel, state, fate, hour, count): Hour) {
        *self.hours.entry(hour).or_default() += count;
        let outcomes = self.of(&channel);
        // What was taken and has failed since is counted among the failed.
        if state != status::SENT {
            return;
        }
        outcomes.sent += count;
        match fate.as_deref() {
            Some("delivered") => outcomes.delivered += count,
            Some("read") => {
                outcomes.delivered += count;
                outcomes.read += count;
            }
            _ => {}
        }
    }

    fn add_unsent(&mut self, (channel, state, count): Count) {
        let outcomes = self.of(&channel);
        let counter = match state.as_str() {
            status::FAILED => &mut outcomes.failed,
            status::MISSED => &mut outcomes.missed,
            status::UNKNOWN => &mut outcomes.unknown,
            status::CANCELLED => &mut outcomes.cancelled,
            _ => &mut outcomes.waiting,
        };
        *counter += count;
    }

    /// Reads what has happened since then, and what waits now.
    pub fn read(db: &mut Db, zone: Zone, since: DateTime<Utc>) -> QueryResult<Self> {
        let mut overview = Self::default();
        for hour in sent(db, since)? {
            overview.add_sent(hour);
        }
        for count in waiting(db)? {
            overview.add_unsent(count);
        }
        for count in ended(db, zone, since)? {
            overview.add_unsent(count);
        }
        Ok(overview)
    }
}

/// What was sent, by channel and hour. (In words of its own, since it is grouped by a part of a time.)
fn sent(db: &mut Db, since: DateTime<Utc>) -> QueryResult<Vec<Hour>> {
    const HOUR: &str = "substr(CAST(sent_at AS CHAR(19)), 1, 13)";
    ledger::table
        .filter(ledger::channel.eq_any(names()))
        .filter(ledger::sent_at.assume_not_null().ge(since.naive_utc()))
        .group_by(sql::<Text>(&format!(
            "channel, status, delivery_status, {HOUR}"
        )))
        .select((
            sql::<Text>("channel"),
            sql::<Text>("status"),
            sql::<Nullable<Text>>("delivery_status"),
            sql::<Text>(HOUR),
            count_star(),
        ))
        .load(db)
}

fn names() -> [&'static str; 2] {
    Channel::ALL.map(Channel::name)
}

fn waiting(db: &mut Db) -> QueryResult<Vec<Count>> {
    ledger::table
        .filter(ledger::status.eq_any([status::PENDING, status::SENDING]))
        .group_by((ledger::channel, ledger::status))
        .select((ledger::channel, ledger::status, count_star()))
        .load(db)
}

/// Rows that came to an end without being sent.
fn ended_since(states: &[&'static str], zone: Zone, since: DateTime<Utc>) -> Condition {
    Box::new(
        ledger::status
            .eq_any(states.to_vec())
            .and(ledger::channel.eq_any(names()))
            .and(ledger::scheduled_at.ge(zone.wall(since - OUTAGE)))
            .and(ledger::updated_at.ge(since.naive_utc())),
    )
}

/// The states that ask for a person.
const IN_NEED: [&str; 3] = [status::FAILED, status::UNKNOWN, status::MISSED];

fn ended(db: &mut Db, zone: Zone, since: DateTime<Utc>) -> QueryResult<Vec<Count>> {
    let states = [&IN_NEED[..], &[status::CANCELLED]].concat();
    ledger::table
        .filter(ended_since(&states, zone, since))
        .group_by((ledger::channel, ledger::status))
        .select((ledger::channel, ledger::status, count_star()))
        .load(db)
}

/// How many rows have come to need a person since then, by status.
pub fn counts_in_need(
    db: &mut Db,
    zone: Zone,
    since: DateTime<Utc>,
) -> QueryResult<Vec<(String, i64)>> {
    ledger::table
        .filter(ended_since(&IN_NEED, zone, since))
        .group_by(ledger::status)
        .order(ledger::status)
        .select((ledger::status, count_star()))
        .load(db)
}

/// Of the rows that have come to need a person since then, by session, channel, status and reason: the newest and how
/// many they are. The last that happened first, so many at most.
pub fn in_need(
    db: &mut Db,
    zone: Zone,
    since: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<(i64, i64)>> {
    let alike = (
        ledger::course_session_id,
        ledger::channel,
        ledger::status,
        ledger::error_code,
        ledger::error,
    );
    ledger::table
        .filter(ended_since(&IN_NEED, zone, since))
        .group_by(alike)
        .order((max(ledger::updated_at).desc(), max(ledger::id).desc()))
        .limit(limit)
        .select((max(ledger::id).assume_not_null(), count_star()))
        .load(db)
}

/// How far back by their ids rows are looked at for the last that was written.
const RECENT: i64 = 200;

/// A row that was written last, as far as a few looks tell.
pub fn last_written(db: &mut Db) -> QueryResult<Option<Delivery>> {
    let newest = ledger::table.order(ledger::id.desc()).limit(RECENT);
    let mut rows: Vec<Delivery> = newest.select(delivery!()).load(db)?;
    for channel in names() {
        let sent = ledger::table
            .filter(ledger::channel.eq(channel))
            .filter(ledger::sent_at.is_not_null())
            .order(ledger::sent_at.desc())
            .limit(1);
        rows.extend(sent.select(delivery!()).load::<Delivery>(db)?);
    }
    Ok(rows.into_iter().max_by_key(|row| row.updated_at))
}

/// How many people know when a session starts.
#[derive(Queryable)]
pub struct Told {
    pub session_id: i64,
    pub channel: String,
    pub count: i64,
}

/// Who takes part in these sessions and was told of their start as it is now, by whatever message [`Delivery::names`]
/// it and however long before. (The index of states would promise less to read than it has.)
pub fn told(db: &mut Db, sessions: &[i64]) -> QueryResult<Vec<Told>> {
    ledger::table
        .filter(ledger::course_session_id.eq_any(sessions.to_vec()))
        .filter(ledger::kind.ne(Kind::Cancelled.name()))
        .filter(is_still(&[status::SENT]))
        .filter(sql::<Bool>(TAKES_PART))
        .group_by((ledger::course_session_id, ledger::channel))
        .select((
            ledger::course_session_id,
            ledger::channel,
            count(ledger::user_id).aggregate_distinct(),
        ))
        .load(db)
}

/// Those of these sessions of which messages wait, or are on their way, that name this start of theirs.
pub fn under_way(db: &mut Db, sessions: &[i64]) -> QueryResult<Vec<(i64, String)>> {
    let rows = ledger::table
        .filter(ledger::course_session_id.eq_any(sessions.to_vec()))
        .filter(ledger::kind.ne(Kind::Cancelled.name()))
        .filter(is_still(&[status::PENDING, status::SENDING]))
        .select((ledger::course_session_id, start_digits()))
        .distinct()
        .load::<(i64, Lossy)>(db)?;
    let plain = |(session, start): (i64, Lossy)| (session, start.into());
    Ok(rows.into_iter().map(plain).collect())
}

/// The row's user is one of those whom its channel tells of this start.
const TAKES_PART: &str = "coalesce((SELECT p.user_id FROM session_participants p
    WHERE p.session_id = session_reminder_deliveries.course_session_id
    AND p.user_id = session_reminder_deliveries.user_id
    AND p.scheduled_at = session_reminder_deliveries.scheduled_at
    AND (session_reminder_deliveries.channel <> 'whatsapp' OR p.whatsapp_opt_in = true) LIMIT 1), 0) > 0";

//! The ledger as people read it: what was sent to whom, and what became of it, newest first or as it happens.

use chrono::{DateTime, Duration, NaiveDateTime, SecondsFormat, Utc};
use diesel::{
    BoolExpressionMethods, BoxableExpression, ExpressionMethods, QueryDsl, QueryResult, Queryable,
    RunQueryDsl,
    dsl::sql,
    sql_types::{Bool, Text},
};
use serde::{Serialize, Serializer};

use super::{Channel, Condition, of_session, status};
use crate::{
    db::{Backend, Db, Lossy, schema::session_reminder_deliveries as ledger},
    text,
    time::Zone,
};

/// The states of a row, as the command line has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Status {
    Pending,
    Sending,
    Sent,
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
            Status::Sent => status::SENT,
            Status::Failed => status::FAILED,
            Status::Cancelled => status::CANCELLED,
            Status::Missed => status::MISSED,
            Status::Unknown => status::UNKNOWN,
        }
    }
}

/// A row. Its times are UTC, but for the start.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Queryable, Serialize)]
pub struct Entry {
    pub id: i64,
    pub session_id: i64,
    pub user_id: i64,
    pub channel: String,
    pub kind: String,
    pub lead_minutes: i32,
    /// The platform's digits.
    #[diesel(deserialize_as = Lossy)]
    pub scheduled_at: String,
    pub status: String,
    pub attempts: i32,
    #[serde(serialize_with = "optional_utc")]
    pub next_attempt_at: Option<NaiveDateTime>,
    pub claimed_by: Option<String>,
    #[serde(serialize_with = "masked")]
    pub recipient: Option<String>,
    /// Our Message-ID, or Twilio's SID.
    pub message_id: Option<String>,
    pub error_code: Option<String>,
    pub error: Option<String>,
    #[serde(serialize_with = "optional_utc")]
    pub sent_at: Option<NaiveDateTime>,
    pub delivery_status: Option<String>,
    #[serde(serialize_with = "utc")]
    pub created_at: NaiveDateTime,
    #[serde(serialize_with = "utc")]
    pub updated_at: NaiveDateTime,
}

impl Entry {
    /// When it was sent, else when something last happened to it.
    pub fn at(&self) -> DateTime<Utc> {
        self.sent_at.unwrap_or(self.updated_at).and_utc()
    }

    pub fn channel(&self) -> Option<Channel> {
        let named = |channel: &Channel| channel.name() == self.channel;
        Channel::ALL.into_iter().find(named)
    }

    /// Of what was sent, what Twilio has said since.
    pub fn state(&self) -> &str {
        let fate = self.delivery_status.as_deref();
        let fate = fate.filter(|fate| ["delivered", "read"].contains(fate));
        fate.filter(|_| self.status == status::SENT)
            .unwrap_or(&self.status)
    }

    /// Where it went, as it may be shown.
    pub fn to(&self) -> Option<String> {
        self.recipient.as_deref().map(mask)
    }

    /// What was last in its way: code and reason.
    pub fn fault(&self) -> Option<String> {
        match (&self.error_code, &self.error) {
            (Some(code), Some(error)) => Some(format!("{code}: {error}")),
            (code, error) => code.clone().or(error.clone()),
        }
    }

    /// The host whose pass has claimed it last: of `host:process:moment`.
    pub fn host(&self) -> Option<&str> {
        self.claimed_by.as_deref()?.rsplitn(3, ':').last()
    }
}

fn mask(recipient: &str) -> String {
    match recipient.contains('@') {
        true => text::mask_email(recipient),
        false => text::mask_phone(recipient),
    }
}

fn masked<S: Serializer>(recipient: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    recipient.as_deref().map(mask).serialize(to)
}

fn rfc3339(time: &NaiveDateTime) -> String {
    time.and_utc().to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn utc<S: Serializer>(time: &NaiveDateTime, to: S) -> Result<S::Ok, S::Error> {
    rfc3339(time).serialize(to)
}

fn optional_utc<S: Serializer>(time: &Option<NaiveDateTime>, to: S) -> Result<S::Ok, S::Error> {
    time.as_ref().map(rfc3339).serialize(to)
}

/// The columns of [`Entry`], in its order.
macro_rules! entry {
    () => {
        (
            ledger::id,
            ledger::course_session_id,
            ledger::user_id,
            ledger::channel,
            ledger::kind,
            ledger::lead_minutes,
            sql::<Text>("CAST(session_reminder_deliveries.scheduled_at AS CHAR(19))"),
            ledger::status,
            ledger::attempts,
            ledger::next_attempt_at,
            ledger::claimed_by,
            ledger::recipient,
            ledger::message_id,
            ledger::error_code,
            ledger::error,
            ledger::sent_at,
            ledger::delivery_status,
            ledger::created_at,
            ledger::updated_at,
        )
    };
}

pub(super) use entry;

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
        let conditions: [Option<Condition>; 4] = [
            self.user.map(|id| boxed(ledger::user_id.eq(id))),
            self.status.map(|one| boxed(ledger::status.eq(one.name()))),
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
pub fn newest(db: &mut Db, wanted: &Wanted, limit: usize) -> QueryResult<Vec<Entry>> {
    ledger::table
        .filter(wanted.condition())
        .order(ledger::id.desc())
        .limit(limit.try_into().unwrap_or(i64::MAX))
        .select(entry!())
        .load(db)
}

/// These rows.
pub fn of(db: &mut Db, ids: &[i64]) -> QueryResult<Vec<Entry>> {
    let these = ledger::table.filter(ledger::id.eq_any(ids));
    these.select(entry!()).load(db)
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
) -> QueryResult<Vec<Entry>> {
    let mut changed = Vec::new();
    for (states, behind) in [(vec![status::SENT], FOLLOWED), (UNSENT.to_vec(), OUTAGE)] {
        let rows: Vec<Entry> = ledger::table
            .filter(ledger::status.eq_any(states))
            .filter(ledger::channel.eq_any(Channel::ALL.map(Channel::name)))
            .filter(ledger::scheduled_at.ge(zone.wall(since - behind)))
            .filter(ledger::updated_at.ge(since.naive_utc()))
            .filter(wanted.condition())
            .select(entry!())
            .load(db)?;
        changed.extend(rows);
    }
    changed.sort_by_key(|entry| (entry.updated_at, entry.id));
    Ok(changed)
}

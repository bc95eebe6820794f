//! The ledger, `session_reminder_deliveries`: what is owed to whom, what became of it. Every query on it is here and in
//! the files below.

pub mod claim;
pub mod close;
pub mod columns;
pub mod correct;
pub mod delivery;
pub mod enqueue;
pub mod follow;
pub mod history;
pub mod journal;
pub mod known;
mod opted_out;
pub mod overview;
pub mod prune;
pub mod record;
pub mod retry;
mod standing;
#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests;

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use diesel::{
    BoolExpressionMethods, BoxableExpression, ExpressionMethods, IntoSql,
    NullableExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl,
    TextExpressionMethods,
    expression::SqlLiteral,
    sql_types::{Bool, Text},
};

pub use self::{
    opted_out::{forget_opt_out, opted_out, remember_opt_out},
    standing::{Standing, standing},
};
use crate::{
    db::{self, Backend, Db, schema::session_reminder_deliveries as ledger, text_or},
    time::WallRange,
};

/// The ledger's name in the database.
pub const TABLE: &str = "session_reminder_deliveries";

/// A way to reach a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Channel {
    Mail,
    Whatsapp,
}

impl Channel {
    pub const ALL: [Channel; 2] = [Channel::Mail, Channel::Whatsapp];

    /// As the ledger has it.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Mail => "mail",
            Channel::Whatsapp => "whatsapp",
        }
    }

    /// As a sentence has it.
    pub fn word(self) -> &'static str {
        match self {
            Channel::Mail => "mail",
            Channel::Whatsapp => "WhatsApp",
        }
    }
}

/// The states of a row. `pending` and `sending` are the only ones that a pass moves on.
pub mod status {
    pub const PENDING: &str = "pending";
    pub const SENDING: &str = "sending";
    pub const SENT: &str = "sent";
    pub const FAILED: &str = "failed";
    pub const CANCELLED: &str = "cancelled";
    pub const MISSED: &str = "missed";
    pub const UNKNOWN: &str = "unknown";
}

/// The kind of row that announces a start (others correct one).
pub const REMINDER: &str = "reminder";

/// What a row tells of its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// It starts soon: `scheduled_at`.
    Reminder,
    /// It does not start when it was told, but at `scheduled_at`.
    Moved,
    /// It does not start at `scheduled_at`, when it was told to, nor at another time.
    Cancelled,
}

impl Kind {
    /// As the ledger has it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Reminder => REMINDER,
            Kind::Moved => "moved",
            Kind::Cancelled => "cancelled",
        }
    }

    pub fn named(name: &str) -> Kind {
        let corrections = [Kind::Moved, Kind::Cancelled];
        let known = corrections.into_iter().find(|kind| kind.name() == name);
        known.unwrap_or(Kind::Reminder)
    }
}

/// The code of a `missed` row whose window passed before anybody looked.
pub const WINDOW_PASSED: &str = "window_passed";

/// The code of what was not sent before its session began.
pub const TOO_LATE: &str = "too_late";

/// The `delivery_status` of a message that failed at WhatsApp after Twilio had taken it, and was sent a second time.
const AGAIN: &str = "again";

/// The code of a `cancelled` reminder whose participant hears of the start by a correction: it stays so.
pub const CORRECTED: &str = "corrected";

/// What a pass is narrowed to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope {
    pub session: Option<i64>,
    pub channel: Option<Channel>,
}

impl Scope {
    pub fn includes(&self, channel: Channel) -> bool {
        self.channel.is_none_or(|only| only == channel)
    }
}

/// A condition on the ledger.
type Condition = Box<dyn BoxableExpression<ledger::table, Backend, SqlType = Bool>>;

/// Of rows that are named by their ids or their sessions: whether they have one of these statuses still. Not to be
/// looked up by it: SQLite would go through all rows of a status, thousands, for the few that are meant.
fn is_still(statuses: &[&'static str]) -> Condition {
    let status = text_or(ledger::status, "");
    match *statuses {
        [one] => Box::new(status.eq(one)),
        _ => Box::new(status.eq_any(statuses.to_vec())),
    }
}

fn of_session(session: Option<i64>) -> Condition {
    match session {
        Some(id) => Box::new(ledger::course_session_id.eq(id)),
        None => Box::new(true.into_sql::<Bool>()),
    }
}

/// Rows of sessions that start in one of the ranges.
fn starts_in(walls: &[WallRange]) -> Condition {
    // No `false OR …` to begin with: it would keep the database from using an index.
    let range = |(from, to): &WallRange| -> Condition {
        Box::new(ledger::scheduled_at.between(*from, *to))
    };
    let any = |any: Condition, range: Condition| -> Condition { Box::new(any.or(range)) };
    let ranges = walls.iter().map(range).reduce(any);
    ranges.unwrap_or_else(|| Box::new(false.into_sql::<Bool>()))
}

/// The start that a row tells of, in the platform's digits.
fn start_digits() -> SqlLiteral<Text> {
    db::digits("session_reminder_deliveries.scheduled_at")
}

/// How long a row waits after its `attempts`-th try: 1, 2, 5, then 10 minutes.
pub fn delay(attempts: i32) -> Duration {
    Duration::minutes(match attempts {
        ..=1 => 1,
        2 => 2,
        3 => 5,
        _ => 10,
    })
}

/// When the first row was made; `None` for an empty ledger.
pub fn began(db: &mut Db) -> QueryResult<Option<DateTime<Utc>>> {
    let first = ledger::table
        .order(ledger::id)
        .select(ledger::created_at)
        .limit(1);
    let first = first.load::<NaiveDateTime>(db)?.pop();
    Ok(first.map(|time| time.and_utc()))
}

/// How many messages of a channel were sent later than that, or are being sent.
pub fn spent_since(db: &mut Db, channel: Channel, since: DateTime<Utc>) -> QueryResult<i64> {
    let of_channel = || ledger::table.filter(ledger::channel.eq(channel.name()));
    let sent: i64 = of_channel()
        .filter(ledger::status.eq(status::SENT))
        .filter(ledger::sent_at.gt(since.naive_utc()))
        .count()
        .get_result(db)?;
    let sending: i64 = of_channel()
        .filter(ledger::status.eq(status::SENDING))
        .count()
        .get_result(db)?;
    Ok(sent + sending)
}

/// When the message of a channel was sent that has so many before it later than `since`.
pub fn sent_after(
    db: &mut Db,
    channel: Channel,
    since: DateTime<Utc>,
    before: i64,
) -> QueryResult<Option<DateTime<Utc>>> {
    let sent: Option<NaiveDateTime> = ledger::table
        .filter(ledger::channel.eq(channel.name()))
        .filter(ledger::status.eq(status::SENT))
        .filter(ledger::sent_at.gt(since.naive_utc()))
        .order(ledger::sent_at)
        .offset(before)
        .limit(1)
        .select(ledger::sent_at.assume_not_null())
        .first(db)
        .optional()?;
    Ok(sent.map(|at| at.and_utc()))
}

/// How many rows of a channel wait, or are being sent.
pub fn waiting(db: &mut Db, channel: Channel) -> QueryResult<i64> {
    let open = [status::PENDING, status::SENDING];
    ledger::table
        .filter(ledger::status.eq_any(open))
        .filter(ledger::channel.eq(channel.name()))
        .count()
        .get_result(db)
}

/// Whether any row is still to be moved on.
pub fn has_open_rows(db: &mut Db) -> QueryResult<bool> {
    // In the order of the index, or a planner that has seen a busy minute reads the whole ledger in every idle one.
    let first: Option<i64> = ledger::table
        .filter(ledger::status.eq_any([status::PENDING, status::SENDING]))
        .order((ledger::status, ledger::channel, ledger::scheduled_at))
        .select(ledger::id)
        .first(db)
        .optional()?;
    Ok(first.is_some())
}

/// How every reason begins that holds a whole channel rather than one row.
const HELD: &str = "channel stopped: ";

/// Why a channel is held back after it broke down, and until when.
#[derive(Debug, Clone)]
pub struct Hold {
    pub reason: String,
    pub until: DateTime<Utc>,
}

/// How the channel is held back, `None` when it may be tried.
pub fn held(db: &mut Db, channel: Channel, now: DateTime<Utc>) -> QueryResult<Option<Hold>> {
    let latest: Option<(Option<NaiveDateTime>, Option<String>)> = ledger::table
        .filter(ledger::status.eq(status::PENDING))
        .filter(ledger::channel.eq(channel.name()))
        .filter(ledger::next_attempt_at.gt(now.naive_utc()))
        .filter(ledger::error.like(format!("{HELD}%")))
        .order(ledger::next_attempt_at.desc())
        .select((ledger::next_attempt_at, ledger::error))
        .first(db)
        .optional()?;
    let hold = |(until, reason): (Option<NaiveDateTime>, Option<String>)| {
        let until = until?.and_utc();
        Some(Hold {
            reason: reason?,
            until,
        })
    };
    Ok(latest.and_then(hold))
}

/// How a channel stopped, and when that was recorded.
#[derive(Queryable)]
pub struct Stop {
    pub code: String,
    pub at: NaiveDateTime,
}

/// The last stop of a channel that rows still wait for.
pub fn last_stop(db: &mut Db, channel: Channel) -> QueryResult<Option<Stop>> {
    ledger::table
        .filter(ledger::status.eq(status::PENDING))
        .filter(ledger::channel.eq(channel.name()))
        .filter(ledger::error.like(format!("{HELD}%")))
        .order(ledger::updated_at.desc())
        .select((ledger::error_code.assume_not_null(), ledger::updated_at))
        .first(db)
        .optional()
}

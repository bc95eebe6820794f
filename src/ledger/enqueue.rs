//! What is due and has no row yet gets one, in a few set-based statements however many participants there are.
//!
//! "No row" is asked for as `coalesce((SELECT id … LIMIT 1), 0) < 1`: of a `NOT EXISTS`, planners make a read of the whole
//! ledger, and of `IS NULL` the guess that hardly any row is left.

use std::collections::HashSet;

use chrono::{DateTime, Duration, Utc};
use diesel::{
    BoolExpressionMethods, BoxableExpression, ExpressionMethods, IntoSql,
    NullableExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl,
    dsl::{insert_into, sql},
    sql_types::{Bool, Integer, Nullable, Text, Timestamp},
    update,
};

use super::{CORRECTED, Channel, REMINDER, WINDOW_PASSED, status};
use crate::{
    db::{
        AT_ONCE, Backend, Db, coalesce,
        schema::{session_participants as participants, session_reminder_deliveries as ledger},
    },
    platform::{self, of_session},
    time::WallRange,
};

type Condition = Box<dyn BoxableExpression<participants::table, Backend, SqlType = Bool>>;

/// The reminders of one lead whose window is open.
#[derive(Debug, Clone)]
pub struct Due {
    pub lead_minutes: i32,
    /// A row of another lead this near stands for this one too: a changed lead tells nobody twice.
    pub near_minutes: i32,
    /// The starts in the window.
    pub walls: Vec<WallRange>,
    pub session: Option<i64>,
    /// Where not all are to be looked at: the sessions that are.
    pub only: Option<Vec<i64>>,
    /// Sessions that Laravel has reminded of.
    pub skip: Vec<i64>,
    /// Users who have told WhatsApp to stop, where the platform does not know.
    pub opted_out: Vec<i64>,
}

impl Due {
    /// The same, but for these sessions.
    pub fn without(&self, sessions: &[i64]) -> Self {
        let skip = [&self.skip, sessions].concat();
        Self {
            skip,
            ..self.clone()
        }
    }

    /// The shortest and the longest lead whose rows stand for this one.
    fn leads(&self) -> (i32, i32) {
        let (lead, near) = (self.lead_minutes, self.near_minutes);
        (lead.saturating_sub(near), lead.saturating_add(near))
    }
}

/// Whether anybody is owed a reminder on one of the channels. Reads only.
pub fn any(db: &mut Db, due: &Due, channels: &[Channel]) -> QueryResult<bool> {
    if due.walls.is_empty() {
        return Ok(false);
    }
    let first: Vec<i64> = participants::table
        .filter(in_window(due))
        .filter(owed(db, due, channels))
        .select(participants::session_id)
        .limit(1)
        .load(db)?;
    Ok(!first.is_empty())
}

/// Whether [`any`] or [`sessions_without_rows`] may find somebody, in one look at the sessions of both: without an index
/// on their starts, a look is all that an idle minute costs. `Some(true)` where [`any`] does.
pub fn may_find(
    db: &mut Db,
    due: &Due,
    passed: &Due,
    channels: &[Channel],
) -> QueryResult<Option<bool>> {
    let walls = joined(&passed.walls, &due.walls);
    if walls.is_empty() {
        return Ok(None);
    }
    // Of each session first what is so of all its participants: most have been told, and none of them needs to be read.
    let session: Condition =
        Box::new(platform::starts_in(&due.walls).or(coalesce(rows(passed), 0).lt(1)));
    let participant: Condition = Box::new(
        platform::starts_in(&passed.walls)
            .and(somebody(channels))
            .or(owed(db, due, channels)),
    );
    participants::table
        .filter(platform::starts_in(&walls))
        .filter(of_session(due.session))
        .filter(session)
        .filter(participant)
        .select(platform::starts_in(&due.walls))
        .first(db)
        .optional()
}

/// The sessions of the next reminders that are owed on one of the channels, nearest start first; of about so many reminders.
pub fn nearest(
    db: &mut Db,
    due: &Due,
    channels: &[Channel],
    reminders: usize,
) -> QueryResult<Nearest> {
    if due.walls.is_empty() {
        return Ok(Nearest::default());
    }
    let mut sessions: Vec<i64> = participants::table
        .filter(in_window(due))
        .filter(owed(db, due, channels))
        .filter(is_whole())
        .order((participants::scheduled_at, participants::session_id))
        .limit(reminders.try_into().unwrap_or(i64::MAX))
        .select(participants::session_id)
        .load(db)?;
    let more = sessions.len() >= reminders;
    sessions.dedup();
    Ok(Nearest { sessions, more })
}

/// Sessions in which somebody is owed a reminder.
#[derive(Default)]
pub struct Nearest {
    pub sessions: Vec<i64>,
    /// Whether there may be others.
    pub more: bool,
}

/// Gives every reminder that is due on `channel` its row; how many there were.
pub fn insert(db: &mut Db, due: &Due, channel: Channel, now: DateTime<Utc>) -> QueryResult<usize> {
    if due.walls.is_empty() {
        return Ok(0);
    }
    let again = revive(db, due, channel, now)?;
    Ok(again + insert_rows(db, due, channel, Entry::Pending, now)?)
}

/// Gives them `missed` rows, for sessions whose window has passed without anybody having been told.
pub fn insert_missed(
    db: &mut Db,
    due: &Due,
    channel: Channel,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    insert_rows(db, due, channel, Entry::Missed, now)
}

/// How a row begins.
#[derive(Clone, Copy, PartialEq)]
enum Entry {
    Pending,
    Missed,
}

fn insert_rows(
    db: &mut Db,
    due: &Due,
    channel: Channel,
    entry: Entry,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    let now = now.naive_utc();
    let (status, error) = match entry {
        Entry::Pending => (status::PENDING, None),
        Entry::Missed => (status::MISSED, Some(WINDOW_PASSED)),
    };
    let rows = participants::table
        .filter(in_window(due))
        .filter(reachable(channel, &due.opted_out))
        .filter(untold(db, channel, due))
        .filter(is_whole())
        .select((
            participants::session_id,
            participants::user_id,
            channel.name().into_sql::<Text>(),
            REMINDER.into_sql::<Text>(),
            due.lead_minutes.into_sql::<Integer>(),
            participants::scheduled_at,
            status.into_sql::<Text>(),
            error.into_sql::<Nullable<Text>>(),
            now.into_sql::<Timestamp>(),
            now.into_sql::<Timestamp>(),
        ))
        // A participant whom an operator's own view lists twice is still one participant.
        .distinct();
    insert_into(ledger::table)
        .values(rows)
        .into_columns((
            ledger::course_session_id,
            ledger::user_id,
            ledger::channel,
            ledger::kind,
            ledger::lead_minutes,
            ledger::scheduled_at,
            ledger::status,
            ledger::error_code,
            ledger::created_at,
            ledger::updated_at,
        ))
        .execute(db)
}

/// Cancelled rows whose reason has gone (the participant is back, the session is back at its time) are owed again. They
/// were never handed over: nothing that was is `cancelled`.
fn revive(db: &mut Db, due: &Due, channel: Channel, now: DateTime<Utc>) -> QueryResult<usize> {
    let cancelled = cancelled(db, due, channel)?;
    if cancelled.is_empty() {
        return Ok(0);
    }
    let mut revived = 0;
    for rows in cancelled.chunks(AT_ONCE) {
        let back: HashSet<(i64, i64)> = participants::table
            .filter(in_window(due))
            .filter(reachable(channel, &due.opted_out))
            .filter(participants::session_id.eq_any(rows.iter().map(|row| row.1)))
            .filter(participants::user_id.eq_any(rows.iter().map(|row| row.2)))
            .select((participants::session_id, participants::user_id))
            .load(db)?
            .into_iter()
            .collect();
        let again = rows.iter().filter(|row| back.contains(&(row.1, row.2)));
        let again = ledger::table
            .filter(ledger::id.eq_any(again.map(|row| row.0)))
            // Another host may have revived and sent it meanwhile.
            .filter(ledger::status.eq(status::CANCELLED));
        revived += update(again)
            .set((
                ledger::status.eq(status::PENDING),
                ledger::next_attempt_at.eq(now.naive_utc()),
                ledger::error_code.eq(None::<String>),
                ledger::error.eq(None::<String>),
                ledger::updated_at.eq(now.naive_utc()),
            ))
            .execute(db)?;
    }
    Ok(revived)
}

/// Id, session and user of the cancelled rows whose session is at the row's start now.
fn cancelled(db: &mut Db, due: &Due, channel: Channel) -> QueryResult<Vec<(i64, i64, i64)>> {
    let same_start = participants::table
        .filter(participants::session_id.eq(ledger::course_session_id))
        .filter(participants::user_id.eq(ledger::user_id))
        .filter(participants::scheduled_at.eq(ledger::scheduled_at));
    ledger::table
        .filter(ledger::status.eq(status::CANCELLED))
        .filter(ledger::channel.eq(channel.name()))
        .filter(ledger::kind.eq(REMINDER))
        .filter(
            ledger::error_code
                .is_null()
                .or(ledger::error_code.assume_not_null().ne(CORRECTED)),
        )
        .filter(ledger::lead_minutes.eq(due.lead_minutes))
        .filter(super::starts_in(&due.walls))
        .filter(
            same_start
                .select(participants::user_id)
                .single_value()
                .is_not_null(),
        )
        .select((ledger::id, ledger::course_session_id, ledger::user_id))
        .load(db)
}

/// Sessions that start in the ranges, that have somebody to tell on these channels, and for whose start there is no row of
/// the lead at all.
pub fn sessions_without_rows(
    db: &mut Db,
    due: &Due,
    channels: &[Channel],
) -> QueryResult<Vec<i64>> {
    if due.walls.is_empty() {
        return Ok(Vec::new());
    }
    participants::table
        .filter(in_window(due))
        .filter(coalesce(rows(due), 0).lt(1))
        .filter(somebody(channels))
        .select(participants::session_id)
        .distinct()
        .load(db)
}

/// The first row, of anybody, for a start and lead.
#[diesel::dsl::auto_type(no_type_alias)]
fn rows(due: &Due) -> _ {
    let reminder: &'static str = REMINDER;
    let (shortest, longest): (i32, i32) = due.leads();
    ledger::table
        .filter(ledger::course_session_id.eq(participants::session_id))
        .filter(ledger::scheduled_at.eq(participants::scheduled_at))
        .filter(ledger::kind.eq(reminder))
        .filter(ledger::lead_minutes.between(shortest, longest))
        .select(ledger::id)
        .single_value()
}

/// Two ranges of starts of which the second follows on the first, as one.
fn joined(earlier: &[WallRange], later: &[WallRange]) -> Vec<WallRange> {
    let (mut all, mut later) = (earlier.to_vec(), later.iter());
    if let (Some(last), Some(first)) = (all.last_mut(), later.as_slice().first())
        && first.0 - last.1 <= Duration::seconds(1)
    {
        last.1 = first.1;
        later.next();
    }
    all.extend(later);
    all
}

/// Anybody who can be told on one of the channels.
fn somebody(channels: &[Channel]) -> Condition {
    any_of(channels, |channel| reachable(channel, &[]))
}

/// Anybody who is owed a reminder on one of the channels.
fn owed(db: &Db, due: &Due, channels: &[Channel]) -> Condition {
    any_of(channels, |channel| {
        Box::new(reachable(channel, &due.opted_out).and(untold(db, channel, due)))
    })
}

fn any_of(channels: &[Channel], condition: impl Fn(Channel) -> Condition) -> Condition {
    let nobody: Condition = Box::new(false.into_sql::<Bool>());
    let or =
        |any: Condition, channel: &Channel| -> Condition { Box::new(any.or(condition(*channel))) };
    channels.iter().fold(nobody, or)
}

/// Whatever an operator's own view lists beside: it must not keep the others from their rows.
fn is_whole() -> Condition {
    let ids = participants::session_id
        .is_not_null()
        .and(participants::user_id.is_not_null());
    Box::new(ids.and(participants::scheduled_at.is_not_null()))
}

fn in_window(due: &Due) -> Condition {
    let starts = platform::starts_in(&due.walls).and(of_session(due.session));
    let mut condition: Condition = Box::new(starts);
    if let Some(only) = &due.only {
        condition = Box::new(condition.and(participants::session_id.eq_any(only.clone())));
    }
    if !due.skip.is_empty() {
        condition = Box::new(condition.and(participants::session_id.ne_all(due.skip.clone())));
    }
    condition
}

/// Everybody by mail; by WhatsApp those who said yes, and not no since.
fn reachable(channel: Channel, opted_out: &[i64]) -> Condition {
    let opted_in = participants::whatsapp_opt_in.assume_not_null().eq(true);
    match channel {
        Channel::Mail => Box::new(true.into_sql::<Bool>()),
        Channel::Whatsapp if opted_out.is_empty() => Box::new(opted_in),
        Channel::Whatsapp => {
            Box::new(opted_in.and(participants::user_id.ne_all(opted_out.to_vec())))
        }
    }
}

/// No row stands for this participant, channel, start and lead. (In words of its own, for the hint.)
fn untold(db: &Db, channel: Channel, due: &Due) -> Condition {
    let (shortest, longest) = due.leads();
    let standing = format!(
        "coalesce((SELECT d.id FROM session_reminder_deliveries d {}
            WHERE d.course_session_id = session_participants.session_id
            AND d.user_id = session_participants.user_id
            AND d.scheduled_at = session_participants.scheduled_at AND d.channel = ",
        db.dialect().by_unique_key
    );
    let condition = sql::<Bool>(&standing)
        .bind::<Text, _>(channel.name())
        .sql(" AND d.kind = ")
        .bind::<Text, _>(REMINDER)
        .sql(" AND d.lead_minutes BETWEEN ")
        .bind::<Integer, _>(shortest)
        .sql(" AND ")
        .bind::<Integer, _>(longest)
        .sql(" AND (d.status <> ")
        .bind::<Text, _>(status::CANCELLED)
        .sql(" OR d.error_code = ")
        .bind::<Text, _>(CORRECTED)
        .sql(") LIMIT 1), 0) < 1");
    Box::new(condition)
}

//! The rows themselves: new ones, and cancelled ones that are owed again.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, IntoSql, NullableExpressionMethods, QueryDsl,
    QueryResult, RunQueryDsl,
    dsl::insert_into,
    sql_types::{Integer, Nullable, Text, Timestamp},
    update,
};

use super::{Due, in_window, is_whole, reachable, untold};
use crate::{
    db::{
        AT_ONCE, Db,
        schema::{session_participants as participants, session_reminder_deliveries as ledger},
    },
    ledger::{CORRECTED, Channel, REMINDER, WINDOW_PASSED, starts_in, status},
};

/// Gives every reminder that is due on `channel` its row; how many there were.
pub fn insert(db: &mut Db, due: &Due, channel: Channel, now: DateTime<Utc>) -> QueryResult<usize> {
    if due.walls.is_empty() {
        return Ok(0);
    }
    let again = revive(db, due, channel, now)?;
    Ok(again + insert_rows(db, due, channel, Entry::Pending, now)?)
}

/// Gives them `missed` rows, for sessions whose window has passed without anybody having been told; `why` where that is
/// known.
pub fn insert_missed(
    db: &mut Db,
    due: &Due,
    channel: Channel,
    why: Option<&str>,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    insert_rows(db, due, channel, Entry::Missed(why), now)
}

/// How a row begins.
#[derive(Clone, Copy, PartialEq)]
enum Entry<'a> {
    Pending,
    Missed(Option<&'a str>),
}

fn insert_rows(
    db: &mut Db,
    due: &Due,
    channel: Channel,
    entry: Entry,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    let now = now.naive_utc();
    let (status, code, error) = match entry {
        Entry::Pending => (status::PENDING, None, None),
        Entry::Missed(why) => (status::MISSED, Some(WINDOW_PASSED), why),
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
            code.into_sql::<Nullable<Text>>(),
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
            ledger::error,
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
        .filter(starts_in(&due.walls))
        .filter(
            same_start
                .select(participants::user_id)
                .single_value()
                .is_not_null(),
        )
        .select((ledger::id, ledger::course_session_id, ledger::user_id))
        .load(db)
}

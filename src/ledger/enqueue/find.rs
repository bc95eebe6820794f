//! Who is owed a reminder, and of which sessions nobody was told. Reads only.

use chrono::Duration;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl,
};

use super::{Condition, Due, in_window, is_whole, owed, somebody};
use crate::{
    db::{
        Db, coalesce,
        schema::{session_participants as participants, session_reminder_deliveries as ledger},
    },
    ledger::{Channel, REMINDER},
    platform::{self, of_session},
    time::WallRange,
};

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

/// Whether [`any`] or [`sessions_without_rows`] may find somebody, in one look at the sessions of both: without an
/// index on their starts, a look is all that an idle minute costs. `Some(true)` where [`any`] does.
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

/// The sessions of the next reminders that are owed on one of the channels, nearest start first; of about so many
/// reminders.
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

/// Sessions that start in the ranges, that have somebody to tell on these channels, and for whose start there is no row
/// of the lead at all.
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

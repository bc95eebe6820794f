//! Deleting what is over.
//!
//! No later pass may write to anybody because a row is gone. Nothing is ever enqueued or corrected but for a start that
//! is still ahead, so the rows of starts that are past bar nothing, with these exceptions, which stay:
//!
//! - rows of the last days: a pass looks back for starts that nobody was told of, and would take them for such. (The
//!   caller's `before` is earlier than that.)
//! - what says that somebody was last told another start than the one still ahead: without it, he would seem to expect
//!   that one.
//! - what remembers that somebody has told WhatsApp to stop where the platform could not be told.

use chrono::NaiveDateTime;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult,
    RunQueryDsl, delete,
    dsl::sql,
    sql_types::{Bool, Timestamp},
};

use super::{Channel, Condition, is_still, opted_out::OPTED_OUT, status};
use crate::db::{Db, schema::session_reminder_deliveries as ledger};

/// The states that no pass moves on.
const FINISHED: [&str; 5] = [
    status::SENT,
    status::FAILED,
    status::CANCELLED,
    status::MISSED,
    status::UNKNOWN,
];

/// How many rows of starts before then can go.
pub fn count(db: &mut Db, before: NaiveDateTime) -> QueryResult<i64> {
    let over = over(db, before);
    ledger::table.filter(over).count().get_result(db)
}

/// How many are deleted in one transaction.
const BATCH: i64 = 500;

/// Deletes some of them: how many, and whether there may be more. To be called in a transaction, which is a short one.
pub fn some(db: &mut Db, before: NaiveDateTime) -> QueryResult<(i64, bool)> {
    let over = over(db, before);
    let ids = ledger::table.filter(over).select(ledger::id).limit(BATCH);
    let ids: Vec<i64> = ids.load(db)?;
    let rows = ledger::table
        .filter(ledger::id.eq_any(&ids))
        .filter(is_still(&FINISHED));
    let deleted = delete(rows).execute(db)?;
    Ok((
        i64::try_from(deleted).unwrap_or(BATCH),
        ids.len() >= BATCH as usize,
    ))
}

fn over(db: &Db, before: NaiveDateTime) -> Condition {
    let finished = ledger::status
        .eq_any(FINISHED)
        .and(ledger::channel.eq_any(Channel::ALL.map(Channel::name)))
        .and(ledger::scheduled_at.lt(before));
    let forgettable = ledger::delivery_status
        .is_null()
        .or(ledger::delivery_status.assume_not_null().ne(OPTED_OUT));
    Box::new(finished.and(forgettable).and(corrects_nothing(db, before)))
}

/// Nothing that is still ahead was told before it. (In words of its own, for the ledger appears in it twice.)
fn corrects_nothing(db: &Db, before: NaiveDateTime) -> Condition {
    let earlier = format!(
        "coalesce((SELECT l.id FROM session_reminder_deliveries l {}
            WHERE l.course_session_id = session_reminder_deliveries.course_session_id
            AND l.user_id = session_reminder_deliveries.user_id AND l.channel = session_reminder_deliveries.channel
            AND l.id < session_reminder_deliveries.id AND l.scheduled_at >= ",
        db.dialect().by_unique_key
    );
    let condition = sql::<Bool>(&earlier)
        .bind::<Timestamp, _>(before)
        .sql(" LIMIT 1), 0) < 1");
    Box::new(condition)
}

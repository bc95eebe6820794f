//! A correction of a start whose window is open says all that the reminder would.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::{
    ExpressionMethods, IntoSql, QueryDsl, QueryResult, RunQueryDsl,
    dsl::{insert_into, sql},
    expression::SqlLiteral,
    sql_types::{BigInt, Integer, Nullable, Text, Timestamp},
    update,
};

use super::Owed;
use crate::{
    db::{AT_ONCE, Db, schema::session_reminder_deliveries as ledger},
    ledger::{CORRECTED, Kind, REMINDER, is_still, status},
    pass::window::Window,
};

/// The corrections made at `now` take the place of the reminders of this window: those rows come to their end unsent,
/// or are made at it, so that no later pass makes them.
pub fn reminders(db: &mut Db, owed: &Owed, window: &Window, now: DateTime<Utc>) -> QueryResult<()> {
    let waiting = waiting_reminders(db, owed, window, now)?;
    for ids in waiting.chunks(AT_ONCE) {
        let still = ledger::table
            .filter(ledger::id.eq_any(ids))
            .filter(is_still(&UNSENT))
            .filter(ledger::rendered_at.is_null());
        update(still)
            .set((
                ledger::status.eq(status::CANCELLED),
                ledger::next_attempt_at.eq(None::<NaiveDateTime>),
                ledger::error_code.eq(CORRECTED),
                ledger::error.eq(SAYS_SO),
                ledger::updated_at.eq(now.naive_utc()),
            ))
            .execute(db)?;
    }
    insert_replaced(db, owed, window, now)?;
    Ok(())
}

/// The shortest and the longest lead whose reminder stands for that of the window.
fn near(window: &Window) -> (i32, i32) {
    let (lead, width) = (window.lead_minutes(), window.width_minutes());
    (lead.saturating_sub(width), lead.saturating_add(width))
}

const SAYS_SO: &str = "the correction says the new start";

const UNSENT: [&str; 2] = [status::PENDING, status::CANCELLED];

/// Reminders that were not sent, nor may have been.
#[diesel::dsl::auto_type(no_type_alias)]
fn unsent() -> _ {
    let reminder: &'static str = REMINDER;
    let statuses: [&'static str; 2] = UNSENT;
    ledger::table
        .filter(ledger::kind.eq(reminder))
        .filter(ledger::status.eq_any(statuses))
        .filter(ledger::rendered_at.is_null())
}

/// The reminders of the starts that corrections made at `now` say.
fn waiting_reminders(
    db: &mut Db,
    owed: &Owed,
    window: &Window,
    now: DateTime<Utc>,
) -> QueryResult<Vec<i64>> {
    let (shortest, longest) = near(window);
    let corrected = other_row("m.kind = 'moved' AND m.created_at = ")
        .bind::<Timestamp, _>(now.naive_utc())
        .sql(" LIMIT 1), 0)");
    unsent()
        .filter(ledger::course_session_id.eq(owed.session))
        .filter(ledger::channel.eq(owed.channel.name()))
        .filter(ledger::lead_minutes.between(shortest, longest))
        .filter(corrected.gt(0))
        .select(ledger::id)
        .load(db)
}

fn insert_replaced(
    db: &mut Db,
    owed: &Owed,
    window: &Window,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    let (shortest, longest) = near(window);
    let now = now.naive_utc();
    let reminder = other_row("m.kind = 'reminder' AND m.lead_minutes BETWEEN ")
        .bind::<Integer, _>(shortest)
        .sql(" AND ")
        .bind::<Integer, _>(longest)
        .sql(" LIMIT 1), 0)");
    let rows = ledger::table
        .filter(ledger::course_session_id.eq(owed.session))
        .filter(ledger::channel.eq(owed.channel.name()))
        .filter(ledger::kind.eq(Kind::Moved.name()))
        .filter(ledger::created_at.eq(now))
        .filter(reminder.lt(1))
        .select((
            ledger::course_session_id,
            ledger::user_id,
            ledger::channel,
            REMINDER.into_sql::<Text>(),
            window.lead_minutes().into_sql::<Integer>(),
            ledger::scheduled_at,
            status::CANCELLED.into_sql::<Text>(),
            CORRECTED.into_sql::<Nullable<Text>>(),
            SAYS_SO.into_sql::<Nullable<Text>>(),
            now.into_sql::<Timestamp>(),
            now.into_sql::<Timestamp>(),
        ))
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

/// Begins to ask for the id of another row `m` with the same session, user, channel and start.
fn other_row(which: &str) -> SqlLiteral<BigInt> {
    sql::<BigInt>(&format!(
        "coalesce((SELECT m.id FROM session_reminder_deliveries m
            WHERE m.course_session_id = session_reminder_deliveries.course_session_id
            AND m.user_id = session_reminder_deliveries.user_id AND m.channel = session_reminder_deliveries.channel
            AND m.scheduled_at = session_reminder_deliveries.scheduled_at AND {which}"
    ))
}

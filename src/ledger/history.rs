//! What became of the messages of a session, or of one person in it.

use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use super::delivery::{Delivery, delivery};
use crate::db::{Db, schema::session_reminder_deliveries as ledger};

/// The rows of one person in one session, oldest first.
pub fn of(db: &mut Db, session: i64, user: i64) -> QueryResult<Vec<Delivery>> {
    ledger::table
        .filter(ledger::course_session_id.eq(session))
        .filter(ledger::user_id.eq(user))
        .order(ledger::id)
        .select(delivery!())
        .load(db)
}

/// The rows of everybody in one session, oldest first.
pub fn of_session(db: &mut Db, session: i64) -> QueryResult<Vec<Delivery>> {
    ledger::table
        .filter(ledger::course_session_id.eq(session))
        .order(ledger::id)
        .select(delivery!())
        .load(db)
}

//! Who has opted out by an answer that the platform could not be told of.

use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, update};

use super::{Channel, status};
use crate::db::{Db, schema::session_reminder_deliveries as ledger};

/// Marks a row after which its user is not to be written to, when the platform could not be told so.
pub(super) const OPTED_OUT: &str = "opted_out";

/// Remembers that the recipient of this row has opted out.
pub fn remember_opt_out(db: &mut Db, row: i64) -> QueryResult<usize> {
    update(ledger::table.find(row))
        .set(ledger::delivery_status.eq(OPTED_OUT))
        .execute(db)
}

/// The users who have opted out by their own word, whatever the platform says.
pub fn opted_out(db: &mut Db) -> QueryResult<Vec<i64>> {
    ledger::table
        .filter(ledger::status.eq(status::FAILED))
        .filter(ledger::channel.eq(Channel::Whatsapp.name()))
        .filter(ledger::delivery_status.eq(OPTED_OUT))
        .select(ledger::user_id)
        .distinct()
        .load(db)
}

/// The user wants messages again.
pub fn forget_opt_out(db: &mut Db, user: i64) -> QueryResult<usize> {
    let told = ledger::table
        .filter(ledger::user_id.eq(user))
        .filter(ledger::delivery_status.eq(OPTED_OUT));
    update(told)
        .set(ledger::delivery_status.eq(None::<String>))
        .execute(db)
}

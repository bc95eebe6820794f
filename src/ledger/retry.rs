//! Putting back what came to its end unsent, because a person says so.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl,
    result::{DatabaseErrorKind::SerializationFailure, Error},
    update,
};

use super::{Channel, Condition, is_still, of_session, status};
use crate::db::{Db, schema::session_reminder_deliveries as ledger};

/// The rows of starts from then on that have failed; with `in_doubt` also those of which nobody knows.
pub fn candidates(
    db: &mut Db,
    session: Option<i64>,
    in_doubt: bool,
    from: NaiveDateTime,
) -> QueryResult<Vec<i64>> {
    let mut states = vec![status::FAILED];
    states.extend(in_doubt.then_some(status::UNKNOWN));
    ledger::table
        .filter(ledger::status.eq_any(states))
        .filter(ledger::channel.eq_any(Channel::ALL.map(Channel::name)))
        .filter(ledger::scheduled_at.ge(from))
        .filter(of_session(session))
        .order(ledger::id)
        .select(ledger::id)
        .load(db)
}

/// Makes rows that have failed, or of which nobody knows, `pending` again. To be called in the transaction that has
/// looked at them; it is to be begun again where one of them is something else by now.
///
/// A row in doubt keeps `rendered_at` and `recipient`: by these a mail is the same mail again, and a WhatsApp message
/// is looked for before it is sent. `attempts` goes on, since a record of an earlier attempt that comes late is told by
/// it.
pub fn put_back(db: &mut Db, rows: &[i64], now: DateTime<Utc>) -> QueryResult<()> {
    // What was taken and not delivered is no attempt in doubt, and nothing that was sent.
    update(ledger::table.filter(ended(rows).and(ledger::sent_at.is_not_null())))
        .set((
            ledger::sent_at.eq(None::<NaiveDateTime>),
            ledger::rendered_at.eq(None::<NaiveDateTime>),
        ))
        .execute(db)?;
    let put = update(ledger::table.filter(ended(rows)))
        .set((
            ledger::status.eq(status::PENDING),
            ledger::next_attempt_at.eq(None::<NaiveDateTime>),
            ledger::claimed_by.eq(None::<String>),
            ledger::claimed_at.eq(None::<NaiveDateTime>),
            ledger::lease_until.eq(None::<NaiveDateTime>),
            ledger::error_code.eq(None::<String>),
            ledger::error.eq(None::<String>),
            ledger::updated_at.eq(now.naive_utc()),
        ))
        .execute(db)?;
    match put == rows.len() {
        true => Ok(()),
        false => {
            let reason = "another `retry` was faster".to_owned();
            Err(Error::DatabaseError(SerializationFailure, Box::new(reason)))
        }
    }
}

fn ended(rows: &[i64]) -> Condition {
    Box::new(
        ledger::id
            .eq_any(rows.to_vec())
            .and(is_still(&[status::FAILED, status::UNKNOWN])),
    )
}

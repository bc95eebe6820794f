//! The messages that are known to be other rows'.

use chrono::{DateTime, Duration, Utc};
use diesel::{ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use super::{Channel, journal::UNSENT};
use crate::db::{Db, schema::session_reminder_deliveries as ledger};

/// Those since then: of all that were sent, and those to this recipient that were taken and could not be delivered.
pub fn message_ids(
    db: &mut Db,
    channel: Channel,
    recipient: &str,
    since: DateTime<Utc>,
) -> QueryResult<Vec<String>> {
    let mut known = sent(db, channel, since)?;
    known.extend(undelivered(db, channel, recipient, since)?);
    Ok(known)
}

fn sent(db: &mut Db, channel: Channel, since: DateTime<Utc>) -> QueryResult<Vec<String>> {
    ledger::table
        .filter(ledger::channel.eq(channel.name()))
        .filter(ledger::sent_at.assume_not_null().ge(since.naive_utc()))
        .filter(ledger::message_id.is_not_null())
        .select(ledger::message_id.assume_not_null())
        .load(db)
}

/// What is sent is sent before its session starts: the rows of earlier ones, years of them, need not be read. (By the
/// platform's clock, which is within a day of UTC.)
fn undelivered(
    db: &mut Db,
    channel: Channel,
    recipient: &str,
    since: DateTime<Utc>,
) -> QueryResult<Vec<String>> {
    let first_start = (since - Duration::days(1)).naive_utc();
    ledger::table
        .filter(ledger::status.eq_any(UNSENT))
        .filter(ledger::channel.eq(channel.name()))
        .filter(ledger::scheduled_at.ge(first_start))
        .filter(ledger::recipient.assume_not_null().eq(recipient))
        .filter(ledger::message_id.is_not_null())
        .select(ledger::message_id.assume_not_null())
        .load(db)
}

//! What a correction corrects: its message names the old start, and its mail answers the old one.

use diesel::{ExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl};

use crate::{
    db::{Db, Lossy, schema::session_reminder_deliveries as ledger},
    ledger::{Channel, Kind, claim::Row, start_digits, status},
};

/// What a correction corrects.
#[derive(Debug, Clone, Queryable)]
pub struct Told {
    id: i64,
    session_id: i64,
    user_id: i64,
    kind: String,
    #[diesel(deserialize_as = Lossy)]
    start: String,
    pub message_id: Option<String>,
}

impl Told {
    /// The start it said, in the platform's digits; `None` when it said that there is none.
    pub fn start(&self) -> Option<&str> {
        let is_start = Kind::named(&self.kind) != Kind::Cancelled;
        is_start.then_some(self.start.as_str())
    }

    /// A reminder of the very start that the row says, which came late, is not what it corrects.
    fn is_before(&self, row: &Row) -> bool {
        let same = row.kind() == Kind::Moved && self.start() == Some(row.scheduled_at.as_str());
        (self.session_id, self.user_id) == (row.session_id, row.user_id)
            && self.id < row.id
            && !same
    }
}

/// What the corrections among these rows correct, in their order; `None` for the others. It is the same however often a
/// row is tried: what came before a row does not change.
pub fn before(db: &mut Db, channel: Channel, rows: &[&Row]) -> QueryResult<Vec<Option<Told>>> {
    let corrections = || rows.iter().filter(|row| row.kind() != Kind::Reminder);
    if corrections().next().is_none() {
        return Ok(vec![None; rows.len()]);
    }
    let (sessions, users) = corrections()
        .map(|row| (row.session_id, row.user_id))
        .unzip();
    let told = sent(db, channel, sessions, users)?;
    let before = |row: &&Row| match row.kind() {
        Kind::Reminder => None,
        _ => told.iter().find(|told| told.is_before(row)).cloned(),
    };
    Ok(rows.iter().map(before).collect())
}

/// What somebody was told last of a session, unless it is this start; what a correction of it made now would correct.
pub fn otherwise(
    db: &mut Db,
    channel: Channel,
    session: i64,
    user: i64,
    start: &str,
) -> QueryResult<Option<Told>> {
    let told = sent(db, channel, vec![session], vec![user])?;
    Ok(told.into_iter().find(|told| told.start() != Some(start)))
}

/// The start that somebody was told last of a session, be it that there is none any more.
pub fn last_start(db: &mut Db, session: i64, user: i64) -> QueryResult<Option<String>> {
    for channel in Channel::ALL {
        let told = sent(db, channel, vec![session], vec![user])?;
        if let Some(told) = told.into_iter().next() {
            return Ok(Some(told.start));
        }
    }
    Ok(None)
}

/// What these users were told of these sessions, the last first.
fn sent(
    db: &mut Db,
    channel: Channel,
    sessions: Vec<i64>,
    users: Vec<i64>,
) -> QueryResult<Vec<Told>> {
    ledger::table
        .filter(ledger::course_session_id.eq_any(sessions))
        .filter(ledger::user_id.eq_any(users))
        .filter(ledger::channel.eq(channel.name()))
        .filter(ledger::status.eq(status::SENT))
        .order((ledger::sent_at.desc(), ledger::id.desc()))
        .select((
            ledger::id,
            ledger::course_session_id,
            ledger::user_id,
            ledger::kind,
            start_digits(),
            ledger::message_id,
        ))
        .load(db)
}

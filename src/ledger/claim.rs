//! Claiming rows: a row belongs to the pass that claimed it until its lease ends.

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl,
    dsl::not,
    sql_types::{Nullable, Text, Timestamp},
    update,
};

use super::{Channel, Kind, Scope, close, is_still, of_session, start_digits, status};
use crate::{
    config::InDoubt,
    db::{self, AnyOf, ByRow, Db, Lossy, schema::session_reminder_deliveries as ledger},
    outcome::Fault,
    time::Zone,
};

/// How long a claimed row belongs to the pass that claimed it.
pub const LEASE: Duration = Duration::minutes(2);

/// A row that is due.
#[derive(Debug, Clone, Queryable)]
pub struct Row {
    pub id: i64,
    pub session_id: i64,
    pub user_id: i64,
    pub kind: String,
    pub lead_minutes: i32,
    /// The platform's digits.
    #[diesel(deserialize_as = Lossy)]
    pub scheduled_at: String,
    pub attempts: i32,
    pub(super) rendered_at: Option<NaiveDateTime>,
    recipient: Option<String>,
    delivery_status: Option<String>,
}

impl Row {
    pub fn kind(&self) -> Kind {
        Kind::named(&self.kind)
    }

    /// Since when an earlier attempt may have arrived: what certainly did not leave keeps no `rendered_at`.
    pub fn in_doubt_since(&self) -> Option<DateTime<Utc>> {
        self.rendered_at.map(|time| time.and_utc())
    }

    /// Twilio had taken it, and then could not deliver it.
    pub(super) fn was_undelivered(&self) -> bool {
        self.delivery_status.is_some()
    }

    /// Where the attempt in doubt went.
    pub fn former_recipient(&self) -> Option<&str> {
        self.recipient.as_deref()
    }
}

/// A row that is ours until its lease ends.
#[derive(Debug, Clone)]
pub struct Claim {
    pub row: Row,
    /// Who claimed it, and at which attempt: what a record must still find.
    pub(super) claimant: String,
    pub(super) attempt: i32,
    pub lease_until: DateTime<Utc>,
    /// What "now" is in the message; kept from an attempt that may have arrived, so that a mail sent again is the same
    /// mail.
    pub rendered_at: DateTime<Utc>,
    pub recipient: String,
}

/// The columns of [`Row`], in its order.
macro_rules! row {
    () => {
        (
            ledger::id,
            ledger::course_session_id,
            ledger::user_id,
            ledger::kind,
            ledger::lead_minutes,
            start_digits(),
            ledger::attempts,
            ledger::rendered_at,
            ledger::recipient,
            ledger::delivery_status,
        )
    };
}

/// These rows, whatever their state.
pub fn rows(db: &mut Db, ids: &[i64]) -> QueryResult<Vec<Row>> {
    let these = ledger::table.filter(ledger::id.eq_any(ids));
    these.select(row!()).load(db)
}

/// The rows that still wait, whenever they are to be tried, although their session begins or has begun.
pub fn too_late(
    db: &mut Db,
    channel: Channel,
    scope: &Scope,
    zone: Zone,
    now: DateTime<Utc>,
) -> QueryResult<Vec<Row>> {
    ledger::table
        .filter(close::too_late(channel, scope, zone, now))
        .select(row!())
        .load(db)
}

/// What passes that died have left, as [`close::recover`] would take it up: what is owed again, and of what nobody can tell
/// whether it was sent.
pub fn lost(
    db: &mut Db,
    channel: Channel,
    scope: &Scope,
    (in_doubt, zone): (InDoubt, Zone),
    now: DateTime<Utc>,
) -> QueryResult<(Vec<Row>, Vec<Row>)> {
    let left = || close::abandoned(channel, scope, now);
    let owed = || close::is_owed_again(channel, in_doubt, zone, now);
    let mut load = |rows: super::Condition| ledger::table.filter(rows).select(row!()).load(db);
    let again = load(Box::new(left().and(owed())))?;
    Ok((again, load(Box::new(left().and(not(owed()))))?))
}

/// The next rows to deliver, nearest start first.
pub fn next(
    db: &mut Db,
    channel: Channel,
    scope: &Scope,
    limit: usize,
    now: DateTime<Utc>,
) -> QueryResult<Vec<Row>> {
    due(channel, scope, now)
        .order((ledger::scheduled_at, ledger::id))
        .limit(limit.try_into().unwrap_or(i64::MAX))
        .select(row!())
        .load(db)
}

/// The same, to be claimed in this transaction: rows that another host is claiming are passed over.
pub fn next_free(
    db: &mut Db,
    channel: Channel,
    scope: &Scope,
    limit: usize,
    now: DateTime<Utc>,
) -> QueryResult<Vec<Row>> {
    let next = due(channel, scope, now)
        .order((ledger::scheduled_at, ledger::id))
        .select(row!());
    db::first_locked(db, next, limit).load(db)
}

/// How many rows wait to be delivered now.
pub fn count(db: &mut Db, channel: Channel, scope: &Scope, now: DateTime<Utc>) -> QueryResult<i64> {
    due(channel, scope, now).count().get_result(db)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn due<'a>(channel: Channel, scope: &'a Scope, now: DateTime<Utc>) -> _ {
    let name: &'static str = channel.name();
    let now: NaiveDateTime = now.naive_utc();
    let session: super::Condition = of_session(scope.session);
    let pending: &'static str = status::PENDING;
    ledger::table
        .filter(ledger::status.eq(pending))
        .filter(ledger::channel.eq(name))
        .filter(
            ledger::next_attempt_at
                .le(now)
                .or(ledger::next_attempt_at.is_null()),
        )
        .filter(session)
}

/// Makes rows ours, each with where it will go: their lease begins, their attempt counts. One statement; none of them
/// where one has been claimed or ended meanwhile.
pub fn claim(
    db: &mut Db,
    rows: Vec<(Row, String)>,
    claimant: &str,
    now: DateTime<Utc>,
) -> QueryResult<Vec<Claim>> {
    let claim = |(row, recipient): (Row, String)| Claim {
        claimant: claimant.to_owned(),
        attempt: row.attempts + 1,
        lease_until: now + LEASE,
        rendered_at: row.in_doubt_since().unwrap_or(now),
        recipient,
        row,
    };
    let claims: Vec<Claim> = rows.into_iter().map(claim).collect();
    if claims.is_empty() {
        return Ok(claims);
    }
    let rendered_at = |claim: &Claim| (claim.row.id, Some(claim.rendered_at.naive_utc()));
    let recipient = |claim: &Claim| (claim.row.id, Some(claim.recipient.clone()));
    let ids = claims.iter().map(|claim| claim.row.id).collect();
    let claim = db::update(
        ledger::table,
        (
            ledger::status.eq(status::SENDING),
            ledger::attempts.eq(ledger::attempts + 1),
            ledger::claimed_by.eq(claimant),
            ledger::claimed_at.eq(now.naive_utc()),
            ledger::lease_until.eq((now + LEASE).naive_utc()),
            ledger::rendered_at.eq(ByRow::<Nullable<Timestamp>, _>::new(
                claims.iter().map(rendered_at),
            )),
            ledger::recipient.eq(ByRow::<Nullable<Text>, _>::new(
                claims.iter().map(recipient),
            )),
            ledger::updated_at.eq(now.naive_utc()),
        ),
        AnyOf(ids).and(is_still(&[status::PENDING])),
    );
    let claimed = claim.execute(db)?;
    // Where a server takes the lock for a hint, another host may have been faster: then none of them is ours.
    if claimed == claims.len() {
        Ok(claims)
    } else {
        Err(diesel::result::Error::RollbackTransaction)
    }
}

/// Ends rows that were not claimed, all for the same reason: `cancelled`, `missed`, `failed` or `unknown`; how many
/// there still were.
pub fn end(
    db: &mut Db,
    rows: &[i64],
    ending: &str,
    fault: &Fault,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    let waiting = ledger::table
        .filter(ledger::id.eq_any(rows))
        .filter(is_still(&[status::PENDING]));
    update(waiting)
        .set((
            ledger::status.eq(ending),
            ledger::next_attempt_at.eq(None::<NaiveDateTime>),
            ledger::error_code.eq(&fault.code),
            ledger::error.eq(&fault.reason),
            ledger::updated_at.eq(now.naive_utc()),
        ))
        .execute(db)
}

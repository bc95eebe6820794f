//! Ending what can no longer be delivered, holding back what a broken channel cannot deliver now, and taking up what a
//! pass that died has left.

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, IntoSql, NullableExpressionMethods, QueryDsl,
    QueryResult, RunQueryDsl, dsl::not, sql_types::Bool, update,
};

use super::{Channel, Condition, HELD, Scope, TOO_LATE, delay, of_session, starts_in, status};
use crate::{
    config::InDoubt,
    db::{self, AT_ONCE, Db, schema::session_reminder_deliveries as ledger},
    outcome::Fault,
    time::Zone,
};

/// Nothing is handed over later than this before the start.
pub const LAST_MOMENT: Duration = Duration::minutes(1);

/// So long after the start Twilio is still asked for a message in doubt: what it has taken was no reminder missed.
const ASKED_FOR: Duration = Duration::hours(1);

/// How far back starts are looked at one by one around a change of the clocks; anything earlier has long begun.
const LONG_BEGUN: Duration = Duration::days(2);

/// Rows that nobody will deliver any more become `missed`, or `unknown` where an attempt may have arrived; how many of
/// each. What was last in their way stays on record; of those that nothing else was, `why`.
pub fn miss_started(
    db: &mut Db,
    channel: Channel,
    scope: &Scope,
    why: Option<&str>,
    zone: Zone,
    now: DateTime<Utc>,
) -> QueryResult<(usize, usize)> {
    let too_late = || too_late(channel, scope, zone, now);
    let ended = |status: &'static str| {
        (
            ledger::status.eq(status),
            ledger::next_attempt_at.eq(None::<NaiveDateTime>),
            ledger::updated_at.eq(now.naive_utc()),
        )
    };
    let (mut missed, mut unknown) = (0, 0);
    for rows in unlocked(db, || {
        Box::new(too_late().and(ledger::rendered_at.is_not_null()))
    })? {
        let rows = update(ledger::table.filter(rows));
        unknown += rows.set(ended(status::UNKNOWN)).execute(db)?;
    }
    // Not what may have arrived and was held by another transaction a moment ago.
    let unsent = || -> Condition { Box::new(too_late().and(ledger::rendered_at.is_null())) };
    for rows in unlocked(db, || {
        Box::new(unsent().and(ledger::error_code.is_not_null()))
    })? {
        let rows = update(ledger::table.filter(rows));
        missed += rows.set(ended(status::MISSED)).execute(db)?;
    }
    for rows in unlocked(db, || Box::new(unsent().and(ledger::error_code.is_null())))? {
        let why = (ledger::error_code.eq(TOO_LATE), ledger::error.eq(why));
        let rows = update(ledger::table.filter(rows));
        missed += rows.set((ended(status::MISSED), why)).execute(db)?;
    }
    Ok((missed, unknown))
}

/// The rows that meet a condition, without those that another host's transaction holds: nobody waits for a host that
/// may have vanished. As conditions, a batch each; they are locked until the transaction ends.
fn unlocked(db: &mut Db, condition: impl Fn() -> Condition) -> QueryResult<Vec<Condition>> {
    if !db.dialect().is_server() {
        return Ok(vec![condition()]);
    }
    let rows = ledger::table.filter(condition()).select(ledger::id);
    let ids: Vec<i64> = db::locked(db, rows).load(db)?;
    let batch = |ids: &[i64]| -> Condition { Box::new(ledger::id.eq_any(ids.to_vec())) };
    Ok(ids.chunks(AT_ONCE).map(batch).collect())
}

/// Rows that wait although their session begins.
pub(super) fn too_late(
    channel: Channel,
    scope: &Scope,
    zone: Zone,
    now: DateTime<Utc>,
) -> Condition {
    let pending = ledger::status.eq(status::PENDING);
    let certain = ledger::rendered_at.is_null();
    Box::new(
        of_channel(channel, scope)
            .and(pending)
            .and(started(zone, now))
            .and(certain.or(past_asking(channel, zone, now))),
    )
}

/// Nobody can tell any more whether a message in doubt was sent: a mail once its session begins.
fn past_asking(channel: Channel, zone: Zone, now: DateTime<Utc>) -> Condition {
    match channel {
        Channel::Mail => started(zone, now),
        Channel::Whatsapp => started(zone, now - ASKED_FOR),
    }
}

/// Sessions that start within [`LAST_MOMENT`] or have started.
fn started(zone: Zone, now: DateTime<Utc>) -> Condition {
    let long_ago = now - LONG_BEGUN;
    // A start exactly a minute away may still be told.
    let walls = zone.walls(long_ago, now + LAST_MOMENT - Duration::seconds(1));
    Box::new(
        ledger::scheduled_at
            .lt(zone.wall(long_ago))
            .or(starts_in(&walls)),
    )
}

fn of_channel(channel: Channel, scope: &Scope) -> Condition {
    Box::new(
        ledger::channel
            .eq(channel.name())
            .and(of_session(scope.session)),
    )
}

/// Holds back every row of a channel that broke down, each by its own growing delay, and none
/// sooner than the other side has asked for.
pub fn hold(db: &mut Db, channel: Channel, fault: &Fault, now: DateTime<Utc>) -> QueryResult<()> {
    for tries in (0..=3).rev() {
        let waiting = || -> Condition { Box::new(waiting(channel, now).and(tried(tries))) };
        let wait = delay(tries + 1).max(fault.wait());
        for rows in unlocked(db, waiting)? {
            update(ledger::table.filter(rows))
                .set((
                    ledger::attempts.eq(ledger::attempts + 1),
                    ledger::next_attempt_at.eq((now + wait).naive_utc()),
                    ledger::error_code.eq(&fault.code),
                    ledger::error.eq(format!("{HELD}{}", fault.reason)),
                    ledger::updated_at.eq(now.naive_utc()),
                ))
                .execute(db)?;
        }
    }
    Ok(())
}

/// Rows of a channel that might be tried now.
fn waiting(channel: Channel, now: DateTime<Utc>) -> Condition {
    let due = ledger::next_attempt_at.is_null().or(ledger::next_attempt_at
        .assume_not_null()
        .le(now.naive_utc()));
    let pending = ledger::status.eq(status::PENDING);
    Box::new(ledger::channel.eq(channel.name()).and(pending).and(due))
}

/// Rows with that many tries, the last step standing for all further ones.
fn tried(tries: i32) -> Condition {
    match tries {
        3 => Box::new(ledger::attempts.ge(3)),
        _ => Box::new(ledger::attempts.eq(tries)),
    }
}

/// What became of rows whose pass died between claiming and recording them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Owed again: a mail as the same mail, a WhatsApp message once Twilio says that it has not got it.
    pub again: usize,
    /// Nobody can tell whether they were sent.
    pub unknown: usize,
}

/// Takes up the rows whose lease has ended, while it can be found out what became of them. They keep `rendered_at`: it
/// marks what may have arrived, and makes a mail that is sent again the same mail. `in_doubt` may hold mails as
/// `unknown` instead.
pub fn recover(
    db: &mut Db,
    channel: Channel,
    scope: &Scope,
    in_doubt: InDoubt,
    claimant: &str,
    zone: Zone,
    now: DateTime<Utc>,
) -> QueryResult<Recovered> {
    // What this pass itself has claimed is still on its way, however slowly.
    let others = || ledger::claimed_by.assume_not_null().ne(claimant.to_owned());
    let left = || -> Condition { Box::new(abandoned(channel, scope, now).and(others())) };
    let mut recovered = Recovered::default();
    for rows in unlocked(db, || {
        Box::new(left().and(is_owed_again(channel, in_doubt, zone, now)))
    })? {
        recovered.again += update(ledger::table.filter(rows))
            .set((
                ledger::status.eq(status::PENDING),
                ledger::next_attempt_at.eq(now.naive_utc()),
                ledger::updated_at.eq(now.naive_utc()),
            ))
            .execute(db)?;
    }
    let unknown = (
        ledger::status.eq(status::UNKNOWN),
        ledger::updated_at.eq(now.naive_utc()),
    );
    // Not those owed again that another transaction held a moment ago: they wait for the next pass.
    let lost =
        || -> Condition { Box::new(left().and(not(is_owed_again(channel, in_doubt, zone, now)))) };
    // What the pass that was in doubt has said stays on record.
    for rows in unlocked(db, || {
        Box::new(lost().and(ledger::error_code.is_not_null()))
    })? {
        let said = update(ledger::table.filter(rows));
        recovered.unknown += said.set(unknown).execute(db)?;
    }
    let why = (
        ledger::error_code.eq("in_doubt"),
        ledger::error.eq("the pass ended between handing it over and recording it"),
    );
    for rows in unlocked(db, || Box::new(lost().and(ledger::error_code.is_null())))? {
        let unsaid = update(ledger::table.filter(rows));
        recovered.unknown += unsaid.set((unknown, why)).execute(db)?;
    }
    Ok(recovered)
}

/// Rows whose pass died between claiming and recording them: their lease is over.
pub(super) fn abandoned(channel: Channel, scope: &Scope, now: DateTime<Utc>) -> Condition {
    let over = ledger::lease_until.assume_not_null().lt(now.naive_utc());
    Box::new(
        of_channel(channel, scope)
            .and(ledger::status.eq(status::SENDING))
            .and(over),
    )
}

/// Of those, what can be sent again without telling anybody twice that could be avoided.
pub(super) fn is_owed_again(
    channel: Channel,
    in_doubt: InDoubt,
    zone: Zone,
    now: DateTime<Utc>,
) -> Condition {
    match (channel, in_doubt) {
        (Channel::Mail, InDoubt::Hold) => Box::new(false.into_sql::<Bool>()),
        _ => Box::new(not(past_asking(channel, zone, now))),
    }
}

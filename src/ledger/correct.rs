//! Those who were told of a start that is no longer so are told once more, by a row of kind `moved` or `cancelled`.
//!
//! What somebody was last told is the last `sent` row of their session and channel. A correction of it is a row that came
//! after it; whatever became of that, there is no second one for the same change, unless it was cancelled unsent.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, IntoSql, QueryDsl, QueryResult, Queryable,
    RunQueryDsl,
    dsl::{insert_into, sql},
    sql_types::{BigInt, Bool, Integer, Nullable, Text, Timestamp},
    update,
};

use super::{CORRECTED, Channel, Condition, Kind, REMINDER, claim::Row, of_session, status};
use crate::{
    db::{AT_ONCE, Db, Lossy, schema::session_reminder_deliveries as ledger},
    pass::window::Window,
};

/// What was told of a session.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Queryable)]
pub struct Said {
    pub session_id: i64,
    kind: String,
    /// The platform's digits.
    #[diesel(deserialize_as = Lossy)]
    start: String,
}

impl Said {
    /// Whether it is no longer so when the session now starts then, `None` meaning that it does not take place.
    pub fn is_wrong(&self, start: Option<&str>) -> bool {
        match Kind::named(&self.kind) {
            Kind::Cancelled => start.is_some(),
            Kind::Reminder | Kind::Moved => start != Some(self.start.as_str()),
        }
    }
}

/// What was told on a channel of the starts from `first` on, each thing once.
pub fn said(
    db: &mut Db,
    channel: Channel,
    session: Option<i64>,
    first: NaiveDateTime,
) -> QueryResult<Vec<Said>> {
    ledger::table
        .filter(ledger::status.eq(status::SENT))
        .filter(ledger::channel.eq(channel.name()))
        .filter(ledger::scheduled_at.ge(first))
        .filter(of_session(session))
        .select((
            ledger::course_session_id,
            ledger::kind,
            sql::<Text>("CAST(session_reminder_deliveries.scheduled_at AS CHAR(19))"),
        ))
        .distinct()
        .load(db)
}

/// The corrections of one kind that a session may need on one channel.
#[derive(Debug)]
pub struct Owed {
    pub session: i64,
    pub kind: Kind,
    pub channel: Channel,
    /// Earlier starts are too near, or over.
    pub first: NaiveDateTime,
    /// Users who have told WhatsApp to stop, where the platform does not know.
    pub opted_out: Vec<i64>,
}

/// The users to whom corrections are owed, so many at most.
pub fn users(db: &mut Db, owed: &Owed, limit: i64) -> QueryResult<Vec<i64>> {
    let wrong = wrong(db, owed);
    ledger::table
        .filter(wrong)
        .select(ledger::user_id)
        .order(ledger::user_id)
        .limit(limit)
        .load(db)
}

/// Gives every correction that is owed its row; how many there were.
pub fn insert(db: &mut Db, owed: &Owed, now: DateTime<Utc>) -> QueryResult<usize> {
    let now = now.naive_utc();
    let rows = ledger::table.filter(wrong(db, owed)).select((
        ledger::course_session_id,
        ledger::user_id,
        ledger::channel,
        owed.kind.name().into_sql::<Text>(),
        sql::<Integer>(NUMBER),
        sql::<Timestamp>(match owed.kind {
            Kind::Cancelled => "session_reminder_deliveries.scheduled_at",
            Kind::Moved | Kind::Reminder => START,
        }),
        status::PENDING.into_sql::<Text>(),
        now.into_sql::<Timestamp>(),
        now.into_sql::<Timestamp>(),
    ));
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
            ledger::created_at,
            ledger::updated_at,
        ))
        .execute(db)
}

/// One less than the number of the last correction.
const NUMBER: &str = "coalesce((SELECT min(c.lead_minutes) FROM session_reminder_deliveries c
    WHERE c.course_session_id = session_reminder_deliveries.course_session_id
    AND c.user_id = session_reminder_deliveries.user_id AND c.channel = session_reminder_deliveries.channel
    AND c.kind <> 'reminder'), 0) - 1";

/// When the session starts now.
const START: &str = "(SELECT p.scheduled_at FROM session_participants p
    WHERE p.session_id = session_reminder_deliveries.course_session_id
    AND p.user_id = session_reminder_deliveries.user_id LIMIT 1)";

/// The rows that say what their user was last told, where that is wrong and not yet corrected. (In words of its own, for the
/// ledger appears in it several times.)
fn wrong(db: &Db, owed: &Owed) -> Condition {
    let told = ledger::course_session_id
        .eq(owed.session)
        .and(ledger::channel.eq(owed.channel.name()))
        .and(ledger::status.eq(status::SENT))
        .and(ledger::scheduled_at.ge(owed.first));
    let heard = ledger::user_id.ne_all(owed.opted_out.clone());
    match owed.kind {
        Kind::Cancelled => Box::new(
            told.and(heard)
                .and(ledger::kind.ne(Kind::Cancelled.name()))
                .and(sql::<Bool>(&is_cancelled(owed.channel)))
                .and(sql::<Bool>(&uncorrected(db, "l.kind = 'cancelled'"))),
        ),
        Kind::Moved | Kind::Reminder => {
            let starts_then = format!("l.kind <> 'cancelled' AND l.scheduled_at = {START}");
            Box::new(
                told.and(heard)
                    .and(starts_otherwise(owed))
                    .and(sql::<Bool>(&uncorrected(db, &starts_then))),
            )
        }
    }
}

/// The participant's session is at another time than the row says, and that time is still ahead.
fn starts_otherwise(owed: &Owed) -> Condition {
    let participant = "coalesce((SELECT p.user_id FROM session_participants p
        WHERE p.session_id = session_reminder_deliveries.course_session_id
        AND p.user_id = session_reminder_deliveries.user_id
        AND (session_reminder_deliveries.kind = 'cancelled'
            OR p.scheduled_at <> session_reminder_deliveries.scheduled_at)
        AND p.scheduled_at >= ";
    let condition = sql::<Bool>(participant)
        .bind::<Timestamp, _>(owed.first)
        .sql(wants(owed.channel))
        .sql(" LIMIT 1), 0) > 0");
    Box::new(condition)
}

/// The session does not take place, and the row's user would have been there.
fn is_cancelled(channel: Channel) -> String {
    format!(
        "coalesce((SELECT p.user_id FROM session_cancellations p
            WHERE p.session_id = session_reminder_deliveries.course_session_id
            AND p.user_id = session_reminder_deliveries.user_id{} LIMIT 1), 0) > 0",
        wants(channel)
    )
}

/// Everybody wants mail; WhatsApp those who said yes.
fn wants(channel: Channel) -> &'static str {
    match channel {
        Channel::Mail => "",
        Channel::Whatsapp => " AND coalesce(p.whatsapp_opt_in, false)",
    }
}

/// Nothing was told after the row, and no later row `l` that corrects it is on its way or has come to its end.
fn uncorrected(db: &Db, corrects: &str) -> String {
    format!(
        "coalesce((SELECT l.id FROM session_reminder_deliveries l {hint}
            WHERE l.course_session_id = session_reminder_deliveries.course_session_id
            AND l.user_id = session_reminder_deliveries.user_id AND l.channel = session_reminder_deliveries.channel
            AND (l.status = 'sent' AND (l.sent_at > session_reminder_deliveries.sent_at
                    OR l.sent_at = session_reminder_deliveries.sent_at AND l.id > session_reminder_deliveries.id)
                OR l.status <> 'cancelled' AND l.id > session_reminder_deliveries.id AND {corrects})
            LIMIT 1), 0) < 1",
        hint = db.dialect().by_unique_key
    )
}

/// The corrections made at `now` take the place of the reminders of this window: those rows come to their end unsent, or are
/// made at it, so that no later pass makes them.
pub fn replace_reminders(
    db: &mut Db,
    owed: &Owed,
    window: &Window,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    let waiting = waiting_reminders(db, owed, window, now)?;
    for ids in waiting.chunks(AT_ONCE) {
        update(unsent().filter(ledger::id.eq_any(ids)))
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

/// Reminders that were not sent, nor may have been.
#[diesel::dsl::auto_type(no_type_alias)]
fn unsent() -> _ {
    let reminder: &'static str = REMINDER;
    let statuses: [&'static str; 2] = [status::PENDING, status::CANCELLED];
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
fn other_row(which: &str) -> diesel::expression::SqlLiteral<BigInt> {
    sql::<BigInt>(&format!(
        "coalesce((SELECT m.id FROM session_reminder_deliveries m
            WHERE m.course_session_id = session_reminder_deliveries.course_session_id
            AND m.user_id = session_reminder_deliveries.user_id AND m.channel = session_reminder_deliveries.channel
            AND m.scheduled_at = session_reminder_deliveries.scheduled_at AND {which}"
    ))
}

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

/// What the corrections among these rows correct, in their order; `None` for the others. It is the same however often a row
/// is tried: what came before a row does not change.
pub fn told_before(db: &mut Db, channel: Channel, rows: &[&Row]) -> QueryResult<Vec<Option<Told>>> {
    let corrections = || rows.iter().filter(|row| row.kind() != Kind::Reminder);
    if corrections().next().is_none() {
        return Ok(vec![None; rows.len()]);
    }
    let told: Vec<Told> = ledger::table
        .filter(ledger::course_session_id.eq_any(corrections().map(|row| row.session_id)))
        .filter(ledger::user_id.eq_any(corrections().map(|row| row.user_id)))
        .filter(ledger::channel.eq(channel.name()))
        .filter(ledger::status.eq(status::SENT))
        .order((ledger::sent_at.desc(), ledger::id.desc()))
        .select((
            ledger::id,
            ledger::course_session_id,
            ledger::user_id,
            ledger::kind,
            sql::<Text>("CAST(session_reminder_deliveries.scheduled_at AS CHAR(19))"),
            ledger::message_id,
        ))
        .load(db)?;
    let before = |row: &&Row| match row.kind() {
        Kind::Reminder => None,
        _ => told.iter().find(|told| told.is_before(row)).cloned(),
    };
    Ok(rows.iter().map(before).collect())
}

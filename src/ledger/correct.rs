//! Those who were told of a start that is no longer so are told once more, by a row of kind `moved` or `cancelled`.
//!
//! What somebody was last told is the last `sent` row of their session and channel. A correction of it is a row that
//! came after it; whatever became of that, there is no second one for the same change, unless it was cancelled unsent.

pub mod replace;
pub mod told;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, IntoSql, QueryDsl, QueryResult, Queryable,
    RunQueryDsl,
    dsl::{insert_into, sql},
    sql_types::{Bool, Integer, Text, Timestamp},
};

use super::{Channel, Condition, Kind, of_session, start_digits, status};
use crate::db::{Db, Lossy, schema::session_reminder_deliveries as ledger};

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
        .select((ledger::course_session_id, ledger::kind, start_digits()))
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

/// The users to whom corrections are owed, so many at most, each with the start that they were told.
pub fn users(db: &mut Db, owed: &Owed, limit: i64) -> QueryResult<Vec<(i64, String)>> {
    let users = ledger::table
        .filter(wrong(db, owed))
        .select((ledger::user_id, start_digits()))
        .order(ledger::user_id)
        .limit(limit)
        .load::<(i64, Lossy)>(db)?;
    Ok(users
        .into_iter()
        .map(|(id, start)| (id, start.into()))
        .collect())
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

/// The rows that say what their user was last told, where that is wrong and not yet corrected. (In words of its own,
/// for the ledger appears in it several times.)
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

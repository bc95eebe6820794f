//! Who takes part in what, as `session_participants` says it, and who was told in vain, as `session_cancellations`
//! does.

use std::{collections::HashMap, mem};

use diesel::{
    BoolExpressionMethods, BoxableExpression, ExpressionMethods, IntoSql,
    NullableExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl,
    dsl::sql,
    expression::SqlLiteral,
    sql_types::{Bool, Text},
};

use crate::{
    db::{
        self, Backend, Db, Lossy,
        schema::{session_cancellations as cancelled, session_participants as participants},
    },
    time::WallRange,
};

/// One participant of one session as the view gives it: every text is whatever somebody typed.
#[derive(Debug, Clone, Queryable)]
pub struct Participant {
    pub session_id: i64,
    #[diesel(deserialize_as = Lossy)]
    pub session_title: Option<String>,
    #[diesel(deserialize_as = Lossy)]
    pub course_title: Option<String>,
    /// The platform's digits, as they stand there.
    #[diesel(deserialize_as = Lossy)]
    pub scheduled_at: String,
    pub duration_minutes: Option<i32>,
    /// `online`, `offline` or `hybrid`.
    #[diesel(deserialize_as = Lossy)]
    pub mode: Option<String>,
    #[diesel(deserialize_as = Lossy)]
    pub meeting_url: Option<String>,
    #[diesel(deserialize_as = Lossy)]
    pub location: Option<String>,
    pub user_id: i64,
    #[diesel(deserialize_as = Lossy)]
    pub name: Option<String>,
    #[diesel(deserialize_as = Lossy)]
    pub email: Option<String>,
    #[diesel(deserialize_as = Lossy)]
    pub phone: Option<String>,
    pub whatsapp_opt_in: Option<bool>,
    #[diesel(deserialize_as = Lossy)]
    pub timezone: Option<String>,
    #[diesel(deserialize_as = Lossy)]
    pub locale: Option<String>,
}

impl Participant {
    pub fn opted_in(&self) -> bool {
        self.whatsapp_opt_in.unwrap_or(false)
    }
}

/// A condition on the view.
type Condition = Box<dyn BoxableExpression<participants::table, Backend, SqlType = Bool>>;

/// Sessions that start in one of the ranges.
pub fn starts_in(walls: &[WallRange]) -> Condition {
    // No `false OR …` to begin with: it would keep the database from using an index.
    let range = |(from, to): &WallRange| -> Condition {
        Box::new(participants::scheduled_at.between(*from, *to))
    };
    let any = |any: Condition, range: Condition| -> Condition { Box::new(any.or(range)) };
    let ranges = walls.iter().map(range).reduce(any);
    ranges.unwrap_or_else(|| Box::new(false.into_sql::<Bool>()))
}

/// That session only, or all of them.
pub fn of_session(session: Option<i64>) -> Condition {
    match session {
        Some(id) => Box::new(participants::session_id.eq(id)),
        None => Box::new(true.into_sql::<Bool>()),
    }
}

/// When a session starts, in the platform's digits.
pub(super) fn start_digits() -> SqlLiteral<Text> {
    db::digits("session_participants.scheduled_at")
}

/// The columns of [`Participant`], in its order.
macro_rules! participant {
    ($view:ident, $start:literal) => {
        (
            $view::session_id,
            $view::session_title,
            $view::course_title,
            $crate::db::digits($start),
            $view::duration_minutes,
            $view::mode,
            $view::meeting_url,
            $view::location,
            $view::user_id,
            $view::name,
            $view::email,
            $view::phone,
            $view::whatsapp_opt_in,
            $view::timezone,
            $view::locale,
        )
    };
    (participants) => {
        participant!(participants, "session_participants.scheduled_at")
    };
    (cancelled) => {
        participant!(cancelled, "session_cancellations.scheduled_at")
    };
}

pub(super) use participant;

/// The participants of the sessions that start in the ranges, nearest start first.
pub fn participants_in(
    db: &mut Db,
    walls: &[WallRange],
    session: Option<i64>,
) -> QueryResult<Vec<Participant>> {
    participants::table
        .filter(starts_in(walls))
        .filter(of_session(session))
        .order((
            participants::scheduled_at,
            participants::session_id,
            participants::user_id,
        ))
        .select(participant!(participants))
        .load(db)
        .map(one_each)
}

/// The participants of one session, by their ids.
pub fn participants_of_session(db: &mut Db, session: i64) -> QueryResult<Vec<Participant>> {
    participants::table
        .filter(participants::session_id.eq(session))
        .order(participants::user_id)
        .select(participant!(participants))
        .load(db)
        .map(one_each)
}

/// Those who were told of one session that does not take place any more, by their ids.
pub fn told_in_vain_of_session(db: &mut Db, session: i64) -> QueryResult<Vec<Participant>> {
    cancelled::table
        .filter(cancelled::session_id.eq(session))
        .order(cancelled::user_id)
        .select(participant!(cancelled))
        .load(db)
        .map(one_each)
}

/// The id of a user whom the view lists in any session: by the id itself or by the email address.
pub fn listed_user(db: &mut Db, who: &str) -> QueryResult<Option<i64>> {
    if let Ok(id) = who.parse::<i64>() {
        return listed(db, Box::new(participants::user_id.eq(id)));
    }
    let exactly = participants::email.assume_not_null().eq(who.to_owned());
    if let Some(id) = listed(db, Box::new(exactly))? {
        return Ok(Some(id));
    }
    // As in `profile::user_id`.
    let same_address = sql::<Bool>("lower(session_participants.email) = lower(")
        .bind::<Text, _>(who.to_owned())
        .sql(")");
    listed(db, Box::new(same_address))
}

fn listed(db: &mut Db, whom: Condition) -> QueryResult<Option<i64>> {
    participants::table
        .filter(whom)
        .order(participants::user_id)
        .select(participants::user_id)
        .first(db)
        .optional()
}

/// What the platform says now of these sessions × these users: a superset of the pairs asked for.
pub fn participants_of(
    db: &mut Db,
    sessions: Vec<i64>,
    users: Vec<i64>,
) -> QueryResult<Vec<Participant>> {
    participants::table
        .filter(participants::session_id.eq_any(sessions))
        .filter(participants::user_id.eq_any(users))
        .order((participants::session_id, participants::user_id))
        .select(participant!(participants))
        .load(db)
        .map(one_each)
}

/// The same of those who were told of these sessions, where these do not take place any more. Their `scheduled_at` is
/// any start that they were told.
pub fn told_in_vain(
    db: &mut Db,
    sessions: Vec<i64>,
    users: Vec<i64>,
) -> QueryResult<Vec<Participant>> {
    cancelled::table
        .filter(cancelled::session_id.eq_any(sessions))
        .filter(cancelled::user_id.eq_any(users))
        .order((cancelled::session_id, cancelled::user_id))
        .select(participant!(cancelled))
        .load(db)
        .map(one_each)
}

/// When a session starts that somebody takes part in, in the platform's digits.
pub fn start_of(db: &mut Db, session: i64) -> QueryResult<Option<String>> {
    let starts = participants::table
        .filter(participants::session_id.eq(session))
        .limit(1)
        .select(start_digits())
        .load::<Lossy>(db)?;
    Ok(starts.into_iter().next().map(Lossy::into))
}

/// Those of these sessions that start in the ranges, and when, in the platform's digits.
pub fn starts_of(
    db: &mut Db,
    sessions: Vec<i64>,
    walls: &[WallRange],
    session: Option<i64>,
) -> QueryResult<HashMap<i64, String>> {
    let starts = participants::table
        .filter(participants::session_id.eq_any(sessions))
        .filter(starts_in(walls))
        .filter(of_session(session))
        .select((participants::session_id, start_digits()))
        .distinct()
        .load::<(i64, Lossy)>(db)?;
    let text = |(id, start): (i64, Lossy)| (id, start.into());
    Ok(starts.into_iter().map(text).collect())
}

/// A participant whom an operator's own view lists twice (in neighbouring rows) is one, and has opted in if any row
/// says so.
pub(super) fn one_each(mut participants: Vec<Participant>) -> Vec<Participant> {
    participants.dedup_by(|next, kept| {
        let same = (next.session_id, next.user_id) == (kept.session_id, kept.user_id);
        if same && next.opted_in() && !kept.opted_in() {
            mem::swap(next, kept);
        }
        same
    });
    participants
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests {
    use std::sync::{Arc, Mutex};

    use chrono::NaiveDateTime;
    use diesel::{
        Connection, SqliteConnection,
        connection::{InstrumentationEvent, SimpleConnection},
    };

    use super::*;

    #[test]
    fn one_range_is_asked_for_plainly_so_that_an_index_serves() {
        let mut db = Db::Sqlite(SqliteConnection::establish(":memory:").unwrap());
        db.batch_execute("CREATE TABLE session_participants (session_id, scheduled_at)")
            .unwrap();
        let asked = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&asked);
        db.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                *heard.lock().unwrap() = query.to_string();
            }
        });
        let time = NaiveDateTime::default();
        participants::table
            .filter(starts_in(&[(time, time)]))
            .select(participants::session_id)
            .load::<i64>(&mut db)
            .unwrap();
        let sql = asked.lock().unwrap();
        assert!(sql.contains("BETWEEN") && !sql.contains(" OR "), "{sql}");
    }
}

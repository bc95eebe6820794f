//! The next sessions that somebody takes part in, and how many people that is.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl,
    dsl::sql,
    sql_types::{BigInt, Nullable, Text},
};

use super::participants::start_digits;
use crate::db::{Db, Lossy, schema::session_participants as participants};

/// A session and its participants.
#[derive(Debug)]
pub struct Upcoming {
    pub session_id: i64,
    pub title: String,
    /// The platform's digits.
    pub scheduled_at: String,
    pub participants: i64,
    /// Those of them who want WhatsApp messages.
    pub opted_in: i64,
}

/// How many participants are looked at for the sessions they belong to: of a common platform all the next ones at once,
/// of a large one those of the next session.
const LOOK: i64 = 1000;

/// The next sessions, so many at most, nearest start first.
pub fn upcoming(db: &mut Db, after: NaiveDateTime, count: usize) -> QueryResult<Vec<Upcoming>> {
    let starts = starts(db, after, count)?;
    counted(db, starts)
}

/// The next session that somebody takes part in: its title and start.
pub fn first(db: &mut Db, after: NaiveDateTime) -> QueryResult<Option<(Option<String>, String)>> {
    let rows = participants::table
        .filter(participants::scheduled_at.gt(after))
        .order(participants::scheduled_at)
        .limit(1)
        .select((participants::session_title, start_digits()))
        .load::<(Lossy, Lossy)>(db)?;
    Ok(rows
        .into_iter()
        .next()
        .map(|(title, start)| (title.into(), start.into())))
}

/// The next sessions and their starts.
fn starts(db: &mut Db, after: NaiveDateTime, count: usize) -> QueryResult<BTreeMap<i64, String>> {
    let mut starts: BTreeMap<i64, String> = BTreeMap::new();
    // Counting them all by session would read every participant of the future.
    while starts.len() < count {
        let known: Vec<i64> = starts.keys().copied().collect();
        let rows: Vec<(i64, Lossy)> = participants::table
            .filter(participants::scheduled_at.gt(after))
            .filter(participants::session_id.ne_all(known))
            .order(participants::scheduled_at)
            .limit(LOOK)
            .select((participants::session_id, start_digits()))
            .load(db)?;
        let all = rows.len() < LOOK as usize;
        let text = |(session, start): (i64, Lossy)| (String::from(start), session);
        let mut rows: Vec<(String, i64)> = rows.into_iter().map(text).collect();
        // Of the same start the lowest id comes first. The database would have to sort the whole future for that.
        rows.sort();
        for (start, session) in rows {
            if starts.len() < count {
                starts.entry(session).or_insert(start);
            }
        }
        if all {
            break;
        }
    }
    Ok(starts)
}

/// These sessions with their participants; one that an operator's own view lists twice is one.
fn counted(db: &mut Db, starts: BTreeMap<i64, String>) -> QueryResult<Vec<Upcoming>> {
    let rows: Vec<(i64, Lossy, i64, i64)> = participants::table
        .filter(participants::session_id.eq_any(starts.keys().copied().collect::<Vec<_>>()))
        .group_by(participants::session_id)
        .select((
            participants::session_id,
            sql::<Nullable<Text>>("max(session_participants.session_title)"),
            sql::<BigInt>("count(DISTINCT session_participants.user_id)"),
            sql::<BigInt>(
                "count(DISTINCT CASE WHEN session_participants.whatsapp_opt_in = true THEN session_participants.user_id END)",
            ),
        ))
        .load(db)?;
    let mut upcoming: Vec<Upcoming> = rows
        .into_iter()
        .map(|(session_id, title, participants, opted_in)| Upcoming {
            session_id,
            title: title.into(),
            scheduled_at: starts.get(&session_id).cloned().unwrap_or_default(),
            participants,
            opted_in,
        })
        .collect();
    upcoming.sort_by(|a, b| (&a.scheduled_at, a.session_id).cmp(&(&b.scheduled_at, b.session_id)));
    Ok(upcoming)
}

//! `session_reminder_logs`, the log of the Laravel command that this program replaces: one row per session, in the
//! application's zone. It is read so that nobody whom Laravel has told is told again, and kept so that a Laravel command
//! that still runs leaves our sessions alone.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::{
    AggregateExpressionMethods, BoolExpressionMethods, ExpressionMethods,
    NullableExpressionMethods, QueryDsl, QueryResult, RunQueryDsl,
    dsl::{exists, insert_into, not, sql},
    sql_types::Text,
    update,
};

use crate::{
    db::{
        Db, Lossy, coalesce,
        schema::{
            session_participants as participants, session_reminder_deliveries as ledger,
            session_reminder_logs as logs,
        },
    },
    ledger::{REMINDER, WINDOW_PASSED, status},
    pass::window::Window,
    platform::{of_session, starts_in},
    time::{WallRange, Zone},
};

/// The log's name in the database.
pub const TABLE: &str = "session_reminder_logs";

/// The sessions among those that start in `walls` which Laravel has reminded of: its log has a row from inside the
/// window, and it is not ours, since the ledger has never had a reminder of this lead for the session.
pub fn reminded(
    db: &mut Db,
    walls: &[WallRange],
    session: Option<i64>,
    window: &Window,
    zone: Zone,
) -> QueryResult<Vec<i64>> {
    let started: Vec<(i64, Lossy)> = participants::table
        .filter(starts_in(walls))
        .filter(of_session(session))
        .filter(
            coalesce(
                ours(window)
                    .filter(ledger::course_session_id.eq(participants::session_id))
                    .select(ledger::id)
                    .single_value(),
                0,
            )
            .lt(1),
        )
        .filter(
            coalesce(
                logs::table
                    .filter(logs::course_session_id.eq(participants::session_id))
                    .select(logs::id)
                    .single_value(),
                0,
            )
            .gt(0),
        )
        .select((
            participants::session_id,
            sql::<Text>("CAST(session_participants.scheduled_at AS CHAR(19))"),
        ))
        .distinct()
        .load(db)?;
    if started.is_empty() {
        return Ok(Vec::new());
    }
    let started: Vec<(i64, String)> = texts(started);
    let sent = sent_at(db, started.iter().map(|(id, _)| *id).collect())?;
    let by_laravel = |(id, start): &(i64, String)| {
        let times = zone
            .parse(start)
            .zip(sent.get(id).and_then(|sent| zone.parse(sent)));
        times.is_some_and(|(start, sent)| window.holds(start, sent))
    };
    Ok(started
        .into_iter()
        .filter(by_laravel)
        .map(|(id, _)| id)
        .collect())
}

/// What the ledger knows of sessions, whatever their start was then: when we told of one, its log is ours.
#[diesel::dsl::auto_type(no_type_alias)]
fn ours(window: &Window) -> _ {
    let reminder: &'static str = REMINDER;
    let (lead, near): (i32, i32) = (window.lead_minutes(), window.width_minutes());
    let (shortest, longest): (i32, i32) = (lead - near, lead + near);
    // A window that passed left rows without an entry in the log.
    let passed: &'static str = WINDOW_PASSED;
    ledger::table
        .filter(ledger::kind.eq(reminder))
        .filter(ledger::lead_minutes.between(shortest, longest))
        .filter(
            ledger::error_code
                .is_null()
                .or(ledger::error_code.assume_not_null().ne(passed)),
        )
}

/// A session's row.
pub struct Entry {
    /// When the session was reminded of, in the platform's digits.
    pub sent_at: String,
    /// The ledger says that we have made it, and not Laravel.
    pub is_ours: bool,
}

impl Entry {
    pub fn read(db: &mut Db, session: i64) -> QueryResult<Option<Self>> {
        let sent_at = sent_at(db, vec![session])?.remove(&session);
        Ok(sent_at.map(|sent_at| Self {
            sent_at,
            is_ours: false,
        }))
    }

    /// Asks the ledger whose it is.
    pub fn ask(&mut self, db: &mut Db, session: i64, window: &Window) -> QueryResult<()> {
        let rows: i64 = ours(window)
            .filter(ledger::course_session_id.eq(session))
            .count()
            .get_result(db)?;
        self.is_ours = rows > 0;
        Ok(())
    }

    /// Whether Laravel has reminded of that start.
    pub fn tells(&self, start: DateTime<Utc>, window: &Window, zone: Zone) -> bool {
        let sent = zone.parse(&self.sent_at).filter(|_| !self.is_ours);
        sent.is_some_and(|sent| window.holds(start, sent))
    }
}

fn sent_at(db: &mut Db, sessions: Vec<i64>) -> QueryResult<HashMap<i64, String>> {
    let rows: Vec<(i64, Lossy)> = logs::table
        .filter(logs::course_session_id.eq_any(sessions))
        .select((
            logs::course_session_id,
            sql::<Text>("CAST(session_reminder_logs.sent_at AS CHAR(19))"),
        ))
        .load(db)?;
    Ok(texts(rows))
}

fn texts<C: FromIterator<(i64, String)>>(rows: Vec<(i64, Lossy)>) -> C {
    rows.into_iter()
        .map(|(id, text)| (id, text.into()))
        .collect()
}

/// The sessions of the ledger rows made at `now` that have no row yet.
pub fn unannounced(db: &mut Db, lead_minutes: i32, now: DateTime<Utc>) -> QueryResult<Vec<i64>> {
    let there = logs::table.filter(logs::course_session_id.eq(ledger::course_session_id));
    ledger::table
        .filter(ledger::created_at.eq(now.naive_utc()))
        .filter(ledger::kind.eq(REMINDER))
        .filter(ledger::lead_minutes.eq(lead_minutes))
        .filter(ledger::status.eq(status::PENDING))
        .filter(not(exists(there)))
        .select(ledger::course_session_id)
        .distinct()
        .order(ledger::course_session_id)
        .load(db)
}

/// Makes a session's row.
pub fn announce(db: &mut Db, session: i64, wall: NaiveDateTime) -> QueryResult<usize> {
    let row = (
        logs::course_session_id.eq(session),
        logs::sent_at.eq(wall),
        logs::recipients_count.eq(0),
        logs::created_at.eq(wall),
        logs::updated_at.eq(wall),
    );
    insert_into(logs::table).values(row).execute(db)
}

/// Brings the rows of the sessions somebody was told of up to date: when, and how many people.
pub fn update_counts(
    db: &mut Db,
    told: &BTreeSet<(i64, NaiveDateTime)>,
    lead_minutes: i32,
    zone: Zone,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    let wall = zone.wall(now);
    for (session, start) in told {
        let row = || logs::table.filter(logs::course_session_id.eq(session));
        // The row first, and with it its lock: of two hosts that count at the same time, the later one counts all.
        update(row())
            .set((logs::sent_at.eq(wall), logs::updated_at.eq(wall)))
            .execute(db)?;
        let people: i64 = ledger::table
            .filter(ledger::course_session_id.eq(session))
            .filter(ledger::scheduled_at.eq(start))
            .filter(ledger::kind.eq(REMINDER))
            .filter(ledger::lead_minutes.eq(lead_minutes))
            .filter(ledger::status.eq(status::SENT))
            .select(diesel::dsl::count(ledger::user_id).aggregate_distinct())
            .first(db)?;
        let people = i32::try_from(people).unwrap_or(i32::MAX);
        update(row())
            .set(logs::recipients_count.eq(people))
            .execute(db)?;
    }
    Ok(())
}

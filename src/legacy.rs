//! `session_reminder_logs`, the log of the Laravel command that this program replaces: one row per session, in the
//! application's zone. It is read so that nobody whom Laravel has told is told again, and kept so that a Laravel
//! command that still runs leaves our sessions alone.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use diesel::{
    AggregateExpressionMethods, BoolExpressionMethods, ExpressionMethods,
    NullableExpressionMethods, QueryDsl, QueryResult, RunQueryDsl,
    dsl::{exists, insert_into, not, sql},
    expression::SqlLiteral,
    sql_types::Text,
    update,
};

use crate::{
    db::{
        self, AT_ONCE, Db, Lossy, coalesce,
        schema::{session_reminder_deliveries as ledger, session_reminder_logs as logs},
    },
    ledger::{REMINDER, WINDOW_PASSED, status},
    pass::window::Window,
    platform,
    time::{WallRange, Zone},
};

/// The log's name in the database.
pub const TABLE: &str = "session_reminder_logs";

const DAY: Duration = Duration::days(1);

/// When something was sent, in the log's own digits.
fn sent_at_digits() -> SqlLiteral<Text> {
    db::digits("session_reminder_logs.sent_at")
}

/// The sessions among those that start from the first of `starts` to the second which Laravel has reminded of: its log
/// has a row from inside the window, and it is not ours, since the ledger has never had a reminder of this lead for the
/// session.
///
/// The log is asked first: few of its rows are of these hours, however many participants there are.
pub fn reminded(
    db: &mut Db,
    starts: (DateTime<Utc>, DateTime<Utc>),
    session: Option<i64>,
    window: &Window,
    zone: Zone,
) -> QueryResult<Vec<i64>> {
    let (first, last) = window.of_starts(starts);
    let sent = not_ours(db, window, (zone.wall(first), zone.wall(last)))?;
    let walls = zone.walls(starts.0, starts.1);
    let mut reminded = Vec::new();
    for some in sent.chunks(AT_ONCE) {
        let sessions = some.iter().map(|(id, _)| *id).collect();
        let started = platform::starts_of(db, sessions, &walls, session)?;
        let by_laravel = |(id, sent): &&(i64, String)| {
            let times = started.get(id).and_then(|start| zone.parse(start));
            let times = times.zip(zone.parse(sent));
            times.is_some_and(|(start, sent)| window.holds(start, sent))
        };
        reminded.extend(some.iter().filter(by_laravel).map(|(id, _)| *id));
    }
    Ok(reminded)
}

/// Sessions that were reminded of from `first` to `last`, and not by us; with the time. A day more on each side: how a
/// wall time is to be read is for the zone to say.
fn not_ours(
    db: &mut Db,
    window: &Window,
    (first, last): WallRange,
) -> QueryResult<Vec<(i64, String)>> {
    let rows: Vec<(i64, Lossy)> = logs::table
        .filter(logs::sent_at.between(first - DAY, last + DAY))
        .filter(
            coalesce(
                ours(window)
                    .filter(ledger::course_session_id.eq(logs::course_session_id))
                    .select(ledger::id)
                    .single_value(),
                0,
            )
            .lt(1),
        )
        .select((logs::course_session_id, sent_at_digits()))
        .load(db)?;
    let text = |(id, text): (i64, Lossy)| (id, text.into());
    Ok(rows.into_iter().map(text).collect())
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
    /// How many people that was, in the digits of the database.
    pub recipients: String,
    /// The ledger says that we have made it, and not Laravel.
    pub is_ours: bool,
}

impl Entry {
    pub fn read(db: &mut Db, session: i64) -> QueryResult<Option<Self>> {
        let rows: Vec<(Lossy, Lossy)> = logs::table
            .filter(logs::course_session_id.eq(session))
            .select((
                sent_at_digits(),
                sql::<Text>("CAST(session_reminder_logs.recipients_count AS CHAR(20))"),
            ))
            .load(db)?;
        Ok(rows.into_iter().next().map(|(sent_at, recipients)| Self {
            sent_at: sent_at.into(),
            recipients: recipients.into(),
            is_ours: false,
        }))
    }

    /// The same, and whose it is, as far as there is a ledger (`has_ledger`) that says so.
    pub fn known(
        db: &mut Db,
        session: i64,
        window: &Window,
        has_ledger: bool,
    ) -> QueryResult<Option<Self>> {
        let mut entry = Self::read(db, session)?;
        if let (Some(entry), true) = (&mut entry, has_ledger) {
            entry.ask(db, session, window)?;
        }
        Ok(entry)
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

/// The sessions that somebody has reminded of in this time, by the log.
pub fn logged(db: &mut Db, (first, last): WallRange) -> QueryResult<Vec<i64>> {
    logs::table
        .filter(logs::sent_at.between(first, last))
        .select(logs::course_session_id)
        .load(db)
}

/// The newest row of a session that the ledger has never told of (or that no ledger could: `has_ledger`), so that it is
/// Laravel's: when, in the platform's digits.
pub fn newest_of_laravel(db: &mut Db, has_ledger: bool) -> QueryResult<Option<String>> {
    let newest = logs::table
        .order(logs::sent_at.desc())
        .limit(1)
        .select(sent_at_digits());
    let ours = ledger::table
        .filter(ledger::course_session_id.eq(logs::course_session_id))
        .filter(ledger::kind.eq(REMINDER))
        .filter(
            ledger::error_code
                .is_null()
                .or(ledger::error_code.assume_not_null().ne(WINDOW_PASSED)),
        );
    let found: Vec<Lossy> = match has_ledger {
        true => newest.filter(not(exists(ours))).load(db)?,
        false => newest.load(db)?,
    };
    Ok(found.into_iter().next().map(Lossy::into))
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

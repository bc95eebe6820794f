use std::sync::{Arc, Mutex};

use chrono::{DateTime, Duration, Utc};
use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection,
    connection::{InstrumentationEvent, SimpleConnection},
    sql_query,
    sql_types::Text,
};

use super::{
    Channel, Scope, claim,
    journal::{self, Status, Wanted},
    known, prune, record, retry,
};
use crate::{
    db::Db,
    outcome::{Fault, Outcome},
    pass::budget::{self, Day},
    time::Zone,
};

const SCHEMA: &str = include_str!("../../migrations/sqlite/2026-11-22-000002_reminders/up.sql");

fn now() -> DateTime<Utc> {
    "2026-11-23T09:00:00Z".parse().unwrap()
}

/// A ledger with so many rows that wait.
fn ledger(rows: usize) -> Db {
    let mut db = Db::Sqlite(SqliteConnection::establish(":memory:").unwrap());
    db.batch_execute(SCHEMA).unwrap();
    db.batch_execute(&format!(
        "INSERT INTO session_reminder_deliveries
            (course_session_id, user_id, channel, lead_minutes, scheduled_at, created_at, updated_at)
         WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         SELECT 1, i, 'mail', 60, '2026-11-23 17:00:00', '2026-11-23 09:00:00', '2026-11-23 09:00:00' FROM n"
    ))
    .unwrap();
    db
}

type Seen = Arc<Mutex<Vec<String>>>;

/// The statements from now on, with their values.
fn watch(db: &mut Db) -> Seen {
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    db.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            noted.lock().unwrap().push(query.to_string());
        }
    });
    seen
}

/// The statements it takes to claim and record that many rows.
fn statements(rows: usize) -> Vec<String> {
    let mut db = ledger(rows);
    let seen = watch(&mut db);
    batch(&mut db, rows);
    let seen = seen.lock().unwrap();
    seen.clone()
}

/// Claims and records that many rows, of which every third kind ends differently.
fn batch(db: &mut Db, rows: usize) {
    let waiting = claim::next_free(db, Channel::Mail, &Scope::default(), rows, now()).unwrap();
    assert_eq!(waiting.len(), rows);
    let to = |row: claim::Row| (row, "budi@example.org".to_owned());
    let claims =
        claim::claim(db, waiting.into_iter().map(to).collect(), "host:1:1", now()).unwrap();
    let sent = Outcome::Sent {
        message_id: "<1@example.org>".into(),
        status: None,
    };
    let failed = Outcome::Failed(Fault::new("550", "no such mailbox"));
    let outcomes = [Some(&sent), Some(&failed), None];
    let finished = claims
        .iter()
        .enumerate()
        .map(|(number, claim)| (claim, outcomes[number % 3]));
    assert_eq!(record::record(db, finished, now()).unwrap(), rows);
}

#[test]
fn a_batch_costs_the_same_number_of_statements_however_large_it_is() {
    assert_eq!(statements(3).len(), 5);
    assert_eq!(statements(60).len(), 5);
}

/// How many statements stay prepared that batches of so many rows take.
fn kept(batches: usize, rows: usize) -> usize {
    let mut db = ledger(batches * rows);
    let kept = Seen::default();
    let noted = Arc::clone(&kept);
    db.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::CacheQuery { sql, .. } = event {
            noted.lock().unwrap().push(sql.to_owned());
        }
    });
    (0..batches).for_each(|_| batch(&mut db, rows));
    kept.lock().unwrap().len()
}

#[test]
fn the_statements_of_a_batch_stay_prepared_unless_it_is_large() {
    assert_eq!(kept(4, 3), 4);
    assert_eq!(kept(2, 99), 0);
}

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// The statements it takes to put back and to delete some hundred rows.
fn statements_by_hand() -> Vec<String> {
    let mut db = ledger(200);
    let over = "UPDATE session_reminder_deliveries SET status = 'failed', scheduled_at = '2026-01-01 17:00:00'";
    db.batch_execute(over).unwrap();
    let seen = watch(&mut db);
    retry::put_back(&mut db, &Vec::from_iter(1..=100), now()).unwrap();
    assert_eq!(
        prune::some(&mut db, now().naive_utc()).unwrap(),
        (100, false)
    );
    let seen = seen.lock().unwrap();
    seen.clone()
}

#[test]
fn the_rows_of_a_batch_are_found_by_their_ids() {
    let mut db = ledger(1);
    let statements = [statements(60), statements_by_hand()].concat();
    let writes = statements.iter().filter(|sql| !sql.starts_with("SELECT"));
    let writes: Vec<&String> = writes.collect();
    assert_eq!(writes.len(), 7);
    for write in writes {
        // What follows the statement there, its values, is a comment.
        let explain = sql_query(format!("EXPLAIN QUERY PLAN {write}"));
        let steps: Vec<Step> = explain.load(&mut db).unwrap();
        let first = &steps[0].detail;
        assert!(
            first.contains("USING INTEGER PRIMARY KEY"),
            "{first}: {write}"
        );
    }
}

/// How SQLite would carry out what is asked.
fn plans(ask: impl FnOnce(&mut Db)) -> Vec<String> {
    let mut db = ledger(1);
    let seen = watch(&mut db);
    ask(&mut db);
    let seen = seen.lock().unwrap().clone();
    let plan = |query: &String| {
        let explain = sql_query(format!("EXPLAIN QUERY PLAN {query}"));
        let steps: Vec<Step> = explain.load(&mut db).unwrap();
        let steps = steps.into_iter().map(|step| step.detail);
        steps.collect::<Vec<_>>().join("; ")
    };
    seen.iter().map(plan).collect()
}

/// The same of the queries that read a ledger's newest rows.
fn plans_of_newest(wanted: &Wanted) -> Vec<String> {
    let zone = Zone(chrono_tz::Tz::UTC);
    plans(|db| drop(journal::newest(db, wanted, 50, zone, now()).unwrap()))
}

#[test]
fn the_messages_of_other_rows_are_found_by_an_index() {
    let plans = plans(|db| {
        known::message_ids(db, Channel::Whatsapp, "+6281234567890", now()).unwrap();
    });
    let [sent, undelivered] = &plans[..] else {
        panic!("{plans:?}")
    };
    assert!(sent.contains("_sent (channel=? AND sent_at>?)"), "{sent}");
    let by = "_queue (status=? AND channel=? AND scheduled_at>?)";
    assert!(undelivered.contains(by), "{undelivered}");
}

#[test]
fn the_newest_rows_of_a_large_ledger_are_found_by_an_index() {
    let plans_of_all = plans_of_newest(&Wanted::default());
    let [mail, whatsapp, recent, all] = &plans_of_all[..] else {
        panic!("{plans_of_all:?}")
    };
    for sent in [mail, whatsapp] {
        assert!(sent.contains("_sent (channel=? AND sent_at>?)"), "{sent}");
        assert!(!sent.contains("TEMP B-TREE"), "{sent}");
    }
    let by = "_queue (status=? AND channel=? AND scheduled_at>?)";
    assert!(recent.contains(by), "{recent}");
    assert!(all.contains("_queue (status=? AND channel=?)"), "{all}");
    let failed = Wanted {
        states: vec![Status::Failed, Status::Missed],
        ..Wanted::default()
    };
    let of_session = Wanted {
        session: Some(1),
        ..Wanted::default()
    };
    for (wanted, index) in [(failed, "_queue"), (of_session, "_unique")] {
        let [plan] = &plans_of_newest(&wanted)[..] else {
            panic!("one query")
        };
        assert!(plan.contains(index), "{plan}");
    }
}

#[test]
fn the_days_budget_has_room_when_it_says_so_and_not_a_moment_sooner() {
    let mut db = ledger(2);
    let sent = "UPDATE session_reminder_deliveries SET status = 'sent', sent_at = '2026-11-22 1' || user_id || ':00:00'";
    db.batch_execute(sent).unwrap();
    let day = Day::read(&mut db, Channel::Mail, 2, now()).unwrap();
    let free = day.free.unwrap();
    assert_eq!(free.to_rfc3339(), "2026-11-23T11:00:00+00:00");
    for (milliseconds, room) in [(-1000, 0), (-1, 0), (0, 1), (700, 1)] {
        let then = free + Duration::milliseconds(milliseconds);
        let left = budget::of_the_day(&mut db, Channel::Mail, Some(2), then);
        assert_eq!(left.unwrap(), room, "{milliseconds}");
    }
}

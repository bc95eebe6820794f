use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use chrono::{DateTime, Utc};
use diesel::{
    Connection, SqliteConnection,
    connection::{InstrumentationEvent, SimpleConnection},
};

use super::{Channel, Scope, claim, record};
use crate::{
    db::Db,
    outcome::{Fault, Outcome},
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

/// How many statements it takes to claim and record that many rows, of which every third kind ends differently.
fn statements(rows: usize) -> usize {
    let mut db = ledger(rows);
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    db.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { .. } = event {
            counter.fetch_add(1, SeqCst);
        }
    });
    let waiting = claim::next_free(&mut db, Channel::Mail, &Scope::default(), rows, now()).unwrap();
    assert_eq!(waiting.len(), rows);
    let to = |row: claim::Row| (row, "budi@example.org".to_owned());
    let claims = claim::claim(
        &mut db,
        waiting.into_iter().map(to).collect(),
        "host:1:1",
        now(),
    )
    .unwrap();
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
    assert_eq!(record::record(&mut db, finished, now()).unwrap(), rows);
    count.load(SeqCst)
}

#[test]
fn a_batch_costs_the_same_number_of_statements_however_large_it_is() {
    let few = statements(3);
    assert_eq!(few, statements(60));
    assert_eq!(few, 5);
}

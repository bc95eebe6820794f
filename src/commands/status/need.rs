//! The messages that need a person, each with the command that helps.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use serde::Serialize;

use crate::{
    db::Db,
    ledger::{Channel, claim, delivery::Delivery, overview, status},
    pass::{Pass, again},
};

/// How many are shown.
const SHOWN: i64 = 10;

#[derive(Serialize)]
pub struct Need {
    pub count: i64,
    /// The newest of them.
    pub messages: Vec<Message>,
}

#[derive(Serialize)]
pub struct Message {
    #[serde(flatten)]
    pub entry: Delivery,
    pub command: String,
}

pub fn messages(db: &mut Db, pass: &Pass, since: DateTime<Utc>) -> QueryResult<Vec<Message>> {
    let entries = overview::in_need(db, pass.zone, since, SHOWN)?;
    let over = over(db, pass, &entries)?;
    let message = |entry: Delivery| Message {
        command: command(&entry, over.contains(&entry.id)),
        entry,
    };
    Ok(entries.into_iter().map(message).collect())
}

/// Those that nobody can send again: the session has begun, was moved or cancelled, or the person has left.
fn over(db: &mut Db, pass: &Pass, entries: &[Delivery]) -> QueryResult<HashSet<i64>> {
    let ids: Vec<i64> = entries.iter().map(|entry| entry.id).collect();
    let channel = |id| entries.iter().find(|entry| entry.id == id)?.channel();
    let rows: Vec<(Channel, claim::Row)> = claim::rows(db, &ids)?
        .into_iter()
        .filter_map(|row| Some((channel(row.id)?, row)))
        .collect();
    let refusals = again::refusals(db, pass, &rows, pass.clock.start())?;
    let over = refusals
        .into_iter()
        .filter(|(_, (ending, _))| *ending != status::FAILED);
    Ok(over.map(|(id, _)| id).collect())
}

/// The command that helps with a message.
fn command(entry: &Delivery, is_over: bool) -> String {
    let Delivery {
        id,
        session_id,
        user_id,
        ..
    } = entry;
    match (entry.status.as_str(), entry.error_code.as_deref()) {
        _ if is_over => format!("reminders explain {session_id} {user_id}"),
        (status::MISSED, _) => format!("reminders explain {session_id} {user_id}"),
        (_, Some("phone")) => {
            format!("reminders opt-in {user_id} --phone NUMBER && reminders retry {id}")
        }
        _ => format!("reminders retry {id}"),
    }
}

//! The messages that need a person, each with the command that helps.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use serde::Serialize;

use crate::{
    db::{AT_ONCE, Db},
    ledger::{Channel, delivery::Delivery, journal, overview, retry, status},
    pass::{Pass, again},
};

/// How many are shown.
const SHOWN: i64 = 10;

#[derive(Serialize)]
pub struct Need {
    pub count: i64,
    /// The newest of them; of those that are alike one.
    pub messages: Vec<Message>,
}

/// The newest of those of one session, channel and status that have the same reason.
#[derive(Serialize)]
pub struct Message {
    #[serde(flatten)]
    pub entry: Delivery,
    /// How many they are.
    pub alike: i64,
    pub command: String,
}

pub fn messages(db: &mut Db, pass: &Pass, since: DateTime<Utc>) -> QueryResult<Vec<Message>> {
    let newest = overview::in_need(db, pass.zone, since, SHOWN)?;
    let ids: Vec<i64> = newest.iter().map(|(id, _)| *id).collect();
    let entries = journal::of(db, &ids)?;
    let over = again::over(db, pass, &entries, pass.clock.start())?;
    let mut entries: HashMap<i64, Delivery> =
        entries.into_iter().map(|entry| (entry.id, entry)).collect();
    let mut messages = Vec::new();
    for (id, alike) in newest {
        let Some(entry) = entries.remove(&id) else {
            continue;
        };
        let command = match alike {
            1 => command(&entry, over.contains_key(&id)),
            _ => command_for_all(db, pass, &entry)?,
        };
        messages.push(Message {
            entry,
            alike,
            command,
        });
    }
    Ok(messages)
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
        // Where to look comes before sending it once more. (Of a WhatsApp message a retry looks itself.)
        (status::UNKNOWN, _) if entry.is_of(Channel::Mail) => {
            format!("reminders explain {session_id} {user_id}")
        }
        (_, Some("phone")) => {
            format!("reminders opt-in {user_id} --phone NUMBER && reminders retry {id}")
        }
        _ => format!("reminders retry {id}"),
    }
}

/// The same of several; that of those of which each needs something else has their ids.
fn command_for_all(db: &mut Db, pass: &Pass, entry: &Delivery) -> QueryResult<String> {
    let (session, status) = (entry.session_id, entry.status.as_str());
    let log = format!("reminders log --session {session} --status {status}");
    let report = format!("reminders report {session}");
    Ok(match (status, entry.error_code.as_deref()) {
        (status::MISSED, _) => report,
        (status::FAILED, _) if !is_any_left(db, pass, session)? => report,
        (status::FAILED, Some("phone")) => log,
        (status::FAILED, _) => format!("reminders retry --failed --session {session}"),
        _ => log,
    })
}

/// Whether anything that has failed of a session can be sent again.
fn is_any_left(db: &mut Db, pass: &Pass, session: i64) -> QueryResult<bool> {
    let now = pass.clock.start();
    let failed = retry::candidates(db, Some(session), false, pass.zone.wall(now))?;
    for ids in failed.chunks(AT_ONCE) {
        let entries = journal::of(db, ids)?;
        if again::over(db, pass, &entries, now)?.len() < entries.len() {
            return Ok(true);
        }
    }
    Ok(false)
}

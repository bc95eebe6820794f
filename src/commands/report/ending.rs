//! Rows that wait, and that the next pass ends without sending them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::QueryResult;

use super::{people::People, reach::State};
use crate::{
    db::{AT_ONCE, Db},
    ledger::{
        Channel,
        claim::{self, Row},
        status,
    },
    pass::{Pass, again, take::Ending},
};

/// How a row ends that waits.
pub struct End {
    pub state: State,
    pub code: String,
    pub why: String,
}

/// How the next pass ends them, by their ids.
pub fn all(
    db: &mut Db,
    pass: &Pass,
    people: &People,
    now: DateTime<Utc>,
) -> QueryResult<HashMap<i64, End>> {
    let waiting: HashMap<i64, Channel> = people
        .deliveries()
        .filter(|row| row.status == status::PENDING)
        .filter_map(|row| Some((row.id, row.channel()?)))
        .collect();
    let ids: Vec<i64> = waiting.keys().copied().collect();
    let mut ended = HashMap::new();
    for ids in ids.chunks(AT_ONCE) {
        let rows: Vec<(Channel, Row)> = claim::rows(db, ids)?
            .into_iter()
            .filter_map(|row| Some((*waiting.get(&row.id)?, row)))
            .collect();
        let refusals = again::refusals(db, pass, &rows, now)?;
        let end = |(channel, row): &(Channel, Row)| {
            let refused = refusals.get(&row.id).map(|ending| refused(row, ending));
            let off = pass.off(*channel);
            let off = off.map(|why| switched_off(row, *channel, why));
            Some((row.id, refused.or(off)?))
        };
        ended.extend(rows.iter().filter_map(end));
    }
    Ok(ended)
}

fn refused(row: &Row, (ending, fault): &Ending) -> End {
    let state = match *ending {
        status::CANCELLED => State::Cancelled,
        status::MISSED => State::Missed,
        _ => State::NotSent,
    };
    End {
        state: unless_in_doubt(row, state),
        code: fault.code.clone(),
        why: fault.to_string(),
    }
}

fn switched_off(row: &Row, channel: Channel, why: &str) -> End {
    End {
        state: unless_in_doubt(row, State::NotSent),
        code: String::new(),
        why: format!("{} is off ({why})", channel.name()),
    }
}

/// Of what an earlier attempt may have brought, nobody can tell.
fn unless_in_doubt(row: &Row, state: State) -> State {
    match row.in_doubt_since() {
        Some(_) => State::Perhaps,
        None => state,
    }
}

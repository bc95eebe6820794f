//! Whether a pass would deliver rows again that somebody wants to be delivered.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::QueryResult;

use super::{
    Pass, roster,
    take::{self, Ending},
};
use crate::{
    db::Db,
    ledger::{
        self, Channel, TOO_LATE,
        claim::{self, Row},
        close::LAST_MOMENT,
        delivery::Delivery,
        status,
    },
    outcome::Fault,
};

/// How a pass would end those that it does not deliver, and why, by their ids.
pub fn refusals(
    db: &mut Db,
    pass: &Pass,
    rows: &[(Channel, Row)],
    now: DateTime<Utc>,
) -> QueryResult<HashMap<i64, Ending>> {
    let plain: Vec<Row> = rows.iter().map(|(_, row)| row.clone()).collect();
    let people = roster::people(db, &plain)?;
    let opted_out = ledger::opted_out(db)?;
    let refusal = |(channel, row): &(Channel, Row)| {
        let stopped = *channel == Channel::Whatsapp && opted_out.contains(&row.user_id);
        if stopped {
            let fault = Fault::new("opted_out", "has told WhatsApp to stop");
            return Some((row.id, (status::FAILED, fault)));
        }
        let start = pass.zone.parse(&row.scheduled_at);
        if start.is_some_and(|start| start - now < LAST_MOMENT) {
            let reason = "the session has started, or starts within a minute";
            return Some((row.id, (status::MISSED, Fault::new(TOO_LATE, reason))));
        }
        let found = people.get(&(row.session_id, row.user_id));
        let refused = take::ready(row, found, *channel, pass, now).err();
        refused.map(|ending| (row.id, ending))
    };
    Ok(rows.iter().filter_map(refusal).collect())
}

/// Those that nobody can send again, and why: the session has begun, was moved or cancelled, or the person has left.
pub fn over(
    db: &mut Db,
    pass: &Pass,
    entries: &[Delivery],
    now: DateTime<Utc>,
) -> QueryResult<HashMap<i64, Fault>> {
    let ids: Vec<i64> = entries.iter().map(|entry| entry.id).collect();
    let channel = |id| entries.iter().find(|entry| entry.id == id)?.channel();
    let rows: Vec<(Channel, Row)> = claim::rows(db, &ids)?
        .into_iter()
        .filter_map(|row| Some((channel(row.id)?, row)))
        .collect();
    let refusals = refusals(db, pass, &rows, now)?.into_iter();
    let over = refusals.filter(|(_, (ending, _))| *ending != status::FAILED);
    Ok(over.map(|(id, (_, fault))| (id, fault)).collect())
}

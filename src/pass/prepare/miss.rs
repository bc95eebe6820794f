//! What can no longer be told.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use log::Level;

use crate::{
    db::Db,
    ledger::{
        WINDOW_PASSED, close,
        delivery::meaning,
        enqueue::{self, Due},
    },
    pass::{Pass, summary::Channels, take},
    platform,
};

/// Sessions nobody was told of in time, and rows whose session begins.
pub fn all(
    db: &mut Db,
    pass: &Pass,
    passed: Vec<Due>,
    now: DateTime<Utc>,
    brought: &mut Channels,
) -> QueryResult<()> {
    for passed in passed {
        let mut why = None;
        for channel in pass.channels() {
            let missed = enqueue::insert_missed(db, &passed, channel, now)?;
            brought.of(channel).missed += missed;
            if let (true, Some(session)) = (missed > 0, passed.session) {
                let why = match &why {
                    Some(why) => why,
                    None => why.insert(why_missed(db, pass, session)?),
                };
                let text = format!(
                    "{}: {missed} missed for session {session}: {why}",
                    channel.name()
                );
                brought.of(channel).note(Level::Error, text);
            }
        }
    }
    for channel in pass.looked_after() {
        let gone = take::cancel_gone(db, pass, channel, now)?;
        brought.of(channel).add(gone);
        let (missed, unknown) = close::miss_started(db, channel, &pass.scope, pass.zone, now)?;
        brought.of(channel).missed += missed;
        brought.of(channel).unknown += unknown;
        if missed > 0 {
            let text = format!("{}: {missed} missed: their session begins", channel.name());
            brought.of(channel).note(Level::Error, text);
        }
    }
    Ok(())
}

fn why_missed(db: &mut Db, pass: &Pass, session: i64) -> QueryResult<String> {
    let start = platform::start_of(db, session)?;
    let no_time = start.filter(|start| pass.zone.parse(start).is_none());
    Ok(match no_time {
        Some(digits) => take::no_time(&digits).reason,
        None => meaning(WINDOW_PASSED).into(),
    })
}

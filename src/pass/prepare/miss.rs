//! What can no longer be told.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use log::Level;

use crate::{
    db::Db,
    ledger::{
        TOO_LATE, WINDOW_PASSED, close,
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
        let Some(session) = passed.session else {
            continue;
        };
        let why = why_unread(db, pass, session)?;
        for channel in pass.channels() {
            let missed = enqueue::insert_missed(db, &passed, channel, why.as_deref(), now)?;
            brought.of(channel).missed += missed;
            if missed > 0 {
                let why = why.as_deref().unwrap_or(meaning(WINDOW_PASSED));
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
        let why = pass.silent(channel);
        let why = why.map(|why| format!("{}: {why}", meaning(TOO_LATE)));
        let (missed, unknown) =
            close::miss_started(db, channel, &pass.scope, why.as_deref(), pass.zone, now)?;
        brought.of(channel).missed += missed;
        brought.of(channel).unknown += unknown;
        if missed > 0 {
            let text = format!("{}: {missed} missed: their session begins", channel.name());
            brought.of(channel).note(Level::Error, text);
        }
    }
    Ok(())
}

/// What is wrong with a start that no pass could read.
fn why_unread(db: &mut Db, pass: &Pass, session: i64) -> QueryResult<Option<String>> {
    let start = platform::start_of(db, session)?;
    let no_time = start.filter(|start| pass.zone.parse(start).is_none());
    Ok(no_time.map(|digits| take::no_time(&digits).reason))
}

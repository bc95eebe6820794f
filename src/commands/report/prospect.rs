//! What becomes of a message that is still to be sent.

use super::{people::About, place::Place, reach::State, wait};
use crate::{
    ledger::{Channel, delivery::Delivery},
    pass::{line, take::LEFT},
    platform::Participant,
};

/// What it comes to, and what is in its way.
pub type Prospect = (State, Option<String>);

/// Of a row that waits, what the next pass makes of it.
pub fn of_waiting(
    row: &Delivery,
    channel: Channel,
    listed: Option<&Participant>,
    about: &About,
) -> Prospect {
    if let Some(end) = about.outlook.end(row) {
        return (
            end.state,
            why(&end.code, Some(end.why.clone()), listed, about),
        );
    }
    let now = about.pass.clock.start();
    let wait = about.outlook.waits.of_row(row, channel, now);
    match wait.zip(about.start()) {
        Some((wait, start)) => wait::prospect(&wait, State::Waiting, start, about.pass.zone),
        None => (State::Waiting, row.fault()),
    }
}

/// Of a reminder, or a correction, that has no row yet; `None` where this program makes none any more.
pub fn of_reminder(to: &Participant, channel: Channel, about: &About) -> Option<Prospect> {
    let (pass, start) = (about.pass, about.start()?);
    let now = pass.clock.start();
    let by_laravel = pass.legacy_window().filter(|_| about.by_laravel);
    let mut windows = pass.windows().into_iter().rev();
    let last = windows.find(|one| Some(*one) != by_laravel && one.closes(start) >= now);
    let then = match about.outlook.is_owed(channel, to.user_id) {
        true => now,
        false => last?.opens(start).max(now),
    };
    if let Err(fault) = line::recipient(channel, to, pass.config) {
        return Some((State::NotSent, Some(fault.to_string())));
    }
    let wait = about.outlook.waits.of(channel, then);
    let prospect = |wait| wait::prospect(&wait, State::NotYet, start, pass.zone);
    Some(wait.map_or((State::NotYet, None), prospect))
}

/// Of a reminder of which this program makes none any more. Whom it could not reach Laravel has not reached either.
pub fn of_nothing(to: &Participant, channel: Channel, about: &About) -> Prospect {
    match line::recipient(channel, to, about.pass.config) {
        _ if !about.by_laravel => (State::NotTold, None),
        Ok(_) => (State::ByLaravel, None),
        Err(fault) => (State::NotSent, Some(fault.to_string())),
    }
}

/// The ledger does not know whether the person is gone or the session: in its place, what is known of that now. (That
/// the person is, the note says.)
pub fn why(
    code: &str,
    said: Option<String>,
    listed: Option<&Participant>,
    about: &About,
) -> Option<String> {
    match (&about.place, listed) {
        _ if code != LEFT => said,
        (Place::Not { why, .. }, None) => Some(why.clone()),
        (Place::Taken, None) => None,
        _ => said,
    }
}

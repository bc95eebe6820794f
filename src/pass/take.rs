//! Taking the next rows: each is held against what the platform says now, and becomes a job or comes to its end.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use log::{error, info};

use super::{
    Pass,
    line::{self, Doubt, Job},
    roster::{self, Roster},
    summary::Tally,
};
use crate::{
    db::{AT_ONCE, Db},
    ledger::{
        Channel,
        claim::{self, Row},
        close::LAST_MOMENT,
        status,
    },
    outcome::Fault,
    platform::Participant,
    text,
};

/// What came of looking at the next rows.
#[derive(Default)]
pub struct Taken {
    pub jobs: Vec<Job>,
    /// Rows that came to their end without a delivery.
    pub tally: Tally,
}

/// Why a row is not delivered: the status it ends in, and the reason.
type Ending = (&'static str, Fault);

/// Claims up to `room` rows, nearest start first. To be called in a transaction.
pub fn jobs(
    db: &mut Db,
    pass: &Pass,
    channel: Channel,
    roster: &mut Roster,
    room: usize,
    now: DateTime<Utc>,
) -> QueryResult<Taken> {
    let mut taken = Taken::default();
    while taken.jobs.len() < room {
        let rows = claim::next(db, channel, &pass.scope, room - taken.jobs.len(), now)?;
        if rows.is_empty() {
            break;
        }
        let next = |db: &mut Db| claim::next(db, channel, &pass.scope, AT_ONCE, now);
        roster.look(db, &rows, next)?;
        for row in rows {
            match ready(&row, roster.find(&row), channel, pass, now) {
                Ok((participant, start, recipient)) => {
                    let doubt = doubt(db, &row, channel, pass)?;
                    let claim = claim::claim(db, row, &pass.claimant, recipient, now)?;
                    taken.jobs.push(Job {
                        claim,
                        doubt,
                        participant,
                        start,
                    });
                }
                Err(ending) => end(db, &row, channel, ending, now, &mut taken.tally)?,
            }
        }
    }
    Ok(taken)
}

/// What there is to know of a WhatsApp message that may have been taken; a mail is known by its Message-ID.
fn doubt(db: &mut Db, row: &Row, channel: Channel, pass: &Pass) -> QueryResult<Option<Doubt>> {
    let (Some(since), Some(recipient)) = (row.in_doubt_since(), row.former_recipient()) else {
        return Ok(None);
    };
    if channel == Channel::Mail {
        return Ok(None);
    }
    Ok(Some(Doubt {
        since: pass.clock.on_host(since),
        recipient: recipient.to_owned(),
        known: claim::message_ids(db, channel, recipient)?,
    }))
}

/// Cancels what waits for a start that has come but is no longer this participant's: nobody has missed it. To be called
/// in a transaction, before the others become `missed`.
pub fn cancel_gone(
    db: &mut Db,
    pass: &Pass,
    channel: Channel,
    now: DateTime<Utc>,
) -> QueryResult<Tally> {
    let mut tally = Tally::default();
    for rows in claim::too_late(db, channel, &pass.scope, pass.zone, now)?.chunks(AT_ONCE) {
        let people = roster::people(db, rows)?;
        for row in rows {
            let found = people.get(&(row.session_id, row.user_id));
            if let Err(ending @ (status::CANCELLED, _)) = ready(row, found, channel, pass, now) {
                end(db, row, channel, ending, now, &mut tally)?;
            }
        }
    }
    Ok(tally)
}

/// Whether a row may still be delivered, and where to.
pub fn ready(
    row: &Row,
    found: Option<&Participant>,
    channel: Channel,
    pass: &Pass,
    now: DateTime<Utc>,
) -> Result<(Participant, DateTime<Utc>, String), Ending> {
    let cancelled = |code: &str, reason: String| (status::CANCELLED, Fault::new(code, reason));
    let Some(participant) = found else {
        return Err(cancelled(
            "left",
            "no longer a participant, or the session was cancelled".into(),
        ));
    };
    if participant.scheduled_at != row.scheduled_at {
        return Err(cancelled(
            "moved",
            format!(
                "the session was moved to {}",
                text::one_line(&participant.scheduled_at, 30)
            ),
        ));
    }
    if channel == Channel::Whatsapp && !participant.opted_in() {
        return Err(cancelled(
            "opted_out",
            "no longer wants WhatsApp messages".into(),
        ));
    }
    let Some(start) = pass.zone.parse(&row.scheduled_at) else {
        return Err((status::FAILED, no_time(&row.scheduled_at)));
    };
    if start - now < LAST_MOMENT {
        return Err((status::MISSED, Fault::new("too_late", "the session begins")));
    }
    let recipient = line::recipient(channel, participant, pass.config)
        .map_err(|fault| (status::FAILED, fault))?;
    Ok((participant.clone(), start, recipient))
}

/// What is wrong with a start that nobody can read.
pub fn no_time(digits: &str) -> Fault {
    let shown = text::cut(digits, 30);
    Fault::new(
        "scheduled_at",
        format!("the start {shown:?} is no time: correct it in the session's record"),
    )
}

fn end(
    db: &mut Db,
    row: &Row,
    channel: Channel,
    (ending, fault): Ending,
    now: DateTime<Utc>,
    tally: &mut Tally,
) -> QueryResult<()> {
    // Whatever keeps it from being delivered now, an earlier attempt may have arrived.
    let ending = match row.in_doubt_since() {
        Some(_) => status::UNKNOWN,
        None => ending,
    };
    claim::end(db, row, ending, &fault, now)?;
    let what = format!(
        "{} for session {}, user {}",
        channel.name(),
        row.session_id,
        row.user_id
    );
    match ending {
        status::CANCELLED => {
            tally.cancelled += 1;
            info!("{what} is cancelled: {fault}");
        }
        status::MISSED => {
            tally.missed += 1;
            error!("{what} was missed: {fault}");
        }
        status::UNKNOWN => {
            tally.unknown += 1;
            error!("{what} may have been sent, and is not tried again: {fault}");
        }
        _ => {
            tally.failed += 1;
            error!("{what} failed: {fault}");
        }
    }
    Ok(())
}

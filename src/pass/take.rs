//! Taking the next rows: each is held against what the platform says now, and becomes a job or comes to its end.

use std::sync::OnceLock;

use chrono::{DateTime, Duration, Utc};
use diesel::QueryResult;
use log::Level;

use super::{
    Pass,
    line::{self, Doubt, Job},
    roster::{self, Roster, Says},
    summary::Tally,
};
use crate::{
    db::{AT_ONCE, Db},
    gate::Gate,
    ledger::{
        Channel, Kind,
        claim::{self, Row},
        close::LAST_MOMENT,
        correct::told::{self, Told},
        known, status,
    },
    message::News,
    outcome::{Fault, Outcome},
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

/// The code of what is cancelled because its participant is no longer in the view.
pub const LEFT: &str = "left";

/// Why a row is not delivered: the status it ends in, and the reason.
pub type Ending = (&'static str, Fault);

/// Who gets it, when the session starts, and where it goes.
type Ready = (Participant, DateTime<Utc>, String);

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
        let wanted = room - taken.jobs.len();
        let rows = claim::next_free(db, channel, &pass.scope, wanted, now)?;
        let all = rows.len() < wanted;
        if rows.is_empty() {
            break;
        }
        let next = |db: &mut Db| claim::next(db, channel, &pass.scope, AT_ONCE, now);
        roster.look(db, &rows, next)?;
        let (mut ready_rows, mut people, mut endings) =
            (Vec::new(), Vec::new(), Endings::default());
        for row in rows {
            let says = roster.find(&row);
            let found = match ready(&row, says, channel, pass, now) {
                Ok(found) => Ok((found, None)),
                Err(ending) => match asked_about(&row, says, channel, pass) {
                    Some(found) => Ok((found, Some(outcome(ending)))),
                    None => Err(ending),
                },
            };
            match found {
                Ok(((participant, start, recipient), otherwise)) => {
                    let doubt = doubt(db, &row, channel, pass)?;
                    ready_rows.push((row, recipient));
                    people.push((participant, start, doubt, otherwise));
                }
                Err(ending) => endings.add(row, ending),
            }
        }
        let rows: Vec<&Row> = ready_rows.iter().map(|(row, _)| row).collect();
        let told = told::before(db, channel, &rows)?;
        let claims = claim::claim(db, ready_rows, &pass.claimant, now)?;
        let jobs = claims.into_iter().zip(people).zip(told);
        taken.jobs.extend(
            jobs.map(
                |((claim, (participant, start, doubt, otherwise)), told)| Job {
                    otherwise,
                    news: news(&claim.row, told.as_ref(), pass),
                    corrects: told.and_then(|told| told.message_id),
                    claim,
                    doubt,
                    participant,
                    start,
                    gate: Gate::default(),
                    begun: OnceLock::new(),
                },
            ),
        );
        endings.write(db, channel, now, &mut taken.tally)?;
        if all {
            break;
        }
    }
    Ok(taken)
}

/// What a row tells those who were told something else.
fn news(row: &Row, told: Option<&Told>, pass: &Pass) -> News {
    let old_start = || pass.zone.parse(told?.start()?);
    match row.kind() {
        Kind::Reminder => News::Reminder,
        Kind::Moved => News::Moved { from: old_start() },
        Kind::Cancelled => News::Cancelled,
    }
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
        // Redirected, everybody's messages go to one number: those of this row's number alone would not do.
        known: known::message_ids(db, channel, recipient, since - Duration::minutes(2))?,
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
        let mut endings = Endings::default();
        for row in rows {
            let found = people.get(&(row.session_id, row.user_id));
            if let Err(ending @ (status::CANCELLED, _)) = ready(row, found, channel, pass, now) {
                endings.add(row.clone(), ending);
            }
        }
        endings.write(db, channel, now, &mut tally)?;
    }
    Ok(tally)
}

/// Whether a row may still be delivered, and where to.
pub fn ready(
    row: &Row,
    found: Option<&Says>,
    channel: Channel,
    pass: &Pass,
    now: DateTime<Utc>,
) -> Result<Ready, Ending> {
    let participant = still_true(row, found)?;
    if channel == Channel::Whatsapp && !participant.opted_in() {
        return Err(cancelled("opted_out", "no longer wants WhatsApp messages"));
    }
    let Some(start) = pass.zone.parse(&row.scheduled_at) else {
        return Err((status::FAILED, no_time(&row.scheduled_at)));
    };
    // Of a message in doubt Twilio knows also after the start.
    let may_be_known = channel == Channel::Whatsapp && row.in_doubt_since().is_some();
    if start - now < LAST_MOMENT && !may_be_known {
        return Err((status::MISSED, Fault::new("too_late", "the session begins")));
    }
    let recipient = line::recipient(channel, participant, pass.config)
        .map_err(|fault| (status::FAILED, fault))?;
    Ok((participant.clone(), start, recipient))
}

/// A message in doubt that is not to be sent any more is still looked for at Twilio: who has it has been told. As
/// [`ready`]; `None` where it cannot be known by its words.
fn asked_about(row: &Row, found: Option<&Says>, channel: Channel, pass: &Pass) -> Option<Ready> {
    let doubt = channel == Channel::Whatsapp && row.in_doubt_since().is_some();
    let recipient = row.former_recipient().filter(|_| doubt)?;
    let (Says::TakesPart(participant) | Says::InVain(participant)) = found?;
    let start = pass.zone.parse(&row.scheduled_at)?;
    Some((participant.clone(), start, recipient.to_owned()))
}

/// How a row ends whose message Twilio has not got.
fn outcome((status, fault): Ending) -> Outcome {
    match status {
        status::CANCELLED => Outcome::Cancelled(fault),
        status::MISSED => Outcome::Missed(fault),
        _ => Outcome::Failed(fault),
    }
}

/// Whether what a row says is still so, and of whom.
fn still_true<'a>(row: &Row, found: Option<&'a Says>) -> Result<&'a Participant, Ending> {
    match (row.kind(), found) {
        (Kind::Reminder | Kind::Moved, Some(Says::TakesPart(participant))) => {
            if participant.scheduled_at == row.scheduled_at {
                return Ok(participant);
            }
            let start = text::one_line(&participant.scheduled_at, 30);
            let reason = format!("the session was moved to {start}");
            Err(cancelled("moved", reason))
        }
        (Kind::Cancelled, Some(Says::InVain(participant))) => Ok(participant),
        (Kind::Cancelled, Some(Says::TakesPart(_))) => {
            Err(cancelled("restored", "the session takes place again"))
        }
        _ => Err(cancelled(
            LEFT,
            "no longer a participant, or the session was cancelled",
        )),
    }
}

fn cancelled(code: &str, reason: impl AsRef<str>) -> Ending {
    (status::CANCELLED, Fault::new(code, reason))
}

/// What is wrong with a start that nobody can read.
pub fn no_time(digits: &str) -> Fault {
    let shown = text::cut(digits, 30);
    Fault::new(
        "scheduled_at",
        format!(
            "the start {shown:?} is no time as in 2026-11-23 17:00:00: correct it in the session's record"
        ),
    )
}

/// Rows that come to their end, those with the same ending together.
#[derive(Default)]
struct Endings(Vec<(Ending, Vec<Row>)>);

impl Endings {
    fn add(&mut self, row: Row, (ending, fault): Ending) {
        // Whatever keeps it from being delivered now, an earlier attempt may have arrived.
        let ending = match row.in_doubt_since() {
            Some(_) => (status::UNKNOWN, fault),
            None => (ending, fault),
        };
        match self.0.iter_mut().find(|(other, _)| *other == ending) {
            Some((_, rows)) => rows.push(row),
            None => self.0.push((ending, vec![row])),
        }
    }

    fn write(
        self,
        db: &mut Db,
        channel: Channel,
        now: DateTime<Utc>,
        tally: &mut Tally,
    ) -> QueryResult<()> {
        for ((ending, fault), rows) in self.0 {
            let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
            let ended = claim::end(db, &ids, ending, &fault, now)?;
            // Another host may have ended some of them a moment ago, and says so itself.
            for row in rows.iter().take(ended) {
                note(tally, row, channel, ending, &fault);
            }
        }
        Ok(())
    }
}

fn note(tally: &mut Tally, row: &Row, channel: Channel, ending: &str, fault: &Fault) {
    let what = format!(
        "{} for session {}, user {}",
        channel.name(),
        row.session_id,
        row.user_id
    );
    let (count, level, words) = match ending {
        status::CANCELLED => (&mut tally.cancelled, Level::Info, "is cancelled"),
        status::MISSED => (&mut tally.missed, Level::Error, "was missed"),
        status::UNKNOWN => {
            let words = "may have been sent, and is not tried again";
            (&mut tally.unknown, Level::Error, words)
        }
        _ => (&mut tally.failed, Level::Error, "failed"),
    };
    *count += 1;
    tally.note(level, format!("{what} {words}: {fault}"));
}

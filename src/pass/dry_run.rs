//! What a pass would do now, without doing it.

mod corrected;
mod narrow;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use serde::Serialize;

use self::corrected::Corrected;
use super::{
    Pass, due, line, roster,
    summary::Summary,
    take,
    wait::{Wait, Waits},
    window::Window,
};
use crate::{
    db::{AT_ONCE, Db},
    ledger::{self, Channel, Kind, Standing, claim, enqueue::Due},
    platform::{self, Participant},
};

/// Why nothing is sent on a channel with wrong settings.
const BROKEN: &str = "waits: the channel's settings are wrong";

/// What becomes of a row whose pass died and that is not sent again.
const LOST: &str = "unknown: may have been sent by a pass that died, and is not sent again";

/// One message that would be sent.
#[derive(Debug, Serialize)]
pub struct Planned {
    pub session_id: i64,
    pub user_id: i64,
    pub channel: &'static str,
    /// Of a correction: `moved` or `cancelled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    pub to: String,
    pub scheduled_at: String,
}

/// One message that would not be sent, and why.
#[derive(Debug, Serialize)]
pub struct Skipped {
    pub session_id: i64,
    pub user_id: i64,
    pub channel: &'static str,
    pub scheduled_at: String,
    pub reason: String,
}

/// Who would get what, and who would not.
#[derive(Debug, Default, Serialize)]
pub struct Plan {
    pub reminders: Vec<Planned>,
    pub skipped: Vec<Skipped>,
    /// The channels that wait after they broke down, and why.
    #[serde(skip)]
    pub held: Vec<(Channel, String)>,
}

/// What `send --dry-run --format json` prints.
#[derive(Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub summary: Summary,
    #[serde(flatten)]
    pub plan: Plan,
}

impl Plan {
    /// Why nothing is sent on a channel, whatever is due there.
    fn stopped(&self, channel: Channel, pass: &Pass) -> Option<String> {
        let held = self.held.iter().find(|(held, _)| *held == channel);
        match held {
            _ if pass.is_broken(channel) => Some(BROKEN.into()),
            Some((_, why)) => Some(format!("waits: {why}")),
            None => None,
        }
    }

    fn add(
        &mut self,
        (session_id, user_id): (i64, i64),
        scheduled_at: &str,
        channel: Channel,
        kind: Kind,
        decision: Result<String, String>,
    ) {
        let (channel, scheduled_at) = (channel.name(), scheduled_at.to_owned());
        match decision {
            Ok(to) => self.reminders.push(Planned {
                session_id,
                user_id,
                channel,
                kind: (kind != Kind::Reminder).then_some(kind.name()),
                to,
                scheduled_at,
            }),
            Err(reason) => self.skipped.push(Skipped {
                session_id,
                user_id,
                channel,
                scheduled_at,
                reason,
            }),
        }
    }
}

/// Looks at everybody in the windows, and at what waits to be tried again. Reads only.
pub fn plan(db: &mut Db, pass: &Pass, limit: Option<usize>) -> QueryResult<Plan> {
    let now = pass.clock.now();
    let waits = Waits::read(db, pass, now)?;
    let held = |channel| {
        Some((
            channel,
            Wait::Hold(waits.hold(channel)?).describe(pass.zone),
        ))
    };
    let mut plan = Plan {
        held: pass.channels().into_iter().filter_map(held).collect(),
        ..Plan::default()
    };
    for channel in pass.channels() {
        waiting(db, pass, channel, now, &mut plan)?;
    }
    let corrected = Corrected::plan(db, pass, now, &mut plan)?;
    for window in pass.windows() {
        due(db, pass, &window, &corrected, now, &mut plan)?;
    }
    plan.nearest_first();
    if let Some(day) = waits.budget() {
        plan.spend(day);
    }
    plan.cut(limit.unwrap_or(usize::MAX));
    Ok(plan)
}

/// Rows that an earlier pass has left to be delivered.
fn waiting(
    db: &mut Db,
    pass: &Pass,
    channel: Channel,
    now: DateTime<Utc>,
    plan: &mut Plan,
) -> QueryResult<()> {
    let doubt = (pass.config.reminder.in_doubt, pass.zone);
    let (again, lost) = claim::lost(db, channel, &pass.scope, doubt, now)?;
    let rows = [
        claim::next(db, channel, &pass.scope, usize::MAX, now)?,
        again,
    ];
    let rows = rows.concat();
    let stopped = plan.stopped(channel, pass);
    for rows in rows.chunks(AT_ONCE) {
        let people = roster::people(db, rows)?;
        for row in rows {
            let found = people.get(&(row.session_id, row.user_id));
            let decision = match take::ready(row, found, channel, pass, now) {
                Ok((_, _, recipient)) => stopped.clone().map_or(Ok(recipient), Err),
                Err((ending, fault)) => Err(format!("{ending}: {fault}")),
            };
            plan.add(
                (row.session_id, row.user_id),
                &row.scheduled_at,
                channel,
                row.kind(),
                decision,
            );
        }
    }
    for row in lost {
        let (key, start) = ((row.session_id, row.user_id), &row.scheduled_at);
        plan.add(key, start, channel, row.kind(), Err(LOST.into()));
    }
    Ok(())
}

/// Participants whose reminder is due and has no row yet.
fn due(
    db: &mut Db,
    pass: &Pass,
    window: &Window,
    corrected: &Corrected,
    now: DateTime<Utc>,
    plan: &mut Plan,
) -> QueryResult<()> {
    let due = due::of(db, pass, window, now)?;
    let participants = platform::participants_in(db, &due.walls, due.session)?;
    let sessions: HashSet<i64> = participants.iter().map(|to| to.session_id).collect();
    for channel in pass.channels() {
        let rows = Rows::read(db, channel, sessions.iter().copied().collect())?;
        let stopped = plan.stopped(channel, pass);
        for to in &participants {
            if corrected.replaces(to, channel, window, now) {
                continue;
            }
            let decision = match rows.standing(to, &due) {
                Some(row) if row.is_taken_up(now) => continue,
                standing => decide(channel, to, standing, &due, stopped.as_deref(), pass),
            };
            let participant = (to.session_id, to.user_id);
            let start = &to.scheduled_at;
            plan.add(participant, start, channel, Kind::Reminder, decision);
        }
    }
    Ok(())
}

/// The rows that stand for the reminders of some sessions on one channel.
struct Rows(HashMap<(i64, i64), Vec<Standing>>);

impl Rows {
    fn read(db: &mut Db, channel: Channel, sessions: Vec<i64>) -> QueryResult<Self> {
        let mut rows: HashMap<_, Vec<Standing>> = HashMap::new();
        for row in ledger::standing(db, channel, sessions)? {
            let participant = (row.session_id, row.user_id);
            rows.entry(participant).or_default().push(row);
        }
        Ok(Self(rows))
    }

    /// The row that keeps this reminder from being made again.
    fn standing(&self, to: &Participant, due: &Due) -> Option<&Standing> {
        let rows = self.0.get(&(to.session_id, to.user_id))?;
        rows.iter()
            .find(|row| row.is_of(&to.scheduled_at, due.lead_minutes, due.near_minutes))
    }
}

fn decide(
    channel: Channel,
    to: &Participant,
    standing: Option<&Standing>,
    due: &Due,
    stopped: Option<&str>,
    pass: &Pass,
) -> Result<String, String> {
    if channel == Channel::Whatsapp && !to.opted_in() {
        return Err("has not opted in".into());
    }
    if channel == Channel::Whatsapp && due.opted_out.contains(&to.user_id) {
        return Err("has told WhatsApp to stop".into());
    }
    if due.skip.contains(&to.session_id) {
        return Err("Laravel has reminded of this session".into());
    }
    match (standing, stopped) {
        (Some(row), _) => Err(row.describe(pass.zone)),
        (None, Some(why)) => Err(why.into()),
        (None, None) => recipient(channel, to, pass),
    }
}

fn recipient(channel: Channel, to: &Participant, pass: &Pass) -> Result<String, String> {
    if pass.zone.parse(&to.scheduled_at).is_none() {
        return Err(take::no_time(&to.scheduled_at).to_string());
    }
    line::recipient(channel, to, pass.config).map_err(|fault| fault.to_string())
}

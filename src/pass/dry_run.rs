//! What a pass would do now, without doing it.

mod corrected;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use serde::Serialize;

use self::corrected::Corrected;
use super::{Pass, due, line, roster, summary::Summary, take, window::Window};
use crate::{
    db::{AT_ONCE, Db},
    ledger::{self, Channel, Kind, Standing, claim, enqueue::Due, status},
    platform::{self, Participant},
};

/// Why nothing is sent on a channel with wrong settings.
const BROKEN: &str = "waits: the channel's settings are wrong";

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

    /// `--limit`: the first ones only.
    fn cut(&mut self, limit: usize) {
        let beyond = self.reminders.drain(limit.min(self.reminders.len())..);
        self.skipped.extend(beyond.map(|one| Skipped {
            session_id: one.session_id,
            user_id: one.user_id,
            channel: one.channel,
            scheduled_at: one.scheduled_at,
            reason: format!("beyond --limit {limit}"),
        }));
    }
}

/// Looks at everybody in the windows, and at what waits to be tried again. Reads only.
pub fn plan(db: &mut Db, pass: &Pass, limit: Option<usize>) -> QueryResult<Plan> {
    let now = pass.clock.now();
    let mut plan = Plan::default();
    for channel in pass.channels() {
        waiting(db, pass, channel, now, &mut plan)?;
    }
    let corrected = Corrected::plan(db, pass, now, &mut plan)?;
    for window in pass.windows() {
        due(db, pass, &window, &corrected, now, &mut plan)?;
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
    let rows = claim::next(db, channel, &pass.scope, usize::MAX, now)?;
    for rows in rows.chunks(AT_ONCE) {
        let people = roster::people(db, rows)?;
        for row in rows {
            let found = people.get(&(row.session_id, row.user_id));
            let decision = match take::ready(row, found, channel, pass, now) {
                Ok(_) if pass.is_broken(channel) => Err(BROKEN.into()),
                Ok((_, _, recipient)) => Ok(recipient),
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
        for to in &participants {
            if corrected.replaces(to, channel, window, now) {
                continue;
            }
            let decision = match rows.standing(to, &due) {
                Some(row) if row.status == status::PENDING && row.is_due(now) => continue,
                standing => decide(channel, to, standing, &due, pass),
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
        let near = |lead: i32| (lead - due.lead_minutes).abs() <= due.near_minutes;
        let rows = self.0.get(&(to.session_id, to.user_id))?;
        rows.iter()
            .find(|row| row.scheduled_at == to.scheduled_at && near(row.lead_minutes))
    }
}

fn decide(
    channel: Channel,
    to: &Participant,
    standing: Option<&Standing>,
    due: &Due,
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
    match standing {
        Some(row) => Err(row.describe()),
        None if pass.is_broken(channel) => Err(BROKEN.into()),
        None => recipient(channel, to, pass),
    }
}

fn recipient(channel: Channel, to: &Participant, pass: &Pass) -> Result<String, String> {
    if pass.zone.parse(&to.scheduled_at).is_none() {
        return Err(take::no_time(&to.scheduled_at).to_string());
    }
    line::recipient(channel, to, pass.config).map_err(|fault| fault.to_string())
}

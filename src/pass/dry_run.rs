//! What a pass would do now, without doing it.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use serde::Serialize;

use super::{Pass, line, take, window::Window};
use crate::{
    db::Db,
    ledger::{self, Channel, claim, status},
    platform::{self, Participant},
};

/// One reminder that would be sent.
#[derive(Debug, Serialize)]
pub struct Planned {
    pub session_id: i64,
    pub user_id: i64,
    pub channel: &'static str,
    pub to: String,
    pub scheduled_at: String,
}

/// One reminder that would not be sent, and why.
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

impl Plan {
    fn add(&mut self, to: &Participant, channel: Channel, decision: Result<String, String>) {
        let (session_id, user_id, channel) = (to.session_id, to.user_id, channel.name());
        let scheduled_at = to.scheduled_at.clone();
        match decision {
            Ok(to) => self.reminders.push(Planned {
                session_id,
                user_id,
                channel,
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
    let mut plan = Plan::default();
    for channel in Channel::ALL
        .into_iter()
        .filter(|channel| pass.scope.includes(*channel))
    {
        waiting(db, pass, channel, now, &mut plan)?;
        for window in pass.windows() {
            due(db, pass, channel, &window, now, &mut plan)?;
        }
    }
    let limit = limit.unwrap_or(usize::MAX);
    for beyond in plan.reminders.drain(limit.min(plan.reminders.len())..) {
        plan.skipped.push(Skipped {
            session_id: beyond.session_id,
            user_id: beyond.user_id,
            channel: beyond.channel,
            scheduled_at: beyond.scheduled_at,
            reason: format!("beyond --limit {limit}"),
        });
    }
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
    if pass.off(channel).is_some() {
        return Ok(());
    }
    let rows = claim::next(db, channel, &pass.scope, usize::MAX, now)?;
    let sessions: HashSet<i64> = rows.iter().map(|row| row.session_id).collect();
    let users: HashSet<i64> = rows.iter().map(|row| row.user_id).collect();
    let found = platform::participants_of(
        db,
        sessions.into_iter().collect(),
        users.into_iter().collect(),
    )?;
    let found: HashMap<_, _> = found
        .iter()
        .map(|to| ((to.session_id, to.user_id), to))
        .collect();
    for row in rows {
        let to = found.get(&(row.session_id, row.user_id));
        let Some(to) = to.filter(|to| to.scheduled_at == row.scheduled_at) else {
            continue;
        };
        plan.add(to, channel, recipient(channel, to, pass));
    }
    Ok(())
}

/// Participants whose reminder is due and has no row yet.
fn due(
    db: &mut Db,
    pass: &Pass,
    channel: Channel,
    window: &Window,
    now: DateTime<Utc>,
    plan: &mut Plan,
) -> QueryResult<()> {
    let due = pass.due(db, window, now)?;
    let mut participants = platform::participants_in(db, &due.walls, due.session)?;
    // A participant whom an operator's own view lists twice counts once.
    participants.dedup_by_key(|to| (to.session_id, to.user_id));
    let sessions = participants
        .iter()
        .map(|to| to.session_id)
        .collect::<HashSet<_>>();
    let rows = ledger::standing(db, channel, sessions.into_iter().collect())?;
    for to in &participants {
        let near = |lead: i32| (lead - due.lead_minutes).abs() <= due.near_minutes;
        let standing = rows.iter().find(|row| {
            (row.session_id, row.user_id) == (to.session_id, to.user_id)
                && row.scheduled_at == to.scheduled_at
                && near(row.lead_minutes)
        });
        if standing.is_some_and(|row| row.status == status::PENDING && row.is_due(now)) {
            continue;
        }
        let laravel = due.skip.contains(&to.session_id);
        plan.add(to, channel, decide(channel, to, standing, laravel, pass));
    }
    Ok(())
}

fn decide(
    channel: Channel,
    to: &Participant,
    standing: Option<&ledger::Standing>,
    laravel: bool,
    pass: &Pass,
) -> Result<String, String> {
    if let Some(why) = pass.off(channel) {
        return Err(format!("{} is off ({why})", channel.name()));
    }
    if channel == Channel::Whatsapp && !to.opted_in() {
        return Err("has not opted in".into());
    }
    if laravel {
        return Err("Laravel has reminded of this session".into());
    }
    match standing {
        Some(row) => Err(row.describe()),
        None => recipient(channel, to, pass),
    }
}

fn recipient(channel: Channel, to: &Participant, pass: &Pass) -> Result<String, String> {
    if pass.zone.parse(&to.scheduled_at).is_none() {
        return Err(take::no_time(&to.scheduled_at).to_string());
    }
    line::recipient(channel, to, pass.config).map_err(|fault| fault.to_string())
}

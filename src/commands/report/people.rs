//! Everybody who takes part in the session, or was told of it.

use std::collections::{BTreeSet, HashMap};

use diesel::QueryResult;
use serde::Serialize;

use super::{
    reach::{self, Reach},
    session::Session,
};
use crate::{
    db::{self, Db},
    ledger::{Channel, Kind, delivery::Delivery, history},
    pass::Pass,
    platform::{self, Participant, facts},
    text,
};

/// One person.
#[derive(Serialize)]
pub struct Row {
    pub user_id: i64,
    pub name: String,
    pub mail: Reach,
    pub whatsapp: Reach,
    pub note: String,
}

pub struct People {
    participants: Vec<Participant>,
    deliveries: HashMap<i64, Vec<Delivery>>,
    /// Those who were told and do not take part any more.
    left: Vec<(i64, Option<String>)>,
}

impl People {
    pub fn read(db: &mut Db, session: i64) -> QueryResult<Self> {
        let participants = platform::participants_of_session(db, session)?;
        let mut deliveries: HashMap<i64, Vec<Delivery>> = HashMap::new();
        for row in history::of_session(db, session)? {
            deliveries.entry(row.user_id).or_default().push(row);
        }
        let listed: BTreeSet<i64> = participants.iter().map(|one| one.user_id).collect();
        let told = deliveries
            .iter()
            .filter(|(_, rows)| rows.iter().any(reach::may_be_told));
        let left: BTreeSet<i64> = told
            .map(|(id, _)| *id)
            .filter(|id| !listed.contains(id))
            .collect();
        let mut names = HashMap::new();
        let ids: Vec<i64> = left.iter().copied().collect();
        for ids in ids.chunks(db::AT_ONCE) {
            // Behind an operator's own view there need be no users, or none that we may read.
            names.extend(facts::names(db, ids).unwrap_or_default());
        }
        let left = left.into_iter().map(|id| (id, names.remove(&id).flatten()));
        Ok(Self {
            participants,
            deliveries,
            left: left.collect(),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.participants.is_empty()
    }

    pub fn rows(&self, session: &Session, pass: &Pass) -> Vec<Row> {
        let listed = self.participants.iter();
        let listed =
            listed.map(|one| self.row(one.user_id, one.name.as_deref(), Some(one), session, pass));
        let left = self.left.iter();
        let left = left.map(|(id, name)| self.row(*id, name.as_deref(), None, session, pass));
        let mut rows: Vec<Row> = listed.chain(left).collect();
        rows.sort_by_cached_key(|row| (row.name.to_lowercase(), row.user_id));
        rows
    }

    fn row(
        &self,
        id: i64,
        name: Option<&str>,
        listed: Option<&Participant>,
        session: &Session,
        pass: &Pass,
    ) -> Row {
        let none = Vec::new();
        let all = self.deliveries.get(&id).unwrap_or(&none);
        let reach = |channel| {
            let current = all.iter().filter(|row| {
                row.is_of(channel)
                    && row.kind() != Kind::Cancelled
                    && Some(&row.scheduled_at) == session.scheduled_at.as_ref()
            });
            let best = current.map(Reach::of).max_by_key(|reach| reach.state);
            best.unwrap_or_else(|| {
                Reach::without_row(channel, listed, session.start(pass.zone), pass)
            })
        };
        Row {
            user_id: id,
            name: called(id, name),
            note: remarks(
                all,
                listed.is_none() && !self.participants.is_empty(),
                session,
            ),
            mail: reach(Channel::Mail),
            whatsapp: reach(Channel::Whatsapp),
        }
    }
}

fn called(id: i64, name: Option<&str>) -> String {
    let name = text::one_line(name.unwrap_or_default(), 200);
    match name.is_empty() {
        true => format!("user {id}"),
        false => name,
    }
}

impl Row {
    /// The note, and why a channel did not reach them; by name where both did not.
    pub fn remarks(&self) -> String {
        let reasons = match (&self.mail.reason, &self.whatsapp.reason) {
            (Some(mail), Some(whatsapp)) => format!("mail: {mail}; WhatsApp: {whatsapp}"),
            (mail, whatsapp) => mail.clone().or(whatsapp.clone()).unwrap_or_default(),
        };
        let parts = [self.note.clone(), reasons];
        parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// What the states and their reasons do not say.
fn remarks(all: &[Delivery], has_left: bool, session: &Session) -> String {
    let mut remarks = Vec::new();
    if has_left {
        remarks.push("does not take part any more".to_owned());
    }
    let sent = || all.iter().filter(|row| row.is_sent());
    if sent().any(|row| row.kind() == Kind::Cancelled) {
        remarks.push("was told that it is cancelled".into());
    }
    let is_other = |row: &&Delivery| Some(&row.scheduled_at) != session.scheduled_at.as_ref();
    if let Some(other) = sent().rfind(is_other) {
        remarks.push(format!("was told of the start {}", other.scheduled_at));
    }
    remarks.join("; ")
}

//! Everybody who takes part in the session, or was told of it.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use serde::Serialize;

use super::{
    outlook::Outlook,
    place::Place,
    reach::{self, Reach},
    remarks,
    session::Session,
};
use crate::{
    db::{self, Db},
    ledger::{Channel, delivery::Delivery, history},
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
    /// Does not take part any more, while others do.
    #[serde(skip)]
    pub has_left: bool,
}

/// What the report is about.
pub struct About<'a> {
    pub session: &'a Session,
    pub pass: &'a Pass<'a>,
    pub by_laravel: bool,
    pub place: Place,
    pub outlook: Outlook,
}

impl About<'_> {
    pub fn start(&self) -> Option<DateTime<Utc>> {
        self.session.start(self.pass.zone)
    }

    /// Whether a participant is to be told on a channel.
    pub fn wants(&self, participant: &Participant, channel: Channel) -> bool {
        let wants = match channel {
            Channel::Mail => true,
            Channel::Whatsapp => {
                participant.opted_in() && !self.outlook.has_stopped(participant.user_id)
            }
        };
        wants && self.pass.off(channel).is_none()
    }
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

    /// Whether a channel has anybody who wants to be told by it.
    pub fn want(&self, channel: Channel) -> bool {
        let wants = |one: &Participant| channel == Channel::Mail || one.opted_in();
        self.participants.iter().any(wants)
    }

    /// Whatever was to be sent to anybody.
    pub fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.values().flatten()
    }

    pub fn rows(&self, about: &About) -> Vec<Row> {
        let listed = self.participants.iter();
        let listed = listed.map(|one| self.row(one.user_id, one.name.as_deref(), Some(one), about));
        let left = self.left.iter();
        let left = left.map(|(id, name)| self.row(*id, name.as_deref(), None, about));
        let mut rows: Vec<Row> = listed.chain(left).collect();
        rows.sort_by_cached_key(|row| (row.name.to_lowercase(), row.user_id));
        rows
    }

    fn row(&self, id: i64, name: Option<&str>, listed: Option<&Participant>, about: &About) -> Row {
        let none = Vec::new();
        let all = self.deliveries.get(&id).unwrap_or(&none);
        let start = about.session.scheduled_at.as_deref();
        let reach = |channel| {
            let current = || {
                all.iter()
                    .filter(|row| row.is_of(channel) && row.names(start))
            };
            let reaches = current().map(|row| Reach::of(row, channel, listed, about));
            let new = || Reach::without_row(channel, listed, about);
            // What was cancelled may be made again.
            let again = current().all(Delivery::is_open_again).then(new);
            let best = reaches.chain(again).max_by_key(|reach| reach.state);
            best.unwrap_or_else(new)
        };
        let has_left = listed.is_none() && !self.participants.is_empty();
        Row {
            user_id: id,
            name: called(id, name),
            note: remarks::all(all, has_left, id, about),
            mail: reach(Channel::Mail),
            whatsapp: reach(Channel::Whatsapp),
            has_left,
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

//! The people of the next rows. They are looked up at the moment of each claim; while nobody else writes to the
//! database, what was read a moment ago is what would be read now, and a look ahead saves most of the looking.

use std::collections::{HashMap, HashSet};

use diesel::QueryResult;

use crate::{
    db::{self, Db},
    ledger::{Kind, claim::Row},
    platform::{self, Participant, standing::has_cancellations},
};

/// Session and user.
type Key = (i64, i64);

fn key(row: &Row) -> Key {
    (row.session_id, row.user_id)
}

/// What the platform says of somebody and a session.
pub enum Says {
    TakesPart(Participant),
    /// Would take part, but the session does not take place. Only asked for rows that say so.
    InVain(Participant),
}

/// What the platform says now of the people of these rows.
pub fn people(db: &mut Db, rows: &[Row]) -> QueryResult<HashMap<Key, Says>> {
    let mut people = HashMap::new();
    let cancelled = || rows.iter().filter(|row| row.kind() == Kind::Cancelled);
    if cancelled().next().is_some() && has_cancellations(db)? {
        let (sessions, users) = cancelled().map(key).unzip();
        let found = platform::told_in_vain(db, sessions, users)?;
        people.extend(found.into_iter().map(|one| (of(&one), Says::InVain(one))));
    }
    let (sessions, users) = rows.iter().map(key).unzip();
    let found = platform::participants_of(db, sessions, users)?;
    people.extend(
        found
            .into_iter()
            .map(|one| (of(&one), Says::TakesPart(one))),
    );
    Ok(people)
}

fn of(participant: &Participant) -> Key {
    (participant.session_id, participant.user_id)
}

/// What has been read, and whether it still holds.
#[derive(Default)]
pub struct Roster {
    people: HashMap<Key, Says>,
    asked: HashSet<Key>,
    version: Option<i64>,
}

impl Roster {
    /// Makes [`Roster::find`] true for these rows, in the transaction that claims them; `ahead` has the rows after
    /// them.
    pub fn look(
        &mut self,
        db: &mut Db,
        rows: &[Row],
        ahead: impl FnOnce(&mut Db) -> QueryResult<Vec<Row>>,
    ) -> QueryResult<()> {
        let version = db::version(db)?;
        let quiet = version.is_some() && version == self.version;
        self.version = version;
        if quiet && rows.iter().all(|row| self.asked.contains(&key(row))) {
            return Ok(());
        }
        // Where others write all the time, what is read ahead is read in vain.
        if !quiet {
            return self.read(db, rows);
        }
        let ahead = ahead(db)?;
        self.read(db, &ahead)
    }

    fn read(&mut self, db: &mut Db, rows: &[Row]) -> QueryResult<()> {
        self.people = people(db, rows)?;
        self.asked = rows.iter().map(key).collect();
        Ok(())
    }

    /// What is so of the participant that a row is for; `None`: not a participant any more.
    pub fn find(&self, row: &Row) -> Option<&Says> {
        self.people.get(&key(row))
    }

    /// We ourselves have changed what the platform says.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

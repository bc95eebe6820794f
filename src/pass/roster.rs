//! The people of the next rows. They are looked up at the moment of each claim; while nobody else writes to the database,
//! what was read a moment ago is what would be read now, and a look ahead saves most of the looking.

use std::collections::{HashMap, HashSet};

use diesel::QueryResult;

use crate::{
    db::{self, Db},
    ledger::claim::Row,
    platform::{self, Participant},
};

/// Session and user.
type Key = (i64, i64);

fn key(row: &Row) -> Key {
    (row.session_id, row.user_id)
}

/// What the platform says now of the people of these rows.
pub fn people(db: &mut Db, rows: &[Row]) -> QueryResult<HashMap<Key, Participant>> {
    let sessions = rows.iter().map(|row| row.session_id).collect();
    let users = rows.iter().map(|row| row.user_id).collect();
    let found = platform::participants_of(db, sessions, users)?;
    let keyed = found
        .into_iter()
        .map(|one| ((one.session_id, one.user_id), one));
    Ok(keyed.collect())
}

/// What has been read, and whether it still holds.
#[derive(Default)]
pub struct Roster {
    people: HashMap<Key, Participant>,
    asked: HashSet<Key>,
    version: Option<i64>,
}

impl Roster {
    /// Makes [`Roster::find`] true for these rows, in the transaction that claims them; `ahead` has the rows after them.
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

    /// The participant that a row is for; `None`: not a participant any more.
    pub fn find(&self, row: &Row) -> Option<&Participant> {
        self.people.get(&key(row))
    }

    /// We ourselves have changed what the platform says.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

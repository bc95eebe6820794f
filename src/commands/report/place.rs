//! Whether the session takes place, as far as anybody knows.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use diesel::QueryResult;

use super::session::{Ground, Session};
use crate::{
    db::Db,
    platform::{
        self,
        facts::{self, Fact},
        standing::has_cancellations,
        view::Platform,
    },
};

pub enum Place {
    Taken,
    /// It was cancelled or deleted.
    Not {
        why: String,
        /// Those who have to hear of it; `None` where there is no knowing.
        in_vain: Option<BTreeSet<i64>>,
    },
    /// An operator's own view lists nobody, and says no more.
    Unknown,
}

impl Place {
    /// `listed`: somebody takes part, which is all that a pass asks.
    pub fn read(db: &mut Db, ground: &Ground, session: &Session, listed: bool) -> Result<Self> {
        if listed {
            return Ok(Place::Taken);
        }
        let told = in_vain(db, session.id).context("could not read session_cancellations")?;
        let why = match &ground.platform {
            Some(platform) => why_not(db, platform, session)
                .context("could not read whether the session takes place")?,
            None if told.as_ref().is_some_and(|told| !told.is_empty()) => {
                Some("the session was cancelled or deleted".into())
            }
            None => return Ok(Place::Unknown),
        };
        Ok(why.map_or(Place::Taken, |why| Place::Not { why, in_vain: told }))
    }

    /// Whether somebody who was told of the session has to hear that it does not take place.
    pub fn is_in_vain(&self, user: i64) -> bool {
        match self {
            Place::Not { in_vain, .. } => in_vain.as_ref().is_none_or(|all| all.contains(&user)),
            Place::Taken | Place::Unknown => false,
        }
    }
}

fn in_vain(db: &mut Db, session: i64) -> QueryResult<Option<BTreeSet<i64>>> {
    if !has_cancellations(db)? {
        return Ok(None);
    }
    let told = platform::told_in_vain_of_session(db, session)?;
    Ok(Some(told.into_iter().map(|one| one.user_id).collect()))
}

/// `None` where it takes place, with nobody in it.
fn why_not(db: &mut Db, platform: &Platform, session: &Session) -> QueryResult<Option<String>> {
    if !session.exists {
        return Ok(Some("the session was deleted".into()));
    }
    if session.course.is_none() {
        return Ok(Some("the session's course was deleted".into()));
    }
    let facts = facts::of_session(db, platform, session.id)?;
    Ok(facts.iter().find(|fact| fact.bars()).map(Fact::text))
}

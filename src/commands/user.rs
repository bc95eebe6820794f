//! The user that a command names, from whatever knows of them.

use anyhow::{Result, anyhow};

use super::session::Ground;
use crate::{
    db::Db,
    platform::{self, profile},
    text,
};

/// The id of the user that `who` names: an id, or an email address.
pub fn find(db: &mut Db, ground: &Ground, who: &str) -> Result<Option<i64>> {
    Ok(match &ground.platform {
        Some(_) => profile::user_id(db, who)?,
        // The tables of that name may be of another shape, or not ours to read.
        None => platform::listed_user(db, who)?.or(profile::user_id(db, who).unwrap_or_default()),
    })
}

/// That `who` names nobody.
pub fn unknown(ground: &Ground, who: &str) -> anyhow::Error {
    if ground.platform.is_some() {
        return profile::unknown(who);
    }
    let who = text::one_line(who, 100);
    anyhow!(
        "the view session_participants lists no user {who:?}: give a numeric id or email address that it has"
    )
}

//! The seam to the platform: everything a reminder needs to know comes through the one view `session_participants`; a
//! second one, `session_cancellations`, says which of those told have to hear that their session does not take place.

pub mod cancellations;
pub mod coming;
pub mod enrolled;
pub mod facts;
mod participants;
pub mod profile;
pub mod standing;
mod tables;
pub mod upcoming;
pub mod view;

use anyhow::Result;
use chrono_tz::Tz;
use diesel::{
    QueryResult, RunQueryDsl,
    dsl::sql,
    sql_types::{Nullable, Text},
};

pub use self::participants::{
    Participant, listed_user, of_session, participants_in, participants_of,
    participants_of_session, start_of, starts_in, starts_of, told_in_vain, told_in_vain_of_session,
};
use crate::{
    config::Config,
    db::{self, Db, Lossy},
    exit::{self, Exit},
    time::Zone,
};

/// Whether the participants of a few sessions are found without reading all enrollments; an operator's own tables are
/// trusted to be.
pub fn finds_by_course(db: &mut Db) -> QueryResult<bool> {
    let indexed = db::indexes(db, "enrollments")?;
    Ok(indexed.is_empty() || indexed.iter().any(|first| first == "course_id"))
}

/// The zone of the platform's times. Only a database whose tables our own `migrate` made may leave it open: then it is
/// UTC.
///
/// # Errors
/// Ends with 78 where nobody says.
pub fn zone(config: &Config, db: &mut Db) -> Result<Zone> {
    match config.zone {
        Some(zone) => Ok(Zone(zone)),
        None if db::Done::read(db)?.has(&db::PLATFORM) => Ok(Zone(Tz::UTC)),
        None => Err(exit::error(
            Exit::Config,
            "APP_TIMEZONE is not set, and there is no config/app.php beside the .env that names the zone: set it to the \
             zone of the times in the database, such as APP_TIMEZONE=Asia/Jakarta",
        )),
    }
}

/// The newest time of change in a table, in the platform's digits.
pub fn newest_change(db: &mut Db, table: &str) -> QueryResult<Option<String>> {
    let newest = format!("(SELECT CAST(max(updated_at) AS CHAR(19)) FROM {table})");
    let newest = diesel::select(sql::<Nullable<Text>>(&newest)).get_result::<Lossy>(db)?;
    Ok(newest.into())
}

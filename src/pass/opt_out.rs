//! A recipient has told Twilio to stop.

use log::{info, warn};

use super::Pass;
use crate::{
    db::Db,
    ledger,
    platform::{self, Participant, profile},
};

/// The platform is to know. Where it cannot be told, or still says yes (its view reads something else than the
/// profiles), the ledger remembers. To be called once the row's outcome is committed.
pub fn store(db: &mut Db, pass: &Pass, row: i64, session: i64, user: i64) {
    let wall = pass.zone.wall(pass.clock.now());
    let cleared = profile::find(db, &user.to_string())
        .and_then(|found| Ok(profile::opt_out(db, &found, wall)?));
    let people = platform::participants_of(db, vec![session], vec![user]).unwrap_or_default();
    if cleared.is_ok() && !people.iter().any(Participant::opted_in) {
        return;
    }
    info!("the platform does not know that user {user} has opted out; the ledger does");
    if let Err(error) = ledger::remember_opt_out(db, row) {
        warn!("user {user} has opted out of WhatsApp, but this could not be stored: {error}");
    }
}

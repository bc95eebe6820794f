//! What shows that the zone is the wrong one, or that Laravel still reminds.

use anyhow::Result;
use chrono::{DateTime, Duration, Utc};

use super::{chain::Chain, database::Found};
use crate::{
    db::Db,
    legacy,
    platform::{self, view::Platform},
    time::{DIGITS, Zone, rough},
};

/// A clock of a web server may be ahead by so much.
const SKEW: Duration = Duration::minutes(5);
/// The log of a Laravel command that has not been switched off is newer.
const RECENT: Duration = Duration::hours(24);

/// Times of change that lie ahead are times of another zone.
pub fn zone(chain: &mut Chain, db: &mut Db, platform: &Platform, zone: Zone, now: DateTime<Utc>) {
    let tables = ["users", "enrollments", "course_sessions"];
    let ahead = tables.into_iter().find_map(|table| {
        let by = newest(db, platform, table, zone)? - now;
        (by > SKEW).then_some((table, rough(by)))
    });
    match ahead {
        Some((table, by)) => chain.warn(
            "zone",
            format!(
                "the newest {table}.updated_at is {by} ahead of now in {}: set APP_TIMEZONE to the zone of the platform's times",
                zone.0
            ),
        ),
        None => {
            let wall = zone.wall(now).format(DIGITS);
            chain.ok("zone", format!("{}, where it is {wall} now", zone.0));
        }
    }
}

/// `None` also where a server's user may read no more than the view.
fn newest(db: &mut Db, platform: &Platform, table: &str, zone: Zone) -> Option<DateTime<Utc>> {
    if !platform.has(table, "updated_at") {
        return None;
    }
    zone.parse(&platform::newest_change(db, table).ok()??)
}

/// Whether the Laravel command still reminds.
pub fn laravel(
    chain: &mut Chain,
    db: &mut Db,
    found: &Found,
    zone: Zone,
    now: DateTime<Utc>,
) -> Result<()> {
    let newest = match found.has_log {
        true => legacy::newest_of_laravel(db, found.has_ledger)?,
        false => None,
    };
    let Some(age) = newest.and_then(|at| Some(now - zone.parse(&at)?)) else {
        chain.ok("laravel", "its log has no row that is not ours");
        return Ok(());
    };
    let ago = rough(age);
    if age > RECENT {
        chain.ok("laravel", format!("its log's last row is {ago} old"));
        return Ok(());
    }
    let text = "disable its command first, or some are told twice";
    let text = format!("Laravel's scheduler has a log row of {ago} ago: {text}");
    chain.warn("laravel", text);
    Ok(())
}

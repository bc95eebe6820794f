//! Sessions of the coming days whose start no pass can read.

use anyhow::Result;
use chrono::{DateTime, Duration, NaiveTime, Utc};

use super::chain::Chain;
use crate::{db::Db, platform::coming::Coming, text::one_line, time::Zone};

/// So many days are looked at.
const DAYS: i64 = 7;
/// So many sessions are named.
const FEW: usize = 5;

/// Their ids.
pub fn look(
    chain: &mut Chain,
    db: &mut Db,
    coming: &Coming,
    zone: Zone,
    now: DateTime<Utc>,
) -> Result<Vec<i64>> {
    // All of today: whether one of them is over is not to be known.
    let from = zone.wall(now).date().and_time(NaiveTime::MIN);
    let to = zone.wall(now + Duration::days(DAYS));
    let found = coming.unreadable(db, zone, (from, to))?;
    if !found.is_empty() {
        chain.warn("starts", text(&found));
    }
    Ok(found.into_iter().map(|(id, _)| id).collect())
}

fn text(found: &[(i64, String)]) -> String {
    let few = found.iter().take(FEW);
    let few = few.map(|(id, start)| format!("session {id}: {:?}", one_line(start, 30)));
    let few = few.collect::<Vec<_>>().join(", ");
    let more = if found.len() > FEW { ", …" } else { "" };
    format!(
        "nobody is told of {} whose start is no time ({few}{more}): write it as 2026-11-23 17:00:00",
        match found.len() {
            1 => "1 session".to_owned(),
            count => format!("{count} sessions"),
        }
    )
}

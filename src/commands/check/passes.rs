//! Whether passes run, and what they have left for a person.

use anyhow::Result;
use chrono::{DateTime, Duration, Utc};

use super::{chain::Chain, database::Found};
use crate::{
    config::{self, Config},
    db::Db,
    ledger::{self, Channel, overview},
    lock,
    pass::wait::Wait,
    time::{Zone, rough},
};

/// Cron begins one every minute.
const LATE: Duration = Duration::minutes(5);

pub fn look(
    chain: &mut Chain,
    db: &mut Db,
    config: &Config,
    found: &Found,
    zone: Zone,
    now: DateTime<Utc>,
) {
    chain.look("pass", |chain| {
        let written = match found.has_ledger {
            true => overview::last_written(db)?,
            false => None,
        };
        let ledger = written.map(|row| row.updated_at.and_utc());
        let here = lock::last_pass(&config.database);
        last(chain, here, ledger, now);
        Ok(())
    });
    if !found.has_ledger {
        return;
    }
    for channel in Channel::ALL
        .into_iter()
        .filter(|channel| is_on(config, *channel))
    {
        chain.look("held", |chain| held(chain, db, channel, zone, now));
    }
    chain.look("failed", |chain| in_need(chain, db, zone, now));
}

fn is_on(config: &Config, channel: Channel) -> bool {
    match channel {
        Channel::Mail => matches!(config.mail, config::Channel::On(_)),
        Channel::Whatsapp => matches!(config.whatsapp, config::Channel::On(_)),
    }
}

/// A pass leaves its time on this host, and one that has work leaves rows in the ledger; those of other hosts, and of
/// other users of this one, are known by the ledger alone.
fn last(
    chain: &mut Chain,
    here: Option<DateTime<Utc>>,
    ledger: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) {
    let ago = |time: DateTime<Utc>| rough(now - time);
    let late = |time: &DateTime<Utc>| now - *time > LATE;
    let cure = "is the crontab line there, and does cron run?";
    match (here, ledger) {
        (Some(here), _) if !late(&here) => {
            chain.ok("pass", format!("the last one began {} ago", ago(here)));
        }
        (_, Some(ledger)) if !late(&ledger) => {
            let text = "by another user or host: the ledger was written to";
            chain.ok("pass", format!("{text} {} ago", ago(ledger)));
        }
        (Some(here), _) => {
            let ago = ago(here);
            chain.warn("pass", format!("none on this host for {ago}: {cure}"));
        }
        (None, Some(ledger)) => {
            let text = "none is known on this host (or it has another STATE_DIRECTORY), and the ledger was last written to";
            chain.warn("pass", format!("{text} {} ago: {cure}", ago(ledger)));
        }
        (None, None) => chain.warn(
            "pass",
            "none yet: once all else is well, put `reminders send` into the crontab",
        ),
    }
}

/// Whether a channel waits after it broke down.
fn held(
    chain: &mut Chain,
    db: &mut Db,
    channel: Channel,
    zone: Zone,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(hold) = ledger::held(db, channel, now)? else {
        return Ok(());
    };
    let since = ledger::last_stop(db, channel)?.map(|stop| now - stop.at.and_utc());
    let since = since.map_or(String::new(), |since| format!("{} ago, ", rough(since)));
    let why = Wait::Hold(&hold).describe(zone);
    chain.warn("held", format!("{}, {since}{why}", channel.name()));
    Ok(())
}

/// What needs a person.
fn in_need(chain: &mut Chain, db: &mut Db, zone: Zone, now: DateTime<Utc>) -> Result<()> {
    let counts = overview::counts_in_need(db, zone, now - Duration::hours(24))?;
    if counts.is_empty() {
        chain.ok("failed", "nothing in the last 24 hours");
        return Ok(());
    }
    let counts = counts
        .iter()
        .map(|(status, count)| format!("{count} {status}"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let text =
        format!("{counts} in the last 24 hours: `reminders status` says which and what to do");
    chain.warn("failed", text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(here: Option<i64>, ledger: Option<i64>) -> String {
        let now = Utc::now();
        let before = |minutes| now - Duration::minutes(minutes);
        let (here, ledger) = (here.map(before), ledger.map(before));
        let mut chain = Chain::default();
        last(&mut chain, here, ledger, now);
        anstream::adapter::strip_str(&chain.to_string()).to_string()
    }

    #[test]
    fn the_last_pass_is_the_newest_trace_of_one() {
        for (here, ledger, verdict, words) in [
            (None, None, "warn", "none yet"),
            (Some(1), None, "ok", "began 1 minute ago"),
            (Some(1), Some(600), "ok", "began 1 minute ago"),
            (Some(180), Some(2), "ok", "another user or host"),
            (
                Some(180),
                None,
                "warn",
                "for 3 hours: is the crontab line there",
            ),
            (None, Some(180), "warn", "last written to 3 hours ago"),
        ] {
            let text = told(here, ledger);
            assert!(text.starts_with(verdict) && text.contains(words), "{text}");
        }
    }
}

//! Follows up what Twilio has taken, without a webhook: it is asked now and then what became of each message, until that
//! is known or the session starts.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use diesel::QueryResult;
use log::{error, info, warn};

use super::{Pass, opt_out, summary::Tally};
use crate::{
    config,
    db::{self, Db},
    exit,
    ledger::{
        Channel,
        follow::{self, End, Learnt, Taken},
    },
    outcome::Outcome,
    whatsapp::{Client, Fates},
};

/// Messages that are asked about together.
const AT_ONCE: i64 = 1000;

/// A pass does not follow up longer than this; the next one goes on.
const LONGEST: Duration = Duration::from_secs(60);

/// Whether Twilio is to be asked about any message. Reads only.
pub fn any(db: &mut Db, pass: &Pass) -> QueryResult<bool> {
    let asks =
        matches!(&pass.config.whatsapp, config::Channel::On(whatsapp) if whatsapp.is_twilio());
    if !asks || !pass.scope.includes(Channel::Whatsapp) {
        return Ok(false);
    }
    follow::any(db, &pass.scope, pass.zone, pass.clock.now())
}

/// Asks about all that it is time for; what it counts is only what went wrong.
pub fn run(pass: &Pass, client: &Client) -> Tally {
    let mut tally = Tally::default();
    if let Err(error) = ask(pass, client, &mut tally) {
        warn!("could not record what became of WhatsApp messages: {error:#}");
        tally.exit = Some(exit::of(&error));
    }
    tally
}

fn ask(pass: &Pass, client: &Client, tally: &mut Tally) -> Result<()> {
    let began = Instant::now();
    let mut db = db::open(&pass.config.database)?;
    while began.elapsed() < LONGEST {
        let now = pass.clock.now();
        let take = |db: &mut Db| follow::take(db, &pass.scope, pass.zone, AT_ONCE, now);
        let rows = db::write(&mut db, take).context("could not claim them")?;
        let Some(oldest) = rows.iter().map(|row| row.sent_at).min() else {
            break;
        };
        let sids: Vec<String> = rows.iter().map(|row| row.sid.clone()).collect();
        match client.fates(&sids, pass.clock.on_host(oldest.and_utc())) {
            Ok(fates) => learn(&mut db, pass, &rows, &fates, tally)?,
            Err(fault) => {
                info!(
                    "what became of {} WhatsApp messages is asked later: {fault}",
                    rows.len()
                );
                break;
            }
        }
    }
    Ok(())
}

fn learn(db: &mut Db, pass: &Pass, rows: &[Taken], fates: &Fates, tally: &mut Tally) -> Result<()> {
    let now = pass.clock.now();
    let known = rows
        .iter()
        .filter_map(|row| Some((row, fates.get(&row.sid)?)));
    let outcomes: Vec<(&Taken, &str, Outcome)> = known
        .map(|(row, fate)| (row, fate.status.as_str(), fate.outcome(&row.sid)))
        .collect();
    let learnt: Vec<Learnt> = outcomes
        .iter()
        .map(|(row, word, outcome)| Learnt::new(row, word, outcome, pass.zone, now))
        .collect();
    let record = |db: &mut Db| follow::record(db, &learnt, now);
    let (failed, again) = db::write(db, record).context("could not write")?;
    tally.failed += failed;
    tally.retried += again;
    tell(&learnt);
    for (row, _, outcome) in &outcomes {
        if let Outcome::OptedOut(_) = outcome {
            opt_out::store(db, pass, row.id, row.session_id, row.user_id);
        }
    }
    Ok(())
}

/// A line for each reason, however many messages met it.
fn tell(learnt: &[Learnt]) {
    let mut reasons: BTreeMap<(End, String), usize> = BTreeMap::new();
    for one in learnt {
        if let Some(fault) = &one.fault {
            let reason = (one.end, fault.to_string());
            *reasons.entry(reason).or_default() += 1;
        }
    }
    for ((end, reason), count) in reasons {
        match end {
            End::Again => {
                info!("whatsapp: {count} not delivered and to be sent once more: {reason}")
            }
            _ => error!("whatsapp: {count} taken by Twilio and not delivered: {reason}"),
        }
    }
}

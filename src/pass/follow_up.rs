//! Follows up what Twilio has taken, without a webhook: it is asked now and then what became of each message, until
//! that is known or the session starts.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    thread::Builder,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use diesel::QueryResult;
use log::{error, info, warn};

use super::{Pass, line::Transport, opt_out, summary::Tally};
use crate::{
    config,
    db::{self, Db},
    exit,
    ledger::{
        Channel,
        follow::{
            self, Taken,
            learnt::{self, End, Learnt},
        },
    },
    outcome::Outcome,
    whatsapp::{Client, Fates},
};

/// Messages that are asked about together.
const TOGETHER: i64 = 1000;

/// A pass does not follow up longer than this; the next one goes on.
pub const LONGEST: Duration = Duration::from_secs(60);

/// Whether Twilio is to be asked about any message. Reads only.
pub fn any(db: &mut Db, pass: &Pass) -> QueryResult<bool> {
    let asks =
        matches!(&pass.config.whatsapp, config::Channel::On(whatsapp) if whatsapp.is_twilio());
    if !asks || !pass.scope.includes(Channel::Whatsapp) {
        return Ok(false);
    }
    follow::any(db, &pass.scope, pass.zone, pass.clock.now())
}

/// Begins to ask about all that it is time for, beside the deliveries; what comes of it is counted where something went
/// wrong. `None` where there is nothing to ask, or the host allows no more threads: then the next pass asks.
pub fn start(
    db: &mut Db,
    pass: &Arc<Pass<'static>>,
    transports: &[Arc<Transport<'static>>],
) -> QueryResult<Option<Receiver<Tally>>> {
    let twilio = transports.iter().find(|one| one.client().is_some());
    let asks = db::again(db, &pass.config.database, |db| any(db, pass))?;
    let (Some(twilio), true) = (twilio, asks) else {
        return Ok(None);
    };
    let (pass, twilio) = (Arc::clone(pass), Arc::clone(twilio));
    let (learnt, asking) = mpsc::channel();
    let work = move || {
        let ask = || twilio.client().map(|client| run(&pass, client));
        let tally = catch_unwind(AssertUnwindSafe(ask)).ok().flatten();
        // A pass that has been interrupted no longer counts.
        let _ = learnt.send(tally.unwrap_or_default());
    };
    Ok(Builder::new().spawn(work).ok().map(|_| asking))
}

fn run(pass: &Pass, client: &Client) -> Tally {
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
    while began.elapsed() < LONGEST && !pass.interrupt.came() {
        let now = pass.clock.now();
        let take = |db: &mut Db| follow::take(db, &pass.scope, pass.zone, TOGETHER, now);
        let rows = db::write(&mut db, take).context("could not claim them")?;
        let Some(oldest) = rows.iter().map(|row| row.sent_at).min() else {
            break;
        };
        let sids: Vec<String> = rows.iter().map(|row| row.sid.clone()).collect();
        let since = pass.clock.on_host(oldest.and_utc());
        match client.fates(&sids, since, began + LONGEST) {
            Ok(fates) => learn(&mut db, pass, &rows, &fates, tally)?,
            Err(unread) => {
                let fault = unread.fault();
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
    let record = |db: &mut Db| learnt::record(db, &learnt, now);
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

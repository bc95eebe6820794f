//! `prune`: deletes the record of what is long over.

use std::{fmt, thread, time::Duration};

use anyhow::Result;
use chrono::{NaiveDateTime, Utc};
use diesel::QueryResult;
use serde::Serialize;

use super::cause;
use crate::{
    cli,
    config::Config,
    db::{self, Db},
    exit::Exit,
    ledger::prune,
    output,
    pass::due::FORGOTTEN,
    platform, table,
    time::DIGITS,
};

/// A pass gets its turn between two batches.
const PAUSE: Duration = Duration::from_millis(20);

/// What was deleted, or would be.
#[derive(Serialize)]
struct Pruned {
    /// What started before then, in the platform's digits.
    before: String,
    rows: i64,
    dry_run: bool,
    #[serde(skip)]
    zone: String,
    /// Whether less is deleted than was asked for.
    #[serde(skip)]
    kept: bool,
}

impl fmt::Display for Pruned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.dry_run {
            "would delete"
        } else {
            "deleted"
        };
        let Pruned {
            rows, before, zone, ..
        } = self;
        let noun = if *rows == 1 { "row" } else { "rows" };
        let kept = match self.kept {
            true => "; later ones are kept, since a pass still looks back at them",
            false => "",
        };
        let said =
            format!("{verb} {rows} {noun} of sessions that started before {before} ({zone}){kept}");
        table::prose([said]).fmt(f)
    }
}

pub fn run(config: &Config, args: &cli::Prune) -> Result<Exit> {
    let mut db = db::open(&config.database)?;
    let zone = platform::zone(config, &mut db)?;
    // A day more, for whatever is done to the clocks.
    let looked_at = FORGOTTEN + chrono::Duration::days(1);
    let before = zone.wall(Utc::now() - args.older_than.max(looked_at));
    let rows = match args.dry_run {
        true => prune::count(&mut db, before),
        false => delete(&mut db, before),
    };
    let rows = rows.map_err(|error| cause::explain(&mut db, error.into(), "could not delete"))?;
    let pruned = Pruned {
        before: before.format(DIGITS).to_string(),
        rows,
        dry_run: args.dry_run,
        zone: zone.0.to_string(),
        kept: args.older_than < looked_at,
    };
    output::print(args.format, &pruned)?;
    Ok(Exit::Ok)
}

/// In many short transactions: none of them keeps a pass waiting.
fn delete(db: &mut Db, before: NaiveDateTime) -> QueryResult<i64> {
    let mut rows = 0;
    loop {
        let (deleted, more) = db::write(db, |db| prune::some(db, before))?;
        rows += deleted;
        if !more {
            return Ok(rows);
        }
        thread::sleep(PAUSE);
    }
}

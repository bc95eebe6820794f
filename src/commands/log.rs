//! `log`: what was sent to whom, and what became of it. Reads only.

use std::{collections::HashSet, time::Duration};

use anstyle::Style;
use anyhow::Result;
use chrono::{DateTime, Utc};

use super::{
    cause,
    session::{self, Ground},
    user,
};
use crate::{
    cli::{self, Format},
    config::Config,
    db::{self, Db},
    exit::Exit,
    interrupt::Interrupt,
    ledger::{
        REMINDER,
        delivery::Delivery,
        journal::{self, Wanted},
        status,
    },
    output,
    platform::{self, profile},
    table::{self, Cell, Table},
    time::{Zone, to_the_second},
};

/// How often `--follow` looks.
const EVERY: Duration = Duration::from_secs(1);

/// What happened this long ago may only now be seen: hosts' clocks differ, and a transaction takes its time.
const LATE: chrono::Duration = chrono::Duration::minutes(1);

pub fn run(config: &Config, args: &cli::Log) -> Result<Exit> {
    let mut db = db::open(&config.database)?;
    let zone = platform::zone(config, &mut db)?;
    let wanted = wanted(&mut db, args, zone)?;
    let done = match args.follow {
        true => follow(&mut db, config, args, &wanted, zone),
        false => show(&mut db, args, &wanted, zone),
    };
    done.map_err(|error| cause::explain(&mut db, error, "could not read the ledger"))
}

fn wanted(db: &mut Db, args: &cli::Log, zone: Zone) -> Result<Wanted> {
    if let Some(session) = args.session {
        session::check(db, session, zone)?;
    }
    let user = args
        .user
        .as_deref()
        .map(|who| user(db, who, zone))
        .transpose()?;
    Ok(Wanted {
        session: args.session,
        user,
        states: args.status.clone(),
        channel: args.channel,
        since: args.since.map(|since| since.instant(zone, Utc::now())),
    })
}

/// The user that `who` names. Of one who is gone the ledger still knows; where the platform cannot be read, any id may
/// be right.
fn user(db: &mut Db, who: &str, zone: Zone) -> Result<i64> {
    let who = who.trim();
    let id: Option<i64> = who.parse().ok();
    let Ok(ground) = Ground::read(db) else {
        return id.ok_or_else(|| profile::unknown(who));
    };
    match (user::find(db, &ground, who)?, id) {
        (Some(user), _) => Ok(user),
        (None, Some(id)) if has_rows(db, id, zone) => Ok(id),
        _ => Err(user::unknown(&ground, who)),
    }
}

fn has_rows(db: &mut Db, user: i64, zone: Zone) -> bool {
    let wanted = Wanted {
        user: Some(user),
        ..Wanted::default()
    };
    journal::newest(db, &wanted, 1, zone, Utc::now()).is_ok_and(|rows| !rows.is_empty())
}

fn show(db: &mut Db, args: &cli::Log, wanted: &Wanted, zone: Zone) -> Result<Exit> {
    let entries = journal::newest(db, wanted, args.limit, zone, Utc::now())?;
    let now = Utc::now();
    match args.format {
        Format::Json => entries.iter().try_for_each(output::json)?,
        Format::Text if entries.is_empty() => output::line(&"nothing")?,
        Format::Text => output::line(&filled(titles(), &entries, zone, now))?,
    }
    Ok(Exit::Ok)
}

/// Prints the last rows, oldest first, and then what happens to whichever row, until nobody reads or a signal comes.
fn follow(
    db: &mut Db,
    config: &Config,
    args: &cli::Log,
    wanted: &Wanted,
    zone: Zone,
) -> Result<Exit> {
    let interrupt = Interrupt::default();
    interrupt.listen();
    let mut known = changed(db, config, wanted, zone)?;
    let mut last = journal::newest(db, wanted, args.limit, zone, Utc::now())?;
    last.reverse();
    let mut table = titles();
    print(args.format, &mut table, &last, zone)?;
    known.extend(last);
    let mut known: HashSet<Delivery> = known.into_iter().collect();
    while output::wait(EVERY) && !interrupt.came() {
        let mut changed = changed(db, config, wanted, zone)?;
        let now_known = changed.iter().cloned().collect();
        changed.retain(|entry| !known.contains(entry));
        print(args.format, &mut table, &changed, zone)?;
        known = now_known;
    }
    Ok(Exit::Ok)
}

fn changed(db: &mut Db, config: &Config, wanted: &Wanted, zone: Zone) -> Result<Vec<Delivery>> {
    let since = Utc::now() - LATE;
    let look = |db: &mut Db| journal::changed(db, wanted, zone, since);
    Ok(db::again(db, &config.database, look)?)
}

/// Prints rows below those that were printed before.
fn print(format: Format, table: &mut Table, entries: &[Delivery], zone: Zone) -> Result<()> {
    if format == Format::Json {
        return entries.iter().try_for_each(output::json);
    }
    let rows = filled(std::mem::take(table), entries, zone, Utc::now());
    if !rows.is_empty() {
        output::line(&rows)?;
    }
    *table = rows.below();
    Ok(())
}

fn titles() -> Table {
    Table::titled(["id", "time", "session", "user", "channel", "status", "to"])
}

fn filled(mut table: Table, entries: &[Delivery], zone: Zone, now: DateTime<Utc>) -> Table {
    for entry in entries {
        table.row([
            Cell::number(entry.id),
            Cell::new(to_the_second(entry.at(), zone, now)),
            Cell::number(entry.session_id),
            Cell::number(entry.user_id),
            Cell::new(&entry.channel),
            state(entry),
            Cell::new(prose(entry)),
        ]);
    }
    table
}

pub(super) fn state(entry: &Delivery) -> Cell {
    Cell::new(entry.state()).styled(style(&entry.status))
}

/// The colour of a status.
pub(super) fn style(status: &str) -> Style {
    match status {
        status::SENT => table::GOOD,
        status::FAILED | status::MISSED | status::UNKNOWN => table::BAD,
        _ => table::FAINT,
    }
}

/// Where it went, what it was unless a reminder, and what was last in its way.
fn prose(entry: &Delivery) -> String {
    let to = entry.to().unwrap_or_else(|| "-".into());
    let kind = (entry.kind != REMINDER).then(|| format!("({})", entry.kind));
    let parts = [Some(to), kind, entry.fault()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

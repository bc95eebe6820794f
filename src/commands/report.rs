//! `report`: whom the reminder of one session has reached, name by name, as its teacher would want it. Reads only.

mod people;
mod reach;
mod sheet;
mod summary;

use std::fmt;

use anyhow::{Context, Result};
use chrono::Utc;
use diesel::QueryResult;
use serde::Serialize;

use self::{
    people::{People, Row},
    summary::Summary,
};
use super::{
    cause,
    session::{self, Ground, Session},
};
use crate::{
    cli::{self, ReportFormat},
    config::Config,
    db::{self, Db},
    exit::{self, Exit},
    ledger::Scope,
    legacy::Entry,
    output,
    pass::Pass,
    platform,
    table::{Cell, Table, prose},
    text,
    time::Clock,
};

pub fn run(config: &Config, args: &cli::Report) -> Result<Exit> {
    let host = Utc::now();
    let mut db = db::open(&config.database)?;
    let zone = platform::zone(config, &mut db)?;
    let clock = Clock::starting_at(args.now.unwrap_or(host), host);
    let pass = Pass::to_look(config, zone, clock, Scope::default());
    let report = Report::read(&mut db, &pass, args.session)
        .map_err(|error| cause::of_ledger(&mut db, error))?;
    match args.format {
        ReportFormat::Text => output::line(&report)?,
        ReportFormat::Csv => output::line(&sheet::csv(&report, zone)?)?,
        ReportFormat::Json => output::json(&report)?,
    }
    Ok(Exit::Ok)
}

/// What `report --format json` prints.
#[derive(Serialize)]
struct Report {
    session: Session,
    participants: Vec<Row>,
    summary: Summary,
    /// What the rows do not say.
    notes: Vec<String>,
    #[serde(skip)]
    starts: String,
}

impl Report {
    /// # Errors
    /// When there is no such session; with 78 before `migrate`.
    fn read(db: &mut Db, pass: &Pass, id: i64) -> Result<Self> {
        let ground = Ground::read(db)?;
        if !ground.has_view || !ground.has_ledger {
            let text = "there is no record of reminders yet: run `reminders migrate`";
            return Err(exit::error(Exit::Config, text));
        }
        let session = session::find(db, &ground, id, pass.zone, pass.clock.start())?;
        let people = People::read(db, id).context("could not read who was told")?;
        let rows = people.rows(&session, pass);
        Ok(Self {
            summary: Summary::of(&rows),
            notes: notes(db, &ground, &session, &people, pass)?,
            starts: session.starts(pass.zone),
            participants: rows,
            session,
        })
    }
}

fn notes(
    db: &mut Db,
    ground: &Ground,
    session: &Session,
    people: &People,
    pass: &Pass,
) -> QueryResult<Vec<String>> {
    let mut notes = Vec::new();
    if people.is_empty() {
        notes.push(
            "nobody takes part any more: it was cancelled or deleted, or all have left".into(),
        );
    }
    if ground.has_log {
        notes.extend(by_laravel(db, session, pass)?);
    }
    Ok(notes)
}

/// Laravel's log has no names.
fn by_laravel(db: &mut Db, session: &Session, pass: &Pass) -> QueryResult<Option<String>> {
    let (Some(start), Some(window)) = (session.start(pass.zone), pass.legacy_window()) else {
        return Ok(None);
    };
    let Some(mut entry) = Entry::read(db, session.id)? else {
        return Ok(None);
    };
    entry.ask(db, session.id, &window)?;
    let at = text::one_line(&entry.sent_at, 30);
    let by_laravel = entry.tells(start, &window, pass.zone);
    Ok(by_laravel.then(|| {
        format!("Laravel has reminded of this session at {at}; whom it reached is not recorded")
    }))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = format!("{}, {}", self.session.name(), self.starts);
        writeln!(f, "{}\n", prose([title]))?;
        if !self.participants.is_empty() {
            writeln!(f, "{}\n", self.participants())?;
        }
        let summary = self.summary.to_string();
        prose(self.notes.iter().cloned().chain([summary])).fmt(f)
    }
}

impl Report {
    fn participants(&self) -> Table {
        let mut table = Table::titled(["name", "mail", "WhatsApp", ""]);
        for row in &self.participants {
            let (mail, whatsapp) = (row.mail.state.cell(), row.whatsapp.state.cell());
            let name = Cell::cut(&row.name, 30);
            table.row([name, mail, whatsapp, Cell::new(row.remarks())]);
        }
        table
    }
}

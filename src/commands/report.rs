//! `report`: whom the reminder of one session has reached, name by name, as its teacher would want it. Reads only.

mod ending;
mod outlook;
mod people;
mod place;
mod prospect;
mod reach;
mod remarks;
mod sheet;
mod summary;
mod wait;

use std::fmt;

use anyhow::{Context, Result};
use chrono::Utc;
use diesel::QueryResult;
use serde::Serialize;

use self::{
    outlook::Outlook,
    people::{About, People, Row},
    place::Place,
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
    ledger::{Channel, Scope},
    legacy::Entry,
    output,
    pass::{Pass, take},
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
    let scope = Scope {
        session: Some(args.session),
        channel: None,
    };
    let pass = Pass::to_look(config, zone, clock, scope);
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
        let laravel = match ground.has_log {
            true => by_laravel(db, &session, pass)?,
            false => None,
        };
        let about = About {
            session: &session,
            pass,
            by_laravel: laravel.is_some(),
            place: Place::read(db, &ground, &session, !people.is_empty())?,
            outlook: Outlook::read(db, pass, &people).context("could not read what waits")?,
        };
        let rows = people.rows(&about);
        Ok(Self {
            summary: Summary::of(&rows),
            notes: notes(&about, &people, laravel),
            starts: session.starts(pass.zone),
            participants: rows,
            session,
        })
    }
}

fn notes(about: &About, people: &People, laravel: Option<String>) -> Vec<String> {
    let mut notes = Vec::new();
    if people.is_empty() {
        notes.push(nobody(about, people).to_owned());
    }
    if let (Some(digits), None) = (&about.session.scheduled_at, about.start()) {
        notes.push(take::no_time(digits).reason);
    }
    // Its log has no names.
    notes.extend(laravel.map(|at| {
        format!("Laravel has reminded of this session at {at}; whom it reached is not recorded")
    }));
    let wanted = Channel::ALL.into_iter().filter(|one| people.want(*one));
    notes.extend(wanted.filter_map(|one| about.pass.silent(one)));
    notes
}

/// Why nobody takes part.
fn nobody<'a>(about: &'a About, people: &People) -> &'a str {
    match (&about.place, people.deliveries().next()) {
        (Place::Not { why, .. }, _) => why,
        (Place::Taken, None) => "nobody takes part",
        (Place::Taken, Some(_)) => "nobody takes part any more: all have left",
        (Place::Unknown, _) => {
            "nobody takes part any more: it was cancelled or deleted, or all have left"
        }
    }
}

/// When Laravel has reminded of the session, if it has.
fn by_laravel(db: &mut Db, session: &Session, pass: &Pass) -> QueryResult<Option<String>> {
    let (Some(start), Some(window)) = (session.start(pass.zone), pass.legacy_window()) else {
        return Ok(None);
    };
    let entry = Entry::known(db, session.id, &window, true)?;
    let by_laravel = entry.filter(|entry| entry.tells(start, &window, pass.zone));
    Ok(by_laravel.map(|entry| text::one_line(&entry.sent_at, 30)))
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

//! `explain`: why one person was, will or will not be told of one session. Reads only, and also before `migrate`.

mod case;
mod changed;
mod conclusion;
mod rules;

use std::fmt;

use anyhow::Result;
use chrono::{NaiveDateTime, Utc};
use serde::Serialize;

use self::{
    case::{Case, person::Person},
    conclusion::Conclusion,
    rules::{Rule, Verdict},
};
use super::cause;
use crate::{
    cli,
    commands::{log, session::Session},
    config::Config,
    db,
    exit::Exit,
    ledger::{Scope, delivery::Delivery, status},
    output,
    pass::Pass,
    platform,
    table::{self, Cell, Table},
    time::{Clock, Zone, when},
};

pub fn run(config: &Config, args: &cli::Explain) -> Result<Exit> {
    let host = Utc::now();
    let mut db = db::open(&config.database)?;
    let zone = platform::zone(config, &mut db)?;
    let clock = Clock::starting_at(args.now.unwrap_or(host), host);
    let scope = Scope {
        session: Some(args.session),
        channel: None,
    };
    let pass = Pass::to_look(config, zone, clock, scope);
    let case = Case::read(&mut db, &pass, args.session, &args.user)
        .map_err(|error| cause::of_ledger(&mut db, error))?;
    output::print(args.format, &Answer::new(case))?;
    Ok(Exit::Ok)
}

/// What `explain --format json` prints.
#[derive(Serialize)]
struct Answer {
    session: Session,
    user: Person,
    rules: Vec<Rule>,
    deliveries: Vec<Delivery>,
    conclusion: Vec<Conclusion>,
    #[serde(skip)]
    zone: Zone,
    #[serde(skip)]
    has_ledger: bool,
}

impl Answer {
    fn new(case: Case) -> Self {
        let rules = rules::all(&case);
        let conclusion = conclusion::all(&case, &rules);
        let changed = changed::rule(&case, &rules, &conclusion);
        Self {
            conclusion,
            rules: rules.into_all(changed),
            zone: case.pass.zone,
            has_ledger: case.ground.has_ledger,
            session: case.session,
            user: case.user,
            deliveries: case.deliveries,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.rules())?;
        match (self.has_ledger, self.deliveries.is_empty()) {
            (false, _) => writeln!(f, "no ledger yet: run `reminders migrate`\n")?,
            (true, true) => writeln!(f, "the ledger has no row for them\n")?,
            (true, false) => writeln!(f, "{}\n", self.deliveries())?,
        }
        let mut said = Table::new();
        for text in conclusion::texts(&self.conclusion) {
            said.row([Cell::new(text)]);
        }
        said.fmt(f)
    }
}

impl Answer {
    fn rules(&self) -> Table {
        let mut table = Table::new();
        for rule in &self.rules {
            let verdict = match rule.verdict {
                Verdict::Ok => Cell::new("ok").styled(table::GOOD),
                Verdict::No => Cell::new("no").styled(table::BAD),
                Verdict::None => Cell::new("–").styled(table::FAINT),
            };
            let name = rule.rule.replace('_', " ");
            table.row([verdict, Cell::new(name), Cell::new(&rule.text)]);
        }
        table
    }

    fn deliveries(&self) -> Table {
        let mut table = Table::titled(["id", "channel", "kind", "status", "what"]);
        for row in &self.deliveries {
            let status = Cell::new(&row.status).styled(log::style(&row.status));
            let (channel, kind) = (Cell::new(&row.channel), Cell::new(&row.kind));
            let what = Cell::new(story(row, self.zone));
            table.row([Cell::number(row.id), channel, kind, status, what]);
        }
        table
    }
}

/// All that a row says beside its columns.
fn story(row: &Delivery, zone: Zone) -> String {
    let time = |time: &NaiveDateTime| when(zone.0, time.and_utc());
    let sent = row.sent_at.as_ref().filter(|_| row.is_sent());
    let words = [
        Some(format!("for {}", row.scheduled_at)),
        sent.map(|at| format!("sent {}", time(at))),
        row.host().map(|host| format!("by {host}")),
        row.message_id.clone(),
        row.delivery_status.clone(),
        Some(format!("attempts {}", row.attempts)),
        row.fault(),
        (row.status == status::PENDING)
            .then_some(row.next_attempt_at.as_ref())
            .flatten()
            .map(|at| format!("next attempt {}", time(at))),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    words.join(", ")
}

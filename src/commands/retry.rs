//! `retry`: puts what has failed, or what nobody knows of, back to be sent.

use std::{collections::HashMap, fmt};

use anyhow::Result;
use chrono::{DateTime, SubsecRound, Utc};
use diesel::QueryResult;
use log::warn;
use serde::Serialize;

use super::{cause, session};
use crate::{
    cli,
    config::Config,
    db::{self, AT_ONCE, Db},
    exit::Exit,
    ledger::{
        self, Channel, Scope,
        claim::{self, Row},
        delivery::Delivery,
        journal, retry, status,
    },
    outcome::Fault,
    output,
    pass::{Pass, again},
    platform, table,
    time::{Clock, Zone, when},
};

/// What became of the wish to send one message again.
#[derive(Debug, Serialize)]
struct Answer {
    id: i64,
    session_id: Option<i64>,
    user_id: Option<i64>,
    channel: Option<String>,
    /// Whether it waits to be sent now.
    waits: bool,
    text: String,
}

/// All of them, in the order of the ids.
#[derive(Serialize)]
#[serde(transparent)]
struct Answers(Vec<Answer>);

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing has failed of what is still ahead");
        }
        table::prose(self.0.iter().map(Answer::line)).fmt(f)
    }
}

impl Answer {
    fn new(id: i64, entry: Option<&Delivery>, waits: bool, text: impl Into<String>) -> Self {
        Self {
            id,
            session_id: entry.map(|entry| entry.session_id),
            user_id: entry.map(|entry| entry.user_id),
            channel: entry.map(|entry| entry.channel.clone()),
            waits,
            text: text.into(),
        }
    }

    fn line(&self) -> String {
        let id = self.id;
        let text = &self.text;
        match (&self.channel, self.session_id, self.user_id) {
            (Some(channel), Some(session), Some(user)) => {
                format!("{id}: {channel} for session {session}, user {user}: {text}")
            }
            _ => format!("{id}: {text}"),
        }
    }
}

pub fn run(config: &Config, args: &cli::Retry) -> Result<Exit> {
    let mut db = db::open(&config.database)?;
    let zone = platform::zone(config, &mut db)?;
    if let Some(session) = args.session {
        session::check(&mut db, session, zone)?;
    }
    let pass = pass(config, zone);
    let answers = put_back(&mut db, &pass, args);
    let answers = answers
        .map_err(|error| cause::explain(&mut db, error.into(), "could not put them back"))?;
    warn_of_channels(&pass, &answers);
    let exit = match answers.iter().all(|answer| answer.waits) {
        true => Exit::Ok,
        false => Exit::Failed,
    };
    output::print(args.format, &Answers(answers))?;
    Ok(exit)
}

/// A pass that judges and sends nothing.
fn pass(config: &Config, zone: Zone) -> Pass<'_> {
    let now = Utc::now();
    Pass::to_look(config, zone, Clock::starting_at(now, now), Scope::default())
}

fn put_back(db: &mut Db, pass: &Pass, args: &cli::Retry) -> QueryResult<Vec<Answer>> {
    let now = Utc::now().trunc_subsecs(0);
    let mut ids = args.ids.clone();
    if args.failed {
        let from = pass.zone.wall(now);
        ids = retry::candidates(db, args.session, args.even_if_in_doubt, from)?;
    }
    ids.sort_unstable();
    ids.dedup();
    let mut answers = Vec::new();
    for ids in ids.chunks(AT_ONCE) {
        let batch = |db: &mut Db| batch(db, pass, ids, args.even_if_in_doubt, now);
        answers.extend(db::write(db, batch)?);
    }
    Ok(answers)
}

/// What is to be done with a row, in words.
enum Verdict {
    Again(String),
    /// It waits, or is on its way, already.
    Waits(String),
    No(String),
}

/// Looks at these rows and puts those back that can be sent. In a transaction.
fn batch(
    db: &mut Db,
    pass: &Pass,
    ids: &[i64],
    even_if_in_doubt: bool,
    now: DateTime<Utc>,
) -> QueryResult<Vec<Answer>> {
    let entries = journal::of(db, ids)?;
    let entries: HashMap<i64, Delivery> =
        entries.into_iter().map(|entry| (entry.id, entry)).collect();
    let rows: Vec<(Channel, Row)> = claim::rows(db, ids)?
        .into_iter()
        .filter_map(|row| Some((entries.get(&row.id)?.channel()?, row)))
        .collect();
    let refusals = again::refusals(db, pass, &rows, now)?;
    let rows: HashMap<i64, &Row> = rows.iter().map(|(_, row)| (row.id, row)).collect();
    let decide = |id: &i64| match (entries.get(id), rows.get(id)) {
        (Some(entry), Some(row)) => {
            let doubt = row.in_doubt_since().is_some() && entry.sent_at.is_none();
            let fault = refusals.get(id).map(|(_, fault)| fault);
            decide(entry, fault, doubt, even_if_in_doubt)
        }
        _ => Verdict::No("there is no such message: `reminders log` has the ids".into()),
    };
    let verdicts: Vec<(i64, Verdict)> = ids.iter().map(|id| (*id, decide(id))).collect();
    let again = verdicts
        .iter()
        .filter(|(_, verdict)| matches!(verdict, Verdict::Again(_)));
    let again: Vec<i64> = again.map(|(id, _)| *id).collect();
    retry::put_back(db, &again, now)?;
    let holds = holds(db, pass, now)?;
    let answer = |(id, verdict): (i64, Verdict)| {
        let entry = entries.get(&id);
        let waits = !matches!(verdict, Verdict::No(_));
        let hold = entry.filter(|entry| waits && entry.status != status::SENDING);
        let hold = hold.and_then(|entry| holds.get(entry.channel.as_str()));
        let (Verdict::Again(text) | Verdict::Waits(text) | Verdict::No(text)) = verdict;
        Answer::new(id, entry, waits, text + hold.map_or("", String::as_str))
    };
    Ok(verdicts.into_iter().map(answer).collect())
}

/// Until when what waits on a channel does so that broke down, in words.
fn holds(
    db: &mut Db,
    pass: &Pass,
    now: DateTime<Utc>,
) -> QueryResult<HashMap<&'static str, String>> {
    let mut holds = HashMap::new();
    for channel in Channel::ALL {
        if let Some(hold) = ledger::held(db, channel, now)? {
            let until = when(pass.zone.0, hold.until);
            let words = format!(", not before {until}: {}", hold.reason);
            holds.insert(channel.name(), words);
        }
    }
    Ok(holds)
}

fn decide(
    entry: &Delivery,
    refusal: Option<&Fault>,
    doubt: bool,
    even_if_in_doubt: bool,
) -> Verdict {
    match (entry.status.as_str(), refusal) {
        (status::PENDING, _) => Verdict::Waits("waits to be sent already".into()),
        (status::SENDING, _) if entry.is_in_doubt() => Verdict::Waits(
            "may have arrived: a pass looks after it when its lease of two minutes is over".into(),
        ),
        (status::SENDING, _) => Verdict::Waits("is being sent".into()),
        (status::FAILED | status::UNKNOWN, None) => in_doubt(entry, doubt, even_if_in_doubt),
        (status::FAILED | status::UNKNOWN, Some(fault)) => {
            let cure = cure(&fault.code, entry.user_id);
            Verdict::No(format!("is not sent again: {}{cure}", fault.reason))
        }
        (status::MISSED, Some(fault)) => {
            let why = &fault.reason;
            Verdict::No(format!("was missed, and is not sent later: {why}"))
        }
        (status::MISSED, None) => {
            let text = "was missed, and is not sent later (REMINDER_CATCH_UP says how late a reminder may go)";
            Verdict::No(text.into())
        }
        (other, _) => {
            let fault = entry.fault().map(|fault| format!(" ({fault})"));
            Verdict::No(format!("was {other} already{}", fault.unwrap_or_default()))
        }
    }
}

/// A WhatsApp message in doubt is looked for before it is sent; of a mail nobody knows.
fn in_doubt(entry: &Delivery, doubt: bool, even_if_in_doubt: bool) -> Verdict {
    let mail = entry.channel() == Some(Channel::Mail);
    match (doubt, mail) {
        (false, _) => Verdict::Again("waits to be sent again".into()),
        (true, false) => Verdict::Again("waits to be sent again, unless Twilio has it".into()),
        (true, true) if even_if_in_doubt => {
            let text = "waits to be sent again, under the same Message-ID; it may arrive twice";
            Verdict::Again(text.into())
        }
        (true, true) => Verdict::No(
            "may have arrived: look in the mail server's log; --even-if-in-doubt sends it once more, under the same Message-ID"
                .into(),
        ),
    }
}

/// What helps before a retry does.
fn cure(code: &str, user: i64) -> String {
    match code {
        "opted_out" => format!(": `reminders opt-in {user}` first"),
        "phone" => format!(": `reminders opt-in {user} --phone NUMBER` first"),
        _ => String::new(),
    }
}

/// What waits on a channel that cannot send waits in vain.
fn warn_of_channels(pass: &Pass, answers: &[Answer]) {
    for channel in Channel::ALL {
        let name = channel.name();
        let waits = |answer: &Answer| answer.waits && answer.channel.as_deref() == Some(name);
        match pass.off(channel) {
            _ if !answers.iter().any(waits) => {}
            Some(why) => warn!("{name} is off ({why}): nothing is sent there"),
            None if pass.is_broken(channel) => {
                warn!("{name} has wrong settings, and sends nothing: see `reminders check`");
            }
            None => {}
        }
    }
}

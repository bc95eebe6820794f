//! What became of a message on trial.

use std::fmt;

use anyhow::Result;
use serde::Serialize;

use crate::{
    exit::{self, Exit},
    outcome::{Fault, Outcome},
    table::{self, Cell, Table},
};

const NO_TEMPLATE: &str =
    "none: free text arrives in the sandbox, or within 24 hours after the recipient wrote";

/// What is to be sent, and how.
#[derive(Default, Serialize)]
pub struct Plan {
    pub channel: &'static str,
    pub transport: String,
    /// Of the connection to a mail server, as it was agreed; `None` where none was made.
    pub encryption: Option<&'static str>,
    /// The approved template, where it is none of our own words.
    pub template: Option<String>,
    pub from: Option<String>,
    /// Whom it is meant for, and who gets it instead.
    pub to: String,
    pub redirected_to: Option<String>,
}

/// What `test` prints.
#[derive(Serialize)]
pub struct Trial {
    #[serde(flatten)]
    plan: Plan,
    /// Its Message-ID, or Twilio's SID.
    pub message_id: Option<String>,
    /// What Twilio said of it, one after the other.
    statuses: Vec<String>,
    result: End,
    code: Option<String>,
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum End {
    Sent,
    /// By or because of this recipient.
    Failed,
    /// It may or may not have been sent.
    InDoubt,
    /// Nobody else's would have been sent either.
    Stopped,
}

/// An error for an address or number that is none: what is wrong with it, without the advice to those who keep it in a
/// database.
pub fn wrong(reason: &str, cure: &str) -> anyhow::Error {
    let what = reason.split(':').next().unwrap_or_default();
    exit::error(Exit::Usage, format!("{what}: {cure}"))
}

impl Trial {
    pub fn new(plan: Plan, outcome: Outcome) -> Self {
        let mut trial = Self {
            plan,
            message_id: None,
            statuses: Vec::new(),
            result: End::Stopped,
            code: None,
            reason: None,
        };
        trial.note(outcome);
        trial
    }

    /// What has become of it so far.
    pub fn note(&mut self, outcome: Outcome) {
        let (end, fault) = match outcome {
            Outcome::Sent { message_id, status } => {
                self.message_id = Some(message_id);
                if let Some(status) = status {
                    self.heard(&status);
                }
                (End::Sent, None)
            }
            Outcome::Failed(fault)
            | Outcome::Refused(fault)
            | Outcome::OptedOut(fault)
            | Outcome::Missed(fault)
            | Outcome::Cancelled(fault) => (End::Failed, Some(fault)),
            Outcome::InDoubt(fault) => (End::InDoubt, Some(fault)),
            Outcome::Retry { fault, .. } | Outcome::Busy(fault) | Outcome::Stopped(fault) => {
                (End::Stopped, Some(fault))
            }
        };
        self.result = end;
        (self.code, self.reason) = fault.map(|fault| (fault.code, fault.reason)).unzip();
    }

    pub fn heard(&mut self, status: &str) {
        let is_new = self.statuses.last().is_none_or(|last| last != status);
        if is_new && !status.is_empty() {
            self.statuses.push(status.to_owned());
        }
    }

    /// It was taken, and nothing more is known.
    pub fn unfollowed(&mut self, fault: &Fault) {
        self.statuses.push(format!("unknown ({fault})"));
    }

    pub fn end(&self) -> Result<Exit> {
        let exit = match self.result {
            End::Sent => return Ok(Exit::Ok),
            End::Failed => Exit::Failed,
            End::InDoubt | End::Stopped => Exit::TryLater,
        };
        let (code, reason) = (self.code.as_deref(), self.reason.as_deref());
        let why = format!(
            "{}: {}",
            code.unwrap_or_default(),
            reason.unwrap_or_default()
        );
        Err(exit::error(exit, format!("{}: {why}", self.sentence())))
    }

    fn sentence(&self) -> &'static str {
        match (self.result, &self.message_id) {
            (End::Sent, _) => "sent",
            (End::InDoubt, _) => "in doubt",
            (_, Some(_)) => "taken by Twilio and not delivered",
            (_, None) => "not sent",
        }
    }

    /// What is worth knowing of it, in the order in which it happened.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let plan = &self.plan;
        let redirected = |to: &String| format!("to {to} instead, as the settings say");
        let free = (plan.channel == "whatsapp").then(|| NO_TEMPLATE.to_owned());
        let template = plan.template.clone().or(free);
        let statuses = Some(self.statuses.join(", then "));
        let facts = [
            ("by", Some(plan.transport.clone())),
            ("encryption", plan.encryption.map(str::to_owned)),
            ("template", template),
            ("from", plan.from.clone()),
            ("to", Some(plan.to.clone())),
            ("redirected", plan.redirected_to.as_ref().map(redirected)),
            ("id", self.message_id.clone()),
            ("status", statuses.filter(|statuses| !statuses.is_empty())),
        ];
        let known = |(name, text): (_, Option<String>)| Some((name, text?));
        facts.into_iter().filter_map(known).collect()
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        for (name, text) in self.facts() {
            table.row([Cell::new(name), Cell::new(text)]);
        }
        let style = match self.result {
            End::Sent => table::GOOD,
            End::InDoubt => table::DOUBTFUL,
            End::Failed | End::Stopped => table::BAD,
        };
        table.row([
            Cell::new("result"),
            Cell::new(self.sentence()).styled(style),
        ]);
        table.fmt(f)
    }
}

//! What Twilio says of the account, its senders and its templates, when `check` asks. Nothing is sent.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::Error;
use ureq::http::{StatusCode, header};

use super::code::{NO_ACCOUNT, NOT_ALLOWED};
use super::error::Answer;
use super::twilio::{Twilio, unreachable};
use crate::outcome::Fault;

/// Somebody waits for the answer.
const LIMIT: Duration = Duration::from_secs(5);
/// A page of a thousand senders.
const MAX_ANSWER: u64 = 8 * 1024 * 1024;

const NO_ANSWER: &str = "this is no answer of Twilio's API: check TWILIO_API_BASE";
const NO_TEMPLATE: &str = "the account has no such template";

/// Every field may be null.
#[derive(Deserialize)]
pub struct Account {
    /// `active`, `suspended` or `closed`.
    pub status: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Account {
    pub fn is_trial(&self) -> bool {
        self.kind.as_deref() == Some("Trial")
    }
}

#[derive(Deserialize)]
struct Senders {
    senders: Vec<Sender>,
}

#[derive(Deserialize)]
struct Sender {
    sender_id: Option<String>,
    status: Option<String>,
}

/// A template, and what WhatsApp has decided about it.
pub struct Template {
    pub approval: Approval,
    /// The numbers of the variables in its text.
    pub variables: BTreeSet<u32>,
    /// Its code, as Meta has it: `id`, `en`, `en_US` …
    pub language: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Approval {
    /// `unsubmitted`, `received`, `pending`, `approved`, `rejected`, `paused` or `disabled`.
    pub status: Option<String>,
    /// `UTILITY`, `MARKETING` …
    pub category: Option<String>,
    pub rejection_reason: Option<String>,
}

#[derive(Deserialize)]
struct Approvals {
    whatsapp: Option<Approval>,
}

#[derive(Deserialize)]
struct Content {
    types: Option<Value>,
    language: Option<String>,
}

impl Twilio {
    pub fn account(&self) -> Result<Account, Fault> {
        let url = self.url.trim_end_matches("/Messages.json");
        self.ask(&format!("{url}.json"), NO_ACCOUNT)
    }

    /// The status of our sender, `ONLINE` when all is well; `None`: Twilio lists no such sender of the account.
    pub fn sender(&self) -> Result<Option<String>, Fault> {
        let host = self.host("messaging");
        let url = format!("{host}/v2/Channels/Senders?Channel=whatsapp&PageSize=1000");
        let all: Senders = self.ask(&url, "Twilio has no list of senders here")?;
        let id = format!("whatsapp:{}", self.from);
        let mut ours = all.senders.into_iter();
        let ours = ours.find(|sender| sender.sender_id.as_deref() == Some(&id));
        Ok(ours.map(|sender| sender.status.unwrap_or_default()))
    }

    pub fn template(&self, sid: &str) -> Result<Template, Fault> {
        let url = format!("{}/v1/Content/{sid}", self.host("content"));
        let content: Content = self.ask(&url, NO_TEMPLATE)?;
        let approvals: Approvals = self.ask(&format!("{url}/ApprovalRequests"), NO_TEMPLATE)?;
        Ok(Template {
            approval: approvals.whatsapp.unwrap_or_default(),
            variables: variables(&content.types.unwrap_or_default().to_string()),
            language: content.language,
        })
    }

    /// Twilio has a host for each part of its API. Where `TWILIO_API_BASE` is not Twilio's own, one host stands for
    /// all: a proxy, or a test.
    fn host(&self, part: &str) -> String {
        match self.base.as_str() {
            "https://api.twilio.com" => format!("https://{part}.twilio.com"),
            other => other.to_owned(),
        }
    }

    /// `absent`: what a 404 means.
    fn ask<T: DeserializeOwned>(&self, url: &str, absent: &str) -> Result<T, Fault> {
        let (status, body) = self.read(url).map_err(|error| unreachable(&error))?;
        let fault = |words| self.clean(Answer::read(status.as_u16(), None, &body).fault(words));
        match status.as_u16() {
            200 => serde_json::from_slice(&body).map_err(|_| fault(NO_ANSWER)),
            401 | 403 => Err(fault(NOT_ALLOWED)),
            404 => Err(fault(absent)),
            429 | 500.. => Err(fault("Twilio cannot answer now")),
            _ => Err(fault(NO_ANSWER)),
        }
    }

    fn read(&self, url: &str) -> Result<(StatusCode, Vec<u8>), Error> {
        let request = self.agent.get(url).config();
        let request = request.timeout_global(Some(LIMIT)).build();
        let call = request.header(header::AUTHORIZATION, &self.authorization);
        let mut response = call.call()?;
        let body = response.body_mut().with_config().limit(MAX_ANSWER);
        let body = body.read_to_vec()?;
        Ok((response.status(), body))
    }
}

/// The numbers of `{{1}}`, `{{2}}` … in a text.
fn variables(text: &str) -> BTreeSet<u32> {
    let parts = text.split("{{").skip(1);
    let names = parts.filter_map(|part| part.split_once("}}"));
    names
        .filter_map(|(name, _)| name.trim().parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_of_a_template_are_numbers_in_double_braces() {
        let found = |text| variables(text).into_iter().collect::<Vec<_>>();
        assert_eq!(found("Halo {{1}}, {{ 3 }} {{2}} {{1}}"), [1, 2, 3]);
        assert_eq!(found("{1} {{name}} {{}} {{4"), [0; 0]);
    }
}

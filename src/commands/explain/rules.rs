//! The rules in the order in which they are applied, each with the value that it looked at.

mod how;
mod when;
mod who;

use serde::Serialize;

use super::case::Case;
use crate::ledger::Channel;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It lets the person be told.
    Ok,
    No,
    /// It does not apply, or nobody knows.
    None,
}

#[derive(Debug, Clone, Serialize)]
pub struct Rule {
    pub rule: &'static str,
    pub verdict: Verdict,
    pub text: String,
}

impl Rule {
    fn new(rule: &'static str, verdict: Verdict, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            rule,
            verdict,
            text,
        }
    }

    pub fn holds(rule: &'static str, holds: bool, text: impl Into<String>) -> Self {
        let verdict = if holds { Verdict::Ok } else { Verdict::No };
        Self::new(rule, verdict, text)
    }

    pub fn none(rule: &'static str, text: impl Into<String>) -> Self {
        Self::new(rule, Verdict::None, text)
    }

    pub fn is_no(&self) -> bool {
        self.verdict == Verdict::No
    }
}

/// The rules, by what they are about.
pub struct Rules {
    /// Whether the person takes part in a session that takes place.
    who: Vec<Rule>,
    /// The view's answer, and whether the start is a time: these decide.
    listed: Rule,
    start: Rule,
    when: Vec<Rule>,
    /// The channels, in the order of [`Channel::ALL`].
    how: Vec<(Channel, Vec<Rule>)>,
}

impl Rules {
    /// Why the person is not told on any channel, whenever.
    pub fn barred(&self) -> Option<&str> {
        let why = match (self.listed.verdict, self.start.is_no()) {
            (Verdict::Ok, start) => start.then_some(&self.start),
            // A view that lists the person although its tables say no is older than they; one that is not made yet will
            // say what they say.
            (_, _) => {
                let no = self.who.iter().find(|rule| rule.is_no());
                let no = no.or(self.listed.is_no().then_some(&self.listed));
                no.or(self.start.is_no().then_some(&self.start))
            }
        };
        why.map(|rule| rule.text.as_str())
    }

    /// Why not on one channel.
    pub fn barred_on(&self, channel: Channel) -> Option<&str> {
        let (_, rules) = self.how.iter().find(|(of, _)| *of == channel)?;
        let bars = |rule: &&Rule| rule.is_no() && rule.rule != how::BUDGET;
        let no = rules.iter().find(bars);
        no.map(|rule| rule.text.as_str())
    }

    /// Why the person is not told that the session is cancelled.
    pub fn person(&self) -> Option<&str> {
        let mut person = self.who.iter().skip_while(|rule| rule.rule != who::USER);
        let no = person.find(|rule| rule.is_no());
        no.map(|rule| rule.text.as_str())
    }

    /// `changed`: whether what the person was told is still so.
    pub fn into_all(self, changed: Rule) -> Vec<Rule> {
        let mut all = self.who;
        all.extend([self.listed, self.start, changed]);
        all.extend(self.when);
        all.extend(self.how.into_iter().flat_map(|(_, rules)| rules));
        all
    }
}

pub fn all(case: &Case) -> Rules {
    let who = who::rules(case);
    let listed = who::listed(case, who.iter().any(Rule::is_no));
    let how = |channel| (channel, how::rules(case, channel));
    Rules {
        listed,
        start: when::start(case),
        when: when::rules(case),
        how: Channel::ALL.into_iter().map(how).collect(),
        who,
    }
}

//! Whether what the user was told is still so; and if not, by which channels they hear of it. (When that is, and what
//! has become of it, the conclusion says.)

mod change;

pub use self::change::Change;
use self::change::{HEARS, Heard};
use super::{
    case::Case,
    conclusion::Conclusion,
    rules::{Rule, Rules},
};
use crate::ledger::Channel;

const RULE: &str = "changed";

pub fn rule(case: &Case, rules: &Rules, said: &[Conclusion]) -> Rule {
    let told = |channel| Some((channel, case.told(channel)?));
    let told: Vec<_> = Channel::ALL.into_iter().filter_map(told).collect();
    if told.is_empty() {
        return Rule::none(RULE, "nobody has told the user anything yet");
    }
    let change = |(channel, row)| Change::new(case, rules, channel, row);
    let changes: Vec<Change> = told.into_iter().filter_map(change).collect();
    let Some(first) = changes.first() else {
        return Rule::holds(RULE, true, "what the user was told is still so");
    };
    if !case.pass.config.reminder.corrections {
        let was = first.was();
        let text = format!(
            "the user was told {was}, and does not hear of the change: REMINDER_CORRECTIONS is off"
        );
        return Rule::none(RULE, text);
    }
    let heard: Vec<_> = changes.iter().map(|change| change.heard(said)).collect();
    let text = format!("the user was told {}", alike(&changes, &heard).join("; "));
    match heard.iter().any(|heard| heard.verb == HEARS) {
        true => Rule::holds(RULE, true, text),
        false => Rule::none(RULE, text),
    }
}

/// A clause for each thing that is so, with its channels.
fn alike(changes: &[Change], heard: &[Heard]) -> Vec<String> {
    let mut clauses = Vec::new();
    for (at, one) in heard.iter().enumerate() {
        if heard[..at].contains(one) {
            continue;
        }
        let same = changes.iter().zip(heard).filter(|(_, other)| *other == one);
        let channels: Vec<_> = same.map(|(change, _)| change.channel.word()).collect();
        clauses.push(format!(
            "{}, and {} of the change by {}{}",
            one.was,
            one.verb,
            channels.join(" and "),
            one.rest
        ));
    }
    clauses
}

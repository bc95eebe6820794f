//! Whether a channel works, and reaches the person.

use super::{Case, Rule};
use crate::{
    config,
    ledger::Channel,
    pass::{budget::Day, line, wait::Wait},
    text,
    time::when,
};

/// The one rule of a channel that delays, and bars nobody.
pub const BUDGET: &str = "mail_budget";

/// Said of somebody who is in no table or view that there is to read.
const UNKNOWN: &str = "not known";

pub fn rules(case: &Case, channel: Channel) -> Vec<Rule> {
    let on = on(case, channel);
    match channel {
        Channel::Mail => {
            let address = reached(case, channel, "mail_address", &case.user.email);
            let budget = case.waits.budget().map(|day| budget(case, day));
            [Some(on), budget, Some(address)]
                .into_iter()
                .flatten()
                .collect()
        }
        Channel::Whatsapp => {
            let number = reached(case, channel, "whatsapp_phone", &case.user.phone);
            vec![on, opted_in(case, !number.is_no()), number]
        }
    }
}

fn on(case: &Case, channel: Channel) -> Rule {
    let name = channel.name();
    if let Some(why) = case.pass.off(channel) {
        return Rule::holds(name, false, format!("{name} is off ({why})"));
    }
    let problems = match (channel, &case.pass.config.mail, &case.pass.config.whatsapp) {
        (Channel::Mail, config::Channel::Broken(problems), _)
        | (Channel::Whatsapp, _, config::Channel::Broken(problems)) => problems.as_slice(),
        _ => &[],
    };
    if let Some(problem) = problems.first() {
        return Rule::holds(
            name,
            false,
            format!("the settings of {name} are wrong: {problem}"),
        );
    }
    let reminder = &case.pass.config.reminder;
    let redirected = match channel {
        Channel::Mail => reminder
            .redirect_mail
            .is_some()
            .then_some("REMINDER_REDIRECT_MAIL"),
        Channel::Whatsapp => reminder
            .redirect_whatsapp
            .is_some()
            .then_some("REMINDER_REDIRECT_WHATSAPP"),
    };
    match (case.waits.hold(channel), redirected) {
        (Some(hold), _) => {
            let why = Wait::Hold(hold).describe(case.pass.zone);
            Rule::none(name, format!("on, but waits: {why}"))
        }
        (None, Some(variable)) => Rule::holds(
            name,
            true,
            format!("on; everything goes to {variable} instead"),
        ),
        (None, None) => Rule::holds(name, true, "on"),
    }
}

/// Whether the day's limit lets one more leave now.
fn budget(case: &Case, day: &Day) -> Rule {
    let count = format!("{} of {} in the last 24 hours", day.spent, day.max);
    if case.waits.ahead.is_some() {
        let why = format!("{count}, and those who are due before the user use up the rest");
        return Rule::holds(BUDGET, false, why);
    }
    if !day.is_used_up() {
        return Rule::holds(BUDGET, true, count);
    }
    let free = day.free.map(|free| when(case.pass.zone.0, free));
    let free = free.map_or_else(String::new, |free| format!(", the next one from {free} on"));
    Rule::holds(BUDGET, false, format!("{count} (MAIL_MAX_PER_DAY){free}"))
}

fn opted_in(case: &Case, has_number: bool) -> Rule {
    let (rule, user) = ("whatsapp_opt_in", case.user.id);
    let number = if has_number { "" } else { " --phone NUMBER" };
    if case.has_stopped {
        let text = format!(
            "the user has told WhatsApp to stop; if that has changed: `reminders opt-in {user}{number}`"
        );
        return Rule::holds(rule, false, text);
    }
    if !case.user.exists {
        return Rule::none(rule, UNKNOWN);
    }
    match case.user.opted_in {
        true => Rule::holds(rule, true, "the user has opted in"),
        false => Rule::holds(
            rule,
            false,
            format!("the user has not opted in: `reminders opt-in {user}{number}`"),
        ),
    }
}

/// Whether what the user's record has can be written to.
fn reached(case: &Case, channel: Channel, rule: &'static str, typed: &str) -> Rule {
    if !case.user.exists {
        return Rule::none(rule, UNKNOWN);
    }
    match line::address(channel, typed, case.pass.config) {
        Ok(recipient) => Rule::holds(rule, true, text::mask(&recipient)),
        Err(fault) => Rule::holds(rule, false, fault.reason),
    }
}

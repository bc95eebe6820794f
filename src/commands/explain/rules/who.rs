//! Whether the person takes part in a session that takes place.

use super::{Case, Rule};
use crate::{
    platform::{facts::Fact, view},
    text,
};

/// The first rule about the person.
pub const USER: &str = "user";

pub fn rules(case: &Case) -> Vec<Rule> {
    let mut rules = vec![session(case)];
    rules.extend(case.of_session.iter().map(of_fact));
    rules.push(user(case));
    if case.ground.platform.is_some() && case.session.exists && case.user.exists {
        let text = match case.of_enrollment.is_empty() {
            true => "the user is not enrolled in the session's course",
            false => "the user is enrolled in the session's course",
        };
        let enrolled = !case.of_enrollment.is_empty();
        rules.push(Rule::holds("enrolled", enrolled, text));
    }
    rules.extend(case.of_enrollment.iter().map(of_fact));
    rules.extend(case.of_user.iter().map(of_fact));
    rules
}

fn session(case: &Case) -> Rule {
    let session = &case.session;
    if !session.exists {
        let text = format!("session {} is not there any more", session.id);
        return Rule::holds("session", false, text);
    }
    let Some(course) = &session.course else {
        // An operator's own view need not name one.
        let text = match case.ground.platform {
            None => session.name(),
            Some(_) => format!("{}: its course is not there any more", session.name()),
        };
        return Rule::holds("session", case.ground.platform.is_none(), text);
    };
    let course = text::one_line(course, 60);
    let text = format!("{}, course {course}", session.name());
    Rule::holds("session", true, text)
}

fn user(case: &Case) -> Rule {
    let user = &case.user;
    match (user.exists, &case.ground.platform) {
        (true, _) => Rule::holds(USER, true, format!("{}, user {}", user.name(), user.id)),
        (false, Some(_)) => {
            let text = format!("user {} is not there any more", user.id);
            Rule::holds(USER, false, text)
        }
        (false, None) => Rule::none(USER, format!("user {}", user.id)),
    }
}

/// What one condition of the view found.
fn of_fact(fact: &Fact) -> Rule {
    match &fact.found {
        Some(found) => Rule::holds(fact.rule(), found.holds(), fact.text()),
        None => Rule::none(fact.rule(), fact.text()),
    }
}

/// What the view says, which is all that a pass asks.
pub fn listed(case: &Case, barred: bool) -> Rule {
    let name = match case.ground.platform {
        Some(_) => view::NAME.to_owned(),
        None => format!("the view {}", view::NAME),
    };
    match (case.ground.has_view, case.is_listed, barred) {
        (false, ..) => Rule::none(
            "participant",
            format!("there is no {name} yet: run `reminders migrate`"),
        ),
        (true, true, false) => Rule::holds("participant", true, format!("{name} lists the user")),
        (true, true, true) => Rule::holds(
            "participant",
            true,
            format!(
                "{name} lists the user all the same: it lags behind the columns, run `reminders migrate`"
            ),
        ),
        (true, false, true) => Rule::holds(
            "participant",
            false,
            format!("{name} does not list the user"),
        ),
        (true, false, false) if case.ground.platform.is_none() => Rule::holds(
            "participant",
            false,
            format!("{name} does not list the user in this session: look at its conditions"),
        ),
        (true, false, false) => Rule::holds(
            "participant",
            false,
            format!(
                "{name} does not list the user: it lags behind the columns, run `reminders migrate`"
            ),
        ),
    }
}

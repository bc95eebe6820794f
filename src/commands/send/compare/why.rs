//! Why the one tells whom the other does not.

use diesel::QueryResult;

use super::{Compared, Logged, Look, Verdict};
use crate::{
    db::Db,
    ledger::Channel,
    platform::{
        Participant,
        enrolled::{self, Why},
        facts,
    },
};

impl Look<'_> {
    pub(super) fn why(
        &self,
        db: &mut Db,
        one: &Compared,
        people: &[Participant],
    ) -> QueryResult<Vec<String>> {
        let text = match (one.verdict, &one.laravel) {
            (Verdict::Both, _) => return Ok(Vec::new()),
            (Verdict::Ours, _) => "a pass has reminded of it, and kept the row",
            (Verdict::OtherNumber, Some(logged)) => return self.of_people(db, one, logged, people),
            (Verdict::OnlyLaravel, Some(logged)) => {
                return self.of_session(db, one, logged, people);
            }
            (_, Some(_)) => {
                "Laravel's row is from outside the window of this start (moved since?), and it tells of a session only once"
            }
            (Verdict::NotYet, None) => "its window is open, and Laravel has no row yet",
            (_, None) => "Laravel has no row",
        };
        Ok(vec![text.to_owned()])
    }

    /// Why a pass tells nobody of a session.
    fn of_session(
        &self,
        db: &mut Db,
        one: &Compared,
        logged: &Logged,
        people: &[Participant],
    ) -> QueryResult<Vec<String>> {
        let Some(platform) = &self.ground.platform else {
            return Ok(vec!["session_participants lists nobody for it".to_owned()]);
        };
        let Some(session) = facts::session(db, platform, one.session_id)? else {
            return Ok(vec!["the session is not there any more".to_owned()]);
        };
        if session.course.is_none() {
            return Ok(vec!["its course is not there any more".to_owned()]);
        }
        let facts = facts::of_session(db, platform, one.session_id)?;
        let barring: Vec<String> = facts
            .iter()
            .filter(|fact| fact.bars())
            .map(|fact| fact.text())
            .collect();
        match barring.is_empty() {
            true => self.of_people(db, one, logged, people),
            false => Ok(barring),
        }
    }

    /// Why the two count different people.
    fn of_people(
        &self,
        db: &mut Db,
        one: &Compared,
        logged: &Logged,
        people: &[Participant],
    ) -> QueryResult<Vec<String>> {
        let unreached = people.iter().filter(|to| !self.is_told(to)).count();
        let mut texts = Vec::new();
        if unreached > 0 {
            texts.push(self.unreached(unreached));
        }
        let since = self.pass.zone.parse(&logged.sent_at);
        let mut counted = people.len();
        if let (Some(platform), Some(since)) = (&self.ground.platform, since) {
            let since = self.pass.zone.wall(since);
            for (why, count) in enrolled::differences(db, platform, one.session_id, since)? {
                counted = match why {
                    Why::Joined => counted.saturating_sub(count),
                    _ => counted + count,
                };
                texts.push(words(&why, count));
            }
        }
        texts.extend(unexplained(counted, logged.recipients));
        Ok(texts)
    }

    fn unreached(&self, count: usize) -> String {
        match self.pass.off(Channel::Mail) {
            Some(_) => format!("{count}: mail is off"),
            None => format!("{count}: no address that can be used"),
        }
    }
}

fn words(why: &Why, count: usize) -> String {
    match why {
        Why::Barred(no, column) => format!("{count}: {no} ({column})"),
        Why::Left => format!("{count}: not enrolled any more, since Laravel's row"),
        Why::Joined => format!("{count}: enrolled since Laravel's row"),
    }
}

/// What is left of Laravel's number once all is counted as it counts.
fn unexplained(counted: usize, recipients: usize) -> Option<String> {
    match counted.abs_diff(recipients) {
        0 => None,
        rest => Some(format!(
            "{rest}: not known why (Laravel may count otherwise, or the enrollments have changed)"
        )),
    }
}

//! What of a plan one pass delivers: the nearest starts first, as far as the day's budget of mails and `--limit` go.

use std::mem;

use super::{Plan, Planned, Skipped};
use crate::{ledger::Channel, pass::budget::Day};

impl Plan {
    /// In the order in which a pass claims.
    pub fn nearest_first(&mut self) {
        self.reminders
            .sort_by(|a, b| a.scheduled_at.cmp(&b.scheduled_at));
    }

    /// The day's budget.
    pub fn spend(&mut self, day: &Day) {
        let mut left = day.left();
        let is_mail = |one: &Planned| one.channel == Channel::Mail.name();
        let mails = self.reminders.iter().filter(|one| is_mail(one)).count();
        let waiting = mails.saturating_sub(left);
        if waiting == 0 {
            return;
        }
        let reached = day.reached();
        self.keep(|one| !is_mail(one) || take(&mut left), &waits(day));
        self.held
            .push((Channel::Mail, format!("{reached}: {waiting} wait")));
    }

    /// Whether somebody's mail waits for that day's budget, which goes to others.
    pub fn leaves_out(&self, session: i64, user: i64, day: &Day) -> bool {
        let (who, why) = ((session, user), waits(day));
        let mut skipped = self.skipped.iter();
        skipped.any(|one| (one.session_id, one.user_id) == who && one.reason == why)
    }

    /// `--limit`.
    pub fn cut(&mut self, limit: usize) {
        let mut left = limit;
        self.keep(|_| take(&mut left), &format!("beyond --limit {limit}"));
    }

    fn keep(&mut self, keeps: impl FnMut(&Planned) -> bool, otherwise: &str) {
        let all = mem::take(&mut self.reminders).into_iter();
        let (kept, others): (Vec<_>, Vec<_>) = all.partition(keeps);
        self.reminders = kept;
        self.skipped.extend(others.into_iter().map(|one| Skipped {
            session_id: one.session_id,
            user_id: one.user_id,
            channel: one.channel,
            scheduled_at: one.scheduled_at,
            reason: otherwise.to_owned(),
        }));
    }
}

fn waits(day: &Day) -> String {
    format!("waits: {}", day.reached())
}

/// One of those that are left, if there is one.
fn take(left: &mut usize) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

//! Whether the day's budget of mails goes to others in the next pass.

use diesel::QueryResult;

use super::Case;
use crate::{
    db::Db,
    ledger::{Channel, Scope},
    pass::{Pass, dry_run},
};

impl Case<'_> {
    /// Those who are due before the person may use up what is left: a pass looks at all sessions.
    pub(super) fn read_budget(&mut self, db: &mut Db) -> QueryResult<()> {
        let Some(day) = self.waits.budget().filter(|day| !day.is_used_up()) else {
            return Ok(());
        };
        let (config, zone, clock) = (self.pass.config, self.pass.zone, self.pass.clock);
        let pass = Pass::to_look(config, zone, clock, Scope::default());
        let plan = dry_run::plan(db, &pass, None)?;
        if plan.leaves_out(self.session.id, self.user.id, day) {
            self.waits.ahead = Some(day.after_a_pass(db, Channel::Mail, self.now)?);
        }
        Ok(())
    }
}

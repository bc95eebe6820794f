//! What is exchanged with the database: outcomes for rows.

use std::mem;

use diesel::{QueryResult, result::Error};
use log::{Level, log, warn};

use super::{Coordinator, LONGEST};
use crate::{
    db,
    ledger::claim,
    outcome::Outcome,
    pass::{
        account::{self, Finished},
        budget,
        line::Job,
        opt_out,
        take::{self, Taken},
    },
};

impl Coordinator<'_> {
    /// How many rows could be claimed.
    pub(super) fn waiting(&mut self) -> usize {
        let waiting = claim::count(
            self.db,
            self.channel,
            &self.pass.scope,
            self.pass.clock.now(),
        );
        waiting.map_or(0, |count| usize::try_from(count).unwrap_or(0))
    }

    /// Whether nothing more is to be claimed.
    pub(super) fn is_halted(&self) -> bool {
        let broken = self.fault.is_some() || self.database.is_some();
        broken || self.pass.interrupt.came() || self.pass.clock.elapsed() >= LONGEST
    }

    /// How many more rows may be claimed now.
    fn room(&self) -> usize {
        if self.is_halted() || self.open == 0 {
            return 0;
        }
        // What is taken from a limit and not used is missing to the other channel meanwhile: only what is needed at once.
        let lines = match self.pass.budget.is_limited {
            true => self.open,
            false => self.most,
        };
        (2 * lines).saturating_sub(self.outstanding.len())
    }

    /// Records what came back and claims the next rows, in one transaction. The rows, and what was recorded.
    pub(super) fn exchange(&mut self) -> (Vec<Job>, Vec<Finished>) {
        let room = self.pass.budget.take(self.room());
        if room == 0 && self.finished.is_empty() {
            return Default::default();
        }
        match self.record_and_claim(room) {
            Ok((late, mut taken)) => {
                if late > 0 {
                    warn!("{late} outcomes came after the leases of their rows had ended");
                }
                taken.tally.say();
                self.pass.budget.give_back(room - taken.jobs.len());
                self.report.tally.add(taken.tally);
                (taken.jobs, mem::take(&mut self.finished))
            }
            Err(error) => {
                self.pass.budget.give_back(room);
                self.note_refusal(error);
                Default::default()
            }
        }
    }

    /// How many outcomes came late, and the next rows.
    fn record_and_claim(&mut self, room: usize) -> QueryResult<(usize, Taken)> {
        let (pass, channel, finished) = (self.pass, self.channel, &self.finished);
        let roster = &mut self.roster;
        let (now, max_per_day) = (pass.clock.now(), self.transport.max_per_day());
        db::write(self.db, |db| {
            let late = account::record(db, finished, now)?;
            let room = room.min(budget::of_the_day(db, channel, max_per_day, now)?);
            Ok((late, take::jobs(db, pass, channel, roster, room, now)?))
        })
    }

    /// Said once: it is tried again and again, and what is lost in the end is said then.
    fn note_refusal(&mut self, error: Error) {
        let level = match self.database {
            None => Level::Warn,
            Some(_) => Level::Debug,
        };
        let name = self.channel.name();
        log!(
            level,
            "{name}: could not record and claim in the database: {error}"
        );
        self.database.get_or_insert(error);
    }

    /// Counts and says what has been recorded.
    pub(super) fn count(&mut self, recorded: Vec<Finished>) {
        for (job, outcome) in recorded {
            let Some(outcome) = outcome else { continue };
            let row = &job.claim.row;
            if let (Outcome::Sent { .. }, Some(wall)) = (&outcome, job.wall())
                && row.lead_minutes == self.pass.legacy_lead()
            {
                self.report.told.insert((row.session_id, wall));
            }
            if let Outcome::OptedOut(_) = outcome {
                self.roster.forget();
                opt_out::store(self.db, self.pass, row.id, row.session_id, row.user_id);
            }
            self.pass.bar.inc(1);
            account::tell(self.channel, &job, &outcome);
            account::tally(&mut self.report.tally, &outcome);
        }
    }
}

//! The end of a channel's work when a signal has come: what no line has begun is given back at once; what is still on its
//! way when its time is over is given back too where it cannot have left, and stays in doubt where it may have.

use std::{mem, sync::Mutex};

use log::info;

use super::{Coordinator, Job, Jobs, Shared};

impl Coordinator<'_> {
    /// Takes back what the lines have not begun, and later what they will not end in time.
    pub(super) fn wind_up(&mut self, jobs: &Mutex<Jobs>) {
        // Where a line holds the lock, it waits for jobs, and hands back what comes.
        if let Ok(jobs) = jobs.try_lock() {
            for job in jobs.try_iter() {
                self.take_back(&job);
            }
        }
        if self.pass.interrupt.is_late() {
            self.give_up_deliveries();
        }
    }

    pub(super) fn take_back(&mut self, job: &Shared) {
        self.outstanding.retain(|other| !same(other, job));
        self.finished.push((job.clone(), None));
    }

    fn give_up_deliveries(&mut self) {
        for job in mem::take(&mut self.outstanding) {
            if job.gate.shut() {
                self.finished.push((job, None));
            } else {
                let (name, row) = (self.channel.name(), &job.claim.row);
                let (session, user) = (row.session_id, row.user_id);
                info!("{name} for session {session}, user {user} stays in doubt");
            }
        }
    }
}

/// Whether both are the same claim.
pub(super) fn same(one: &Job, other: &Job) -> bool {
    one.claim.row.id == other.claim.row.id
}

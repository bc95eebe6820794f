//! The line of mail: where a mail's commands can travel with the text of the one before, it is composed before that
//! text leaves.

use std::{sync::Arc, time::Duration};

use super::line::{Desk, Job, unrenderable};
use crate::{
    config,
    mail::{Composer, Connection, Envelope, Identity},
    outcome::{Fault, Outcome},
};

/// Waits so long for the job after this one.
pub type Next<'a> = dyn FnMut(Duration) -> Option<Arc<Job>> + 'a;

pub struct Post<'a> {
    composer: Composer<'a>,
    connection: Connection,
    /// Composed already.
    ahead: Option<(Arc<Job>, Envelope)>,
}

impl<'a> Post<'a> {
    /// `redirect`: where all mails go instead.
    pub fn open(mail: &'a config::Mail, redirect: Option<&'a str>) -> Result<Self, Fault> {
        let connection = Connection::open(mail)?;
        Ok(Self {
            composer: Composer::new(mail, redirect)?,
            connection,
            ahead: None,
        })
    }

    pub fn deliver(
        &mut self,
        job: &Arc<Job>,
        desk: &Desk,
        next: &mut Next,
    ) -> Result<Outcome, Outcome> {
        let envelope = match self.ahead.take() {
            Some((ahead, envelope)) if Arc::ptr_eq(&ahead, job) => envelope,
            _ => compose(&mut self.composer, job, desk)?,
        };
        let ready = self.connection.prepare(&envelope)?;
        if let Some(next) = ready.patience().and_then(next) {
            // One that cannot be composed says so when its own turn comes.
            let envelope = compose(&mut self.composer, &next, desk).ok();
            self.ahead = envelope.map(|envelope| (next, envelope));
        }
        let next = self.ahead.as_ref().map(|(_, envelope)| envelope);
        Ok(ready.hand_over(&job.gate, next))
    }

    pub fn close(self) {
        self.connection.close();
    }
}

fn compose(composer: &mut Composer, job: &Job, desk: &Desk) -> Result<Envelope, Outcome> {
    let (to, row) = (&job.participant, &job.claim.row);
    let message = desk
        .renderer
        .mail(job.news, to, job.start, job.claim.rendered_at)
        .map_err(unrenderable)?;
    let identity = Identity {
        session_id: row.session_id,
        user_id: row.user_id,
        kind: &row.kind,
        lead_minutes: row.lead_minutes,
        scheduled_at: &row.scheduled_at,
        corrects: job.corrects.as_deref(),
    };
    let composed = composer.compose(
        &message,
        to.name.as_deref(),
        Some(&job.claim.recipient),
        &identity,
        job.claim.rendered_at,
    );
    composed.map_err(Outcome::Failed)
}

//! The line of mail: each mail is composed while the one before is on its way, where the two can travel together.

use std::{sync::Arc, time::Duration};

use super::line::{Desk, Job, unrenderable};
use crate::{
    config,
    mail::{self, Connection, Envelope, Identity},
    outcome::{Fault, Outcome},
};

/// Waits so long for the job after this one.
pub type Next<'a> = dyn FnMut(Duration) -> Option<Arc<Job>> + 'a;

pub struct Post<'a> {
    mail: &'a config::Mail,
    connection: Connection,
    /// Composed already.
    ahead: Option<(Arc<Job>, Envelope)>,
}

impl<'a> Post<'a> {
    pub fn open(mail: &'a config::Mail) -> Result<Self, Fault> {
        let connection = Connection::open(mail)?;
        Ok(Self {
            mail,
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
            _ => compose(self.mail, job, desk)?,
        };
        let ready = self.connection.prepare(&envelope)?;
        if let Some(next) = ready.patience().and_then(next) {
            // One that cannot be composed says so when its own turn comes.
            let envelope = compose(self.mail, &next, desk).ok();
            self.ahead = envelope.map(|envelope| (next, envelope));
        }
        let next = self.ahead.as_ref().map(|(_, envelope)| envelope);
        Ok(ready.hand_over(&job.gate, next))
    }

    pub fn close(self) {
        self.connection.close();
    }
}

fn compose(mail: &config::Mail, job: &Job, desk: &Desk) -> Result<Envelope, Outcome> {
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
    let redirect = desk.config.reminder.redirect_mail.as_deref();
    let composed = mail::compose(
        mail,
        redirect,
        &message,
        to.name.as_deref(),
        Some(&job.claim.recipient),
        &identity,
        job.claim.rendered_at,
    );
    composed.map_err(Outcome::Failed)
}

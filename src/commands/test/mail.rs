//! One mail.

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::{
    renderer, settings, start,
    trial::{Plan, Trial, wrong},
};
use crate::{
    commands::cause::unrenderable,
    config::{self, Config, MailTransport},
    gate::Gate,
    ledger::Channel,
    mail::{Composer, Connection, Encryption, Envelope, Identity, parse_address},
    message::{MailMessage, News, trial},
    outcome::Outcome,
};

pub fn send(config: &Config, to: &str) -> Result<Trial> {
    let mail = settings(Channel::Mail, &config.mail)?;
    let to = parse_address(to).map_err(|fault| {
        let example = "give one such as budi@example.org";
        wrong(&fault.reason, example)
    })?;
    let now = Utc::now();
    let message = message(config, now)?;
    let redirect = config.reminder.redirect_mail.as_deref();
    let mut plan = Plan {
        channel: "mail",
        transport: transport(mail),
        from: Some(mail.from_address.clone()),
        to: to.to_string(),
        redirected_to: redirect.map(str::to_owned),
        ..Plan::default()
    };
    let mut connection = match Connection::open(mail) {
        Ok(connection) => connection,
        Err(fault) => return Ok(Trial::new(plan, Outcome::Stopped(fault))),
    };
    plan.encryption = connection.encryption().map(Encryption::name);
    let outcome = envelope(mail, to.as_ref(), redirect, &message, now)
        .and_then(|envelope| deliver(&mut connection, &envelope));
    connection.close();
    Ok(Trial::new(plan, outcome.unwrap_or_else(|outcome| outcome)))
}

fn message(config: &Config, now: DateTime<Utc>) -> Result<MailMessage> {
    let locale = config.reminder.locale;
    let participant = trial::participant(locale);
    let message = renderer(config)?
        .mail(News::Reminder, &participant, start(now), now)
        .map_err(unrenderable)?;
    Ok(message.marked(locale))
}

fn deliver(connection: &mut Connection, envelope: &Envelope) -> Result<Outcome, Outcome> {
    let ready = connection.prepare(envelope)?;
    Ok(ready.hand_over(&Gate::default(), None))
}

/// Its Message-ID has the moment, to the microsecond: no two trials are the same mail.
fn envelope(
    mail: &config::Mail,
    to: &str,
    redirect: Option<&str>,
    message: &MailMessage,
    now: DateTime<Utc>,
) -> Result<Envelope, Outcome> {
    let identity = Identity {
        session_id: 0,
        user_id: 0,
        kind: "test",
        lead_minutes: 60,
        scheduled_at: &now.format("%Y%m%d%H%M%S%6f").to_string(),
        corrects: None,
    };
    let mut composer = Composer::new(mail, redirect).map_err(Outcome::Stopped)?;
    let composed = composer.compose(message, None, Some(to), &identity, now);
    composed.map_err(Outcome::Failed)
}

fn transport(mail: &config::Mail) -> String {
    match &mail.transport {
        MailTransport::Smtp(smtp) => {
            let login = smtp.login.as_ref();
            let login = login.map_or_else(String::new, |(user, _)| format!(" as {user}"));
            format!("smtp {}:{}{login}", smtp.host, smtp.port)
        }
        MailTransport::Sendmail(program) => format!("sendmail {}", program.display()),
        MailTransport::File(folder) => format!("file in {}", folder.display()),
    }
}

//! One WhatsApp message, and what Twilio says of it within a few seconds.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::{
    renderer, settings, start,
    trial::{Plan, Trial, wrong},
};
use crate::{
    commands::cause::unrenderable,
    config::{self, Config, WhatsappTransport},
    gate::Gate,
    ledger::Channel,
    ledger::Kind,
    message::{News, WhatsappMessage, trial},
    outcome::Outcome,
    pass::line,
    phone,
    whatsapp::{Client, Fates, Request, Unread},
};

/// How long Twilio is asked what became of the message. Most failures are known after two seconds.
const FOLLOWED: Duration = Duration::from_secs(10);

const LOOK: Duration = Duration::from_secs(1);

/// How long Twilio may keep it, in seconds: nobody waits longer for a trial.
const VALIDITY: u32 = 600;

pub fn send(config: &Config, to: &str) -> Result<Trial> {
    let whatsapp = settings(Channel::Whatsapp, &config.whatsapp)?;
    let region = &config.app.phone_region;
    let to = phone::normalise(to, region).map_err(|reason| {
        let example = "give one such as +6281234567890; without + it is one of PHONE_REGION";
        wrong(&reason, &format!("{example}={region}"))
    })?;
    let now = Utc::now();
    let message = message(config, now)?;
    let request = Request {
        validity_seconds: VALIDITY,
        ..line::request(
            whatsapp,
            config,
            Kind::Reminder,
            &to,
            message,
            start(now) - now,
        )
    };
    let plan = Plan {
        channel: "whatsapp",
        transport: transport(whatsapp),
        template: request.content.as_ref().map(|(sid, _)| sid.clone()),
        from: from(whatsapp),
        to,
        redirected_to: config.reminder.redirect_whatsapp.clone(),
        ..Plan::default()
    };
    let client = Client::new(whatsapp);
    let outcome = client.deliver(&request, &Gate::default());
    let mut trial = Trial::new(plan, outcome);
    if whatsapp.is_twilio() {
        follow(&client, &mut trial);
    }
    Ok(trial)
}

fn message(config: &Config, now: DateTime<Utc>) -> Result<WhatsappMessage> {
    let locale = config.reminder.locale;
    let participant = trial::participant(locale);
    let message = renderer(config)?
        .whatsapp(News::Reminder, &participant, start(now), now)
        .map_err(unrenderable)?;
    Ok(message.marked(locale))
}

/// Asks until nothing more is to be learnt, or nobody would wait any longer.
fn follow(client: &Client, trial: &mut Trial) {
    let Some(sid) = trial.message_id.clone() else {
        return;
    };
    let (since, until) = (Utc::now(), Instant::now() + FOLLOWED);
    let sids = [sid];
    while Instant::now() < until {
        thread::sleep(LOOK);
        match client.fates(&sids, since, until) {
            Ok(fates) if learn(trial, &sids[0], &fates) => return,
            // Perhaps the next time.
            Ok(_) | Err(Unread::Now(_)) => {}
            Err(Unread::Down(fault)) => return trial.unfollowed(&fault),
        }
    }
}

/// Whether nothing more is to be learnt.
fn learn(trial: &mut Trial, sid: &str, fates: &Fates) -> bool {
    let Some(fate) = fates.get(sid) else {
        return false;
    };
    trial.note(match fate.outcome(sid) {
        // A pass would send it once more.
        Outcome::Retry { fault, .. } => Outcome::Failed(fault),
        outcome => outcome,
    });
    trial.heard(&fate.status);
    fate.is_final()
}

fn transport(whatsapp: &config::Whatsapp) -> String {
    match &whatsapp.transport {
        WhatsappTransport::Twilio(twilio) => format!("Twilio at {}", twilio.api_base),
        WhatsappTransport::File(folder) => format!("file in {}", folder.display()),
    }
}

fn from(whatsapp: &config::Whatsapp) -> Option<String> {
    match &whatsapp.transport {
        WhatsappTransport::Twilio(twilio) => Some(twilio.from.clone()),
        WhatsappTransport::File(_) => None,
    }
}

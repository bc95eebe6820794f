//! A line: one kept way to hand over messages of a channel. Every worker has its own.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use chrono::{DateTime, Duration, NaiveDateTime, Utc};

use super::{
    lines::LEASE_NEEDED,
    post::{Next, Post},
};
use crate::{
    config::{self, Config, ContentSids, MailTransport, WhatsappTransport},
    gate::Gate,
    ledger::{Channel, Kind, claim::Claim, close::LAST_MOMENT},
    mail,
    message::{News, Renderer, WhatsappMessage},
    outcome::{Fault, Outcome},
    phone,
    platform::Participant,
    time::{Clock, DIGITS},
    whatsapp,
};

/// A claimed reminder with everything needed to deliver it.
#[derive(Debug)]
pub struct Job {
    pub claim: Claim,
    /// Set when the message may have been taken already.
    pub doubt: Option<Doubt>,
    /// Set when it is not to be sent any more: what becomes of it unless it was taken.
    pub otherwise: Option<Outcome>,
    pub participant: Participant,
    /// Of a cancelled session, when it was to be.
    pub start: DateTime<Utc>,
    pub news: News,
    /// The message that a correction corrects.
    pub corrects: Option<String>,
    /// Passed when the message leaves.
    pub gate: Gate,
    /// When a line has taken it up.
    pub begun: OnceLock<Instant>,
}

/// An earlier attempt that may have been taken.
#[derive(Debug)]
pub struct Doubt {
    /// By the host's clock.
    pub since: DateTime<Utc>,
    /// Where it went.
    pub recipient: String,
    /// The messages there that are others.
    pub known: Vec<String>,
}

impl Job {
    /// The start as the platform's wall clock has it; `None` where that is written in a way of its own.
    pub fn wall(&self) -> Option<NaiveDateTime> {
        NaiveDateTime::parse_from_str(&self.claim.row.scheduled_at, DIGITS).ok()
    }
}

/// One channel's means of delivery, shared by its lines.
pub enum Transport<'a> {
    Mail(&'a config::Mail),
    Whatsapp(&'a config::Whatsapp, whatsapp::Client),
}

impl<'a> Transport<'a> {
    pub fn channel(&self) -> Channel {
        match self {
            Transport::Mail(_) => Channel::Mail,
            Transport::Whatsapp(..) => Channel::Whatsapp,
        }
    }

    /// The client of WhatsApp.
    pub fn client(&self) -> Option<&whatsapp::Client> {
        match self {
            Transport::Whatsapp(_, client) => Some(client),
            Transport::Mail(_) => None,
        }
    }

    /// How many lines the channel may have at once.
    pub fn lines(&self) -> usize {
        match self {
            Transport::Mail(config::Mail {
                transport: MailTransport::Smtp(smtp),
                ..
            }) => smtp.connections,
            Transport::Whatsapp(
                config::Whatsapp {
                    transport: WhatsappTransport::Twilio(twilio),
                    ..
                },
                _,
            ) => twilio.connections,
            Transport::Mail(_) | Transport::Whatsapp(..) => 1,
        }
    }

    /// How many messages may be sent in 24 hours, where there is a limit.
    pub fn max_per_day(&self) -> Option<usize> {
        match self {
            Transport::Mail(mail) => mail
                .max_per_day
                .and_then(|count| usize::try_from(count).ok()),
            Transport::Whatsapp(..) => None,
        }
    }

    pub fn open<'b>(&'b self, config: &'b Config) -> Result<Line<'b>, Fault> {
        match self {
            Transport::Mail(mail) => {
                let redirect = config.reminder.redirect_mail.as_deref();
                Ok(Line::Mail(Box::new(Post::open(mail, redirect)?)))
            }
            Transport::Whatsapp(whatsapp, client) => Ok(Line::Whatsapp(whatsapp, client)),
        }
    }
}

/// Where a participant is reached, as the ledger is to have it.
pub fn recipient(channel: Channel, to: &Participant, config: &Config) -> Result<String, Fault> {
    let typed = match channel {
        Channel::Mail => &to.email,
        Channel::Whatsapp => &to.phone,
    };
    address(channel, typed.as_deref().unwrap_or_default(), config)
}

/// What somebody typed, as an address or a number that can be written to.
pub fn address(channel: Channel, typed: &str, config: &Config) -> Result<String, Fault> {
    match channel {
        Channel::Mail => Ok(mail::parse_address(typed)?.to_string()),
        Channel::Whatsapp => phone::normalise(typed, &config.app.phone_region)
            .map_err(|reason| Fault::new("phone", reason)),
    }
}

pub enum Line<'a> {
    Mail(Box<Post<'a>>),
    Whatsapp(&'a config::Whatsapp, &'a whatsapp::Client),
}

/// What a message is made with.
pub struct Desk<'a> {
    pub renderer: &'a Renderer,
    pub config: &'a Config,
    pub clock: Clock,
}

impl Line<'_> {
    /// Waits until the channel's pace allows the next message; false where that is no use any more.
    pub fn turn(&self, halted: &dyn Fn() -> bool) -> bool {
        match self {
            Line::Mail(_) => !halted(),
            Line::Whatsapp(_, client) => client.turn(halted),
        }
    }

    /// Renders and hands over one reminder. `next` waits so long for the one after it, where that can be made use of.
    pub fn deliver(&mut self, job: &Arc<Job>, desk: &Desk, next: &mut Next) -> Outcome {
        let outcome = match self {
            Line::Mail(post) => post.deliver(job, desk, next),
            Line::Whatsapp(whatsapp, client) => message(whatsapp, client, job, desk),
        };
        outcome.unwrap_or_else(|outcome| outcome)
    }

    pub fn close(self) {
        if let Line::Mail(post) = self {
            post.close();
        }
    }
}

fn message(
    whatsapp: &config::Whatsapp,
    client: &whatsapp::Client,
    job: &Job,
    desk: &Desk,
) -> Result<Outcome, Outcome> {
    let message = desk
        .renderer
        .whatsapp(job.news, &job.participant, job.start, job.claim.rendered_at)
        .map_err(unrenderable)?;
    if let Some(doubt) = &job.doubt
        && let Some(sent) = find(client, doubt, &message, desk.config)?
    {
        return Ok(sent);
    }
    if let Some(ending) = &job.otherwise {
        return Ok(ending.clone());
    }
    // The look may have taken long.
    let now = desk.clock.now();
    if let Some(outcome) = past_time(job, now) {
        return Ok(outcome);
    }
    let (kind, recipient) = (job.claim.row.kind(), &job.claim.recipient);
    let left = job.start - now;
    let request = request(whatsapp, desk.config, kind, recipient, message, left);
    Ok(client.deliver(&request, &job.gate))
}

/// What Twilio is asked to send, so long before the start: the approved template where there is one, else the text.
pub fn request(
    whatsapp: &config::Whatsapp,
    config: &Config,
    kind: Kind,
    recipient: &str,
    message: WhatsappMessage,
    left: Duration,
) -> whatsapp::Request {
    let redirect = config.reminder.redirect_whatsapp.as_deref();
    let template = templates(whatsapp, kind).of(message.locale);
    whatsapp::Request {
        to: redirect.unwrap_or(recipient).to_owned(),
        body: message.body,
        content: template.map(|sid| (sid.to_owned(), message.variables)),
        validity_seconds: validity(left),
    }
}

/// The message of an earlier attempt, if it was taken. While this cannot be told, none is sent.
fn find(
    client: &whatsapp::Client,
    doubt: &Doubt,
    message: &WhatsappMessage,
    config: &Config,
) -> Result<Option<Outcome>, Outcome> {
    let redirect = config.reminder.redirect_whatsapp.as_ref();
    let trace = whatsapp::Trace {
        to: redirect.unwrap_or(&doubt.recipient),
        since: doubt.since,
        // The first variable is the name, the fourth the session's start in words; the built-in text has both, too.
        name: &message.variables[0],
        phrase: &message.variables[3],
        body: &message.body,
        known: &doubt.known,
    };
    let found = client.find(&trace);
    found.map_err(whatsapp::Unread::outcome)
}

/// What becomes of a message that Twilio has not got, when there is no time left to send it again.
fn past_time(job: &Job, now: DateTime<Utc>) -> Option<Outcome> {
    job.doubt.as_ref()?;
    if job.start - now < LAST_MOMENT {
        let reason =
            "Twilio never had it, as was found out only when it was too late to send it again";
        return Some(Outcome::Missed(Fault::new("too_late", reason)));
    }
    let reason = "Twilio has not got it, and took too long to say so: it is sent at another time";
    let fault = Fault::new("in_doubt", reason);
    (job.claim.lease_until - now < LEASE_NEEDED).then_some(Outcome::Retry { fault, after: None })
}

/// The approved templates of a kind of message.
pub fn templates(whatsapp: &config::Whatsapp, kind: Kind) -> &ContentSids {
    match kind {
        Kind::Reminder => &whatsapp.reminder,
        Kind::Moved => &whatsapp.moved,
        Kind::Cancelled => &whatsapp.cancelled,
    }
}

/// How long Twilio may keep the message queued, so that it never arrives after the start (Twilio takes 1 to 36,000 s).
fn validity(left: Duration) -> u32 {
    let left = left.num_seconds();
    let margin = if left > 120 { 60 } else { 5 };
    u32::try_from((left - margin).clamp(1, 36_000)).unwrap_or(1)
}

/// A template that cannot be rendered cannot be for anybody.
pub fn unrenderable(error: anyhow::Error) -> Outcome {
    Outcome::Stopped(Fault::new("template", format!("{error:#}")))
}

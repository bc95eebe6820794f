//! What a pass did, counted.

use std::fmt;

use chrono::{DateTime, Utc};
use log::{Level, log};
use serde::Serialize;

use super::Pass;
use crate::{config, exit::Exit, ledger::Channel};

/// One channel's counts.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Tally {
    pub enqueued: usize,
    pub sent: usize,
    pub failed: usize,
    pub retried: usize,
    pub cancelled: usize,
    pub missed: usize,
    pub unknown: usize,
    /// Why the channel stopped, or was not tried.
    pub stopped: Option<String>,
    /// How that weighs on the exit code.
    #[serde(skip)]
    pub exit: Option<Exit>,
    /// What is to be said of it once it is committed.
    #[serde(skip)]
    notes: Vec<(Level, String)>,
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        self.enqueued += other.enqueued;
        self.sent += other.sent;
        self.failed += other.failed;
        self.retried += other.retried;
        self.cancelled += other.cancelled;
        self.missed += other.missed;
        self.unknown += other.unknown;
        self.stopped = other.stopped.or(self.stopped.take());
        self.exit = self.exit.max(other.exit);
        self.notes.extend(other.notes);
    }

    /// What became of reminders, as the output calls it.
    pub fn outcomes(&self) -> [(&'static str, usize); 6] {
        [
            ("sent", self.sent),
            ("retried", self.retried),
            ("failed", self.failed),
            ("cancelled", self.cancelled),
            ("missed", self.missed),
            ("unknown", self.unknown),
        ]
    }

    /// Whether nothing came of it.
    pub fn is_empty(&self) -> bool {
        self.outcomes().iter().all(|(_, count)| *count == 0)
    }

    pub fn note(&mut self, level: Level, text: String) {
        self.notes.push((level, text));
    }

    /// Says what has been noted: once the transaction it belongs to is committed.
    pub fn say(&mut self) {
        for (level, text) in self.notes.drain(..) {
            log!(level, "{text}");
        }
    }

    /// The channel works no further in this pass.
    pub fn stop(&mut self, exit: Exit, reason: impl Into<String>) {
        self.stopped = Some(reason.into());
        self.exit = self.exit.max(Some(exit));
    }

    fn exit(&self) -> Exit {
        let bad = self.failed + self.missed + self.unknown > 0;
        let counted = if bad { Exit::Failed } else { Exit::Ok };
        counted.max(self.exit.unwrap_or(Exit::Ok))
    }
}

/// Both channels' counts.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Channels {
    mail: Tally,
    whatsapp: Tally,
}

impl Channels {
    pub fn of(&mut self, channel: Channel) -> &mut Tally {
        match channel {
            Channel::Mail => &mut self.mail,
            Channel::Whatsapp => &mut self.whatsapp,
        }
    }

    /// The weightiest ending of the two.
    pub fn exit(&self) -> Exit {
        self.mail.exit().max(self.whatsapp.exit())
    }

    fn total(&self, count: impl Fn(&Tally) -> usize) -> usize {
        count(&self.mail) + count(&self.whatsapp)
    }
}

/// The starts that are due, both included.
#[derive(Debug, Serialize)]
struct Span {
    from: String,
    to: String,
}

/// What `send --format json` prints.
#[derive(Debug, Serialize)]
pub struct Summary {
    now: String,
    window: Span,
    dry_run: bool,
    enqueued: usize,
    sent: usize,
    failed: usize,
    retried: usize,
    cancelled: usize,
    missed: usize,
    unknown: usize,
    channels: Channels,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    redirected: Vec<String>,
    elapsed_ms: u128,
}

impl Summary {
    pub fn new(channels: Channels, pass: &Pass) -> Self {
        let rfc3339 = |instant: DateTime<Utc>| instant.with_timezone(&pass.zone.0).to_rfc3339();
        let (from, to) = pass.window();
        Self {
            now: rfc3339(pass.clock.start()),
            window: Span {
                from: rfc3339(from),
                to: rfc3339(to),
            },
            dry_run: false,
            enqueued: channels.total(|tally| tally.enqueued),
            sent: channels.total(|tally| tally.sent),
            failed: channels.total(|tally| tally.failed),
            retried: channels.total(|tally| tally.retried),
            cancelled: channels.total(|tally| tally.cancelled),
            missed: channels.total(|tally| tally.missed),
            unknown: channels.total(|tally| tally.unknown),
            channels,
            redirected: redirected(&pass.config.reminder),
            elapsed_ms: pass.clock.elapsed().as_millis(),
        }
    }

    /// The same for a pass that only looked.
    pub fn dry(mut self) -> Self {
        self.dry_run = true;
        self
    }

    pub fn exit(&self) -> Exit {
        self.channels.exit()
    }

    /// The counts, and the codes of what has stopped: nothing that names anybody.
    pub fn counts(&self) -> String {
        let counts = format!(
            "sent {}, to be tried again {}, failed {}, cancelled {}, missed {}, unknown {}",
            self.sent, self.retried, self.failed, self.cancelled, self.missed, self.unknown
        );
        let stopped = self.tallies().into_iter().filter_map(|(channel, tally)| {
            // The words behind it may quote a server, which may quote anything.
            let code = tally.stopped.as_ref()?.split(':').next()?;
            Some(format!("; {} stopped: {code}", channel.name()))
        });
        counts + &stopped.collect::<String>()
    }

    pub fn tallies(&self) -> [(Channel, &Tally); 2] {
        let Channels { mail, whatsapp } = &self.channels;
        [(Channel::Mail, mail), (Channel::Whatsapp, whatsapp)]
    }
}

/// Where everything goes instead of to the participants.
pub fn redirected(reminder: &config::Reminder) -> Vec<String> {
    let mail = reminder
        .redirect_mail
        .iter()
        .map(|to| format!("every mail goes to {to} (REMINDER_REDIRECT_MAIL)"));
    let whatsapp = reminder.redirect_whatsapp.iter();
    let whatsapp = whatsapp
        .map(|to| format!("every WhatsApp message goes to {to} (REMINDER_REDIRECT_WHATSAPP)"));
    mail.chain(whatsapp).collect()
}

/// A channel that still writes to the participants while the other is redirected: on a copy of a database, real people.
pub fn half_redirected(pass: &Pass) -> Option<&'static str> {
    let reminder = &pass.config.reminder;
    let redirected = (
        reminder.redirect_mail.is_some(),
        reminder.redirect_whatsapp.is_some(),
    );
    let works = |channel| pass.channels().contains(&channel);
    match redirected {
        (true, false) if works(Channel::Whatsapp) => Some(
            "WhatsApp still goes to the participants: set REMINDER_REDIRECT_WHATSAPP, too, or WHATSAPP_TRANSPORT=none",
        ),
        (false, true) if works(Channel::Mail) => Some(
            "mail still goes to the participants: set REMINDER_REDIRECT_MAIL, too, or MAIL_MAILER=none",
        ),
        _ => None,
    }
}

impl fmt::Display for Summary {
    /// `mail: 12 sent, 1 failed` and the like, a line per channel that did anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed_ms as f64 / 1000.0;
        writeln!(f, "{:<10}{}", "mail", line(&self.channels.mail))?;
        writeln!(f, "{:<10}{}", "whatsapp", line(&self.channels.whatsapp))?;
        for redirected in &self.redirected {
            writeln!(f, "{redirected}")?;
        }
        write!(f, "{:<10}{seconds:.1} s", "took")
    }
}

fn line(tally: &Tally) -> String {
    let counts = [
        (tally.sent, "sent"),
        (tally.retried, "to be tried again"),
        (tally.failed, "failed"),
        (tally.cancelled, "cancelled"),
        (tally.missed, "missed"),
        (tally.unknown, "unknown"),
    ];
    let some = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"));
    let stopped = tally
        .stopped
        .iter()
        .map(|reason| format!("stopped: {reason}"));
    let parts: Vec<String> = some.chain(stopped).collect();
    if parts.is_empty() {
        "nothing".into()
    } else {
        parts.join(", ")
    }
}

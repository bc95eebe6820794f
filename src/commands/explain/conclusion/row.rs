//! What a row of the ledger says.

use chrono::{DateTime, Utc};

use super::{Answer, Question, Told};
use crate::{
    config::InDoubt,
    ledger::{
        Channel, Kind, TOO_LATE,
        delivery::{Delivery, meaning},
        status,
    },
    pass::{take, wait::Wait},
};

impl Question<'_> {
    pub(super) fn by_row(&self, row: &Delivery) -> Answer {
        match row.status.as_str() {
            status::SENT => (Told::Yes, self.sent(row)),
            status::PENDING => self.pending(row),
            status::SENDING => self.sending(row),
            status::UNKNOWN => (Told::Perhaps, self.unknown(row)),
            status::MISSED => (Told::No, self.missed(row)),
            _ => (Told::No, self.failed(row)),
        }
    }

    fn sent(&self, row: &Delivery) -> String {
        let at = row.sent_at.map(|at| self.time(at.and_utc()));
        let at = at.unwrap_or_else(|| "an unknown time".into());
        let since = match row.delivery_status.as_deref() {
            Some("read") => ", and has read it",
            Some("delivered") => ", and it was delivered",
            _ => "",
        };
        format!("{} on {at}{}{since}", self.say("was told"), self.about)
    }

    fn was_not_told(&self, why: &str) -> String {
        let was_not = match self.about.is_empty() {
            true => self.not("was"),
            false => "was not told".into(),
        };
        format!("{}{}: {why}", self.say(&was_not), self.about)
    }

    fn missed(&self, row: &Delivery) -> String {
        if self.start.is_none() {
            return self.was_not_told(&take::no_time(&row.scheduled_at).reason);
        }
        let why = row.fault();
        self.was_not_told(why.as_deref().unwrap_or(meaning(TOO_LATE)))
    }

    fn failed(&self, row: &Delivery) -> String {
        let why = row.fault().unwrap_or_else(|| row.status.clone());
        let said = self.was_not_told(&why);
        match self.case.over.get(&row.id) {
            _ if row.status != status::FAILED || !self.is_ahead() => said,
            None => format!("{said}; once that is cured: `reminders retry {}`", row.id),
            Some(fault) => {
                let why = self.barred_at_all(row.kind()).unwrap_or(&fault.reason);
                format!("{said}; it is not sent again: {why}")
            }
        }
    }

    fn unknown(&self, row: &Delivery) -> String {
        let place = match self.channel {
            Channel::Mail => "the mail server's log",
            Channel::Whatsapp => "Twilio's console",
        };
        let id = row.message_id.as_deref().map(|id| format!(" for {id}"));
        format!(
            "{}{}: nobody recorded whether it was sent, look in {place}{}{}",
            self.say("was perhaps told"),
            self.about,
            id.unwrap_or_default(),
            self.once_more(row)
        )
    }

    /// How to send a mail again that may have arrived. (Of a WhatsApp message nobody needs to decide that.)
    fn once_more(&self, row: &Delivery) -> String {
        let is_over = self.case.over.contains_key(&row.id);
        let of_use = self.is_ahead() && !is_over && self.barred(row.kind()).is_none();
        match self.channel {
            Channel::Mail if of_use => format!(
                "; `reminders retry {} --even-if-in-doubt` sends it once more",
                row.id
            ),
            _ => String::new(),
        }
    }

    /// Why nobody would tell them now. (Of a session that does not take place those are told who would have been
    /// there.)
    fn barred(&self, kind: Kind) -> Option<&str> {
        let on_channel = self.rules.barred_on(self.channel);
        self.barred_at_all(kind).or(on_channel)
    }

    fn barred_at_all(&self, kind: Kind) -> Option<&str> {
        match kind {
            Kind::Cancelled => None,
            Kind::Reminder | Kind::Moved => self.rules.barred(),
        }
    }

    fn pending(&self, row: &Delivery) -> Answer {
        if let Some(why) = self.barred(row.kind()) {
            let will_not = self.say("will not be told");
            return (Told::No, format!("{will_not}{}: {why}", self.about));
        }
        if !self.is_ahead() {
            return (Told::No, self.was_not_told("the session begins"));
        }
        let waits = &self.case.waits;
        let (told, said) = match waits.of_row(row, self.channel, self.case.now) {
            None => self.will("in the next pass"),
            Some(wait @ Wait::Attempt(_)) => self.by_wait(&wait),
            // What the channel waits for says more than what the row did.
            Some(wait) => return self.by_wait(&wait),
        };
        let why = row.fault().map(|fault| format!("; so far {fault}"));
        (told, said + &why.unwrap_or_default())
    }

    fn sending(&self, row: &Delivery) -> Answer {
        let now = self.case.now.naive_utc();
        let leased = row.lease_until.filter(|until| *until >= now);
        let (host, about) = (row.host().unwrap_or("a host"), &self.about);
        if leased.is_some() && !row.is_in_doubt() {
            let said = self.say("is told");
            return (Told::Will, format!("{said} now{about}, by {host}"));
        }
        let lost = row.fault().filter(|_| row.is_in_doubt());
        let why = lost.unwrap_or_else(|| format!("a pass on {host} ended before it recorded it"));
        let when = match leased {
            Some(until) => format!("the first pass after {}", self.time(until.and_utc())),
            None => "the next pass".into(),
        };
        let then = self.then(row, leased.map_or(self.case.now, |until| until.and_utc()));
        let said = self.say("was perhaps told");
        (
            Told::Perhaps,
            format!("{said}{about}: {why}; {when} {then}"),
        )
    }

    /// What a pass at that time does with a message in doubt.
    fn then(&self, row: &Delivery, time: DateTime<Utc>) -> &'static str {
        match self.channel {
            Channel::Whatsapp => "asks Twilio whether it was sent",
            Channel::Mail if self.case.pass.config.reminder.in_doubt == InDoubt::Hold => {
                "notes it as unknown (REMINDER_IN_DOUBT=hold)"
            }
            Channel::Mail if !self.is_ahead_at(time) => {
                "notes it as unknown, since the session begins"
            }
            Channel::Mail if self.barred(row.kind()).is_some() => {
                "notes it as unknown, since nobody is to be told any more"
            }
            Channel::Mail => "sends it again, as the same mail",
        }
    }
}

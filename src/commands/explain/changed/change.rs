//! What comes of a change on one channel.

use crate::{
    commands::explain::{
        case::Case,
        conclusion::{Conclusion, Told},
        rules::Rules,
    },
    ledger::{Channel, Kind, close::LAST_MOMENT, delivery::Delivery, status},
    pass::correct::can_tell,
    platform::{cancellations, view},
    text,
};

pub const HEARS: &str = "hears";

/// What comes of a change.
#[derive(PartialEq, Eq)]
pub struct Heard {
    pub was: String,
    pub verb: &'static str,
    /// How they hear of it, or why they do not.
    pub rest: String,
}

/// What was last told on a channel, and is not so any more.
pub struct Change<'a> {
    case: &'a Case<'a>,
    rules: &'a Rules,
    pub channel: Channel,
    told: &'a Delivery,
    /// Of the correction that would say so.
    pub kind: Kind,
}

impl<'a> Change<'a> {
    pub fn new(
        case: &'a Case<'a>,
        rules: &'a Rules,
        channel: Channel,
        told: &'a Delivery,
    ) -> Option<Self> {
        let takes_place = case.takes_place();
        let is_wrong = match told.kind() {
            Kind::Cancelled => takes_place,
            Kind::Reminder | Kind::Moved => !takes_place || !case.is_current(told),
        };
        let kind = if takes_place {
            Kind::Moved
        } else {
            Kind::Cancelled
        };
        is_wrong.then_some(Self {
            case,
            rules,
            channel,
            told,
            kind,
        })
    }

    pub fn was(&self) -> String {
        match self.told.kind() {
            Kind::Cancelled => "that it is cancelled".into(),
            _ => format!(
                "of the start {}",
                text::one_line(&self.told.scheduled_at, 30)
            ),
        }
    }

    pub fn heard(&self, said: &[Conclusion]) -> Heard {
        let of_news = |one: &Conclusion| one.of_news(self.channel, self.kind);
        let mut news = said.iter().rev().filter_map(of_news);
        let (verb, rest) = match news.find(|told| *told != Told::Yes) {
            Some(Told::Will) => (HEARS, String::new()),
            Some(Told::Perhaps) => ("has perhaps heard", String::new()),
            // The conclusion says why.
            Some(_) => ("does not hear", String::new()),
            None if self.is_reminded() => (HEARS, " with the reminder".into()),
            None => ("does not hear", self.why_not()),
        };
        Heard {
            was: self.was(),
            verb,
            rest,
        }
    }

    /// Whether they have to hear of it, and do not hear it with a reminder: they would have been there, and it is still
    /// ahead.
    pub fn matters(&self) -> bool {
        let absent = match self.kind {
            Kind::Cancelled => self.rules.person(),
            Kind::Reminder | Kind::Moved => self.rules.barred(),
        };
        absent.is_none() && self.late().is_none() && !self.is_reminded()
    }

    /// Whether a reminder of the new start is on its way, which makes a correction needless.
    fn is_reminded(&self) -> bool {
        let waits = [status::PENDING, status::SENDING];
        let is_reminder = |row: &&Delivery| {
            row.is_of(self.channel)
                && row.kind() == Kind::Reminder
                && self.case.is_current(row)
                && waits.contains(&&*row.status)
        };
        let mut rows = self.case.deliveries.iter();
        self.kind == Kind::Moved
            && self.rules.barred().is_none()
            && rows.any(|row| is_reminder(&row))
    }

    /// Why a pass gives no correction a row, by what it asks first.
    fn why_not(&self) -> String {
        let why = self.late().or_else(|| self.untellable());
        let why = why.or_else(|| self.absent());
        let why = why.or_else(|| self.rules.barred_on(self.channel).map(str::to_owned));
        why.map_or_else(String::new, |why| format!(": {why}"))
    }

    fn late(&self) -> Option<String> {
        let has_come = |start| start - self.case.now < LAST_MOMENT;
        let told = self.case.pass.zone.parse(&self.told.scheduled_at);
        if told.is_some_and(has_come) {
            return Some("that start has come".into());
        }
        let is_new = self.kind == Kind::Moved && self.case.start().is_some_and(has_come);
        is_new.then(|| "the new start has come".into())
    }

    /// Where nobody knows that it is cancelled, or there are no words for it.
    fn untellable(&self) -> Option<String> {
        if !self.case.is_migrated() {
            let name = cancellations::NAME;
            return Some(format!("there is no {name} yet: run `reminders migrate`"));
        }
        if self.kind == Kind::Cancelled && !self.case.has_cancellations {
            return Some(format!(
                "{} has nobody in the session any more, and there is no {} that says whether it is cancelled",
                view::NAME,
                cancellations::NAME
            ));
        }
        let can_tell = can_tell(self.case.pass.config, self.channel, self.kind);
        let kind = self.kind.name().to_uppercase();
        (!can_tell)
            .then(|| format!("that has no template for it: set TWILIO_WHATSAPP_CONTENT_SID_{kind}"))
    }

    /// Who would not have been there.
    fn absent(&self) -> Option<String> {
        let why = match self.kind {
            Kind::Cancelled if self.case.is_in_vain => None,
            Kind::Cancelled => {
                let unlisted = format!("{} does not list the user", cancellations::NAME);
                return Some(self.rules.person().map_or(unlisted, str::to_owned));
            }
            Kind::Reminder | Kind::Moved => self.rules.barred(),
        };
        why.map(str::to_owned)
    }
}

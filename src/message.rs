//! What participants read: the facts of a reminder or a correction rendered into a mail and a WhatsApp message. Pure:
//! no clock, no network.

use std::path::Path;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use minijinja::Value;

mod check;
mod context;
mod event;
mod language;
pub mod sample;
mod templates;
pub mod trial;

pub use check::{Tried, check_templates, try_templates};
use context::{Context, Defaults};
pub use event::Event;
pub use language::code as language_code;
pub use templates::BUILT_IN;
use templates::Templates;

use crate::config::{App, Locale};
use crate::platform::Participant;
use crate::text::{cut, one_line, tidy_lines};

/// Longest subject, in characters: more than any mailbox shows.
const SUBJECT: usize = 200;
/// Longest `Body` Twilio takes, in characters (error 21617 beyond).
const BODY: usize = 1_600;
/// Longest link in a body, so that the rest still fits: a longer one is left out, as cut it would lead nowhere.
const LINK_BODY: usize = 1_000;
/// WhatsApp's limit for an approved template with its values is 1,024 characters; these leave it some 200 of its own.
const VARIABLE: usize = 150;
const LINK_VARIABLE: usize = 400;
/// How short titles and names become, step by step, where a message does not fit.
const SHORTER: [usize; 3] = [120, 60, 30];

/// A rendered mail, not yet MIME. `subject` is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailMessage {
    pub subject: String,
    pub text: String,
    pub html: String,
    /// What it attaches for the calendar.
    pub event: Event,
}

/// A rendered WhatsApp message: the free text, and the five variables of an approved template (1 name, 2 session,
/// 3 course, 4 time, 5 link or place), each one line and never empty, as WhatsApp demands (error 63013 otherwise).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhatsappMessage {
    pub body: String,
    pub variables: [String; 5],
    pub locale: Locale,
}

/// What a message tells of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It starts soon.
    Reminder,
    /// It starts at another time than was told, or takes place although it was told to be cancelled.
    Moved { from: Option<DateTime<Utc>> },
    /// It does not take place.
    Cancelled,
}

impl News {
    /// What the names of its templates begin with.
    fn prefix(self) -> &'static str {
        match self {
            News::Reminder => "",
            News::Moved { .. } => "moved.",
            News::Cancelled => "cancelled.",
        }
    }
}

/// Renders messages; shared by all threads of a pass.
pub struct Renderer {
    templates: Templates,
    defaults: Defaults,
}

impl Renderer {
    /// `locale` and `zone` are for participants who have none. Fails when the folder `templates` cannot be read; a
    /// broken file in it makes only the messages fail that need it (see [`check_templates`]).
    pub fn new(
        app: &App,
        locale: Locale,
        templates: Option<&Path>,
        zone: Tz,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            templates: Templates::new(templates)?,
            defaults: Defaults::new(app, locale, zone),
        })
    }

    /// The remaining time is counted from `now` to `start`, which of a cancelled session is when it was to be. Fails on
    /// a broken template of the operator's only.
    pub fn mail(
        &self,
        news: News,
        to: &Participant,
        start: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<MailMessage> {
        let context = self.context(news, to, start, now);
        let values = context.values();
        let file = |name: &str| format!("{}/{}{name}", context.locale, news.prefix());
        let subject = self.fit(&file("mail.subject.txt"), &context, &values, SUBJECT)?;
        let text = self.templates.render(&file("mail.txt"), &values)?;
        Ok(MailMessage {
            subject: one_line(&subject, SUBJECT),
            text: tidy_lines(&text),
            html: self.templates.render(&file("mail.html"), &values)?,
            event: Event::new(news, to, start, &context),
        })
    }

    /// As [`Renderer::mail`].
    pub fn whatsapp(
        &self,
        news: News,
        to: &Participant,
        start: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<WhatsappMessage> {
        let context = for_whatsapp(self.context(news, to, start, now));
        let file = format!("{}/{}whatsapp.txt", context.locale, news.prefix());
        Ok(WhatsappMessage {
            body: self.fit(&file, &context, &context.values(), BODY)?,
            variables: variables(&context),
            locale: self.defaults.locale(to),
        })
    }

    fn context(
        &self,
        news: News,
        to: &Participant,
        start: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Context {
        let context = self.defaults.context(to, start, now);
        match news {
            News::Moved { from: Some(from) } => Context {
                old_start: self.defaults.moment(to, from),
                ..context
            },
            // There is nowhere to go, and nothing to join.
            News::Cancelled => Context {
                link: String::new(),
                link_is_url: false,
                place: String::new(),
                ..context
            },
            _ => context,
        }
    }

    /// Shortens titles before anything else, so that the time and the link stay. `values` are those of `context`.
    fn fit(
        &self,
        file: &str,
        context: &Context,
        values: &Value,
        max: usize,
    ) -> anyhow::Result<String> {
        let mut text = tidy_lines(&self.templates.render(file, values)?);
        for titles in SHORTER {
            if text.trim_end().chars().count() <= max {
                break;
            }
            let shorter = context.shortened(titles).values();
            text = tidy_lines(&self.templates.render(file, &shorter)?);
        }
        Ok(cut(text.trim_end(), max))
    }
}

/// A moment as messages word it: `Senin, 23 November 2026 pukul 17.00 WIB`.
pub fn moment(locale: Locale, moment: DateTime<Utc>, zone: Tz) -> String {
    language::moment(locale, &moment.with_timezone(&zone))
}

/// The time of day alone: `17.00 WIB`.
pub fn clock(locale: Locale, moment: DateTime<Utc>, zone: Tz) -> String {
    let local = moment.with_timezone(&zone);
    format!(
        "{} {}",
        language::clock(locale, &local),
        language::zone(&local)
    )
}

/// Of WhatsApp's markup only the backtick reaches beyond its line (three open a block), so it becomes an apostrophe.
/// `*`, `_` and `~` stay: the templates put no title inside markup, where it could break it, and titles like `read_csv`
/// need them.
fn for_whatsapp(context: Context) -> Context {
    let plain = |text: String| text.replace('`', "'");
    let keep_link = context.link.chars().count() <= LINK_BODY;
    Context {
        name: plain(context.name),
        session: plain(context.session),
        course: plain(context.course),
        place: plain(context.place),
        link: if keep_link {
            plain(context.link)
        } else {
            String::new()
        },
        link_is_url: keep_link && context.link_is_url,
        ..context
    }
}

fn variables(context: &Context) -> [String; 5] {
    // The approved template names both, whether or not they differ.
    let course = if context.course.is_empty() {
        &context.session
    } else {
        &context.course
    };
    let values = [&context.name, &context.session, course, &context.start];
    let [name, session, course, start] = values.map(|value| filled(cut(value, VARIABLE)));
    [name, session, course, start, filled(whereabouts(context))]
}

/// The link; the place where there is none, or none that a template can hold.
fn whereabouts(context: &Context) -> String {
    if context.link.is_empty() || context.link.chars().count() > LINK_VARIABLE {
        cut(&context.place, VARIABLE)
    } else {
        context.link.clone()
    }
}

fn filled(value: String) -> String {
    if value.is_empty() {
        "-".to_string()
    } else {
        value
    }
}

#[cfg(test)]
mod tests;

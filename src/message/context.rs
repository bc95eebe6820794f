//! What a template can say: the facts of one reminder, cleaned, in the participant's language and zone.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use minijinja::{Value, value::Serde};
use serde::Serialize;
use url::{Host, Url};

use super::language;
use crate::config::{App, Locale};
use crate::platform::Participant;
use crate::text::{cut, one_line};

/// Longest values, in characters.
const NAME: usize = 100;
const TITLE: usize = 200;
const PLACE: usize = 300;
/// A longer link is left out: cut, it would lead nowhere.
const LINK: usize = 2_000;

/// The variables of the templates. Every text is one line; what is unknown or does not apply is empty, so that
/// `{% if %}` works on all of them. A name that is not in this table is an error.
///
/// | variable | meaning | example |
/// | --- | --- | --- |
/// | `name` | the participant | `Budi` |
/// | `session` | the session's title, else the course's | `Turunan dan Integral` |
/// | `course` | the course's title; empty when `session` says the same | `Kalkulus` |
/// | `start` | the start in the participant's zone | `Senin, 23 November 2026 pukul 17.00 WIB` |
/// | `old_start` | what was told before a move; else empty | `Senin, 23 November 2026 pukul 15.00 WIB` |
/// | `date`, `time`, `zone` | the start's parts | `Senin, 23 November 2026`, `17.00`, `WIB` |
/// | `remaining` | from now to the start | `1 jam` |
/// | `duration` | of the session | `1 jam 30 menit` |
/// | `link` | where to join; empty when `mode` is `offline` | `https://meet.example/x` |
/// | `link_is_url` | true when `link` is one http or https address and no more: only then fit for an `href` | `true` |
/// | `place` | where to go; empty when `mode` is `online` | `Ruang 3` |
/// | `mode` | `online`, `offline`, `hybrid` or empty | `hybrid` |
/// | `app_name`, `app_url` | `APP_NAME`, `APP_URL` | `Kursus Kita`, `https://kursus.example` |
/// | `locale` | `id` or `en` | `id` |
#[derive(Debug, Clone, Default, Serialize)]
pub struct Context {
    pub name: String,
    pub session: String,
    pub course: String,
    pub start: String,
    pub old_start: String,
    pub date: String,
    pub time: String,
    pub zone: String,
    pub remaining: String,
    pub duration: String,
    pub link: String,
    pub link_is_url: bool,
    pub place: String,
    pub mode: String,
    pub app_name: String,
    pub app_url: String,
    pub locale: &'static str,
}

impl Context {
    /// As the templates take them: made once for all that one message renders.
    pub fn values(&self) -> Value {
        Value::from(Serde(self))
    }

    /// The same with no text that people chose freely longer than `max` characters. The link stays whole.
    pub fn shortened(&self, max: usize) -> Context {
        Context {
            name: cut(&self.name, max),
            session: cut(&self.session, max),
            course: cut(&self.course, max),
            place: cut(&self.place, max),
            app_name: cut(&self.app_name, max),
            ..self.clone()
        }
    }
}

/// What every message has in common, and what a participant without a language or zone gets.
pub struct Defaults {
    app_name: String,
    app_url: String,
    locale: Locale,
    zone: Tz,
}

impl Defaults {
    pub fn new(app: &App, locale: Locale, zone: Tz) -> Self {
        Self {
            app_name: one_line(&app.name, NAME),
            app_url: app
                .url
                .as_deref()
                .and_then(public_address)
                .unwrap_or_default(),
            locale,
            zone,
        }
    }

    pub fn locale(&self, participant: &Participant) -> Locale {
        language::choose(participant.locale.as_deref(), self.locale)
    }

    /// The facts as this participant reads them at `now`.
    pub fn context(
        &self,
        participant: &Participant,
        start: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Context {
        let locale = self.locale(participant);
        let local = start.with_timezone(&self.zone(participant));
        let (session, course) = titles(participant);
        let mode = mode(participant);
        let link = if mode == "offline" {
            String::new()
        } else {
            link(participant)
        };
        let place = if mode == "online" {
            String::new()
        } else {
            clean(&participant.location, PLACE)
        };
        Context {
            name: clean(&participant.name, NAME),
            session,
            course,
            start: language::moment(locale, &local),
            old_start: String::new(),
            date: language::date(locale, &local),
            time: language::clock(locale, &local),
            zone: language::zone(&local),
            remaining: language::span(locale, rounded_minutes(start - now)),
            duration: duration(locale, participant),
            link_is_url: web_address(&link).is_some(),
            link,
            place,
            mode: mode.to_string(),
            app_name: self.app_name.clone(),
            app_url: self.app_url.clone(),
            locale: language::code(locale),
        }
    }

    /// A moment as this participant reads it.
    pub fn moment(&self, participant: &Participant, moment: DateTime<Utc>) -> String {
        let local = moment.with_timezone(&self.zone(participant));
        language::moment(self.locale(participant), &local)
    }

    fn zone(&self, participant: &Participant) -> Tz {
        let name = participant.timezone.as_deref().unwrap_or_default();
        name.trim().parse().unwrap_or(self.zone)
    }
}

fn clean(text: &Option<String>, max: usize) -> String {
    one_line(text.as_deref().unwrap_or_default(), max)
}

/// Session and course, each title said once.
fn titles(participant: &Participant) -> (String, String) {
    let session = clean(&participant.session_title, TITLE);
    let course = clean(&participant.course_title, TITLE);
    if session.is_empty() || session.to_lowercase() == course.to_lowercase() {
        (course, String::new())
    } else {
        (session, course)
    }
}

fn mode(participant: &Participant) -> &'static str {
    let mode = participant
        .mode
        .as_deref()
        .unwrap_or_default()
        .trim()
        .to_lowercase();
    let known = ["online", "offline", "hybrid"];
    known
        .into_iter()
        .find(|known| *known == mode)
        .unwrap_or_default()
}

fn link(participant: &Participant) -> String {
    let link = clean(&participant.meeting_url, LINK + 1);
    if link.chars().count() > LINK {
        String::new()
    } else {
        link
    }
}

/// `text` as an address that a browser opens as a page: never `javascript:`, never words around an address.
fn web_address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let opens = matches!(url.scheme(), "http" | "https") && url.has_host();
    (opens && !text.contains(char::is_whitespace)).then_some(url)
}

/// The platform's address where participants can reach it: Laravel ships `APP_URL=http://localhost`.
fn public_address(text: &str) -> Option<String> {
    let text = one_line(text, LINK);
    match web_address(&text)?.host()? {
        Host::Domain("localhost") => None,
        Host::Ipv4(ip) if ip.is_loopback() => None,
        Host::Ipv6(ip) if ip.is_loopback() => None,
        _ => Some(text),
    }
}

fn rounded_minutes(span: chrono::Duration) -> i64 {
    (span.num_seconds() + 30).div_euclid(60)
}

fn duration(locale: Locale, participant: &Participant) -> String {
    match participant.duration_minutes {
        Some(minutes) if minutes > 0 => language::span(locale, minutes.into()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;

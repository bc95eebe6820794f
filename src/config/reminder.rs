use std::path::PathBuf;

use chrono::Duration;

use super::{app::App, reader::Reader};
use crate::{phone, time::duration};

/// Every setting of ours that begins so.
pub const PREFIX: &str = "REMINDER_";
pub const NAMES: [&str; 9] = [
    "REMINDER_LEAD",
    "REMINDER_TOLERANCE",
    "REMINDER_CATCH_UP",
    "REMINDER_IN_DOUBT",
    "REMINDER_CORRECTIONS",
    "REMINDER_LOCALE",
    "REMINDER_TEMPLATES",
    "REMINDER_REDIRECT_MAIL",
    "REMINDER_REDIRECT_WHATSAPP",
];

const MAX_LEAD: Duration = Duration::days(30);
/// The crontab's line runs once a minute: a shorter window could fall between two passes.
const MIN_TOLERANCE: Duration = Duration::seconds(30);

/// When reminders go, in which words, and to whom on a trial.
#[derive(Debug)]
pub struct Reminder {
    /// `REMINDER_LEAD`: how long before the start. Longest first; each a whole number of minutes.
    pub leads: Vec<Duration>,
    /// `REMINDER_TOLERANCE`: how much earlier or later than that.
    pub tolerance: Duration,
    /// `REMINDER_CATCH_UP`: how much later still, after an outage.
    pub catch_up: Duration,
    pub in_doubt: InDoubt,
    /// `REMINDER_CORRECTIONS`: whether those already told hear of a moved or cancelled session.
    pub corrections: bool,
    pub locale: Locale,
    /// `REMINDER_TEMPLATES`: the folder whose files replace built-in templates.
    pub templates: Option<PathBuf>,
    /// `REMINDER_REDIRECT_MAIL`: where every mail goes instead.
    pub redirect_mail: Option<String>,
    /// `REMINDER_REDIRECT_WHATSAPP`, in E.164: where every WhatsApp message goes instead.
    pub redirect_whatsapp: Option<String>,
}

/// `REMINDER_IN_DOUBT`: what becomes of a mail that may or may not have left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InDoubt {
    /// It is sent again with the same Message-ID.
    Resend,
    /// It stays as it is until the operator decides.
    Hold,
}

/// `REMINDER_LOCALE`: the language for participants who have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Locale {
    Id,
    En,
}

pub fn read(reader: &mut Reader, app: &App) -> Reminder {
    let reminder = Reminder {
        leads: leads(reader),
        tolerance: tolerance(reader),
        catch_up: catch_up(reader),
        in_doubt: in_doubt(reader),
        corrections: corrections(reader),
        locale: locale(reader),
        templates: templates(reader),
        redirect_mail: reader.mail_address("REMINDER_REDIRECT_MAIL"),
        redirect_whatsapp: redirect_whatsapp(reader, app),
    };
    check_windows(reader, &reminder);
    reminder
}

fn leads(reader: &mut Reader) -> Vec<Duration> {
    let cure = "give whole minutes or hours up to 30d, such as 60m, or several as in 24h,60m";
    let leads = reader.parsed("REMINDER_LEAD", cure, |text| {
        text.split(',').map(lead).collect::<Option<Vec<_>>>()
    });
    let mut leads = leads.unwrap_or_else(|| vec![Duration::minutes(60)]);
    leads.sort_by(|a, b| b.cmp(a));
    leads
}

fn lead(text: &str) -> Option<Duration> {
    let whole_minutes = |lead: &Duration| *lead == Duration::minutes(lead.num_minutes());
    duration(text.trim()).filter(|lead| whole_minutes(lead) && !lead.is_zero() && *lead <= MAX_LEAD)
}

fn tolerance(reader: &mut Reader) -> Duration {
    let tolerance = reader.parsed(
        "REMINDER_TOLERANCE",
        "give a time from 30s to 12h, such as 5m",
        |text| duration(text).filter(|time| (MIN_TOLERANCE..=Duration::hours(12)).contains(time)),
    );
    tolerance.unwrap_or(Duration::minutes(5))
}

fn catch_up(reader: &mut Reader) -> Duration {
    let catch_up = reader.parsed(
        "REMINDER_CATCH_UP",
        "give a time up to 30d, such as 30m, or 0",
        |text| duration(text).filter(|time| *time <= MAX_LEAD),
    );
    catch_up.unwrap_or(Duration::zero())
}

fn in_doubt(reader: &mut Reader) -> InDoubt {
    let in_doubt = reader.parsed(
        "REMINDER_IN_DOUBT",
        "give resend or hold",
        |text| match text {
            "resend" => Some(InDoubt::Resend),
            "hold" => Some(InDoubt::Hold),
            _ => None,
        },
    );
    in_doubt.unwrap_or(InDoubt::Resend)
}

fn corrections(reader: &mut Reader) -> bool {
    let corrections = reader.parsed(
        "REMINDER_CORRECTIONS",
        "give on or off",
        |text| match text {
            "on" | "true" | "1" => Some(true),
            "off" | "false" | "0" => Some(false),
            _ => None,
        },
    );
    corrections.unwrap_or(false)
}

fn locale(reader: &mut Reader) -> Locale {
    let locale = reader.parsed("REMINDER_LOCALE", "give id or en", |text| match text {
        "id" => Some(Locale::Id),
        "en" => Some(Locale::En),
        _ => None,
    });
    locale.unwrap_or(Locale::Id)
}

fn templates(reader: &mut Reader) -> Option<PathBuf> {
    let folder = reader.path("REMINDER_TEMPLATES")?;
    if !folder.is_dir() {
        reader.complain(
            "REMINDER_TEMPLATES",
            Some(&folder.to_string_lossy()),
            "there is no such folder: correct the path",
        );
    }
    Some(folder)
}

fn redirect_whatsapp(reader: &mut Reader, app: &App) -> Option<String> {
    let cure = "give a valid phone number with its country code, such as +6281234567890";
    reader.parsed("REMINDER_REDIRECT_WHATSAPP", cure, |text| {
        phone::normalise(text, &app.phone_region).ok()
    })
}

/// Two windows of one participant must never be open at once, nor touch.
fn check_windows(reader: &mut Reader, reminder: &Reminder) {
    let window = reminder.tolerance * 2 + reminder.catch_up;
    let close =
        |pair: &[Duration]| matches!(pair, [longer, shorter] if *longer - *shorter < window * 2);
    if reminder.leads.windows(2).any(close) {
        let holds = reader.text("REMINDER_LEAD");
        let cure = format!(
            "two leads must be {} minutes apart, twice the window that REMINDER_TOLERANCE and REMINDER_CATCH_UP make",
            (window * 2).num_minutes()
        );
        reader.complain("REMINDER_LEAD", holds.as_deref(), cure);
    }
    if reminder
        .leads
        .last()
        .is_some_and(|shortest| *shortest < reminder.tolerance)
    {
        let holds = reader.text("REMINDER_TOLERANCE");
        reader.complain(
            "REMINDER_TOLERANCE",
            holds.as_deref(),
            "give less than the shortest REMINDER_LEAD",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{app, testing::environment};

    fn read_from(env_file: &str) -> Result<Reminder, Vec<String>> {
        let (_folder, environment) = environment(env_file, &[]);
        let mut reader = Reader::new(&environment);
        let app = app::read(&mut reader);
        let reminder = read(&mut reader, &app);
        let problems: Vec<_> = reader
            .into_problems()
            .iter()
            .map(ToString::to_string)
            .collect();
        if problems.is_empty() {
            Ok(reminder)
        } else {
            Err(problems)
        }
    }

    #[test]
    fn the_defaults_are_the_platforms_own_rule() {
        let reminder = read_from("").unwrap();
        assert_eq!(reminder.leads, [Duration::minutes(60)]);
        assert_eq!(
            (reminder.tolerance, reminder.catch_up),
            (Duration::minutes(5), Duration::zero())
        );
        assert_eq!(
            (reminder.in_doubt, reminder.corrections, reminder.locale),
            (InDoubt::Resend, false, Locale::Id)
        );
    }

    #[test]
    fn every_setting_is_named_and_read() {
        let set: String = NAMES.map(|name| format!("{name}=?\n")).concat();
        let problems = read_from(&set).unwrap_err();
        for name in NAMES {
            let begins = |problem: &&String| problem.starts_with(&format!("{name} is "));
            assert_eq!(problems.iter().filter(begins).count(), 1, "{name}");
        }
        let (source, _) = include_str!("reminder.rs").split_once("mod tests").unwrap();
        let quoted = source.split('"').filter(|text| text.starts_with(PREFIX));
        for name in quoted.filter(|name| *name != PREFIX) {
            assert!(NAMES.contains(&name), "{name}");
        }
    }

    #[test]
    fn leads_come_longest_first_in_any_unit() {
        let reminder = read_from("REMINDER_LEAD=60m,24h,2d,7200s\nREMINDER_CATCH_UP=20m").unwrap();
        assert_eq!(reminder.leads, [2880, 1440, 120, 60].map(Duration::minutes));
    }

    #[test]
    fn absurd_times_are_problems() {
        for lead in [
            "0",
            "0m",
            "-60m",
            "60",
            "90s",
            "31d",
            "m",
            "1.5h",
            "+5m",
            "60m,",
            "99999999999d",
            "६०m",
            "é",
        ] {
            let problems = read_from(&format!("REMINDER_LEAD=\"{lead}\"")).unwrap_err();
            assert!(
                problems[0].starts_with("REMINDER_LEAD is "),
                "{lead}: {problems:?}"
            );
        }
        for (name, value) in [
            ("TOLERANCE", "0"),
            ("TOLERANCE", "10s"),
            ("TOLERANCE", "61m"),
            ("TOLERANCE", "2d"),
            ("CATCH_UP", "-1m"),
            ("CATCH_UP", "99d"),
        ] {
            let problems = read_from(&format!("REMINDER_{name}={value}")).unwrap_err();
            assert!(
                problems[0].starts_with(&format!("REMINDER_{name} is \"{value}\"")),
                "{problems:?}"
            );
        }
    }

    #[test]
    fn leads_keep_two_windows_between_them() {
        assert!(read_from("REMINDER_LEAD=80m,60m").is_ok());
        for text in [
            "REMINDER_LEAD=79m,60m",
            "REMINDER_LEAD=60m,60m",
            "REMINDER_LEAD=80m,60m\nREMINDER_CATCH_UP=1m",
        ] {
            assert!(
                read_from(text).unwrap_err()[0].contains("minutes apart"),
                "{text}"
            );
        }
    }

    #[test]
    fn redirects_must_be_deliverable() {
        let reminder = read_from(
            "REMINDER_REDIRECT_MAIL=me@kursus.id\nREMINDER_REDIRECT_WHATSAPP='0812 3456 7890'",
        )
        .unwrap();
        assert_eq!(reminder.redirect_mail.as_deref(), Some("me@kursus.id"));
        assert_eq!(
            reminder.redirect_whatsapp.as_deref(),
            Some("+6281234567890")
        );
        assert_eq!(
            read_from("REMINDER_REDIRECT_MAIL=me\nREMINDER_REDIRECT_WHATSAPP=12")
                .unwrap_err()
                .len(),
            2
        );
    }

    #[test]
    fn words_outside_the_list_and_missing_folders_are_problems() {
        let text = "REMINDER_IN_DOUBT=x\nREMINDER_CORRECTIONS=x\nREMINDER_LOCALE=fr\nREMINDER_TEMPLATES=nowhere";
        assert_eq!(read_from(text).unwrap_err().len(), 4);
        assert!(
            read_from("REMINDER_CORRECTIONS=on\nREMINDER_TEMPLATES=.")
                .unwrap()
                .corrections
        );
    }
}

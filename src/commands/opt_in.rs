//! `opt-in` and `opt-out`: who wants WhatsApp messages, and where.

use std::{fmt, fs, path::Path};

use anyhow::{Context, Result, anyhow};
use chrono::{NaiveDateTime, SubsecRound, Utc};
use chrono_tz::Tz;
use csv::StringRecord;
use log::error;
use serde::Serialize;

use crate::{
    cli::{self, Format},
    config::Config,
    db::{self, Db},
    exit::Exit,
    ledger, output, phone,
    platform::profile::{self, Profile},
    text,
    time::Zone,
};

/// What a user's profile says now.
#[derive(Serialize)]
struct Answer {
    user_id: i64,
    /// Whole only where it was stored just now: whoever typed it sees what it has become.
    phone: Option<String>,
    whatsapp_opt_in: bool,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phone = text::one_line(self.phone.as_deref().unwrap_or("no number"), 40);
        match self.whatsapp_opt_in {
            true => write!(f, "user {} gets WhatsApp messages at {phone}", self.user_id),
            false => write!(
                f,
                "user {} gets no WhatsApp messages ({phone})",
                self.user_id
            ),
        }
    }
}

pub fn opt_in(config: &Config, args: &cli::OptIn) -> Result<Exit> {
    let mut db = db::open(&config.database)?;
    if let Some(file) = &args.file {
        return opt_in_all(&mut db, config, file, args.format);
    }
    let user = args.user.as_deref().unwrap_or_default();
    let answer = opt_in_one(&mut db, config, user, args.phone.as_deref())?;
    output::print(args.format, &answer)?;
    Ok(Exit::Ok)
}

pub fn opt_out(config: &Config, args: &cli::OptOut) -> Result<Exit> {
    let mut db = db::open(&config.database)?;
    let now = wall(config);
    let profile = profile::find(&mut db, &args.user)?;
    db::write(&mut db, |db| profile::opt_out(db, &profile, now))
        .context("could not store the opt-out")?;
    let answer = Answer {
        user_id: profile.user_id,
        phone: profile.phone.as_deref().map(text::mask_phone),
        whatsapp_opt_in: false,
    };
    output::print(args.format, &answer)?;
    Ok(Exit::Ok)
}

/// # Errors
/// When there is no such user or no valid number; then nothing has been changed.
fn opt_in_one(db: &mut Db, config: &Config, user: &str, phone: Option<&str>) -> Result<Answer> {
    let profile = profile::find(db, user)?;
    let number = number(&profile, phone, &config.app.phone_region)?;
    let now = wall(config);
    let has_ledger = db::relations(db)?.iter().any(|name| name == ledger::TABLE);
    db::write(db, |db| {
        profile::opt_in(db, &profile, &number, now)?;
        if has_ledger {
            ledger::forget_opt_out(db, profile.user_id)?;
        }
        Ok(())
    })
    .context("could not store the opt-in")?;
    Ok(Answer {
        user_id: profile.user_id,
        phone: Some(number),
        whatsapp_opt_in: true,
    })
}

/// The number that was given, else the one in the profile, in E.164.
fn number(profile: &Profile, given: Option<&str>, region: &str) -> Result<String> {
    let given = given.map(str::trim).filter(|given| !given.is_empty());
    let Some(text) = given.or(profile.phone.as_deref()) else {
        return Err(anyhow!(
            "user {} has no phone number: give one with --phone, or after the user in a file's line",
            profile.user_id
        ));
    };
    phone::normalise(text, region)
        .map_err(|reason| anyhow!("user {}: {reason}; nothing was changed", profile.user_id))
}

/// Every line of a CSV file. A line that cannot be done is named, and the others are.
fn opt_in_all(db: &mut Db, config: &Config, file: &Path, format: Format) -> Result<Exit> {
    let file = match file == Path::new("-") {
        true => Path::new("/dev/stdin"),
        false => file,
    };
    let bytes = fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let mut exit = Exit::Ok;
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let answer = fields(line, number == 1).and_then(|fields| {
            let wish = fields.as_ref().and_then(|fields| fields.get(0));
            let phone = fields.as_ref().and_then(|fields| fields.get(1));
            wish.map(|user| opt_in_one(db, config, user, phone))
                .transpose()
        });
        match answer {
            Ok(None) => {}
            Ok(Some(answer)) => output::print(format, &answer)?,
            Err(problem) => {
                error!("{}, line {number}: {problem:#}", file.display());
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}

/// The fields of one line, `None` for an empty one and for headings. Read line by line, so that a line that is broken
/// leaves the others alone.
fn fields(line: &[u8], is_first: bool) -> Result<Option<StringRecord>> {
    let line = str::from_utf8(line)
        .context("this is no UTF-8 text: save the file as CSV in UTF-8, or correct the line")?;
    // Spreadsheets write a semicolon where the comma is in numbers.
    let delimiter = if line.contains(',') { b',' } else { b';' };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(line.as_bytes());
    let record = reader.records().next().transpose()?;
    let headings = ["user", "email", "id", "user_id"];
    Ok(record.filter(|record| {
        let user = record.get(0).unwrap_or_default().to_lowercase();
        let is_heading = is_first && headings.contains(&user.as_str());
        !user.is_empty() && !is_heading
    }))
}

/// Now, as Laravel would write it into `updated_at`.
fn wall(config: &Config) -> NaiveDateTime {
    let zone = Zone(config.zone.unwrap_or(Tz::UTC));
    zone.wall(Utc::now().trunc_subsecs(0))
}

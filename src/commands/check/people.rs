//! Who of the coming days cannot be reached.

use anyhow::Result;
use chrono::{DateTime, Duration, Utc};

use super::chain::Chain;
use crate::{
    config::Config,
    db::Db,
    mail, phone,
    platform::coming::{Coming, Contact},
    time::Zone,
};

/// So many days are looked at.
const DAYS: i64 = 7;
/// So many ids are named.
const FEW: usize = 5;

pub fn look(
    chain: &mut Chain,
    db: &mut Db,
    config: &Config,
    coming: &Coming,
    zone: Zone,
    now: DateTime<Utc>,
) -> Result<()> {
    let to = now + Duration::days(DAYS);
    let people = coming.contacts(db, zone.wall(now), zone.wall(to))?;
    if !config.mail.is_off() {
        let is_good = |one: &&Contact| {
            let address = one.email.as_deref().unwrap_or_default();
            mail::parse_address(address).is_ok()
        };
        let cure = "correct them in the users' records";
        tell(chain, "addresses", people.iter(), is_good, cure);
    }
    if !config.whatsapp.is_off() {
        let opted_in = people
            .iter()
            .filter(|one| one.whatsapp_opt_in == Some(true));
        let is_good = |one: &&Contact| {
            let number = one.phone.as_deref().unwrap_or_default();
            phone::normalise(number, &config.app.phone_region).is_ok()
        };
        let cure = "correct them with `reminders opt-in USER --phone NUMBER`";
        tell(chain, "phones", opted_in, is_good, cure);
    }
    Ok(())
}

fn tell<'a>(
    chain: &mut Chain,
    link: &'static str,
    people: impl Iterator<Item = &'a Contact>,
    is_good: impl Fn(&&Contact) -> bool,
    cure: &str,
) {
    let (good, bad): (Vec<&Contact>, Vec<&Contact>) = people.partition(is_good);
    let count = good.len() + bad.len();
    match bad.len() {
        0 if count == 0 => chain.ok(link, format!("none in the coming {DAYS} days")),
        0 => chain.ok(
            link,
            format!("all {count} in the coming {DAYS} days can be used"),
        ),
        wrong => {
            let of = format!("{wrong} of {count} in the coming {DAYS} days");
            let who = few(&bad);
            chain.warn(link, format!("{of} cannot be used ({who}): {cure}"));
        }
    }
}

fn few(people: &[&Contact]) -> String {
    let ids = people.iter().take(FEW).map(|one| one.user_id.to_string());
    let ids = ids.collect::<Vec<_>>().join(", ");
    match people.len() {
        1 => format!("user {ids}"),
        ..=FEW => format!("users {ids}"),
        _ => format!("users {ids} …"),
    }
}

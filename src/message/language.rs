//! Dates, times and spans of time in the words of each language.

use chrono::{DateTime, Datelike, Offset, Timelike};
use chrono_tz::{OffsetName, Tz};

use crate::config::Locale;

const DAYS_ID: [&str; 7] = [
    "Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu",
];
const DAYS_EN: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
#[rustfmt::skip]
const MONTHS_ID: [&str; 12] = [
    "Januari", "Februari", "Maret", "April", "Mei", "Juni",
    "Juli", "Agustus", "September", "Oktober", "November", "Desember",
];
#[rustfmt::skip]
const MONTHS_EN: [&str; 12] = [
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
];

/// The language a stored locale asks for: `id`, `in` (its name until 1989, which Java still writes), `id_ID`, `en-GB`
/// …; `default` when it names none of ours.
pub fn choose(locale: Option<&str>, default: Locale) -> Locale {
    let locale = locale.unwrap_or_default().trim().to_lowercase();
    match locale.split(['_', '-', '.']).next() {
        Some("id" | "in") => Locale::Id,
        Some(language) if language.starts_with("en") => Locale::En,
        _ => default,
    }
}

/// The language's ISO 639 code, which is also the name of its folder of templates.
pub fn code(locale: Locale) -> &'static str {
    match locale {
        Locale::Id => "id",
        Locale::En => "en",
    }
}

/// `Senin, 23 November 2026`.
pub fn date(locale: Locale, time: &DateTime<Tz>) -> String {
    let (days, months) = match locale {
        Locale::Id => (DAYS_ID, MONTHS_ID),
        Locale::En => (DAYS_EN, MONTHS_EN),
    };
    let day = days[time.weekday().num_days_from_monday() as usize];
    let month = months[time.month0() as usize];
    format!("{day}, {} {month} {}", time.day(), time.year())
}

/// `17.00` in Indonesian, `17:00` in English.
pub fn clock(locale: Locale, time: &DateTime<Tz>) -> String {
    let mark = match locale {
        Locale::Id => '.',
        Locale::En => ':',
    };
    format!("{:02}{mark}{:02}", time.hour(), time.minute())
}

/// The whole phrase: `Senin, 23 November 2026 pukul 17.00 WIB`, `Monday, 23 November 2026, 17:00 WIB`.
pub fn moment(locale: Locale, time: &DateTime<Tz>) -> String {
    let join = match locale {
        Locale::Id => " pukul ",
        Locale::En => ", ",
    };
    format!(
        "{}{join}{} {}",
        date(locale, time),
        clock(locale, time),
        zone(time)
    )
}

/// `WIB`, `CET`; `UTC+8` or `UTC+5:45` where the zone has no letters of its own.
pub fn zone(time: &DateTime<Tz>) -> String {
    let letters = |name: &&str| name.starts_with(|c: char| c.is_ascii_alphabetic());
    match time.offset().abbreviation().filter(letters) {
        Some(name) => name.to_string(),
        None => numeric_zone(time.offset().fix().local_minus_utc() / 60),
    }
}

fn numeric_zone(offset: i32) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    match (offset.abs() / 60, offset.abs() % 60) {
        (0, 0) => "UTC".to_string(),
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

/// `1 jam 35 menit`, `1 day 1 minute`; `kurang dari 1 menit` for nothing or less.
pub fn span(locale: Locale, minutes: i64) -> String {
    if minutes < 1 {
        return match locale {
            Locale::Id => "kurang dari 1 menit".to_string(),
            Locale::En => "less than 1 minute".to_string(),
        };
    }
    let units = match locale {
        Locale::Id => ["hari", "jam", "menit"],
        Locale::En => ["day", "hour", "minute"],
    };
    let counts = [minutes / 1440, minutes % 1440 / 60, minutes % 60];
    let parts = counts.iter().zip(units).filter(|(count, _)| **count > 0);
    let words: Vec<String> = parts
        .map(|(count, unit)| counted(locale, *count, unit))
        .collect();
    words.join(" ")
}

fn counted(locale: Locale, count: i64, unit: &str) -> String {
    let plural = if locale == Locale::En && count > 1 {
        "s"
    } else {
        ""
    };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Utc;

    fn at(utc: &str, zone: &str) -> DateTime<Tz> {
        let instant: DateTime<Utc> = utc.parse().unwrap();
        instant.with_timezone(&zone.parse::<Tz>().unwrap())
    }

    #[test]
    fn a_locale_names_a_language_in_many_spellings() {
        let cases = [
            ("id", Locale::Id),
            ("in", Locale::Id),
            ("id_ID", Locale::Id),
            ("id-ID", Locale::Id),
            ("ID_id.UTF-8", Locale::Id),
            ("en", Locale::En),
            (" EN-gb ", Locale::En),
            ("english", Locale::En),
        ];
        for (text, expected) in cases {
            for default in [Locale::Id, Locale::En] {
                assert_eq!(choose(Some(text), default), expected, "{text}");
            }
        }
    }

    #[test]
    fn a_locale_that_is_none_of_ours_is_the_default() {
        for text in [
            None,
            Some(""),
            Some("fr"),
            Some("jv_ID"),
            Some("😀"),
            Some("\r\n"),
        ] {
            assert_eq!(choose(text, Locale::Id), Locale::Id, "{text:?}");
            assert_eq!(choose(text, Locale::En), Locale::En, "{text:?}");
        }
    }

    #[test]
    fn a_moment_is_told_in_the_words_of_each_language_and_zone() {
        #[rustfmt::skip]
        let cases = [
            ("2026-11-23T10:00:00Z", "Asia/Jakarta", "Senin, 23 November 2026 pukul 17.00 WIB", "Monday, 23 November 2026, 17:00 WIB"),
            ("2026-11-23T10:00:00Z", "Asia/Makassar", "Senin, 23 November 2026 pukul 18.00 WITA", "Monday, 23 November 2026, 18:00 WITA"),
            ("2026-11-23T10:00:00Z", "Asia/Jayapura", "Senin, 23 November 2026 pukul 19.00 WIT", "Monday, 23 November 2026, 19:00 WIT"),
            ("2026-08-01T17:05:00Z", "Asia/Jakarta", "Minggu, 2 Agustus 2026 pukul 00.05 WIB", "Sunday, 2 August 2026, 00:05 WIB"),
            ("2026-12-31T23:30:00Z", "Asia/Singapore", "Jumat, 1 Januari 2027 pukul 07.30 UTC+8", "Friday, 1 January 2027, 07:30 UTC+8"),
            ("2026-03-01T02:00:00Z", "America/New_York", "Sabtu, 28 Februari 2026 pukul 21.00 EST", "Saturday, 28 February 2026, 21:00 EST"),
            ("2026-03-29T00:59:00Z", "Europe/Berlin", "Minggu, 29 Maret 2026 pukul 01.59 CET", "Sunday, 29 March 2026, 01:59 CET"),
            ("2026-03-29T01:00:00Z", "Europe/Berlin", "Minggu, 29 Maret 2026 pukul 03.00 CEST", "Sunday, 29 March 2026, 03:00 CEST"),
            ("2026-11-01T05:30:00Z", "America/New_York", "Minggu, 1 November 2026 pukul 01.30 EDT", "Sunday, 1 November 2026, 01:30 EDT"),
            ("2026-11-01T06:30:00Z", "America/New_York", "Minggu, 1 November 2026 pukul 01.30 EST", "Sunday, 1 November 2026, 01:30 EST"),
        ];
        for (utc, zone, indonesian, english) in cases {
            assert_eq!(moment(Locale::Id, &at(utc, zone)), indonesian);
            assert_eq!(moment(Locale::En, &at(utc, zone)), english);
        }
    }

    #[test]
    fn a_zone_without_letters_is_named_by_its_offset() {
        let cases = [
            ("Asia/Kathmandu", "UTC+5:45"),
            ("America/Sao_Paulo", "UTC-3"),
            ("Pacific/Marquesas", "UTC-9:30"),
            ("Atlantic/Azores", "UTC-1"),
            ("UTC", "UTC"),
            ("Etc/GMT", "GMT"),
        ];
        for (zone_name, expected) in cases {
            assert_eq!(
                zone(&at("2026-11-23T10:00:00Z", zone_name)),
                expected,
                "{zone_name}"
            );
        }
        assert_eq!(numeric_zone(0), "UTC");
    }

    #[test]
    fn a_span_is_told_in_its_largest_units() {
        let cases = [
            (-5, "kurang dari 1 menit", "less than 1 minute"),
            (0, "kurang dari 1 menit", "less than 1 minute"),
            (1, "1 menit", "1 minute"),
            (57, "57 menit", "57 minutes"),
            (60, "1 jam", "1 hour"),
            (95, "1 jam 35 menit", "1 hour 35 minutes"),
            (120, "2 jam", "2 hours"),
            (1440, "1 hari", "1 day"),
            (1441, "1 hari 1 menit", "1 day 1 minute"),
            (3000, "2 hari 2 jam", "2 days 2 hours"),
        ];
        for (minutes, indonesian, english) in cases {
            assert_eq!(span(Locale::Id, minutes), indonesian);
            assert_eq!(span(Locale::En, minutes), english);
        }
    }
}

use std::{fs, io};

use chrono_tz::{TZ_VARIANTS, Tz};

use super::{
    php::{self, Timezone},
    reader::Reader,
};

const CURE: &str = "give a time zone's name, such as Asia/Jakarta (WIB), Asia/Makassar (WITA), Asia/Jayapura (WIT) or UTC";
const PLATFORM: &str = "config/app.php 'timezone'";

/// The zone of the stored naive times: `APP_TIMEZONE`, or what the platform's `config/app.php` says. Most Laravel
/// applications have it written there, so where both speak they must say the same.
pub fn read(reader: &mut Reader) -> Option<Tz> {
    let set = reader.parsed("APP_TIMEZONE", CURE, by_name);
    let platform = of_platform(reader);
    if let (Some(set), Some(platform)) = (set, platform)
        && set != platform
    {
        let cure = format!(
            "config/app.php says {platform}: the two must be the same, take APP_TIMEZONE out or correct it"
        );
        reader.complain("APP_TIMEZONE", Some(set.name()), cure);
    }
    set.or(platform)
}

fn of_platform(reader: &mut Reader) -> Option<Tz> {
    let file = reader
        .environment()
        .project
        .join(super::environment::PLATFORM);
    let source = match fs::read(&file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if is_absent(&error) => return None,
        Err(error) => {
            reader.complain(PLATFORM, None, format!("cannot be read: {error}"));
            return None;
        }
    };
    match php::timezone(&source)? {
        Timezone::Literal(name) => checked(reader, PLATFORM, &name),
        // Already read as such.
        Timezone::Env { variable, .. }
            if variable == "APP_TIMEZONE" && reader.text(&variable).is_some() =>
        {
            None
        }
        Timezone::Env { variable, default } => match reader.text(&variable) {
            Some(name) => checked(reader, &variable, &name),
            None => checked(reader, PLATFORM, &default?),
        },
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn checked(reader: &mut Reader, key: &str, name: &str) -> Option<Tz> {
    let zone = by_name(name);
    if zone.is_none() {
        reader.complain(key, Some(name), CURE);
    }
    zone
}

/// In any case of letters, as PHP takes it.
fn by_name(name: &str) -> Option<Tz> {
    TZ_VARIANTS
        .iter()
        .copied()
        .find(|zone| zone.name().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::environment;

    fn read_from(env_file: &str, app_php: Option<&str>) -> (Option<Tz>, Vec<String>) {
        let (folder, environment) = environment(env_file, &[]);
        if let Some(value) = app_php {
            fs::create_dir(folder.path().join("config")).unwrap();
            let source = format!("<?php return ['timezone' => {value}, 'locale' => 'id'];");
            fs::write(folder.path().join("config/app.php"), source).unwrap();
        }
        let mut reader = Reader::new(&environment);
        let zone = read(&mut reader);
        (
            zone,
            reader
                .into_problems()
                .iter()
                .map(ToString::to_string)
                .collect(),
        )
    }

    #[test]
    fn either_source_alone_decides() {
        assert_eq!(read_from("", None), (None, vec![]));
        assert_eq!(
            read_from("APP_TIMEZONE=asia/jakarta", None),
            (Some(Tz::Asia__Jakarta), vec![])
        );
        assert_eq!(
            read_from("", Some("'Asia/Makassar'")),
            (Some(Tz::Asia__Makassar), vec![])
        );
        assert_eq!(
            read_from("APP_TIMEZONE=UTC", Some("'UTC'")),
            (Some(Tz::UTC), vec![])
        );
    }

    #[test]
    fn env_in_app_php_means_what_laravel_makes_of_it() {
        let app_php = Some("env('APP_TIMEZONE', 'UTC')");
        assert_eq!(read_from("", app_php), (Some(Tz::UTC), vec![]));
        assert_eq!(
            read_from("APP_TIMEZONE=Asia/Jakarta", app_php),
            (Some(Tz::Asia__Jakarta), vec![])
        );
        assert_eq!(
            read_from("ZONE=Asia/Tokyo", Some("env('ZONE', 'UTC')")),
            (Some(Tz::Asia__Tokyo), vec![])
        );
        assert_eq!(read_from("", Some("env('APP_TIMEZONE')")), (None, vec![]));
        assert_eq!(read_from("APP_TIMEZONE=WIB", app_php).1.len(), 1);
    }

    #[test]
    fn two_zones_that_differ_are_a_problem() {
        let (_, problems) = read_from("APP_TIMEZONE=UTC", Some("'Asia/Jakarta'"));
        assert!(
            problems[0].starts_with("APP_TIMEZONE is \"UTC\": config/app.php says Asia/Jakarta"),
            "{problems:?}"
        );
    }

    #[test]
    fn an_unknown_zone_is_a_problem_wherever_it_stands() {
        assert!(
            read_from("APP_TIMEZONE=GMT+7", None).1[0]
                .starts_with("APP_TIMEZONE is \"GMT+7\": give a time zone")
        );
        assert!(
            read_from("", Some("'Jakarta'")).1[0]
                .contains("config/app.php 'timezone' is \"Jakarta\": give a time zone")
        );
        assert!(
            read_from("ZONE=WIB", Some("env('ZONE', 'UTC')")).1[0].starts_with("ZONE is \"WIB\"")
        );
    }
}

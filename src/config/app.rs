use rlibphonenumber::{PHONE_NUMBER_UTIL, Region};

use super::{address, reader::Reader};

/// What the messages say about the platform itself.
#[derive(Debug)]
pub struct App {
    /// `APP_NAME`; empty where it is not set.
    pub name: String,
    /// `APP_URL`.
    pub url: Option<String>,
    /// `PHONE_REGION`: the country of phone numbers written without `+`, as an ISO 3166 code.
    pub phone_region: String,
}

const DEFAULT_REGION: &str = "ID";

pub fn read(reader: &mut Reader) -> App {
    let url = reader.parsed(
        "APP_URL",
        "give the platform's address, such as https://kursus.example",
        |text| address::web(text).map(|_| text.to_owned()),
    );
    let phone_region = reader.parsed(
        "PHONE_REGION",
        "give a country code of two letters, such as ID",
        region,
    );
    App {
        name: reader.text("APP_NAME").unwrap_or_default(),
        url,
        phone_region: phone_region.unwrap_or_else(|| DEFAULT_REGION.to_owned()),
    }
}

/// The default needs no look at libphonenumber's tables: a pass with nothing to send stays small without them.
fn region(text: &str) -> Option<String> {
    let code = text.to_ascii_uppercase();
    let in_tables = |region: Region| {
        PHONE_NUMBER_UTIL
            .get_country_code_for_region(region)
            .is_some()
    };
    (code == DEFAULT_REGION || code.parse().is_ok_and(in_tables)).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::environment;

    fn read_from(env_file: &str) -> (App, usize) {
        let (_folder, environment) = environment(env_file, &[]);
        let mut reader = Reader::new(&environment);
        (read(&mut reader), reader.into_problems().len())
    }

    #[test]
    fn the_region_is_a_country_with_phones() {
        assert_eq!(read_from("").0.phone_region, "ID");
        assert_eq!(read_from("PHONE_REGION=sg").0.phone_region, "SG");
        for region in ["XX", "UK", "Indonesia", "+62", "é"] {
            assert_eq!(
                read_from(&format!("PHONE_REGION={region}")).1,
                1,
                "{region}"
            );
        }
    }

    #[test]
    fn the_platforms_address_is_a_web_address() {
        assert_eq!(
            read_from("APP_URL=http://localhost").0.url.as_deref(),
            Some("http://localhost")
        );
        for url in ["kursus.id", "ftp://kursus.id", "https://"] {
            assert_eq!(read_from(&format!("APP_URL={url}")).1, 1, "{url}");
        }
    }
}

use url::Url;

use crate::config::{address, reader::Reader, secret::Secret};

/// The parts of `MAIL_URL`: `smtp://user:password@host:port`, user and password percent-encoded.
#[derive(Default)]
pub struct MailUrl {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub username: Option<String>,
    pub password: Option<Secret>,
    /// `smtps://`
    pub implicit_tls: bool,
}

impl MailUrl {
    /// No part where the variable is not set, or is a problem.
    pub fn read(reader: &mut Reader) -> MailUrl {
        let Some(text) = reader.secret("MAIL_URL") else {
            return MailUrl::default();
        };
        let parsed = MailUrl::parse(text.expose());
        if parsed.is_none() {
            let cure = "give smtp://user:password@host:port, or smtps:// for port 465, \
                with special characters percent-encoded (%40 for @)";
            reader.complain("MAIL_URL", None, cure);
        }
        parsed.unwrap_or_default()
    }

    fn parse(text: &str) -> Option<MailUrl> {
        let url = Url::parse(text.trim()).ok()?;
        let path_is_empty = matches!(url.path(), "" | "/");
        if !matches!(url.scheme(), "smtp" | "smtps") || !path_is_empty || url.port() == Some(0) {
            return None;
        }
        let host =
            address::percent_decoded(url.host_str()?).and_then(|host| address::host(&host))?;
        let username = address::percent_decoded(url.username())?;
        let password = address::percent_decoded(url.password().unwrap_or_default())?;
        Some(MailUrl {
            host: Some(host),
            port: url.port(),
            username: Some(username).filter(|text| !text.is_empty()),
            password: Some(password)
                .filter(|text| !text.is_empty())
                .map(Secret::new),
            implicit_tls: url.scheme() == "smtps",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_decoded() {
        let url =
            MailUrl::parse("smtps://info%40kursus.id:p%40s%2Fs+w@[::1]:4650/?timeout=9").unwrap();
        assert_eq!(
            (url.host.as_deref(), url.port, url.implicit_tls),
            (Some("::1"), Some(4650), true)
        );
        assert_eq!(url.username.as_deref(), Some("info@kursus.id"));
        assert_eq!(url.password.unwrap().expose(), "p@s/s+w");
    }

    #[test]
    fn parts_may_be_missing() {
        let url = MailUrl::parse("smtp://smtp.gmail.com").unwrap();
        assert_eq!(
            (url.host.as_deref(), url.port, url.username),
            (Some("smtp.gmail.com"), None, None)
        );
        assert!(url.password.is_none() && !url.implicit_tls);
    }

    #[test]
    fn other_addresses_are_refused() {
        for text in [
            "",
            "smtp.gmail.com",
            "https://mail.id",
            "smtp://",
            "smtp://h:0",
            "smtp://h:99999",
            "smtp://h/path",
            "smtp://%ff@h",
            "smtp://a b",
        ] {
            assert!(MailUrl::parse(text).is_none(), "{text}");
        }
    }
}

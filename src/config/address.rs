//! Hosts and URLs as they stand in settings.

use std::net::IpAddr;

use url::{Host, Url};

/// Whether what is sent to the host stays on this machine.
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback(),
        Err(_) => host.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
    }
}

/// A host name or IP address alone, without brackets: no scheme, port or path.
pub fn host(text: &str) -> Option<String> {
    let text = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let is_name = text
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    (!text.is_empty() && (is_name || text.parse::<IpAddr>().is_ok())).then(|| text.to_owned())
}

/// An `http` or `https` address with a host.
pub fn web(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// The host of a web address where it is a name; an IP address is none to introduce oneself with.
pub fn domain(url: &str) -> Option<String> {
    match Url::parse(url).ok()?.host()? {
        Host::Domain(name) => Some(name.to_owned()),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

/// RFC 3986 decoding, in which `+` is an ordinary character. `None` where the result is not UTF-8.
pub fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| hex_pair(after)).flatten();
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() {
            after.get(2..).unwrap_or_default()
        } else {
            after
        };
    }
    String::from_utf8(bytes).ok()
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let digit = |index: usize| char::from(*bytes.get(index)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_localhost_and_its_addresses() {
        for host in [
            "localhost",
            "LOCALHOST.",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "[::1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.evil.id", "10.0.0.1", "0.0.0.0", "mail", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_nothing_more() {
        assert_eq!(host("smtp.gmail.com").as_deref(), Some("smtp.gmail.com"));
        assert_eq!(host("[::1]").as_deref(), Some("::1"));
        for text in [
            "",
            "ssl://smtp.gmail.com",
            "smtp.gmail.com:587",
            "a b",
            "a\r\nb",
            "user@host",
        ] {
            assert_eq!(host(text), None, "{text}");
        }
    }

    #[test]
    fn percent_decoding_keeps_what_is_no_escape() {
        assert_eq!(
            percent_decoded("p%40ss%2fw+%zz%4").as_deref(),
            Some("p@ss/w+%zz%4")
        );
        assert_eq!(percent_decoded("%C3%A9").as_deref(), Some("é"));
        assert_eq!(percent_decoded("%ff"), None);
    }
}

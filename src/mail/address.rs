//! Reading the address field of a user: exactly one plain address, or a reason why not.

use lettre::Address;
use url::Host;

use crate::outcome::Fault;

/// A path of 256 octets, without its brackets (RFC 5321, section 4.5.3.1.3).
const LONGEST: usize = 254;

/// The one address in `text`. What libraries would read leniently (a display name, a list, quoted parts) is refused,
/// because whatever follows the first address would be a second recipient.
pub fn parse(text: &str) -> Result<Address, Fault> {
    let text = text.trim();
    if let Some(wrong) = what_is_wrong(text) {
        return Err(fault(wrong));
    }
    let (user, domain) = text.rsplit_once('@').unwrap_or((text, ""));
    let domain = ascii_domain(domain).ok_or_else(|| fault("is invalid after the @"))?;
    if user.len() + domain.len() + 1 > LONGEST {
        return Err(fault("is longer than 254 characters"));
    }
    Address::new(user, domain).map_err(|error| match error {
        lettre::address::AddressError::InvalidUser => fault("is invalid before the @"),
        _ => fault("is invalid after the @"),
    })
}

fn fault(wrong: &str) -> Fault {
    Fault::new(
        "address",
        format!("the email address {wrong}: correct it in the user's record"),
    )
}

fn what_is_wrong(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("is empty");
    }
    if text
        .chars()
        .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
    {
        return Some("holds a line break or control character");
    }
    if text.contains('\u{fffd}') {
        return Some("is not valid text");
    }
    if text.contains(is_invisible) {
        return Some("holds invisible characters");
    }
    if text.contains([',', ';']) || text.matches('@').count() > 1 {
        return Some("is more than one address");
    }
    if text.contains(['<', '>', '"', '(', ')']) {
        return Some("holds a name or quotes beside the address");
    }
    if text.contains(char::is_whitespace) {
        return Some("holds a blank");
    }
    (!text.contains('@')).then_some("has no @")
}

/// Nobody means these in an address, and on a screen it would pass for another one.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// International domains travel as punycode, so that only a non-ASCII local part needs SMTPUTF8 (RFC 6531).
fn ascii_domain(domain: &str) -> Option<String> {
    if domain.is_ascii() {
        return Some(domain.to_owned());
    }
    match Host::parse(domain) {
        Ok(Host::Domain(ascii)) => Some(ascii),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_plain_address_is_taken_as_it_is() {
        for text in [
            "budi@example.com",
            " budi@example.com \n",
            "o'neil+a=b@sub.example.co.id",
            "Budi@EXAMPLE.com",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text.trim());
        }
    }

    #[test]
    fn an_international_domain_becomes_punycode() {
        assert_eq!(
            parse("budi@bücher.example").unwrap().to_string(),
            "budi@xn--bcher-kva.example"
        );
        assert_eq!(
            parse("büdi@example.com").unwrap().to_string(),
            "büdi@example.com"
        );
    }

    #[test]
    fn everything_else_is_refused_with_what_is_wrong() {
        let long = format!("{}@example.com", "a".repeat(10_000));
        for (text, word) in [
            ("", "empty"),
            (" \t ", "empty"),
            ("budi", "no @"),
            ("budi@", "after the @"),
            ("@example.com", "before the @"),
            ("a@example.com,b@example.com", "more than one"),
            ("a@example.com; b@example.com", "more than one"),
            ("a@example.com b@example.com", "more than one"),
            ("a@b@example.com", "more than one"),
            ("Budi <budi@example.com>", "name or quotes"),
            ("<budi@example.com>", "name or quotes"),
            ("\"a b\"@example.com", "name or quotes"),
            ("budi@example.com\r\nBcc: eve@example.com", "line break"),
            ("budi\0@example.com", "line break"),
            ("bu di@example.com", "blank"),
            ("bu\u{a0}di@example.com", "blank"),
            ("budi@exa_mple..com", "after the @"),
            ("budi..x@example.com", "before the @"),
            ("budi@\u{202e}moc", "invisible"),
            ("bu\u{ad}di@example.com", "invisible"),
            ("bu\u{200b}di@example.com", "invisible"),
            ("bu\u{fffd}di@example.com", "not valid text"),
            (long.as_str(), "longer than 254"),
        ] {
            let fault = parse(text).unwrap_err();
            assert_eq!(fault.code, "address");
            assert!(fault.reason.contains(word), "{text:?}: {}", fault.reason);
        }
    }
}

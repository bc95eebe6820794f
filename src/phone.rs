//! Phone numbers as people type them, brought into E.164 (`+6281234567890`), the only form Twilio takes.

use rlibphonenumber::{
    PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat, Region, ValidationError,
};

use crate::text::one_line;

/// Longer than any number with its punctuation; what is longer is a mistake and not worth parsing.
const MAX_CHARS: usize = 40;

/// E.164 form of what somebody typed; the error is one line saying why it is no valid number, without repeating it
/// (reasons are logged, numbers are not).
///
/// `region` is the ISO code of the country for numbers without `+` (or `00`). Blanks, dashes, dots and parentheses are
/// read over, as is a `whatsapp:` prefix. Letters are refused: libphonenumber would read them as a vanity number.
pub fn normalise(text: &str, region: &str) -> Result<String, String> {
    let typed = typed_number(text)?;
    let home: Region = region.trim().to_ascii_uppercase().parse().map_err(|_| {
        format!(
            "PHONE_REGION \"{}\" is no country code such as ID",
            one_line(region, 10)
        )
    })?;
    let number = PHONE_NUMBER_UTIL
        .parse(&typed, Some(home))
        .map_err(|error| format!("the phone number {}", why_unreadable(&error)))?;
    if !number.is_valid() {
        return Err(format!("the phone number {}", why_invalid(&number)));
    }
    Ok(number.format_as(PhoneNumberFormat::E164).into_owned())
}

/// The digits with their `+`, checked to be nothing but a number.
fn typed_number(text: &str) -> Result<String, String> {
    let text = text.trim();
    let text = match text.get(..9) {
        Some(prefix) if prefix.eq_ignore_ascii_case("whatsapp:") => text[9..].trim(),
        _ => text,
    };
    if text.is_empty() {
        return Err("there is no phone number".to_owned());
    }
    if text.chars().count() > MAX_CHARS {
        return Err("the phone number is too long to be one".to_owned());
    }
    if let Some(stray) = text.chars().find(|c| !is_number_character(*c)) {
        return Err(format!(
            "the phone number holds {stray:?}: give one number, in digits"
        ));
    }
    Ok(match text.strip_prefix("00") {
        Some(rest) => format!("+{rest}"),
        None => text.to_owned(),
    })
}

/// Digits (libphonenumber reads those of other scripts and full width too) and the punctuation between them.
fn is_number_character(c: char) -> bool {
    c.is_numeric()
        || matches!(
            c,
            '+' | '\u{ff0b}' | ' ' | '\u{a0}' | '-' | '‐' | '‑' | '–' | '.' | '(' | ')' | '/'
        )
}

fn why_unreadable(error: &ParseError) -> &'static str {
    match error {
        ParseError::InvalidCountryCode => "has no known country code",
        ParseError::TooShortAfterIdd | ParseError::TooShortNsn => "is too short to be one",
        ParseError::TooLongNsn => "is too long to be one",
        _ => "is not one",
    }
}

fn why_invalid(number: &PhoneNumber) -> String {
    let country = number.country_code;
    match number.is_possible_with_reason() {
        Err(ValidationError::TooShort) => {
            format!("is too short for a number of country code +{country}")
        }
        Err(ValidationError::TooLong) => {
            format!("is too long for a number of country code +{country}")
        }
        Err(ValidationError::InvalidCountryCode) => {
            format!("has the unknown country code +{country}")
        }
        Err(_) => format!("has the wrong length for a number of country code +{country}"),
        Ok(_) => format!("is no number that country code +{country} has given out"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_typing_a_number_gives_the_same_e164() {
        for typed in [
            "081234567890",
            "6281234567890",
            "+6281234567890",
            "006281234567890",
            "0812-3456-7890",
            "0812.3456.7890",
            " +62 812 3456 7890 ",
            "(0812) 3456 7890",
            "+62 (0) 812-3456-7890",
            "whatsapp:+6281234567890",
            "WhatsApp: 081234567890",
            "0812\u{a0}3456\u{a0}7890",
            "\u{ff10}\u{ff18}\u{ff11}\u{ff12}34567890",
        ] {
            assert_eq!(
                normalise(typed, "ID").as_deref(),
                Ok("+6281234567890"),
                "{typed}"
            );
        }
    }

    #[test]
    fn a_leading_plus_keeps_its_country() {
        assert_eq!(
            normalise("+1 415 523 8886", "ID").as_deref(),
            Ok("+14155238886")
        );
        assert_eq!(
            normalise("+60 12-345 6789", "ID").as_deref(),
            Ok("+60123456789")
        );
        assert_eq!(
            normalise("012-345 6789", "MY").as_deref(),
            Ok("+60123456789")
        );
    }

    #[test]
    fn an_invalid_number_is_refused_with_what_is_wrong() {
        for (typed, word) in [
            ("", "no phone number"),
            ("   ", "no phone number"),
            ("whatsapp:", "no phone number"),
            ("0812", "too short"),
            ("0", "not one"),
            ("12345", "country code +62"),
            ("0812345678901234", "given out"),
            ("08123456789012345678", "too long"),
            ("+999123456789", "country code"),
            ("abc", "'a'"),
            ("0812 3456 7890 ext 5", "'e'"),
            ("081234567890, 081234567891", "','"),
            ("0812;3456", "';'"),
            ("+", "is not one"),
            ("08123🎉4567890", "'🎉'"),
            ("0812\u{0}34567890", "'\\0'"),
            ("0812\r\n34567890", "'\\r'"),
        ] {
            let reason = normalise(typed, "ID").unwrap_err();
            assert!(reason.contains(word), "{typed:?}: {reason}");
            assert!(!reason.contains(['\r', '\n', '\0']), "{typed:?}");
        }
    }

    #[test]
    fn hostile_input_is_refused_without_a_panic() {
        for typed in [
            "9".repeat(10_000),
            "+".repeat(10_000),
            "🎉".repeat(39),
            "whatsapp🎉:".to_owned(),
            "٠".repeat(30),
            "½²③".to_owned(),
            "00".to_owned(),
            "+0000000000".to_owned(),
            "-".repeat(40),
            "((((((((((".to_owned(),
        ] {
            assert!(normalise(&typed, "ID").is_err(), "{typed}");
        }
    }

    #[test]
    fn an_unknown_region_is_named() {
        assert!(
            normalise("0812", "Indonesia")
                .unwrap_err()
                .contains("PHONE_REGION")
        );
    }
}

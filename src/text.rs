//! Texts that somebody typed, made fit for a header, a terminal, a message or a log.

/// One line: control characters (C0, C1, ESC, CR, LF) and Unicode's line ends become a blank, what is invisible and
/// could mislead vanishes, blanks collapse, the ends are trimmed. Cut to `max` characters, the last then being `…`.
///
/// Without its ESC or CSI no escape sequence acts on a terminal, and without CR and LF no header ends early.
pub fn one_line(text: &str, max: usize) -> String {
    let visible: String = text
        .chars()
        .filter(|c| !is_misleading(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let words: Vec<&str> = visible.split_whitespace().collect();
    cut(&words.join(" "), max)
}

/// The same characters of a text of several lines, whose blanks and line ends stay.
pub fn visible_lines(text: &str) -> String {
    let visible = |c: &char| *c == '\n' || !(c.is_control() || is_misleading(*c));
    text.replace('\t', "    ").chars().filter(visible).collect()
}

/// The bidi embeddings, overrides and isolates, which would reorder the text around them (UAX #9; right-to-left letters
/// and marks need none of them), and the characters of no width that make an empty title look filled in. The joiner of
/// emoji and the directional marks stay.
pub fn is_misleading(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{feff}')
}

/// At most `max` characters; a longer text ends in `…`.
pub fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_string();
    }
    let head: String = text.chars().take(max.saturating_sub(1)).collect();
    // A joiner at the end would pull the ellipsis into the emoji before it.
    let head = head.trim_end_matches(|c: char| c.is_whitespace() || c == '\u{200d}');
    format!("{head}{}", if max == 0 { "" } else { "…" })
}

/// Lines without blanks at their end, at most one empty line in a row, none at the start; ends with a line end.
pub fn tidy_lines(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    for line in text.trim().lines().map(str::trim_end) {
        if !(line.is_empty() && tidy.ends_with("\n\n")) {
            tidy.push_str(line);
            tidy.push('\n');
        }
    }
    tidy
}

/// `12, 15, 16`.
pub fn list(ids: &[i64]) -> String {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    ids.join(", ")
}

/// An address or a number as it may be shown.
pub fn mask(recipient: &str) -> String {
    match recipient.contains('@') {
        true => mask_email(recipient),
        false => mask_phone(recipient),
    }
}

/// `b***@e***.com`: never more of the local part than its first letter, and no character that acts on a terminal.
pub fn mask_email(address: &str) -> String {
    let Some((local, domain)) = address.trim().rsplit_once('@') else {
        return "***".to_string();
    };
    let (name, top) = domain.rsplit_once('.').unwrap_or((domain, ""));
    let plain = !top.is_empty()
        && top.len() <= 12
        && top.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let top = if plain {
        format!(".{top}")
    } else {
        String::new()
    };
    format!("{}***@{}***{top}", first_letter(local), first_letter(name))
}

fn first_letter(text: &str) -> String {
    text.trim_start()
        .chars()
        .take(1)
        .filter(|c| c.is_alphanumeric())
        .collect()
}

/// `+62812****890`: of short numbers less, so that at least four digits are hidden.
pub fn mask_phone(number: &str) -> String {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let plus = if number.trim_start().starts_with('+') {
        "+"
    } else {
        ""
    };
    let Some(shown) = digits.len().checked_sub(7) else {
        return "****".to_string();
    };
    let (head, tail) = (&digits[..shown.min(5)], &digits[digits.len() - 3..]);
    format!("{plus}{head}****{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_line_of_visible_characters() {
        let cases = [
            ("", ""),
            (" \t\r\n ", ""),
            ("\u{200b}\u{feff}", ""),
            ("  Kalkulus   dasar ", "Kalkulus dasar"),
            (
                "Kalkulus\r\nBcc: all@example.com",
                "Kalkulus Bcc: all@example.com",
            ),
            (
                "one\u{2028}two\u{2029}three\u{85}four",
                "one two three four",
            ),
            ("\u{1b}[2J\u{1b}]0;pwned\u{7}title", "[2J ]0;pwned title"),
            ("\u{9b}31mred\u{7f}\0", "31mred"),
            ("abc\u{202e}txt.exe\u{202c}", "abctxt.exe"),
            ("\u{2066}isolated\u{2069}", "isolated"),
            ("رياضيات متقدمة", "رياضيات متقدمة"),
            ("שלום\u{200f} 3", "שלום\u{200f} 3"),
            ("👩‍👩‍👧 🇮🇩 👍🏽", "👩‍👩‍👧 🇮🇩 👍🏽"),
            ("{{ name }} <b>\"x\"</b>", "{{ name }} <b>\"x\"</b>"),
        ];
        for (text, expected) in cases {
            assert_eq!(one_line(text, 100), expected, "{text:?}");
        }
    }

    #[test]
    fn lines_keep_their_blanks_and_lose_what_acts_on_a_terminal() {
        let text = "one\r\n\ttwo  \u{1b}[2J\n\n\u{202e}three";
        assert_eq!(visible_lines(text), "one\n    two  [2J\n\nthree");
    }

    #[test]
    fn a_long_text_is_cut_by_characters_not_octets() {
        assert_eq!(one_line(&"é".repeat(10_000), 5), "éééé…");
        assert_eq!(one_line("ééééé", 5), "ééééé");
        assert_eq!(one_line("four words are here", 6), "four…");
        assert_eq!(one_line("👩‍👩‍👧 family", 3), "👩…");
        assert_eq!(one_line("anything", 0), "");
        assert_eq!(one_line("anything", 1), "…");
    }

    #[test]
    fn empty_lines_never_come_in_twos() {
        assert_eq!(tidy_lines("\n\na  \n\n\n \nb\r\n"), "a\n\nb\n");
        assert_eq!(tidy_lines(" \n"), "");
    }

    #[test]
    fn a_masked_address_shows_one_letter_of_each_side() {
        let cases = [
            ("budi@example.com", "b***@e***.com"),
            ("Budi Santoso <budi@mail.example.co.id>", "B***@m***"),
            ("a@example.com, b@example.org", "a***@e***.org"),
            ("root@localhost", "r***@l***"),
            ("no address", "***"),
            ("", "***"),
            ("@", "***@***"),
            ("\u{1b}[31m@\u{1b}[0m.\u{1b}c", "***@***"),
            ("\"x\r\ny\"@example.com", "***@e***.com"),
        ];
        for (address, expected) in cases {
            assert_eq!(mask_email(address), expected, "{address:?}");
        }
    }

    #[test]
    fn a_masked_number_hides_at_least_four_digits() {
        let cases = [
            ("+6281234567890", "+62812****890"),
            ("0812-3456-7890", "08123****890"),
            ("+1415555", "+****555"),
            ("12345", "****"),
            ("", "****"),
            ("\u{1b}[31m+62", "****"),
            ("٠٨١٢٣٤٥٦٧٨٩", "****"),
        ];
        for (number, expected) in cases {
            assert_eq!(mask_phone(number), expected, "{number:?}");
        }
    }
}

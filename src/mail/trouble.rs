//! What went wrong on an SMTP connection, read out of `lettre`'s errors and the server's replies; not yet what it
//! means.

use std::error::Error as _;
use std::io::ErrorKind;

use lettre::transport::smtp;

use crate::text::one_line;

/// Characters of the server's own words in a reason.
const MAX_QUOTE: usize = 160;

/// What went wrong, without its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The server said no.
    Reply { code: u16, text: String },
    /// The server said nothing for as long as we wait.
    Silent,
    /// TLS could not be agreed on.
    Tls(String),
    /// The connection broke, or what came was not SMTP.
    Lost(String),
}

impl Trouble {
    /// `lettre` tells a time-out apart only by the kind of the I/O error beneath it: its own `is_timeout` does not know
    /// `WouldBlock`, which is what Linux gives for a socket's read time-out.
    pub fn of(error: &smtp::Error) -> Self {
        let text = error
            .source()
            .map_or_else(|| error.to_string(), ToString::to_string);
        if let Some(code) = error.status() {
            return Trouble::Reply {
                code: code.into(),
                text,
            };
        }
        match io_kind(error) {
            Some(ErrorKind::TimedOut | ErrorKind::WouldBlock) => Trouble::Silent,
            Some(ErrorKind::InvalidData) if !text.contains("UTF-8") => Trouble::Tls(text),
            _ if text == "incomplete response" => Trouble::Lost("the server hung up".to_owned()),
            _ => Trouble::Lost(text),
        }
    }

    /// Whether the connection can be used after it. 421 announces that the server closes it.
    pub fn keeps_connection(&self) -> bool {
        matches!(self, Trouble::Reply { code, .. } if *code != 421)
    }
}

fn io_kind(error: &smtp::Error) -> Option<ErrorKind> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        source = inner.source();
    }
    None
}

/// The reply code with the enhanced one: `550 5.1.1`.
pub fn full_code(code: u16, enhanced: Option<&str>) -> String {
    match enhanced {
        Some(enhanced) => format!("{code} {enhanced}"),
        None => code.to_string(),
    }
}

/// The enhanced status code (RFC 3463: `5.1.1`) at the head of a reply, and the words after it.
pub fn split_enhanced(text: &str) -> (Option<&str>, &str) {
    let text = text.trim();
    let (head, rest) = text.split_once(' ').unwrap_or((text, ""));
    let numbers: Vec<&str> = head.trim_start_matches('#').split('.').collect();
    let is_code = numbers.len() == 3
        && matches!(numbers[0], "2" | "4" | "5")
        && numbers
            .iter()
            .all(|n| (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()));
    if is_code {
        (Some(head.trim_start_matches('#')), rest)
    } else {
        (None, text)
    }
}

/// Our advice, then what the server said.
pub fn with_quote(advice: &str, said: &str) -> String {
    match quote(said) {
        said if said.is_empty() => advice.to_owned(),
        said => format!("{advice} (it said: {said})"),
    }
}

/// The server's words on one line of bounded length.
pub fn quote(text: &str) -> String {
    one_line(text, MAX_QUOTE)
}

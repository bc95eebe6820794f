//! stdout carries data only, and may be closed at any time (`reminders log | head`).

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;

use crate::{cli::Format, text};

/// Prints data in the form that was asked for.
pub fn print<T: Serialize + Display>(format: Format, data: &T) -> Result<()> {
    match format {
        Format::Text => line(data),
        Format::Json => json(data),
    }
}

/// Prints data for another program.
pub fn json(data: &impl Serialize) -> Result<()> {
    line(&escaped(&serde_json::to_string(data)?))
}

/// The same JSON without a character that a terminal would obey or be misled by. JSON itself leaves C1 controls and
/// the marks that turn the direction of writing as they are; they can only stand inside of a string.
fn escaped(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() || text::is_misleading(c) {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Prints one line or several, with their colours only where a terminal shows them and `NO_COLOR` is not set. Somebody
/// who stops reading is no error.
pub fn line(text: &impl Display) -> Result<()> {
    match writeln!(anstream::stdout().lock(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.context("could not write to stdout"),
    }
}

/// Waits for so long, or until nobody reads stdout any more; whether somebody still does.
pub fn wait(pause: Duration) -> bool {
    let stdout = io::stdout();
    // Nothing is asked for: that the other end is gone is told all the same.
    let mut gone = [PollFd::new(&stdout, PollFlags::empty())];
    let timeout = Timespec::try_from(pause).ok();
    // A signal ends it sooner, and is no answer.
    !matches!(poll(&mut gone, timeout.as_ref()), Ok(1..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_the_same_data_without_a_character_that_acts_on_a_terminal() {
        let data = "\u{1b}[2J \u{9b}31m \u{202e}x\u{7f} \"é🎉\"\r\n";
        let json = escaped(&serde_json::to_string(data).unwrap());
        assert!(
            !json.contains(|c: char| c.is_control() || text::is_misleading(c)),
            "{json}"
        );
        assert!(json.contains("é🎉"));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), data);
    }
}

//! stdout carries data only, and may be closed at any time (`reminders log | head`).

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::cli::Format;

/// Prints data in the form that was asked for.
pub fn print<T: Serialize + Display>(format: Format, data: &T) -> Result<()> {
    match format {
        Format::Text => line(data),
        Format::Json => json(data),
    }
}

/// Prints data for another program.
pub fn json(data: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string(data)?)
}

/// Prints one line or several. Somebody who stops reading is no error.
pub fn line(text: &impl Display) -> Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.context("could not write to stdout"),
    }
}

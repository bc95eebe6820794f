//! The Prometheus text file, for the textfile collector of node_exporter: its format wants HELP and TYPE, a newline at
//! the end and no timestamps.

use std::{fmt::Write, fs, path::Path};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use crate::{db::Db, exit::Exit, ledger};

/// Writes what the last pass was and what the ledger holds; the collector never sees half a file.
pub fn write(path: &Path, db: &mut Db, exit: Exit, now: DateTime<Utc>, seconds: f64) -> Result<()> {
    let text = text(&ledger::counts(db)?, exit, now, seconds)?;
    let unwritable = || format!("could not write METRICS_FILE {}", path.display());
    let temporary = path.with_extension(format!("prom.{}", std::process::id()));
    fs::write(&temporary, text).with_context(unwritable)?;
    fs::rename(&temporary, path).with_context(unwritable)
}

fn text(counts: &[ledger::Count], exit: Exit, now: DateTime<Utc>, seconds: f64) -> Result<String> {
    let mut text = String::new();
    gauge(
        &mut text,
        "last_pass_timestamp_seconds",
        "When the last pass began.",
    )?;
    writeln!(
        text,
        "reminders_last_pass_timestamp_seconds {}",
        now.timestamp()
    )?;
    gauge(&mut text, "last_pass_exit_code", "How the last pass ended.")?;
    writeln!(text, "reminders_last_pass_exit_code {}", exit.code())?;
    gauge(
        &mut text,
        "last_pass_duration_seconds",
        "How long the last pass took.",
    )?;
    writeln!(text, "reminders_last_pass_duration_seconds {seconds:.3}")?;
    gauge(&mut text, "deliveries", "Rows of the ledger.")?;
    for (channel, status, count) in counts {
        writeln!(
            text,
            "reminders_deliveries{{channel=\"{channel}\",status=\"{status}\"}} {count}"
        )?;
    }
    Ok(text)
}

fn gauge(text: &mut String, name: &str, help: &str) -> Result<()> {
    writeln!(
        text,
        "# HELP reminders_{name} {help}\n# TYPE reminders_{name} gauge"
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_its_help_and_type_and_the_file_ends_with_a_newline() {
        let counts = [("mail".to_owned(), "sent".to_owned(), 12)];
        let text = text(&counts, Exit::TryLater, DateTime::UNIX_EPOCH, 1.5).unwrap();
        let metrics = text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(text.matches("# HELP ").count(), metrics);
        assert_eq!(text.matches("# TYPE ").count(), metrics);
        assert!(
            text.contains("reminders_last_pass_exit_code 75\n"),
            "{text}"
        );
        assert!(
            text.ends_with("reminders_deliveries{channel=\"mail\",status=\"sent\"} 12\n"),
            "{text}"
        );
    }
}

//! The Prometheus text file, for the textfile collector of node_exporter: its format wants HELP and TYPE, a newline at
//! the end and no timestamps.
//!
//! What the last pass cannot know stands in the file that it replaces: the counters go on from there, and nothing is
//! asked of the database that would take longer as the ledger grows.

use std::{
    collections::HashMap,
    fmt::Write,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use crate::{exit::Exit, ledger::Channel, pass::summary::Tally};

/// What a pass was.
pub struct Measured<'a> {
    /// By the host's clock.
    pub began: DateTime<Utc>,
    pub seconds: f64,
    pub exit: Exit,
    /// What it did on the channels that it looked after, if it came so far.
    pub done: Vec<Done<'a>>,
    /// How many messages wait, where that is known.
    pub waiting: Option<Vec<(Channel, i64)>>,
}

/// One channel's part of it.
pub struct Done<'a> {
    pub channel: Channel,
    pub tally: &'a Tally,
    pub stopped: bool,
}

/// A metric: its name after `reminders_`, its type, what it says, and what its series are told apart by.
struct Metric(&'static str, &'static str, &'static str, Labels);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Labels {
    None,
    Channel,
    Outcome,
}

const METRICS: [Metric; 7] = [
    Metric(PASS, "gauge", "When the last pass began.", Labels::None),
    Metric(
        DURATION,
        "gauge",
        "How long the last pass took.",
        Labels::None,
    ),
    Metric(EXIT, "gauge", "How the last pass ended.", Labels::None),
    Metric(
        SUCCESS,
        "gauge",
        "When the last pass began that did its work (exit code 0 or 1).",
        Labels::None,
    ),
    Metric(
        OUTCOMES,
        "counter",
        "What became of reminders in the passes of this host.",
        Labels::Outcome,
    ),
    Metric(
        STOPPED,
        "gauge",
        "1 while a channel cannot work, else 0.",
        Labels::Channel,
    ),
    Metric(
        WAITING,
        "gauge",
        "Reminders that wait for their first or next try after the last pass.",
        Labels::Channel,
    ),
];

const PASS: &str = "last_pass_timestamp_seconds";
const DURATION: &str = "last_pass_duration_seconds";
const EXIT: &str = "last_pass_exit_code";
const SUCCESS: &str = "last_success_timestamp_seconds";
const OUTCOMES: &str = "outcomes_total";
const STOPPED: &str = "channel_stopped";
const WAITING: &str = "waiting";

/// The values of all series, by their names with labels.
#[derive(Default)]
struct Series(HashMap<String, f64>);

/// Replaces the file; the collector never sees half of one.
pub fn write(path: &Path, pass: &Measured<'_>) -> Result<()> {
    let before = fs::read_to_string(path).unwrap_or_default();
    let mut series = Series::read(&before);
    series.note(pass);
    let replaced = replace(path, &series.text()?);
    replaced.with_context(|| format!("could not write METRICS_FILE {}", path.display()))
}

/// It names nobody, and the collector is another user: it may read it whatever the umask.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // Not `.prom`: the collector would read it, too.
    name.push(format!(".{}", std::process::id()));
    let temporary: PathBuf = path.with_file_name(name);
    let replaced = fs::write(&temporary, text)
        .and_then(|()| fs::set_permissions(&temporary, PermissionsExt::from_mode(0o644)))
        .and_then(|()| fs::rename(&temporary, path));
    if replaced.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    replaced
}

impl Series {
    /// Only what we would write ourselves: a file that somebody has damaged does not stay so.
    fn read(text: &str) -> Self {
        let known: Vec<String> = METRICS.iter().flat_map(keys).collect();
        let value = |line: &str| {
            let (key, value) = line.rsplit_once(' ')?;
            let value: f64 = value.parse().ok().filter(|value: &f64| value.is_finite())?;
            let key = known.iter().find(|known| *known == key)?;
            Some((key.clone(), value))
        };
        Self(text.lines().filter_map(value).collect())
    }

    fn note(&mut self, pass: &Measured<'_>) {
        let began = pass.began.timestamp() as f64;
        self.set(PASS, began);
        self.set(DURATION, (pass.seconds * 1000.0).round() / 1000.0);
        self.set(EXIT, pass.exit.code().into());
        if matches!(pass.exit, Exit::Ok | Exit::Failed) {
            self.set(SUCCESS, began);
        }
        for done in &pass.done {
            let stopped = u8::from(done.stopped);
            self.set(&of(STOPPED, done.channel), stopped.into());
            for (outcome, count) in done.tally.outcomes() {
                self.count(&outcome_of(done.channel, outcome), count);
            }
        }
        for (channel, count) in pass.waiting.iter().flatten() {
            self.set(&of(WAITING, *channel), *count as f64);
        }
    }

    fn set(&mut self, name: &str, value: f64) {
        self.0.insert(format!("reminders_{name}"), value);
    }

    fn count(&mut self, name: &str, more: usize) {
        *self.0.entry(format!("reminders_{name}")).or_default() += more as f64;
    }

    fn text(&self) -> Result<String> {
        let mut text = String::new();
        for metric in &METRICS {
            let known = keys(metric).into_iter();
            let values: Vec<(String, f64)> = known
                .filter_map(|key| Some((key.clone(), *self.0.get(&key)?)))
                .collect();
            if values.is_empty() {
                continue;
            }
            let Metric(name, kind, help, _) = metric;
            writeln!(
                text,
                "# HELP reminders_{name} {help}\n# TYPE reminders_{name} {kind}"
            )?;
            for (key, value) in values {
                writeln!(text, "{key} {value}")?;
            }
        }
        Ok(text)
    }
}

/// All series of a metric.
fn keys(metric: &Metric) -> Vec<String> {
    let Metric(name, _, _, labels) = metric;
    let names = match labels {
        Labels::None => vec![(*name).to_owned()],
        Labels::Channel => Channel::ALL.map(|channel| of(name, channel)).into(),
        Labels::Outcome => {
            let outcomes = Tally::default().outcomes();
            let of_channel = |channel| outcomes.map(|(outcome, _)| outcome_of(channel, outcome));
            Channel::ALL.into_iter().flat_map(of_channel).collect()
        }
    };
    let full = names.into_iter().map(|name| format!("reminders_{name}"));
    full.collect()
}

fn of(name: &str, channel: Channel) -> String {
    format!("{name}{{channel=\"{}\"}}", channel.name())
}

fn outcome_of(channel: Channel, outcome: &str) -> String {
    format!(
        "{OUTCOMES}{{channel=\"{}\",outcome=\"{outcome}\"}}",
        channel.name()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After a pass that came so far as to have sent some and maybe stopped, or not.
    fn after(before: &str, exit: Exit, second: i64, done: Option<(usize, bool)>) -> String {
        let mut tally = Tally::default();
        tally.sent = done.map_or(0, |(sent, _)| sent);
        let pass = Measured {
            began: DateTime::from_timestamp(second, 0).unwrap(),
            seconds: 1.5,
            exit,
            done: Vec::from_iter(done.map(|(_, stopped)| Done {
                channel: Channel::Mail,
                tally: &tally,
                stopped,
            })),
            waiting: done.map(|_| vec![(Channel::Mail, 3)]),
        };
        let mut series = Series::read(before);
        series.note(&pass);
        series.text().unwrap()
    }

    #[test]
    fn counters_go_on_from_the_file_before_and_gauges_are_the_last_passes() {
        let text = after("", Exit::Ok, 60, Some((12, false)));
        assert!(
            text.contains("reminders_channel_stopped{channel=\"mail\"} 0\n"),
            "{text}"
        );
        let text = after(&text, Exit::TryLater, 120, Some((3, true)));
        for line in [
            "reminders_outcomes_total{channel=\"mail\",outcome=\"sent\"} 15",
            "reminders_channel_stopped{channel=\"mail\"} 1",
            "reminders_waiting{channel=\"mail\"} 3",
            "reminders_last_pass_timestamp_seconds 120",
            "reminders_last_success_timestamp_seconds 60",
            "reminders_last_pass_exit_code 75",
            "reminders_last_pass_duration_seconds 1.5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }

    #[test]
    fn a_pass_that_could_not_work_leaves_what_it_does_not_know_as_it_was() {
        let text = after("", Exit::TryLater, 60, Some((1, true)));
        let later = after(&text, Exit::Config, 120, None);
        assert!(
            later.contains("reminders_channel_stopped{channel=\"mail\"} 1\n"),
            "{later}"
        );
        assert!(
            later.contains("reminders_waiting{channel=\"mail\"} 3\n"),
            "{later}"
        );
        assert!(
            later.contains("reminders_last_pass_exit_code 78\n"),
            "{later}"
        );
        assert!(!later.contains("last_success"), "there was none: {later}");
    }

    #[test]
    fn a_damaged_file_is_mended_and_keeps_what_can_be_read() {
        let sent = "reminders_outcomes_total{channel=\"mail\",outcome=\"sent\"}";
        let damaged = format!(
            "{sent} 7\nreminders_outcomes_total{{channel=\"pigeon\"}} 5\nreminders_waiting{{channel=\"mail\"}} NaN\n\
             reminders_waiting{{chan\nhalf a line\n# HELP\n{sent}"
        );
        let text = after(&damaged, Exit::Ok, 60, None);
        assert!(text.contains(&format!("{sent} 7\n")), "{text}");
        assert!(!text.contains("pigeon") && !text.contains("NaN"), "{text}");
        assert!(
            text.lines()
                .all(|line| line.starts_with("# ") || line.starts_with("reminders_"))
        );
    }

    #[test]
    fn the_file_is_replaced_whole_and_anybody_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reminders.prom");
        replace(&path, "1\n").unwrap();
        replace(&path, "2\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "2\n");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o644
        );
        fs::create_dir(folder.path().join("taken")).unwrap();
        assert!(replace(&folder.path().join("taken"), "3\n").is_err());
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            2,
            "nothing is left over"
        );
    }
}

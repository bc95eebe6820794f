//! The file for Prometheus.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use super::{lines, says, untouched};
use crate::support::Platform;

fn with(file: &str) -> Platform {
    untouched().set("METRICS_FILE", file).migrated()
}

#[test]
fn the_metrics_file_is_told_where_it_can_be_written_and_is_not_made() {
    let platform = with("reminders.prom");
    let before = platform.files();
    let report = platform.run(&["check"]).succeeds().stdout;
    let file = platform.path("reminders.prom").display().to_string();
    says(
        &report,
        "metrics",
        "ok",
        &format!("each pass writes {file}"),
    );
    assert_eq!(platform.files(), before, "nothing is written");
    let report = untouched().migrated().run(&["check"]).stdout;
    assert!(lines(&report, "metrics").is_empty(), "{report}");
}

#[test]
fn a_metrics_file_that_every_pass_would_warn_of_or_nobody_collects_is_told_with_the_cure() {
    let cases = [
        (
            "/nowhere/x.prom",
            "cannot write /nowhere/x.prom: there is no folder /nowhere: make it, or correct METRICS_FILE",
        ),
        (".", "this is a folder: let METRICS_FILE name a file in it"),
        (
            "reminders.txt",
            "reminders.txt does not end in .prom: node_exporter ignores it; correct METRICS_FILE",
        ),
    ];
    for (file, words) in cases {
        let report = with(file).run(&["check"]).succeeds().stdout;
        says(&report, "metrics", "warn", words);
    }
}

#[test]
fn a_folder_of_somebody_elses_is_told() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("SKIPPED: only root can be somebody else");
        return;
    }
    let platform = with("closed/reminders.prom");
    fs::create_dir(platform.path("closed")).unwrap();
    fs::set_permissions(platform.path("closed"), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(platform.path(""), Permissions::from_mode(0o755)).unwrap();
    let report = platform.run_as(65534, &["check"]).stdout;
    let words = "this user may not make files in ";
    says(&report, "metrics", "warn", words);
}

//! `man`: the manual pages, made from the help.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use clap::{Arg, Command, CommandFactory};
use clap_mangen::roff::{Roff, bold, roman};

use crate::{
    cli::{Cli, Man},
    exit::Exit,
    output,
};

pub fn run(args: &Man) -> Result<Exit> {
    // The pages take the place of the command `help`.
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    match &args.dir {
        Some(dir) => write_all(&program, dir)?,
        None => output::line(&page(&program)?.trim_end())?,
    }
    Ok(Exit::Ok)
}

fn write_all(program: &Command, dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("could not make {}", dir.display()))?;
    write(program, dir)
}

/// The page of a command, and those of the commands below it.
fn write(command: &Command, dir: &Path) -> Result<()> {
    let path = dir.join(format!("{}.1", name(command)));
    fs::write(&path, page(command)?)
        .with_context(|| format!("could not write {}", path.display()))?;
    command
        .get_subcommands()
        .try_for_each(|sub| write(sub, dir))
}

/// `reminders-templates-export`.
fn name(command: &Command) -> &str {
    let full = command.get_display_name();
    full.unwrap_or_else(|| command.get_name())
}

/// What follows the options in the help becomes sections of its own, since clap_mangen would fill its lines; and its
/// synopsis would leave out the values, and its options would have the arguments among them.
fn page(command: &Command) -> Result<String> {
    let version = env!("CARGO_PKG_VERSION");
    let man = |command| clap_mangen::Man::new(command).source(format!("reminders {version}"));
    let whole = man(command.clone());
    let arguments = man(hidden(command, |arg| !arg.is_positional()));
    let options = man(hidden(command, Arg::is_positional));
    let mut page = Vec::new();
    whole.render_title(&mut page)?;
    whole.render_name_section(&mut page)?;
    page.extend(synopsis(command).to_roff().bytes());
    whole.render_description_section(&mut page)?;
    let mut named = Vec::new();
    arguments.render_options_section(&mut named)?;
    let named = String::from_utf8_lossy(&named).replacen(".SH OPTIONS", ".SH ARGUMENTS", 1);
    page.extend(named.bytes());
    options.render_options_section(&mut page)?;
    if command.has_subcommands() {
        whole.render_subcommands_section(&mut page)?;
    }
    page.extend(rest(command).to_roff().bytes());
    let page = String::from_utf8(page).context("could not write the manual page")?;
    Ok(once(&page))
}

/// clap_mangen puts its definition of an apostrophe, the first two lines, before each section.
fn once(page: &str) -> String {
    let defined: String = page.split_inclusive('\n').take(2).collect();
    defined.clone() + &page.replace(&defined, "")
}

/// The command without some of its arguments.
fn hidden(command: &Command, hides: impl Fn(&Arg) -> bool) -> Command {
    command.clone().mut_args(|arg| {
        let hide = arg.is_hide_set() || hides(&arg);
        arg.hide(hide)
    })
}

/// What the help has as `Usage:`.
fn synopsis(command: &Command) -> Roff {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]).text([roman(usage)]);
    roff
}

fn rest(command: &Command) -> Roff {
    let mut roff = Roff::new();
    let rest = command.get_after_help().map(ToString::to_string);
    for paragraph in rest.unwrap_or_default().split("\n\n") {
        section(&mut roff, paragraph);
    }
    // On the page of the program.
    if !name(command).contains('-') {
        terms(&mut roff, "ENVIRONMENT", &ENVIRONMENT);
        terms(&mut roff, "FILES", &FILES);
    }
    roff
}

const ENVIRONMENT: [(&str, &str); 4] = [
    (
        "Every setting of the .env",
        "The environment wins over the file.",
    ),
    (
        "REMINDERS_ENV_FILE",
        "The env file, where --env-file is not given.",
    ),
    ("STATE_DIRECTORY", "The folder of the lock file."),
    ("NO_COLOR", "No colours on a terminal."),
];

const FILES: [(&str, &str); 2] = [
    (
        ".env",
        "The settings, where neither --env-file nor REMINDERS_ENV_FILE names others.",
    ),
    (
        "$STATE_DIRECTORY, else ~/.local/state/reminders",
        "The folder of the lock file, which keeps the time of the last pass.",
    ),
];

fn terms(roff: &mut Roff, title: &str, terms: &[(&str, &str)]) {
    roff.control("SH", [title]);
    for (term, meaning) in terms {
        roff.control("TP", [])
            .text([bold(*term)])
            .text([roman(*meaning)]);
    }
}

fn section(roff: &mut Roff, paragraph: &str) {
    if paragraph.starts_with("Example") {
        roff.control("SH", ["EXAMPLES"]);
        lines(roff, paragraph.lines().skip(1));
    } else if let Some(codes) = paragraph.strip_prefix("Exit codes: ") {
        roff.control("SH", ["EXIT STATUS"]);
        lines(roff, codes.lines());
    } else {
        roff.control("PP", []);
        lines(roff, paragraph.lines());
    }
}

/// Indented lines keep their form, all others are filled.
fn lines<'a>(roff: &mut Roff, lines: impl Iterator<Item = &'a str>) {
    for line in lines {
        match line.strip_prefix("  ") {
            Some(kept) => roff.control("nf", []).text([roman(kept)]).control("fi", []),
            None => roff.text([roman(line)]),
        };
    }
}

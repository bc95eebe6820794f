//! `man`: the manual pages, made from the help.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use clap_mangen::roff::{Roff, roman};

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

/// What follows the options in the help becomes sections of its own, since clap_mangen would fill its lines.
fn page(command: &Command) -> Result<String> {
    let rest = command.get_after_help().map(ToString::to_string);
    let options = command.clone().after_help(None::<&str>);
    let version = env!("CARGO_PKG_VERSION");
    let mut page = Vec::new();
    clap_mangen::Man::new(options)
        .source(format!("reminders {version}"))
        .render(&mut page)?;
    let page = String::from_utf8(page).context("could not write the manual page")?;
    let mut roff = Roff::new();
    for paragraph in rest.unwrap_or_default().split("\n\n") {
        section(&mut roff, paragraph);
    }
    Ok(page + &roff.to_roff())
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

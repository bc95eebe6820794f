//! `completions`: what a shell needs to complete our command line.

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::{
    cli::{Cli, Completions},
    exit::Exit,
    output,
};

pub fn run(args: &Completions) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "reminders", &mut script);
    let script = String::from_utf8(script).context("could not write the completions")?;
    output::line(&script.trim_end())?;
    Ok(Exit::Ok)
}

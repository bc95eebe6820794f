//! `templates`: the built-in texts as files to be edited, and a trial of the edited ones. Needs neither settings nor
//! database.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    path::Path,
};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::{
    cli::{self, Templates},
    exit::Exit,
    message::{self, BUILT_IN, Tried},
    output,
    table::{self, Cell, Table},
};

pub fn run(args: &Templates) -> Result<Exit> {
    match args {
        Templates::Export(args) => export(args),
        Templates::Check(args) => check(args),
    }
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Became {
    Written,
    /// It was there.
    Kept,
}

/// What `templates export --format json` prints.
#[derive(Serialize)]
struct Exported {
    file: &'static str,
    result: Became,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Export(Vec<Exported>);

fn export(args: &cli::Export) -> Result<Exit> {
    let mut all = Vec::new();
    for (file, text) in BUILT_IN {
        let path = args.dir.join(file);
        let result = write(&path, text, args.force)
            .with_context(|| format!("could not write {}", path.display()))?;
        all.push(Exported { file, result });
    }
    output::print(args.format, &Export(all))?;
    Ok(Exit::Ok)
}

fn write(path: &Path, text: &str, force: bool) -> std::io::Result<Became> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).truncate(force);
    options.create(force).create_new(!force);
    match options.open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| Became::Written),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Became::Kept),
        Err(error) => Err(error),
    }
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        for one in &self.0 {
            let file = Cell::new(one.file);
            match one.result {
                Became::Written => table.row([Cell::new("written").styled(table::GOOD), file]),
                Became::Kept => {
                    let kept = Cell::new("kept").styled(table::DOUBTFUL);
                    let why = Cell::new("is there already: --force replaces it");
                    table.row([kept, file, why]);
                }
            }
        }
        table.fmt(f)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Fail,
}

/// What `templates check --format json` prints.
#[derive(Serialize)]
struct Checked {
    file: String,
    verdict: Verdict,
    built_in: bool,
    /// What is wrong, with the line.
    text: Option<String>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Check(Vec<Checked>);

fn check(args: &cli::CheckTemplates) -> Result<Exit> {
    let tried = message::try_templates(&args.dir)?;
    let check = Check(tried.into_iter().map(Checked::new).collect());
    output::print(args.format, &check)?;
    let failed = check.0.iter().any(|one| one.verdict == Verdict::Fail);
    Ok(if failed { Exit::Failed } else { Exit::Ok })
}

impl Checked {
    fn new(tried: Tried) -> Self {
        Self {
            file: tried.name,
            verdict: match tried.problem {
                None => Verdict::Ok,
                Some(_) => Verdict::Fail,
            },
            built_in: tried.built_in,
            text: tried.problem.map(|problem| problem.reason),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        for one in &self.0 {
            let verdict = match one.verdict {
                Verdict::Ok => Cell::new("ok").styled(table::GOOD),
                Verdict::Fail => Cell::new("FAIL").styled(table::BAD),
            };
            let built_in = one.built_in.then_some("built in");
            let text = one.text.as_deref().or(built_in);
            let cells = [verdict, Cell::new(&one.file)];
            table.row(cells.into_iter().chain(text.map(Cell::new)));
        }
        table.fmt(f)
    }
}

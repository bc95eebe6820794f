//! Whether the templates of an operator would work, known before the first reminder needs them.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{anyhow, ensure};

use super::context::Context;
use super::templates::{BUILT_IN, Templates};
use crate::text::one_line;

/// One thing wrong with the folder of templates, and which channels cannot work before it is put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateProblem {
    pub mail: bool,
    pub whatsapp: bool,
    /// One line; names the file and, where there is one, the line in it.
    pub reason: String,
}

impl TemplateProblem {
    /// `name` is a path inside the folder: its file name says whose it is, any other stops both channels.
    fn of(name: &str, reason: String) -> Self {
        let file = name.rsplit('/').next().unwrap_or_default();
        Self {
            mail: !file.split('.').any(|part| part == "whatsapp"),
            whatsapp: !file.split('.').any(|part| part == "mail"),
            reason: one_line(&reason, 1_000),
        }
    }
}

/// One template that was rendered, or was to be.
pub struct Tried {
    /// The path inside the folder.
    pub name: String,
    /// No file replaces it.
    pub built_in: bool,
    pub problem: Option<TemplateProblem>,
}

/// What is wrong with the files of `folder`.
pub fn check_templates(folder: &Path) -> Vec<TemplateProblem> {
    match try_templates(folder) {
        Ok(tried) => tried.into_iter().filter_map(|one| one.problem).collect(),
        Err(error) => vec![TemplateProblem::of("", format!("{error:#}"))],
    }
}

/// Renders every file of `folder`, and what is built in beside them, for sample sessions of each mode. A file that
/// replaces nothing is a problem too: a misspelt name would otherwise silently do nothing. Fails when `folder` cannot
/// be read.
pub fn try_templates(folder: &Path) -> anyhow::Result<Vec<Tried>> {
    let templates = Templates::new(Some(folder))?;
    // The built-in names too: a folder that cannot be listed hides files that cannot be read.
    let known = BUILT_IN.map(|(name, _)| name.to_string());
    let names = BTreeSet::from_iter(names(folder, "").into_iter().chain(known));
    let tried = names.into_iter().map(|name| {
        let tried = try_template(&templates, folder, &name);
        Tried {
            built_in: !folder.join(&name).exists(),
            problem: tried
                .err()
                .map(|error| TemplateProblem::of(&name, format!("{error:#}"))),
            name,
        }
    });
    Ok(tried.collect())
}

/// Every file of the folder and of the folders in it that may be meant as a template, as the paths templates go by.
fn names(folder: &Path, inside: &str) -> Vec<String> {
    let entries = fs::read_dir(folder.join(inside))
        .into_iter()
        .flatten()
        .flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !is_beside(name))
        .flat_map(|name| match (inside, folder.join(&name).is_dir()) {
            ("", true) => self::names(folder, &name),
            ("", false) => vec![name],
            _ => vec![format!("{inside}/{name}")],
        })
        .collect()
}

/// Hidden files (`.git`), what editors leave behind, and notes on the folder are nobody's templates.
fn is_beside(name: &str) -> bool {
    let left_behind = ["~", ".bak", ".orig", ".swp"];
    name.starts_with('.')
        || name.starts_with("README")
        || name.starts_with('#') && name.ends_with('#')
        || left_behind.iter().any(|ending| name.ends_with(ending))
}

fn try_template(templates: &Templates, folder: &Path, name: &str) -> anyhow::Result<()> {
    let known = BUILT_IN.map(|(known, _)| known);
    let file = folder.join(name);
    ensure!(
        known.contains(&name),
        "{} replaces no template: rename it to one of their names, such as {}, or move it away",
        file.display(),
        nearest(name)
    );
    for sample in samples() {
        let text = templates.render(name, &sample.values())?;
        if name.ends_with(".html") && text.contains(MARKUP) {
            return Err(unescaped(&file));
        }
    }
    Ok(())
}

/// The name that begins and ends most like this one.
fn nearest(name: &str) -> &'static str {
    let shared = |known: &&str| {
        let pairs = name.bytes().zip(known.bytes());
        let backwards = name.bytes().rev().zip(known.bytes().rev());
        pairs.take_while(|(a, b)| a == b).count() + backwards.take_while(|(a, b)| a == b).count()
    };
    let names = BUILT_IN.map(|(known, _)| known);
    names.into_iter().max_by_key(shared).unwrap_or_default()
}

/// What somebody could call a session; in HTML it must not stand as it is.
const MARKUP: &str = "<b title='x'>";

/// Who can name a course could write into the mails of everybody in it.
fn unescaped(file: &Path) -> anyhow::Error {
    let source = fs::read_to_string(file).unwrap_or_default();
    let turns_off = |line: &str| line.contains("safe") || line.contains("autoescape");
    let line = (1..).zip(source.lines()).find(|(_, line)| turns_off(line));
    let line = line.map_or_else(String::new, |(number, _)| format!(":{number}"));
    let file = file.display();
    anyhow!("{file}{line}: a text stands in the HTML unescaped: leave out `|safe` and `autoescape`")
}

/// One session of each mode, one of which nothing but the start is known, and one of extremes.
fn samples() -> [Context; 5] {
    let text = str::to_string;
    let bare = Context {
        start: text("Senin, 23 November 2026 pukul 17.00 WIB"),
        date: text("Senin, 23 November 2026"),
        time: text("17.00"),
        zone: text("WIB"),
        remaining: text("1 jam"),
        locale: "id",
        ..Context::default()
    };
    let known = Context {
        name: text("Budi"),
        session: text("Turunan dan Integral"),
        course: text("Kalkulus"),
        old_start: text("Senin, 23 November 2026 pukul 15.00 WIB"),
        duration: text("1 jam 30 menit"),
        app_name: text("Kursus Kita"),
        app_url: text("https://kursus.example"),
        ..bare.clone()
    };
    let offline = Context {
        mode: text("offline"),
        place: text("Ruang 3"),
        ..known.clone()
    };
    let online = Context {
        mode: text("online"),
        link: text("https://meet.example/abc"),
        link_is_url: true,
        ..known
    };
    let hybrid = Context {
        mode: text("hybrid"),
        place: offline.place.clone(),
        ..online.clone()
    };
    let extreme = Context {
        name: format!("{MARKUP}رياضيات 👩‍👩‍👧"),
        session: format!("{MARKUP}{}", "W".repeat(180)),
        course: format!("{MARKUP}{{{{ name }}}}"),
        place: format!("{MARKUP}\"'&"),
        link: format!("{MARKUP}javascript:alert(1)"),
        link_is_url: false,
        ..hybrid.clone()
    };
    [online, offline, hybrid, bare, extreme]
}

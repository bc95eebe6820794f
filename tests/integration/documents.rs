//! What the documents say of themselves and of the program.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::support::{Run, program};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const README: &str = include_str!("../../README.md");
const INDONESIAN: &str = include_str!("../../README.id.md");
const CONFIGURATION: &str = include_str!("../../docs/configuration.md");
const OPERATING: &str = include_str!("../../docs/operating.md");
const EXAMPLE: &str = include_str!("../../.env.example");
const CRONTAB: &str = include_str!("../../crontab.example");
const PICTURE: &str = include_str!("../../docs/pictures/demo.svg");

fn documents() -> Vec<PathBuf> {
    let entries = [ROOT.into(), Path::new(ROOT).join("docs")]
        .into_iter()
        .flat_map(|folder: PathBuf| fs::read_dir(folder).unwrap());
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect()
}

/// What stands between each `begin` and the next `end`.
fn between<'a>(text: &'a str, begin: &'a str, end: char) -> impl Iterator<Item = &'a str> {
    let rests = text.split(begin).skip(1);
    rests.filter_map(move |rest| rest.split(end).next())
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

fn has_anchor(path: &Path, wanted: &str) -> bool {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut headings = text.lines().filter(|line| line.starts_with('#'));
    headings.any(|heading| anchor(heading) == wanted)
}

/// Whether a link of this document leads to a file that is there, and to a heading in it.
fn leads_somewhere(document: &Path, link: &str) -> bool {
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let path = match file {
        "" => document.to_owned(),
        file => document.with_file_name("").join(file),
    };
    path.exists() && (heading.is_empty() || has_anchor(&path, heading))
}

/// The links of a document within this repository.
fn links(document: &Path) -> Vec<String> {
    let text = fs::read_to_string(document).unwrap();
    let links = between(&text, "](", ')').filter(|link| !link.contains("://"));
    links.map(str::to_owned).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let (mut tried, mut dead) = (0, Vec::new());
    for document in documents() {
        let links = links(&document);
        tried += links.len();
        let is_dead = |link: &String| !leads_somewhere(&document, link);
        dead.extend(
            links
                .into_iter()
                .filter(is_dead)
                .map(|link| format!("{}: {link}", document.display())),
        );
    }
    assert!(tried > 50, "{tried}");
    assert!(dead.is_empty(), "{dead:#?}");
}

/// The lines that are code, without their comments, and without what a command prints.
fn code(text: &str) -> Vec<&str> {
    let mut printed = false;
    let lines = text.lines().filter_map(|line| {
        let code = line.strip_prefix("    ");
        printed = line == "<!-- sample -->" || printed && (line.is_empty() || code.is_some());
        code.filter(|_| !printed)
    });
    lines
        .filter_map(|line| line.split(" # ").next())
        .map(str::trim)
        .collect()
}

/// The words set as code in the text.
fn words(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| !line.starts_with("    "));
    lines
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .collect()
}

/// The files that a document in one language links to; the other language's is one and the same.
fn files(document: &str) -> BTreeSet<String> {
    let links = links(&Path::new(ROOT).join(document)).into_iter();
    links
        .map(|link| {
            link.replace("README.id.md", "README.md")
                .split('#')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect()
}

#[test]
fn both_languages_have_the_same_commands_and_names() {
    assert_eq!(code(README), code(INDONESIAN));
    let (english, indonesian) = (words(README), words(INDONESIAN));
    let different: Vec<_> = english.symmetric_difference(&indonesian).collect();
    assert!(different.is_empty(), "{different:?}");
    assert_eq!(files("README.md"), files("README.id.md"));
}

/// Of lines or words the commands, but for those that a shell does more with.
fn commands<'a>(texts: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let ours = texts.filter(|text| text.starts_with("reminders "));
    ours.filter(|text| !text.contains(['>', '&', '…', '$']))
        .collect()
}

#[test]
fn every_command_in_the_documents_is_one_of_ours() {
    let folder = TempDir::new().unwrap();
    let texts = documents()
        .into_iter()
        .map(|path| fs::read_to_string(path).unwrap());
    let texts: Vec<String> = texts.collect();
    let lines = texts.iter().flat_map(|text| code(text));
    let commands = commands(lines.chain(words(README)));
    assert!(commands.len() > 30, "{commands:?}");
    for command in commands {
        // Never with the settings of a platform that is really there.
        let harmless = command.replace(" /", " absent/");
        let arguments: Vec<&str> = harmless.split_whitespace().skip(1).collect();
        let output = program(folder.path()).args(&arguments).output().unwrap();
        let run = Run::of(&arguments, output);
        assert_ne!(run.code, 2, "{command}: {}", run.stderr);
    }
}

#[test]
fn the_crontab_line_is_that_of_the_example() {
    let active: BTreeSet<&str> = CRONTAB
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let lines = code(README);
    let at = lines
        .iter()
        .position(|line| line.starts_with("* * *"))
        .unwrap();
    for line in &lines[at - 2..=at] {
        assert!(active.contains(line), "{line}");
    }
}

/// The variables in the first column of a document's tables.
fn variables(text: &str) -> BTreeSet<&str> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let names = rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`'));
    names.filter(|name| is_variable(name)).collect()
}

fn is_variable(name: &str) -> bool {
    let all = |c: char| c.is_ascii_uppercase() || c == '_';
    name.contains('_') && name.chars().all(all)
}

#[test]
fn every_variable_is_explained() {
    let explained = variables(CONFIGURATION);
    let lines = EXAMPLE.lines().filter_map(|line| line.split_once('='));
    let example: BTreeSet<&str> = lines
        .map(|(name, _)| name.trim_start_matches('#'))
        .filter(|name| is_variable(name))
        .collect();
    assert!(example.len() > 40, "{example:?}");
    let unexplained: Vec<_> = example.difference(&explained).collect();
    assert!(unexplained.is_empty(), "{unexplained:?}");
    for name in &explained {
        assert!(EXAMPLE.contains(name), "{name} is not in .env.example");
    }
    let unknown: Vec<_> = variables(README).difference(&explained).copied().collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// A line without what is another one at another time; around midnight a time has a day besides.
fn timeless(line: &str) -> String {
    let line = line.replace(|c: char| c.is_ascii_digit(), "0");
    let line = line.replace("00-00 00:00", "00:00");
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_sample_of_status_is_what_it_prints() {
    let folder = TempDir::new().unwrap();
    demonstrate(&folder, &["demo"]);
    let status = demonstrate(&folder, &["--env-file", "reminders-demo/.env", "status"]);
    let shown: BTreeSet<String> = code(OPERATING).into_iter().map(timeless).collect();
    // But for how long ago, on which host, and in which of the last hours.
    let same = |line: &&str| !line.contains(" ago ") && !line.starts_with('.');
    for line in status.lines().filter(same).filter(|line| !line.is_empty()) {
        assert!(shown.contains(&timeless(line)), "{line}");
    }
}

/// What the program prints in a folder.
fn demonstrate(folder: &TempDir, arguments: &[&str]) -> String {
    let output = program(folder.path()).args(arguments).output().unwrap();
    Run::of(arguments, output).succeeds().stdout
}

/// The lines that the picture of a terminal shows, as far as they are the same at any time.
fn shown() -> Vec<String> {
    let lines = PICTURE.lines().filter(|line| line.starts_with("<text"));
    let texts = lines.map(|line| {
        let texts = between(line, ">", '<').collect::<String>();
        texts.replace("&amp;", "&").replace("&lt;", "<")
    });
    let same = |text: &String| !text.contains("20") && !text.starts_with(['$', '…']);
    texts
        .filter(same)
        .filter(|text| !text.starts_with("took"))
        .collect()
}

#[test]
fn the_picture_is_what_is_printed() {
    let folder = TempDir::new().unwrap();
    let mut printed = demonstrate(&folder, &["demo"]);
    let explain = [
        "--env-file",
        "reminders-demo/.env",
        "explain",
        "1",
        "siti@example.org",
    ];
    printed += &demonstrate(&folder, &explain);
    // A terminal is told the counts besides.
    let counted = |line: &&String| !line.ends_with(" sent") || line.contains(':');
    let lines = shown();
    assert!(lines.len() > 15, "{lines:?}");
    for line in lines.iter().filter(counted) {
        assert!(printed.contains(line.as_str()), "{line}");
    }
}

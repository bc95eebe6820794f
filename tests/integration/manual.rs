//! What packages carry besides the program: manual pages and completions, made by the program itself.

use std::{fs, path::Path};

use crate::support::{Run, program};

fn run(arguments: &[&str]) -> Run {
    let output = program(Path::new("/")).args(arguments).output().unwrap();
    Run::of(arguments, output)
}

/// The commands as the help lists them.
fn commands() -> Vec<String> {
    let help = run(&["--help"]).succeeds().stdout;
    let list = help.split("Commands:\n").nth(1).unwrap();
    let names = list.lines().map_while(|line| line.strip_prefix("  "));
    let names = names.filter_map(|line| line.split(' ').next());
    let names = names.filter(|name| !name.is_empty() && *name != "help");
    let names: Vec<String> = names.map(str::to_owned).collect();
    assert!(names.len() >= 17, "{names:?}");
    names
}

#[test]
fn the_version_names_the_databases_that_are_built_in() {
    let built_in = [
        ("sqlite", cfg!(feature = "sqlite")),
        ("postgres", cfg!(feature = "postgres")),
        ("mysql", cfg!(feature = "mysql")),
    ];
    let names = built_in.iter().filter(|(_, built)| *built);
    let names: Vec<&str> = names.map(|(name, _)| *name).collect();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        run(&["--version"]).succeeds().stdout,
        format!("reminders {version} ({})\n", names.join(", "))
    );
}

#[test]
fn every_shell_is_told_of_every_command() {
    let commands = commands();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&["completions", shell]).succeeds().stdout;
        for command in &commands {
            let words: Vec<&str> = script
                .split(|c: char| !c.is_alphanumeric() && c != '-')
                .collect();
            assert!(words.contains(&command.as_str()), "{shell}: {command}");
        }
        for option in ["env-file", "dry-run", "even-if-in-doubt"] {
            assert!(script.contains(option), "{shell}: {option}");
        }
    }
    let unknown = run(&["completions", "tcsh"]).exits(2);
    assert!(unknown.stderr.contains("bash"), "{}", unknown.stderr);
}

#[test]
fn every_command_has_a_manual_page_with_its_examples() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("share/man/man1");
    let quiet = run(&["man", dir.to_str().unwrap()]).succeeds();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let main = fs::read_to_string(dir.join("reminders.1")).unwrap();
    assert_eq!(run(&["man"]).succeeds().stdout, main);
    for command in commands() {
        let list = main.replace('\\', "");
        assert!(list.contains(&format!("reminders-{command}(1)")), "{main}");
        let page = fs::read_to_string(dir.join(format!("reminders-{command}.1"))).unwrap();
        assert!(page.contains(".SH NAME\n"), "{page}");
        // The commands of `templates` have their own.
        let page = match command.as_str() {
            "templates" => fs::read_to_string(dir.join("reminders-templates-export.1")).unwrap(),
            _ => page,
        };
        let (_, examples) = page.split_once(".SH EXAMPLES\n.nf\n").expect(&command);
        let first = examples.lines().next().unwrap().replace('\\', "");
        assert!(
            first.starts_with(&format!("reminders {command}")),
            "{first}"
        );
    }
}

#[test]
fn what_the_help_says_of_exit_codes_stands_in_the_manual() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    run(&["man", dir.to_str().unwrap()]).succeeds();
    let page = fs::read_to_string(dir.join("reminders-send.1")).unwrap();
    let (_, codes) = page.split_once(".SH \"EXIT STATUS\"\n").unwrap();
    assert!(codes.starts_with("0 done; 1 a reminder failed"), "{codes}");
}

#[test]
fn a_page_has_the_usage_and_arguments_before_options() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    run(&["man", dir.to_str().unwrap()]).succeeds();
    let page = |name: &str| {
        let page = fs::read_to_string(dir.join(name)).unwrap();
        page.replace('\\', "")
    };
    let explain = page("reminders-explain.1");
    let usage = ".SH SYNOPSIS\nreminders explain [OPTIONS] <SESSION> <USER>\n";
    assert!(explain.contains(usage), "{explain}");
    let place = |text: &str| explain.find(text).expect(text);
    assert!(place(".SH ARGUMENTS") < place(".SH OPTIONS"), "{explain}");
    assert!(place("A user") < place("--now"), "{explain}");
    let whole = page("reminders.1");
    for section in [".SH ENVIRONMENT\n", ".SH FILES\n", "STATE_DIRECTORY"] {
        assert!(whole.contains(section), "{section}: {whole}");
        assert!(!explain.contains(section), "{section}");
    }
}

#[test]
fn the_help_wraps_its_prose_and_has_the_options_of_every_command_last() {
    for command in commands() {
        let help = run(&[&command, "--help"]).succeeds().stdout;
        for part in help.split("\n\n").filter(|part| !part.contains("  ")) {
            let lines: Vec<&str> = part.lines().collect();
            let ragged = lines[..lines.len() - 1].iter().find(|line| line.len() < 70);
            assert_eq!(ragged, None, "{command}: {part}");
        }
        let shared = help
            .split_once("Options of every command:")
            .expect(&command)
            .1;
        assert!(shared.contains("--env-file"), "{help}");
        assert_eq!(help.matches("--env-file <PATH>").count(), 1, "{help}");
    }
}

#[test]
fn a_folder_for_the_manual_that_cannot_be_is_named() {
    let run = run(&["man", "/dev/null/man1"]).exits(1);
    assert!(run.stderr.contains("/dev/null/man1"), "{}", run.stderr);
}

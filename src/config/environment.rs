//! The real environment and the env files under it, with the meaning Laravel's `env()` gives to their values.

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    dotenv::{self, ParseError},
    problem::Problem,
    reminder,
};

/// Names the env files where the command line does not, and in an env file those that come after it; several are
/// separated as in `PATH`.
const ENV_FILE: &str = "REMINDERS_ENV_FILE";

/// What tells a Laravel application's folder from others that hold an env file.
pub const PLATFORM: &str = "config/app.php";

/// Everything that is set, nearest first: the real environment, then the env files in the order they were named.
pub struct Environment {
    /// The folder of the first env file beside which there is a `config/app.php`; without one that of the first env
    /// file, or of the first that this one names; else the working directory.
    pub project: PathBuf,
    layers: Vec<Layer>,
}

/// Where the settings come from.
#[derive(Debug)]
pub struct Sources {
    /// The env files that were read; the first one that sets a variable wins.
    pub files: Vec<PathBuf>,
    /// The variables of theirs that the real environment sets otherwise.
    pub overruled: Vec<String>,
    /// Whether the real environment says which database it is.
    pub has_database: bool,
    /// What looks like a setting of ours and is none.
    pub unknown: Vec<String>,
}

/// One source of variables, and where the relative paths in it start.
struct Layer {
    /// `None` for the real environment.
    file: Option<PathBuf>,
    folder: PathBuf,
    values: HashMap<String, String>,
}

impl Environment {
    /// Reads `files`, which must exist; when there are none, those of `REMINDERS_ENV_FILE`, else Laravel's
    /// default file in `cwd` if it exists. A file of them may itself name others, which come after it. The mistakes of
    /// all files are returned at once.
    pub fn read(
        files: &[PathBuf],
        environment: &HashMap<String, String>,
        cwd: &Path,
    ) -> Result<Environment, Vec<Problem>> {
        let mut read = Environment {
            project: cwd.to_owned(),
            layers: vec![Layer {
                file: None,
                folder: cwd.to_owned(),
                values: environment.clone(),
            }],
        };
        let mut problems = Vec::new();
        let mut project = None;
        for file in files_to_read(files, environment, cwd) {
            let named = read.add(&file, cwd).unwrap_or_else(|found| {
                problems.extend(found);
                Vec::new()
            });
            let first = named.first().unwrap_or(&file);
            project.get_or_insert_with(|| folder_of(first, cwd));
            // What those name in their turn is not followed: it could lead back.
            let found = named.iter().filter_map(|file| read.add(file, cwd).err());
            problems.extend(found.flatten());
        }
        if let Some(project) = read.platform().or(project) {
            read.layers[0].folder.clone_from(&project);
            read.project = project;
        }
        if problems.is_empty() {
            Ok(read)
        } else {
            Err(problems)
        }
    }

    /// The folder of the first env file that has Laravel's configuration beside it.
    fn platform(&self) -> Option<PathBuf> {
        let files = self.layers.iter().filter(|layer| layer.file.is_some());
        let mut folders = files.map(|layer| &layer.folder);
        folders
            .find(|folder| folder.join(PLATFORM).exists())
            .cloned()
    }

    /// What the variable means: `None` where it is not set, empty or `null`.
    pub fn get(&self, name: &str) -> Option<String> {
        self.find(name).and_then(|(_, raw)| meaning(raw))
    }

    /// How near the variable is: 0 for the real environment, then the files. `None` where `get` gives none.
    pub fn nearness(&self, name: &str) -> Option<usize> {
        let found = self
            .layers
            .iter()
            .position(|layer| layer.values.contains_key(name))?;
        self.get(name).map(|_| found)
    }

    pub fn sources(&self) -> Sources {
        let files = self.layers.iter().filter_map(|layer| layer.file.clone());
        let real = &self.layers[0].values;
        let is_overruled =
            |(name, value): &(&String, &String)| real.get(*name).is_some_and(|own| own != *value);
        let of_files = self.layers[1..].iter().flat_map(|layer| &layer.values);
        let overruled: BTreeSet<&String> = of_files
            .filter(is_overruled)
            .map(|(name, _)| name)
            .collect();
        Sources {
            files: files.collect(),
            overruled: overruled.into_iter().cloned().collect(),
            has_database: real.keys().any(|name| is_of_database(name)),
            unknown: self.unknown(),
        }
    }

    fn unknown(&self) -> Vec<String> {
        let names = self.layers.iter().flat_map(|layer| layer.values.keys());
        let unknown = names.filter(|name| {
            name.starts_with(reminder::PREFIX) && !reminder::NAMES.contains(&name.as_str())
        });
        let unknown: BTreeSet<&String> = unknown.collect();
        unknown.into_iter().cloned().collect()
    }

    /// `path` as the file that sets `name` means it: relative to that file's folder.
    pub fn resolve(&self, name: &str, path: &str) -> PathBuf {
        let folder = self
            .find(name)
            .map_or(&self.project, |(layer, _)| &layer.folder);
        // Without a `.` that would only be shown.
        folder.join(path).components().collect()
    }

    /// The nearest layer decides alone: an empty variable in the real environment hides that of a file, as in Laravel.
    fn find(&self, name: &str) -> Option<(&Layer, &str)> {
        self.layers
            .iter()
            .find_map(|layer| layer.values.get(name).map(|raw| (layer, raw.as_str())))
    }

    /// Puts a file behind what was read before, and returns the files that it names.
    fn add(&mut self, file: &Path, cwd: &Path) -> Result<Vec<PathBuf>, Vec<Problem>> {
        let values = self.values_of(file)?;
        let folder = folder_of(file, cwd);
        let named = values.get(ENV_FILE).and_then(|raw| meaning(raw));
        let named = named.map(|list| paths(&list, &folder)).unwrap_or_default();
        let file = Some(file.to_owned());
        self.layers.push(Layer {
            file,
            folder,
            values,
        });
        Ok(named)
    }

    fn values_of(&self, file: &Path) -> Result<HashMap<String, String>, Vec<Problem>> {
        let text = read_text(file).map_err(|error| vec![unreadable(file, &error)])?;
        let known = |name: &str| self.find(name).map(|(_, raw)| raw.to_owned());
        let values = dotenv::parse(&text, &known).map_err(|errors| {
            errors
                .into_iter()
                .map(|error| unparsable(file, error))
                .collect::<Vec<_>>()
        })?;
        Ok(values
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect())
    }
}

fn is_of_database(name: &str) -> bool {
    name == "DATABASE_URL" || name.starts_with("DB_")
}

fn files_to_read(
    named: &[PathBuf],
    environment: &HashMap<String, String>,
    cwd: &Path,
) -> Vec<PathBuf> {
    let by_variable = environment.get(ENV_FILE).and_then(|raw| meaning(raw));
    match by_variable {
        _ if !named.is_empty() => named.iter().map(|file| cwd.join(file)).collect(),
        Some(list) => paths(&list, cwd),
        None => default_file(environment, cwd).into_iter().collect(),
    }
}

fn paths(list: &str, folder: &Path) -> Vec<PathBuf> {
    let files = std::env::split_paths(list);
    files.map(|file| folder.join(file)).collect()
}

/// Laravel reads `.env.{APP_ENV}` in place of `.env` when the real environment sets `APP_ENV` and that file exists.
fn default_file(environment: &HashMap<String, String>, cwd: &Path) -> Option<PathBuf> {
    let app_env = environment.get("APP_ENV").and_then(|raw| meaning(raw));
    let special = app_env.map(|app_env| cwd.join(format!(".env.{app_env}")));
    let mut candidates = special.into_iter().chain([cwd.join(".env")]);
    // A file that cannot even be looked at is worth an error, not silence.
    candidates.find(|file| !matches!(file.try_exists(), Ok(false)))
}

fn folder_of(file: &Path, cwd: &Path) -> PathBuf {
    file.parent().unwrap_or(cwd).to_owned()
}

/// As Laravel reads it: a byte order mark is dropped, a byte that is not UTF-8 becomes `?`.
fn read_text(file: &Path) -> io::Result<String> {
    let bytes = fs::read(file)?;
    let mut text = String::new();
    for chunk in bytes
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(&bytes)
        .utf8_chunks()
    {
        text.push_str(chunk.valid());
        text.push_str(if chunk.invalid().is_empty() { "" } else { "?" });
    }
    Ok(text)
}

fn unreadable(file: &Path, error: &io::Error) -> Problem {
    let cure = match error.kind() {
        io::ErrorKind::NotFound => "there is no such env file: correct the path".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "may not be read: give its user or group the right to, or run as that user".to_owned()
        }
        _ => format!("cannot be read: {error}"),
    };
    Problem::new(path_shown(file), None, cure)
}

fn unparsable(file: &Path, error: ParseError) -> Problem {
    let cure = error.mistake.cure();
    match error.name {
        Some(name) => Problem::new(
            name,
            None,
            format!("line {} of {}: {cure}", error.line, path_shown(file)),
        ),
        None => Problem::new(
            path_shown(file),
            None,
            format!("line {}: {cure}", error.line),
        ),
    }
}

fn path_shown(file: &Path) -> String {
    file.to_string_lossy().escape_debug().to_string()
}

/// Laravel's `env()`: four words, with and without parentheses, and one pair of quotes that outlived the parser.
fn meaning(raw: &str) -> Option<String> {
    match raw.to_ascii_lowercase().as_str() {
        "" | "empty" | "(empty)" | "null" | "(null)" => None,
        "true" | "(true)" => Some("true".to_owned()),
        "false" | "(false)" => Some("false".to_owned()),
        _ => Some(unquoted(raw))
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
    }
}

fn unquoted(raw: &str) -> &str {
    let inner = ['"', '\'']
        .iter()
        .find_map(|&quote| raw.strip_prefix(quote)?.strip_suffix(quote));
    inner.filter(|inner| !inner.contains('\n')).unwrap_or(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    }

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
            fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    fn told(result: Result<Environment, Vec<Problem>>) -> Vec<String> {
        result
            .err()
            .unwrap()
            .iter()
            .map(Problem::to_string)
            .collect()
    }

    #[test]
    fn laravels_words_and_quotes_mean_what_env_makes_of_them() {
        for raw in ["", "null", "(NULL)", "Empty", "(empty)", "\"\""] {
            assert_eq!(meaning(raw), None, "{raw}");
        }
        let cases = [
            ("TRUE", "true"),
            ("(false)", "false"),
            ("\"null\"", "null"),
            ("'\"a\"'", "\"a\""),
            ("\"", "\""),
        ];
        for (raw, expected) in cases {
            assert_eq!(meaning(raw).as_deref(), Some(expected), "{raw}");
        }
    }

    #[test]
    fn the_real_environment_wins_and_then_the_first_file() {
        let folder = folder(&[
            ("a/.env", b"A=a\nB=a\nREF=${R}"),
            ("b/.env", b"A=b\nB=b\nC=${B}\nE=b"),
        ]);
        let files = ["a/.env".into(), "b/.env".into()];
        let read = Environment::read(
            &files,
            &map(&[("A", "real"), ("E", ""), ("R", "r")]),
            folder.path(),
        )
        .unwrap();
        let get = |name: &str| read.get(name).unwrap_or_default();
        assert_eq!(
            ["A", "B", "C", "E", "REF"].map(get),
            ["real", "a", "a", "", "r"]
        );
        assert_eq!(
            ["A", "B", "C", "E", "F"].map(|n| read.nearness(n)),
            [Some(0), Some(1), Some(2), None, None]
        );
        assert_eq!(read.project, folder.path().join("a"));
        assert_eq!(read.resolve("C", "x"), folder.path().join("b/x"));
        assert_eq!(read.resolve("A", "x"), folder.path().join("a/x"));
        assert_eq!(read.resolve("A", "/x"), Path::new("/x"));
        let here = read.resolve("C", "./x/.");
        assert_eq!(here.to_str(), folder.path().join("b/x").to_str());
    }

    #[test]
    fn the_default_file_may_be_missing_and_follows_app_env() {
        let folder = folder(&[("p/.env", b"A=plain"), ("p/.env.testing", b"A=testing")]);
        let a = |environment: &[(&str, &str)], cwd: &str| {
            Environment::read(&[], &map(environment), &folder.path().join(cwd))
                .unwrap()
                .get("A")
        };
        assert_eq!(a(&[], ""), None);
        assert_eq!(a(&[], "p").as_deref(), Some("plain"));
        assert_eq!(
            a(&[("APP_ENV", "testing")], "p").as_deref(),
            Some("testing")
        );
        assert_eq!(
            a(&[("APP_ENV", "production")], "p").as_deref(),
            Some("plain")
        );
        assert_eq!(
            a(&[(ENV_FILE, "p/.env.testing")], "").as_deref(),
            Some("testing")
        );
    }

    #[test]
    fn a_file_may_name_that_of_the_platform_which_comes_after_it() {
        let folder = folder(&[
            (
                "etc/env",
                b"REMINDERS_ENV_FILE=../lms/.env\nA=etc\nB=etc\nE=",
            ),
            (
                "lms/.env",
                b"A=lms\nC=lms\nD=lms\nE=lms\nREMINDERS_ENV_FILE=../etc/env",
            ),
            ("more", b"C=more\nF=more"),
        ]);
        let files = ["etc/env".into(), "more".into()];
        let read = Environment::read(&files, &map(&[("D", "real")]), folder.path()).unwrap();
        let get = |name: &str| read.get(name).unwrap_or_default();
        assert_eq!(
            ["A", "B", "C", "D", "E", "F"].map(get),
            ["etc", "etc", "lms", "real", "", "more"]
        );
        let lms = folder.path().join("etc/../lms");
        assert_eq!(read.project, lms);
        assert_eq!(read.resolve("C", "x"), lms.join("x"));
        assert_eq!(read.resolve("D", "x"), lms.join("x"));
        assert_eq!(read.resolve("A", "x"), folder.path().join("etc/x"));
    }

    #[test]
    fn the_project_is_where_the_platforms_configuration_lies() {
        let folder = folder(&[
            ("etc/one", b"A=1"),
            ("etc/naming", b"REMINDERS_ENV_FILE=../lms/.env"),
            ("other/.env", b""),
            ("lms/.env", b"B=2"),
            ("lms/config/app.php", b"<?php return [];"),
        ]);
        let project = |files: &[&str]| {
            let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
            let read = Environment::read(&files, &map(&[]), folder.path()).unwrap();
            read.project.strip_prefix(folder.path()).unwrap().to_owned()
        };
        assert_eq!(project(&["etc/one", "lms/.env"]), Path::new("lms"));
        assert_eq!(
            project(&["etc/one", "other/.env", "lms/.env"]),
            Path::new("lms")
        );
        assert_eq!(project(&["etc/one", "etc/naming"]), Path::new("etc/../lms"));
        assert_eq!(project(&["etc/one", "other/.env"]), Path::new("etc"));
    }

    #[test]
    fn the_files_are_known_in_their_order_and_what_the_real_environment_sets_otherwise() {
        let folder = folder(&[
            ("own/env", b"REMINDERS_ENV_FILE=../lms/.env\nA=1\nB=1"),
            ("lms/.env", b"B=2\nC=1\nD=1"),
        ]);
        let named = folder.path().join("own/env");
        let real = map(&[("A", "1"), ("B", "2"), ("C", ""), ("E", "5")]);
        let read = Environment::read(std::slice::from_ref(&named), &real, folder.path()).unwrap();
        let sources = read.sources();
        let second = folder.path().join("own/../lms/.env");
        assert_eq!(sources.files, [named, second]);
        assert_eq!(sources.overruled, ["B", "C"]);
    }

    #[test]
    fn a_file_that_a_file_names_must_exist() {
        let folder = folder(&[("env", b"REMINDERS_ENV_FILE=gone/.env")]);
        let lines = told(Environment::read(&["env".into()], &map(&[]), folder.path()));
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].contains("gone/.env: there is no such"),
            "{lines:?}"
        );
    }

    #[test]
    fn a_named_file_must_exist() {
        let folder = folder(&[]);
        let lines = told(Environment::read(
            &["x.env".into()],
            &map(&[]),
            folder.path(),
        ));
        assert!(
            lines[0].ends_with("x.env: there is no such env file: correct the path"),
            "{lines:?}"
        );
    }

    #[test]
    fn mistakes_of_all_files_name_line_and_cure_but_never_the_value() {
        let folder = folder(&[("a", b"\nMAIL_PASSWORD=abcd efgh"), ("b", b"SECRET-KEY=x")]);
        let lines = told(Environment::read(
            &["a".into(), "b".into()],
            &map(&[]),
            folder.path(),
        ));
        assert!(
            lines[0].starts_with("MAIL_PASSWORD: line 2 of /")
                && lines[0].contains("put quotes around it"),
            "{lines:?}"
        );
        assert!(
            lines[1].contains("b: line 1: the name before ="),
            "{lines:?}"
        );
        assert!(!lines.concat().contains("efgh\n") && !lines.concat().contains("SECRET-KEY"));
    }

    #[test]
    fn a_byte_order_mark_and_stray_latin_1_are_read_as_laravel_does() {
        let folder = folder(&[(".env", b"\xEF\xBB\xBFA=1 # caf\xE9\nB=\xE9!")]);
        let read = Environment::read(&[], &map(&[]), folder.path()).unwrap();
        assert_eq!(
            (read.get("A").as_deref(), read.get("B").as_deref()),
            (Some("1"), Some("?!"))
        );
    }
}

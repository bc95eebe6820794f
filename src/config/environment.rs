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
mod tests;

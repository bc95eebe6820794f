//! The templates: built in, each replaceable by the file of the same name in the folder `REMINDER_TEMPLATES`.
//!
//! The syntax is Jinja's. A line that holds nothing but a `{% %}` tag leaves nothing behind. Values are escaped in
//! `*.html` and stand as they are in `*.txt`.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, UndefinedBehavior, Value};

/// Name, which is also the path inside the folder, and text of each.
macro_rules! built_in {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("templates/", $name)))),*] };
}

/// Every built-in template: those of the reminder, and with `moved.` or `cancelled.` before their names those of the
/// corrections.
pub const BUILT_IN: [(&str, &str); 24] = built_in![
    "en/mail.html",
    "en/mail.subject.txt",
    "en/mail.txt",
    "en/whatsapp.txt",
    "en/moved.mail.html",
    "en/moved.mail.subject.txt",
    "en/moved.mail.txt",
    "en/moved.whatsapp.txt",
    "en/cancelled.mail.html",
    "en/cancelled.mail.subject.txt",
    "en/cancelled.mail.txt",
    "en/cancelled.whatsapp.txt",
    "id/mail.html",
    "id/mail.subject.txt",
    "id/mail.txt",
    "id/whatsapp.txt",
    "id/moved.mail.html",
    "id/moved.mail.subject.txt",
    "id/moved.mail.txt",
    "id/moved.whatsapp.txt",
    "id/cancelled.mail.html",
    "id/cancelled.mail.subject.txt",
    "id/cancelled.mail.txt",
    "id/cancelled.whatsapp.txt",
];

/// The templates in use. Each is read and compiled when it is first rendered, so a broken one stops nothing but itself.
pub struct Templates {
    environment: Environment<'static>,
    folder: Option<PathBuf>,
}

impl Templates {
    /// Fails when `folder` is no folder that can be read.
    pub fn new(folder: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(folder) = folder {
            let problem = || {
                format!(
                    "could not read the folder of templates {}",
                    folder.display()
                )
            };
            fs::read_dir(folder).with_context(problem)?;
        }
        let folder = folder.map(Path::to_path_buf);
        Ok(Self {
            environment: environment(folder.clone())?,
            folder,
        })
    }

    /// `values`: those of a [`Context`](super::context::Context). Fails, naming file and line, when the template is
    /// broken or says nothing.
    pub fn render(&self, name: &str, values: &Value) -> anyhow::Result<String> {
        let template = self.environment.get_template(name);
        let rendered = template.and_then(|template| template.render(values));
        let text = rendered.map_err(|error| self.locate(name, values, &error))?;
        ensure!(
            !text.trim().is_empty(),
            "{} renders nothing",
            self.place(name)
        );
        Ok(text)
    }

    fn locate(&self, name: &str, values: &Value, error: &Error) -> anyhow::Error {
        let name = error.name().unwrap_or(name);
        let place = self.place(name);
        let line = error
            .line()
            .map(|line| format!(":{line}"))
            .unwrap_or_default();
        let unknown = match error.kind() {
            minijinja::ErrorKind::UndefinedError => self.unknown(name, values),
            _ => None,
        };
        let detail = unknown.or_else(|| error.detail().map(str::to_string));
        let detail = detail
            .map(|detail| format!(": {detail}"))
            .unwrap_or_default();
        anyhow!("{place}{line}: {}{detail}", error.kind())
    }

    /// The variables of a template that there are not, since the error itself does not name them, and those that there
    /// are.
    fn unknown(&self, name: &str, values: &Value) -> Option<String> {
        let known: Vec<String> = values.try_iter().ok()?.map(|key| key.to_string()).collect();
        let global = |name: &String| self.environment.globals().any(|(known, _)| known == name);
        let template = self.environment.get_template(name).ok()?;
        let named = template.undeclared_variables(false).into_iter();
        let unknown: BTreeSet<String> = named
            .filter(|name| !known.contains(name) && !global(name))
            .collect();
        let unknown = unknown.into_iter().collect::<Vec<_>>().join(", ");
        let known = known.join(", ");
        (!unknown.is_empty()).then(|| format!("there is no {unknown}: the variables are {known}"))
    }

    /// The file a template comes from.
    fn place(&self, name: &str) -> String {
        let file = self.folder.as_ref().map(|folder| folder.join(name));
        match file.filter(|file| file.exists()) {
            Some(file) => file.display().to_string(),
            None => format!("built-in template {name}"),
        }
    }
}

/// A misspelt variable is an error in it, not an empty text.
fn environment(folder: Option<PathBuf>) -> anyhow::Result<Environment<'static>> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    environment.set_loader(
        move |name| match BUILT_IN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => replacement(folder.as_deref(), name)
                .map(|file| Some(file.unwrap_or(text.to_string()))),
            None => Ok(None),
        },
    );
    Ok(environment)
}

/// The text of the file that replaces a template, if there is one.
fn replacement(folder: Option<&Path>, name: &str) -> Result<Option<String>, Error> {
    let Some(folder) = folder else {
        return Ok(None);
    };
    let file = folder.join(name);
    match fs::read_to_string(&file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::new(
            minijinja::ErrorKind::InvalidOperation,
            format!("could not read {}: {error}", file.display()),
        )),
    }
}

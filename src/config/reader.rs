use std::{
    fs,
    path::{Path, PathBuf},
};

use lettre::Address;

use super::{environment::Environment, problem::Problem, secret::Secret};

/// What the platform's setup guide tells people to replace.
const PLACEHOLDERS: [&str; 4] = [
    "your_twilio_account_sid",
    "your_twilio_auth_token",
    "your_email@gmail.com",
    "your_app_password",
];

/// Reads typed settings out of the environment and collects the problems on the way, so that one run tells them all.
pub struct Reader<'a> {
    environment: &'a Environment,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            problems: Vec::new(),
        }
    }

    pub fn environment(&self) -> &'a Environment {
        self.environment
    }

    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Records a problem. An address with a user in it is not shown: a password may follow.
    pub fn complain(&mut self, variable: &str, holds: Option<&str>, cure: impl Into<String>) {
        let harmless = holds.filter(|text| !(text.contains("://") && text.contains('@')));
        self.problems.push(Problem::new(variable, harmless, cure));
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.environment.get(name)
    }

    /// How near a secret is set, by itself or by file; as `Environment::nearness`.
    pub fn secret_nearness(&self, name: &str) -> Option<usize> {
        self.environment
            .nearness(name)
            .or_else(|| self.environment.nearness(&by_file(name)))
    }

    /// Whether a secret is set, by itself or by file.
    pub fn has_secret(&self, name: &str) -> bool {
        self.secret_nearness(name).is_some()
    }

    /// A path, relative to the folder of the file that sets it.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name)
            .map(|path| self.environment.resolve(name, &path))
    }

    /// A setting that `parse` turns into its value. Where it cannot, that is a problem with this cure.
    pub fn parsed<T>(
        &mut self,
        name: &str,
        cure: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(text.trim());
        if value.is_none() {
            self.complain(name, Some(&text), cure);
        }
        value
    }

    /// A whole number from 1 to `max`.
    pub fn count(&mut self, name: &str, max: u32) -> Option<u32> {
        self.parsed(
            name,
            &format!("give a whole number from 1 to {max}"),
            |text| {
                text.parse()
                    .ok()
                    .filter(|number| (1..=max).contains(number))
            },
        )
    }

    /// One bare email address.
    pub fn mail_address(&mut self, name: &str) -> Option<String> {
        let text = self.filled(name)?;
        if text.parse::<Address>().is_err() {
            self.complain(
                name,
                Some(&text),
                "give one email address without a name, such as info@kursus.example",
            );
            return None;
        }
        Some(text)
    }

    /// A text that is not the placeholder of the setup guide.
    pub fn filled(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        self.refuse_placeholder(name, &text).then_some(text)
    }

    /// A secret, from the variable itself or from the file that `{name}_FILE` names.
    pub fn secret(&mut self, name: &str) -> Option<Secret> {
        let file = by_file(name);
        match (self.text(name), self.path(&file)) {
            (Some(_), Some(_)) => {
                self.complain(
                    &file,
                    None,
                    format!("{name} is set too: keep one of the two"),
                );
                None
            }
            (Some(text), None) => self
                .refuse_placeholder(name, &text)
                .then(|| Secret::new(text)),
            (None, Some(path)) => self.secret_in(&file, &path),
            (None, None) => None,
        }
    }

    fn secret_in(&mut self, variable: &str, path: &Path) -> Option<Secret> {
        let shown = path.to_string_lossy();
        match fs::read_to_string(path) {
            Ok(text) if text.trim().is_empty() => {
                self.complain(
                    variable,
                    Some(&shown),
                    "the file is empty: write the secret into it",
                );
            }
            Ok(text) => return Some(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())),
            Err(error) => self.complain(
                variable,
                Some(&shown),
                format!("the file cannot be read: {error}"),
            ),
        }
        None
    }

    fn refuse_placeholder(&mut self, name: &str, text: &str) -> bool {
        let is_placeholder = PLACEHOLDERS.contains(&text);
        if is_placeholder {
            self.complain(
                name,
                Some(text),
                "this is the setup guide's placeholder: fill in your own",
            );
        }
        !is_placeholder
    }
}

fn by_file(name: &str) -> String {
    format!("{name}_FILE")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::environment;

    #[test]
    fn a_secret_may_stand_in_a_file_beside_the_env_file() {
        let (folder, environment) = environment("MAIL_PASSWORD_FILE=secret.txt", &[]);
        fs::write(folder.path().join("secret.txt"), " hunter2 \r\n").unwrap();
        let secret = Reader::new(&environment).secret("MAIL_PASSWORD").unwrap();
        assert_eq!(secret.expose(), " hunter2 ");
    }

    #[test]
    fn a_secret_given_twice_or_not_readable_is_a_problem_without_the_secret() {
        let (folder, environment) = environment(
            "A=hunter2\nA_FILE=x\nB_FILE=nowhere\nC_FILE=blank\nD_FILE=binary",
            &[],
        );
        fs::write(folder.path().join("blank"), "\n").unwrap();
        fs::write(folder.path().join("binary"), b"\xff\xfe").unwrap();
        let mut reader = Reader::new(&environment);
        assert!(
            ["A", "B", "C", "D"]
                .iter()
                .all(|name| reader.secret(name).is_none())
        );
        let lines: Vec<_> = reader
            .into_problems()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(lines[0], "A_FILE: A is set too: keep one of the two");
        assert!(
            lines[1].starts_with("B_FILE is \"") && lines[1].contains("cannot be read"),
            "{lines:?}"
        );
        assert!(
            lines[2].contains("the file is empty") && lines[3].contains("cannot be read"),
            "{lines:?}"
        );
    }

    #[test]
    fn placeholders_are_to_be_filled_in() {
        let (_folder, environment) = environment("MAIL_PASSWORD=your_app_password", &[]);
        let mut reader = Reader::new(&environment);
        assert_eq!(reader.secret("MAIL_PASSWORD"), None);
        assert!(
            reader.into_problems()[0]
                .to_string()
                .ends_with("placeholder: fill in your own")
        );
    }
}

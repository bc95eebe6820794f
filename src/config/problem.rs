use std::fmt;

/// The longest part of a broken value that is shown.
const MAX_SHOWN: usize = 60;

/// One broken setting, on one line: `MAIL_PORT is "abc": give a port number from 1 to 65535`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable's name; for an env file that cannot be read, its path.
    pub variable: String,
    /// What it holds; `None` for secrets and for what is not set.
    pub holds: Option<String>,
    /// What it should hold, or what to do.
    pub cure: String,
}

impl Problem {
    pub fn new(variable: impl Into<String>, holds: Option<&str>, cure: impl Into<String>) -> Self {
        Self {
            variable: variable.into(),
            holds: holds.map(str::to_owned),
            cure: cure.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (variable, cure) = (&self.variable, &self.cure);
        match &self.holds {
            Some(holds) => write!(f, "{variable} is \"{}\": {cure}", shown(holds)),
            None if cure.starts_with("is ") => write!(f, "{variable} {cure}"),
            None => write!(f, "{variable}: {cure}"),
        }
    }
}

/// Which settings are wrong, without what they hold.
pub fn wrong_settings(problems: &[Problem]) -> String {
    let names = problems.iter().map(|problem| problem.variable.as_str());
    format!("wrong settings: {}", names.collect::<Vec<_>>().join(", "))
}

/// Safe for a terminal and a log line: control and invisible characters are escaped, long values cut.
pub fn shown(value: &str) -> String {
    let start: String = value.chars().take(MAX_SHOWN).collect();
    let cut = if start.len() < value.len() { "…" } else { "" };
    format!("{}{cut}", start.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_the_variable_its_value_and_the_cure() {
        let problem = Problem::new(
            "MAIL_PORT",
            Some("abc"),
            "give a port number from 1 to 65535",
        );
        assert_eq!(
            problem.to_string(),
            "MAIL_PORT is \"abc\": give a port number from 1 to 65535"
        );
        let problem = Problem::new("MAIL_PASSWORD", None, "set it");
        assert_eq!(problem.to_string(), "MAIL_PASSWORD: set it");
        let problem = Problem::new("MAIL_HOST", None, "is not set: give the server's name");
        assert_eq!(
            problem.to_string(),
            "MAIL_HOST is not set: give the server's name"
        );
    }

    #[test]
    fn a_problem_stays_one_short_harmless_line() {
        let nasty = format!("a\r\nb\x1b[31m\u{202e}\u{2028}{}", "x".repeat(500));
        let line = Problem::new("A", Some(&nasty), "fix it").to_string();
        assert!(
            line.contains("a\\r\\nb\\u{1b}[31m\\u{202e}\\u{2028}xxx"),
            "{line}"
        );
        assert!(
            line.contains("xx…\": fix it") && line.chars().count() < 120,
            "{line}"
        );
        assert!(!line.contains(['\r', '\n', '\x1b', '\u{202e}', '\u{2028}']));
    }
}

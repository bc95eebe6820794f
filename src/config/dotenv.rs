//! Laravel's `.env` grammar, as vlucas/phpdotenv 5 reads it: the platform's own file must mean the same here as there.

use std::collections::HashMap;

use value::{Value, is_space};

mod lines;
mod value;

/// What one file sets, by name. `None` is a name that stands alone on its line.
pub type Values = HashMap<String, Option<String>>;

/// One entry that cannot be read. It never holds the value, which may be a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// Counted from 1; the line on which the entry begins.
    pub line: usize,
    /// `None` where the name itself is broken: then it may be a piece of a value.
    pub name: Option<String>,
    pub mistake: Mistake,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    Name,
    Equals,
    Whitespace,
    Escape,
    Quote,
}

impl Mistake {
    /// What is wrong and what to do about it, to follow a colon.
    pub fn cure(self) -> &'static str {
        match self {
            Self::Name => {
                "the name before = may have letters, digits, _ and . only: correct it, or put # before the line"
            }
            Self::Equals => "there is no name before =: write NAME=value, or put # before the line",
            Self::Whitespace => {
                "the value has a blank outside quotes, or text after its closing quote: \
                 put quotes around it, as in NAME=\"abcd efgh\" (inside them write \\\" for \" and \\$ for $)"
            }
            Self::Escape => {
                "inside double quotes a backslash may stand only before \" \\ $ f n r t v: \
                 double it, or put single quotes around the value"
            }
            Self::Quote => {
                "the value opens a quote and never closes it: close it, or put the other kind of quote around the value"
            }
        }
    }
}

/// Reads a whole file. `known` looks up what is set outside it: in `${NAME}` that wins over the file itself,
/// as Laravel's environment is immutable. All mistakes of the file are returned at once.
pub fn parse(
    text: &str,
    known: &dyn Fn(&str) -> Option<String>,
) -> Result<Values, Vec<ParseError>> {
    let mut values = Values::new();
    let mut errors = Vec::new();
    for entry in lines::entries(text) {
        let look_up = |name: &str| known(name).or_else(|| values.get(name).cloned().flatten());
        match parse_entry(&entry.text, &look_up) {
            Ok((name, value)) => {
                values.insert(name, value);
            }
            Err((name, mistake)) => errors.push(ParseError {
                line: entry.line,
                name,
                mistake,
            }),
        }
    }
    if errors.is_empty() {
        Ok(values)
    } else {
        Err(errors)
    }
}

type EntryError = (Option<String>, Mistake);

fn parse_entry(
    entry: &str,
    look_up: &dyn Fn(&str) -> Option<String>,
) -> Result<(String, Option<String>), EntryError> {
    let Some((name, value)) = entry.split_once('=') else {
        return Ok((parse_name(entry)?, None));
    };
    let name = parse_name(lines::trim(name))?;
    match Value::parse(lines::trim(value)) {
        Ok(value) => Ok((name, Some(value.resolve(look_up)))),
        Err(mistake) => Err((Some(name), mistake)),
    }
}

fn parse_name(name: &str) -> Result<String, EntryError> {
    if name.is_empty() {
        return Err((None, Mistake::Equals));
    }
    let name = unquote_name(strip_export(name));
    if !name.is_empty() && name.chars().all(is_name_character) {
        Ok(name.to_owned())
    } else {
        Err((None, Mistake::Name))
    }
}

/// The length is phpdotenv's own test: `export A` is too short for it and stays an invalid name.
fn strip_export(name: &str) -> &str {
    match name.strip_prefix("export") {
        Some(rest) if name.chars().count() > 8 && rest.starts_with(is_space) => {
            rest.trim_start_matches(is_space)
        }
        _ => name,
    }
}

fn unquote_name(name: &str) -> &str {
    let inner = ['"', '\'']
        .iter()
        .find_map(|&quote| name.strip_prefix(quote)?.strip_suffix(quote));
    inner.filter(|inner| !inner.is_empty()).unwrap_or(name)
}

/// phpdotenv allows the Unicode classes Ll, Lu, M, N; std has no test for M, which no name in use needs.
fn is_name_character(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase() || c.is_numeric() || c == '_' || c == '.'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Values, Vec<ParseError>> {
        parse(text, &|name| {
            (name == "APP_NAME").then(|| "Kursus Kita".to_owned())
        })
    }

    fn value(text: &str, name: &str) -> Option<String> {
        read(text).unwrap().remove(name).flatten()
    }

    fn mistake(message: &str) -> Mistake {
        match message {
            m if m.contains("an invalid name") => Mistake::Name,
            m if m.contains("an unexpected equals") => Mistake::Equals,
            m if m.contains("unexpected whitespace") => Mistake::Whitespace,
            m if m.contains("an unexpected escape sequence") => Mistake::Escape,
            m if m.contains("a missing closing quote") => Mistake::Quote,
            other => panic!("unknown message: {other}"),
        }
    }

    fn check_oracle_line(line: &str) {
        let (text, answer) = line.split_once("\t=>\t").unwrap();
        let text: String = serde_json::from_str(text).unwrap();
        let found = read(&text);
        if let Some(message) = answer.strip_prefix("ERROR ") {
            assert_eq!(found.unwrap_err()[0].mistake, mistake(message), "{line}");
        } else if answer == "[]" {
            assert_eq!(found.unwrap(), Values::new(), "{line}");
        } else {
            let answer: Values = serde_json::from_str(answer).unwrap();
            assert_eq!(found.unwrap(), answer, "{line}");
        }
    }

    #[test]
    fn every_answer_of_the_real_parser_is_ours_too() {
        let oracle = include_str!("../../tests/data/phpdotenv_oracle.tsv");
        assert!(oracle.lines().count() > 60);
        oracle.lines().for_each(check_oracle_line);
    }

    #[test]
    fn a_longer_name_may_be_exported() {
        assert_eq!(value("export AB=1", "AB").as_deref(), Some("1"));
        assert_eq!(value("export\t 'ABC'=1", "ABC").as_deref(), Some("1"));
        assert_eq!(value("export\tABC = 1", "ABC").as_deref(), Some("1"));
    }

    #[test]
    fn a_reference_sees_the_lines_above_it_only() {
        assert_eq!(value("A=1\nB=${A}\nA=2", "B").as_deref(), Some("1"));
        assert_eq!(value("B=${A}\nA=2", "B").as_deref(), Some("${A}"));
        assert_eq!(value("A=1\nA\nB=${A}", "B").as_deref(), Some("${A}"));
    }

    #[test]
    fn a_reference_prefers_what_is_set_outside_the_file() {
        assert_eq!(
            value("APP_NAME=Other\nB=${APP_NAME}", "B").as_deref(),
            Some("Kursus Kita")
        );
    }

    #[test]
    fn references_nest_and_an_escaped_dollar_is_none() {
        assert_eq!(
            value("X=NAME\nB=${APP_${X}}", "B").as_deref(),
            Some("Kursus Kita")
        );
        assert_eq!(
            value("B=\"\\${APP_NAME}\"", "B").as_deref(),
            Some("${APP_NAME}")
        );
    }

    #[test]
    fn all_mistakes_are_told_with_their_lines_and_names() {
        let text = "A=1\nMAIL_PASSWORD=abcd efgh\n\nB=\"x\ny\"\nC-D=secret\nE='open";
        let errors = read(text).unwrap_err();
        let told: Vec<_> = errors
            .iter()
            .map(|e| (e.line, e.name.as_deref(), e.mistake))
            .collect();
        assert_eq!(
            told,
            [
                (2, Some("MAIL_PASSWORD"), Mistake::Whitespace),
                (6, None, Mistake::Name),
                (7, Some("E"), Mistake::Quote)
            ]
        );
    }
}

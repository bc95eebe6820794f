//! Just enough PHP to find the time zone in a Laravel `config/app.php`.

/// What stands behind `'timezone' =>`.
#[derive(Debug, PartialEq, Eq)]
pub enum Timezone {
    Literal(String),
    /// `env('NAME', 'default')`
    Env {
        variable: String,
        default: Option<String>,
    },
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Text(String),
    Word(String),
    Mark(char),
}

/// `None` where there is no such key, or an expression behind it that cannot be known without running it.
pub fn timezone(source: &str) -> Option<Timezone> {
    use Token::{Mark, Text, Word};
    let tokens = tokens(source);
    let is_key =
        |at: &[Token]| matches!(at, [Text(key), Mark('='), Mark('>')] if key == "timezone");
    let key = tokens.windows(3).position(is_key)?;
    match tokens.get(key + 3..)? {
        [Text(zone), Mark(',' | ']' | ')'), ..] => Some(Timezone::Literal(zone.clone())),
        [Word(env), Mark('('), Text(variable), rest @ ..] if env == "env" => {
            let default = match rest {
                [Mark(','), Text(default), ..] => Some(default.clone()),
                _ => None,
            };
            Some(Timezone::Env {
                variable: variable.clone(),
                default,
            })
        }
        _ => None,
    }
}

/// Without blanks and comments, so that a zone that is commented out counts for nothing.
fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '/' if rest.starts_with("/*") => {
                (None, rest.find("*/").map_or(rest.len(), |end| end + 2))
            }
            '/' if rest.starts_with("//") => (None, line_length(rest)),
            '#' => (None, line_length(rest)),
            '\'' | '"' => quoted(rest, first),
            c if is_word(c) => word(rest),
            c if c.is_whitespace() => (None, c.len_utf8()),
            c => (Some(Token::Mark(c)), c.len_utf8()),
        };
        tokens.extend(token);
        rest = rest.get(length..).unwrap_or_default();
    }
    tokens
}

fn line_length(rest: &str) -> usize {
    rest.find(['\n', '\r']).unwrap_or(rest.len())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn word(rest: &str) -> (Option<Token>, usize) {
    let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    (
        rest.get(..length).map(|word| Token::Word(word.to_owned())),
        length,
    )
}

/// A string and its length with quotes. A backslash takes the next character as it is: zone names need no more.
fn quoted(rest: &str, quote: char) -> (Option<Token>, usize) {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
            c if c == quote => return (Some(Token::Text(text)), at + 1),
            c => text.push(c),
        }
    }
    (None, rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(zone: &str) -> Option<Timezone> {
        Some(Timezone::Literal(zone.to_owned()))
    }

    #[test]
    fn a_literal_is_found_past_comments_and_strings() {
        let source = r#"<?php
            return [
                // 'timezone' => 'Europe/Paris',
                # 'timezone' => 'Europe/Rome',
                /* 'timezone' => 'Europe/Bern', */
                'url' => 'https://kursus.id', "note" => "it's 'timezone' => 'UTC'",
                'timezone'   /* here */ => 'Asia/Jakarta', // WIB
                'locale' => 'id',
            ];"#;
        assert_eq!(timezone(source), literal("Asia/Jakarta"));
        assert_eq!(timezone("array(\"timezone\"=>\"UTC\")"), literal("UTC"));
    }

    #[test]
    fn env_gives_its_variable_and_default() {
        let env = |variable: &str, default: Option<&str>| {
            Some(Timezone::Env {
                variable: variable.to_owned(),
                default: default.map(str::to_owned),
            })
        };
        assert_eq!(
            timezone("['timezone' => env('APP_TIMEZONE', 'UTC')]"),
            env("APP_TIMEZONE", Some("UTC"))
        );
        assert_eq!(
            timezone("['timezone' => env('TZ_NAME')]"),
            env("TZ_NAME", None)
        );
    }

    #[test]
    fn an_expression_or_broken_source_says_nothing() {
        let sources = [
            "",
            "['timezone'",
            "['timezone' =>",
            "['timezone' => 'UTC",
            "['timezone' => $zone]",
            "['timezone' => 'Asia/' . $city]",
            "/* '",
            "'\\",
        ];
        for source in sources {
            assert_eq!(timezone(source), None, "{source}");
        }
    }
}

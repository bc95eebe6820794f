//! One value: quotes, escapes, comments and references, by the states of phpdotenv's parser.

use super::Mistake;

/// The text of a value and where in it an unescaped `$` stands.
#[derive(Default)]
pub struct Value {
    text: String,
    dollars: Vec<usize>,
}

#[derive(Clone, Copy)]
enum State {
    Initial,
    Unquoted,
    SingleQuoted,
    DoubleQuoted,
    Escape,
    Whitespace,
    Comment,
}

impl Value {
    pub fn parse(text: &str) -> Result<Value, Mistake> {
        let mut value = Value::default();
        let mut state = State::Initial;
        for c in text.chars() {
            state = value.take(state, c)?;
        }
        match state {
            State::SingleQuoted | State::DoubleQuoted | State::Escape => Err(Mistake::Quote),
            _ => Ok(value),
        }
    }

    fn take(&mut self, state: State, c: char) -> Result<State, Mistake> {
        match (state, c) {
            (State::Initial, '\'') => Ok(State::SingleQuoted),
            (State::Initial, '"') => Ok(State::DoubleQuoted),
            (State::Initial | State::Unquoted | State::Whitespace, '#') => Ok(State::Comment),
            (State::Unquoted, c) if is_space(c) => Ok(State::Whitespace),
            (State::Initial | State::Unquoted, c) => Ok(self.push(c, State::Unquoted)),
            (State::SingleQuoted, '\'') | (State::DoubleQuoted, '"') => Ok(State::Whitespace),
            (State::SingleQuoted, c) => {
                self.text.push(c);
                Ok(state)
            }
            (State::DoubleQuoted, '\\') => Ok(State::Escape),
            (State::DoubleQuoted, c) => Ok(self.push(c, state)),
            (State::Escape, c) => {
                self.text.push(unescape(c).ok_or(Mistake::Escape)?);
                Ok(State::DoubleQuoted)
            }
            (State::Whitespace, c) if is_space(c) => Ok(state),
            (State::Whitespace, _) => Err(Mistake::Whitespace),
            (State::Comment, _) => Ok(state),
        }
    }

    fn push(&mut self, c: char, next: State) -> State {
        if c == '$' {
            self.dollars.push(self.text.len());
        }
        self.text.push(c);
        next
    }

    /// Replaces `${NAME}` from the last to the first, so that `${A${B}}` works; an unknown name stays as it is.
    pub fn resolve(self, look_up: &dyn Fn(&str) -> Option<String>) -> String {
        let mut text = self.text;
        for &start in self.dollars.iter().rev() {
            let Some(name) = text.get(start..).and_then(reference) else {
                continue;
            };
            let end = start + name.len() + "${}".len();
            if let Some(value) = look_up(name) {
                text.replace_range(start..end, &value);
            }
        }
        text
    }
}

/// The name in a `${NAME}` at the very start of `text`.
fn reference(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix("${")?.split_once('}')?;
    let valid = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    valid.then_some(name)
}

fn unescape(c: char) -> Option<char> {
    match c {
        '"' | '\\' | '$' => Some(c),
        'f' => Some('\x0C'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\x0B'),
        _ => None,
    }
}

/// C's `isspace`: a no-break space is an ordinary character.
pub fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0B' | '\x0C')
}

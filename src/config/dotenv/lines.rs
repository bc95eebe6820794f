//! From lines to entries: comments and empty lines go, values in double quotes may span lines.

/// The text of one entry and the line on which it begins, counted from 1.
pub struct Entry {
    pub line: usize,
    pub text: String,
}

/// The entries of a file. A value whose double quote is never closed swallows the rest of the file, as in phpdotenv.
pub fn entries(text: &str) -> Vec<Entry> {
    let text = text.replace("\r\n", "\n");
    let mut entries = Vec::new();
    let mut open: Option<Entry> = None;
    for (index, line) in text.split(['\n', '\r']).enumerate() {
        let complete = match open.take() {
            Some(mut entry) => {
                entry.text.push('\n');
                entry.text.push_str(line);
                (entry, closes_quote(line, 1))
            }
            None => (
                Entry {
                    line: index + 1,
                    text: line.to_owned(),
                },
                !opens_quote(line),
            ),
        };
        match complete {
            (entry, true) => entries.push(entry),
            (entry, false) => open = Some(entry),
        }
    }
    entries.retain(|entry| !is_comment_or_empty(&entry.text));
    entries
}

/// PHP's `trim`: no-break spaces and form feeds stay.
pub fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\n', '\r', '\t', '\0', '\x0B'])
}

/// Also true for a comment with `="` in it: phpdotenv looks for comments only after joining lines.
fn opens_quote(line: &str) -> bool {
    line.contains("=\"") && !closes_quote(line, 2)
}

/// Whether the line has that many double quotes which follow some character other than a backslash.
fn closes_quote(line: &str, quotes: usize) -> bool {
    let unescaped = line.replace("\\\\", "");
    let bytes = unescaped.as_bytes();
    line == "\""
        || bytes
            .windows(2)
            .filter(|pair| matches!(pair, [before, b'"'] if *before != b'\\'))
            .count()
            >= quotes
}

fn is_comment_or_empty(text: &str) -> bool {
    let text = trim(text);
    text.is_empty() || text.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(usize, String)> {
        entries(text)
            .into_iter()
            .map(|e| (e.line, e.text))
            .collect()
    }

    #[test]
    fn every_line_ending_counts_as_one() {
        let expected = [
            (1, "A=1".to_owned()),
            (2, "B=2".to_owned()),
            (4, "C=3".to_owned()),
        ];
        assert_eq!(split("A=1\r\nB=2\r\rC=3\n"), expected);
    }

    #[test]
    fn a_quoted_value_spans_lines_until_its_quote() {
        let text = "# note\nA=\"one\r\n  two \\\" still\nthree\"\nB=2";
        assert_eq!(
            split(text),
            [
                (2, "A=\"one\n  two \\\" still\nthree\"".to_owned()),
                (5, "B=2".to_owned())
            ]
        );
    }

    #[test]
    fn a_comment_with_an_open_quote_hides_what_follows() {
        assert_eq!(split("# A=\"x\nB=1\nC=\"2\"\nD=3"), [(4, "D=3".to_owned())]);
    }
}

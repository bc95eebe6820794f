//! Prose in lines that fit a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{BELOW, Cell};

/// A row whose columns do not fit at all: its cells one after the other.
pub fn folded(row: &[Cell], columns: usize) -> Vec<String> {
    let texts: Vec<&str> = row.iter().map(|cell| cell.text.as_str()).collect();
    let mut lines = wrapped(&Cell::new(texts.join(" ")), BELOW, columns);
    lines[0] = lines[0].trim_start().to_owned();
    lines
}

/// A cell's text in lines that are indented and no longer than `columns`, as far as its words allow. Never empty.
pub fn wrapped(cell: &Cell, indent: usize, columns: usize) -> Vec<String> {
    let room = columns.saturating_sub(indent);
    let mut lines = vec![String::new()];
    for word in cell.text.split(' ').flat_map(|word| pieces(word, room)) {
        let line = lines.len() - 1;
        if lines[line].is_empty() {
            lines[line].push_str(word);
        } else if lines[line].width() + 1 + word.width() <= room {
            lines[line].push(' ');
            lines[line].push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    let blanks = " ".repeat(indent);
    let lines = lines.iter();
    lines
        .map(|line| format!("{blanks}{}", cell.fill(line, 0)))
        .collect()
}

/// A word wider than `room` in pieces that are not, cut before its wide characters: their languages write no blanks. A
/// word of others stays whole, to be copied.
pub fn pieces(word: &str, room: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut rest, mut cut) = (word, 0);
    for (at, c) in word.char_indices() {
        let from = word.len() - rest.len();
        if c.width() == Some(2) && !word[..at].ends_with(JOINER) {
            cut = at;
        }
        let fits = word[from..at + c.len_utf8()].width() <= room;
        if !fits && cut > from {
            pieces.push(&word[from..cut]);
            rest = &word[cut..];
        }
    }
    pieces.push(rest);
    pieces
}

/// Makes one emoji of several.
const JOINER: char = '\u{200d}';

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Table;

    fn plain(table: &Table, columns: usize) -> Vec<String> {
        let lines = table.lines(Some(columns)).join("\n");
        let plain = anstream::adapter::strip_str(&lines).to_string();
        plain.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_text_of_wide_characters_wraps_without_blanks() {
        let mut table = Table::new();
        table.row([
            Cell::new("ok"),
            Cell::new("1: とても長い題名がここにあります、八十文字を超える👩‍👩‍👧"),
        ]);
        let lines = plain(&table, 30);
        assert_eq!(
            lines,
            [
                "ok  1:",
                "    とても長い題名がここにあり",
                "    ます、八十文字を超える👩‍👩‍👧"
            ]
        );
        assert!(lines.iter().all(|line| line.width() <= 30), "{lines:#?}");
    }

    #[test]
    fn a_word_that_fits_below_its_line_alone_stands_there() {
        let mut table = Table::new();
        table.row([
            Cell::new("1 11-23 16:00:00"),
            Cell::new("63016: set TWILIO_WHATSAPP_CONTENT_SID first"),
        ]);
        assert_eq!(
            plain(&table, 60)[0],
            "1 11-23 16:00:00  63016: set TWILIO_WHATSAPP_CONTENT_SID"
        );
        assert_eq!(
            plain(&table, 44),
            [
                "1 11-23 16:00:00",
                "    63016: set TWILIO_WHATSAPP_CONTENT_SID",
                "    first"
            ]
        );
    }

    #[test]
    fn a_word_longer_than_the_terminal_is_left_whole() {
        let mut table = Table::new();
        table.row([
            Cell::new("x"),
            Cell::new("see https://example.org/a-long-address-to-be-copied"),
        ]);
        let lines = table.lines(Some(30)).join("\n");
        let plain = anstream::adapter::strip_str(&lines).to_string();
        assert!(
            plain.contains("\n   https://example.org/a-long-address-to-be-copied"),
            "{plain:?}"
        );
    }
}

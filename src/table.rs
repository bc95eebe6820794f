//! Aligned columns for people. The last column is prose: on a terminal it wraps, and moves below its line where the
//! terminal is narrow; in a pipe every row stays one line.

mod wrap;

use std::{
    fmt,
    io::{self, IsTerminal},
};

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use self::wrap::{folded, pieces, wrapped};
use crate::text;

/// Less than this is no room for prose.
const PROSE: usize = 24;
const GAP: &str = "  ";
/// How far prose is indented that stands below its line.
const BELOW: usize = 4;
/// The longest text of a cell.
const LONGEST: usize = 1000;

pub const GOOD: Style = AnsiColor::Green.on_default();
pub const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
pub const FAINT: Style = Style::new().dimmed();

/// One line of visible characters, and how it looks.
pub struct Cell {
    text: String,
    style: Style,
    number: bool,
}

impl Cell {
    pub fn new(text: impl AsRef<str>) -> Self {
        Self {
            text: text::one_line(text.as_ref(), LONGEST),
            style: Style::new(),
            number: false,
        }
    }

    /// Set to the right.
    pub fn number(number: impl ToString) -> Self {
        Self {
            number: true,
            ..Self::new(number.to_string())
        }
    }

    /// At most `max` characters.
    pub fn cut(text: impl AsRef<str>, max: usize) -> Self {
        Self::new(text::one_line(text.as_ref(), max))
    }

    /// Colours are taken out again where stdout is no terminal, or `NO_COLOR` is set.
    pub fn styled(self, style: Style) -> Self {
        Self { style, ..self }
    }

    fn width(&self) -> usize {
        self.text.width()
    }

    /// How much room its prose needs beside the other columns; a word that fits below them alone needs all of its own.
    fn least(&self, columns: usize) -> usize {
        let words = self.text.split(' ').flat_map(|word| pieces(word, 2));
        let longest = words.map(|word| word.width()).max().unwrap_or_default();
        match BELOW + longest <= columns {
            true => longest.max(PROSE.min(self.width())),
            false => PROSE.min(self.width()),
        }
    }

    /// `text`, which is the cell's own or a line of it, filled up with blanks.
    fn fill(&self, text: &str, width: usize) -> String {
        let (on, off) = (self.style.render(), self.style.render_reset());
        let blanks = " ".repeat(width.saturating_sub(text.width()));
        match self.number {
            true => format!("{blanks}{on}{text}{off}"),
            false => format!("{on}{text}{off}{blanks}"),
        }
    }
}

/// Rows of equally many cells.
#[derive(Default)]
pub struct Table {
    rows: Vec<Vec<Cell>>,
    /// How wide the columns are at least.
    least: Vec<usize>,
}

impl Table {
    pub fn new() -> Self {
        Self::default()
    }

    /// With a line of titles above.
    pub fn titled<const N: usize>(titles: [&str; N]) -> Self {
        let mut table = Self::default();
        table.row(titles.map(|title| Cell::new(title).styled(FAINT)));
        table
    }

    /// All of it in one colour.
    pub fn styled(mut self, style: Style) -> Self {
        let cells = self.rows.iter_mut().flatten();
        cells.for_each(|cell| cell.style = style);
        self
    }

    /// One to be printed below this one, its columns in line with these.
    pub fn below(&self) -> Self {
        Self {
            rows: Vec::new(),
            least: self.widths(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines, for a terminal of `columns`; `None`: for a pipe.
    pub fn lines(&self, columns: Option<usize>) -> Vec<String> {
        let widths = self.widths();
        let rows = self.rows.iter();
        rows.flat_map(|row| lines(row, &widths, columns)).collect()
    }

    /// Of all columns but the last.
    fn widths(&self) -> Vec<usize> {
        let mut widths = self.least.clone();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len().saturating_sub(1)), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        widths
    }
}

/// Lines that wrap on a terminal.
pub fn prose(lines: impl IntoIterator<Item = String>) -> Table {
    let mut table = Table::new();
    for line in lines {
        table.row([Cell::new(line)]);
    }
    table
}

fn lines(row: &[Cell], widths: &[usize], columns: Option<usize>) -> Vec<String> {
    let Some((last, cells)) = row.split_last() else {
        return vec![String::new()];
    };
    let filled = cells.iter().zip(widths);
    let head: String = filled
        .map(|(cell, width)| cell.fill(&cell.text, *width) + GAP)
        .collect();
    let indent: usize = widths.iter().map(|width| width + GAP.len()).sum();
    match columns {
        Some(columns) if indent.saturating_sub(GAP.len()) > columns => folded(row, columns),
        None if last.text.is_empty() => vec![head.trim_end().to_owned()],
        None => vec![format!("{head}{}", last.fill(&last.text, 0))],
        Some(columns) if columns.saturating_sub(indent) >= last.least(columns) => {
            let mut lines = wrapped(last, indent, columns);
            lines[0] = format!("{head}{}", lines[0].trim_start());
            lines
        }
        Some(columns) => {
            let mut lines = wrapped(last, BELOW, columns);
            lines.insert(0, head.trim_end().to_owned());
            lines
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.lines(columns()).join("\n"))
    }
}

/// How wide the terminal is that stdout goes to.
fn columns() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::titled(["", "name", "count", "what"]);
        let row = |verdict, name, count: i32, what| {
            let (verdict, name, what) = (Cell::new(verdict), Cell::new(name), Cell::new(what));
            [verdict, name, Cell::number(count), what]
        };
        table.row(row("ok", "数学 I", 7, "all is well"));
        table.row(row(
            "FAIL",
            "Ka\u{1b}[31ml\tkulus",
            1200,
            "the mail server refuses the login: use an app password",
        ));
        table
    }

    /// As somebody sees it: without colours.
    fn seen(columns: Option<usize>) -> Vec<String> {
        let lines = table().lines(columns).join("\n");
        let plain = anstream::adapter::strip_str(&lines).to_string();
        plain
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }

    #[test]
    fn columns_stay_aligned_under_wide_and_control_characters() {
        assert_eq!(
            seen(None),
            [
                "      name            count  what",
                "ok    数学 I              7  all is well",
                "FAIL  Ka [31ml kulus   1200  the mail server refuses the login: use an app password",
            ]
        );
    }

    #[test]
    fn a_table_below_another_keeps_its_columns() {
        let mut below = table().below();
        below.row([
            Cell::new("ok"),
            Cell::new("x"),
            Cell::number(1),
            Cell::new("y"),
        ]);
        let lines = below.lines(None).join("\n");
        let plain = anstream::adapter::strip_str(&lines).to_string();
        assert_eq!(plain, "ok    x                   1  y");
    }

    #[test]
    fn prose_wraps_below_itself() {
        assert_eq!(
            seen(Some(60)),
            [
                "      name            count  what",
                "ok    数学 I              7  all is well",
                "FAIL  Ka [31ml kulus   1200  the mail server refuses the",
                "                             login: use an app password",
            ]
        );
    }

    #[test]
    fn prose_stands_below_its_line_where_the_terminal_is_narrow() {
        let lines = seen(Some(40));
        assert_eq!(
            lines[2..],
            [
                "FAIL  Ka [31ml kulus   1200",
                "    the mail server refuses the login:",
                "    use an app password",
            ]
        );
        assert!(lines.iter().all(|line| line.width() <= 40), "{lines:#?}");
    }

    #[test]
    fn a_row_whose_columns_do_not_fit_is_folded() {
        let lines = seen(Some(20));
        assert_eq!(lines[1..3], ["ok 数学 I 7 all", "    is well"]);
        assert!(lines.iter().all(|line| line.width() <= 20), "{lines:#?}");
    }
}

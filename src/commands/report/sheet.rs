//! The report as CSV, for a spreadsheet.

use anyhow::{Context, Result};

use super::{Report, reach::Reach};
use crate::{
    text,
    time::{DIGITS, Zone},
};

const TITLES: [&str; 11] = [
    "user_id",
    "name",
    "mail",
    "mail_at",
    "mail_to",
    "mail_reason",
    "whatsapp",
    "whatsapp_at",
    "whatsapp_to",
    "whatsapp_reason",
    "note",
];

/// The longest text of a cell.
const LONGEST: usize = 1000;

/// Times are the platform's wall clock.
pub fn csv(report: &Report, zone: Zone) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(TITLES)?;
    for row in &report.participants {
        let mut cells = vec![row.user_id.to_string(), row.name.clone()];
        cells.extend(columns(&row.mail, zone));
        cells.extend(columns(&row.whatsapp, zone));
        cells.push(row.note.clone());
        writer.write_record(cells.iter().map(|cell| plain(cell)))?;
    }
    let bytes = writer.into_inner().context("could not write the CSV")?;
    let text = String::from_utf8(bytes).context("could not write the CSV")?;
    Ok(text.trim_end().to_owned())
}

fn columns(reach: &Reach, zone: Zone) -> [String; 4] {
    let at = reach
        .at
        .map(|at| zone.wall(at.and_utc()).format(DIGITS).to_string());
    [
        reach.state.name().to_owned(),
        at.unwrap_or_default(),
        reach.to.clone().unwrap_or_default(),
        reach.reason.clone().unwrap_or_default(),
    ]
}

/// One line that no spreadsheet takes for a formula: those begin with these, also in full width.
fn plain(cell: &str) -> String {
    let line = text::one_line(cell, LONGEST);
    match line.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) {
        true => format!("'{line}"),
        false => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_a_formula() {
        for (typed, shown) in [
            (
                "=HYPERLINK(\"http://evil\")",
                "'=HYPERLINK(\"http://evil\")",
            ),
            ("\t=1+1", "'=1+1"),
            ("\u{200b}@SUM(A1)", "'@SUM(A1)"),
            ("+62", "'+62"),
            ("-1", "'-1"),
            ("＝1", "'＝1"),
            ("Budi = Siti", "Budi = Siti"),
            ("", ""),
        ] {
            assert_eq!(plain(typed), shown, "{typed:?}");
        }
    }
}

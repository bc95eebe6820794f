//! What `check` has found, link by link.

use std::fmt;

use anyhow::Result;
use serde::Serialize;

use crate::{
    db,
    exit::{self, Exit},
    table::{self, Cell, Table},
};

/// How a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One link of the chain.
#[derive(Debug, Serialize)]
struct Link {
    link: &'static str,
    verdict: Verdict,
    text: String,
    #[serde(skip)]
    exit: Exit,
}

/// What `check --format json` prints: the links, in the order of the chain.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub struct Chain {
    links: Vec<Link>,
}

impl Chain {
    fn add(&mut self, link: &'static str, verdict: Verdict, exit: Exit, text: impl Into<String>) {
        let text = text.into();
        self.links.push(Link {
            link,
            verdict,
            text,
            exit,
        });
    }

    pub fn ok(&mut self, link: &'static str, text: impl Into<String>) {
        self.add(link, Verdict::Ok, Exit::Ok, text);
    }

    pub fn warn(&mut self, link: &'static str, text: impl Into<String>) {
        self.add(link, Verdict::Warn, Exit::Ok, text);
    }

    pub fn fail(&mut self, link: &'static str, exit: Exit, text: impl Into<String>) {
        self.add(link, Verdict::Fail, exit, text);
    }

    pub fn error(&mut self, link: &'static str, error: &anyhow::Error) {
        let exit = exit::of(error).max(Exit::Failed);
        self.fail(link, exit, db::with_cure(error));
    }

    /// Looks at a link; what keeps it from being looked at is what is wrong with it.
    pub fn look(&mut self, link: &'static str, look: impl FnOnce(&mut Self) -> Result<()>) {
        if let Err(error) = look(self) {
            self.error(link, &error);
        }
    }

    /// Whether one of these is broken.
    pub fn has_failed(&self, names: &[&str]) -> bool {
        let failed = |link: &&Link| link.verdict == Verdict::Fail;
        let mut failed = self.links.iter().filter(failed);
        failed.any(|link| names.contains(&link.link))
    }

    /// 78 where a setting or `migrate` is missing, else 1 for whatever else is broken.
    pub fn exit(&self) -> Exit {
        let exits = self.links.iter().map(|link| link.exit);
        match exits.max() {
            Some(Exit::Config) => Exit::Config,
            Some(Exit::Failed | Exit::TryLater) => Exit::Failed,
            _ => Exit::Ok,
        }
    }
}

impl Chain {
    fn table(&self) -> Table {
        let mut table = Table::new();
        for link in &self.links {
            let verdict = match link.verdict {
                Verdict::Ok => Cell::new("ok").styled(table::GOOD),
                Verdict::Warn => Cell::new("warn").styled(table::DOUBTFUL),
                Verdict::Fail => Cell::new("FAIL").styled(table::BAD),
            };
            table.row([verdict, Cell::new(link.link), Cell::new(&link.text)]);
        }
        table
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Chain {
        let mut chain = Chain::default();
        chain.ok("addresses", "all 31 in the coming 7 days can be used");
        chain.warn(
            "next",
            "数学 \u{1b}[31m(Kalkulus), Senin, 23 November 2026 pukul 17.00 WIB, 31 mails",
        );
        chain.fail(
            "mailer",
            Exit::Failed,
            "535 5.7.8: the mail server refused the login",
        );
        chain
    }

    #[test]
    fn a_narrow_terminal_gets_each_text_below_its_link() {
        let lines = chain().table().lines(Some(40)).join("\n");
        let plain = anstream::adapter::strip_str(&lines).to_string();
        let lines: Vec<&str> = plain.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "ok    addresses",
                "    all 31 in the coming 7 days can be",
                "    used",
                "warn  next",
                "    数学 [31m(Kalkulus), Senin, 23",
                "    November 2026 pukul 17.00 WIB, 31",
                "    mails",
                "FAIL  mailer",
                "    535 5.7.8: the mail server refused",
                "    the login",
            ]
        );
    }

    #[test]
    fn the_heaviest_link_decides_the_exit_code() {
        assert_eq!(Chain::default().exit(), Exit::Ok);
        assert_eq!(chain().exit(), Exit::Failed);
        let mut unset = chain();
        unset.look("view", |_| Err(exit::error(Exit::Config, "no view")));
        assert_eq!(unset.exit(), Exit::Config);
        let mut later = Chain::default();
        later.look("database", |_| Err(exit::error(Exit::TryLater, "locked")));
        assert_eq!(later.exit(), Exit::Failed);
    }
}

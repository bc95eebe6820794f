//! Exit codes, and the errors that carry one. Codes follow sysexits.h where it has one.

use std::{fmt, process::ExitCode};

use crate::db;

/// How a command ended. Ordered by weight: of several, the heaviest is the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done.
    Ok,
    /// The command ended, and something in it failed for good.
    Failed,
    /// The command line asks for what there is not.
    Usage,
    /// Could not work now; a later run tries again (EX_TEMPFAIL).
    TryLater,
    /// The configuration is wrong, or the database needs `migrate` (EX_CONFIG).
    Config,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::TryLater => 75,
            Exit::Config => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// An error that decides the exit code.
#[derive(Debug)]
struct Ending {
    exit: Exit,
    text: String,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Ending {}

/// An error that ends the command with `exit`.
pub fn error(exit: Exit, text: impl Into<String>) -> anyhow::Error {
    let text = text.into();
    anyhow::Error::new(Ending { exit, text })
}

/// The exit code that an error was given, and with it its own words.
pub fn chosen(error: &anyhow::Error) -> Option<Exit> {
    let ending = error.chain().find_map(|e| e.downcast_ref::<Ending>());
    ending.map(|ending| ending.exit)
}

/// The same error, with an exit code no lighter than `exit`.
pub fn at_least(exit: Exit, error: anyhow::Error) -> anyhow::Error {
    if of(&error) >= exit {
        error
    } else {
        self::error(exit, format!("{error:#}"))
    }
}

/// The exit code of an error: its own if it carries one, 75 when the database could not serve (78 when it never will
/// until somebody does something about it), else 1.
pub fn of(error: &anyhow::Error) -> Exit {
    if let Some(exit) = chosen(error) {
        return exit;
    }
    let database = |e: &(dyn std::error::Error + 'static)| {
        e.is::<diesel::result::Error>() || e.is::<diesel::ConnectionError>()
    };
    if !error.chain().any(database) {
        Exit::Failed
    } else if db::cure(error).is_some() {
        Exit::Config
    } else {
        Exit::TryLater
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn the_heaviest_ending_wins() {
        let endings = [Exit::Failed, Exit::Config, Exit::TryLater, Exit::Ok];
        assert_eq!(endings.into_iter().max().map(Exit::code), Some(78));
    }

    #[test]
    fn an_ending_is_found_under_its_context() {
        let wrapped: anyhow::Result<()> =
            Err(error(Exit::Config, "no view")).context("could not send");
        assert_eq!(of(&wrapped.unwrap_err()), Exit::Config);
    }

    #[test]
    fn an_error_is_made_heavier_and_never_lighter() {
        let locked = || error(Exit::TryLater, "the database is locked");
        assert_eq!(of(&at_least(Exit::Config, locked())), Exit::Config);
        assert_eq!(of(&at_least(Exit::Ok, locked())), Exit::TryLater);
    }

    #[test]
    fn a_database_error_is_worth_another_try() {
        let locked = anyhow::Error::new(diesel::result::Error::BrokenTransactionManager);
        assert_eq!(of(&locked.context("could not claim")), Exit::TryLater);
    }
}

//! What became of one delivery attempt, in the words both channels share. The channel that met an error decides what
//! it means; the pass only acts on the decision.

use std::{fmt, time::Duration};

use crate::text;

/// In characters.
const LONGEST_CODE: usize = 64;
const LONGEST_REASON: usize = 1000;

/// Why a delivery did not simply succeed. Never holds a secret or a recipient in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Short and stable: `550 5.1.1`, `63016`, `connect`, `address`.
    pub code: String,
    /// One line for people, with what to do where that is known.
    pub reason: String,
    /// The other side has asked not to be tried sooner than this.
    pub after: Option<Duration>,
}

impl Fault {
    /// Whatever a server has said: in the ledger it must fit its column, and PostgreSQL takes no NUL character.
    pub fn new(code: impl AsRef<str>, reason: impl AsRef<str>) -> Self {
        Self {
            code: text::one_line(code.as_ref(), LONGEST_CODE),
            reason: text::one_line(reason.as_ref(), LONGEST_REASON),
            after: None,
        }
    }

    /// How long the other side has asked to wait.
    pub fn wait(&self) -> chrono::Duration {
        let wait = self.after.map(chrono::Duration::from_std);
        wait.and_then(Result::ok).unwrap_or_default()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)
    }
}

/// The code of a connection that broke.
pub const LOST: &str = "lost";

/// The code of a server that did not answer in time.
pub const TIMEOUT: &str = "timeout";

/// The code of a delivery that a signal has cut short.
pub const INTERRUPTED: &str = "interrupted";

/// What became of one delivery attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Accepted by the server. `message_id`: our Message-ID, or Twilio's SID. `status`: Twilio's first status, where
    /// Twilio can be asked for later ones.
    Sent {
        message_id: String,
        status: Option<String>,
    },
    /// Certainly not sent, worth another try. `after`: not sooner than this.
    Retry {
        fault: Fault,
        after: Option<Duration>,
    },
    /// Certainly not sent: too many at once. The message goes back as if it had not been begun, and the channel slows
    /// down.
    Busy(Fault),
    /// Certainly not sent, and never will be to this recipient.
    Failed(Fault),
    /// As `Failed`, for a reason not known to us: said of one message after the other, it is not the recipient's.
    Refused(Fault),
    /// As `Failed`, and the recipient has said STOP: the opt-in is to be cleared.
    OptedOut(Fault),
    /// The request may have been accepted: only a look at the other side, or the operator, can tell.
    InDoubt(Fault),
    /// Certainly not sent, and nobody else's would be: the channel stops for this pass.
    Stopped(Fault),
    /// Certainly not sent, and now it is too late.
    Missed(Fault),
    /// Certainly not sent, and not to be sent any more.
    Cancelled(Fault),
}

impl Outcome {
    /// Of a delivery whose gate was shut: the pass is ending, and has given the reminder back already.
    pub fn given_up() -> Self {
        let fault = Fault::new(INTERRUPTED, "the pass has ended before the message left");
        Outcome::Retry { fault, after: None }
    }
}

#[cfg(test)]
impl Outcome {
    /// What it is called in tests, and why it is none that was sent.
    pub fn class(&self) -> (&'static str, Option<&Fault>) {
        let (name, fault) = match self {
            Outcome::Sent { .. } => return ("sent", None),
            Outcome::Retry { fault, .. } => ("retry", fault),
            Outcome::Busy(fault) => ("busy", fault),
            Outcome::Failed(fault) => ("failed", fault),
            Outcome::Refused(fault) => ("refused", fault),
            Outcome::OptedOut(fault) => ("opted out", fault),
            Outcome::InDoubt(fault) => ("in doubt", fault),
            Outcome::Stopped(fault) => ("stopped", fault),
            Outcome::Missed(fault) => ("missed", fault),
            Outcome::Cancelled(fault) => ("cancelled", fault),
        };
        (name, Some(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_fits_the_ledger_whatever_it_holds() {
        let fault = Fault::new(
            "5".repeat(100),
            format!("no\0\r\nsuch {}", "é".repeat(2000)),
        );
        assert_eq!(fault.code.chars().count(), 64);
        assert_eq!(fault.reason.chars().count(), 1000);
        assert!(fault.reason.starts_with("no such é"), "{}", fault.reason);
    }

    #[test]
    fn a_fault_reads_as_code_and_reason() {
        let fault = Fault::new("550 5.1.1", "no such mailbox");
        assert_eq!(fault.to_string(), "550 5.1.1: no such mailbox");
    }
}

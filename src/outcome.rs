//! What became of one delivery attempt, in the words both channels share. The channel that met an error decides what
//! it means; the pass only acts on the decision.

use std::fmt;
use std::time::Duration;

/// Why a delivery did not simply succeed. Never holds a secret or a recipient in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Short and stable: `550 5.1.1`, `63016`, `connect`, `address`.
    pub code: String,
    /// One line for people, with what to do where that is known.
    pub reason: String,
}

impl Fault {
    pub fn new(code: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)
    }
}

/// The code of a connection that broke.
pub const LOST: &str = "lost";

/// What became of one delivery attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Accepted by the server. `message_id`: our Message-ID, or Twilio's SID. `status`: Twilio's first status.
    Sent {
        message_id: String,
        status: Option<String>,
    },
    /// Certainly not sent, worth another try. `after`: not sooner than this.
    Retry {
        fault: Fault,
        after: Option<Duration>,
    },
    /// Certainly not sent, and never will be to this recipient.
    Failed(Fault),
    /// As `Failed`, and the recipient has said STOP: the opt-in is to be cleared.
    OptedOut(Fault),
    /// The request may have been accepted: only a look at the other side, or the operator, can tell.
    InDoubt(Fault),
    /// Certainly not sent, and nobody else's would be: the channel stops for this pass.
    Stopped(Fault),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_as_code_and_reason() {
        let fault = Fault::new("550 5.1.1", "no such mailbox");
        assert_eq!(fault.to_string(), "550 5.1.1: no such mailbox");
    }
}

//! The moment from which a message may arrive: who gives a delivery up must know on which side of it the delivery is.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

const OPEN: u8 = 0;
const PASSED: u8 = 1;
const SHUT: u8 = 2;

/// One for each delivery. It is passed or shut, whichever comes first, and never both.
#[derive(Debug, Default)]
pub struct Gate(AtomicU8);

impl Gate {
    /// To be passed before the first byte that could make a message arrive; false: it must not be written any more.
    pub fn pass(&self) -> bool {
        self.set(PASSED)
    }

    /// True: the message has not left, and never will by this delivery.
    pub fn shut(&self) -> bool {
        self.set(SHUT)
    }

    fn set(&self, to: u8) -> bool {
        match self.0.compare_exchange(OPEN, to, SeqCst, SeqCst) {
            Ok(_) => true,
            Err(already) => already == to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_first_decides() {
        let gate = Gate::default();
        assert!(gate.pass() && gate.pass() && !gate.shut());
        let gate = Gate::default();
        assert!(gate.shut() && !gate.pass());
    }
}

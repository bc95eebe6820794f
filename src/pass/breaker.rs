//! What speaks against a whole channel: an outcome that says so itself, or the same trouble three times in a row.

use std::time::Instant;

use crate::outcome::{Fault, LOST, Outcome, TIMEOUT};

/// So many connections broken in the middle of a delivery, or recipients refused for the same unknown reason, one after
/// the other, and the next one would meet the same.
const IN_A_ROW: u32 = 3;

/// Knows what came last on a channel, and how often in a row.
#[derive(Default)]
pub struct Breaker {
    /// The unknown refusal that came last, by its code.
    code: String,
    refusals: u32,
    breaks: u32,
    /// When the other side last gave an answer.
    answered: Option<Instant>,
}

impl Breaker {
    /// The outcome of a delivery begun then as it is to be recorded, and why the channel stops, if it does. Refusals
    /// that have been recorded as the recipient's before the third one came stay so: held with the channel they would
    /// come first again, and might keep everybody else from ever being told.
    pub fn weigh(&mut self, outcome: Outcome, begun: Instant) -> (Outcome, Option<Fault>) {
        match outcome {
            Outcome::Refused(fault) => self.refused(fault),
            // Silent to everybody for as long as this delivery took.
            Outcome::InDoubt(ref fault)
                if fault.code == TIMEOUT && self.answered.is_none_or(|at| at < begun) =>
            {
                let why = fault.clone();
                (outcome, Some(why))
            }
            Outcome::InDoubt(ref fault) => self.broke(fault.clone(), outcome),
            Outcome::Retry { ref fault, .. } if fault.code == LOST => {
                self.broke(fault.clone(), outcome)
            }
            Outcome::Stopped(ref fault) => {
                let why = fault.clone();
                (outcome, Some(why))
            }
            other => {
                *self = Self {
                    answered: Some(Instant::now()),
                    ..Self::default()
                };
                (other, None)
            }
        }
    }

    fn refused(&mut self, fault: Fault) -> (Outcome, Option<Fault>) {
        self.breaks = 0;
        self.answered = Some(Instant::now());
        if self.code != fault.code {
            self.code.clone_from(&fault.code);
            self.refusals = 0;
        }
        self.refusals += 1;
        if self.refusals < IN_A_ROW {
            return (Outcome::Refused(fault), None);
        }
        let reason = format!("one after the other is refused: {}", fault.reason);
        let fault = Fault::new(fault.code, reason);
        (Outcome::Stopped(fault.clone()), Some(fault))
    }

    /// It may have arrived, or not: that the channel stops does not change it.
    fn broke(&mut self, fault: Fault, outcome: Outcome) -> (Outcome, Option<Fault>) {
        self.breaks += 1;
        (outcome, (self.breaks >= IN_A_ROW).then_some(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str) -> Outcome {
        Outcome::Refused(Fault::new(code, "unheard of"))
    }

    fn sent() -> Outcome {
        Outcome::Sent {
            message_id: "SM1".to_owned(),
            status: None,
        }
    }

    fn lost() -> Outcome {
        let fault = Fault::new(LOST, "reset");
        Outcome::Retry { fault, after: None }
    }

    /// After which of these the channel stops.
    fn stops(outcomes: impl IntoIterator<Item = Outcome>) -> Vec<bool> {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        let weighed = outcomes
            .into_iter()
            .map(|outcome| breaker.weigh(outcome, now));
        weighed.map(|(_, why)| why.is_some()).collect()
    }

    #[test]
    fn the_same_unknown_refusal_three_times_in_a_row_stops_the_channel() {
        let (a, b) = (|| refused("554 5.7.1"), || refused("29999"));
        assert_eq!(stops([a(), a(), a(), a()]), [false, false, true, true]);
        assert_eq!(stops([a(), a(), b(), a(), a()]), [false; 5]);
        assert_eq!(stops([a(), a(), sent(), a(), a()]), [false; 5]);
        let known = || Outcome::Failed(Fault::new("550 5.1.1", "no such mailbox"));
        assert_eq!(stops([known(), known(), known()]), [false; 3]);
    }

    #[test]
    fn the_third_refusal_is_not_the_recipients() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        let ends = [(); 4].map(|()| breaker.weigh(refused("554"), now).0);
        assert!(matches!(&ends[1], Outcome::Refused(_)));
        assert!(
            matches!(&ends[2], Outcome::Stopped(why) if why.reason.contains("unheard of")),
            "{:?}",
            ends[2]
        );
        assert!(matches!(&ends[3], Outcome::Stopped(_)));
    }

    #[test]
    fn three_broken_connections_in_a_row_stop_the_channel_and_change_no_outcome() {
        let doubt = || Outcome::InDoubt(Fault::new(LOST, "reset"));
        assert_eq!(stops([lost(), doubt(), lost()]), [false, false, true]);
        assert_eq!(stops([lost(), lost(), sent(), lost(), lost()]), [false; 5]);
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        let ends = [(); 3].map(|()| breaker.weigh(doubt(), now).0);
        assert_eq!(ends[2], doubt());
    }

    #[test]
    fn silence_stops_the_channel_unless_others_had_answers_meanwhile() {
        let silent = || Outcome::InDoubt(Fault::new(TIMEOUT, "silent"));
        let (mut breaker, begun) = (Breaker::default(), Instant::now());
        assert!(breaker.weigh(silent(), begun).1.is_some());
        breaker.weigh(sent(), begun);
        assert_eq!(breaker.weigh(silent(), begun), (silent(), None));
        let later = Instant::now() + std::time::Duration::from_secs(1);
        assert!(breaker.weigh(silent(), later).1.is_some());
    }
}

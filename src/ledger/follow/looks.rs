//! When Twilio is asked what became of a message.

use chrono::{DateTime, Duration, Utc};

/// When Twilio is asked, in minutes after a message was sent; for the last time when the session starts.
const LOOKS: [i64; 5] = [1, 2, 4, 8, 15];

/// When a message is looked at for the first time.
pub fn first_look(sent_at: DateTime<Utc>) -> DateTime<Utc> {
    sent_at + Duration::minutes(LOOKS[0])
}

/// When a message is looked at next; `None` when nothing more is to be learnt in time.
pub fn next_look(
    status: &str,
    sent_at: DateTime<Utc>,
    start: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let at_start = start.filter(|start| *start > now);
    match status {
        "read" | "deleted" => None,
        // Once more, since it may have been read by then.
        "delivered" => at_start,
        _ => {
            let looks = LOOKS.map(|minutes| sent_at + Duration::minutes(minutes));
            let next = looks.into_iter().find(|look| *look > now);
            next.into_iter().chain(at_start).min()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::minutes(minute)
    }

    /// The minutes at which a message sent at 0 is looked at that keeps this status, for a session at minute 60.
    fn looks(status: &str, start: Option<i64>) -> Vec<i64> {
        let start = start.map(at);
        let mut looks = Vec::new();
        let mut next = Some(first_look(at(0)));
        while let Some(now) = next {
            looks.push((now - at(0)).num_minutes());
            next = next_look(status, at(0), start, now);
        }
        looks
    }

    #[test]
    fn looks_grow_rarer_and_end_with_the_start() {
        assert_eq!(looks("sent", Some(60)), [1, 2, 4, 8, 15, 60]);
        assert_eq!(looks("queued", Some(6)), [1, 2, 4, 6, 8, 15]);
        assert_eq!(looks("delivered", Some(60)), [1, 60]);
        assert_eq!(looks("read", Some(60)), [1]);
        assert_eq!(looks("sent", None), [1, 2, 4, 8, 15]);
    }

    #[test]
    fn a_look_that_was_slept_through_is_made_once() {
        assert_eq!(next_look("sent", at(0), Some(at(60)), at(9)), Some(at(15)));
        assert_eq!(next_look("sent", at(0), Some(at(60)), at(59)), Some(at(60)));
        assert_eq!(next_look("sent", at(0), Some(at(60)), at(61)), None);
    }
}

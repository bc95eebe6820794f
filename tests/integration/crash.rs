//! Passes killed at random moments of their lives, a hundred in a row: nobody is lost, nobody gets a second WhatsApp
//! message, and a mail comes twice only to those whose delivery was under way at a kill, as the same mail.
//!
//! Between two passes two and a half minutes go by (by `--now`), longer than a lease; the servers finish meanwhile what
//! they had been sent. The reminder goes ten hours before the start, so that a hundred passes are still in time.

mod story;

use self::story::Story;
use crate::support::Random;

/// After each of these kills another pass goes on.
const KILLS: usize = 100;
const KILLS_OF_TWO: usize = 30;

#[test]
fn after_a_hundred_kills_nobody_is_lost_and_nobody_told_twice_but_by_the_kill() {
    let seed = Random::seed();
    let mut story = Story::begin(seed);
    for _ in 0..KILLS {
        (0..2).for_each(|_| story.enroll());
        story.kill_pass_on(&["one"]);
    }
    story.end();
}

#[test]
fn the_same_with_two_hosts_at_work_that_are_killed_at_once() {
    let seed = Random::seed();
    let mut story = Story::begin(seed);
    for _ in 0..KILLS_OF_TWO {
        (0..4).for_each(|_| story.enroll());
        story.kill_pass_on(&["one", "two"]);
    }
    story.end();
}

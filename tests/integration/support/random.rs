//! Chance that can be had again: a test prints its seed, and `REMINDERS_TEST_SEED` repeats it.

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

/// Numbers that look random (SplitMix64), the same for the same seed.
pub struct Random(u64);

impl Random {
    /// The seed that the environment asks for, else one of the moment; printed, for a test that fails.
    pub fn seed() -> u64 {
        let moment = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let asked = env::var("REMINDERS_TEST_SEED").ok();
        let seed = asked.map_or(moment.subsec_micros().into(), |seed| seed.parse().unwrap());
        println!("to repeat this: REMINDERS_TEST_SEED={seed}");
        seed
    }

    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

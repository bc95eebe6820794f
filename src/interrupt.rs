//! SIGTERM and SIGINT in the middle of a pass: nothing new is begun, what is on its way is accounted for, the rest is
//! given back, and the process has ended within five seconds. A second signal ends it at once.

use std::{
    io, process,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, Builder},
    time::{Duration, Instant},
};

use log::warn;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use crate::exit::Exit;

/// How long after the signal deliveries that are on their way are waited for.
const DELIVERIES: Duration = Duration::from_millis(3300);

/// When the channels have recorded what they did, or are not waited for any more.
const RECORDS: Duration = Duration::from_millis(4000);

/// When a watcher has been told, or is not.
const TOLD: Duration = Duration::from_millis(4400);

/// The end, whatever hangs then.
const END: Duration = Duration::from_millis(4800);

/// How often those who wait for something else look for a signal.
pub const LOOK: Duration = Duration::from_millis(50);

/// Whether a signal has asked the pass to end; shared by all its threads.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<State>);

#[derive(Default)]
struct State {
    /// The signal's number, 0 for none.
    signal: Arc<AtomicUsize>,
    /// When it was first seen.
    seen: OnceLock<Instant>,
}

impl Interrupt {
    /// From now on signals are heard; until then they end the process, which has begun nothing.
    pub fn listen(&self) {
        if let Err(error) = self.register() {
            warn!("could not prepare for signals: {error}; one would end the pass at once");
        }
    }

    fn register(&self) -> io::Result<()> {
        let again = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            // In this order: the first signal sets what makes the second one deadly.
            flag::register_conditional_default(signal, Arc::clone(&again))?;
            flag::register(signal, Arc::clone(&again))?;
            let number = usize::try_from(signal).unwrap_or_default();
            flag::register_usize(signal, Arc::clone(&self.0.signal), number)?;
        }
        let interrupt = self.clone();
        Builder::new().spawn(move || interrupt.guard())?;
        Ok(())
    }

    /// Ends the process where even the accounting hangs: in a database that does not answer, say.
    fn guard(&self) {
        while self.since().is_none_or(|since| since < END) {
            thread::sleep(LOOK);
        }
        warn!("{}, and what is not recorded stays in doubt", self.words());
        process::exit(Exit::TryLater.code().into());
    }

    pub fn came(&self) -> bool {
        self.0.signal.load(Ordering::Relaxed) != 0
    }

    /// How long ago the signal came.
    fn since(&self) -> Option<Duration> {
        let seen = || self.0.seen.get_or_init(Instant::now).elapsed();
        self.came().then(seen)
    }

    /// Whether deliveries on their way are to be given up.
    pub fn is_late(&self) -> bool {
        self.since().is_some_and(|since| since >= DELIVERIES)
    }

    /// Whether channels that have not reported are to be given up.
    pub fn is_over(&self) -> bool {
        self.since().is_some_and(|since| since >= RECORDS)
    }

    /// What is left of `limit` for telling a watcher.
    pub fn left_of(&self, limit: Duration) -> Duration {
        let left = self.since().map(|since| TOLD.saturating_sub(since));
        left.map_or(limit, |left| left.min(limit))
    }

    /// What happened, for people.
    pub fn words(&self) -> String {
        let name = match self.0.signal.load(Ordering::Relaxed) {
            number if usize::try_from(SIGINT) == Ok(number) => "SIGINT",
            _ => "SIGTERM",
        };
        format!("stopped by {name}: the next pass goes on")
    }
}

//! What a pass leaves for those who watch it.

use chrono::Utc;
use diesel::QueryResult;
use log::warn;

use crate::{
    config::Watch,
    db::Db,
    exit::Exit,
    ledger::{self, Channel},
    metrics::{self, Done, Measured},
    pass::{Pass, summary::Summary},
    time::Clock,
};

/// As far as the pass came.
#[derive(Default)]
pub struct Left {
    pub summary: Option<Summary>,
    /// The channels that it looked after, and whether their settings are wrong.
    channels: Vec<(Channel, bool)>,
    /// How many reminders still wait.
    waiting: Option<Vec<(Channel, i64)>>,
}

impl Left {
    /// It has looked at the database, in which nothing may wait.
    pub fn begun(&mut self, pass: &Pass, due: bool) {
        let includes = |channel: &Channel| pass.scope.includes(*channel);
        let channels = Channel::ALL.into_iter().filter(includes);
        self.channels = channels.map(|one| (one, pass.is_broken(one))).collect();
        self.waiting = (!due).then(|| Channel::ALL.map(|channel| (channel, 0)).into());
    }

    /// Counts what still waits, where somebody wants to know.
    pub fn count(&mut self, watch: &Watch, db: &mut Db) {
        if watch.metrics_file.is_some() {
            let count = |channel| Ok((channel, ledger::waiting(db, channel)?));
            let counted: QueryResult<_> = Channel::ALL.into_iter().map(count).collect();
            self.waiting = counted.ok();
        }
    }

    /// What the pass did, naming nobody.
    pub fn words(&self) -> String {
        let counts = self.summary.as_ref().map(Summary::counts);
        counts.unwrap_or_else(|| "could not work: the host's log says why".to_owned())
    }

    /// The metrics of a pass.
    pub fn measure(&self, watch: &Watch, clock: Clock, exit: Exit) {
        let measured = Measured {
            began: clock.on_host(clock.start()),
            seconds: clock.elapsed().as_secs_f64(),
            exit,
            done: self.done(),
            waiting: self.waiting.clone(),
        };
        write(watch, &measured);
    }

    fn done(&self) -> Vec<Done<'_>> {
        let tallies = self.summary.iter().flat_map(Summary::tallies);
        let done = tallies.filter_map(|(channel, tally)| {
            let (_, broken) = self.channels.iter().find(|(one, _)| *one == channel)?;
            Some(Done {
                channel,
                tally,
                stopped: *broken || tally.stopped.is_some(),
            })
        });
        done.collect()
    }
}

/// The metrics of a pass that could not begin.
pub fn measure_nothing(watch: &Watch, exit: Exit) {
    let measured = Measured {
        began: Utc::now(),
        seconds: 0.0,
        exit,
        done: Vec::new(),
        waiting: None,
    };
    write(watch, &measured);
}

/// That they cannot be written does not undo what the pass did.
fn write(watch: &Watch, measured: &Measured<'_>) {
    if let Some(path) = &watch.metrics_file
        && let Err(error) = metrics::write(path, measured)
    {
        warn!("{error:#}");
    }
}

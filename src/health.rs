//! Telling a watcher that the passes go on: a ping to healthchecks.io (or a service that speaks its protocol), which
//! raises the alarm when pings stop coming. A dead watcher never keeps a pass from its work, and never its end for
//! longer than [`LIMIT`].

use std::{
    sync::mpsc::{self, Receiver},
    thread::Builder,
    time::{Duration, Instant},
};

use log::info;
use ureq::Agent;
use url::Url;

use crate::exit::Exit;

/// The longest that a pass waits for its watcher, in all.
pub const LIMIT: Duration = Duration::from_secs(5);

/// A watcher answers with a word.
const MAX_ANSWER: u64 = 64 * 1024;

/// A pass that a watcher has been told of.
pub struct Watched {
    agent: Agent,
    url: Url,
    /// Disconnected once the ping of the start has been answered, or given up.
    begun: Receiver<()>,
}

/// A pass begins. This is said while it already works.
pub fn start(url: Option<&str>) -> Option<Watched> {
    let url = Url::parse(url?).ok()?;
    // Kept between the two pings, which spares the second handshake.
    let agent = Agent::new_with_config(Agent::config_builder().max_idle_age(LIMIT).build());
    let (told, begun) = mpsc::channel::<()>();
    let (client, start) = (agent.clone(), below(&url, "start"));
    let tell = move || {
        ping(&client, &start, "", LIMIT);
        drop(told);
    };
    if let Err(error) = Builder::new().spawn(tell) {
        info!("HEALTHCHECK_URL is not told of the start: {error}");
    }
    Some(Watched { agent, url, begun })
}

impl Watched {
    /// It has ended. A reminder that failed is no reason for an alarm: the pass did its work and says so; one that
    /// could not work is. `words` must name nobody. `limit`: the longest it may take now.
    pub fn end(self, exit: Exit, words: &str, limit: Duration) {
        let until = Instant::now() + limit;
        // The other way round a pass would seem to go on.
        let _ = self.begun.recv_timeout(limit);
        let left = until.saturating_duration_since(Instant::now());
        let url = match exit {
            Exit::Ok | Exit::Failed => self.url,
            Exit::Usage | Exit::TryLater | Exit::Config => below(&self.url, "fail"),
        };
        ping(&self.agent, &url, words, left);
    }
}

/// The address of a signal. A check that is named by its slug may have `?create=1` behind it.
fn below(url: &Url, signal: &str) -> Url {
    let mut url = url.clone();
    // Only what is no web address has no path.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(signal);
    }
    url
}

fn ping(agent: &Agent, url: &Url, body: &str, limit: Duration) {
    if limit.is_zero() {
        return;
    }
    let request = agent.post(url.as_str()).config();
    let request = request.timeout_global(Some(limit)).build();
    let answer = request.send(body).and_then(|mut answer| {
        let body = answer.body_mut().with_config().limit(MAX_ANSWER);
        body.read_to_vec()
    });
    if let Err(error) = answer {
        // The address is a secret: who knows it can report in our name.
        info!("HEALTHCHECK_URL could not be reached: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_goes_into_the_path_whatever_is_behind_it() {
        for (url, start) in [
            ("https://hc-ping.com/uuid", "https://hc-ping.com/uuid/start"),
            (
                "https://hc-ping.com/uuid/",
                "https://hc-ping.com/uuid/start",
            ),
            (
                "https://hc-ping.com/key/slug?create=1",
                "https://hc-ping.com/key/slug/start?create=1",
            ),
            ("http://localhost:8000", "http://localhost:8000/start"),
        ] {
            assert_eq!(below(&Url::parse(url).unwrap(), "start").as_str(), start);
        }
    }
}

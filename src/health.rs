//! Telling a watcher that the passes go on: a ping to healthchecks.io (or a service that speaks its protocol), which
//! raises the alarm when pings stop coming. A dead watcher never keeps a pass from its work.

use std::time::Duration;

use log::info;
use ureq::Agent;

use crate::exit::Exit;

/// The longest a ping may take.
pub const LIMIT: Duration = Duration::from_secs(5);

/// A pass begins.
pub fn start(url: Option<&str>) {
    if let Some(url) = url {
        ping(&format!("{}/start", url.trim_end_matches('/')), "", LIMIT);
    }
}

/// A pass has ended. A reminder that failed is no reason for an alarm: the pass did its work and says so; one that could
/// not work is. `counts` must name nobody. `limit`: the longest it may take now.
pub fn end(url: Option<&str>, exit: Exit, counts: &str, limit: Duration) {
    let Some(url) = url else { return };
    let url = url.trim_end_matches('/');
    match exit {
        Exit::Ok | Exit::Failed => ping(url, counts, limit),
        Exit::Usage | Exit::TryLater | Exit::Config => ping(&format!("{url}/fail"), counts, limit),
    }
}

fn ping(url: &str, body: &str, limit: Duration) {
    let config = Agent::config_builder().timeout_global(Some(limit)).build();
    if let Err(error) = Agent::new_with_config(config).post(url).send(body) {
        // The address is a secret: who knows it can report in our name.
        info!("HEALTHCHECK_URL could not be reached: {error}");
    }
}

//! Where the settings come from.

use super::chain::Chain;
use crate::config::Config;

pub fn look(chain: &mut Chain, config: &Config) {
    let sources = &config.sources;
    let files = sources.files.iter().map(|file| file.display().to_string());
    let mut text = files.collect::<Vec<_>>().join(", then ");
    if text.is_empty() {
        let folder = config.project.display();
        text = format!(
            "no env file found: there is no .env in {folder}, and all settings come from the environment"
        );
    }
    if !sources.overruled.is_empty() {
        let names = sources.overruled.join(", ");
        text.push_str(&format!(
            "; the environment sets {names} otherwise, and wins"
        ));
    }
    chain.ok("env", text);
}

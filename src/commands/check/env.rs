//! Where the settings come from.

use super::chain::Chain;
use crate::config::{Config, reminder};

pub fn look(chain: &mut Chain, config: &Config) {
    let sources = &config.sources;
    let files = sources.files.iter().map(|file| file.display().to_string());
    let mut text = files.collect::<Vec<_>>().join(", then ");
    if text.is_empty() {
        let folder = config.project.display();
        text = format!("no env file found: there is no .env in {folder}");
        if !sources.has_database {
            text.push_str("; start in the platform's folder, or name it with --env-file");
            chain.warn("env", text);
            return unknown(chain, config);
        }
        text.push_str(", and all settings come from the environment");
    }
    if !sources.overruled.is_empty() {
        let names = sources.overruled.join(", ");
        text.push_str(&format!(
            "; the environment sets {names} otherwise, and wins"
        ));
    }
    chain.ok("env", text);
    unknown(chain, config);
}

/// Names that somebody has misspelt.
fn unknown(chain: &mut Chain, config: &Config) {
    for name in &config.sources.unknown {
        let near = nearest(name).map(|near| format!(": did you mean {near}?"));
        let near = near.unwrap_or_else(|| format!(": there are {}", reminder::NAMES.join(", ")));
        chain.warn("env", format!("{name} is no setting{near}"));
    }
}

/// The setting that begins like it, or all of which it begins with.
fn nearest(name: &str) -> Option<&'static str> {
    let letters = |name: &str| name.replace('_', "");
    let same = |known: &str| {
        let (name, known) = (letters(name), letters(known));
        let pairs = name.chars().zip(known.chars());
        pairs.take_while(|(one, other)| one == other).count()
    };
    let nearest = reminder::NAMES.into_iter().max_by_key(|known| same(known));
    nearest.filter(|known| same(known) >= letters(reminder::PREFIX).len() + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_told_from_one_of_another_kind() {
        for (name, near) in [
            ("REMINDER_CATCHUP", Some("REMINDER_CATCH_UP")),
            ("REMINDER_LEADS", Some("REMINDER_LEAD")),
            ("REMINDER_TEMPLATE", Some("REMINDER_TEMPLATES")),
            ("REMINDER_REDIRECT_MAILS", Some("REMINDER_REDIRECT_MAIL")),
            ("REMINDER_COLOUR", None),
            ("REMINDER_", None),
        ] {
            assert_eq!(nearest(name), near, "{name}");
        }
    }
}

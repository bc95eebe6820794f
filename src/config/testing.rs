//! What the tests of the settings share.

use std::collections::HashMap;

use super::environment::Environment;

pub fn variables(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

/// A new folder with that `.env`, read under the variables of `real`. The folder lives as long as it is held.
pub fn environment(env_file: &str, real: &[(&str, &str)]) -> (tempfile::TempDir, Environment) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), env_file).unwrap();
    let environment = Environment::read(&[], &variables(real), folder.path()).unwrap();
    (folder, environment)
}

//! Whether a pass may write METRICS_FILE, and the collector reads it. Looks only: a file made here would be collected.

use std::path::Path;

use rustix::fs::{Access, access};

use super::chain::Chain;

/// Each pass warns of what is wrong here, and fails no more than this does.
pub fn look(chain: &mut Chain, file: Option<&Path>) {
    let Some(file) = file else {
        return;
    };
    let place = file.display();
    match trouble(file) {
        Some(text) => chain.warn("metrics", text),
        None => chain.ok("metrics", format!("each pass writes {place}")),
    }
}

fn trouble(file: &Path) -> Option<String> {
    let folder = file.parent().filter(|path| !path.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let (place, shown) = (file.display(), folder.display());
    if file.is_dir() {
        Some(format!(
            "cannot write {place}: this is a folder: let METRICS_FILE name a file in it"
        ))
    } else if !folder.is_dir() {
        Some(format!(
            "cannot write {place}: there is no folder {shown}: make it, or correct METRICS_FILE"
        ))
    } else if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        Some(format!(
            "cannot write {place}: this user may not make files in {shown}: allow it, or correct METRICS_FILE"
        ))
    } else if !file.to_string_lossy().ends_with(".prom") {
        Some(format!(
            "{place} does not end in .prom: node_exporter ignores it; correct METRICS_FILE"
        ))
    } else {
        None
    }
}

//! A folder that gets a file for each message: whether it can be written to.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::Path,
    process,
};

use super::chain::Chain;
use crate::exit::Exit;

pub fn look(chain: &mut Chain, link: &'static str, path: &Path) {
    let place = path.display();
    match try_out(path) {
        Ok(()) => chain.ok(link, format!("messages become files in {place}")),
        Err(error) => {
            let text = format!("cannot write into {place}: {error}");
            chain.fail(link, Exit::Failed, text);
        }
    }
}

/// Makes a file there, or where the folder itself is to be made, and takes it away again.
fn try_out(folder: &Path) -> io::Result<()> {
    let there = folder.ancestors().find(|folder| folder.exists());
    let there = there.ok_or(ErrorKind::NotFound)?;
    let trial = there.join(format!(".reminders-check.{}", process::id()));
    File::create_new(&trial)?;
    fs::remove_file(&trial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        try_out(folder.path()).unwrap();
        try_out(&folder.path().join("to/be/made")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_is_no_folder() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(try_out(file.path()).is_err());
        assert!(try_out(&file.path().join("below")).is_err());
    }
}

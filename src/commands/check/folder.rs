//! Whether a folder of messages can be written to.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::Path,
    process,
};

/// Makes a file there, or where the folder itself is to be made, and takes it away again.
pub fn try_out(folder: &Path) -> io::Result<()> {
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

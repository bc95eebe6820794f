//! A disk of two megabytes in memory, in a mount namespace of its own, which `unshare` gives to any user where the
//! kernel allows it. Programs enter the namespace; the test reaches its files through `/proc`. (SQLite cannot: it takes
//! that path for one of its own namespace.)

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

pub struct Disk {
    /// Keeps the namespace, and with it the disk.
    keeper: Child,
    folder: PathBuf,
}

/// What can fill a disk.
pub struct Ballast(PathBuf);

impl Disk {
    /// Mounted on a folder that it makes. Says that a test is skipped where there can be none.
    pub fn small_at(folder: &Path) -> Option<Disk> {
        fs::create_dir(folder).unwrap();
        let mount = r#"mount -t tmpfs -o size=2m disk "$0" && echo mounted && exec cat"#;
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", mount]);
        unshare.arg(folder);
        unshare.stdin(Stdio::piped()).stdout(Stdio::piped());
        let keeper = unshare.spawn().ok();
        let disk = keeper.map(|keeper| Disk {
            keeper,
            folder: folder.to_owned(),
        });
        let disk = disk.and_then(Disk::once_mounted);
        if disk.is_none() {
            println!("skipped: no small disk can be mounted here");
        }
        disk
    }

    fn once_mounted(mut self) -> Option<Disk> {
        let mut said = String::new();
        let stdout = self.keeper.stdout.as_mut()?;
        BufReader::new(stdout).read_line(&mut said).ok()?;
        (said == "mounted\n").then_some(self)
    }

    /// A command that sees the disk, run in that folder.
    pub fn enter(&self, folder: &Path, command: &[&str]) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["--user", "--mount", "--preserve-credentials", "--target"]);
        nsenter.arg(self.keeper.id().to_string());
        nsenter
            .args(["sh", "-c", r#"cd "$0" && exec "$@""#])
            .arg(folder)
            .args(command);
        nsenter
    }

    /// A file on it, for all but SQLite.
    pub fn path(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.keeper.id()));
        let folder = self.folder.strip_prefix("/").unwrap();
        root.join(folder).join(name)
    }

    pub fn ballast(&self) -> Ballast {
        Ballast(self.path("ballast"))
    }
}

impl Ballast {
    pub fn fill(&self) {
        let mut file = File::create(&self.0).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    /// Makes room again.
    pub fn clear(&self) {
        fs::remove_file(&self.0).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

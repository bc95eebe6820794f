//! Where a server's programs are, and under whose id they run.

use std::{
    env,
    fs::{self, File},
    io::Write,
    os::unix::{
        fs::{MetadataExt, OpenOptionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// The first of these names in `PATH`, then in the folders where distributions keep what users do not start themselves.
pub fn find(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).chain(other_folders()).collect();
    let candidates = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    // Not a link to it: beside the program itself are those it belongs with.
    candidates
        .filter(|program| program.is_file())
        .find_map(|program| fs::canonicalize(program).ok())
}

fn other_folders() -> Vec<PathBuf> {
    let mut postgres: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    // Two digits since version 10.
    postgres.sort();
    postgres.reverse();
    let fixed = [
        "/usr/sbin",
        "/usr/libexec",
        "/usr/local/bin",
        "/usr/local/sbin",
        "/usr/local/pgsql/bin",
        "/usr/local/mysql/bin",
    ];
    postgres.extend(fixed.map(PathBuf::from));
    postgres
}

/// Who runs a server, and the folder it lives in. Servers refuse to be run by root.
pub struct Owner {
    pub folder: PathBuf,
    temporary: TempDir,
    /// User and group, when they are not ours.
    ids: Option<(u32, u32)>,
}

impl Owner {
    /// Ourselves, or, when we are root, the first of these users that the system has.
    pub fn new(users: &[&str]) -> Owner {
        let temporary = tempfile::Builder::new()
            .prefix("reminders-test-")
            .tempdir()
            .unwrap();
        let folder = temporary.path().to_owned();
        let ids = is_root(&folder).then(|| ids(users));
        if let Some((user, group)) = ids {
            chown(&folder, Some(user), Some(group)).unwrap();
        }
        Owner {
            folder,
            temporary,
            ids,
        }
    }

    /// Runs under this owner's id, in its folder.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(&self.folder).env("HOME", &self.folder);
        // MariaDB removes what earlier servers seem to have left in the folder for temporary files, that of others that
        // run.
        command.env("TMPDIR", &self.folder);
        if let Some((user, group)) = self.ids {
            command.uid(user).gid(group);
        }
        command
    }

    /// A file in the folder that only its owner may read.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        let mut file = File::options();
        file.write(true).create_new(true).mode(0o600);
        file.open(&path)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        if let Some((user, group)) = self.ids {
            chown(&path, Some(user), Some(group)).unwrap();
        }
        path
    }

    pub fn write_all(&self, files: &[(&str, String)]) {
        for (name, text) in files {
            self.write(name, text);
        }
    }

    /// Runs a command to its end.
    pub fn run(&self, command: &mut Command) {
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success(), "{command:?}: {said}");
    }

    /// The folder stays.
    pub fn keep(self) -> PathBuf {
        self.temporary.keep()
    }
}

/// Whoever made the folder.
fn is_root(folder: &Path) -> bool {
    fs::metadata(folder).unwrap().uid() == 0
}

/// User and group id.
fn ids(users: &[&str]) -> (u32, u32) {
    let known = fs::read_to_string("/etc/passwd").unwrap();
    let ids = |user: &str| {
        let line = known
            .lines()
            .find_map(|line| line.strip_prefix(user)?.strip_prefix(':'))?;
        let mut fields = line.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    users.iter().find_map(|user| ids(user)).unwrap_or_else(|| {
        panic!("root may not run a database server, and there is no user {users:?}")
    })
}

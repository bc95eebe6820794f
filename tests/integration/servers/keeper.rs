//! A server's process and its folder, which end with the test's process, also when that is killed.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, ChildStdout, Stdio},
};

use super::programs::Owner;

/// Holds the server as its child and reads orders from its standard input, a pipe whose other end only the test's
/// process has: when that ends, the reading does too.
///
/// `$0` is the folder, `$1` the signal that ends the server at once, the rest the server's command line.
const SCRIPT: &str = r#"
folder=$0 signal=$1
shift
start() { "$@" >>"$folder/log" 2>&1 & server=$!; }
stop() { kill -"$signal" $server; wait $server; }
start "$@"
while read -r order; do
    case $order in
    start) start "$@" ;;
    stop) stop ;;
    esac
    echo done
done
stop
rm -rf "$folder"
"#;

pub struct Keeper {
    shell: Child,
    answers: BufReader<ChildStdout>,
    pub folder: PathBuf,
}

impl Keeper {
    /// Starts this command line under the owner's id; the owner's folder is removed in the end.
    pub fn new(owner: Owner, signal: &str, server: &[&str]) -> Keeper {
        let mut command = owner.command("/bin/sh");
        command
            .args(["-c", SCRIPT])
            .arg(&owner.folder)
            .arg(signal)
            .args(server)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A Ctrl-C at the terminal is for the tests; what they leave is then cleared away.
            .process_group(0);
        let mut shell = command.spawn().unwrap();
        Keeper {
            answers: BufReader::new(shell.stdout.take().unwrap()),
            folder: owner.keep(),
            shell,
        }
    }

    pub fn stop(&mut self) {
        self.order("stop");
    }

    pub fn start(&mut self) {
        self.order("start");
    }

    /// Returns when it is done.
    fn order(&mut self, order: &str) {
        let orders = self.shell.stdin.as_mut().unwrap();
        writeln!(orders, "{order}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer, "done\n", "{order}");
    }

    /// What the server has said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Closes its standard input and waits until the folder is gone.
        let _ = self.shell.wait();
    }
}

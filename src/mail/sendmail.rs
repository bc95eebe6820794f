//! The local `sendmail` program, which Postfix, Exim, msmtp and others all bring.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Envelope, sent};
use crate::outcome::{Fault, Outcome};
use crate::text::{mask_email, one_line};

/// How long the program may take for one mail.
const LIMIT: Duration = Duration::from_secs(30);
/// How often we look whether it has ended.
const POLL: Duration = Duration::from_millis(5);

/// Whether the program is there, so that a wrong path is said before the first mail.
pub fn check(program: &Path) -> Result<(), Fault> {
    match program.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(unusable(program, "it is no file")),
        Err(error) => Err(unusable(program, &error.to_string())),
    }
}

/// Runs `program -i -f FROM -- TO` with the mail on its input.
pub fn deliver(program: &Path, envelope: &Envelope) -> Outcome {
    deliver_within(LIMIT, program, envelope)
}

fn deliver_within(limit: Duration, program: &Path, envelope: &Envelope) -> Outcome {
    let mut child = match start(program, envelope) {
        Ok(child) => child,
        Err(error) => return Outcome::Stopped(unusable(program, &error.to_string())),
    };
    feed(child.stdin.take(), &envelope.bytes);
    let complaint = listen(child.stderr.take());
    match wait(&mut child, limit) {
        Ok(Some(status)) if status.success() => sent(envelope),
        Ok(Some(status)) => {
            let said = complaint
                .recv_timeout(Duration::from_secs(1))
                .unwrap_or_default();
            let said = said.replace(
                envelope.to.as_ref() as &str,
                &mask_email(envelope.to.as_ref()),
            );
            failed(status, &one_line(&said, 160))
        }
        Ok(None) => in_doubt(format!("it did not end within {} s", limit.as_secs())),
        Err(error) => in_doubt(error.to_string()),
    }
}

fn start(program: &Path, envelope: &Envelope) -> io::Result<Child> {
    Command::new(program)
        .args([
            "-i",
            "-f",
            envelope.from.as_ref(),
            "--",
            envelope.to.as_ref(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}

/// On a thread of its own: a program that does not read must not hold us past the limit. It gets LF line ends, as
/// programs on this side of a mail server expect them.
fn feed(input: Option<ChildStdin>, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    thread::spawn(move || input.map(|mut input| input.write_all(text.as_bytes())));
}

/// The beginning of what the program says; the rest is read and dropped, so that it never waits for us.
fn listen(output: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (tell, heard) = mpsc::channel();
    thread::spawn(move || {
        let Some(mut output) = output else { return };
        let mut text = Vec::new();
        let _ = output.by_ref().take(4096).read_to_end(&mut text);
        let _ = tell.send(String::from_utf8_lossy(&text).into_owned());
        let _ = io::copy(&mut output, &mut io::sink());
    });
    heard
}

/// `None`: it was ended by us at the limit.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + limit;
    while Instant::now() < until {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(POLL);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// The exit codes of sysexits(3).
fn failed(status: ExitStatus, said: &str) -> Outcome {
    let Some(code) = status.code() else {
        return in_doubt(format!("it was ended by a signal ({status})"));
    };
    let said = if said.is_empty() {
        String::new()
    } else {
        format!(" (it said: {said})")
    };
    let fault = |what: &str| Fault::new(format!("exit {code}"), format!("sendmail {what}{said}"));
    match code {
        65 | 67 | 68 => Outcome::Failed(fault("refused this recipient")),
        75 => Outcome::Retry {
            fault: fault("could not take the mail now"),
            after: None,
        },
        // Whatever else it says of itself, it is not the recipient's.
        _ => Outcome::Stopped(fault(
            "does not work: check its configuration and MAIL_SENDMAIL_PATH",
        )),
    }
}

fn unusable(program: &Path, why: &str) -> Fault {
    let reason = format!(
        "cannot run {} ({why}): install it, or set MAIL_MAILER=smtp",
        program.display()
    );
    Fault::new("sendmail", reason)
}

fn in_doubt(why: String) -> Outcome {
    Outcome::InDoubt(Fault::new(
        "sendmail",
        format!("sendmail may or may not have taken the mail: {why}"),
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            from: "a@example.org".parse().unwrap(),
            to: "-b@example.com".parse().unwrap(),
            message_id: "<s1@example.org>".to_owned(),
            bytes: b"Subject: x\r\n\r\n.Halo\r\n".to_vec(),
        }
    }

    /// Copied into place by a program of its own: a file this process still holds open for writing cannot be run.
    fn script(folder: &Path, body: &str) -> PathBuf {
        let (source, program) = (folder.join("source"), folder.join("sendmail"));
        fs::write(&source, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&source, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(
            Command::new("cp")
                .arg(&source)
                .arg(&program)
                .status()
                .unwrap()
                .success()
        );
        program
    }

    #[test]
    fn the_program_gets_the_mail_and_exactly_one_recipient() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out").display().to_string();
        let program = script(folder.path(), &format!("echo \"$@\" > {out}; cat >> {out}"));
        assert!(matches!(
            deliver(&program, &envelope()),
            Outcome::Sent { .. }
        ));
        let got = fs::read_to_string(out).unwrap();
        assert_eq!(
            got,
            "-i -f a@example.org -- -b@example.com\nSubject: x\n\n.Halo\n"
        );
    }

    #[test]
    fn the_exit_code_tells_what_became_of_it() {
        for (code, expected) in [
            (75, "retry"),
            (1, "stopped"),
            (67, "failed"),
            (78, "stopped"),
            (127, "stopped"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let program = script(
                folder.path(),
                &format!("echo 'no: -b@example.com' >&2; exit {code}"),
            );
            let (is, fault) = match deliver(&program, &envelope()) {
                Outcome::Retry { fault, .. } => ("retry", fault),
                Outcome::Failed(fault) => ("failed", fault),
                Outcome::Stopped(fault) => ("stopped", fault),
                other => panic!("{other:?}"),
            };
            assert_eq!((is, fault.code), (expected, format!("exit {code}")));
            assert!(
                fault.reason.contains("it said: no: ") && !fault.reason.contains("-b@"),
                "{}",
                fault.reason
            );
        }
    }

    #[test]
    fn a_program_that_hangs_is_ended_and_in_doubt() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(folder.path(), "exec sleep 20");
        let outcome = deliver_within(Duration::from_millis(200), &program, &envelope());
        assert!(matches!(outcome, Outcome::InDoubt(_)), "{outcome:?}");
    }

    #[test]
    fn a_missing_program_stops_the_channel() {
        let nowhere = Path::new("/nowhere/sendmail");
        assert_eq!(check(nowhere).unwrap_err().code, "sendmail");
        assert!(matches!(deliver(nowhere, &envelope()), Outcome::Stopped(_)));
    }
}

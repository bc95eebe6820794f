//! The transport of demonstrations and tests: one `.eml` file per mail, which every mail program opens.

use std::fs;
use std::io;
use std::path::Path;

use super::{Envelope, sent};
use crate::outcome::{Fault, Outcome};

/// Makes the folder when it is not there.
pub fn prepare(folder: &Path) -> Result<(), Fault> {
    fs::create_dir_all(folder).map_err(|error| fault(folder, &error))
}

/// Writes the mail under the name of its Message-ID, whole or not at all. The same mail again is the same file.
pub fn deliver(folder: &Path, envelope: &Envelope) -> Outcome {
    match write(folder, &file_name(&envelope.message_id), &envelope.bytes) {
        Ok(()) => sent(envelope),
        Err(error) => Outcome::Stopped(fault(folder, &error)),
    }
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let part = folder.join(format!(".{name}.{}.part", std::process::id()));
    fs::write(&part, bytes)?;
    fs::rename(&part, folder.join(name))
}

/// `<s1.u2.reminder.60m.20261122170000@example.org>` becomes `s1.u2.reminder.60m.20261122170000.eml`.
fn file_name(message_id: &str) -> String {
    let local = message_id.split('@').next().unwrap_or_default();
    let safe: String = local
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
        .collect();
    format!("{safe}.eml")
}

fn fault(folder: &Path, error: &io::Error) -> Fault {
    Fault::new(
        "file",
        format!("cannot write mails into {}: {error}", folder.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            from: "a@example.org".parse().unwrap(),
            to: "b@example.com".parse().unwrap(),
            message_id: "<s1.u2@example.org>".to_owned(),
            bytes: b"Subject: x\r\n\r\nHalo\r\n".to_vec(),
        }
    }

    #[test]
    fn a_mail_becomes_one_file_named_after_its_message_id() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("new/mails");
        prepare(&folder).unwrap();
        for _ in 0..2 {
            assert!(
                matches!(deliver(&folder, &envelope()), Outcome::Sent { message_id, .. } if message_id == "<s1.u2@example.org>")
            );
        }
        let names: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["s1.u2.eml"]);
        assert_eq!(
            fs::read(folder.join("s1.u2.eml")).unwrap(),
            envelope().bytes
        );
    }

    #[test]
    fn a_folder_that_cannot_be_written_stops_the_channel() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(prepare(file.path()).unwrap_err().code, "file");
        assert!(matches!(
            deliver(file.path(), &envelope()),
            Outcome::Stopped(_)
        ));
    }
}

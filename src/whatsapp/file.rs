//! The transport of demonstrations and tests: one `.json` file per message.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use serde_json::json;

use super::Request;
use crate::outcome::{Fault, Outcome};

/// Writes the message, whole or not at all. Its id is the file's name; the same message again is another file, as it
/// would be another message at Twilio.
pub fn deliver(folder: &Path, request: &Request) -> Outcome {
    match write(folder, request) {
        Ok(name) => Outcome::Sent {
            message_id: name,
            status: None,
        },
        Err(error) => {
            let reason = format!(
                "cannot write WhatsApp messages into {}: {error}",
                folder.display()
            );
            Outcome::Stopped(Fault::new("file", reason))
        }
    }
}

fn write(folder: &Path, request: &Request) -> io::Result<String> {
    fs::create_dir_all(folder)?;
    let text = format!("{:#}\n", content(request));
    for number in 1.. {
        let name = name(request, number);
        let (part, whole) = (
            folder.join(format!(".{name}.part")),
            folder.join(format!("{name}.json")),
        );
        // Whoever creates the part owns the name.
        let mut file = match File::create_new(&part) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            created => created?,
        };
        if whole.exists() {
            fs::remove_file(&part)?;
            continue;
        }
        file.write_all(text.as_bytes())?;
        fs::rename(&part, &whole)?;
        return Ok(name);
    }
    Err(io::Error::other("no name is free"))
}

fn name(request: &Request, number: u32) -> String {
    let mut hasher = DefaultHasher::new();
    (&request.to, &request.body, &request.content).hash(&mut hasher);
    let digits: String = request.to.chars().filter(char::is_ascii_digit).collect();
    let again = if number > 1 {
        format!("-{number}")
    } else {
        String::new()
    };
    format!("file-{digits}-{:016x}{again}", hasher.finish())
}

fn content(request: &Request) -> serde_json::Value {
    match &request.content {
        Some((sid, variables)) => json!({
            "to": request.to,
            "content_sid": sid,
            "variables": variables,
            "validity_seconds": request.validity_seconds,
        }),
        None => json!({
            "to": request.to,
            "body": request.body,
            "validity_seconds": request.validity_seconds,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &str) -> Request {
        Request {
            to: "+6281234567890".to_owned(),
            body: body.to_owned(),
            content: None,
            validity_seconds: 3000,
        }
    }

    #[test]
    fn each_message_is_a_file_of_its_own() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("new");
        let mut ids = Vec::new();
        for body in ["Halo 🎉", "Halo 🎉", "Lain"] {
            let Outcome::Sent { message_id, .. } = deliver(&folder, &request(body)) else {
                panic!("not sent");
            };
            let file = fs::read(folder.join(format!("{message_id}.json"))).unwrap();
            let json: serde_json::Value = serde_json::from_slice(&file).unwrap();
            assert_eq!(
                (&json["to"], &json["body"]),
                (&json!("+6281234567890"), &json!(body))
            );
            ids.push(message_id);
        }
        assert!(
            ids[1].starts_with(&ids[0])
                && ids[1] != ids[0]
                && ids[0].starts_with("file-6281234567890-")
        );
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
    }

    #[test]
    fn a_template_is_written_with_its_variables() {
        let folder = tempfile::tempdir().unwrap();
        let mut request = request("unused");
        request.content = Some((
            "HX1".to_owned(),
            ["a", "b", "c", "d", "e"].map(str::to_owned),
        ));
        assert!(matches!(
            deliver(folder.path(), &request),
            Outcome::Sent { .. }
        ));
        let file = fs::read_dir(folder.path())
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let json: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        assert_eq!(json["variables"], json!(["a", "b", "c", "d", "e"]));
        assert!(json.get("body").is_none());
    }

    #[test]
    fn a_folder_that_cannot_be_written_stops_the_channel() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(
            deliver(file.path(), &request("x")),
            Outcome::Stopped(_)
        ));
    }
}

//! What was asked and answered, for `tests/openapi.sh`, which holds it against Twilio's own description of its API.

use std::{env, fs::File, io::Write};

use serde_json::json;

use super::{
    http::{Request, Response},
    messages::PATH,
};

/// Names the file that each exchange is added to, a line of JSON; without it nothing is noted.
const FILE: &str = "REMINDERS_TEST_EXCHANGES";

/// Notes an exchange that was as Twilio's are: what a test scripted otherwise, or asked wrongly on purpose, is left
/// out.
pub fn note(request: &Request, response: &Response) {
    let Ok(path) = env::var(FILE) else { return };
    // The description is that of the messages.
    if !request.path().starts_with(PATH) {
        return;
    }
    if !matches!(response.status, 200 | 201) || response.content_type != "application/json" {
        return;
    }
    let form = match request.method.as_str() {
        "POST" => request.form(),
        _ => Vec::new(),
    };
    let line = json!({
        "method": request.method,
        "path": request.path(),
        "query": request.query(),
        "form": form,
        "status": response.status,
        "body": response.body,
    });
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    // In one write, since many tests write at once.
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

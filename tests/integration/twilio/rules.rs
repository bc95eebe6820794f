//! What Twilio refuses before it looks at anything else.

use std::time::SystemTime;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::{
    ACCOUNT_SID, AUTH_TOKEN, Create,
    http::{Request, Response},
};

const FIELDS: [&str; 6] = [
    "To",
    "From",
    "Body",
    "ContentSid",
    "ContentVariables",
    "ValidityPeriod",
];

/// The answer to anyone but the owner of the account.
pub(super) fn refuse_login(request: &Request) -> Option<Response> {
    let expected = BASE64_STANDARD.encode(format!("{ACCOUNT_SID}:{AUTH_TOKEN}"));
    let given = request.header("authorization").unwrap_or_default();
    let right = given.strip_prefix("Basic ") == Some(expected.as_str());
    (!right).then(|| Response::error(401, 20003, "Authentication Error - invalid username"))
}

/// The message of a form, or Twilio's complaint about it.
pub(super) fn message(
    fields: Vec<(String, String)>,
    connection: usize,
) -> Result<Create, Response> {
    for (i, (name, _)) in fields.iter().enumerate() {
        assert!(FIELDS.contains(&name.as_str()), "unknown field {name}");
        let again = fields[..i].iter().any(|earlier| earlier.0 == *name);
        assert!(!again, "the field {name} twice");
    }
    let field = |name| fields.iter().find(|field| field.0 == name);
    let field = |name| field(name).map(|field| field.1.clone());
    let content_sid = field("ContentSid");
    let content_variables = field("ContentVariables");
    let create = Create {
        sid: String::new(),
        to: field("To").ok_or_else(|| bad(21604, "A 'To' phone number is required."))?,
        from: field("From").ok_or_else(|| bad(21603, "A 'From' phone number is required."))?,
        body: field("Body"),
        validity_period: validity_period(field("ValidityPeriod"))?,
        content_sid,
        content_variables,
        at: SystemTime::now(),
        connection,
        fields,
    };
    check_numbers(&create)?;
    check_text(&create)?;
    check_content(&create)?;
    Ok(create)
}

fn bad(code: u32, message: &str) -> Response {
    Response::error(400, code, message)
}

fn validity_period(text: Option<String>) -> Result<Option<u32>, Response> {
    let Some(text) = text else { return Ok(None) };
    match text.parse() {
        Ok(seconds @ 1..=36000) => Ok(Some(seconds)),
        _ => Err(bad(21624, "The ValidityPeriod is out of range.")),
    }
}

fn check_numbers(create: &Create) -> Result<(), Response> {
    if !is_whatsapp(&create.from) {
        let message = format!(
            "The 'From' number {} is not a valid phone number.",
            create.from
        );
        return Err(bad(21212, &message));
    }
    if !is_whatsapp(&create.to) {
        let message = format!("The 'To' number {} is not a valid phone number.", create.to);
        return Err(bad(21211, &message));
    }
    if create.to == create.from {
        return Err(bad(63031, "Channels message cannot have same From and To"));
    }
    Ok(())
}

/// `whatsapp:` and E.164.
fn is_whatsapp(address: &str) -> bool {
    let digits = address.strip_prefix("whatsapp:+").unwrap_or_default();
    (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
}

fn check_text(create: &Create) -> Result<(), Response> {
    match &create.body {
        None if create.content_sid.is_none() => Err(bad(
            21619,
            "A text message body or media urls must be specified.",
        )),
        Some(_) if create.content_sid.is_some() => panic!("Body beside ContentSid"),
        Some(body) if body.is_empty() => Err(bad(21602, "Message body is required.")),
        Some(body) if body.chars().count() > 1600 => Err(bad(
            21617,
            "The concatenated message body exceeds the 1600 character limit.",
        )),
        _ => Ok(()),
    }
}

fn check_content(create: &Create) -> Result<(), Response> {
    match (&create.content_sid, &create.content_variables) {
        (Some(sid), _) if !is_sid("HX", sid) => Err(bad(21655, "The ContentSid is invalid.")),
        (None, Some(_)) => Err(bad(21654, "The ContentSid is required.")),
        (_, Some(text)) if !good_variables(text) => {
            Err(bad(21656, "The ContentVariables parameter is invalid."))
        }
        _ => Ok(()),
    }
}

fn is_sid(prefix: &str, sid: &str) -> bool {
    let digits = sid.strip_prefix(prefix).unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A JSON object of texts, none empty, none with a newline, a tab or more than four blanks in a row.
fn good_variables(text: &str) -> bool {
    let good = |value: &Value| {
        value.as_str().is_some_and(|value| {
            !value.is_empty() && !value.contains(['\n', '\r', '\t']) && !value.contains("     ")
        })
    };
    let variables: Option<Map<String, Value>> = serde_json::from_str(text).ok();
    variables.is_some_and(|variables| variables.values().all(good))
}

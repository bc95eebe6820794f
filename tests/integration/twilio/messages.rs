//! Messages as Twilio shows them.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use url::form_urlencoded::Serializer;

use super::{
    ACCOUNT_SID, Create,
    http::{Request, Response},
};

/// Of the collection without `.json`; `ACCOUNT_SID` within it.
pub(super) const PATH: &str = "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages";

/// The approved template that every ContentSid stands for: the one that docs/whatsapp.md says to submit.
pub const TEMPLATE: &str = "Halo {{1}}, pengingat: sesi {{2}} dari kursus {{3}} dimulai {{4}}. \
    Tempat/tautan: {{5}}. Sampai jumpa di sesi!";

/// A message that exists, with what became of it.
pub(super) struct Message {
    pub create: Create,
    pub status: String,
    pub error_code: Option<u32>,
    pub sent_at: Option<SystemTime>,
}

impl Message {
    pub fn new(create: Create) -> Message {
        Message {
            create,
            status: "queued".into(),
            error_code: None,
            sent_at: None,
        }
    }

    pub fn json(&self) -> Value {
        let create = &self.create;
        json!({
            "sid": create.sid,
            "account_sid": ACCOUNT_SID,
            "api_version": "2010-04-01",
            "messaging_service_sid": null,
            "to": create.to,
            "from": create.from,
            "body": self.text(),
            "direction": "outbound-api",
            "num_segments": "1",
            "num_media": "0",
            "price": null,
            "price_unit": null,
            "status": self.status,
            "error_code": self.error_code,
            "error_message": null,
            "date_created": date(create.at),
            "date_updated": date(self.sent_at.unwrap_or(create.at)),
            "date_sent": self.sent_at.map(date),
            "uri": format!("{PATH}/{}.json", create.sid),
            "subresource_uris": {"media": format!("{PATH}/{}/Media.json", create.sid)},
        })
    }

    /// What the recipient reads.
    fn text(&self) -> String {
        if let Some(body) = &self.create.body {
            return body.clone();
        }
        let variables = self.create.content_variables.as_deref().unwrap_or("{}");
        let variables: Map<String, Value> = serde_json::from_str(variables).unwrap();
        variables
            .iter()
            .fold(TEMPLATE.into(), |text, (key, value)| {
                text.replace(&format!("{{{{{key}}}}}"), value.as_str().unwrap())
            })
    }
}

fn date(at: SystemTime) -> String {
    DateTime::<Utc>::from(at).to_rfc2822()
}

/// One page of the list, newest first.
pub(super) fn page(messages: &[Message], request: &Request) -> Response {
    let query = request.query();
    let known = ["To", "From", "PageSize", "Page", "PageToken"];
    let strange = query.iter().find(|pair| !known.contains(&pair.0.as_str()));
    assert!(
        strange.is_none(),
        "a query that is not answered here: {strange:?}"
    );
    let field = |name| query.iter().find(|pair| pair.0 == name).map(|pair| &pair.1);
    let number = |name, default| field(name).map_or(default, |text| text.parse().unwrap());
    let (size, number) = (number("PageSize", 50).min(1000), number("Page", 0));
    let mut found: Vec<_> = messages
        .iter()
        .rev()
        .filter(|message| field("To").is_none_or(|to| *to == message.create.to))
        .filter(|message| field("From").is_none_or(|from| *from == message.create.from))
        .filter(|message| field("PageToken").is_none_or(|token| token_of(message) < *token))
        .collect();
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more).map(|last| {
        let filters = query.iter().filter(|pair| !pair.0.starts_with("Page"));
        let query = Serializer::new(String::new())
            .extend_pairs(filters)
            .append_pair("PageSize", &size.to_string())
            .append_pair("Page", &(number + 1).to_string())
            .append_pair("PageToken", &token_of(last))
            .finish();
        format!("{PATH}.json?{query}")
    });
    Response::json(
        200,
        &json!({
            "messages": found.iter().map(|message| message.json()).collect::<Vec<_>>(),
            "page": number,
            "page_size": size,
            "start": number * size,
            "end": (number * size + found.len()).saturating_sub(1),
            "uri": request.target,
            "first_page_uri": format!("{PATH}.json?PageSize={size}&Page=0"),
            "previous_page_uri": null,
            "next_page_uri": next,
        }),
    )
}

/// Of a page that starts after this message; SIDs are counted up, so tokens sort as the messages do.
fn token_of(message: &Message) -> String {
    format!("PA{}", message.create.sid)
}

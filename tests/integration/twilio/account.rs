//! The account, its senders and its templates as Twilio shows them: all is well with them.

use serde_json::{Value, json};

use super::{
    ACCOUNT_SID, TEMPLATE,
    http::{Request, Response},
};

/// The account's path.
pub const ACCOUNT: &str = "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef.json";
const SENDERS: &str = "/v2/Channels/Senders";
const CONTENT: &str = "/v1/Content/";

pub(super) fn about(request: &Request) -> Option<Response> {
    let path = request.path();
    let body = match path.strip_prefix(CONTENT) {
        Some(item) => match item.strip_suffix("/ApprovalRequests") {
            Some(sid) => approval(sid),
            None => content(item),
        },
        None if path == ACCOUNT => account(),
        None if path == SENDERS => senders(request),
        None => return None,
    };
    Some(Response::json(200, &body))
}

fn account() -> Value {
    json!({
        "sid": ACCOUNT_SID, "friendly_name": "Kursus Kita", "status": "active", "type": "Full",
        "owner_account_sid": ACCOUNT_SID, "uri": ACCOUNT,
    })
}

fn senders(request: &Request) -> Value {
    let query = request.query();
    let channel = query.iter().find(|pair| pair.0 == "Channel");
    assert_eq!(channel.map(|pair| pair.1.as_str()), Some("whatsapp"));
    let sender = |number: &str, digit: u8| {
        json!({
            "sid": format!("XE{digit:032x}"), "status": "ONLINE", "sender_id": format!("whatsapp:{number}"),
            "configuration": null, "webhook": null, "profile": null, "offline_reasons": null,
        })
    };
    json!({
        "senders": [sender("+14155550199", 1), sender("+14155550100", 2)],
        "meta": {"page": 0, "page_size": 50, "next_page_url": null, "key": "senders"},
    })
}

fn content(sid: &str) -> Value {
    json!({
        "sid": sid, "account_sid": ACCOUNT_SID, "friendly_name": "reminder", "language": "id",
        "variables": {"1": "Budi"}, "types": {"twilio/text": {"body": TEMPLATE}},
    })
}

fn approval(sid: &str) -> Value {
    json!({
        "sid": sid, "account_sid": ACCOUNT_SID,
        "whatsapp": {
            "type": "whatsapp", "name": "reminder", "category": "UTILITY", "content_type": "twilio/text",
            "status": "approved", "rejection_reason": "", "allow_category_change": true,
        },
    })
}

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use ureq::{Agent, Error};

use super::{ACCOUNT_SID, AUTH_TOKEN, Answer, Twilio, messages::PATH};

const TEXT: [(&str, &str); 4] = [
    ("To", "whatsapp:+6281234567890"),
    ("From", "whatsapp:+14155238886"),
    ("Body", "Halo Ani & Budi 😀"),
    ("ValidityPeriod", "3540"),
];

struct Client {
    agent: Agent,
    base: String,
    login: String,
}

impl Client {
    fn new(twilio: &Twilio) -> Client {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_millis(500)))
            .build();
        let login = BASE64_STANDARD.encode(format!("{ACCOUNT_SID}:{AUTH_TOKEN}"));
        Client {
            agent: agent.into(),
            base: twilio.base(),
            login: format!("Basic {login}"),
        }
    }

    fn post(&self, fields: &[(&str, &str)]) -> Result<(u16, Value), Error> {
        let request = self.agent.post(format!("{}{PATH}.json", self.base));
        let request = request.header("Authorization", &self.login);
        let mut response = request.send_form(fields.iter().copied())?;
        let text = response.body_mut().read_to_string()?;
        let status = response.status().as_u16();
        Ok((
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        ))
    }

    fn get(&self, target: &str) -> Value {
        let request = self.agent.get(format!("{}{target}", self.base));
        let request = request.header("Authorization", &self.login);
        let text = request.call().unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The code of Twilio's complaint about `TEXT` with one field changed, or left out.
    fn complaint(&self, name: &str, value: Option<&str>) -> u64 {
        let mut fields = TEXT.to_vec();
        fields.retain(|field| field.0 != name);
        fields.extend(value.map(|value| (name, value)));
        self.post(&fields).unwrap().1["code"].as_u64().unwrap_or(0)
    }
}

#[test]
fn a_message_is_created_over_a_kept_connection_and_its_status_followed() {
    let twilio = Twilio::start();
    let client = Client::new(&twilio);
    let (status, message) = client.post(&TEXT).unwrap();
    assert_eq!(
        (status, &message["status"], &message["date_sent"]),
        (201, &"queued".into(), &Value::Null)
    );
    let created = twilio.created().remove(0);
    assert_eq!(created.sid, message["sid"]);
    assert_eq!(
        (created.to.as_str(), created.from.as_str()),
        (TEXT[0].1, TEXT[1].1)
    );
    assert_eq!(
        (created.body.as_deref(), created.validity_period),
        (Some(TEXT[2].1), Some(3540))
    );
    assert_eq!((created.fields.len(), created.connection), (4, 1));
    assert!(created.at.elapsed().unwrap() < Duration::from_secs(10));
    twilio.set_status(&created.sid, "undelivered", Some(63016));
    let later = client.get(message["uri"].as_str().unwrap());
    assert_eq!(
        (&later["status"], &later["error_code"]),
        (&"undelivered".into(), &63016.into())
    );
    assert!(later["date_sent"].is_string());
    assert_eq!(client.get(&format!("{PATH}/SM0.json"))["code"], 20404);
    assert_eq!((twilio.connections(), twilio.requests().len()), (1, 3));
}

#[test]
fn the_list_is_filtered_paged_and_newest_first() {
    let twilio = Twilio::start();
    let client = Client::new(&twilio);
    for i in 0..5 {
        let to = if i == 1 {
            "whatsapp:+6281111111111"
        } else {
            TEXT[0].1
        };
        client
            .post(&[("To", to), TEXT[1], ("Body", &format!("sesi {i}"))])
            .unwrap();
    }
    let mut next = Some(format!(
        "{PATH}.json?To=whatsapp%3A%2B6281234567890&From=whatsapp%3A%2B14155238886&PageSize=2"
    ));
    let mut pages = Vec::new();
    while let Some(target) = next {
        let page = client.get(&target);
        let messages = page["messages"].as_array().unwrap().iter();
        pages.push(
            messages
                .map(|message| message["body"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>(),
        );
        next = page["next_page_uri"].as_str().map(String::from);
    }
    assert_eq!(pages, [["sesi 4", "sesi 3"], ["sesi 2", "sesi 0"]]);
}

#[test]
fn a_template_is_shown_with_its_variables_filled_in() {
    let twilio = Twilio::start();
    let content_sid = format!("HX{}", "0a".repeat(16));
    let variables = r#"{"1":"Ani","2":"Satu","3":"Rust","4":"17.00 WIB","5":"Zoom"}"#;
    let content = [
        ("ContentSid", content_sid.as_str()),
        ("ContentVariables", variables),
    ];
    let (_, message) = Client::new(&twilio)
        .post(&[TEXT[0], TEXT[1], content[0], content[1]])
        .unwrap();
    let text = "Halo Ani, pengingat: sesi Satu dari kursus Rust dimulai 17.00 WIB. Tempat/tautan: Zoom. Sampai jumpa di sesi!";
    assert_eq!(message["body"], text);
    let created = twilio.created().remove(0);
    assert_eq!(
        (created.content_sid, created.content_variables.as_deref()),
        (Some(content_sid), Some(variables))
    );
}

#[test]
fn what_twilio_refuses_is_refused_with_its_code() {
    let twilio = Twilio::start();
    let client = Client::new(&twilio);
    for (name, value, code) in [
        ("To", None, 21604),
        ("To", Some("whatsapp:081234567890"), 21211),
        ("To", Some(TEXT[1].1), 63031),
        ("From", None, 21603),
        ("From", Some("+14155238886"), 21212),
        ("Body", None, 21619),
        ("Body", Some(""), 21602),
        ("Body", Some("x".repeat(1601).as_str()), 21617),
        ("Body", Some("é".repeat(1600).as_str()), 0),
        ("ValidityPeriod", Some("0"), 21624),
        ("ContentVariables", Some("{}"), 21654),
    ] {
        assert_eq!(client.complaint(name, value), code, "{name} {value:?}");
    }
    let sid = format!("HX{}", "0a".repeat(16));
    for (sid, variables, code) in [
        (sid.as_str(), r#"{"1":"a    b"}"#, 0),
        (&sid, r#"{"1":"a     b"}"#, 21656),
        (&sid, r#"{"1":"a\nb"}"#, 21656),
        (&sid, r#"{"1":""}"#, 21656),
        (&sid, r#"{"1":null}"#, 21656),
        (&sid, "1=a", 21656),
        ("HX1", "{}", 21655),
    ] {
        let content = [("ContentSid", sid), ("ContentVariables", variables)];
        let (_, answer) = client
            .post(&[TEXT[0], TEXT[1], content[0], content[1]])
            .unwrap();
        assert_eq!(
            answer["code"].as_u64().unwrap_or(0),
            code,
            "{sid} {variables}"
        );
    }
    assert_eq!(twilio.created().len(), 2);
}

#[test]
fn a_stranger_and_a_wrong_account_are_turned_away() {
    let twilio = Twilio::start();
    let mut client = Client::new(&twilio);
    let wrong = PATH.replace(ACCOUNT_SID, "AC1");
    assert_eq!(client.get(&format!("{wrong}.json"))["code"], 20404);
    client.login = "Basic eDp5".into();
    let (status, answer) = client.post(&TEXT).unwrap();
    assert_eq!((status, &answer["code"]), (401, &20003.into()));
}

#[test]
fn each_scripted_answer_does_what_it_says() {
    let twilio = Twilio::script(|message| match message.body.as_deref() {
        Some("429") => Answer::Error {
            http: 429,
            code: 20429,
            message: "Too Many Requests".into(),
            retry_after: Some(2),
        },
        Some("21610") => Answer::error(400, 21610, "Attempt to send to unsubscribed recipient"),
        Some("502") => Answer::Raw {
            http: 502,
            body: "<h1>Bad Gateway</h1>".into(),
        },
        Some("drop") => Answer::Drop,
        Some("created, drop") => Answer::CreateThenDrop,
        Some("silent") => Answer::Silent,
        Some("slow") => Answer::Delay(Duration::from_millis(50)),
        _ => Answer::Created,
    });
    let client = Client::new(&twilio);
    let request = client.agent.post(format!("{}{PATH}.json", client.base));
    let request = request.header("Authorization", &client.login);
    let limited = request
        .send_form([TEXT[0], TEXT[1], ("Body", "429")])
        .unwrap();
    assert_eq!(
        (limited.status().as_u16(), &limited.headers()["Retry-After"]),
        (429, &"2".parse().unwrap())
    );
    let post = |body| client.post(&[TEXT[0], TEXT[1], ("Body", body)]);
    assert_eq!(
        post("21610").unwrap().1["more_info"],
        "https://www.twilio.com/docs/errors/21610"
    );
    assert_eq!(post("502").unwrap(), (502, "<h1>Bad Gateway</h1>".into()));
    assert!(post("drop").is_err() && post("silent").is_err());
    assert_eq!(twilio.created().len(), 0);
    assert!(post("created, drop").is_err());
    assert_eq!(post("slow").unwrap().0, 201);
    assert_eq!(twilio.created().len(), 2);
}

#[test]
#[should_panic = "unknown field StatusCallback"]
fn a_field_that_twilio_does_not_need_fails_the_test() {
    let twilio = Twilio::start();
    let _ = Client::new(&twilio).post(&[TEXT[0], TEXT[1], TEXT[2], ("StatusCallback", "x")]);
}

//! Twilio's stand-in: its Messages API over HTTP on 127.0.0.1, with answers a test may script.
//!
//! ```ignore
//! let twilio = Twilio::script(|message| match message.to.as_str() {
//!     "whatsapp:+6281234567890" => Answer::error(400, 21610, "Attempt to send to unsubscribed recipient"),
//!     _ => Answer::Created,
//! });
//! // … run the program with TWILIO_API_BASE = twilio.base(), TWILIO_SID = ACCOUNT_SID, TWILIO_AUTH_TOKEN = AUTH_TOKEN
//! assert_eq!(twilio.created()[0].body.as_deref(), Some("Halo Ani"));
//! ```
//!
//! What Twilio refuses is refused with its codes before the script is asked. What it would silently ignore, or only
//! mistakenly be sent (an unknown field, a JSON body), panics, and with that fails the test when the server is dropped.

mod account;
mod exchanges;
mod http;
mod messages;
mod rules;

use std::{
    collections::BTreeMap,
    net::TcpStream,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, SystemTime},
};

use serde_json::Value;

use self::{
    http::{Connection, Request, Response},
    messages::{Message, page},
};
use crate::loopback::Loopback;

pub use self::{account::ACCOUNT, messages::TEMPLATE};

pub const ACCOUNT_SID: &str = "AC0123456789abcdef0123456789abcdef";
pub const AUTH_TOKEN: &str = "fedcba9876543210fedcba9876543210";

/// How the server answers one message that Twilio would take.
pub enum Answer {
    Created,
    Error {
        http: u16,
        code: u32,
        message: String,
        /// Seconds, in a `Retry-After` header.
        retry_after: Option<u32>,
    },
    /// An answer that is not Twilio's, as a gateway's HTML; nothing is stored.
    Raw {
        http: u16,
        body: String,
    },
    /// Closes the connection without an answer; nothing is stored.
    Drop,
    /// Stores the message, then closes the connection without an answer.
    CreateThenDrop,
    /// Never answers, and keeps the connection until the client or the test ends; nothing is stored.
    Silent,
    /// Created after this time.
    Delay(Duration),
    /// Created; every later look at it says this status and error code.
    Ends(&'static str, Option<u32>),
}

impl Answer {
    pub fn error(http: u16, code: u32, message: &str) -> Answer {
        Answer::Error {
            http,
            code,
            message: message.into(),
            retry_after: None,
        }
    }
}

/// A message as the client posted it.
#[derive(Debug, Clone)]
pub struct Create {
    /// `SM` and 32 hexadecimal digits, counted up from 1 within a server.
    pub sid: String,
    pub to: String,
    pub from: String,
    pub body: Option<String>,
    pub content_sid: Option<String>,
    /// The JSON text.
    pub content_variables: Option<String>,
    /// Seconds.
    pub validity_period: Option<u32>,
    /// All form fields, decoded, in their order.
    pub fields: Vec<(String, String)>,
    pub at: SystemTime,
    /// Number of its connection, counted from 1.
    pub connection: usize,
}

/// A running server; dropping it closes its port and its connections.
pub struct Twilio {
    shared: Arc<Shared>,
    loopback: Loopback,
}

struct Shared {
    script: Box<dyn Fn(&Create) -> Answer + Send + Sync>,
    requests: Mutex<Vec<String>>,
    messages: Mutex<Vec<Message>>,
    /// What was set by [`Twilio::answer`], by path.
    answers: Mutex<BTreeMap<String, (u16, Value)>>,
}

impl Twilio {
    /// Takes everything that Twilio takes.
    pub fn start() -> Twilio {
        Twilio::script(|_| Answer::Created)
    }

    /// Asks `answer` for each message that Twilio would take.
    pub fn script(answer: impl Fn(&Create) -> Answer + Send + Sync + 'static) -> Twilio {
        let shared = Arc::new(Shared {
            script: Box::new(answer),
            requests: Mutex::default(),
            messages: Mutex::default(),
            answers: Mutex::default(),
        });
        let loopback = Loopback::start({
            let shared = Arc::clone(&shared);
            move |stream, number| shared.converse(stream, number)
        });
        Twilio { shared, loopback }
    }

    /// For `TWILIO_API_BASE`.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.loopback.port())
    }

    /// What a `GET` of this path says from now on, where it does not concern messages: of the account, its senders or a
    /// template.
    pub fn answer(&self, path: &str, status: u16, body: Value) {
        let mut answers = self.shared.answers.lock().unwrap();
        answers.insert(path.into(), (status, body));
    }

    /// The messages that exist, in order.
    pub fn created(&self) -> Vec<Create> {
        let messages = self.shared.messages.lock().unwrap();
        messages
            .iter()
            .map(|message| message.create.clone())
            .collect()
    }

    /// `GET /2010-04-01/…` and so on, in order.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// How many messages were posted, taken or not.
    pub fn posts(&self) -> usize {
        self.count("POST ")
    }

    /// How often messages were looked at.
    pub fn looks(&self) -> usize {
        self.count("GET ")
    }

    fn count(&self, method: &str) -> usize {
        let requests = self.shared.requests.lock().unwrap();
        let of_method = requests.iter().filter(|line| line.starts_with(method));
        of_method.count()
    }

    pub fn connections(&self) -> usize {
        self.loopback.connections()
    }

    /// Waits until all connections are over.
    pub fn settle(&self) {
        self.loopback.settle();
    }

    /// Lets time pass for a message: what later looks at it will say.
    pub fn set_status(&self, sid: &str, status: &str, error_code: Option<u32>) {
        self.shared.set_status(sid, status, error_code);
    }
}

impl Shared {
    fn set_status(&self, sid: &str, status: &str, error_code: Option<u32>) {
        let mut messages = self.messages.lock().unwrap();
        let message = messages
            .iter_mut()
            .find(|message| message.create.sid == sid);
        let message = message.expect("a message with that SID");
        message.status = status.into();
        message.error_code = error_code;
        message.sent_at = (!matches!(status, "queued" | "accepted")).then(SystemTime::now);
    }

    fn converse(&self, stream: TcpStream, number: usize) {
        let mut connection = Connection::new(stream, number);
        while let Some(request) = connection.request() {
            let line = format!("{} {}", request.method, request.target);
            self.requests.lock().unwrap().push(line);
            let Some(response) = self.respond(&request, &mut connection) else {
                return;
            };
            exchanges::note(&request, &response);
            if connection.respond(&response).is_err() || request.closes() {
                return;
            }
        }
    }

    /// None ends the connection without an answer.
    fn respond(&self, request: &Request, connection: &mut Connection) -> Option<Response> {
        if let Some(refusal) = rules::refuse_login(request) {
            return Some(refusal);
        }
        let resource = request.path().strip_prefix(messages::PATH);
        match (request.method.as_str(), resource) {
            ("POST", Some(".json")) => self.create(request, connection),
            ("GET", Some(".json")) => Some(page(&self.messages.lock().unwrap(), request)),
            ("GET", Some(item)) => Some(self.fetch(item).unwrap_or_else(|| not_found(request))),
            ("GET", None) => Some(self.about(request).unwrap_or_else(|| not_found(request))),
            (_, Some(_)) => Some(Response::error(405, 20004, "Method not allowed")),
            (_, None) => Some(not_found(request)),
        }
    }

    /// Of the account, its senders or a template.
    fn about(&self, request: &Request) -> Option<Response> {
        if let Some((status, body)) = self.answers.lock().unwrap().get(request.path()) {
            return Some(Response::json(*status, body));
        }
        account::about(request)
    }

    fn create(&self, request: &Request, connection: &mut Connection) -> Option<Response> {
        let create = match rules::message(request.form(), connection.number) {
            Ok(create) => create,
            Err(refusal) => return Some(refusal),
        };
        match (self.script)(&create) {
            Answer::Created => return Some(self.store(create)),
            Answer::Error {
                http,
                code,
                message,
                retry_after,
            } => {
                let error = Response::error(http, code, &message);
                return Some(Response {
                    retry_after,
                    ..error
                });
            }
            Answer::Raw { http, body } => return Some(Response::html(http, body)),
            Answer::Drop => {}
            Answer::CreateThenDrop => drop(self.store(create)),
            Answer::Silent => connection.silence(),
            Answer::Delay(time) => {
                thread::sleep(time);
                return Some(self.store(create));
            }
            Answer::Ends(status, error_code) => {
                let response = self.store(create);
                let sid = format!("SM{:032x}", self.messages.lock().unwrap().len());
                self.set_status(&sid, status, error_code);
                return Some(response);
            }
        }
        None
    }

    fn store(&self, mut create: Create) -> Response {
        let mut messages = self.messages.lock().unwrap();
        create.sid = format!("SM{:032x}", messages.len() + 1);
        create.at = SystemTime::now();
        let message = Message::new(create);
        let response = Response::json(201, &message.json());
        messages.push(message);
        response
    }

    fn fetch(&self, item: &str) -> Option<Response> {
        let sid = item.strip_prefix('/')?.strip_suffix(".json")?;
        let messages = self.messages.lock().unwrap();
        let message = messages.iter().find(|message| message.create.sid == sid)?;
        Some(Response::json(200, &message.json()))
    }
}

fn not_found(request: &Request) -> Response {
    let path = request.path();
    let message = format!("The requested resource {path} was not found");
    Response::error(404, 20404, &message)
}

#[cfg(test)]
mod tests;

//! Twilio's Messages API: `POST /2010-04-01/Accounts/{sid}/Messages.json`. It knows no idempotency key, so nothing here
//! ever sends a request a second time, and what cannot be known for sure is left in doubt.

use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ureq::http::{Response, header};
use ureq::{Agent, Body, Error, SendBody, Timeout};
use url::form_urlencoded;

use super::Request;
use super::error::Answer;
use super::pace::Pace;
use crate::config;
use crate::gate::Gate;
use crate::outcome::{Fault, LOST, Outcome, TIMEOUT};
use crate::text::{mask_phone, one_line};

const RESOLVE: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(10);
/// The whole call. Longer than Twilio's own limit, so that a slow answer is rather read than missed.
const CALL: Duration = Duration::from_secs(30);
/// A kept connection is not used after so long: what the server has closed meanwhile would leave us in doubt.
const IDLE: Duration = Duration::from_secs(10);
/// Twilio's answers have some 2 KB.
const MAX_ANSWER: u64 = 256 * 1024;

/// The API as one account uses it.
pub struct Twilio {
    pub(super) agent: Agent,
    /// Where the API is.
    pub(super) base: String,
    /// The account's messages.
    pub(super) url: String,
    pub(super) authorization: String,
    auth_token: String,
    pub(super) from: String,
    /// Messages that were found to be those of rows in doubt.
    pub(super) adopted: Mutex<HashSet<String>>,
    pace: Pace,
}

impl Twilio {
    pub fn new(settings: &config::Twilio) -> Self {
        let token = settings.auth_token.expose();
        let credentials = STANDARD.encode(format!("{}:{token}", settings.account_sid));
        Self {
            agent: agent(settings),
            base: settings.api_base.clone(),
            url: format!(
                "{}/2010-04-01/Accounts/{}/Messages.json",
                settings.api_base, settings.account_sid
            ),
            authorization: format!("Basic {credentials}"),
            auth_token: token.to_owned(),
            from: settings.from.clone(),
            adopted: Mutex::default(),
            pace: Pace::per_second(settings.max_per_second),
        }
    }

    pub fn turn(&self, halted: &dyn Fn() -> bool) -> bool {
        self.pace.wait(halted)
    }

    pub fn deliver(&self, request: &Request, gate: &Gate) -> Outcome {
        let form = self.form(request);
        let moves = self.pace.moves();
        let mut body = Watched {
            rest: form.as_bytes(),
            begun: false,
            gate,
        };
        let call = self
            .agent
            .post(&self.url)
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::CONTENT_LENGTH, form.len())
            .send(SendBody::from_reader(&mut body));
        let outcome = match call {
            Ok(response) => self.weigh(&read(response), moves),
            Err(error) if body.begun => in_doubt(&error),
            Err(error) => not_sent(&error),
        };
        self.without_secrets(outcome, request)
    }

    fn form(&self, request: &Request) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("To", &format!("whatsapp:{}", request.to));
        form.append_pair("From", &format!("whatsapp:{}", self.from));
        match &request.content {
            Some((sid, values)) => {
                form.append_pair("ContentSid", sid);
                form.append_pair("ContentVariables", &Request::content_variables(values));
            }
            None => {
                form.append_pair("Body", &request.body);
            }
        }
        // Twilio takes 1 to 36,000 seconds.
        let validity = request.validity_seconds.clamp(1, 36_000);
        form.append_pair("ValidityPeriod", &validity.to_string());
        form.finish()
    }

    /// The answer's own meaning, but for too many requests: those concern the whole channel.
    fn weigh(&self, answer: &Answer, moves: u32) -> Outcome {
        let now = Instant::now();
        match answer.outcome() {
            Outcome::Busy(fault) if self.pace.slow_down(fault.after, moves, now) => {
                Outcome::Busy(fault)
            }
            Outcome::Busy(fault) => Outcome::Stopped(fault),
            other => {
                self.pace.keep(moves, now);
                other
            }
        }
    }

    /// A proxy might repeat anything.
    pub(super) fn clean(&self, fault: Fault) -> Fault {
        let reason = fault.reason.replace(&self.authorization, "***");
        let reason = match self.auth_token.is_empty() {
            true => reason,
            false => reason.replace(&self.auth_token, "***"),
        };
        Fault {
            after: fault.after,
            ..Fault::new(fault.code, reason)
        }
    }

    /// Twilio repeats numbers in its messages.
    fn without_secrets(&self, outcome: Outcome, request: &Request) -> Outcome {
        let clean = |fault: Fault| {
            let reason = fault.reason.replace(&request.to, &mask_phone(&request.to));
            self.clean(Fault { reason, ..fault })
        };
        match outcome {
            Outcome::Sent { .. } => outcome,
            Outcome::Retry { fault, after } => Outcome::Retry {
                fault: clean(fault),
                after,
            },
            Outcome::Busy(fault) => Outcome::Busy(clean(fault)),
            Outcome::Failed(fault) => Outcome::Failed(clean(fault)),
            Outcome::Refused(fault) => Outcome::Refused(clean(fault)),
            Outcome::OptedOut(fault) => Outcome::OptedOut(clean(fault)),
            Outcome::InDoubt(fault) => Outcome::InDoubt(clean(fault)),
            Outcome::Stopped(fault) => Outcome::Stopped(clean(fault)),
            Outcome::Missed(fault) => Outcome::Missed(clean(fault)),
            Outcome::Cancelled(fault) => Outcome::Cancelled(clean(fault)),
        }
    }
}

fn agent(settings: &config::Twilio) -> Agent {
    let mut builder = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_resolve(Some(RESOLVE))
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(CALL))
        .max_idle_connections(settings.connections)
        .max_idle_connections_per_host(settings.connections)
        .max_idle_age(IDLE)
        .user_agent(concat!("reminders/", env!("CARGO_PKG_VERSION")));
    // Plain http is for loopback only, where no proxy can help.
    if settings.api_base.starts_with("http://") {
        builder = builder.proxy(None);
    }
    builder.build().new_agent()
}

fn read(mut response: Response<Body>) -> Answer {
    // A body that breaks off is as good as none: the status has been said.
    let body = response
        .body_mut()
        .with_config()
        .limit(MAX_ANSWER)
        .read_to_vec()
        .unwrap_or_default();
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    Answer::read(response.status().as_u16(), retry_after, &body)
}

/// Knows whether the client has begun to send it. It is asked for only after the head of the request was written, so
/// when nothing has been taken from it, Twilio cannot have seen a whole request.
struct Watched<'a> {
    rest: &'a [u8],
    begun: bool,
    gate: &'a Gate,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.gate.pass() {
            return Err(io::Error::other("the pass has ended"));
        }
        self.begun = true;
        self.rest.read(buffer)
    }
}

fn in_doubt(error: &Error) -> Outcome {
    let code = if matches!(error, Error::Timeout(_)) {
        TIMEOUT
    } else {
        LOST
    };
    let reason = format!(
        "no answer from Twilio ({}): the message may or may not have been taken",
        words(error)
    );
    Outcome::InDoubt(Fault::new(code, reason))
}

/// Nothing of the message left us. A connection that broke under the head of the request was a kept one that the server
/// had just closed; everything else would meet the next message too.
pub(super) fn not_sent(error: &Error) -> Outcome {
    if let Error::Io(io) = error
        && matches!(
            io.kind(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
        )
    {
        let fault = Fault::new(
            LOST,
            format!("the connection to Twilio broke ({})", words(error)),
        );
        return Outcome::Retry { fault, after: None };
    }
    Outcome::Stopped(unreachable(error))
}

/// No word has come from Twilio.
pub(super) fn unreachable(error: &Error) -> Fault {
    let code = match error {
        Error::HostNotFound | Error::Timeout(Timeout::Resolve) => "dns",
        Error::Timeout(_) => "timeout",
        Error::Tls(_) | Error::Rustls(_) | Error::TlsRequired => "tls",
        Error::Io(io) if io.kind() == io::ErrorKind::InvalidData => "tls",
        _ => "connect",
    };
    let reason = format!(
        "cannot reach Twilio ({}): check the network and TWILIO_API_BASE",
        words(error)
    );
    Fault::new(code, reason)
}

pub(super) fn words(error: &Error) -> String {
    one_line(&error.to_string(), 120)
}

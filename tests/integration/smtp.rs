//! A real, strict SMTP server on 127.0.0.1 whose every answer a test may script.
//!
//! ```ignore
//! let server = Smtp::builder().starttls().login("budi", "rahasia")
//!     .script(|phase, argument| match (phase, argument) {
//!         (Phase::Rcpt, "gone@example.org") => Reply::Say("550 5.1.1 no such user".into()),
//!         _ => Reply::Accept,
//!     }).start();
//! // … run the program with MAIL_PORT = server.port() and MAIL_CA_FILE = server.ca_file() …
//! assert_eq!(server.wait_for(1)[0].to, ["ani@example.org"]);
//! ```
//!
//! Whatever RFC 5321 forbids is refused (commands out of turn, bare LF, long lines, unannounced 8-bit text), so that
//! a mail in `mails()` is one that any server takes.

mod rules;
mod session;

use std::{
    fmt::Write,
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use mail_parser::{Message, MessageParser, MimeHeaders};

use self::session::Session;
use crate::{loopback::Loopback, tls::Authority};

/// Where in the conversation an answer is given, and the argument the script gets with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Before the greeting; no argument.
    Connect,
    /// The client's name.
    Ehlo,
    Starttls,
    /// The user name, once the whole exchange is over.
    Auth,
    /// The sender's bare address.
    Mail,
    /// The recipient's bare address.
    Rcpt,
    /// The recipients accepted so far, joined by a comma; maybe none.
    Data,
    /// As `Data`, once the mail has been read to its end.
    Body,
    Rset,
    Noop,
    Quit,
}

/// How the server behaves at one phase.
pub enum Reply {
    /// What the server says by itself: yes, but for a wrong password or DATA without a recipient.
    Accept,
    /// These words, `\n` between the lines of a long reply. 2xx and 3xx accept, 421 also closes.
    Say(String),
    /// Closes the connection without an answer; nothing is stored.
    Drop,
    /// Accepts (at `Body`: stores the mail), then closes the connection without an answer.
    AcceptThenDrop,
    /// Never answers, and keeps the connection until the client or the test ends; nothing is stored.
    Silent,
    /// Answers line after line, a second apart, and never comes to the last one; nothing is stored.
    Trickle,
    /// Accepts after this time.
    Delay(Duration),
}

type Script = dyn Fn(Phase, &str) -> Reply + Send + Sync;

/// A running server; dropping it closes its port and its connections.
pub struct Smtp {
    shared: Arc<Shared>,
    loopback: Loopback,
}

/// What all connections share.
struct Shared {
    settings: Builder,
    record: Mutex<Record>,
}

#[derive(Default)]
struct Record {
    mails: Vec<Mail>,
    logins: usize,
    commands: Vec<String>,
    /// How often answers have left.
    answers: usize,
    /// Both sides of every connection, for a failing test.
    transcript: String,
}

impl Smtp {
    /// A plain server that wants no login.
    pub fn start() -> Smtp {
        Smtp::builder().start()
    }

    pub fn builder() -> Builder {
        Builder {
            extensions: ["PIPELINING", "8BITMIME", "SMTPUTF8"]
                .map(String::from)
                .into(),
            authority: None,
            implicit_tls: false,
            login: None,
            delay: Duration::ZERO,
            script: Box::new(|_, _| Reply::Accept),
        }
    }

    pub fn port(&self) -> u16 {
        self.loopback.port()
    }

    /// The certificate (PEM) a client must trust; of a server with TLS.
    pub fn ca_file(&self) -> &Path {
        let authority = self.shared.settings.authority.as_ref();
        authority.expect("a server with TLS").ca_file()
    }

    /// The accepted mails, in order.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.record.lock().unwrap().mails.clone()
    }

    /// Who got a mail, sorted, as often as they got one.
    pub fn recipients(&self) -> Vec<String> {
        let mut all: Vec<String> = self.mails().into_iter().flat_map(|mail| mail.to).collect();
        all.sort();
        all
    }

    pub fn connections(&self) -> usize {
        self.loopback.connections()
    }

    /// Waits until all connections are over.
    pub fn settle(&self) {
        self.loopback.settle();
    }

    /// How often a client has tried to log in, with success or without.
    pub fn logins(&self) -> usize {
        self.shared.record.lock().unwrap().logins
    }

    /// Every line the clients sent outside mails, in order, answers to AUTH included.
    pub fn commands(&self) -> Vec<String> {
        self.shared.record.lock().unwrap().commands.clone()
    }

    /// How often the server has answered, all answers of a pipelined group counted once: the round trips.
    pub fn round_trips(&self) -> usize {
        self.shared.record.lock().unwrap().answers
    }

    /// The mails as soon as there are `n`; panics with the transcript if there are fewer after 10 s.
    pub fn wait_for(&self, n: usize) -> Vec<Mail> {
        let end = Instant::now() + Duration::from_secs(10);
        while self.mails().len() < n {
            if Instant::now() > end {
                let record = self.shared.record.lock().unwrap();
                panic!("{} of {n} mails\n{}", record.mails.len(), record.transcript);
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.mails()
    }
}

impl Record {
    fn note(&mut self, connection: usize, mark: char, line: &str) {
        let _ = writeln!(self.transcript, "{connection}{mark} {line}");
    }
}

/// What a server offers and how it behaves.
pub struct Builder {
    extensions: Vec<String>,
    authority: Option<Authority>,
    implicit_tls: bool,
    login: Option<(String, String)>,
    delay: Duration,
    script: Box<Script>,
}

impl Builder {
    /// Offers STARTTLS; with `login`, nothing but it goes in clear.
    pub fn starttls(mut self) -> Builder {
        self.authority = Some(Authority::new());
        self
    }

    /// TLS from the first byte, as on port 465.
    pub fn implicit_tls(mut self) -> Builder {
        self.implicit_tls = true;
        self.starttls()
    }

    /// Takes mail from this user only.
    pub fn login(mut self, user: &str, password: &str) -> Builder {
        self.login = Some((user.into(), password.into()));
        self
    }

    pub fn without_pipelining(mut self) -> Builder {
        self.extensions
            .retain(|extension| extension != "PIPELINING");
        self
    }

    /// Offers these instead of the usual PIPELINING, 8BITMIME and SMTPUTF8 (STARTTLS and AUTH come by themselves).
    pub fn extensions(mut self, extensions: &[&str]) -> Builder {
        self.extensions = extensions.iter().copied().map(String::from).collect();
        self
    }

    /// The round trip to a distant server: paid before each answer, once for all answers of a pipelined group.
    pub fn delay(mut self, delay: Duration) -> Builder {
        self.delay = delay;
        self
    }

    /// Asked at each phase of each connection, for commands that are in order.
    pub fn script(
        mut self,
        script: impl Fn(Phase, &str) -> Reply + Send + Sync + 'static,
    ) -> Builder {
        self.script = Box::new(script);
        self
    }

    pub fn start(self) -> Smtp {
        let shared = Arc::new(Shared {
            settings: self,
            record: Mutex::default(),
        });
        let loopback = Loopback::start({
            let shared = Arc::clone(&shared);
            move |stream, number| Session::new(&shared, stream, number).run()
        });
        Smtp { shared, loopback }
    }
}

/// A mail the server took responsibility for.
#[derive(Debug, Clone)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// With CRLF lines, dots unstuffed.
    pub data: Vec<u8>,
    pub tls: bool,
    pub login: Option<String>,
    /// Number of its connection, counted from 1.
    pub connection: usize,
}

impl Mail {
    /// The first header of that name, unfolded, otherwise as it came.
    pub fn header(&self, name: &str) -> Option<String> {
        let value = self.parsed().header_raw(name)?.replace("\r\n", "");
        Some(value.trim().to_owned())
    }

    /// Decoded, as are `text` and `html`.
    pub fn subject(&self) -> String {
        self.parsed().subject().expect("a subject").into()
    }

    pub fn text(&self) -> String {
        self.parsed().body_text(0).expect("a text").into()
    }

    pub fn html(&self) -> String {
        self.parsed().body_html(0).expect("an HTML part").into()
    }

    /// The attached entry of a calendar.
    pub fn calendar(&self) -> String {
        let parsed = self.parsed();
        let part = parsed.attachment(0).expect("an attachment");
        let content_type = part.content_type().expect("a Content-Type");
        assert_eq!(content_type.subtype(), Some("calendar"));
        part.text_contents().expect("a text").into()
    }

    fn parsed(&self) -> Message<'_> {
        MessageParser::default().parse(&self.data).expect("a mail")
    }
}

#[cfg(test)]
mod tests;

//! A session against a small server on loopback that answers as each test tells it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::config::{Smtp, Tls, secret::Secret};
use crate::outcome::Outcome;

mod pipelining;

enum Answer {
    Say(&'static str),
    HangUp,
}
use Answer::{HangUp, Say};

/// What the server saw: one list of commands per connection, the body of a mail as one of them.
type Seen = Arc<Mutex<Vec<Vec<String>>>>;

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// Answers `react(connection, command)`; `None` means the usual.
struct Server {
    port: u16,
    seen: Seen,
}

impl Server {
    fn start(react: impl Fn(usize, &str) -> Option<Answer> + Send + 'static) -> Self {
        Self::with_tls(None, react)
    }

    fn with_tls(
        tls: Option<Arc<ServerConfig>>,
        react: impl Fn(usize, &str) -> Option<Answer> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Seen::default();
        let record = Arc::clone(&seen);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                record.lock().unwrap().push(Vec::new());
                let told = |command: &str| {
                    record.lock().unwrap()[number].push(command.to_owned());
                    react(number, command)
                };
                let _ = talk(wrap(stream.unwrap(), tls.as_ref()), told);
            }
        });
        Self { port, seen }
    }

    fn settings(&self) -> Smtp {
        Smtp {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            tls: Tls::Never,
            login: None,
            ehlo: Some("client.example.org".to_owned()),
            ca_file: None,
            connections: 1,
        }
    }

    fn seen(&self) -> Vec<Vec<String>> {
        self.seen.lock().unwrap().clone()
    }
}

fn wrap(stream: TcpStream, tls: Option<&Arc<ServerConfig>>) -> Box<dyn Stream> {
    match tls {
        Some(config) => Box::new(StreamOwned::new(
            ServerConnection::new(Arc::clone(config)).unwrap(),
            stream,
        )),
        None => Box::new(stream),
    }
}

fn talk(stream: Box<dyn Stream>, told: impl Fn(&str) -> Option<Answer>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut command = "CONNECT".to_owned();
    loop {
        let usual = match command.split([' ', ':']).next().unwrap_or_default() {
            "CONNECT" => "220 hello\r\n",
            "EHLO" => "250-hello\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN\r\n",
            "AUTH" => "235 welcome\r\n",
            "DATA" => "354 go on\r\n",
            "QUIT" => "221 bye\r\n",
            _ => "250 ok\r\n",
        };
        let reply = match told(&command) {
            Some(HangUp) => return Ok(()),
            Some(Say(reply)) => reply,
            None => usual,
        };
        stream.get_mut().write_all(reply.as_bytes())?;
        stream.get_mut().flush()?;
        let body = command == "DATA" && reply.starts_with("354");
        command.clear();
        let ended = |text: &str| text == ".\r\n" || text.ends_with("\r\n.\r\n");
        while stream.read_line(&mut command)? > 0 && body && !ended(&command) {}
        if command.is_empty() {
            return Ok(());
        }
        command = if body {
            format!("BODY {command}")
        } else {
            command.trim_end().to_owned()
        };
    }
}

fn envelope(to: &str) -> Envelope {
    Envelope {
        from: "kursus@example.org".parse().unwrap(),
        to: to.parse().unwrap(),
        message_id: format!("<s1.{to}>"),
        bytes: b"Subject: x\r\n\r\n.Halo\r\n..\r\n".to_vec(),
    }
}

fn name(outcome: &Outcome) -> &'static str {
    outcome.class().0
}

/// Delivers one mail after the other in one session and tells what became of them.
fn deliver_all(server: &Server, recipients: &[&str]) -> Vec<&'static str> {
    let mut session = Session::open(&server.settings()).unwrap();
    let envelopes: Vec<Envelope> = recipients.iter().map(|to| envelope(to)).collect();
    let deliver = |number: usize| {
        let next = envelopes.get(number + 1);
        name(&deliver(&mut session, &envelopes[number], next))
    };
    let outcomes = (0..envelopes.len()).map(deliver).collect();
    session.close();
    outcomes
}

fn deliver(session: &mut Session, envelope: &Envelope, next: Option<&Envelope>) -> Outcome {
    match session.prepare(envelope) {
        Ok(ready) => {
            let next = next.filter(|_| ready.patience().is_some());
            ready.hand_over(&Gate::default(), next)
        }
        Err(outcome) => outcome,
    }
}

#[test]
fn many_mails_take_one_connection_and_dots_are_stuffed() {
    let server = Server::start(|_, _| None);
    assert_eq!(
        deliver_all(&server, &["a@example.com", "b@example.com"]),
        ["sent", "sent"]
    );
    let expected = [
        "CONNECT",
        "EHLO client.example.org",
        "EHLO client.example.org",
        "MAIL FROM:<kursus@example.org>",
        "RCPT TO:<a@example.com>",
        "DATA",
        "BODY Subject: x\r\n\r\n..Halo\r\n...\r\n.\r\n",
        "MAIL FROM:<kursus@example.org>",
        "RCPT TO:<b@example.com>",
        "DATA",
        "BODY Subject: x\r\n\r\n..Halo\r\n...\r\n.\r\n",
        "QUIT",
    ];
    assert_eq!(server.seen(), [expected]);
}

#[test]
fn a_refused_mail_keeps_the_connection() {
    let server = Server::start(|_, command| match command {
        "RCPT TO:<gone@example.com>" => Some(Say("550-5.1.1 no such\r\n550 5.1.1 user\r\n")),
        "RCPT TO:<busy@example.com>" => Some(Say("451 4.3.0 later\r\n")),
        _ => None,
    });
    let outcomes = deliver_all(
        &server,
        &["gone@example.com", "busy@example.com", "a@example.com"],
    );
    assert_eq!(outcomes, ["failed", "retry", "sent"]);
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        seen[0].iter().filter(|command| *command == "RSET").count(),
        2
    );
}

#[test]
fn a_lost_connection_is_opened_again_for_the_next_mail() {
    for (phase, expected) in [
        ("MAIL", "retry"),
        ("RCPT", "retry"),
        ("DATA", "retry"),
        ("BODY", "in doubt"),
    ] {
        let server = Server::start(move |connection, command| {
            (connection == 0 && command.starts_with(phase)).then_some(HangUp)
        });
        assert_eq!(
            deliver_all(&server, &["a@example.com", "b@example.com"]),
            [expected, "sent"],
            "{phase}"
        );
        assert_eq!(server.seen().len(), 2);
    }
}

#[test]
fn a_421_stops_and_ends_the_connection() {
    let server = Server::start(|connection, command| {
        (connection == 0 && command.starts_with("RCPT")).then_some(Say("421 4.7.0 too much\r\n"))
    });
    assert_eq!(
        deliver_all(&server, &["a@example.com", "b@example.com"]),
        ["stopped", "sent"]
    );
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn a_server_that_is_gone_stops_the_channel() {
    let server = Server::start(|connection, command| match (connection, command) {
        (0, "DATA") => Some(HangUp),
        (0, _) => None,
        _ => Some(Say("554 no service\r\n")),
    });
    assert_eq!(
        deliver_all(&server, &["a@example.com", "b@example.com"]),
        ["retry", "stopped"]
    );
}

#[test]
fn an_answer_out_of_turn_sends_nothing() {
    let server = Server::start(|connection, command| {
        (connection == 0 && command == "DATA").then_some(Say("250 what?\r\n"))
    });
    assert_eq!(
        deliver_all(&server, &["a@example.com", "b@example.com"]),
        ["retry", "sent"]
    );
    assert!(
        !server.seen()[0]
            .iter()
            .any(|command| command.starts_with("BODY"))
    );
}

#[test]
fn a_non_ascii_address_needs_smtputf8() {
    let server = Server::start(|connection, command| {
        (connection == 1 && command.starts_with("EHLO"))
            .then_some(Say("250-hello\r\n250 SMTPUTF8\r\n"))
    });
    assert_eq!(
        deliver_all(&server, &["büdi@example.com", "a@example.com"]),
        ["failed", "sent"]
    );
    assert_eq!(deliver_all(&server, &["büdi@example.com"]), ["sent"]);
    assert!(server.seen()[1].contains(&"MAIL FROM:<kursus@example.org> SMTPUTF8".to_owned()));
}

#[test]
fn a_refused_login_stops_without_repeating_the_password() {
    let server = Server::start(|_, command| {
        command
            .starts_with("AUTH")
            .then_some(Say("535 5.7.8 bad: hunter2 AHVzZXIAaHVudGVyMg==\r\n"))
    });
    let mut settings = server.settings();
    settings.login = Some(("user".to_owned(), Secret::new("hunter2".to_owned())));
    let fault = Session::open(&settings).err().unwrap();
    assert_eq!(fault.code, "535 5.7.8");
    assert!(
        fault.reason.contains("MAIL_PASSWORD") && fault.reason.contains("*** ***"),
        "{fault}"
    );
}

#[test]
fn what_cannot_be_reached_says_what_to_check() {
    let server = Server::start(|_, _| None);
    let mut refused = server.settings();
    refused.port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut unknown = server.settings();
    unknown.host = "mail.invalid".to_owned();
    let mut clear = server.settings();
    clear.tls = Tls::Required;
    for (settings, code, word) in [
        (refused, "connect", "MAIL_PORT"),
        (unknown, "dns", "MAIL_HOST"),
        (clear, "tls", "STARTTLS"),
    ] {
        let fault = Session::open(&settings).err().unwrap();
        assert_eq!(fault.code, code, "{fault}");
        assert!(fault.reason.contains(word), "{fault}");
    }
}

#[test]
fn a_certificate_is_trusted_only_through_the_ca_file_and_only_for_its_name() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let tls =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
    let server = Server::with_tls(Some(Arc::new(tls)), |_, _| None);
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), cert.pem()).unwrap();
    let settings = |host: &str, ca_file| Smtp {
        host: host.to_owned(),
        tls: Tls::Implicit,
        ca_file,
        ..server.settings()
    };
    let ca_file = Some(ca.path().to_owned());
    let mut session = Session::open(&settings("localhost", ca_file.clone())).unwrap();
    assert_eq!(
        name(&deliver(&mut session, &envelope("a@example.com"), None)),
        "sent"
    );
    drop(session);
    for (host, ca_file, word) in [
        ("localhost", None, "MAIL_CA_FILE"),
        ("127.0.0.1", ca_file, "MAIL_HOST"),
    ] {
        let fault = Session::open(&settings(host, ca_file)).err().unwrap();
        assert_eq!(fault.code, "tls", "{fault}");
        assert!(fault.reason.contains(word), "{fault}");
    }
}

#[test]
fn tls_from_the_start_against_plain_smtp_names_the_setting() {
    let server = Server::start(|_, _| None);
    let mut settings = server.settings();
    settings.tls = Tls::Implicit;
    let fault = Session::open(&settings).err().unwrap();
    assert_eq!(fault.code, "tls", "{fault}");
    assert!(fault.reason.contains("MAIL_ENCRYPTION=tls"), "{fault}");
}

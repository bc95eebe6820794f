//! The client against a small HTTP server on loopback that answers as each test tells it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::*;
use crate::config::{Twilio, Whatsapp, WhatsappTransport, secret::Secret};
use crate::outcome::Fault;

/// One request as the server saw it: its head and its form.
type Seen = Arc<Mutex<Vec<(String, Vec<(String, String)>)>>>;

struct Server {
    base: String,
    seen: Seen,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Answers the n-th request with `answer(n)`; an empty answer hangs up, one with `LAST` closes the connection after
    /// it without a word.
    fn start(answer: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (seen, connections) = (Seen::default(), Arc::new(AtomicUsize::new(0)));
        let (record, count, answer) = (
            Arc::clone(&seen),
            Arc::clone(&connections),
            Arc::new(answer),
        );
        thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let (record, answer) = (Arc::clone(&record), Arc::clone(&answer));
                thread::spawn(move || talk(stream.unwrap(), &record, answer.as_ref()));
            }
        });
        Self {
            base,
            seen,
            connections,
        }
    }

    fn client(&self) -> Client {
        client(&self.base, 1000.0)
    }
}

fn talk(stream: TcpStream, seen: &Seen, answer: &dyn Fn(usize) -> String) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let length = head.lines().find_map(|line| {
            line.to_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        });
        let mut form = vec![0; length.unwrap()];
        stream.read_exact(&mut form).unwrap();
        let form = url::form_urlencoded::parse(&form).into_owned().collect();
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push((head, form));
            seen.len()
        };
        let answer = answer(number);
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        if answer.is_empty() || answer.contains("LAST") {
            return;
        }
    }
}

fn client(base: &str, max_per_second: f64) -> Client {
    Client::new(&Whatsapp {
        transport: WhatsappTransport::Twilio(Twilio {
            account_sid: "AC123".to_owned(),
            auth_token: Secret::new("t0ken".to_owned()),
            from: "+14155238886".to_owned(),
            api_base: base.to_owned(),
            connections: 2,
            max_per_second,
        }),
        reminder: config::ContentSids::default(),
        moved: config::ContentSids::default(),
        cancelled: config::ContentSids::default(),
    })
}

fn http(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn created() -> String {
    http("201 Created", r#"{"sid":"SM1","status":"queued"}"#)
}

fn request() -> Request {
    Request {
        to: "+6281234567890".to_owned(),
        body: "Halo & apa = kabar 🎉".to_owned(),
        content: None,
        validity_seconds: 3000,
    }
}

fn field<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    form.iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

#[test]
fn a_message_is_posted_as_twilio_wants_it_over_one_kept_connection() {
    let server = Server::start(|_| created());
    let client = server.client();
    for _ in 0..3 {
        let sent = Outcome::Sent {
            message_id: "SM1".to_owned(),
            status: Some("queued".to_owned()),
        };
        assert_eq!(client.deliver(&request(), &Gate::default()), sent);
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    let seen = server.seen.lock().unwrap();
    let (head, form) = &seen[0];
    assert!(
        head.starts_with("POST /2010-04-01/Accounts/AC123/Messages.json HTTP/1.1\r\n"),
        "{head}"
    );
    let head = head.replace("Authorization", "authorization");
    assert!(
        head.contains("authorization: Basic QUMxMjM6dDBrZW4=\r\n"),
        "{head}"
    );
    let head = head.to_lowercase();
    assert!(
        head.contains("content-type: application/x-www-form-urlencoded\r\n")
            && !head.contains("chunked")
    );
    assert_eq!(field(form, "To"), Some("whatsapp:+6281234567890"));
    assert_eq!(field(form, "From"), Some("whatsapp:+14155238886"));
    assert_eq!(field(form, "Body"), Some("Halo & apa = kabar 🎉"));
    assert_eq!(field(form, "ValidityPeriod"), Some("3000"));
}

#[test]
fn a_template_goes_without_a_body() {
    let server = Server::start(|_| created());
    let mut template = request();
    template.content = Some((
        "HX1".to_owned(),
        ["Budi \"B\"", "s", "c", "17.00 WIB", "-"].map(str::to_owned),
    ));
    server.client().deliver(&template, &Gate::default());
    let seen = server.seen.lock().unwrap();
    let form = &seen[0].1;
    assert_eq!(field(form, "ContentSid"), Some("HX1"));
    let variables = r#"{"1":"Budi \"B\"","2":"s","3":"c","4":"17.00 WIB","5":"-"}"#;
    assert_eq!(field(form, "ContentVariables"), Some(variables));
    assert_eq!(field(form, "Body"), None);
}

#[test]
fn a_connection_closed_while_idle_is_not_a_doubt() {
    let server = Server::start(|_| http("201 Created", r#"{"sid":"SM1","body":"LAST"}"#));
    let client = server.client();
    for _ in 0..3 {
        let outcome = client.deliver(&request(), &Gate::default());
        assert!(matches!(outcome, Outcome::Sent { .. }), "{outcome:?}");
        thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 3);
}

#[test]
fn a_connection_lost_after_the_request_is_in_doubt_and_not_sent_again() {
    let server = Server::start(|_| String::new());
    assert!(matches!(
        server.client().deliver(&request(), &Gate::default()),
        Outcome::InDoubt(_)
    ));
    assert_eq!(server.seen.lock().unwrap().len(), 1);
    let garbage = Server::start(|_| "SSH-2.0-LAST\r\n\r\n".to_owned());
    assert!(matches!(
        garbage.client().deliver(&request(), &Gate::default()),
        Outcome::InDoubt(_)
    ));
}

#[test]
fn what_never_left_stops_the_channel() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for (base, code) in [
        (format!("http://127.0.0.1:{port}"), "connect"),
        ("http://twilio.invalid".to_owned(), "connect"),
    ] {
        match client(&base, 1000.0).deliver(&request(), &Gate::default()) {
            Outcome::Stopped(fault) => assert_eq!(fault.code, code, "{fault}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn plain_http_where_tls_is_expected_stops_the_channel() {
    let server = Server::start(|_| created());
    let base = server.base.replace("http://", "https://");
    let outcome = client(&base, 1000.0).deliver(&request(), &Gate::default());
    assert!(matches!(outcome, Outcome::Stopped(_)), "{outcome:?}");
}

#[test]
fn answers_keep_their_meaning_and_hide_the_number_and_the_token() {
    let server = Server::start(|_| {
        http(
            "400 Bad Request",
            r#"{"code":21211,"message":"'To' whatsapp:+6281234567890 is invalid, t0ken"}"#,
        )
    });
    let Outcome::Failed(fault) = server.client().deliver(&request(), &Gate::default()) else {
        panic!("not failed");
    };
    assert_eq!(fault.code, "21211");
    assert!(
        !fault.reason.contains("6281234567890") && !fault.reason.contains("t0ken"),
        "{fault}"
    );
}

#[test]
fn a_gateway_page_is_read_by_its_status() {
    let server = Server::start(|number| match number {
        1 => http("502 Bad Gateway", "<html>oops</html>"),
        2 => http("401 Unauthorized", "<html>"),
        3 => http("302 Found\r\nLocation: /elsewhere", ""),
        _ => "HTTP/1.1 429 Too Many\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n".to_owned(),
    });
    let client = server.client();
    assert!(matches!(
        client.deliver(&request(), &Gate::default()),
        Outcome::InDoubt(_)
    ));
    assert!(matches!(
        client.deliver(&request(), &Gate::default()),
        Outcome::Stopped(_)
    ));
    assert!(matches!(
        client.deliver(&request(), &Gate::default()),
        Outcome::Stopped(_)
    ));
    match client.deliver(&request(), &Gate::default()) {
        Outcome::Busy(Fault { after, .. }) => {
            assert_eq!(after, Some(std::time::Duration::from_secs(9)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_pace_holds_over_all_threads() {
    let server = Server::start(|_| created());
    let client = client(&server.base, 50.0);
    let start = std::time::Instant::now();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..3).for_each(|_| assert!(client.turn(&|| false))));
        }
    });
    assert!(
        start.elapsed() >= std::time::Duration::from_millis(220),
        "{:?}",
        start.elapsed()
    );
}

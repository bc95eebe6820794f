use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::{Duration, Instant},
};

use lettre::{
    Message, SmtpTransport, Transport,
    message::MultiPart,
    transport::smtp::{
        Error,
        client::{Certificate, Tls, TlsParameters},
    },
};

use super::{Phase, Reply, Smtp};

/// TLS that trusts the authority of `trusted` only.
fn tls(trusted: &Smtp) -> TlsParameters {
    let certificate = Certificate::from_pem(&fs::read(trusted.ca_file()).unwrap()).unwrap();
    TlsParameters::builder("localhost".into())
        .add_root_certificate(certificate)
        .build()
        .unwrap()
}

/// Sends one mail as lettre does; logs in as `budi` when there is a password.
fn send(server: &Smtp, tls: Tls, password: Option<&str>) -> Result<(), Error> {
    let (text, html) = ("Hai\n.😀".to_owned(), "<p>Hai</p>".to_owned());
    let message = Message::builder()
        .from("Kursus <kursus@example.org>".parse().unwrap())
        .to("Ani <ani@example.org>".parse().unwrap())
        .subject("Pengingat é")
        .multipart(MultiPart::alternative_plain_html(text, html))
        .unwrap();
    let mut client = SmtpTransport::builder_dangerous("localhost")
        .port(server.port())
        .timeout(Some(Duration::from_millis(500)))
        .tls(tls);
    if let Some(password) = password {
        client = client.credentials(("budi".to_owned(), password.to_owned()).into());
    }
    client.build().send(&message).map(drop)
}

/// One mail to a plain server that behaves so at one phase.
fn scripted(phase: Phase, reply: fn() -> Reply) -> (Smtp, Result<(), Error>) {
    let script = move |at, _: &str| if at == phase { reply() } else { Reply::Accept };
    let server = Smtp::builder().script(script).start();
    let result = send(&server, Tls::None, None);
    (server, result)
}

/// Writes each step at once and reads its answers; gives all the server's lines, the greeting first.
fn talk(server: &Smtp, steps: &[&str]) -> Vec<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = answers(&mut reader, 1);
    for step in steps {
        stream.write_all(step.as_bytes()).unwrap();
        let (bodies, commands) = match step.rsplit_once("\r\n.\r\n") {
            Some((_, commands)) => (1, commands),
            None => (0, *step),
        };
        let expected = bodies + commands.matches("\r\n").count();
        lines.extend(answers(&mut reader, expected));
    }
    lines
}

/// So many answers, or fewer where the server falls silent or closes the connection.
fn answers(reader: &mut BufReader<TcpStream>, mut expected: usize) -> Vec<String> {
    let mut lines = Vec::new();
    while expected > 0
        && let Some(Ok(line)) = reader.lines().next()
    {
        expected -= usize::from(line.get(3..4) == Some(" "));
        lines.push(line);
    }
    lines
}

/// The last answer to `commands` after EHLO.
fn answer(commands: &str) -> String {
    talk(&Smtp::start(), &["EHLO x\r\n", commands])
        .pop()
        .unwrap()
}

/// The answer to one mail, given MAIL's parameters and its lines.
fn verdict(parameters: &str, text: &str) -> String {
    let envelope = format!("MAIL FROM:<a@x>{parameters}\r\nRCPT TO:<b@x>\r\nDATA\r\n");
    let body = format!("{text}\r\n.\r\n");
    let lines = talk(&Smtp::start(), &["EHLO x\r\n", &envelope, &body]);
    lines.last().unwrap().clone()
}

#[test]
fn a_mail_arrives_whole_in_clear() {
    let server = Smtp::start();
    send(&server, Tls::None, None).unwrap();
    let mail = server.wait_for(1).remove(0);
    assert_eq!(mail.from, "kursus@example.org");
    assert_eq!(mail.to, ["ani@example.org"]);
    assert_eq!(mail.header("to").unwrap(), "Ani <ani@example.org>");
    assert_eq!(
        (mail.subject().as_str(), mail.html().as_str()),
        ("Pengingat é", "<p>Hai</p>")
    );
    assert_eq!(mail.text().replace("\r\n", "\n").trim_end(), "Hai\n.😀");
    assert_eq!((mail.tls, mail.login, mail.connection), (false, None, 1));
    assert_eq!((server.connections(), server.logins()), (1, 0));
}

#[test]
fn starttls_and_implicit_tls_lead_to_a_login() {
    let starttls = Smtp::builder().starttls().login("budi", "rahasia").start();
    send(&starttls, Tls::Required(tls(&starttls)), Some("rahasia")).unwrap();
    let implicit = Smtp::builder()
        .implicit_tls()
        .login("budi", "rahasia")
        .start();
    send(&implicit, Tls::Wrapper(tls(&implicit)), Some("rahasia")).unwrap();
    for server in [starttls, implicit] {
        let mail = server.wait_for(1).remove(0);
        assert_eq!((mail.tls, mail.login.as_deref()), (true, Some("budi")));
        assert_eq!(server.logins(), 1);
    }
}

#[test]
fn a_client_that_does_not_trust_the_authority_sends_nothing() {
    let server = Smtp::builder().implicit_tls().start();
    let stranger = Smtp::builder().implicit_tls().start();
    assert!(send(&server, Tls::Wrapper(tls(&stranger)), None).is_err());
    assert!(server.commands().is_empty());
}

#[test]
fn a_wrong_password_gets_gmails_words() {
    let server = Smtp::builder().login("budi", "rahasia").start();
    let error = send(&server, Tls::None, Some("salah"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("5.7.8 Username and Password not accepted"),
        "{error}"
    );
    assert_eq!((server.logins(), server.mails().len()), (1, 0));
}

#[test]
fn login_takes_both_mechanisms_and_a_cancelled_one() {
    let server = Smtp::builder().login("budi", "rahasia").start();
    let start = ["EHLO x\r\n", "AUTH LOGIN\r\n", "*\r\n"];
    assert_eq!(
        talk(&server, &start).pop().unwrap(),
        "501 5.5.2 Cannot decode the credentials"
    );
    let login = [
        "EHLO x\r\n",
        "AUTH LOGIN\r\n",
        "YnVkaQ==\r\n",
        "cmFoYXNpYQ==\r\n",
    ];
    assert_eq!(talk(&server, &login).pop().unwrap(), "235 2.7.0 Accepted");
    let plain = ["EHLO x\r\n", "AUTH PLAIN\r\n", "AGJ1ZGkAcmFoYXNpYQ==\r\n"];
    assert_eq!(talk(&server, &plain).pop().unwrap(), "235 2.7.0 Accepted");
}

#[test]
fn no_password_and_no_mail_before_starttls_where_a_login_is_wanted() {
    let server = Smtp::builder().starttls().login("budi", "rahasia").start();
    let lines = talk(
        &server,
        &[
            "EHLO x\r\n",
            "AUTH PLAIN AGEAYg==\r\n",
            "MAIL FROM:<a@x>\r\n",
        ],
    );
    assert!(lines.contains(&"250 STARTTLS".to_owned()), "{lines:?}");
    assert_eq!(
        lines[lines.len() - 2..],
        ["530 5.7.0 Must issue a STARTTLS command first"; 2]
    );
}

#[test]
fn what_follows_starttls_in_clear_is_thrown_away() {
    let server = Smtp::builder().starttls().start();
    let lines = talk(&server, &["EHLO x\r\n", "STARTTLS\r\nMAIL FROM:<a@x>\r\n"]);
    assert_eq!(lines.last().unwrap(), "220 2.0.0 Ready to start TLS");
    assert_eq!(server.commands(), ["EHLO x", "STARTTLS"]);
}

#[test]
fn each_scripted_reply_does_what_it_says() {
    let (server, result) = scripted(Phase::Rcpt, || Reply::Say("550 5.1.1 gone".into()));
    assert_eq!(result.unwrap_err().status().unwrap().to_string(), "550");
    assert!(server.mails().is_empty());
    for phase in [
        Phase::Connect,
        Phase::Ehlo,
        Phase::Mail,
        Phase::Data,
        Phase::Body,
    ] {
        let (server, result) = scripted(phase, || Reply::Drop);
        assert!(result.is_err() && server.mails().is_empty(), "{phase:?}");
    }
    let (server, result) = scripted(Phase::Body, || Reply::AcceptThenDrop);
    assert!(result.is_err());
    assert_eq!(server.wait_for(1).len(), 1);
    let (server, result) = scripted(Phase::Body, || Reply::Silent);
    assert!(result.is_err() && server.mails().is_empty());
    let (server, result) = scripted(Phase::Mail, || Reply::Delay(Duration::from_millis(50)));
    assert!(result.is_ok());
    assert_eq!(server.wait_for(1).len(), 1);
}

#[test]
fn a_script_can_count_and_read_its_argument() {
    let asked = AtomicUsize::new(0);
    let server = Smtp::builder()
        .script(move |phase, argument| match (phase, argument) {
            // The first attempt only.
            (Phase::Body, "b@x") if asked.fetch_add(1, SeqCst) == 0 => {
                Reply::Say("450 4.2.1 too quickly".into())
            }
            (Phase::Noop | Phase::Rset | Phase::Auth | Phase::Starttls | Phase::Quit, _) => {
                Reply::Say("421 4.3.0 busy".into())
            }
            _ => Reply::Accept,
        })
        .start();
    let mail = [
        "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n",
        "A: b\r\n\r\nc\r\n.\r\n",
    ];
    let lines = talk(
        &server,
        &["EHLO x\r\n", mail[0], mail[1], mail[0], mail[1], "NOOP\r\n"],
    );
    let results = &lines[lines.len() - 6..];
    assert_eq!(
        [&results[0], &results[4], &results[5]],
        ["450 4.2.1 too quickly", "250 2.0.0 OK", "421 4.3.0 busy"]
    );
}

#[test]
fn a_pipelined_group_shares_one_round_trip() {
    let server = Smtp::builder().delay(Duration::from_millis(50)).start();
    let started = Instant::now();
    let lines = talk(&server, &["EHLO x\r\n", &"RSET\r\n".repeat(20)]);
    let elapsed = started.elapsed();
    assert_eq!(lines[lines.len() - 20..], ["250 2.0.0 Flushed"; 20]);
    assert!(
        elapsed >= Duration::from_millis(150) && elapsed < Duration::from_secs(1),
        "{elapsed:?}"
    );
}

#[test]
fn the_next_envelope_may_follow_a_body_in_the_same_write() {
    let group = "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n";
    let next = format!("A: b\r\n\r\n..c\r\n.\r\n{group}");
    let server = Smtp::start();
    let lines = talk(&server, &["EHLO x\r\n", group, &next]);
    let codes: Vec<_> = lines[lines.len() - 7..]
        .iter()
        .map(|line| &line[..3])
        .collect();
    assert_eq!(codes, ["250", "250", "354", "250", "250", "250", "354"]);
    assert_eq!(server.mails()[0].data, b"A: b\r\n\r\n.c\r\n");
}

#[test]
fn a_server_may_answer_354_to_a_mail_without_a_recipient() {
    let server = Smtp::builder()
        .script(|phase, argument| match (phase, argument) {
            (Phase::Rcpt, _) => Reply::Say("550 5.1.1 gone".into()),
            (Phase::Data, "") => Reply::Say("354 Go ahead".into()),
            _ => Reply::Accept,
        })
        .start();
    let group = "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n";
    let lines = talk(&server, &["EHLO x\r\n", group, ".\r\n"]);
    let expected = [
        "550 5.1.1 gone",
        "354 Go ahead",
        "554 5.5.1 No valid recipient",
    ];
    assert_eq!(lines[lines.len() - 3..], expected);
}

#[test]
fn pipelining_that_was_not_offered_is_refused() {
    let server = Smtp::builder().without_pipelining().start();
    let lines = talk(
        &server,
        &["EHLO x\r\n", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n"],
    );
    assert_eq!(
        lines.last().unwrap(),
        "503 5.5.0 Improper use of SMTP command pipelining"
    );
    let early = "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\nA: b\r\n";
    assert_eq!(
        answer(early),
        "503 5.5.0 Improper use of SMTP command pipelining"
    );
}

#[test]
fn commands_out_of_turn_and_bad_paths_are_refused() {
    assert_eq!(
        talk(&Smtp::start(), &["MAIL FROM:<a@x>\r\n"])[1],
        "503 5.5.1 EHLO first"
    );
    for (commands, code) in [
        ("RCPT TO:<b@x>\r\n", "503"),
        ("MAIL FROM:<a@x>\r\nDATA\r\n", "503"),
        ("MAIL FROM:<a@x>\r\nMAIL FROM:<a@x>\r\n", "503"),
        ("MAIL FROM: <a@x>\r\n", "501"),
        ("MAIL FROM:<é@x>\r\n", "553"),
        ("MAIL FROM:<é@x> SMTPUTF8\r\n", "250"),
        ("MAIL FROM:<a@x> BODY=BINARYMIME\r\n", "555"),
        ("MAIL FROM:<a@x>\r\nRCPT TO:<b@x,c@x>\r\n", "501"),
        ("MAIL FROM:<a@x>\r\nRCPT TO:<b@x>,<c@x>\r\n", "501"),
        ("MAIL FROM:<a@x>\r\nRCPT TO:<b@x\r\n", "501"),
        ("MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\nDATA\r\n", "500"),
        ("HELP\r\n", "500"),
        ("STARTTLS\r\n", "502"),
        ("AUTH PLAIN\r\n", "502"),
    ] {
        assert_eq!(answer(commands)[..3], *code, "{commands:?}");
    }
}

#[test]
fn a_mail_that_some_server_would_refuse_is_refused() {
    let long = "x".repeat(999);
    for (parameters, text, code) in [
        ("", "A: b\r\n\r\nc", "250"),
        ("", "A: b\r\n\r\nc\nd", "554"),
        ("", "A: b\r\n\r\nc\rd", "554"),
        ("", &long, "554"),
        ("", &long[1..], "250"),
        ("", "A: b\r\n\r\né", "554"),
        (" BODY=8BITMIME", "A: b\r\n\r\né", "250"),
        (" BODY=8BITMIME", "A: é\r\n\r\né", "554"),
        (" BODY=8BITMIME SMTPUTF8", "A: é\r\n\r\né", "250"),
    ] {
        assert_eq!(verdict(parameters, text)[..3], *code, "{parameters} {text}");
    }
}

#[test]
fn extensions_not_offered_are_not_taken() {
    let server = Smtp::builder().extensions(&["PIPELINING"]).start();
    let lines = talk(
        &server,
        &["EHLO x\r\n", "MAIL FROM:<a@x> BODY=8BITMIME\r\n"],
    );
    assert_eq!(
        lines[1..],
        [
            "250-localhost",
            "250 PIPELINING",
            "555 5.5.4 Unsupported parameter of MAIL"
        ]
    );
}

#[test]
fn dropping_a_server_closes_its_port_even_while_a_client_waits() {
    let server = Smtp::builder().script(|_, _| Reply::Silent).start();
    let port = server.port();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    drop(server);
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

//! Mails that travel together: whatever one of them meets, its neighbours do not notice.

use super::*;

/// As [`Server::start`], for a server that takes commands in groups.
fn start(react: impl Fn(usize, &str) -> Option<Answer> + Send + 'static) -> Server {
    Server::start(move |connection, command| {
        let offer = || Say("250-hello\r\n250 PIPELINING\r\n");
        let offer = command.starts_with("EHLO").then(offer);
        react(connection, command).or(offer)
    })
}

const THREE: [&str; 3] = ["a@example.com", "b@example.com", "c@example.com"];

/// Answers so to this command of the second mail, and to nothing else.
fn second(phase: &'static str, reply: Option<&'static str>) -> Server {
    let mails = Mutex::new(0);
    start(move |_, command| {
        let mut mails = mails.lock().unwrap();
        *mails += usize::from(command.starts_with("MAIL"));
        let hit = *mails == 2 && command.starts_with(phase);
        hit.then(|| reply.map_or(HangUp, Say))
    })
}

/// How many connections, and which texts came.
fn came(server: &Server) -> (usize, Vec<String>) {
    let seen = server.seen();
    let texts = seen
        .iter()
        .flatten()
        .filter_map(|one| one.strip_prefix("BODY "));
    (seen.len(), texts.map(str::to_owned).collect())
}

const TEXT: &str = "Subject: x\r\n\r\n..Halo\r\n...\r\n.\r\n";
const NOTHING: &str = ".\r\n";

#[test]
fn the_next_mails_commands_travel_with_the_text() {
    let server = start(|_, _| None);
    assert_eq!(deliver_all(&server, &THREE), ["sent"; 3]);
    assert_eq!(came(&server), (1, vec![TEXT.to_owned(); 3]));
}

#[test]
fn whatever_the_second_of_three_meets_is_its_own() {
    const ABSENT: Option<&str> = Some("550 5.1.1 no such user\r\n");
    const LATER: Option<&str> = Some("451 4.3.0 later\r\n");
    const CLOSING: Option<&str> = Some("421 4.7.0 too much\r\n");
    const ODD_YES: Option<&str> = Some("250 what?\r\n");
    const ODD_GO_ON: Option<&str> = Some("354 what?\r\n");
    let without = [TEXT, TEXT].as_slice();
    let with_nothing = [TEXT, NOTHING, TEXT].as_slice();
    let with = [TEXT, TEXT, TEXT].as_slice();
    for (phase, reply, outcome, connections, texts) in [
        // This server would take a text after a refused sender: it gets none.
        ("MAIL", ABSENT, "stopped", 2, without),
        ("RCPT", ABSENT, "failed", 1, with_nothing),
        ("DATA", ABSENT, "failed", 1, without),
        ("BODY", ABSENT, "failed", 1, with),
        ("RCPT", LATER, "retry", 1, with_nothing),
        ("DATA", LATER, "retry", 1, without),
        ("BODY", LATER, "retry", 1, with),
        ("MAIL", CLOSING, "sent", 2, with),
        ("RCPT", CLOSING, "stopped", 2, without),
        ("DATA", CLOSING, "stopped", 2, without),
        ("BODY", CLOSING, "stopped", 2, with),
        ("MAIL", None, "sent", 2, with),
        ("RCPT", None, "retry", 2, without),
        ("DATA", None, "retry", 2, without),
        ("BODY", None, "in doubt", 2, with),
        ("RCPT", ODD_GO_ON, "retry", 2, without),
        ("DATA", ODD_YES, "retry", 2, without),
        ("BODY", ODD_GO_ON, "in doubt", 2, with),
    ] {
        let server = second(phase, reply);
        let outcomes = deliver_all(&server, &THREE);
        assert_eq!(outcomes, ["sent", outcome, "sent"], "{phase} {reply:?}");
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(came(&server), (connections, texts), "{phase} {reply:?}");
    }
}

#[test]
fn what_was_announced_and_is_not_to_be_sent_is_not_sent() {
    let server = start(|_, _| None);
    let mut session = Session::open(&server.settings()).unwrap();
    let [a, b, c] = THREE.map(envelope);
    assert_eq!(name(&deliver(&mut session, &a, Some(&b))), "sent");
    // Its turn has come to nothing: another one follows.
    assert_eq!(name(&deliver(&mut session, &c, Some(&b))), "sent");
    let shut = Gate::default();
    shut.shut();
    let ready = session.prepare(&b).ok().unwrap();
    assert_eq!(ready.hand_over(&shut, None), Outcome::given_up());
    assert_eq!(name(&deliver(&mut session, &a, Some(&b))), "sent");
    session.close();
    assert_eq!(came(&server), (3, vec![TEXT.to_owned(); 3]));
}

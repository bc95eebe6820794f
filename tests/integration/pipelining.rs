//! Mails that share round trips where the server takes commands in groups (RFC 2920).

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use crate::{
    smtp::{Builder, Phase, Reply, Smtp},
    support::{NOW, Platform, START},
};

/// One connection, and that many participants.
fn platform(smtp: &Smtp, participants: i64) -> Platform {
    let platform = Platform::seed().mail(smtp).set("MAIL_CONNECTIONS", "1");
    platform.session(1, START);
    platform.participants(1..=participants);
    platform
}

/// The round trips of a pass over 20 mails.
fn round_trips(builder: Builder) -> usize {
    // Distant enough for the next mail to be claimed before the one in hand has to leave.
    let smtp = builder.delay(Duration::from_millis(100)).start();
    platform(&smtp, 20).send().succeeds();
    assert_eq!((smtp.mails().len(), smtp.connections()), (20, 1));
    smtp.round_trips()
}

#[test]
fn a_mail_costs_one_round_trip_or_four_where_commands_may_not_travel_together() {
    // Greeting, EHLO twice, the first mail's commands, QUIT; the machine may miss a moment now and then.
    let together = round_trips(Smtp::builder());
    assert!((24..=29).contains(&together), "{together}");
    let apart = round_trips(Smtp::builder().without_pipelining());
    assert_eq!(apart, 4 + 4 * 20);
}

/// The answer to every second mail at that phase.
fn every_second(phase: Phase, text: &'static str) -> Smtp {
    let mails = AtomicUsize::new(0);
    let script = move |now, _: &str| match now == phase && mails.fetch_add(1, SeqCst) % 2 == 1 {
        true => Reply::Say(text.into()),
        false => Reply::Accept,
    };
    Smtp::builder().script(script).start()
}

#[test]
fn a_refused_mail_in_a_group_spoils_no_neighbour() {
    for (phase, text, state) in [
        (Phase::Rcpt, "550 5.1.1 No such user", "failed|550 5.1.1"),
        (Phase::Rcpt, "451 4.3.0 Later", "pending|451 4.3.0"),
        (Phase::Data, "451 4.3.0 Later", "pending|451 4.3.0"),
        (Phase::Body, "552 5.2.2 Full", "failed|552 5.2.2"),
    ] {
        let smtp = every_second(phase, text);
        let platform = platform(&smtp, 10);
        platform.send();
        let expected: Vec<String> = (1..=10)
            .map(|user| match user % 2 {
                0 => format!("mail|{user}|{state}"),
                _ => format!("mail|{user}|sent|NULL"),
            })
            .collect();
        assert_eq!(platform.ledger(), expected, "{phase:?} {text}");
        assert_eq!(
            (smtp.mails().len(), smtp.connections()),
            (5, 1),
            "{phase:?} {text}"
        );
    }
}

#[test]
fn a_server_that_wants_a_text_for_a_refused_recipient_gets_none() {
    let smtp = Smtp::builder()
        .script(|phase, to| match phase {
            Phase::Rcpt if to.starts_with("peserta2@") => {
                Reply::Say("550 5.1.1 No such user".into())
            }
            Phase::Data if to.is_empty() => Reply::Say("354 Go ahead all the same".into()),
            _ => Reply::Accept,
        })
        .start();
    let platform = platform(&smtp, 3);
    platform.send().exits(1);
    let states = [
        "mail|1|sent|NULL",
        "mail|2|failed|550 5.1.1",
        "mail|3|sent|NULL",
    ];
    assert_eq!(platform.ledger(), states);
    assert_eq!((smtp.mails().len(), smtp.connections()), (2, 1));
}

#[test]
fn only_the_mail_whose_text_has_left_is_in_doubt() {
    for strike in [Reply::Drop, Reply::AcceptThenDrop] {
        let strike = std::sync::Mutex::new(Some(strike));
        let texts = AtomicUsize::new(0);
        let smtp = Smtp::builder()
            .script(move |phase, _| {
                let second = phase == Phase::Body && texts.fetch_add(1, SeqCst) == 1;
                let strike = second.then(|| strike.lock().unwrap().take()).flatten();
                strike.unwrap_or(Reply::Accept)
            })
            .start();
        let platform = platform(&smtp, 4);
        platform.run(&["send", "--now", NOW]).succeeds();
        let expected = [
            "mail|1|sent|NULL",
            "mail|2|sending|lost",
            "mail|3|sent|NULL",
            "mail|4|sent|NULL",
        ];
        assert_eq!(platform.ledger(), expected);
        assert_eq!(smtp.connections(), 2);
    }
}

#[test]
fn a_server_that_ends_a_connection_after_some_mails_is_reached_again_at_once() {
    for farewell in [
        || Reply::Say("421 4.7.0 Too many messages in this connection".into()),
        || Reply::Drop,
    ] {
        let mails = AtomicUsize::new(0);
        let smtp = Smtp::builder()
            .script(move |phase, _| match phase {
                Phase::Mail if mails.fetch_add(1, SeqCst) % 4 == 3 => farewell(),
                _ => Reply::Accept,
            })
            .start();
        let platform = platform(&smtp, 10);
        let run = platform.send().succeeds();
        assert_eq!(run.complaints(), [""; 0]);
        assert_eq!((smtp.recipients().len(), smtp.connections()), (10, 4));
    }
}

#[test]
fn a_server_that_takes_no_mail_at_all_is_not_asked_twice() {
    let smtp = Smtp::builder()
        .script(|phase, _| match phase {
            Phase::Mail => Reply::Say("421 4.7.0 Try again later".into()),
            _ => Reply::Accept,
        })
        .start();
    let platform = platform(&smtp, 3);
    platform.send().exits(75);
    assert_eq!((smtp.recipients().len(), smtp.connections()), (0, 1));
}

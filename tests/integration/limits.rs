//! Limits of time: whatever a server does, or does not do, the pass ends and the other channel is untouched.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{NOW, Platform, START},
    twilio::{Answer, Twilio},
};

/// A mail server that wants TLS and a login, and behaves so at one phase.
fn server(phase: Phase, reply: fn() -> Reply) -> Smtp {
    let script = move |now, _: &str| match now == phase {
        true => reply(),
        false => Reply::Accept,
    };
    let server = Smtp::builder().starttls().login("budi", "rahasia");
    server.script(script).start()
}

/// Three participants on both channels.
fn platform(smtp: &Smtp, twilio: &Twilio) -> Platform {
    let platform = Platform::seed().mail(smtp).whatsapp(twilio);
    platform.session(1, START);
    platform.participants(1..=3);
    for user in 1..=3 {
        platform.opted_in(user, &format!("+6281234567{user:03}"));
    }
    platform
}

fn with_login(platform: Platform, smtp: &Smtp) -> Platform {
    platform
        .set("MAIL_ENCRYPTION", "tls")
        .set("MAIL_HOST", "localhost")
        .set("MAIL_CA_FILE", &smtp.ca_file().display().to_string())
        .set("MAIL_USERNAME", "budi")
        .set("MAIL_PASSWORD", "rahasia")
}

/// The mail channel ends within a minute, its rows are in that state; WhatsApp is as ever.
fn mail_ends(phase: Phase, reply: fn() -> Reply) {
    let (smtp, twilio) = (server(phase, reply), Twilio::start());
    let platform = with_login(platform(&smtp, &twilio), &smtp).set("MAIL_CONNECTIONS", "1");
    let began = Instant::now();
    let run = platform.run(&["send", "--now", NOW, "--format", "json"]);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(60), "{phase:?}: {took:?}");
    let mails = platform.rows(
        "status, error_code",
        "session_reminder_deliveries WHERE channel = 'mail' ORDER BY user_id",
    );
    assert_eq!(run.code, 75, "{phase:?}");
    match phase {
        Phase::Body => assert_eq!(
            mails,
            ["sending|timeout", "pending|timeout", "pending|timeout"]
        ),
        _ => assert_eq!(mails, ["pending|timeout"; 3], "{phase:?}"),
    }
    assert_eq!(twilio.created().len(), 3, "{phase:?}");
}

const PHASES: [Phase; 8] = [
    Phase::Connect,
    Phase::Ehlo,
    Phase::Starttls,
    Phase::Auth,
    Phase::Mail,
    Phase::Rcpt,
    Phase::Data,
    Phase::Body,
];

fn silent_twilio() {
    let (smtp, twilio) = (Smtp::start(), Twilio::script(|_| Answer::Silent));
    let platform = platform(&smtp, &twilio).set("TWILIO_CONNECTIONS", "3");
    let began = Instant::now();
    platform.send();
    assert!(began.elapsed() < Duration::from_secs(60));
    let messages = platform.rows(
        "status, error_code",
        "session_reminder_deliveries WHERE channel = 'whatsapp'",
    );
    assert_eq!(messages, ["sending|timeout"; 3]);
    assert_eq!(smtp.mails().len(), 3);
}

#[test]
fn a_silent_or_trickling_server_ends_its_channel_within_a_minute_and_touches_no_other() {
    thread::scope(|threads| {
        for phase in PHASES {
            threads.spawn(move || mail_ends(phase, || Reply::Silent));
        }
        for phase in [Phase::Connect, Phase::Mail, Phase::Body] {
            threads.spawn(move || mail_ends(phase, || Reply::Trickle));
        }
        threads.spawn(silent_twilio);
    });
}

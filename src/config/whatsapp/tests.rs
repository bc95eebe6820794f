use super::*;
use crate::config::testing::environment;

const TOKEN: &str = "TWILIO_AUTH_TOKEN=hunter2\n";

fn account(from: &str) -> String {
    format!(
        "TWILIO_SID=AC{}\n{TOKEN}TWILIO_WHATSAPP_FROM=\"{from}\"\n",
        "0f".repeat(16)
    )
}

fn channel_of(env_file: &str) -> Channel<Whatsapp> {
    let (_folder, environment) = environment(env_file, &[]);
    channel(&environment)
}

fn twilio_of(env_file: &str) -> Twilio {
    match channel_of(env_file) {
        Channel::On(Whatsapp {
            transport: WhatsappTransport::Twilio(twilio),
            ..
        }) => twilio,
        other => panic!("{other:?}"),
    }
}

fn problems(env_file: &str) -> Vec<String> {
    match channel_of(env_file) {
        Channel::Broken(problems) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_an_account_whatsapp_is_off() {
    assert!(matches!(channel_of(""), Channel::Off(why) if why.contains("TWILIO_SID")));
    assert!(matches!(
        channel_of("TWILIO_SID=\nTWILIO_AUTH_TOKEN=null"),
        Channel::Off(_)
    ));
    let text = format!("{}WHATSAPP_TRANSPORT=none", account("x"));
    assert!(matches!(channel_of(&text), Channel::Off(why) if why == "WHATSAPP_TRANSPORT=none"));
}

#[test]
fn half_an_account_names_the_missing_half() {
    let lines = problems(TOKEN);
    assert!(
        lines[0].starts_with("TWILIO_SID is not set")
            && lines[1].starts_with("TWILIO_WHATSAPP_FROM is not set"),
        "{lines:?}"
    );
}

#[test]
fn the_sender_may_be_written_as_twilio_writes_it() {
    let twilio = twilio_of(&account("whatsapp:+62 812-3456-7890"));
    assert_eq!(twilio.from, "+6281234567890");
    assert_eq!(
        (
            twilio.api_base.as_str(),
            twilio.connections,
            twilio.max_per_second
        ),
        (API_BASE, 4, 80.0)
    );
    for from in [
        "14155238886",
        "+0123456789",
        "+123",
        "MG0123456789",
        "+1415523888é",
        "whatsapp:",
    ] {
        assert!(
            problems(&account(from))[0].starts_with("TWILIO_WHATSAPP_FROM is"),
            "{from}"
        );
    }
}

#[test]
fn the_sandbox_keeps_its_pace_whatever_is_set() {
    let text = account(SANDBOX) + "TWILIO_MAX_PER_SECOND=80\nTWILIO_CONNECTIONS=2";
    assert_eq!(twilio_of(&text).max_per_second, SANDBOX_PER_SECOND);
    assert_eq!(
        twilio_of(&(account("+6281234567890") + "TWILIO_MAX_PER_SECOND=0.5")).max_per_second,
        0.5
    );
    for rate in ["0", "0.05", "-1", "nan", "inf", "x", "1e9"] {
        assert_eq!(
            problems(&(account(SANDBOX) + "TWILIO_MAX_PER_SECOND=" + rate)).len(),
            1,
            "{rate}"
        );
    }
}

#[test]
fn no_message_waits_longer_for_its_turn_than_its_lease_allows() {
    let connections = |text: &str| {
        let twilio = twilio_of(text);
        assert!(twilio.connections as f64 / twilio.max_per_second <= LONGEST_WAIT);
        twilio.connections
    };
    let many = "TWILIO_CONNECTIONS=64\nTWILIO_MAX_PER_SECOND=";
    assert_eq!(connections(&(account(SANDBOX) + many + "80")), 5);
    let own = account("+6281234567890") + many;
    assert_eq!(connections(&(own.clone() + "80")), 64);
    assert_eq!(connections(&(own.clone() + "1")), 15);
    assert_eq!(connections(&(own + "0.1")), 1);
}

#[test]
fn plain_http_stays_on_this_machine() {
    let base = |url: &str| account(SANDBOX) + "TWILIO_API_BASE=" + url;
    assert_eq!(
        twilio_of(&base("http://127.0.0.1:8080/")).api_base,
        "http://127.0.0.1:8080"
    );
    assert_eq!(
        twilio_of(&base("https://proxy.kursus.id/twilio/")).api_base,
        "https://proxy.kursus.id/twilio"
    );
    for url in [
        "http://api.twilio.com",
        "http://localhost.evil.id",
        "https://u:hunter2@api.twilio.com",
        "https://h/?a=b",
        "api.twilio.com",
        "ftp://localhost",
    ] {
        let lines = problems(&base(url));
        assert!(
            lines[0].starts_with("TWILIO_API_BASE") && !lines[0].contains("hunter2"),
            "{lines:?}"
        );
    }
}

#[test]
fn templates_are_named_by_their_sids() {
    let sid = format!("HX{}", "a1".repeat(16));
    let text = format!(
        "{}TWILIO_WHATSAPP_CONTENT_SID={sid}\nTWILIO_WHATSAPP_CONTENT_SID_EN=",
        account(SANDBOX)
    );
    assert!(
        matches!(channel_of(&text), Channel::On(w) if w.reminder.all == Some(sid) && w.reminder.en.is_none())
    );
    assert_eq!(
        problems(&(account(SANDBOX) + "TWILIO_WHATSAPP_CONTENT_SID_ID=HX1")).len(),
        1
    );
}

#[test]
fn placeholders_and_swapped_credentials_are_told_without_showing_the_token() {
    let guide = "TWILIO_SID=your_twilio_account_sid\nTWILIO_AUTH_TOKEN=your_twilio_auth_token\n\
        TWILIO_WHATSAPP_FROM=+14155238886  # Sandbox";
    let lines = problems(guide);
    assert!(
        lines.len() == 2 && lines.iter().all(|line| line.contains("fill in your own")),
        "{lines:?}"
    );
    let lines = problems(&format!(
        "TWILIO_SID=hunter2\n{TOKEN}TWILIO_WHATSAPP_FROM={SANDBOX}"
    ));
    assert!(
        lines[0].starts_with("TWILIO_SID is no Account SID") && !lines.concat().contains("hunter2"),
        "{lines:?}"
    );
}

#[test]
fn files_need_a_folder_and_no_account() {
    assert!(problems("WHATSAPP_TRANSPORT=file")[0].starts_with("WHATSAPP_FILE_DIR is not set"));
    let text = "WHATSAPP_TRANSPORT=file\nWHATSAPP_FILE_DIR=out";
    let Channel::On(Whatsapp {
        transport: WhatsappTransport::File(folder),
        ..
    }) = channel_of(text)
    else {
        panic!("no folder");
    };
    assert!(folder.ends_with("out"));
    assert!(problems("WHATSAPP_TRANSPORT=pigeon")[0].contains("give twilio, file, or none"));
}

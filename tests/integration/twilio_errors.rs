//! What each of Twilio's codes means for the message, the channel and the passes after it.

use std::collections::HashMap;

use crate::{
    support::{Platform, Run, START},
    twilio::{Answer, Twilio},
};

/// HTTP status and code.
type Error = (u16, u32);

fn number(id: usize) -> String {
    format!("+6281234567{id:03}")
}

/// Participant 1 meets the first of these errors, and so on, at their first message; those after them meet none.
fn each_meets(errors: &[Error]) -> (Twilio, Platform) {
    let by_number: HashMap<String, Error> = (1..)
        .zip(errors)
        .map(|(id, error)| (format!("whatsapp:{}", number(id)), *error))
        .collect();
    let twilio = Twilio::script(move |message| match by_number.get(&message.to) {
        Some((http, code)) => Answer::error(*http, *code, "Twilio's own words"),
        None => Answer::Created,
    });
    let platform = Platform::seed().whatsapp(&twilio);
    platform.session(1, START);
    platform.participants(1..=i64::try_from(errors.len()).unwrap() + 1);
    for id in 1..=errors.len() + 1 {
        platform.opted_in(id.try_into().unwrap(), &number(id));
    }
    (twilio, platform)
}

/// `status|error_code` of each participant's row.
fn rows(platform: &Platform) -> Vec<String> {
    let by_user = "session_reminder_deliveries ORDER BY user_id";
    platform.rows("status, error_code", by_user)
}

/// When each row that waits is tried again.
fn next(platform: &Platform) -> Vec<String> {
    let waiting = "session_reminder_deliveries WHERE status = 'pending' ORDER BY user_id";
    platform.rows("next_attempt_at", waiting)
}

/// A minute after the first attempt.
const AGAIN: &str = "2026-11-23 09:01:00";

/// What was said of WhatsApp.
fn said(run: &Run) -> Vec<&str> {
    let lines = run.stderr.lines();
    lines.filter(|line| line.contains(" whatsapp ")).collect()
}

#[test]
fn a_code_that_speaks_of_one_recipient_fails_that_reminder_for_good() {
    let codes = [
        21211, 21217, 21408, 21612, 21614, 21656, 63003, 63015, 63016, 63024,
    ];
    let (twilio, platform) = each_meets(&codes.map(|code| (400, code)));
    let run = platform.send().exits(1);
    let mut expected: Vec<String> = codes.map(|code| format!("failed|{code}")).into();
    expected.push("sent|NULL".into());
    assert_eq!(rows(&platform), expected);
    assert_eq!(said(&run).len(), codes.len(), "{}", run.stderr);
    platform.send_at("2026-11-23T16:30:00+07:00").succeeds();
    assert_eq!(twilio.posts(), codes.len() + 1);
}

#[test]
fn a_code_that_says_stop_clears_the_opt_in() {
    let (_twilio, platform) = each_meets(&[(400, 21610), (400, 63014)]);
    platform.send().exits(1);
    assert_eq!(
        rows(&platform),
        ["failed|21610", "failed|63014", "sent|NULL"]
    );
    let opted_in = platform.rows("whatsapp_opt_in", "user_profiles ORDER BY user_id");
    assert_eq!(opted_in, ["0", "0", "1"]);
}

#[test]
fn a_code_that_asks_for_patience_is_tried_again_after_a_minute() {
    for error in [(429, 63018), (400, 63017), (400, 63018)] {
        let (twilio, platform) = each_meets(&[error]);
        platform.send().succeeds();
        let waits = format!("pending|{}", error.1);
        assert_eq!(rows(&platform)[0], waits, "{error:?}");
        assert_eq!(next(&platform), [AGAIN], "{error:?}");
        platform.send_at("2026-11-23T16:00:59+07:00").succeeds();
        let asked = twilio.posts();
        platform.send_at("2026-11-23T16:01:01+07:00").succeeds();
        assert_eq!(twilio.posts(), asked + 1, "{error:?}");
    }
}

#[test]
fn a_code_that_speaks_of_us_stops_the_channel_and_its_rows_wait() {
    for (http, code) in [
        (401, 20003),
        (403, 20003),
        (404, 20404),
        (400, 20005),
        (400, 21212),
        (400, 21606),
        (400, 21655),
        (400, 63007),
        (400, 63027),
        (400, 63028),
    ] {
        let (twilio, platform) = each_meets(&[(http, code); 3]);
        let platform = platform.set("TWILIO_CONNECTIONS", "1");
        let run = platform.send().exits(75);
        let said = said(&run);
        assert_eq!(said.len(), 1, "{}", run.stderr);
        assert!(said[0].contains("whatsapp has stopped"), "{said:?}");
        let waits = format!("pending|{code}");
        assert_eq!(rows(&platform), [waits.as_str(); 4], "{http} {code}");
        assert_eq!(next(&platform), [AGAIN; 4], "{http} {code}");
        assert_eq!(twilio.posts(), 1, "{http} {code}");
        platform.send_at("2026-11-23T16:00:59+07:00").exits(75);
        assert_eq!(twilio.posts(), 1, "{http} {code}");
    }
}

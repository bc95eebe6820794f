//! WhatsApp through Twilio: numbers, templates, and what each of Twilio's answers leads to.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{
    smtp::Smtp,
    support::{NOW, Platform, Run, START, on},
    twilio::{ACCOUNT_SID, AUTH_TOKEN, Answer, TEMPLATE, Twilio},
};

/// A platform without mail, with a due session and `count` participants who opted in.
fn platform(twilio: &Twilio, count: i64) -> Platform {
    let platform = Platform::seed().whatsapp(twilio);
    platform.session(1, START);
    for id in 1..=count {
        participant(&platform, id, &number(id));
    }
    platform
}

fn participant(platform: &Platform, id: i64, phone: &str) {
    platform.participant(id, &format!("Peserta {id}"), &format!("p{id}@example.org"));
    platform.opted_in(id, phone);
}

fn number(id: i64) -> String {
    format!("+6281234567{id:03}")
}

/// Refuses the message to this user with Twilio's error, and takes all others.
fn refusing(user: i64, http: u16, code: u32) -> Twilio {
    let to = format!("whatsapp:{}", number(user));
    Twilio::script(move |message| {
        if message.to == to {
            Answer::error(http, code, "Twilio's own words")
        } else {
            Answer::Created
        }
    })
}

fn always(answer: fn() -> Answer) -> Twilio {
    Twilio::script(move |_| answer())
}

fn opted_in(platform: &Platform) -> Vec<String> {
    platform.rows("user_id, whatsapp_opt_in", "user_profiles ORDER BY user_id")
}

/// What was said of WhatsApp, without the warning that `--now` is far from the host's clock.
fn said(run: &Run) -> Vec<&str> {
    let lines = run.stderr.lines();
    lines.filter(|line| line.contains(" whatsapp ")).collect()
}

fn reason(platform: &Platform) -> String {
    platform
        .rows(
            "error",
            "session_reminder_deliveries WHERE error IS NOT NULL",
        )
        .join("\n")
}

#[test]
fn numbers_as_people_type_them_arrive_in_e164_and_a_plus_keeps_its_country() {
    let twilio = Twilio::start();
    let platform = platform(&twilio, 0);
    let typed = [
        "081234567890",
        "6281234567890",
        "+6281234567890",
        " 0812-3456-7890 ",
        "(0812) 3456 7890",
        "+62 812-3456-7890",
        "+65 9123 4567",
    ];
    for (id, phone) in (1..).zip(typed) {
        participant(&platform, id, phone);
    }
    platform.send().succeeds();
    let mut to: Vec<String> = twilio.created().into_iter().map(|one| one.to).collect();
    to.sort();
    assert_eq!(to[..6], ["whatsapp:+6281234567890"; 6]);
    assert_eq!(to[6..], ["whatsapp:+6591234567"]);
}

#[test]
fn an_invalid_number_fails_that_one_delivery_and_the_mail_still_goes() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = platform(&twilio, 1).mail(&smtp);
    participant(&platform, 2, "0812 rumah");
    let run = platform.send().exits(1);
    assert!(run.stderr.contains("user 2 failed: phone:"));
    assert_eq!(smtp.mails().len(), 2);
    assert_eq!(
        platform.ledger(),
        [
            "mail|1|sent|NULL",
            "mail|2|sent|NULL",
            "whatsapp|1|sent|NULL",
            "whatsapp|2|failed|phone"
        ]
    );
    assert!(reason(&platform).contains("give one number, in digits"));
    platform.send().succeeds();
    assert_eq!((smtp.mails().len(), twilio.created().len()), (2, 1));
}

#[test]
fn who_has_not_opted_in_has_no_row() {
    let twilio = Twilio::start();
    let platform = platform(&twilio, 1);
    platform.participant(2, "Siti", "siti@example.org");
    platform.sql("INSERT INTO user_profiles (user_id, phone) VALUES (2, '081234567890')");
    platform.participant(3, "Ani", "ani@example.org");
    platform.send().succeeds();
    assert_eq!(platform.ledger(), ["whatsapp|1|sent|NULL"]);
    assert_eq!(
        twilio.created()[0]
            .body
            .as_ref()
            .unwrap()
            .matches("Pecahan")
            .count(),
        1
    );
}

#[test]
fn too_many_requests_wait_as_long_as_twilio_asks() {
    let twilio = always(|| Answer::Error {
        http: 429,
        code: 20429,
        message: "Too Many Requests".into(),
        retry_after: Some(300),
    });
    let platform = platform(&twilio, 3).set("TWILIO_CONNECTIONS", "1");
    let run = platform.send().exits(75);
    assert_eq!(said(&run).len(), 1, "{}", run.stderr);
    let held = [1, 2, 3].map(|user| format!("whatsapp|{user}|pending|20429"));
    assert_eq!(platform.ledger(), held);
    platform.send_at("2026-11-23T16:04:30+07:00").exits(75);
    assert_eq!(twilio.posts(), 1);
    platform.send_at("2026-11-23T16:05:30+07:00").exits(75);
    assert_eq!(twilio.posts(), 2);
}

fn too_many(retry_after: Option<u32>) -> Answer {
    Answer::Error {
        http: 429,
        code: 20429,
        message: "Too Many Requests".into(),
        retry_after,
    }
}

#[test]
fn a_short_wait_that_twilio_asks_for_is_kept_by_the_whole_channel_and_all_are_sent_in_the_same_pass()
 {
    let asked: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let noted = Arc::clone(&asked);
    let twilio = Twilio::script(move |_| {
        let mut asked = noted.lock().unwrap();
        asked.push(Instant::now());
        match asked.len() {
            3 => too_many(Some(2)),
            _ => Answer::Created,
        }
    });
    let platform = platform(&twilio, 8).set("TWILIO_CONNECTIONS", "2");
    // One at a time, so that none is on its way already when Twilio has had enough.
    let platform = platform.set("TWILIO_MAX_PER_SECOND", "10");
    let run = platform.send().succeeds();
    assert_eq!(said(&run), [""; 0]);
    assert_eq!(twilio.created().len(), 8);
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 9);
    assert!(asked[3] - asked[2] >= Duration::from_secs(2));
    assert!(
        asked[8] - asked[3] < Duration::from_secs(3),
        "it goes on slowly"
    );
    let tries = platform.rows("max(attempts)", "session_reminder_deliveries");
    assert_eq!(tries, ["1"]);
}

#[test]
fn too_many_requests_for_ever_stop_the_channel_after_a_few() {
    let twilio = always(|| too_many(None));
    let platform = platform(&twilio, 20);
    let begun = Instant::now();
    let run = platform.send().exits(75);
    assert_eq!(said(&run).len(), 1, "{}", run.stderr);
    assert!(
        run.stderr.contains("TWILIO_MAX_PER_SECOND"),
        "{}",
        run.stderr
    );
    // Those on their way together at first, and two more, ever further apart.
    assert!(twilio.posts() <= 6, "{:?}", twilio.requests());
    assert!((3..8).contains(&begun.elapsed().as_secs()));
    let counts = platform.rows(
        "status, error_code, count(*)",
        "session_reminder_deliveries GROUP BY status, error_code",
    );
    assert_eq!(counts, ["pending|20429|20"]);
}

#[test]
fn a_rate_limit_of_whatsapp_is_tried_again_after_a_minute() {
    let twilio = refusing(2, 400, 63018);
    let platform = platform(&twilio, 2);
    let summary = platform
        .run(&["send", "--now", NOW, "--format", "json"])
        .succeeds()
        .json();
    assert_eq!(
        (&summary["sent"], &summary["retried"]),
        (&1.into(), &1.into())
    );
    assert_eq!(
        platform.ledger(),
        ["whatsapp|1|sent|NULL", "whatsapp|2|pending|63018"]
    );
    platform.send_at("2026-11-23T16:00:30+07:00").succeeds();
    assert_eq!(twilio.posts(), 2);
    platform.send_at("2026-11-23T16:01:30+07:00").succeeds();
    assert_eq!(twilio.posts(), 3);
}

#[test]
fn a_refusal_of_one_recipient_fails_that_reminder_with_the_fix_and_the_others_go() {
    for (code, fix) in [
        (21211, "correct the participant's phone number"),
        (63016, "set TWILIO_WHATSAPP_CONTENT_SID"),
        (63015, "3 days"),
    ] {
        let twilio = refusing(2, 400, code);
        let platform = platform(&twilio, 3);
        let run = platform.send().exits(1);
        assert!(run.stderr.contains(fix), "{}", run.stderr);
        let failed = format!("whatsapp|2|failed|{code}");
        assert_eq!(
            platform.ledger(),
            ["whatsapp|1|sent|NULL", &failed, "whatsapp|3|sent|NULL"]
        );
        assert!(reason(&platform).contains("Twilio's own words"));
        platform.send().succeeds();
        assert_eq!(twilio.posts(), 3);
    }
}

#[test]
fn a_stop_clears_the_opt_in_of_that_user_alone_and_later_passes_leave_them_be() {
    let twilio = refusing(2, 400, 21610);
    let platform = platform(&twilio, 3);
    platform.send().exits(1);
    assert_eq!(platform.ledger()[1], "whatsapp|2|failed|21610");
    assert_eq!(opted_in(&platform), ["1|1", "2|0", "3|1"]);
    let theirs = platform.rows("phone, updated_at", "user_profiles WHERE user_id = 2");
    let (phone, updated) = theirs[0].split_once('|').unwrap();
    assert_eq!((phone, updated.len()), (number(2).as_str(), START.len()));

    platform.session(2, "2026-11-23 17:30:00");
    platform.send_at("2026-11-23T16:30:00+07:00").succeeds();
    assert_eq!(
        platform.ledger()[3..],
        ["whatsapp|1|sent|NULL", "whatsapp|3|sent|NULL"]
    );
    assert_eq!(twilio.posts(), 5);
}

#[test]
fn who_told_stop_is_left_be_also_where_the_platform_cannot_be_told_until_they_opt_in_again() {
    let twilio = refusing(1, 400, 21610);
    let platform = platform(&twilio, 1);
    platform.sql(on(
        "CREATE TRIGGER no_clearing BEFORE UPDATE ON user_profiles WHEN new.whatsapp_opt_in = 0
         BEGIN SELECT RAISE(ABORT, 'not ours to write'); END",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'not ours to write'; END $$;
         CREATE TRIGGER no_clearing BEFORE UPDATE ON user_profiles FOR EACH ROW
         WHEN (NOT new.whatsapp_opt_in) EXECUTE FUNCTION refuse()",
        "CREATE TRIGGER no_clearing BEFORE UPDATE ON user_profiles FOR EACH ROW
         IF NOT new.whatsapp_opt_in THEN SIGNAL SQLSTATE '45000' SET message_text = 'not ours to write'; END IF",
    ));
    platform.send().exits(1);
    assert_eq!(opted_in(&platform), ["1|1"]);

    platform.session(2, "2026-11-23 17:30:00");
    platform.send_at("2026-11-23T16:30:00+07:00").succeeds();
    assert_eq!(twilio.posts(), 1);

    platform.run(&["opt-in", "1"]).succeeds();
    platform.send_at("2026-11-23T16:31:00+07:00").exits(1);
    assert_eq!(twilio.posts(), 2);
}

#[test]
fn refused_credentials_stop_the_channel_at_once_and_the_mail_goes() {
    for (http, code, fix) in [
        (401, 20003, "check TWILIO_SID and TWILIO_AUTH_TOKEN"),
        (403, 20003, "check TWILIO_SID and TWILIO_AUTH_TOKEN"),
        (404, 20404, "check TWILIO_SID"),
        (400, 21606, "TWILIO_WHATSAPP_FROM"),
    ] {
        let smtp = Smtp::start();
        let twilio = Twilio::script(move |_| Answer::error(http, code, "no"));
        let platform = platform(&twilio, 12).mail(&smtp);
        let run = platform.send().exits(75);
        assert_eq!(said(&run).len(), 1, "{}", run.stderr);
        assert!(run.stderr.contains(fix), "{}", run.stderr);
        assert_eq!(smtp.mails().len(), 12);
        // Those that were under way when the first answer came, one on each connection.
        assert!(twilio.posts() <= 4, "{:?}", twilio.requests());
        let held = format!("pending|{code}");
        assert_eq!(
            platform.rows(
                "status, error_code, count(*)",
                "session_reminder_deliveries WHERE channel = 'whatsapp' GROUP BY status, error_code"
            ),
            [format!("{held}|12")]
        );
    }
}

#[test]
fn a_stopped_channel_is_left_alone_until_its_delay_is_over() {
    let twilio = always(|| Answer::error(401, 20003, "Authenticate"));
    let platform = platform(&twilio, 5).set("TWILIO_CONNECTIONS", "1");
    platform.send().exits(75);
    platform.send_at("2026-11-23T16:00:30+07:00").exits(75);
    assert_eq!(twilio.posts(), 1);
    let again = platform.send_at("2026-11-23T16:01:30+07:00").exits(75);
    assert_eq!(twilio.posts(), 2);
    assert!(
        said(&again).is_empty(),
        "it has been said: {}",
        again.stderr
    );
    platform.send_at("2026-11-23T16:03:00+07:00").exits(75);
    assert_eq!(twilio.posts(), 2, "the delay grows");

    let mended = Twilio::start();
    let platform = platform.set("TWILIO_API_BASE", &mended.base());
    platform.send_at("2026-11-23T16:04:00+07:00").succeeds();
    assert_eq!(mended.created().len(), 5);
}

#[test]
fn twilio_out_of_reach_stops_the_channel_and_the_mail_goes() {
    let smtp = Smtp::start();
    let platform = platform(&Twilio::start(), 3).mail(&smtp);
    let run = platform.send().exits(75);
    assert!(run.stderr.contains("cannot reach Twilio"), "{}", run.stderr);
    assert_eq!(smtp.mails().len(), 3);
    let held = [1, 2, 3].map(|user| format!("whatsapp|{user}|pending|connect"));
    assert_eq!(platform.ledger()[3..], held);
}

const AFTER_THE_LEASE: &str = "2026-11-23T16:03:00+07:00";

#[test]
fn a_message_that_twilio_took_without_an_answer_is_found_and_not_sent_again() {
    let twilio = always(|| Answer::CreateThenDrop);
    let platform = platform(&twilio, 1);
    let run = platform.send();
    assert!(run.stderr.contains("in doubt"), "{}", run.stderr);
    assert_eq!(platform.ledger()[0].split('|').nth(2), Some("sending"));
    platform.send_at("2026-11-23T16:01:00+07:00");
    assert_eq!(twilio.posts(), 1, "looked at before its lease was over");
    platform.send_at(AFTER_THE_LEASE).succeeds();
    platform.send_at("2026-11-23T16:10:00+07:00").succeeds();
    assert_eq!(twilio.posts(), 1);
    let sid = &twilio.created()[0].sid;
    assert_eq!(
        platform.rows(
            "status, message_id",
            "session_reminder_deliveries WHERE channel = 'whatsapp'"
        ),
        [format!("sent|{sid}")]
    );
}

#[test]
fn a_message_that_twilio_never_had_is_sent_once_more() {
    let answers: [fn() -> Answer; 4] = [
        || Answer::Drop,
        || Answer::error(503, 20503, "Service unavailable"),
        || Answer::Raw {
            http: 502,
            body: "<html>Bad Gateway</html>".into(),
        },
        || Answer::Raw {
            http: 200,
            body: "<html>a captive portal</html>".into(),
        },
    ];
    for answer in answers {
        let first = AtomicBool::new(true);
        let twilio = Twilio::script(move |_| {
            if first.swap(false, Ordering::Relaxed) {
                answer()
            } else {
                Answer::Created
            }
        });
        let platform = platform(&twilio, 1);
        assert!(platform.send().stderr.contains("in doubt"));
        platform.send_at(AFTER_THE_LEASE).succeeds();
        platform.send_at("2026-11-23T16:10:00+07:00").succeeds();
        assert_eq!((twilio.posts(), twilio.created().len()), (2, 1));
        assert_eq!(platform.ledger()[0].split('|').nth(2), Some("sent"));
    }
}

#[test]
fn while_twilio_cannot_be_asked_a_message_in_doubt_is_not_sent() {
    let twilio = always(|| Answer::CreateThenDrop);
    let platform = platform(&twilio, 1);
    platform.send();
    let platform = platform.set("TWILIO_API_BASE", "http://127.0.0.1:9");
    platform.send_at(AFTER_THE_LEASE).exits(75);
    assert_eq!(platform.ledger()[0].split('|').nth(2), Some("pending"));
    let platform = platform.set("TWILIO_API_BASE", &twilio.base());
    platform.send_at("2026-11-23T16:10:00+07:00").succeeds();
    assert_eq!(twilio.posts(), 1);
    assert_eq!(platform.ledger()[0].split('|').nth(2), Some("sent"));
}

#[test]
fn a_message_that_stays_in_doubt_for_an_hour_after_the_start_is_unknown_and_not_missed() {
    let twilio = always(|| Answer::CreateThenDrop);
    let platform = platform(&twilio, 1);
    platform.send();
    let platform = platform.set("TWILIO_API_BASE", "http://127.0.0.1:9");
    platform.send_at(AFTER_THE_LEASE).exits(75);
    platform.send_at("2026-11-23T17:30:00+07:00").exits(75);
    assert_eq!(platform.ledger()[0].split('|').nth(2), Some("pending"));
    platform.send_at("2026-11-23T18:00:00+07:00").exits(1);
    assert_eq!(platform.ledger()[0].split('|').nth(2), Some("unknown"));
}

/// Two people with one telephone, neither of whose messages was answered, and only the first of which Twilio has.
fn two_in_doubt(names: [&str; 2], redirect: Option<&str>) {
    let count = AtomicUsize::new(0);
    let twilio = Twilio::script(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::CreateThenDrop,
        1 => Answer::Drop,
        _ => Answer::Created,
    });
    let mut platform = Platform::seed()
        .whatsapp(&twilio)
        .set("TWILIO_CONNECTIONS", "1");
    platform.session(1, START);
    for (id, name) in [1, 2].into_iter().zip(names) {
        platform.participant(id, name, &format!("p{id}@example.org"));
        let number = redirect.map_or_else(|| number(1), |_| number(id));
        platform.opted_in(id, &number);
    }
    if let Some(to) = redirect {
        platform = platform.set("REMINDER_REDIRECT_WHATSAPP", to);
    }
    platform.send();
    platform.send_at(AFTER_THE_LEASE).succeeds();
    assert_eq!(twilio.created().len(), 2);
    let mut told = platform.rows(
        "message_id",
        "session_reminder_deliveries WHERE status = 'sent'",
    );
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 2);
    let bodies = twilio.created().into_iter().map(|one| one.body.unwrap());
    for (body, name) in bodies.zip(names) {
        assert!(body.contains(name), "{body}");
    }
}

#[test]
fn two_messages_in_doubt_to_one_number_are_not_taken_for_each_other() {
    two_in_doubt(["Budi", "Siti"], None);
    two_in_doubt(["Budi", "Budi"], None);
    two_in_doubt(["Budi", "Siti"], Some("+6281234500000"));
    two_in_doubt(["Budi", "Budi"], Some("+6281234500000"));
}

#[test]
fn a_message_in_doubt_is_looked_for_also_where_it_is_not_to_be_sent_any_more() {
    let changes = [
        "UPDATE course_sessions SET scheduled_at = '2026-11-24 17:00:00'",
        "UPDATE user_profiles SET whatsapp_opt_in = false",
    ];
    for taken in [true, false] {
        let (answer, end): (fn() -> Answer, _) = match taken {
            true => (|| Answer::CreateThenDrop, "sent"),
            false => (|| Answer::Drop, "cancelled"),
        };
        for change in changes {
            let twilio = always(answer);
            let platform = platform(&twilio, 1);
            platform.send();
            platform.sql(change);
            platform.send_at(AFTER_THE_LEASE).succeeds();
            assert_eq!(
                platform.ledger()[0].split('|').nth(2),
                Some(end),
                "{change}"
            );
            assert_eq!(twilio.posts(), 1, "{change}");
        }
    }
}

#[test]
fn a_look_that_twilio_refuses_stops_the_channel_and_keeps_the_doubt() {
    let twilio = always(|| Answer::CreateThenDrop);
    let platform = platform(&twilio, 3);
    platform.send();
    let platform = platform.set("TWILIO_AUTH_TOKEN", "00000000000000000000000000000000");
    let run = platform.send_at(AFTER_THE_LEASE).exits(75);
    assert!(
        run.stderr
            .contains("check TWILIO_SID and TWILIO_AUTH_TOKEN"),
        "{}",
        run.stderr
    );
    let platform = platform.set("TWILIO_AUTH_TOKEN", AUTH_TOKEN);
    platform.send_at("2026-11-23T16:10:00+07:00").succeeds();
    assert_eq!(twilio.posts(), 3);
    let all = platform.rows(
        "status, count(*)",
        "session_reminder_deliveries GROUP BY status",
    );
    assert_eq!(all, ["sent|3"]);
}

#[test]
fn the_message_of_another_row_is_not_taken_for_the_one_in_doubt() {
    // Two accounts of one person, with one telephone: the first message is answered, the second is not and was lost.
    let count = AtomicUsize::new(0);
    let twilio = Twilio::script(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        1 => Answer::Drop,
        _ => Answer::Created,
    });
    let platform = Platform::seed()
        .whatsapp(&twilio)
        .set("TWILIO_CONNECTIONS", "1");
    platform.session(1, START);
    for (id, email) in [(1, "budi@example.org"), (2, "budi@example.com")] {
        platform.participant(id, "Budi", email);
        platform.opted_in(id, "081234567890");
    }
    platform.send();
    platform.send_at(AFTER_THE_LEASE).succeeds();
    assert_eq!(twilio.created().len(), 2);
    let sids = platform.rows(
        "message_id",
        "session_reminder_deliveries WHERE status = 'sent'",
    );
    assert_eq!(sids.len(), 2);
    assert_ne!(sids[0], sids[1]);
}

#[test]
fn the_same_unknown_refusal_three_times_in_a_row_stops_the_channel() {
    let twilio = always(|| Answer::error(400, 29999, "something new"));
    let platform = platform(&twilio, 6).set("TWILIO_CONNECTIONS", "1");
    platform.send().exits(75);
    assert_eq!(twilio.posts(), 3);
    let ledger = platform.ledger();
    assert_eq!(
        ledger[..2],
        ["whatsapp|1|failed|29999", "whatsapp|2|failed|29999"]
    );
    assert!(
        ledger[2..]
            .iter()
            .all(|row| row.ends_with("|pending|29999")),
        "{ledger:?}"
    );
}

#[test]
fn unknown_refusals_of_single_recipients_do_not_stop_the_channel() {
    let twilio = Twilio::script(|message| match message.to.ends_with('5') {
        false => Answer::error(400, 29999, "something new"),
        true => Answer::Created,
    });
    let platform = Platform::seed()
        .whatsapp(&twilio)
        .set("TWILIO_CONNECTIONS", "1");
    platform.session(1, START);
    for (id, number) in [(1, 1), (2, 2), (3, 5), (4, 6), (5, 7), (6, 15)] {
        participant(&platform, id, &self::number(number));
    }
    platform.send().exits(1);
    assert_eq!(twilio.created().len(), 2);
    assert_eq!(twilio.posts(), 6);
}

#[test]
fn a_page_in_html_is_judged_by_its_status() {
    for (http, code, exit) in [
        (404, "http 404", 75),
        (400, "http 400", 1),
        (302, "http 302", 75),
    ] {
        let twilio = Twilio::script(move |_| Answer::Raw {
            http,
            body: "<html>\u{1b}[31m Not here</html>".into(),
        });
        let platform = platform(&twilio, 1);
        let run = platform.send().exits(exit);
        assert!(!run.stderr.contains('\u{1b}'));
        assert!(
            platform.ledger()[0].ends_with(code),
            "{:?}",
            platform.ledger()
        );
    }
}

#[test]
fn templates_go_by_language_with_five_variables_and_no_body() {
    let twilio = Twilio::start();
    let (for_all, english) = (format!("HX{:032x}", 1), format!("HX{:032x}", 2));
    let platform = platform(&twilio, 2)
        .set("TWILIO_WHATSAPP_CONTENT_SID", &for_all)
        .set("TWILIO_WHATSAPP_CONTENT_SID_EN", &english);
    platform.sql("ALTER TABLE users ADD COLUMN locale varchar(255)");
    platform.sql("UPDATE users SET locale = 'en' WHERE id = 2");
    platform.run(&["migrate"]).succeeds();
    platform.send().succeeds();
    let mut sent = twilio.created();
    sent.sort_by(|a, b| a.to.cmp(&b.to));
    assert_eq!(sent[0].content_sid.as_ref(), Some(&for_all));
    assert_eq!(sent[1].content_sid.as_ref(), Some(&english));
    assert!(sent.iter().all(|message| message.body.is_none()));
    let variables = |n: usize| -> serde_json::Value {
        serde_json::from_str(sent[n].content_variables.as_ref().unwrap()).unwrap()
    };
    assert_eq!(
        variables(0),
        serde_json::json!({
            "1": "Peserta 1",
            "2": "Pecahan",
            "3": "Matematika Dasar",
            "4": "Senin, 23 November 2026 pukul 17.00 WIB",
            "5": "https://meet.example.org/1",
        })
    );
    assert!(variables(1)["4"].as_str().unwrap().starts_with("Monday"));
}

/// The texts that the documentation says to submit.
fn documented_templates() -> Vec<&'static str> {
    let page = include_str!("../../docs/whatsapp.md");
    let page = page.split("## Corrections").next().unwrap();
    let lines = page.lines().map(str::trim);
    lines
        .filter(|line| line.starts_with('H') && line.contains("{{1}}, "))
        .collect()
}

#[test]
fn whatever_people_typed_the_documented_templates_keep_to_whatsapps_rules() {
    let twilio = Twilio::start();
    let platform =
        platform(&twilio, 2).set("TWILIO_WHATSAPP_CONTENT_SID", &format!("HX{:032x}", 1));
    let long = format!("Aljabar\t\r\n\n{}      Linear ", "panjang ".repeat(25));
    platform.sql(&format!("UPDATE course_sessions SET title = '{long}'"));
    platform.sql(&format!("UPDATE courses SET title = '{long}'"));
    platform.sql("UPDATE course_sessions SET mode = 'offline', location = ''");
    platform.sql(&format!("UPDATE users SET name = '{long}' WHERE id = 1"));
    platform.sql("UPDATE users SET name = '' WHERE id = 2");
    platform.send().succeeds();
    let templates = documented_templates();
    assert_eq!(templates.len(), 2);
    assert_eq!(templates[0], TEMPLATE);
    for message in twilio.created() {
        let variables: BTreeMap<String, String> =
            serde_json::from_str(&message.content_variables.unwrap()).unwrap();
        assert_eq!(
            variables.keys().collect::<Vec<_>>(),
            ["1", "2", "3", "4", "5"]
        );
        for value in variables.values() {
            assert!(
                !value.is_empty() && !value.contains(['\n', '\r', '\t']),
                "{value:?}"
            );
            assert!(!value.contains("  ") && value.trim() == value, "{value:?}");
        }
        for template in &templates {
            let text = variables
                .iter()
                .fold((*template).to_owned(), |text, (key, value)| {
                    text.replace(&format!("{{{{{key}}}}}"), value)
                });
            assert!(
                !text.contains("{{") && text.chars().count() <= 1024,
                "{text}"
            );
        }
    }
}

#[test]
fn a_message_in_doubt_that_went_by_template_is_found_by_its_start() {
    let twilio = always(|| Answer::CreateThenDrop);
    let platform =
        platform(&twilio, 2).set("TWILIO_WHATSAPP_CONTENT_SID", &format!("HX{:032x}", 1));
    platform.send();
    platform.send_at(AFTER_THE_LEASE).succeeds();
    assert_eq!(twilio.posts(), 2);
    assert_eq!(
        platform.ledger(),
        ["whatsapp|1|sent|NULL", "whatsapp|2|sent|NULL"]
    );
}

#[test]
fn twilio_keeps_no_message_beyond_the_start() {
    for (now, seconds_left) in [
        (NOW, 3600),
        ("2026-11-23T16:50:00+07:00", 600),
        ("2026-11-23T16:58:50+07:00", 70),
    ] {
        let twilio = Twilio::start();
        let platform = platform(&twilio, 1).set("REMINDER_CATCH_UP", "54m");
        platform.send_at(now).succeeds();
        let kept = twilio.created()[0].validity_period.unwrap();
        assert!(
            (60..seconds_left).contains(&kept),
            "{kept} of {seconds_left} s"
        );
    }
}

#[test]
fn many_messages_go_over_few_connections() {
    let twilio = Twilio::start();
    let platform = platform(&twilio, 200)
        .set("TWILIO_CONNECTIONS", "3")
        .set("TWILIO_MAX_PER_SECOND", "1000");
    platform.send().succeeds();
    assert_eq!(twilio.created().len(), 200);
    assert!(twilio.connections() <= 3, "{}", twilio.connections());
}

#[test]
fn as_many_messages_are_on_their_way_at_once_as_there_are_connections() {
    let (arrived, all) = (Mutex::new(0), Condvar::new());
    let twilio = Twilio::script(move |_| {
        let mut arrived = arrived.lock().unwrap();
        *arrived += 1;
        all.notify_all();
        // Nobody is answered before the fourth has come.
        let patience = Duration::from_secs(20);
        let waited = all.wait_timeout_while(arrived, patience, |arrived| *arrived < 4);
        assert!(!waited.unwrap().1.timed_out(), "they wait for each other");
        Answer::Created
    });
    let platform = platform(&twilio, 12).set("TWILIO_CONNECTIONS", "4");
    platform.send().succeeds();
    assert_eq!((twilio.created().len(), twilio.connections()), (12, 4));
}

#[test]
fn the_sandbox_takes_one_message_in_three_seconds() {
    let twilio = Twilio::start();
    let platform = platform(&twilio, 2).set("TWILIO_WHATSAPP_FROM", "whatsapp:+14155238886");
    platform.send().succeeds();
    let sent = twilio.created();
    assert_eq!(sent[0].from, "whatsapp:+14155238886");
    let gap = sent[1].at.duration_since(sent[0].at).unwrap();
    assert!(gap.as_millis() >= 2900, "{gap:?}");
}

#[test]
fn the_token_appears_nowhere_however_much_is_logged() {
    let echo = format!(r#"{{"code":21211,"message":"no {AUTH_TOKEN} for you"}}"#);
    let twilio = Twilio::script(move |message| match message.to.ends_with('1') {
        true => Answer::Raw {
            http: 400,
            body: echo.clone(),
        },
        false => Answer::Created,
    });
    let credentials = BASE64_STANDARD.encode(format!("{ACCOUNT_SID}:{AUTH_TOKEN}"));
    let platform = platform(&twilio, 2);
    let loud = platform.run(&["-vv", "send", "--now", NOW]).exits(1);
    let other = Platform::seed().whatsapp(&twilio);
    other.session(1, START);
    participant(&other, 1, &number(1));
    let trace = other
        .run_with(&[("RUST_LOG", "trace")], &["send", "--now", NOW])
        .exits(1);
    for run in [loud, trace] {
        let said = run.stdout + &run.stderr;
        assert!(said.contains("21211"));
        assert!(
            !said.contains(AUTH_TOKEN) && !said.contains(&credentials),
            "{said}"
        );
    }
    assert!(!reason(&platform).contains(AUTH_TOKEN));
}

#[test]
fn numbers_are_masked_in_the_log() {
    let twilio = refusing(2, 400, 21211);
    let platform = platform(&twilio, 2);
    let run = platform.run(&["-v", "send", "--now", NOW]).exits(1);
    assert!(run.stderr.contains("+62812****"), "{}", run.stderr);
    assert!(!run.stderr.contains("81234567"), "{}", run.stderr);
}

#[test]
fn a_redirect_sends_every_message_to_one_number_and_says_so() {
    let twilio = Twilio::start();
    let platform = platform(&twilio, 2).set("REMINDER_REDIRECT_WHATSAPP", "+6289900000000");
    let summary = platform
        .run(&["send", "--now", NOW, "--format", "json"])
        .succeeds()
        .json();
    let sent = twilio.created();
    assert!(sent.iter().all(|one| one.to == "whatsapp:+6289900000000"));
    assert_eq!(sent.len(), 2);
    assert!(
        summary["redirected"][0]
            .as_str()
            .unwrap()
            .contains("+6289900000000")
    );
    let later = "2026-11-23T16:30:00+07:00";
    platform.session(2, "2026-11-23 17:30:00");
    let looked = platform
        .run(&["send", "--dry-run", "--now", later])
        .succeeds();
    assert!(
        looked
            .stdout
            .contains("every WhatsApp message goes to +6289900000000")
    );
}

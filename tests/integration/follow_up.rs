//! What becomes of a WhatsApp message after Twilio has taken it, asked for without a webhook.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{
    smtp::Smtp,
    support::{Platform, START},
    twilio::{Answer, Create, Twilio},
};

/// A session at [`START`] with so many participants, all of whom opted in.
fn course(twilio: &Twilio, people: i64) -> Platform {
    let platform = Platform::seed()
        .whatsapp(twilio)
        .set("MAIL_MAILER", "file")
        .set("MAIL_FILE_DIR", "mails");
    platform.session(1, START);
    platform.participants(1..=people);
    (1..=people).for_each(|id| platform.opted_in(id, &number(id)));
    platform
}

fn number(id: i64) -> String {
    format!("+6281234567{id:03}")
}

fn of(twilio: &Twilio, user: i64) -> Create {
    let to = format!("whatsapp:{}", number(user));
    let mut messages = twilio.created().into_iter();
    messages.rfind(|message| message.to == to).unwrap()
}

/// So many minutes after [`NOW`], which is an hour before the start.
fn minute(minute: usize) -> String {
    let (hour, minute) = (16 + minute / 60, minute % 60);
    format!("2026-11-23T{hour}:{minute:02}:00+07:00")
}

fn delivery(platform: &Platform) -> Vec<String> {
    platform.rows(
        "user_id, status, delivery_status, error_code",
        "session_reminder_deliveries WHERE channel = 'whatsapp' ORDER BY user_id",
    )
}

#[test]
fn a_message_is_asked_for_ever_more_seldom_until_its_session_starts() {
    let twilio = Twilio::start();
    let platform = course(&twilio, 1);
    platform.send().succeeds();
    twilio.set_status(&of(&twilio, 1).sid, "sent", None);
    let mut asked = Vec::new();
    for at in 1..=65 {
        let before = twilio.looks();
        let run = platform.send_at(&minute(at)).succeeds();
        assert_eq!(run.complaints(), [""; 0]);
        if twilio.looks() > before {
            asked.push(at);
        }
    }
    assert_eq!(asked, [1, 2, 4, 8, 15, 60]);
    assert_eq!(twilio.looks(), 6);
    assert_eq!(delivery(&platform), ["1|sent|sent|NULL"]);
}

#[test]
fn one_request_tells_of_many_messages() {
    let twilio = Twilio::start();
    let platform = course(&twilio, 40);
    platform.send().succeeds();
    for user in 1..=40 {
        twilio.set_status(&of(&twilio, user).sid, "delivered", None);
    }
    platform.send_at(&minute(1)).succeeds();
    assert_eq!(twilio.looks(), 1);
    let delivered =
        "session_reminder_deliveries WHERE status = 'sent' AND delivery_status = 'delivered'";
    assert_eq!(platform.rows("count(*)", delivered), ["40"]);
}

#[test]
fn what_was_delivered_is_asked_for_once_more_since_it_may_be_read() {
    let twilio = Twilio::start();
    let platform = course(&twilio, 2);
    platform.send().succeeds();
    for user in [1, 2] {
        twilio.set_status(&of(&twilio, user).sid, "delivered", None);
    }
    platform.send_at(&minute(1)).succeeds();
    let before = twilio.looks();
    platform.send_at(&minute(2)).succeeds();
    platform.send_at(&minute(20)).succeeds();
    assert_eq!(twilio.looks(), before);
    twilio.set_status(&of(&twilio, 1).sid, "read", None);
    platform.send_at(&minute(60)).succeeds();
    assert_eq!(
        delivery(&platform),
        ["1|sent|read|NULL", "2|sent|delivered|NULL"]
    );
    let before = twilio.looks();
    platform.send_at(&minute(61)).succeeds();
    assert_eq!(twilio.looks(), before);
}

#[test]
fn a_late_failure_is_a_failure_with_the_cure_and_said_once_for_all_it_met() {
    let twilio = Twilio::start();
    let platform = course(&twilio, 5);
    platform.send().succeeds();
    for user in [1, 2, 3] {
        twilio.set_status(&of(&twilio, user).sid, "undelivered", Some(63016));
    }
    twilio.set_status(&of(&twilio, 4).sid, "failed", Some(63024));
    let run = platform.send_at(&minute(1)).exits(1);
    let said = run.complaints();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].contains("whatsapp: 3 ") && said[0].contains("set TWILIO_WHATSAPP_CONTENT_SID")
    );
    assert!(said[1].contains("whatsapp: 1 ") && said[1].contains("not on WhatsApp"));
    assert_eq!(
        delivery(&platform),
        [
            "1|failed|undelivered|63016",
            "2|failed|undelivered|63016",
            "3|failed|undelivered|63016",
            "4|failed|failed|63024",
            "5|sent|queued|NULL",
        ]
    );
    let quiet = platform.send_at(&minute(2)).succeeds();
    assert_eq!(quiet.complaints(), [""; 0]);
    assert_eq!(twilio.posts(), 5);
}

#[test]
fn a_failure_that_passes_is_sent_once_more_and_no_more_than_once() {
    for code in [30001, 30008, 63017, 63018] {
        let twilio = Twilio::start();
        let platform = course(&twilio, 2);
        platform.send().succeeds();
        let first = of(&twilio, 1).sid;
        twilio.set_status(&first, "failed", Some(code));
        platform.send_at(&minute(1)).succeeds();
        assert_eq!(delivery(&platform)[0], format!("1|pending|failed|{code}"));
        platform.send_at(&minute(3)).succeeds();
        assert_eq!(twilio.posts(), 3);
        assert_eq!(delivery(&platform)[0], "1|sent|again|NULL");

        let second = of(&twilio, 1).sid;
        assert_ne!(second, first);
        twilio.set_status(&second, "sent", None);
        platform.send_at(&minute(4)).succeeds();
        assert_eq!(delivery(&platform)[0], "1|sent|again|NULL");
        twilio.set_status(&second, "undelivered", Some(code));
        platform.send_at(&minute(6)).exits(1);
        assert_eq!(
            delivery(&platform)[0],
            format!("1|failed|undelivered|{code}")
        );
        platform.send_at(&minute(20)).succeeds();
        assert_eq!(twilio.posts(), 3);
    }
}

#[test]
fn what_fails_for_a_while_when_the_session_begins_is_not_sent_again() {
    let twilio = Twilio::start();
    let platform = course(&twilio, 1);
    platform.send().succeeds();
    platform.send_at(&minute(15)).succeeds();
    twilio.set_status(&of(&twilio, 1).sid, "failed", Some(63018));
    platform.send_at(&minute(60)).exits(1);
    assert_eq!(delivery(&platform), ["1|failed|failed|63018"]);
}

#[test]
fn a_late_stop_clears_the_opt_in_of_that_user_alone() {
    for code in [21610, 63014] {
        let twilio = Twilio::start();
        let platform = course(&twilio, 3);
        platform.send().succeeds();
        twilio.set_status(&of(&twilio, 2).sid, "failed", Some(code));
        platform.send_at(&minute(1)).exits(1);
        assert_eq!(delivery(&platform)[1], format!("2|failed|failed|{code}"));
        let opted_in = platform.rows("user_id, whatsapp_opt_in", "user_profiles ORDER BY user_id");
        assert_eq!(opted_in, ["1|1", "2|0", "3|1"]);
    }
}

#[test]
fn a_second_try_whose_answer_is_lost_is_not_taken_for_the_first() {
    let count = AtomicUsize::new(0);
    let twilio = Twilio::script(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        1 => Answer::Drop,
        _ => Answer::Created,
    });
    let platform = course(&twilio, 1);
    platform.send().succeeds();
    twilio.set_status(&of(&twilio, 1).sid, "failed", Some(63018));
    platform.send_at(&minute(1)).succeeds();
    platform.send_at(&minute(3));
    assert_eq!(delivery(&platform)[0].split('|').nth(1), Some("sending"));
    platform.send_at(&minute(6)).succeeds();
    assert_eq!((twilio.posts(), twilio.created().len()), (3, 2));
    let whatsapp = "session_reminder_deliveries WHERE channel = 'whatsapp'";
    let sid = platform.rows("message_id", whatsapp);
    assert_eq!(sid, [of(&twilio, 1).sid]);
}

#[test]
fn while_twilio_cannot_be_asked_nothing_is_said_and_it_is_asked_later() {
    let twilio = Twilio::start();
    let platform = course(&twilio, 1);
    platform.send().succeeds();
    twilio.set_status(&of(&twilio, 1).sid, "delivered", None);
    let platform = platform.set("TWILIO_API_BASE", "http://127.0.0.1:9");
    let run = platform.send_at(&minute(1)).succeeds();
    assert_eq!(run.complaints(), [""; 0]);
    let platform = platform.set("TWILIO_API_BASE", &twilio.base());
    platform.send_at(&minute(2)).succeeds();
    assert_eq!(
        twilio.looks(),
        0,
        "asked before the other pass's turn was over"
    );
    platform.send_at(&minute(3)).succeeds();
    assert_eq!(delivery(&platform), ["1|sent|delivered|NULL"]);
}

#[test]
fn a_message_that_twilio_has_no_more_is_asked_for_no_more() {
    let (twilio, other) = (Twilio::start(), Twilio::start());
    let platform = course(&twilio, 1);
    platform.send().succeeds();
    let platform = platform.whatsapp(&other);
    for at in [1, 2, 60] {
        platform.send_at(&minute(at)).succeeds();
    }
    assert_eq!(other.looks(), 1);
    assert_eq!(delivery(&platform), ["1|sent|deleted|NULL"]);
}

#[test]
fn a_pass_for_mail_or_another_session_asks_for_nothing() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = course(&twilio, 1).mail(&smtp);
    platform.send().succeeds();
    for narrow in [["--channel", "mail"], ["--session", "2"]] {
        let now = minute(1);
        let arguments = [&["send", "--now", &now], &narrow[..]].concat();
        platform.run(&arguments).succeeds();
        assert_eq!(twilio.looks(), 0);
    }
    platform
        .run(&["send", "--dry-run", "--now", &minute(1)])
        .succeeds();
    assert_eq!(twilio.looks(), 0);
    let arguments = ["send", "--now", &minute(1), "--session", "1"];
    platform.run(&arguments).succeeds();
    assert_eq!(twilio.looks(), 1);
}

#[test]
fn a_silent_twilio_keeps_no_mail_waiting() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = course(&twilio, 1).mail(&smtp);
    platform.send().succeeds();
    platform.participant(2, "Siti", "siti@example.org");
    // Takes connections, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", silent.local_addr().unwrap());
    let platform = platform.set("TWILIO_API_BASE", &base);
    let pass = platform.start(&["send", "--now", &minute(1)]);
    let began = std::time::Instant::now();
    smtp.wait_for(2);
    assert!(began.elapsed().as_secs() < 20, "the mail waited for Twilio");
    let mut pass = pass;
    pass.kill().unwrap();
    pass.wait().unwrap();
}

/// What Twilio answers, the exit code, and what the row becomes.
type Case = (fn() -> Answer, i32, &'static str);

/// What Twilio took without an answer, and nobody could ask about before the session began.
#[test]
fn a_message_in_doubt_is_looked_for_also_after_the_start() {
    let answers: [Case; 2] = [
        (|| Answer::CreateThenDrop, 0, "1|sent|queued|NULL"),
        (|| Answer::Drop, 1, "1|missed|NULL|too_late"),
    ];
    for (answer, exit, end) in answers {
        let twilio = Twilio::script(move |_| answer());
        let platform = course(&twilio, 1);
        platform.run(&["send", "--now", &minute(0)]);
        let platform = platform.set("TWILIO_API_BASE", "http://127.0.0.1:9");
        platform.send_at(&minute(58)).exits(75);
        platform.send_at(&minute(61)).exits(75);
        assert_eq!(delivery(&platform)[0].split('|').nth(1), Some("pending"));
        let platform = platform.set("TWILIO_API_BASE", &twilio.base());
        platform.send_at(&minute(75)).exits(exit);
        assert_eq!(delivery(&platform), [end]);
        assert_eq!(twilio.posts(), 1);
        let quiet = platform.send_at(&minute(130)).succeeds();
        assert_eq!(quiet.complaints(), [""; 0]);
    }
}

#[test]
fn two_hosts_that_ask_at_once_count_a_failure_once() {
    let twilio = Twilio::start();
    let platform = course(&twilio, 30);
    platform.send().succeeds();
    for user in 1..=30 {
        twilio.set_status(&of(&twilio, user).sid, "failed", Some(63024));
    }
    let pass = |host: &str| {
        let mut command = platform.command(&["send", "--now", &minute(1), "--format", "json"]);
        command.env("STATE_DIRECTORY", platform.path(host));
        command
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let passes = [pass("one"), pass("two"), pass("three")];
    let failed = passes.map(|pass| {
        let output = pass.wait_with_output().unwrap();
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        summary["failed"].as_u64().unwrap()
    });
    assert_eq!(failed.iter().sum::<u64>(), 30, "{failed:?}");
}

//! More reminders than are enqueued at once: the nearest sessions come first, and are delivered while the rest still
//! gets its rows; what is not reached is said, and told by the next pass.

use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{NOW, Platform, on},
    twilio::Twilio,
};

/// A minute after [`NOW`].
const NEXT: &str = "2026-11-23T16:01:00+07:00";

/// Participants: those of two sessions are more than the first step looks for.
const MANY: i64 = 260;

/// Sessions 1, 2 and 3 with the same participants, of which the last one starts first.
fn busy(smtp: &Smtp) -> Platform {
    let platform = Platform::seed().mail(smtp);
    for (id, minute) in [(1, "17:03"), (2, "17:01"), (3, "16:58")] {
        platform.session(id, &format!("2026-11-23 {minute}:00"));
    }
    platform.participants(1..=MANY);
    // Without it the participants of a few sessions cost as much as those of all, and nothing is divided.
    platform.sql("CREATE INDEX enrollments_by_course ON enrollments (course_id)");
    platform
}

/// From now on the ledger takes no row for this session.
fn refuse(platform: &Platform, session: i64) {
    platform.sql(&on(
        format!(
            "CREATE TRIGGER refused BEFORE INSERT ON session_reminder_deliveries WHEN NEW.course_session_id = {session}
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        ),
        format!("ALTER TABLE session_reminder_deliveries ADD CONSTRAINT refused CHECK (course_session_id <> {session})"),
        format!("ALTER TABLE session_reminder_deliveries ADD CONSTRAINT refused CHECK (course_session_id <> {session})"),
    ));
}

fn allow(platform: &Platform) {
    platform.sql(on(
        "DROP TRIGGER refused",
        "ALTER TABLE session_reminder_deliveries DROP CONSTRAINT refused",
        "ALTER TABLE session_reminder_deliveries DROP CONSTRAINT refused",
    ));
}

fn by_session(platform: &Platform) -> Vec<String> {
    platform.rows(
        "course_session_id, channel, status, count(*)",
        "session_reminder_deliveries GROUP BY course_session_id, channel, status
         ORDER BY course_session_id, channel, status",
    )
}

/// The sessions whose links are in the mails, in the order of the mails, each run of the same one once.
fn sessions_told(smtp: &Smtp) -> Vec<char> {
    let link = "https://meet.example.org/";
    let session = |text: String| text.split(link).nth(1).and_then(|rest| rest.chars().next());
    let mails = smtp.mails().into_iter();
    let mut told: Vec<char> = mails.filter_map(|mail| session(mail.text())).collect();
    told.dedup();
    told
}

#[test]
fn the_nearest_sessions_are_told_first() {
    let smtp = Smtp::start();
    let platform = busy(&smtp).set("MAIL_CONNECTIONS", "1");
    let summary = platform.run(&["send", "--now", NOW, "--format", "json"]);
    let summary = summary.succeeds().json();
    assert_eq!(sessions_told(&smtp), ['3', '2', '1']);
    assert_eq!(smtp.connections(), 1);
    assert_eq!(summary["enqueued"], 3 * MANY);
    assert_eq!(summary["sent"], 3 * MANY);
}

#[test]
fn the_first_mails_leave_before_the_last_rows_are_made_and_who_has_none_is_told_by_the_next_pass() {
    let smtp = Smtp::start();
    let platform = busy(&smtp);
    refuse(&platform, 1);
    let run = platform.send().exits(75);
    let said = "could not enqueue all that is due";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    // The first step has divided no session.
    let rows = by_session(&platform);
    let first = [2, 3].map(|session| format!("{session}|mail|sent|{MANY}"));
    assert_eq!(rows, first);
    assert_eq!(smtp.mails().len(), 520);

    // Neither our own rows in Laravel's log nor those in the ledger keep the others from being told.
    allow(&platform);
    platform.send_at(NEXT).succeeds();
    let expected: Vec<String> = (1..=3)
        .map(|session| format!("{session}|mail|sent|{MANY}"))
        .collect();
    assert_eq!(by_session(&platform), expected);
    assert_eq!(smtp.mails().len(), 780);
    let log = platform.rows(
        "course_session_id, recipients_count",
        "session_reminder_logs ORDER BY course_session_id",
    );
    assert_eq!(log, ["1|260", "2|260", "3|260"]);
}

#[test]
fn sessions_that_got_no_rows_and_whose_window_passes_are_missed() {
    let smtp = Smtp::start();
    let platform = busy(&smtp);
    refuse(&platform, 1);
    platform.send().exits(75);
    allow(&platform);
    platform.send_at("2026-11-23T16:30:00+07:00").exits(1);
    let expected = [
        format!("1|mail|missed|{MANY}"),
        format!("2|mail|sent|{MANY}"),
        format!("3|mail|sent|{MANY}"),
    ];
    assert_eq!(by_session(&platform), expected);
}

#[test]
fn a_channel_that_breaks_down_holds_back_also_the_rows_that_are_made_later() {
    let smtp = Smtp::builder().script(|phase, _| match phase {
        Phase::Connect => Reply::Say("554 5.7.1 go away".into()),
        _ => Reply::Accept,
    });
    let smtp = smtp.start();
    let platform = busy(&smtp);
    platform.send().exits(75);
    let held = platform.rows(
        "count(*)",
        "session_reminder_deliveries WHERE status = 'pending' AND next_attempt_at IS NOT NULL AND error_code IS NOT NULL",
    );
    assert_eq!(held, [(3 * MANY).to_string()]);
    platform.send_at("2026-11-23T16:00:10+07:00").exits(75);
    assert_eq!(smtp.connections(), 1);
}

#[test]
fn both_channels_get_all_their_rows_and_a_limit_leaves_the_rest_waiting() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = busy(&smtp).whatsapp(&twilio);
    for user in 1..=5 {
        platform.opted_in(user, &format!("0812345{}", 10_000 + user));
    }
    platform
        .run(&["send", "--now", NOW, "--limit", "7"])
        .succeeds();
    assert_eq!(smtp.mails().len() + twilio.created().len(), 7);
    let rows = platform.rows(
        "channel, count(*)",
        "session_reminder_deliveries GROUP BY channel ORDER BY channel",
    );
    assert_eq!(rows, ["mail|780", "whatsapp|15"]);
    platform.send_at(NEXT).succeeds();
    assert_eq!((smtp.mails().len(), twilio.created().len()), (780, 15));
}

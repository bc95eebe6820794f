//! Of a view of the operator's own it says what that says, and no more.

use super::{at, conclusion, has, rule};
use crate::support::{NOW, Platform, START};

const LATER: &str = "2026-11-23T16:01:00+07:00";

/// What a platform of another shape would show us.
const VIEW: &str = "CREATE VIEW session_participants AS
    SELECT l.id AS session_id, NULL AS course_id, l.topic AS session_title, l.topic AS course_title,
        l.begins AS scheduled_at, 45 AS duration_minutes, 'offline' AS mode, NULL AS modality, NULL AS meeting_url,
        'Ruang 3' AS location, p.id AS user_id, p.nick AS name, p.mailbox AS email, NULL AS phone,
        false AS whatsapp_opt_in, NULL AS timezone, 'id' AS locale
    FROM lessons l CROSS JOIN people p WHERE l.held AND (p.here OR l.id = 8)";

/// Lesson 7, with Agus and Rina in it; Tono takes part in lesson 8 alone.
fn lessons() -> Platform {
    let platform = Platform::empty().with_files();
    platform.sql(&format!(
        "CREATE TABLE lessons (id bigint primary key, topic varchar(255), begins timestamp NULL, held boolean);
         CREATE TABLE people (id bigint primary key, nick varchar(255), mailbox varchar(255), here boolean);
         INSERT INTO lessons VALUES (7, 'Gamelan', '{START}', true);
         INSERT INTO people VALUES (3, 'Agus', 'agus@example.org', true), (4, 'Rina', 'rina@example.org', true),
            (5, 'Tono', 'tono@example.org', false);
         {VIEW}"
    ));
    platform.run(&["migrate"]).succeeds();
    platform
}

#[test]
fn of_an_operators_own_view_it_says_what_that_says() {
    let platform = lessons();
    let agus = at(&platform, NOW, "7", "agus@example.org");
    has(
        &rule(&agus, "session"),
        "ok: Gamelan (session 7), course Gamelan",
    );
    has(
        &rule(&agus, "participant"),
        "ok: the view session_participants lists the user",
    );
    has(
        &conclusion(&agus, "mail"),
        "will: Agus will be told by mail in the next pass",
    );
    has(
        &platform.run(&["explain", "7", "5"]).exits(1).stderr,
        "session_participants lists no user",
    );
    platform.sql("INSERT INTO lessons VALUES (8, 'Gong', '2026-12-01 10:00:00', true)");
    let tono = at(&platform, NOW, "7", "5");
    has(
        &conclusion(&tono, "mail"),
        "no: user 5 is not told: the view session_participants does not list the user in this session",
    );
    let unknown = platform.run(&["explain", "9", "3", "--now", NOW]).exits(1);
    has(&unknown.stderr, "sessions that start soon are 7, 8");
}

#[test]
fn of_whom_the_view_does_not_list_it_does_not_know_how_to_reach_them() {
    let platform = lessons();
    platform.sql("INSERT INTO lessons VALUES (8, 'Gong', '2026-12-01 10:00:00', true)");
    let tono = at(&platform, NOW, "7", "5");
    for name in ["mail_address", "whatsapp_opt_in", "whatsapp_phone"] {
        assert_eq!(rule(&tono, name), "none: not known");
    }
    let agus = at(&platform, NOW, "7", "3");
    assert_eq!(rule(&agus, "mail_address"), "ok: a***@e***.org");
    has(
        &rule(&agus, "whatsapp_phone"),
        "no: there is no phone number",
    );
}

/// The corrections that were sent.
fn corrections(platform: &Platform) -> Vec<String> {
    let sent = "session_reminder_deliveries WHERE status = 'sent' AND kind <> 'reminder'";
    platform.rows("kind, user_id", &format!("{sent} ORDER BY user_id"))
}

#[test]
fn without_a_view_of_cancellations_it_says_that_nobody_hears_of_one_and_with_it_who_does() {
    let platform = lessons().set("REMINDER_CORRECTIONS", "on");
    platform.send().succeeds();
    platform.sql("UPDATE lessons SET held = false");
    let answer = at(&platform, LATER, "7", "3");
    assert_eq!(
        rule(&answer, "changed"),
        "none: the user was told of the start 2026-11-23 17:00:00, and does not hear of the change by mail: session_participants \
         has nobody in the session any more, and there is no session_cancellations that says whether it is cancelled"
    );
    platform.send_at(LATER).succeeds();
    assert_eq!(corrections(&platform), [""; 0]);

    let second = VIEW.replace("session_participants", "session_cancellations");
    platform.sql(&second.replace("WHERE l.held", "WHERE NOT l.held"));
    let answer = at(&platform, LATER, "7", "3");
    assert_eq!(answer["user"]["name"], "Agus");
    assert_eq!(rule(&answer, "mail_address"), "ok: a***@e***.org");
    assert_eq!(
        rule(&answer, "changed"),
        "ok: the user was told of the start 2026-11-23 17:00:00, and hears of the change by mail"
    );
    let all = answer["conclusion"].to_string();
    has(
        &all,
        "Agus will be told by mail in the next pass that the session is cancelled",
    );
    platform.send_at(LATER).succeeds();
    assert_eq!(corrections(&platform), ["cancelled|3", "cancelled|4"]);
}

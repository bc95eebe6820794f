//! Several hosts on one database: the work is shared, everybody is told exactly once, and who dies is stood in for.

use std::{
    process::Child,
    sync::atomic::Ordering::SeqCst,
    time::{Duration, Instant},
};

use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{BackEnd, NOW, Platform, Run, START, busy_smtp, counted, nobody_lost, on_sqlite},
    twilio::Twilio,
};

/// Two and a half minutes after [`NOW`]: every lease taken then has ended.
const LATER: &str = "2026-11-23T16:02:30+07:00";

const CONNECTIONS: usize = 4;

/// A mail server that takes its time, so that no host can do everything before the others have begun.
fn slow_smtp() -> Smtp {
    smtp_that_takes(Duration::from_millis(10))
}

fn smtp_that_takes(time: Duration) -> Smtp {
    let server = Smtp::builder().script(move |phase, _| match phase {
        Phase::Body => Reply::Delay(time),
        _ => Reply::Accept,
    });
    server.start()
}

/// A due session with that many participants, every second of them with WhatsApp.
fn course(smtp: &Smtp, twilio: &Twilio, participants: i64) -> Platform {
    let platform = Platform::seed()
        .mail(smtp)
        .whatsapp(twilio)
        .set("MAIL_CONNECTIONS", &CONNECTIONS.to_string())
        .set("TWILIO_CONNECTIONS", &CONNECTIONS.to_string());
    if platform.back_end() == BackEnd::Sqlite {
        // As `migrate` makes it. Writers of a rollback journal can wait in vain where each commit takes a slow disk
        // long.
        platform.sql("PRAGMA journal_mode = WAL");
    }
    platform.session(1, START);
    platform.participants(1..=participants);
    let profile = |id: i64| format!("({id}, '0812345{}', true)", 10_000 + id);
    let profiles: Vec<String> = (2..=participants).step_by(2).map(profile).collect();
    platform.sql(&format!(
        "INSERT INTO user_profiles (user_id, phone, whatsapp_opt_in) VALUES {}",
        profiles.join(", ")
    ));
    platform
}

/// Lets passes on four hosts run to their end.
fn four_hosts(platform: &Platform, nows: [&str; 4]) {
    let hosts = ["one", "two", "three", "four"];
    let running: Vec<Child> = hosts
        .iter()
        .zip(nows)
        .map(|(host, now)| platform.start_on(host, now))
        .collect();
    for pass in running {
        let run = Run::of(&["send"], pass.wait_with_output().unwrap()).succeeds();
        assert_eq!(run.complaints(), [""; 0]);
        assert_eq!(run.stdout, "");
    }
}

/// That many got a WhatsApp message, all of them one.
fn messaged_once(twilio: &Twilio, people: usize) {
    let numbers = counted(twilio.created().into_iter().map(|message| message.to));
    assert_eq!(numbers.len(), people);
    assert_eq!(twilio.created().len(), people);
}

fn everybody_once(smtp: &Smtp, twilio: &Twilio, participants: usize) {
    assert_eq!(counted(smtp.recipients()).len(), participants);
    assert_eq!(smtp.mails().len(), participants);
    messaged_once(twilio, participants / 2);
}

fn all_sent(platform: &Platform, participants: usize) {
    let by_channel =
        "session_reminder_deliveries GROUP BY channel, status ORDER BY channel, status";
    assert_eq!(
        platform.rows("channel, status, count(*)", by_channel),
        [
            format!("mail|sent|{participants}"),
            format!("whatsapp|sent|{}", participants / 2)
        ]
    );
    assert_eq!(
        platform.rows("recipients_count", "session_reminder_logs"),
        [participants.to_string()]
    );
}

#[test]
fn four_hosts_in_one_minute_share_a_thousand_participants() {
    // So slow that a host which starts late on a busy machine still finds something to do.
    let smtp = smtp_that_takes(Duration::from_millis(if on_sqlite() { 10 } else { 40 }));
    let twilio = Twilio::start();
    // A file is no place for several hosts: there it is enough that they do no harm.
    let people: u16 = if on_sqlite() { 300 } else { 1000 };
    let platform = course(&smtp, &twilio, people.into());
    four_hosts(&platform, [NOW; 4]);
    everybody_once(&smtp, &twilio, people.into());
    all_sent(&platform, people.into());
    let hosts = platform.rows(
        "count(DISTINCT claimed_by)",
        "session_reminder_deliveries WHERE channel = 'mail'",
    );
    // SQLite's writers wait for each other, and some wait long.
    let least = if on_sqlite() { 1 } else { 3 };
    assert!(hosts[0].parse::<usize>().unwrap() >= least, "{hosts:?}");
}

#[test]
fn hosts_whose_clocks_differ_by_seconds_tell_everybody_once() {
    let (smtp, twilio) = (slow_smtp(), Twilio::start());
    let platform = course(&smtp, &twilio, 300);
    let nows = [0, 5, 2, 4].map(|second| format!("2026-11-23T16:00:0{second}+07:00"));
    four_hosts(&platform, nows.each_ref().map(String::as_str));
    everybody_once(&smtp, &twilio, 300);
    all_sent(&platform, 300);
}

#[test]
fn what_a_killed_host_had_claimed_is_taken_over_when_its_lease_has_ended() {
    let (smtp, twilio) = (slow_smtp(), Twilio::start());
    let platform = course(&smtp, &twilio, 300);
    let mut killed = platform.start_on("one", NOW);
    smtp.wait_for(60);
    // SIGKILL.
    killed.kill().unwrap();
    killed.wait().unwrap();
    let claimed = platform.rows(
        "count(*)",
        "session_reminder_deliveries WHERE status = 'sending' AND channel = 'mail'",
    );
    let claimed: usize = claimed[0].parse().unwrap();
    assert!((1..=2 * CONNECTIONS).contains(&claimed), "{claimed}");

    // Before the lease ends what it had is left alone, and the rest is not waited for.
    let other = platform.start_on("two", NOW);
    Run::of(&["send"], other.wait_with_output().unwrap()).succeeds();
    let open = platform.rows(
        "count(*)",
        "session_reminder_deliveries WHERE status = 'sending' AND channel = 'mail'",
    );
    assert_eq!(open, [claimed.to_string()]);
    let heir = platform.start_on("two", LATER);
    Run::of(&["send"], heir.wait_with_output().unwrap()).succeeds();
    nobody_lost(&smtp, 300, claimed);
    messaged_once(&twilio, 150);
    all_sent(&platform, 300);
}

/// What a host leaves that loses its network between its claim and its commit: the server does not know yet.
#[test]
fn a_host_that_vanishes_in_a_transaction_keeps_only_its_own_rows_from_the_others() {
    if on_sqlite() {
        return;
    }
    let twilio = Twilio::start();
    let (smtp, busy) = busy_smtp();
    let platform = course(&smtp, &twilio, 20);
    platform.send().succeeds();
    busy.store(false, SeqCst);
    let mut vanished = platform.database();
    let its = "session_reminder_deliveries WHERE user_id = 3 AND channel = 'mail'";
    let id = platform.rows("id", its).remove(0);
    vanished
        .run(&format!(
            "BEGIN; UPDATE session_reminder_deliveries SET status = 'sending', claimed_by = 'vanished',
             lease_until = '2026-11-23 09:02:00' WHERE id = {id}"
        ))
        .unwrap();
    let began = Instant::now();
    platform.send_at("2026-11-23T16:02:00+07:00").succeeds();
    assert!(began.elapsed() < Duration::from_secs(9), "it waited");
    assert_eq!(smtp.mails().len(), 19);
    vanished.run("ROLLBACK").unwrap();
    platform.send_at("2026-11-23T16:03:00+07:00").succeeds();
    everybody_once(&smtp, &twilio, 20);
}

#[test]
fn a_claim_that_another_host_was_faster_with_is_made_again() {
    if BackEnd::chosen() != BackEnd::Postgres {
        return;
    }
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    platform.participants(2..=5);
    // As on a server to which SKIP LOCKED is a hint: the first row that is claimed has just gone to another host.
    platform.sql(
        "CREATE SEQUENCE claims;
         CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF nextval('claims') = 1 THEN RETURN NULL; END IF; RETURN NEW; END $$;
         CREATE TRIGGER lost BEFORE UPDATE ON session_reminder_deliveries FOR EACH ROW
            WHEN (NEW.status = 'sending') EXECUTE FUNCTION lose()",
    );
    let run = platform.send().succeeds();
    assert_eq!(run.complaints(), [""; 0]);
    assert_eq!(smtp.mails().len(), 5);
}

#[test]
fn what_a_dying_host_still_holds_is_owed_again_and_not_given_up() {
    if BackEnd::chosen() != BackEnd::Postgres {
        return;
    }
    let smtp = Smtp::start();
    let platform = Platform::due(&smtp);
    platform.participants(2..=5);
    platform.send().succeeds();
    // Its connection ends while the next pass takes up what it has left, after the others' rows and before the rest.
    platform.sql(
        "UPDATE session_reminder_deliveries SET status = 'sending', sent_at = NULL, claimed_by = 'other:1:1',
            lease_until = '2026-11-23 09:03:00';
         CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%user_id = 5 FOR UPDATE';
            PERFORM pg_sleep(0.2); RETURN NULL; END $$;
         CREATE TRIGGER dies BEFORE UPDATE ON session_reminder_deliveries FOR EACH STATEMENT EXECUTE FUNCTION die()",
    );
    let mut dying = platform.database();
    let held = "BEGIN; SELECT id FROM session_reminder_deliveries WHERE user_id = 5 FOR UPDATE";
    dying.run(held).unwrap();
    platform.send_at("2026-11-23T16:04:00+07:00").succeeds();
    platform.send_at("2026-11-23T16:05:00+07:00").succeeds();
    assert_eq!(smtp.mails().len(), 10);
    let by_status = "session_reminder_deliveries GROUP BY status";
    assert_eq!(platform.rows("status, count(*)", by_status), ["sent|5"]);
}

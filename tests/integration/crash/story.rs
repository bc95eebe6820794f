//! One story of kills: its platform, its servers, and what must be true after each kill and at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::process::ExitStatusExt,
    process::{Child, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use chrono::{DateTime, FixedOffset};

use crate::{
    smtp::{Phase, Reply, Smtp},
    support::{NOW, Platform, Random, counted, on_sqlite},
    twilio::{Answer, Twilio},
};

const CONNECTIONS: usize = 3;

/// Ten hours after [`NOW`].
const START: &str = "2026-11-24 02:00:00";

/// Longer than a lease.
const BETWEEN_PASSES: chrono::Duration = chrono::Duration::seconds(150);

/// Longer than a row waits after any number of tries.
const PATIENCE: chrono::Duration = chrono::Duration::minutes(11);

/// Longer than a pass that has work needs to begin with it.
const A_WHILE: Duration = Duration::from_millis(250);

pub struct Story {
    random: Random,
    smtp: Smtp,
    twilio: Twilio,
    /// While this is set, the servers fail now and then.
    troubled: Arc<AtomicBool>,
    platform: Platform,
    people: usize,
    now: DateTime<FixedOffset>,
    /// How long a pass takes that finds nothing to do.
    idle: Duration,
    /// Every delivery that a pass did not live to record: `channel|user|claimed_by|attempts`.
    left: BTreeSet<String>,
    sent: BTreeSet<String>,
    kills: usize,
}

impl Story {
    /// A session that nobody has enrolled in.
    pub fn begin(seed: u64) -> Story {
        let troubled = Arc::new(AtomicBool::new(true));
        let (smtp, twilio) = (smtp(seed, &troubled), twilio(seed, &troubled));
        let platform = Platform::seed()
            .mail(&smtp)
            .whatsapp(&twilio)
            .set("MAIL_CONNECTIONS", &CONNECTIONS.to_string())
            .set("TWILIO_CONNECTIONS", &CONNECTIONS.to_string())
            .set("REMINDER_LEAD", "10h")
            .set("REMINDER_TOLERANCE", "9h");
        if on_sqlite() && seed.is_multiple_of(2) {
            platform.sql("PRAGMA journal_mode = WAL");
        }
        let began = Instant::now();
        platform.send().succeeds();
        let idle = began.elapsed();
        platform.session(1, START);
        Story {
            random: Random::new(seed),
            smtp,
            twilio,
            troubled,
            platform,
            people: 0,
            now: NOW.parse().unwrap(),
            idle,
            left: BTreeSet::new(),
            sent: BTreeSet::new(),
            kills: 0,
        }
    }

    /// Two more participants, one of them with WhatsApp, so that a pass has somebody to enqueue on both channels.
    pub fn enroll(&mut self) {
        let id = i64::try_from(self.people).unwrap() + 1;
        self.people += 2;
        self.platform.participants(id..=id + 1);
        self.platform
            .opted_in(id, &format!("0812345{}", 10_000 + id));
    }

    /// Lets a pass begin on each host, kills them all at a random moment, and looks at what they left.
    pub fn kill_pass_on(&mut self, hosts: &[&str]) {
        let passes: Vec<Child> = hosts.iter().map(|host| self.pass_on(host)).collect();
        thread::sleep(self.moment());
        passes.into_iter().for_each(|pass| self.kill(pass));
        self.smtp.settle();
        self.twilio.settle();
        self.inspect();
        self.now += BETWEEN_PASSES;
    }

    /// Some moment of a pass's life, or after its end.
    fn moment(&mut self) -> Duration {
        let longest = self.idle * 3 + A_WHILE;
        let micros = u64::try_from(longest.as_micros()).unwrap();
        Duration::from_micros(self.random.below(micros))
    }

    fn pass_on(&self, host: &str) -> Child {
        let mut pass = self
            .platform
            .command(&["send", "--now", &self.now.to_rfc3339()]);
        pass.env("STATE_DIRECTORY", self.platform.path(host));
        pass.stdout(Stdio::null()).stderr(Stdio::piped());
        pass.spawn().unwrap()
    }

    fn kill(&mut self, mut pass: Child) {
        // SIGKILL.
        pass.kill().unwrap();
        let output = pass.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{said}");
        let killed = output.status.signal() == Some(9);
        assert!(
            killed || matches!(output.status.code(), Some(0 | 75)),
            "{said}"
        );
        self.kills += usize::from(killed);
    }

    fn ledger(&self, columns: &str, condition: &str) -> Vec<String> {
        let from = format!("session_reminder_deliveries WHERE {condition}");
        self.platform.rows(columns, &from)
    }

    /// What holds at any moment: a participant has the rows of all channels or none, the session has its row in
    /// Laravel's log as soon as there is any, few rows are claimed, and what was sent stays so.
    fn inspect(&mut self) {
        // In one statement: on a server, a commit of a killed pass may still be on its way.
        let counts = "count(CASE WHEN channel = 'mail' THEN 1 END), count(CASE WHEN channel = 'whatsapp' THEN 1 END),
            (SELECT count(*) FROM session_reminder_logs)";
        let counts = self.ledger(counts, "1 = 1").remove(0);
        let counts: Vec<u64> = counts.split('|').map(|n| n.parse().unwrap()).collect();
        assert_eq!(counts[0], 2 * counts[1], "{counts:?}");
        assert_eq!(counts[2], counts[0].min(1), "{counts:?}");
        // By each pass; those with an error were in doubt before a kill.
        let claimed = "status = 'sending' AND error_code IS NULL";
        for (pass, count) in counted(self.ledger("channel, claimed_by", claimed)) {
            assert!(count <= 2 * CONNECTIONS, "{count} claimed by {pass}");
        }
        let claims = "channel, user_id, claimed_by, attempts";
        self.left.extend(self.ledger(claims, "status = 'sending'"));
        let sent = self.ledger("channel, user_id, message_id", "status = 'sent'");
        let sent = BTreeSet::from_iter(sent);
        assert!(self.sent.is_subset(&sent), "{:?}", &self.sent - &sent);
        self.sent = sent;
    }

    /// Passes that nobody disturbs, and what has then come of it all.
    pub fn end(mut self) {
        let (kills, left, sent) = (self.kills, self.left.len(), self.sent.len());
        println!("{kills} passes were killed, {left} deliveries left, {sent} rows sent by then");
        assert!(kills > 10 && left > 10, "hardly any pass was disturbed");
        self.troubled.store(false, SeqCst);
        for _ in 0..3 {
            self.platform.send_at(&self.now.to_rfc3339());
            self.now += PATIENCE;
        }
        self.platform.send_at(&self.now.to_rfc3339()).succeeds();
        self.inspect();
        let row =
            "channel, user_id, status, error_code, error, attempts, next_attempt_at, claimed_by";
        let unsent = self.ledger(row, "status <> 'sent'");
        assert!(unsent.is_empty(), "{unsent:?}");
        assert_eq!(self.sent.len(), self.people * 3 / 2);
        let told = self
            .platform
            .rows("recipients_count", "session_reminder_logs");
        assert_eq!(told, [self.people.to_string()]);
        self.everybody_has_one_message();
        self.everybody_has_their_mail();
    }

    fn everybody_has_one_message(&self) {
        let numbers = counted(self.twilio.created().into_iter().map(|message| message.to));
        let twice: Vec<_> = numbers.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
        assert_eq!(numbers.len(), self.people / 2);
    }

    /// At least once, and again at most as often as a delivery of it was left unrecorded; each time byte by byte the
    /// same.
    fn everybody_has_their_mail(&self) {
        let mut mails = BTreeMap::new();
        for mail in self.smtp.mails() {
            let copies: &mut Vec<_> = mails.entry(mail.to[0].clone()).or_default();
            copies.push(mail.data);
        }
        assert_eq!(mails.len(), self.people);
        let total: usize = mails.values().map(Vec::len).sum();
        println!("{} mails came again", total - self.people);
        for (to, copies) in mails {
            assert!(
                copies.iter().all(|copy| *copy == copies[0]),
                "{to} got different mails"
            );
            let user = to.trim_start_matches("peserta").replace("@example.org", "");
            let left = format!("mail|{user}|");
            let left = self.left.iter().filter(|claim| claim.starts_with(&left));
            let left = left.count();
            assert!(
                copies.len() <= 1 + left,
                "{to}: {} mails, {left} left",
                copies.len()
            );
        }
    }
}

/// One of a hundred mails is taken without an answer, the others after a moment.
fn smtp(seed: u64, troubled: &Arc<AtomicBool>) -> Smtp {
    let (random, troubled) = (Mutex::new(Random::new(seed + 1)), Arc::clone(troubled));
    let server = Smtp::builder().script(move |phase, _| {
        if phase != Phase::Body {
            return Reply::Accept;
        }
        match random.lock().unwrap().below(100) {
            0 if troubled.load(SeqCst) => Reply::AcceptThenDrop,
            delay => Reply::Delay(Duration::from_millis(40 + delay)),
        }
    });
    server.start()
}

/// One of ten messages meets trouble: a late answer, none though it was taken, none at all, an error of the server.
fn twilio(seed: u64, troubled: &Arc<AtomicBool>) -> Twilio {
    let (random, troubled) = (Mutex::new(Random::new(seed + 2)), Arc::clone(troubled));
    Twilio::script(move |_| {
        let chance = random.lock().unwrap().below(100);
        match chance {
            _ if !troubled.load(SeqCst) => Answer::Created,
            0..3 => Answer::Delay(Duration::from_millis(200)),
            3..6 => Answer::CreateThenDrop,
            6..8 => Answer::Drop,
            8..10 => Answer::error(500, 20500, "An internal server error has occurred"),
            delay => Answer::Delay(Duration::from_millis(50 + delay)),
        }
    })
}

//! The main path: a due session is told to everybody once.

use crate::{
    smtp::Smtp,
    support::{NOW, Platform, START, wall_in},
    twilio::Twilio,
};

#[test]
fn everybody_gets_a_mail_and_those_who_opted_in_a_whatsapp_message_once() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = Platform::seed().mail(&smtp).whatsapp(&twilio);
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.participant(2, "Siti", "siti@example.org");
    platform.opted_in(1, "081234567890");

    let summary = platform
        .run(&["send", "--now", NOW, "--format", "json"])
        .succeeds()
        .json();
    assert_eq!(summary["sent"], 3, "{summary}");
    assert_eq!(summary["channels"]["mail"]["sent"], 2);

    let mails = smtp.mails();
    let mut to: Vec<_> = mails.iter().map(|mail| mail.to[0].as_str()).collect();
    to.sort();
    assert_eq!(to, ["budi@example.org", "siti@example.org"]);
    assert_eq!(
        mails[0].subject(),
        "Pengingat: Sesi Pecahan akan dimulai dalam 1 jam"
    );
    assert!(
        mails[0]
            .text()
            .contains("Senin, 23 November 2026 pukul 17.00 WIB"),
        "{}",
        mails[0].text()
    );
    let messages = twilio.created();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].to, "whatsapp:+6281234567890");
    assert_eq!(
        platform.ledger(),
        [
            "mail|1|sent|NULL",
            "mail|2|sent|NULL",
            "whatsapp|1|sent|NULL"
        ]
    );
    assert_eq!(
        platform.rows(
            "course_session_id, recipients_count",
            "session_reminder_logs"
        ),
        ["1|2"]
    );

    platform.send().succeeds();
    assert_eq!((smtp.mails().len(), twilio.created().len()), (2, 1));
}

#[test]
fn a_pass_in_which_all_is_well_says_nothing() {
    let smtp = Smtp::start();
    let platform = Platform::seed().mail(&smtp);
    platform.session(1, &wall_in(60));
    platform.participant(1, "Budi", "budi@example.org");
    for expected in [1, 1] {
        let run = platform.run(&["send"]).succeeds();
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
        assert_eq!(smtp.mails().len(), expected);
    }
}

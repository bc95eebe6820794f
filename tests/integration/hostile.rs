//! Whatever stands in the platform's texts: one mail to one recipient, nothing but text on a terminal, and the others
//! are told all the same.

use mail_parser::MessageParser;

use crate::{
    smtp::{Mail, Phase, Reply, Smtp},
    support::{BackEnd, NOW, Platform, Run, START, on},
    twilio::{Answer, Twilio},
};

/// What somebody might type, paste or try as a title, a name, a place or a link.
const TEXTS: [&str; 20] = [
    "",
    " \t ",
    "Aljabar\r\nBcc: eve@example.net",
    "Aljabar\nContent-Type: text/html\n\n<b>eve</b>",
    "Aljabar\r\n.\r\nMAIL FROM:<eve@example.net>\r\nRCPT TO:<eve@example.net>",
    "\r\n\r\n",
    "\u{1b}[2J\u{1b}]0;pwned\u{7}Aljabar",
    "\u{9b}31mAljabar\u{7f}\u{8}\0",
    "\"Budi\" <eve@example.net>, siti",
    "Budi <eve@example.net>;",
    "O'Neil \\ \"Ani\" \\\" (komentar",
    "=?utf-8?q?Bcc:_eve=40example.net?=",
    "<script>alert('eve')</script> & <img src=x onerror=eve()>",
    "{{ 7*7 }} {% raw %} ${APP_NAME} {# eve",
    "👩‍👩‍👧 Sesi 🎉👍🏽",
    "رياضيات متقدمة",
    "abc\u{202e}gpj.exe\u{202c} \u{2066}x\u{2069}",
    "satu\u{2028}dua\u{2029}tiga\u{85}empat\u{b}lima",
    "javascript:alert('eve')",
    "*tebal* _miring_ ```kode\n> kutip",
];

/// The names of all headers that a reminder has.
const HEADERS: [&str; 9] = [
    "Auto-Submitted",
    "Content-Type",
    "Date",
    "From",
    "MIME-Version",
    "Message-ID",
    "Subject",
    "To",
    "X-Auto-Response-Suppress",
];

/// An SQL literal for these bytes as a text; see [`fits`].
fn sql_text(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    on(
        format!("CAST(x'{hex}' AS TEXT)"),
        format!("convert_from('\\x{hex}', 'UTF8')"),
        format!("CAST(x'{hex}' AS CHAR CHARACTER SET utf8mb4)"),
    )
}

/// Whether the database takes these bytes for a text: a server wants UTF-8, and PostgreSQL no NUL.
fn fits(bytes: &[u8]) -> bool {
    let utf8 = str::from_utf8(bytes).is_ok();
    on(true, utf8 && !bytes.contains(&0), utf8)
}

/// Those that the database takes, with what stands beside them.
fn fitting<T: Copy>(all: &[(&'static [u8], T)]) -> Vec<(&'static [u8], T)> {
    let fitting = all.iter().filter(|(bytes, _)| fits(bytes));
    fitting.copied().collect()
}

/// The seed's platform with room for long texts.
fn roomy() -> Platform {
    let platform = Platform::untouched();
    for (table, column) in [
        ("users", "name"),
        ("courses", "title"),
        ("course_sessions", "title"),
        ("course_sessions", "meeting_url"),
        ("course_sessions", "location"),
    ] {
        let change = match platform.back_end() {
            BackEnd::Sqlite => continue,
            BackEnd::Postgres => format!("ALTER COLUMN {column} TYPE text"),
            BackEnd::Mysql => format!("MODIFY COLUMN {column} text"),
        };
        platform.sql(&format!("ALTER TABLE {table} {change}"));
    }
    platform.migrated()
}

/// Tables of the seed's names without its rules: anything may be missing, and on SQLite be of any type.
fn untyped() -> Platform {
    #[cfg(feature = "sqlite")]
    if crate::support::on_sqlite() {
        return crate::sqlite_values::untyped();
    }
    let platform = Platform::empty();
    let id = on("", "bigserial", "bigint auto_increment");
    platform.sql(&format!(
        "CREATE TABLE users (id bigint primary key, name text, email text,
             status varchar(255) DEFAULT 'active', locale text);
         CREATE TABLE user_profiles (id {id} primary key, user_id bigint, phone text, whatsapp_opt_in boolean,
             timezone text, locale text);
         CREATE TABLE courses (id bigint primary key, title text);
         CREATE TABLE course_sessions (id bigint primary key, course_id bigint, title text, mode text,
             scheduled_at timestamp NULL, duration_minutes integer, meeting_url text, location text);
         CREATE TABLE enrollments (user_id bigint, course_id bigint, status varchar(255));"
    ));
    platform.migrated()
}

/// Session, course and participant `id`, all of whose texts are this one; the addresses are good.
fn everywhere(platform: &Platform, id: i64, text: &[u8]) {
    let text = sql_text(text);
    platform.sql(&format!(
        "INSERT INTO courses (id, title) VALUES ({id}, concat('K ', {text}));
         INSERT INTO course_sessions (id, course_id, title, mode, scheduled_at, meeting_url, location)
             VALUES ({id}, {id}, {text}, 'hybrid', '{START}', {text}, {text});
         INSERT INTO users (id, name, email) VALUES ({id}, {text}, 'user{id}@example.org');
         INSERT INTO enrollments (user_id, course_id, status) VALUES ({id}, {id}, 'active');"
    ));
    platform.opted_in(id, &format!("0812345678{id}"));
}

/// Nothing that a terminal would obey or be misled by.
#[track_caller]
pub fn assert_harmless(text: &str) {
    let acts = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
    };
    assert!(!text.contains(acts), "{text:?}");
}

#[track_caller]
fn harmless(run: Run) -> Run {
    assert_harmless(&run.stdout);
    assert_harmless(&run.stderr);
    run
}

/// Every way to look, and then to send with everything said.
#[track_caller]
pub fn send_in_every_mode(platform: &Platform) -> Run {
    for mode in [
        &["send", "--dry-run", "--now", NOW][..],
        &["-vv", "send", "--dry-run", "--now", NOW],
        &["-v", "send", "--dry-run", "--now", NOW, "--format", "json"],
    ] {
        let run = harmless(platform.run(mode));
        assert!(!run.stdout.is_empty(), "{run:?}");
    }
    let run = harmless(platform.run(&["-vv", "send", "--now", NOW, "--format", "json"]));
    for mode in ["-v", "-q"] {
        harmless(platform.run(&[mode, "send", "--now", NOW]));
        harmless(platform.run(&[mode, "send", "--dry-run", "--now", NOW]));
    }
    run
}

/// One recipient in the envelope and the same one in the headers, no header more than there should be.
#[track_caller]
pub fn assert_one_plain_mail(mail: &Mail) {
    let data = String::from_utf8_lossy(&mail.data);
    let (head, body) = data.split_once("\r\n\r\n").expect("a header block");
    let lines = head.split("\r\n");
    let mut names: Vec<&str> = lines
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| line.split(':').next().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, HEADERS, "{head}");
    assert!(
        !head.replace("\r\n", "").contains(char::is_control),
        "{head:?}"
    );
    assert!(!body.is_empty());

    let parsed = MessageParser::default().parse(&mail.data).unwrap();
    let to: Vec<_> = parsed.to().unwrap().iter().collect();
    assert_eq!(to.len(), 1, "{head}");
    assert_eq!(to[0].address(), Some(mail.to[0].as_str()), "{head}");
    assert_eq!(mail.to.len(), 1);
    assert_eq!(parsed.from().unwrap().iter().count(), 1, "{head}");
    assert!(parsed.cc().is_none() && parsed.bcc().is_none(), "{head}");
    assert_harmless(&mail.subject());
    for part in [mail.text(), mail.html()] {
        assert_harmless(&part.replace(['\r', '\t'], ""));
    }
}

#[test]
fn hostile_texts_change_nothing_but_the_words_of_their_own_message() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = Platform::seed().mail(&smtp).whatsapp(&twilio);
    let ids = 10..;
    for (id, text) in ids.zip(TEXTS) {
        let text = on(text.to_owned(), text.replace('\0', ""), text.to_owned());
        everywhere(&platform, id, text.as_bytes());
    }
    let summary = send_in_every_mode(&platform).succeeds().json();
    assert_eq!(summary["sent"], 40, "{summary}");

    let mails = smtp.mails();
    assert_eq!(mails.len(), 20);
    for mail in &mails {
        assert_one_plain_mail(mail);
        assert!(mail.subject().starts_with("Pengingat: "));
        assert!(
            mail.text()
                .contains("Senin, 23 November 2026 pukul 17.00 WIB")
        );
        let html = mail.html();
        for tag in ["<script", "<img", "<b>", "href=\"javascript"] {
            assert!(!html.contains(tag), "{tag} in {html}");
        }
    }
    let of = |id: i64| {
        let address = format!("user{id}@example.org");
        mails
            .iter()
            .find(|mail| mail.to == [address.clone()])
            .unwrap()
    };
    assert_eq!(
        of(12).subject(),
        "Pengingat: Sesi Aljabar Bcc: eve@example.net akan dimulai dalam 1 jam"
    );
    assert!(
        of(23)
            .text()
            .contains("Sesi: {{ 7*7 }} {% raw %} ${APP_NAME} {# eve")
    );
    assert!(
        of(23)
            .html()
            .contains("{{ 7*7 }} {% raw %} ${APP_NAME} {# eve")
    );
    assert!(of(24).subject().contains("👩‍👩‍👧 Sesi 🎉👍🏽"));
    assert!(of(25).text().contains("Halo رياضيات متقدمة,"));
    for message in twilio.created() {
        assert_harmless(&message.body.unwrap());
    }
}

#[test]
fn ten_thousand_characters_are_cut_and_bytes_that_are_no_text_are_replaced() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = roomy().mail(&smtp).whatsapp(&twilio);
    everywhere(&platform, 10, "Sesi panjang ".repeat(800).as_bytes());
    everywhere(&platform, 11, "🎉".repeat(10_000).as_bytes());
    everywhere(&platform, 12, "a".repeat(10_000).as_bytes());
    let short = fitting(&[
        (b"Kal\xff\xfekulus \xc3", 13),
        (b"https://meet.example.org/\xed\xa0\x80", 14),
        (b"baik", 15),
    ]);
    for (text, id) in &short {
        everywhere(&platform, *id, text);
    }
    let summary = send_in_every_mode(&platform).succeeds().json();
    assert_eq!(summary["sent"], 2 * (3 + short.len()), "{summary}");
    for mail in smtp.mails() {
        assert_one_plain_mail(&mail);
        assert!(mail.subject().chars().count() <= 200);
        assert!(mail.subject().ends_with("akan dimulai dalam 1 jam"));
        assert!(mail.data.len() < 40_000, "{}", mail.data.len());
    }
    for message in twilio.created() {
        assert!(message.body.unwrap().contains("pukul 17.00 WIB"));
    }
}

#[test]
fn nothing_where_a_text_belongs_still_makes_a_readable_mail() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = untyped().mail(&smtp).whatsapp(&twilio);
    platform.sql(&format!(
        "INSERT INTO courses (id, title) VALUES (2, NULL), (3, '');
         INSERT INTO course_sessions (id, course_id, title, mode, scheduled_at, duration_minutes, meeting_url, location)
             VALUES (2, 2, NULL, NULL, '{START}', NULL, NULL, NULL), (3, 3, '', '', '{START}', -1, '', '');
         INSERT INTO users (id, name, email, locale)
             VALUES (2, NULL, 'two@example.org', NULL), (3, '', 'three@example.org', '');
         INSERT INTO user_profiles (user_id, phone, whatsapp_opt_in, timezone, locale)
             VALUES (2, '081234567892', true, NULL, NULL), (3, '081234567893', true, '', '');
         INSERT INTO enrollments VALUES (2, 2, 'active'), (3, 3, 'active');"
    ));
    send_in_every_mode(&platform).succeeds();
    assert_eq!((smtp.mails().len(), twilio.created().len()), (2, 2));
    for mail in &smtp.mails() {
        assert_one_plain_mail(mail);
        assert_eq!(mail.subject(), "Pengingat: Sesi akan dimulai dalam 1 jam");
        assert!(mail.text().starts_with("Halo,"), "{}", mail.text());
    }
}

#[test]
fn an_address_is_one_plain_address_or_a_failure_with_the_reason() {
    let smtp = Smtp::start();
    let platform = untyped().mail(&smtp);
    platform.session(1, START);
    let long = format!("{}@example.org", "a".repeat(10_000));
    let good = [
        ("budi@example.org", "budi@example.org"),
        (" siti@example.org \n", "siti@example.org"),
        (
            "o'neil+kelas=1@sub.example.org",
            "o'neil+kelas=1@sub.example.org",
        ),
        ("-oX/tmp/x@example.org", "-oX/tmp/x@example.org"),
        ("büdi@example.org", "büdi@example.org"),
        ("ani@bücher.example", "ani@xn--bcher-kva.example"),
    ];
    let bad: [(&[u8], &str); 23] = [
        (b"", "is empty"),
        (b"   ", "is empty"),
        (b"budi", "has no @"),
        (b"@example.org", "before the @"),
        (b"budi@", "after the @"),
        (b"a@example.org, eve@example.net", "more than one"),
        (b"a@example.org;eve@example.net", "more than one"),
        (b"a@example.org eve@example.net", "more than one"),
        (b"a@example.org,", "more than one"),
        (b"Budi <a@example.org>", "name or quotes"),
        (b"a@example.org> NOTIFY=NEVER", "name or quotes"),
        (b"\"a b\"@example.org", "name or quotes"),
        (b"a@example.org (eve)", "name or quotes"),
        (b"a@example.org\r\nBcc: eve@example.net", "line break"),
        (b"a@example.org>\r\nRCPT TO:<eve@example.net", "line break"),
        (b"a@example.org\0", "line break or control"),
        (b"\x1b]0;x\x07a@example.org", "line break or control"),
        ("\u{9b}31ma@example.org".as_bytes(), "line break or control"),
        ("\u{202e}a@example.org".as_bytes(), "invisible"),
        ("a\u{2066}b@example.org".as_bytes(), "invisible"),
        ("a\u{200b}b@example.org".as_bytes(), "invisible"),
        ("a\u{2028}b@example.org".as_bytes(), "line break"),
        (b"bu\xffdi@example.org", "not valid text"),
    ];
    let mut bad = fitting(&bad);
    bad.push((long.leak().as_bytes(), "longer than 254"));
    let mut id = 100;
    for text in good
        .map(|(text, _)| text.as_bytes())
        .into_iter()
        .chain(bad.iter().map(|(text, _)| *text))
    {
        id += 1;
        platform.sql(&format!(
            "INSERT INTO users (id, name, email) VALUES ({id}, 'Ani', {});
             INSERT INTO enrollments VALUES ({id}, 1, 'active');",
            sql_text(text)
        ));
    }
    platform.sql(
        "INSERT INTO users (id, name, email) VALUES (200, 'Ani', NULL), (201, 'Ani', 42);
         INSERT INTO enrollments VALUES (200, 1, 'active'), (201, 1, 'active');",
    );

    let summary = send_in_every_mode(&platform).exits(1).json();
    assert_eq!(summary["sent"], good.len(), "{summary}");
    assert_eq!(summary["failed"], bad.len() + 2);
    let mails = smtp.mails();
    mails.iter().for_each(assert_one_plain_mail);
    let mut to: Vec<&str> = mails.iter().map(|mail| mail.to[0].as_str()).collect();
    let mut expected = good.map(|(_, address)| address);
    to.sort_unstable();
    expected.sort_unstable();
    assert_eq!(to, expected);
    let asked = smtp.commands();
    let asked = asked.iter().filter(|line| line.starts_with("RCPT"));
    assert_eq!(asked.count(), good.len());

    let failed = platform.rows(
        "status, error_code, attempts, error",
        "session_reminder_deliveries WHERE user_id > 106 ORDER BY user_id",
    );
    let expected = bad.iter().map(|(_, reason)| *reason);
    for (row, reason) in failed.iter().zip(expected.chain(["is empty", "has no @"])) {
        assert!(row.starts_with("failed|address|0|"), "{row}");
        assert!(row.contains(reason), "{reason}: {row}");
        assert!(row.contains("correct it in the user's record"), "{row}");
    }
    assert_eq!(failed.len(), bad.len() + 2);

    let again = platform.send().succeeds();
    assert_eq!(again.complaints(), [""; 0]);
    assert_eq!(smtp.mails().len(), good.len());
}

#[test]
fn a_number_that_is_none_fails_that_message_and_its_mail_still_goes() {
    let (smtp, twilio) = (Smtp::start(), Twilio::start());
    let platform = untyped().mail(&smtp).whatsapp(&twilio);
    platform.session(1, START);
    let bad: [(&[u8], i64); 9] = [
        (b"", 1),
        (b"081234567890, 081234567891", 2),
        (b"081234567890;081234567891", 3),
        (b"081234567890\r\n081234567891", 4),
        (b"\x1b[31m081234567890", 5),
        ("\u{202e}081234567890".as_bytes(), 6),
        (b"0812\xff34567890", 7),
        (b"081234567890\0", 8),
        (b"whatsapp:+6281234567890&To=whatsapp:+6281234567891", 9),
    ];
    let bad = fitting(&bad);
    for (phone, id) in &bad {
        let id = *id;
        platform.participant(id, "Ani", &format!("user{id}@example.org"));
        platform.sql(&format!(
            "INSERT INTO user_profiles (user_id, phone, whatsapp_opt_in) VALUES ({id}, {}, true)",
            sql_text(phone)
        ));
    }
    platform.participant(50, "Budi", "budi@example.org");
    platform.opted_in(50, "0812-3456-7890");
    let summary = send_in_every_mode(&platform).exits(1).json();
    assert_eq!(summary["channels"]["mail"]["sent"], bad.len() + 1);
    assert_eq!(summary["channels"]["whatsapp"]["sent"], 1);
    assert_eq!(summary["channels"]["whatsapp"]["failed"], bad.len());
    assert_eq!(twilio.created().len(), 1);
    assert_eq!(twilio.created()[0].to, "whatsapp:+6281234567890");
    for row in platform.rows(
        "status, error_code, error",
        "session_reminder_deliveries WHERE channel = 'whatsapp' AND user_id < 50",
    ) {
        assert!(
            row.starts_with("failed|phone|") && row.contains("phone number"),
            "{row}"
        );
        assert_harmless(&row);
    }
}

#[test]
fn what_servers_say_reaches_log_and_ledger_as_harmless_words() {
    let smtp = Smtp::builder()
        .script(|phase, _| match phase {
            Phase::Rcpt => Reply::Say(
                "550-5.1.1 \u{1b}[31mgone\u{1b}]0;x\u{7}\n550 5.1.1 \u{202e}{{ 7*7 }} <budi@example.org>".into(),
            ),
            _ => Reply::Accept,
        })
        .start();
    let twilio =
        Twilio::script(|_| Answer::error(400, 63024, "\u{1b}[2J\r\nInvalid \u{9b}31m\u{202e}x"));
    let platform = Platform::seed().mail(&smtp).whatsapp(&twilio);
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    platform.opted_in(1, "081234567890");
    let run = send_in_every_mode(&platform).exits(1);
    assert!(run.stderr.contains("550 5.1.1") && run.stderr.contains("63024"));
    assert!(!run.stderr.contains("budi@example.org"), "{}", run.stderr);
    for row in platform.rows("error_code, error", "session_reminder_deliveries") {
        assert_harmless(&row);
        assert!(!row.contains("budi@example.org"), "{row}");
    }
}

#[test]
fn settings_with_line_breaks_add_no_header() {
    let smtp = Smtp::start();
    let platform = Platform::seed()
        .mail(&smtp)
        .set("APP_NAME", "Kursus\r\nBcc: eve@example.net\u{1b}[2J")
        .set("MAIL_FROM_NAME", "Kursus\r\nBcc: eve@example.net");
    platform.session(1, START);
    platform.participant(1, "Budi", "budi@example.org");
    send_in_every_mode(&platform).succeeds();
    assert_one_plain_mail(&smtp.mails()[0]);

    for variable in [
        "MAIL_REPLY_TO",
        "MAIL_FROM_ADDRESS",
        "REMINDER_REDIRECT_MAIL",
        "MAIL_EHLO_DOMAIN",
    ] {
        let platform = Platform::seed()
            .mail(&smtp)
            .set(variable, "a@example.org\r\nBcc: eve@example.net\u{1b}[2J");
        platform.session(1, START);
        platform.participant(1, "Budi", "budi@example.org");
        let run = harmless(platform.send().exits(78));
        assert!(run.stderr.contains(variable), "{run:?}");
    }
    assert_eq!(smtp.mails().len(), 1);
}

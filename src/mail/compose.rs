//! From a rendered message to the bytes of a mail. The same input gives the same bytes, so that a mail sent a second
//! time after a crash is recognisably the same mail.

use std::fmt::Display;
use std::mem::replace;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use lettre::Address;
use lettre::message::header::ContentTransferEncoding::SevenBit;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Body, Mailbox, Message, MultiPart, SinglePart};
use memchr::{Memchr, memmem};

use super::calendar;
use super::heads::{Heads, Sender, heads};
use crate::config;
use crate::message::MailMessage;
use crate::outcome::Fault;
use crate::text::one_line;

/// Octets of a line that may travel as it is, with its CR and the LF before it.
const LINE: usize = 998;

/// One mail ready to go.
#[derive(Debug)]
pub struct Envelope {
    pub from: Address,
    pub to: Address,
    /// With its angle brackets, as in the header.
    pub message_id: String,
    /// Lines end in CRLF, none is longer than 998 octets; not dot-stuffed.
    pub bytes: Vec<u8>,
}

/// What identifies a reminder, and so its Message-ID.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    pub session_id: i64,
    pub user_id: i64,
    pub kind: &'a str,
    pub lead_minutes: i32,
    /// The platform's digits: `2026-11-22 17:00:00`.
    pub scheduled_at: &'a str,
    /// The Message-ID of the mail that this one corrects.
    pub corrects: Option<&'a str>,
}

impl Identity<'_> {
    /// Letters, digits, dots and dashes only: safe in a Message-ID, a MIME boundary and a file name.
    fn token(&self) -> String {
        let kind: String = self
            .kind
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(20)
            .collect();
        let start: String = self
            .scheduled_at
            .chars()
            .filter(char::is_ascii_digit)
            .take(20)
            .collect();
        let (session, user, lead) = (self.session_id, self.user_id, self.lead_minutes);
        format!("s{session}.u{user}.{kind}.{lead}m.{start}")
    }
}

/// Makes the mails of one sender.
pub struct Composer<'a> {
    sender: Sender,
    redirect: Option<&'a str>,
    entry: calendar::Last,
}

impl<'a> Composer<'a> {
    /// With `redirect` every mail goes there, and its subject says for whom it was meant. The error is that of the
    /// sender's settings.
    pub fn new(mail: &config::Mail, redirect: Option<&'a str>) -> Result<Self, Fault> {
        Ok(Self {
            sender: Sender::new(mail)?,
            redirect,
            entry: calendar::Last::default(),
        })
    }

    /// Builds the MIME message. The error is permanent for this recipient.
    pub fn compose(
        &mut self,
        message: &MailMessage,
        to_name: Option<&str>,
        to_address: Option<&str>,
        identity: &Identity<'_>,
        date: DateTime<Utc>,
    ) -> Result<Envelope, Fault> {
        let heads = heads(self.redirect, message, to_name, to_address)?;
        let (from, session) = (&self.sender.from, identity.session_id);
        let entry = self.entry.write(&message.event, from, session, date);
        build(&self.sender, heads, message, entry, identity, date)
    }
}

fn build(
    sender: &Sender,
    heads: Heads,
    message: &MailMessage,
    entry: String,
    identity: &Identity<'_>,
    date: DateTime<Utc>,
) -> Result<Envelope, Fault> {
    let Heads { to, subject } = heads;
    let (from, token) = (&sender.from, identity.token());
    let message_id = format!("<{token}@{}>", from.email.domain());
    let mut builder = Message::builder()
        // Else it is read out of the headers once they are written.
        .envelope(envelope(from, &to)?)
        .from(from.clone())
        .to(to.clone())
        .subject(subject)
        .date(system_time(date))
        .message_id(Some(message_id.clone()));
    if let Some(reply_to) = &sender.reply_to {
        builder = builder.reply_to(reply_to.clone());
    }
    if let Some(corrected) = identity.corrects {
        builder = builder
            .in_reply_to(corrected.to_owned())
            .references(corrected.to_owned());
    }
    let mut built = builder
        .multipart(parts(message, entry, token)?)
        .map_err(unbuilt)?;
    // RFC 3834, and what Exchange reads instead of it: no vacation notices in answer.
    let headers = built.headers_mut();
    headers.insert_raw(raw("Auto-Submitted", "auto-generated"));
    headers.insert_raw(raw("X-Auto-Response-Suppress", "All"));
    Ok(Envelope {
        from: from.email.clone(),
        to: to.email,
        message_id,
        bytes: built.formatted(),
    })
}

fn envelope(from: &Mailbox, to: &Mailbox) -> Result<lettre::address::Envelope, Fault> {
    let (from, to) = (from.email.clone(), to.email.clone());
    lettre::address::Envelope::new(Some(from), vec![to]).map_err(unbuilt)
}

/// The texts as alternatives, and the calendar's entry attached. As a third alternative, the richest one, Outlook and
/// Apple's Mail may show the entry in place of the mail; from an attachment, Gmail draws its card all the same.
fn parts(message: &MailMessage, entry: String, mut token: String) -> Result<MultiPart, Fault> {
    let (text, html) = (plain_lines(&message.text), plain_lines(&message.html));
    // RFC 2046 5.1.1: no boundary may occur in the parts, whatever somebody wrote there. Both end in the token.
    let holds =
        |part: &&String, token: &str| memmem::find(part.as_bytes(), token.as_bytes()).is_some();
    while [&text, &html, &entry]
        .iter()
        .any(|part| holds(part, &token))
    {
        token.push('x');
    }
    let alternatives = MultiPart::alternative()
        .boundary(format!("part-{token}"))
        .singlepart(SinglePart::plain(body(text)))
        .singlepart(SinglePart::html(body(html)));
    Ok(MultiPart::mixed()
        .boundary(format!("mail-{token}"))
        .multipart(alternatives)
        .singlepart(attached(entry, calendar::method(&message.event))?))
}

fn attached(entry: String, method: &str) -> Result<SinglePart, Fault> {
    let content_type = format!("text/calendar; charset=utf-8; method={method}");
    let content_type = ContentType::parse(&content_type).map_err(unbuilt)?;
    Ok(Attachment::new("session.ics".to_owned()).body(body(entry), content_type))
}

/// A text as it is, where a mail can hold it so (RFC 2045 2.7, RFC 5322 2.1.1), which is quickly seen; else encoded.
fn body(text: String) -> Body {
    let lines = Memchr::new(b'\n', text.as_bytes()).chain([text.len()]);
    let lengths = lines.scan(0, |begin, end| Some(end - replace(begin, end)));
    match text.is_ascii() && lengths.max() <= Some(LINE) {
        true => Body::dangerous_pre_encoded(text.into_bytes(), SevenBit),
        false => Body::new(text),
    }
}

fn unbuilt(error: impl Display) -> Fault {
    Fault::new("mime", one_line(&error.to_string(), 200))
}

/// Lines ended by CRLF and no other control characters: a bare CR, LF or NUL is forbidden in a mail (RFC 5321 2.3.8),
/// and servers disagree on what it means.
fn plain_lines(text: &str) -> String {
    // Almost every text is plain, and a mail has thousands of characters: counted, where a search would have to stop at
    // each.
    if text
        .bytes()
        .filter(|byte| !matches!(byte, b' '..=b'~' | b'\n' | b'\t'))
        .count()
        == 0
    {
        return with_crlf(text);
    }
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let plain: String = lines.chars().filter(|c| is_plain(*c)).collect();
    with_crlf(&plain)
}

fn with_crlf(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + 256);
    let mut begin = 0;
    for end in Memchr::new(b'\n', text.as_bytes()) {
        lines.push_str(&text[begin..end]);
        lines.push_str("\r\n");
        begin = end + 1;
    }
    lines.push_str(&text[begin..]);
    lines
}

fn is_plain(c: char) -> bool {
    matches!(c, '\n' | '\t') || !c.is_control()
}

fn system_time(date: DateTime<Utc>) -> SystemTime {
    SystemTime::UNIX_EPOCH
        + Duration::from_secs(u64::try_from(date.timestamp()).unwrap_or_default())
}

fn raw(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

#[cfg(test)]
pub mod tests {
    use chrono::TimeZone;
    use mail_parser::{MessageParser, MimeHeaders};

    use super::*;
    use crate::mail::calendar::tests::event;

    pub fn settings() -> config::Mail {
        config::Mail {
            transport: config::MailTransport::File("unused".into()),
            from_address: "kursus@example.org".to_owned(),
            from_name: Some("Kursus Kita".to_owned()),
            reply_to: Some("tanya@example.org".to_owned()),
            max_per_day: None,
        }
    }

    fn message(subject: &str, text: &str) -> MailMessage {
        MailMessage {
            subject: subject.to_owned(),
            text: text.to_owned(),
            html: format!("<p>{text}</p>"),
            event: event(),
        }
    }

    const IDENTITY: Identity<'_> = Identity {
        session_id: 12,
        user_id: 34,
        kind: "reminder",
        lead_minutes: 60,
        scheduled_at: "2026-11-22 17:00:00",
        corrects: None,
    };

    fn composed(
        redirect: Option<&str>,
        message: &MailMessage,
        name: &str,
        address: &str,
    ) -> Envelope {
        let date = Utc.with_ymd_and_hms(2026, 11, 22, 9, 0, 0).unwrap();
        let mail = settings();
        let mut composer = Composer::new(&mail, redirect).unwrap();
        composer
            .compose(message, Some(name), Some(address), &IDENTITY, date)
            .unwrap()
    }

    #[test]
    fn the_headers_are_those_of_an_automatic_mail() {
        let envelope = composed(
            None,
            &message("Pengingat: Sesi Aljabar", "Halo"),
            "Budi",
            "budi@example.com",
        );
        let text = String::from_utf8(envelope.bytes).unwrap();
        for line in [
            "From: \"Kursus Kita\" <kursus@example.org>",
            "To: Budi <budi@example.com>",
            "Subject: Pengingat: Sesi Aljabar",
            "Date: Sun, 22 Nov 2026 09:00:00 +0000",
            "Message-ID: <s12.u34.reminder.60m.20261122170000@example.org>",
            "Reply-To: tanya@example.org",
            "Auto-Submitted: auto-generated",
            "X-Auto-Response-Suppress: All",
            "MIME-Version: 1.0",
        ] {
            assert!(text.contains(&format!("{line}\r\n")), "{line} in\n{text}");
        }
    }

    #[test]
    fn both_parts_survive_the_trip() {
        let body = "Halo Søren 🎉,\n.\nsesi dimulai\n\nhttps://example.com/?a=b";
        let envelope = composed(
            None,
            &message("Pengingat – 🎉", body),
            "Søren \"x\" Ü",
            "s@example.com",
        );
        let parsed = MessageParser::default().parse(&envelope.bytes).unwrap();
        assert_eq!(parsed.subject(), Some("Pengingat – 🎉"));
        assert_eq!(
            parsed
                .body_text(0)
                .unwrap()
                .replace("\r\n", "\n")
                .trim_end(),
            body
        );
        assert!(parsed.body_html(0).unwrap().contains("Søren 🎉"));
        assert!(
            parsed
                .content_type()
                .unwrap()
                .is_type_and_subtype("multipart", "mixed")
        );
        let to = parsed.to().unwrap().first().unwrap();
        assert_eq!(
            (to.name(), to.address()),
            (Some("Søren \"x\" Ü"), Some("s@example.com"))
        );
    }

    #[test]
    fn the_calendars_entry_is_attached() {
        let mut message = message("Sesi", "Halo");
        for (is_cancelled, method) in [(false, "PUBLISH"), (true, "CANCEL")] {
            message.event.is_cancelled = is_cancelled;
            let envelope = composed(None, &message, "Budi", "budi@example.com");
            let parsed = MessageParser::default().parse(&envelope.bytes).unwrap();
            let entry = parsed.attachment(0).unwrap();
            let content_type = entry.content_type().unwrap();
            assert!(content_type.is_type_and_subtype("text", "calendar"));
            assert_eq!(content_type.attribute("charset"), Some("utf-8"));
            assert_eq!(content_type.attribute("method"), Some(method));
            assert_eq!(entry.attachment_name(), Some("session.ics"));
            let written = entry.text_contents().unwrap();
            assert!(
                written.contains(&format!("\r\nMETHOD:{method}\r\n")),
                "{written}"
            );
            assert!(
                !written.contains("Budi") && !written.contains("budi"),
                "{written}"
            );
        }
    }

    trait TypeAndSubtype {
        fn is_type_and_subtype(&self, kind: &str, sub: &str) -> bool;
    }

    impl TypeAndSubtype for mail_parser::ContentType<'_> {
        fn is_type_and_subtype(&self, kind: &str, sub: &str) -> bool {
            self.ctype() == kind && self.subtype() == Some(sub)
        }
    }

    #[test]
    fn the_same_reminder_is_the_same_mail_byte_for_byte() {
        let one = composed(None, &message("Sesi", "Halo é"), "Budi", "budi@example.com");
        let two = composed(None, &message("Sesi", "Halo é"), "Budi", "budi@example.com");
        assert_eq!(one.bytes, two.bytes);
        assert_eq!(one.message_id, two.message_id);
    }

    #[test]
    fn names_and_subjects_cannot_add_a_header() {
        let subject = "Sesi\r\nBcc: eve@example.com";
        let envelope = composed(
            None,
            &message(subject, "Halo"),
            "Budi\r\nCc: eve@example.com",
            "budi@example.com",
        );
        let parsed = MessageParser::default().parse(&envelope.bytes).unwrap();
        assert!(parsed.bcc().is_none() && parsed.cc().is_none());
        assert_eq!(parsed.to().unwrap().iter().count(), 1);
    }

    #[test]
    fn no_line_is_longer_than_a_mail_may_have_and_all_is_ascii() {
        let (long, emoji) = ("a".repeat(10_000), "🎉".repeat(10_000));
        let mut kana = message(&emoji, &emoji);
        kana.text.push_str("\rbare\0control\u{1b}");
        for (message, name) in [(message(&long, &long), &long), (kana, &emoji)] {
            let envelope = composed(None, &message, name, "budi@example.com");
            assert!(envelope.bytes.is_ascii());
            let text = String::from_utf8(envelope.bytes).unwrap();
            assert!(
                text.split("\r\n")
                    .all(|line| line.len() <= 998 && !line.contains(['\r', '\n', '\0']))
            );
        }
    }

    #[test]
    fn a_redirected_mail_goes_elsewhere_and_says_for_whom_it_was() {
        let envelope = composed(
            Some("try@example.net"),
            &message("Sesi", "Halo"),
            "Budi",
            "budi@example.com",
        );
        assert_eq!(envelope.to.to_string(), "try@example.net");
        let text = String::from_utf8(envelope.bytes).unwrap();
        assert!(text.contains("To: Budi <try@example.net>\r\n"), "{text}");
        assert!(text.contains("Subject: [for b***@e"), "{text}");
        assert!(!text.contains("budi@example.com"));
    }

    #[test]
    fn a_text_that_holds_the_boundary_gets_another_one() {
        for which in ["part", "mail"] {
            let end = format!("--{which}-s12.u34.reminder.60m.20261122170000--");
            let mut message = message("Sesi", &format!("{end}\nstill here"));
            // Encoded, any blank may become the end of a line.
            message.event.notes = format!("é {end}").repeat(20);
            let envelope = composed(None, &message, "Budi", "budi@example.com");
            let parsed = MessageParser::default().parse(&envelope.bytes).unwrap();
            assert!(parsed.body_text(0).unwrap().contains("still here"));
            assert_eq!((parsed.parts.len(), parsed.attachment_count()), (5, 1));
            let entry = parsed.attachment(0).unwrap();
            assert!(
                entry
                    .text_contents()
                    .unwrap()
                    .ends_with("END:VCALENDAR\r\n")
            );
        }
    }

    #[test]
    fn a_bad_recipient_is_refused() {
        let date = Utc.timestamp_opt(-5, 0).unwrap();
        let message = message("Sesi", "Halo");
        let mail = settings();
        let none = Composer::new(&mail, None)
            .unwrap()
            .compose(&message, None, None, &IDENTITY, date);
        assert_eq!(none.unwrap_err().code, "address");
    }
}

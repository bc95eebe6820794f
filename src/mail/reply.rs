//! What the answer of a mail server means, by the phase in which it came. RFC 5321 4.2 and 3463; the texts of Gmail,
//! Exchange and Postfix where a code alone does not tell.

use std::time::Duration;

use lettre::Address;

use super::trouble::{Trouble, full_code, quote, split_enhanced, with_quote};
use crate::outcome::{Fault, LOST, Outcome, TIMEOUT};
use crate::text::mask_email;

/// "Receiving mail at a rate that prevents additional messages" (4.2.1) passes in minutes, not seconds.
const BUSY_MAILBOX: Duration = Duration::from_secs(300);

/// Where in a transaction we are: what a failure means depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Mail,
    Rcpt,
    Data,
    /// From the first byte of the body to the final reply: only here can a loss leave us in doubt.
    Body,
}

/// What a failed delivery means for this recipient and for the channel.
pub fn outcome(phase: Phase, trouble: &Trouble, from: &Address, to: &Address) -> Outcome {
    match trouble {
        Trouble::Reply { code, text } => refused(phase, *code, text, from, to),
        Trouble::Silent if phase == Phase::Body => {
            in_doubt(TIMEOUT, "the server did not answer after the text")
        }
        Trouble::Silent => Outcome::Stopped(Fault::new(
            TIMEOUT,
            "the mail server fell silent before the mail was handed over",
        )),
        Trouble::Tls(text) | Trouble::Lost(text) if phase == Phase::Body => in_doubt(
            LOST,
            &format!("the connection broke after the text ({})", quote(text)),
        ),
        Trouble::Tls(text) | Trouble::Lost(text) => Outcome::Retry {
            fault: Fault::new(
                LOST,
                format!("the connection to the mail server broke ({})", quote(text)),
            ),
            after: None,
        },
    }
}

fn in_doubt(code: &str, what: &str) -> Outcome {
    Outcome::InDoubt(Fault::new(
        code,
        format!("{what}: it may or may not have been accepted"),
    ))
}

fn refused(phase: Phase, code: u16, text: &str, from: &Address, to: &Address) -> Outcome {
    let (enhanced, words) = split_enhanced(text);
    let fault = |advice: &str| {
        let (to, masked) = (to.to_string(), mask_email(to.as_ref()));
        let said = words
            .replace(&to, &masked)
            .replace(&to.to_lowercase(), &masked);
        Fault::new(full_code(code, enhanced), with_quote(advice, &said))
    };
    if let Some(advice) = channel_trouble(phase, code, enhanced, words, from, to) {
        return Outcome::Stopped(fault(advice));
    }
    if code < 500 {
        let after = (enhanced == Some("4.2.1")).then_some(BUSY_MAILBOX);
        return Outcome::Retry {
            fault: fault("the mail server put it off"),
            after,
        };
    }
    match recipient_advice(enhanced, words) {
        Some(advice) => Outcome::Failed(fault(advice)),
        None => Outcome::Refused(fault(unknown_advice(words))),
    }
}

/// The replies that would meet every recipient, with what to do.
fn channel_trouble(
    phase: Phase,
    code: u16,
    enhanced: Option<&str>,
    words: &str,
    from: &Address,
    to: &Address,
) -> Option<&'static str> {
    let words = words.to_lowercase();
    match code {
        421 => Some("the mail server takes nothing now"),
        530 | 534 | 535 | 538 => {
            Some("the mail server wants a login: set MAIL_USERNAME and MAIL_PASSWORD")
        }
        _ if enhanced == Some("5.4.5") || words.contains("relay limit") => Some(
            "the sending quota of the day is used up: wait, or raise it with the mail provider (MAIL_MAX_PER_DAY)",
        ),
        500.. if refuses_sender(code, enhanced, &words, from, to) => Some(
            "the mail server does not let this account send as MAIL_FROM_ADDRESS: use the account's own address",
        ),
        _ if phase == Phase::Mail => {
            Some("the mail server refused the sender: check MAIL_FROM_ADDRESS and the account")
        }
        _ => None,
    }
}

/// Postfix says it only at RCPT, Exchange after DATA; a recipient's own policy uses the same codes.
fn refuses_sender(
    code: u16,
    enhanced: Option<&str>,
    words: &str,
    from: &Address,
    to: &Address,
) -> bool {
    let says_so = [
        "sender address rejected",
        "not owned by user",
        "send as",
        "sendasdenied",
    ];
    if says_so.iter().any(|phrase| words.contains(phrase)) {
        return true;
    }
    let names = |address: &Address| words.contains(&address.to_string().to_lowercase());
    matches!(code, 550 | 553) && enhanced == Some("5.7.1") && names(from) && !names(to)
}

/// The refusals that are certainly about this one recipient; a server without enhanced codes says so in words.
fn recipient_advice(enhanced: Option<&str>, words: &str) -> Option<&'static str> {
    const NO_MAILBOX: &str = "no such mailbox: correct the participant's email address";
    let words = words.to_lowercase();
    let unknown = [
        "no such user",
        "no such recipient",
        "no such mailbox",
        "user unknown",
        "unknown user",
        "user not found",
        "mailbox not found",
        "mailbox unavailable",
        "recipient not found",
        "does not exist",
    ];
    match enhanced {
        Some("5.1.1" | "5.1.2" | "5.1.3" | "5.1.6" | "5.1.10") => Some(NO_MAILBOX),
        Some("5.2.1") => Some("the participant's mailbox is disabled"),
        Some("5.2.2") => Some("the participant's mailbox is full"),
        None if unknown.iter().any(|phrase| words.contains(phrase)) => Some(NO_MAILBOX),
        _ => None,
    }
}

/// What might be the recipient's own, and might meet everybody.
fn unknown_advice(words: &str) -> &'static str {
    let words = words.to_lowercase();
    if words.contains("relay") && words.contains("denied") {
        "the mail server does not relay for us: set MAIL_USERNAME and MAIL_PASSWORD, or let it accept this host"
    } else {
        "the mail was refused for this recipient"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(phase: Phase, code: u16, text: &str) -> Outcome {
        let (from, to) = (
            "kursus@example.org".parse().unwrap(),
            "budi@example.com".parse().unwrap(),
        );
        let trouble = Trouble::Reply {
            code,
            text: text.to_owned(),
        };
        outcome(phase, &trouble, &from, &to)
    }

    fn class(outcome: &Outcome) -> (&'static str, &Fault) {
        let (name, fault) = outcome.class();
        (name, fault.expect("a fault"))
    }

    #[test]
    fn a_reply_means_what_its_phase_and_codes_say() {
        use Phase::{Body, Data, Mail, Rcpt};
        for (phase, code, text, expected, full) in [
            (Rcpt, 550, "5.1.1 no such user", "failed", "550 5.1.1"),
            (Rcpt, 550, "No such user here", "failed", "550"),
            (Rcpt, 553, "5.1.3 bad address syntax", "failed", "553 5.1.3"),
            (
                Rcpt,
                550,
                "5.7.1 blocked by the recipient's policy",
                "refused",
                "550 5.7.1",
            ),
            (
                Rcpt,
                550,
                "5.7.1 kursus@example.org may not write to budi@example.com",
                "refused",
                "550 5.7.1",
            ),
            (
                Rcpt,
                554,
                "5.7.1 <budi@example.com>: Relay access denied",
                "refused",
                "554 5.7.1",
            ),
            (Rcpt, 552, "5.2.2 over quota", "failed", "552 5.2.2"),
            (
                Rcpt,
                450,
                "4.2.1 receiving mail too quickly",
                "retry",
                "450 4.2.1",
            ),
            (Rcpt, 451, "4.7.1 greylisted", "retry", "451 4.7.1"),
            (Rcpt, 452, "4.2.2 over quota", "retry", "452 4.2.2"),
            (
                Rcpt,
                450,
                "4.2.1 Peak SMTP relay limit exceeded for customer",
                "stopped",
                "450 4.2.1",
            ),
            (
                Rcpt,
                421,
                "4.3.0 Temporary System Problem",
                "stopped",
                "421 4.3.0",
            ),
            (
                Rcpt,
                530,
                "5.7.0 Authentication required",
                "stopped",
                "530 5.7.0",
            ),
            (
                Rcpt,
                553,
                "5.7.1 <kursus@example.org>: Sender address rejected: not owned by user x",
                "stopped",
                "553 5.7.1",
            ),
            (
                Mail,
                550,
                "5.4.5 Daily user sending limit exceeded",
                "stopped",
                "550 5.4.5",
            ),
            (Mail, 553, "5.7.1 not allowed", "stopped", "553 5.7.1"),
            (Mail, 451, "4.3.0 try later", "stopped", "451 4.3.0"),
            (Mail, 501, "syntax", "stopped", "501"),
            (Data, 451, "try later", "retry", "451"),
            (Data, 554, "no valid recipients", "refused", "554"),
            (
                Body,
                550,
                "5.4.5 Daily user sending quota exceeded. - gsmtp",
                "stopped",
                "550 5.4.5",
            ),
            (
                Body,
                550,
                "5.7.1 Daily SMTP relay limit exceeded for user",
                "stopped",
                "550 5.7.1",
            ),
            (
                Body,
                550,
                "5.7.1 kursus@example.org is not yours",
                "stopped",
                "550 5.7.1",
            ),
            (
                Body,
                550,
                "5.7.60 Client does not have permissions to send as this sender",
                "stopped",
                "550 5.7.60",
            ),
            (
                Body,
                554,
                "5.2.252 SendAsDenied; not allowed",
                "stopped",
                "554 5.2.252",
            ),
            (Body, 421, "4.7.0 closing", "stopped", "421 4.7.0"),
            (Body, 451, "4.3.0 try again", "retry", "451 4.3.0"),
            (Body, 552, "5.3.4 too big", "refused", "552 5.3.4"),
            (Body, 554, "spam", "refused", "554"),
        ] {
            let outcome = reply(phase, code, text);
            let (is, fault) = class(&outcome);
            assert_eq!(
                (is, fault.code.as_str()),
                (expected, full),
                "{phase:?} {code} {text}"
            );
        }
    }

    #[test]
    fn a_loss_is_in_doubt_only_from_the_body_on() {
        let (from, to) = (
            "a@example.org".parse().unwrap(),
            "b@example.com".parse().unwrap(),
        );
        for (phase, lost, silent) in [
            (Phase::Mail, "retry", "stopped"),
            (Phase::Rcpt, "retry", "stopped"),
            (Phase::Data, "retry", "stopped"),
            (Phase::Body, "in doubt", "in doubt"),
        ] {
            let broken = outcome(phase, &Trouble::Lost("reset".to_owned()), &from, &to);
            let mute = outcome(phase, &Trouble::Silent, &from, &to);
            assert_eq!(
                (class(&broken).0, class(&mute).0),
                (lost, silent),
                "{phase:?}"
            );
        }
    }

    #[test]
    fn a_busy_mailbox_is_left_alone_for_minutes() {
        let Outcome::Retry { after, .. } = reply(Phase::Rcpt, 450, "4.2.1 too quickly") else {
            panic!("not put off");
        };
        assert_eq!(after, Some(Duration::from_secs(300)));
    }

    #[test]
    fn the_servers_words_are_cleaned_and_the_recipient_masked() {
        let outcome = reply(
            Phase::Rcpt,
            550,
            "5.1.1 <budi@example.com>:\r\n\u{1b}[31m unknown",
        );
        let reason = &class(&outcome).1.reason;
        assert!(
            !reason.contains("budi@") && !reason.chars().any(char::is_control),
            "{reason}"
        );
    }
}

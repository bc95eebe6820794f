//! Why a connection could not be opened, in words that say what to check.

use super::trouble::{Trouble, full_code, quote, split_enhanced, with_quote};
use crate::outcome::Fault;

/// Why the server could not be reached at all, with what to check.
pub fn unreachable(place: &str, trouble: &Trouble) -> Fault {
    match trouble {
        Trouble::Reply { code, text } => {
            let (enhanced, words) = split_enhanced(text);
            let advice = format!("{place} refuses to talk to us");
            Fault::new(full_code(*code, enhanced), with_quote(&advice, words))
        }
        Trouble::Silent => Fault::new(
            "timeout",
            format!(
                "{place} does not answer: check MAIL_HOST, MAIL_PORT (465 speaks TLS from the start: MAIL_SCHEME=smtps) and the firewall"
            ),
        ),
        Trouble::Tls(text) => Fault::new(
            "tls",
            format!(
                "no TLS with {place}: {} ({})",
                tls_advice(text),
                quote(text)
            ),
        ),
        Trouble::Lost(text) => Fault::new(
            "connect",
            format!(
                "cannot talk to {place} ({}): check MAIL_HOST and MAIL_PORT",
                quote(text)
            ),
        ),
    }
}

fn tls_advice(text: &str) -> &'static str {
    if text.contains("UnknownIssuer") || text.contains("CaUsedAsEndEntity") {
        "its certificate is signed by nobody we know: set MAIL_CA_FILE to the root certificate (PEM)"
    } else if text.contains("not valid for name") || text.contains("NotValidForName") {
        "its certificate is for another name: set MAIL_HOST to the name in it"
    } else if text.contains("expired") || text.contains("Expired") {
        "its certificate has expired: have it renewed"
    } else if text.contains("InvalidContentType") {
        "it speaks plain SMTP there: set MAIL_ENCRYPTION=tls (STARTTLS, port 587)"
    } else {
        "check its certificate, MAIL_CA_FILE and MAIL_ENCRYPTION"
    }
}

/// Why the login failed, with the cure. `host` tells Gmail, which wants more than a password.
pub fn login_refused(host: &str, trouble: &Trouble) -> Fault {
    let Trouble::Reply { code, text } = trouble else {
        return unreachable(host, trouble);
    };
    let (enhanced, words) = split_enhanced(text);
    let gmail =
        host.ends_with("gmail.com") || host.ends_with("google.com") || words.contains("gsmtp");
    Fault::new(
        full_code(*code, enhanced),
        with_quote(login_advice(*code, gmail), words),
    )
}

fn login_advice(code: u16, gmail: bool) -> &'static str {
    match code {
        534 | 535 if gmail => {
            "Gmail refused the login: turn on 2-Step Verification, make an app password (myaccount.google.com/apppasswords) \
             and set MAIL_PASSWORD to it, in quotes because of its spaces"
        }
        534 | 535 => "the mail server refused the login: check MAIL_USERNAME and MAIL_PASSWORD",
        421 | 454 => {
            "the mail server takes no login now: wait, and lower MAIL_CONNECTIONS if it says too many"
        }
        530 | 538 => "the mail server takes a login only over TLS: set MAIL_ENCRYPTION=tls",
        400..500 => "the mail server cannot check the login now",
        _ => "the mail server does not take this login: check MAIL_USERNAME and MAIL_PASSWORD",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_says_what_to_do() {
        let refused = |host, code, text: &str| {
            login_refused(
                host,
                &Trouble::Reply {
                    code,
                    text: text.to_owned(),
                },
            )
        };
        let gmail = refused(
            "smtp.gmail.com",
            535,
            "5.7.8 Username and Password not accepted",
        );
        assert_eq!(gmail.code, "535 5.7.8");
        for word in ["app password", "2-Step Verification", "quotes", "spaces"] {
            assert!(gmail.reason.contains(word), "{}", gmail.reason);
        }
        let other = refused("mail.example.org", 535, "5.7.8 nope").reason;
        assert!(
            other.contains("MAIL_PASSWORD") && !other.contains("Gmail"),
            "{other}"
        );
        assert!(
            refused("x", 454, "4.7.0 Too many login attempts")
                .reason
                .contains("MAIL_CONNECTIONS")
        );
        assert!(
            refused("x", 530, "Must issue STARTTLS first")
                .reason
                .contains("MAIL_ENCRYPTION=tls")
        );
    }

    #[test]
    fn an_unreachable_server_says_what_to_check() {
        for (trouble, code, word) in [
            (
                Trouble::Tls("invalid peer certificate: UnknownIssuer".into()),
                "tls",
                "MAIL_CA_FILE",
            ),
            (
                Trouble::Tls("certificate not valid for name \"x\"".into()),
                "tls",
                "MAIL_HOST",
            ),
            (
                Trouble::Tls("received corrupt message of type InvalidContentType".into()),
                "tls",
                "MAIL_ENCRYPTION",
            ),
            (
                Trouble::Lost("Connection refused (os error 111)".into()),
                "connect",
                "MAIL_HOST and MAIL_PORT",
            ),
            (Trouble::Silent, "timeout", "MAIL_PORT"),
            (
                Trouble::Reply {
                    code: 554,
                    text: "5.7.1 go away".into(),
                },
                "554 5.7.1",
                "go away",
            ),
        ] {
            let fault = unreachable("mail.example.org:587", &trouble);
            assert_eq!(fault.code, code);
            assert!(fault.reason.contains(word), "{}", fault.reason);
        }
    }
}

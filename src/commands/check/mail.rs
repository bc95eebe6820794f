//! How mail leaves: the server, the program or the folder, and whether the sender's address is the login's.

use std::{sync::mpsc, thread, time::Duration};

use super::{chain::Chain, folder};
use crate::{
    config::{self, MailTransport, Smtp},
    exit::Exit,
    mail::{Connection, Encryption},
    outcome::{Fault, TIMEOUT},
};

/// A pass waits longer for its server. Here somebody waits for the answer.
const LIMIT: Duration = Duration::from_secs(10);

pub fn look(chain: &mut Chain, mail: &'static config::Mail, offline: bool) {
    match &mail.transport {
        MailTransport::Smtp(_) if offline => chain.ok("mailer", "was not asked"),
        MailTransport::Smtp(smtp) => match connect(mail, LIMIT) {
            Ok(encryption) => chain.ok("mailer", reached(smtp, encryption)),
            Err(fault) => chain.fail("mailer", Exit::Failed, fault.to_string()),
        },
        MailTransport::Sendmail(program) => match Connection::open(mail) {
            Ok(_) => chain.ok("mailer", format!("{} is there", program.display())),
            Err(fault) => chain.fail("mailer", Exit::Failed, fault.to_string()),
        },
        MailTransport::File(path) => folder::look(chain, "mailer", path),
    }
    match rewritten(mail) {
        Some(text) => chain.warn("from", text),
        None => chain.ok("from", format!("mail comes from {}", mail.from_address)),
    }
}

/// Connects, starts TLS and logs in as a pass would, and says goodbye; how the connection was encrypted.
fn connect(mail: &'static config::Mail, limit: Duration) -> Result<Option<Encryption>, Fault> {
    let visit = || {
        let connection = Connection::open(mail)?;
        let encryption = connection.encryption();
        connection.close();
        Ok(encryption)
    };
    let (tell, told) = mpsc::channel();
    // Not joined: one that hangs ends with the process.
    thread::spawn(move || tell.send(visit()));
    told.recv_timeout(limit).unwrap_or_else(|_| {
        let seconds = limit.as_secs();
        let text = format!(
            "the mail server does not answer within {seconds} s: check MAIL_HOST, MAIL_PORT (465 speaks TLS from the start: \
             MAIL_SCHEME=smtps) and the firewall"
        );
        Err(Fault::new(TIMEOUT, text))
    })
}

fn reached(smtp: &Smtp, encryption: Option<Encryption>) -> String {
    let how = match encryption {
        None | Some(Encryption::None) => "in clear",
        Some(Encryption::StartTls | Encryption::Implicit) => "over TLS",
    };
    let login = match &smtp.login {
        Some((user, _)) => format!("takes the login of {user}"),
        None => "answers, without a login".to_owned(),
    };
    format!("{}:{} {login}, {how}", smtp.host, smtp.port)
}

/// Gmail puts the account's own address in the place of one that it does not know as the account's.
fn rewritten(mail: &config::Mail) -> Option<String> {
    let MailTransport::Smtp(smtp) = &mail.transport else {
        return None;
    };
    let (user, _) = smtp.login.as_ref().filter(|_| smtp.is_gmail())?;
    let from = &mail.from_address;
    (!from.eq_ignore_ascii_case(user)).then(|| {
        format!(
            "Gmail sends as {user} instead of {from}, unless that is an alias of the account (Settings, Accounts, Send mail \
             as): set MAIL_FROM_ADDRESS to either"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Tls, secret::Secret};

    fn mail(host: &str, user: &str, from: &str) -> config::Mail {
        config::Mail {
            transport: MailTransport::Smtp(Smtp {
                host: host.into(),
                port: 587,
                tls: Tls::Required,
                login: Some((user.into(), Secret::new("hunter2".into()))),
                ehlo: None,
                ca_file: None,
                connections: 1,
            }),
            from_address: from.into(),
            from_name: None,
            reply_to: None,
            max_per_day: None,
        }
    }

    #[test]
    fn gmail_rewrites_a_sender_that_is_not_the_login() {
        let told = |host, user, from| rewritten(&mail(host, user, from));
        let gmail = "smtp.gmail.com";
        let text = told(gmail, "lms@gmail.com", "halo@kursus.example").unwrap();
        assert!(
            text.contains("as lms@gmail.com instead of halo@kursus.example"),
            "{text}"
        );
        assert_eq!(told(gmail, "lms@gmail.com", "LMS@gmail.com"), None);
        assert_eq!(
            told("mail.kursus.example", "lms", "halo@kursus.example"),
            None
        );
    }

    #[test]
    fn a_server_that_accepts_and_says_nothing_is_given_up() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut mail = mail("127.0.0.1", "lms", "halo@kursus.example");
        if let MailTransport::Smtp(smtp) = &mut mail.transport {
            smtp.port = silent.local_addr().unwrap().port();
        }
        let fault = connect(Box::leak(Box::new(mail)), Duration::from_millis(50)).unwrap_err();
        assert_eq!(fault.code, TIMEOUT);
    }
}

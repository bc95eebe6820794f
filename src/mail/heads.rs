//! The heads of a mail: whose it is, where it goes, and what it is called.

use lettre::Address;
use lettre::message::Mailbox;

use super::address;
use crate::config;
use crate::message::MailMessage;
use crate::outcome::Fault;
use crate::text::{mask_email, one_line};

/// Characters of a name in a header.
const MAX_NAME: usize = 80;
/// Characters of a subject.
const MAX_SUBJECT: usize = 200;

/// Whose a mail is, where it goes, and what it is called.
pub struct Heads {
    pub from: Mailbox,
    pub reply_to: Option<Mailbox>,
    pub to: Mailbox,
    pub subject: String,
}

/// Those of one mail; with `redirect` it goes there, and its subject says for whom it was meant.
pub fn heads(
    mail: &config::Mail,
    redirect: Option<&str>,
    message: &MailMessage,
    to_name: Option<&str>,
    to_address: Option<&str>,
) -> Result<Heads, Fault> {
    let (from, reply_to) = sender(mail)?;
    let meant_for = address::parse(to_address.unwrap_or_default())?;
    let (to, subject) = match redirect {
        Some(redirect) => (
            address::parse(redirect)?,
            redirected(&message.subject, &meant_for),
        ),
        None => (meant_for, message.subject.clone()),
    };
    Ok(Heads {
        from,
        reply_to,
        to: mailbox(to_name, to),
        subject: one_line(&subject, MAX_SUBJECT),
    })
}

/// The From and Reply-To of every mail.
pub fn sender(mail: &config::Mail) -> Result<(Mailbox, Option<Mailbox>), Fault> {
    let invalid = |variable: &str, fault: Fault| {
        let reason = fault
            .reason
            .split(':')
            .next()
            .unwrap_or_default()
            .to_owned();
        Fault::new("from", format!("{variable}: {reason}"))
    };
    let from =
        address::parse(&mail.from_address).map_err(|fault| invalid("MAIL_FROM_ADDRESS", fault))?;
    let reply_to = match &mail.reply_to {
        Some(text) => Some(address::parse(text).map_err(|fault| invalid("MAIL_REPLY_TO", fault))?),
        None => None,
    };
    Ok((
        mailbox(mail.from_name.as_deref(), from),
        reply_to.map(Mailbox::from),
    ))
}

fn mailbox(name: Option<&str>, address: Address) -> Mailbox {
    let name = name
        .map(|name| one_line(name, MAX_NAME))
        .filter(|name| !name.is_empty());
    Mailbox::new(name, address)
}

fn redirected(subject: &str, meant_for: &Address) -> String {
    format!("[for {}] {subject}", mask_email(meant_for.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::compose::tests::settings;

    #[test]
    fn a_bad_sender_is_named() {
        let mut mail = settings();
        mail.from_address = "Kursus <a@b>".to_owned();
        let reason = sender(&mail).unwrap_err().reason;
        assert!(reason.starts_with("MAIL_FROM_ADDRESS: "), "{reason}");
    }
}

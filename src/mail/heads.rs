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

/// Whose every mail is.
pub struct Sender {
    pub from: Mailbox,
    pub reply_to: Option<Mailbox>,
}

impl Sender {
    /// The error names the setting.
    pub fn new(mail: &config::Mail) -> Result<Self, Fault> {
        let invalid = |variable: &str, fault: Fault| {
            let reason = fault.reason.split(':').next().unwrap_or_default();
            Fault::new("from", format!("{variable}: {reason}"))
        };
        let from = address::parse(&mail.from_address);
        let from = from.map_err(|fault| invalid("MAIL_FROM_ADDRESS", fault))?;
        let reply_to = mail.reply_to.as_deref().map(address::parse).transpose();
        let reply_to = reply_to.map_err(|fault| invalid("MAIL_REPLY_TO", fault))?;
        Ok(Self {
            from: mailbox(mail.from_name.as_deref(), from),
            reply_to: reply_to.map(Mailbox::from),
        })
    }
}

/// Where a mail goes, and what it is called.
pub struct Heads {
    pub to: Mailbox,
    pub subject: String,
}

/// Those of one mail; with `redirect` it goes there, and its subject says for whom it was meant.
pub fn heads(
    redirect: Option<&str>,
    message: &MailMessage,
    to_name: Option<&str>,
    to_address: Option<&str>,
) -> Result<Heads, Fault> {
    let meant_for = address::parse(to_address.unwrap_or_default())?;
    let (to, subject) = match redirect {
        Some(redirect) => (
            address::parse(redirect)?,
            redirected(&message.subject, &meant_for),
        ),
        None => (meant_for, message.subject.clone()),
    };
    Ok(Heads {
        to: mailbox(to_name, to),
        subject: one_line(&subject, MAX_SUBJECT),
    })
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
        let reason = Sender::new(&mail).err().unwrap().reason;
        assert!(reason.starts_with("MAIL_FROM_ADDRESS: "), "{reason}");
    }
}

//! How WhatsApp messages leave: Twilio's account, its sender and its templates, or the folder.

use std::collections::BTreeSet;

use super::{chain::Chain, folder};
use crate::{
    config::{self, Config, ContentSids, WhatsappTransport},
    exit::Exit,
    outcome::Fault,
    whatsapp::{Approval, Template, Twilio},
};

pub fn look(chain: &mut Chain, config: &Config, whatsapp: &config::Whatsapp, offline: bool) {
    match &whatsapp.transport {
        WhatsappTransport::File(path) => folder::look(chain, "twilio", path),
        WhatsappTransport::Twilio(_) if offline => chain.ok("twilio", "was not asked"),
        WhatsappTransport::Twilio(settings) => {
            let twilio = Twilio::new(settings);
            if let Err(fault) = account(chain, &twilio) {
                chain.fail("twilio", Exit::Failed, fault.to_string());
                // Each question would wait for the same answer.
                for link in ["sender", "template"] {
                    chain.warn(link, "was not asked for, since the account cannot be");
                }
                return;
            }
            sender(chain, &twilio, settings);
            templates(chain, &twilio, config, whatsapp, settings);
        }
    }
}

fn account(chain: &mut Chain, twilio: &Twilio) -> Result<(), Fault> {
    let account = twilio.account()?;
    match account.status.as_deref().unwrap_or_default() {
        "active" if account.is_trial() => chain.warn(
            "twilio",
            "a trial account: it sends to verified numbers only, 50 messages a day; upgrade it",
        ),
        "active" => chain.ok("twilio", "takes the credentials; the account is active"),
        other => {
            let text = format!("the account is {other:?}: see the Twilio console");
            chain.fail("twilio", Exit::Failed, text);
        }
    }
    Ok(())
}

fn sender(chain: &mut Chain, twilio: &Twilio, settings: &config::Twilio) {
    let from = &settings.from;
    if settings.is_sandbox() {
        let text = format!(
            "{from} is the sandbox, for trying only: it reaches those who sent its join code in the last 3 days"
        );
        return chain.warn("sender", text);
    }
    match twilio.sender() {
        Ok(Some(status)) if status.starts_with("ONLINE") => {
            chain.ok("sender", format!("{from} is a WhatsApp sender, and online"));
        }
        Ok(Some(status)) => {
            let text = format!("{from} is {status}: see Messaging, Senders in the Twilio console");
            chain.fail("sender", Exit::Failed, text);
        }
        // One that was set up in an older way may be missing from the list and work.
        Ok(None) => {
            let text = format!(
                "Twilio does not list {from} among the account's WhatsApp senders: check TWILIO_WHATSAPP_FROM, since from another \
                 number nothing is sent (63007)"
            );
            chain.warn("sender", text);
        }
        Err(fault) => chain.warn("sender", format!("cannot be asked for: {fault}")),
    }
}

fn templates(
    chain: &mut Chain,
    twilio: &Twilio,
    config: &Config,
    whatsapp: &config::Whatsapp,
    settings: &config::Twilio,
) {
    let named = named(config, whatsapp);
    if named.is_empty() && settings.is_sandbox() {
        chain.ok("template", "none, as the sandbox takes plain text");
    } else if named.is_empty() {
        let text = "there is none: plain text reaches only those who wrote in the last 24 hours (63016); set \
                    TWILIO_WHATSAPP_CONTENT_SID";
        chain.warn("template", text);
    }
    for (variable, sid) in named {
        match twilio.template(sid) {
            Ok(template) => weigh(chain, &variable, &template),
            Err(fault) => chain.fail("template", Exit::Failed, format!("{variable}: {fault}")),
        }
    }
}

/// Every template that messages are sent with, by the variable that names it.
fn named<'a>(config: &Config, whatsapp: &'a config::Whatsapp) -> Vec<(String, &'a str)> {
    let mut kinds = vec![("", &whatsapp.reminder)];
    if config.reminder.corrections {
        kinds.extend([
            ("_MOVED", &whatsapp.moved),
            ("_CANCELLED", &whatsapp.cancelled),
        ]);
    }
    let of_kind = |(kind, sids): (&str, &'a ContentSids)| {
        let all = [("", &sids.all), ("_ID", &sids.id), ("_EN", &sids.en)];
        let variable = format!("TWILIO_WHATSAPP_CONTENT_SID{kind}");
        let named = all.into_iter().filter_map(move |(language, sid)| {
            Some((format!("{variable}{language}"), sid.as_deref()?))
        });
        named.collect::<Vec<_>>()
    };
    kinds.into_iter().flat_map(of_kind).collect()
}

fn weigh(chain: &mut Chain, variable: &str, template: &Template) {
    if let Some(text) = unapproved(&template.approval) {
        chain.fail("template", Exit::Failed, format!("{variable}: {text}"));
    } else if let Some(text) = miscounted(&template.variables) {
        chain.fail("template", Exit::Failed, format!("{variable}: {text}"));
    } else if template.approval.category.as_deref() == Some("MARKETING") {
        let text = "is approved as MARKETING, which Meta does not deliver to everybody (63049): submit it again as UTILITY";
        chain.warn("template", format!("{variable} {text}"));
    } else {
        chain.ok(
            "template",
            format!("{variable} is approved, with our five variables"),
        );
    }
}

fn unapproved(approval: &Approval) -> Option<String> {
    let reason = approval.rejection_reason.as_deref().unwrap_or_default();
    let reason = reason.trim().trim_end_matches('.');
    let why = if reason.is_empty() {
        String::new()
    } else {
        format!(" ({reason})")
    };
    Some(match approval.status.as_deref().unwrap_or("unsubmitted") {
        "approved" => return None,
        "unsubmitted" => {
            "was not submitted to WhatsApp: do so in Twilio's Content Template Builder".into()
        }
        status @ ("received" | "pending") => {
            format!("is {status}: wait for WhatsApp's approval, two days at most")
        }
        status => format!("is {status}{why}: submit another one, and set its SID"),
    })
}

/// Twilio may refuse any other number (63028).
fn miscounted(variables: &BTreeSet<u32>) -> Option<String> {
    let ours = BTreeSet::from([1, 2, 3, 4, 5]);
    let list = |numbers: Vec<&u32>| {
        let names = numbers.iter().map(|number| format!("{{{{{number}}}}}"));
        names.collect::<Vec<_>>().join(", ")
    };
    let lacks = list(ours.difference(variables).collect());
    let beyond = list(variables.difference(&ours).collect());
    match (lacks.as_str(), beyond.as_str()) {
        ("", "") => None,
        ("", _) => Some(format!(
            "has {beyond} beyond the five that are sent (63028)"
        )),
        _ => Some(format!("lacks {lacks} of the five that are sent (63028)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_our_five_variables_are_right() {
        let told = |numbers: &[u32]| miscounted(&numbers.iter().copied().collect());
        assert_eq!(told(&[1, 2, 3, 4, 5]), None);
        assert_eq!(
            told(&[1, 2, 4, 5]).as_deref(),
            Some("lacks {{3}} of the five that are sent (63028)")
        );
        assert_eq!(
            told(&[1, 2, 3, 4, 5, 6]).as_deref(),
            Some("has {{6}} beyond the five that are sent (63028)")
        );
        assert!(told(&[]).unwrap().contains("lacks {{1}}, {{2}}"));
    }

    #[test]
    fn what_is_not_approved_says_what_to_do() {
        let told = |status: Option<&str>, reason: &str| {
            unapproved(&Approval {
                status: status.map(str::to_owned),
                rejection_reason: Some(reason.to_owned()),
                category: None,
            })
        };
        assert_eq!(told(Some("approved"), ""), None);
        assert!(told(None, "").unwrap().starts_with("was not submitted"));
        assert!(told(Some("pending"), "").unwrap().contains("wait"));
        let rejected = told(Some("rejected"), "Too many variables.").unwrap();
        assert_eq!(
            rejected,
            "is rejected (Too many variables): submit another one, and set its SID"
        );
        assert!(told(Some("paused"), "").unwrap().starts_with("is paused:"));
    }
}

//! The templates: approved, of our five variables, and in the language of their readers.

use std::collections::BTreeSet;

use super::Chain;
use crate::{
    config::{self, Config, ContentSids, Locale},
    exit::Exit,
    message,
    text::one_line,
    whatsapp::{Approval, Template, Twilio},
};

pub fn look(
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
    for Named {
        variable,
        sid,
        readers,
    } in named
    {
        match twilio.template(sid) {
            Ok(template) => weigh(chain, &variable, readers, &template),
            Err(fault) => chain.fail("template", Exit::Failed, format!("{variable}: {fault}")),
        }
    }
}

/// A template that messages are sent with.
struct Named<'a> {
    variable: String,
    sid: &'a str,
    /// The language of those who get it; `None` where nobody does.
    readers: Option<Locale>,
}

/// Every template that is set.
fn named<'a>(config: &Config, whatsapp: &'a config::Whatsapp) -> Vec<Named<'a>> {
    let mut kinds = vec![("", &whatsapp.reminder)];
    if config.reminder.corrections {
        kinds.extend([
            ("_MOVED", &whatsapp.moved),
            ("_CANCELLED", &whatsapp.cancelled),
        ]);
    }
    let of_kind = |(kind, sids): (&str, &'a ContentSids)| {
        let all = [
            ("", &sids.all, rest(sids, config.reminder.locale)),
            ("_ID", &sids.id, Some(Locale::Id)),
            ("_EN", &sids.en, Some(Locale::En)),
        ];
        let named = all.into_iter().filter_map(move |(language, sid, readers)| {
            Some(Named {
                variable: format!("TWILIO_WHATSAPP_CONTENT_SID{kind}{language}"),
                sid: sid.as_deref()?,
                readers,
            })
        });
        named.collect::<Vec<_>>()
    };
    kinds.into_iter().flat_map(of_kind).collect()
}

/// Who gets the template for all: those whose language has none of its own, and of two such languages most people have
/// the one of REMINDER_LOCALE.
fn rest(sids: &ContentSids, most: Locale) -> Option<Locale> {
    match (&sids.id, &sids.en) {
        (None, None) => Some(most),
        (None, Some(_)) => Some(Locale::Id),
        (Some(_), None) => Some(Locale::En),
        (Some(_), Some(_)) => None,
    }
}

fn weigh(chain: &mut Chain, variable: &str, readers: Option<Locale>, template: &Template) {
    if let Some(text) = unapproved(&template.approval) {
        chain.fail("template", Exit::Failed, format!("{variable}: {text}"));
    } else if let Some(text) = miscounted(&template.variables) {
        chain.fail("template", Exit::Failed, format!("{variable}: {text}"));
    } else if let Some(text) = foreign(template.language.as_deref(), readers) {
        chain.warn("template", format!("{variable} {text}"));
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

/// Whether it is in another language than its readers'. Meta's codes may have a country: `en_US`.
fn foreign(language: Option<&str>, readers: Option<Locale>) -> Option<String> {
    let (language, readers) = (language?.trim(), message::language_code(readers?));
    let spoken = language.split(['_', '-']).next().unwrap_or_default();
    let is_theirs = spoken.is_empty() || spoken.eq_ignore_ascii_case(readers);
    (!is_theirs).then(|| {
        let language = one_line(language, 20);
        format!(
            "is a template in {language:?}, and goes to those whose language is {readers:?}: set the SID of one in theirs"
        )
    })
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
    fn a_template_is_in_the_language_of_its_readers_whatever_their_country() {
        let is_foreign = |language, readers| foreign(language, readers).is_some();
        let (id, en) = (Some(Locale::Id), Some(Locale::En));
        for (language, readers) in [
            (Some("id"), id),
            (Some("en_US"), en),
            (Some("EN-gb"), en),
            (Some(""), en),
            (None, id),
            (Some("en"), None),
        ] {
            assert!(!is_foreign(language, readers), "{language:?}");
        }
        for (language, readers) in [(Some("id"), en), (Some("en_US"), id), (Some("pt_BR"), id)] {
            assert!(is_foreign(language, readers), "{language:?}");
        }
    }

    #[test]
    fn the_template_for_all_is_for_those_whose_language_has_none() {
        let sids = |id: bool, en: bool| ContentSids {
            all: Some("HX".into()),
            id: id.then(|| "HX".into()),
            en: en.then(|| "HX".into()),
        };
        for (id, en, readers) in [
            (false, false, Some(Locale::En)),
            (true, false, Some(Locale::En)),
            (false, true, Some(Locale::Id)),
            (true, true, None),
        ] {
            assert_eq!(rest(&sids(id, en), Locale::En), readers);
        }
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

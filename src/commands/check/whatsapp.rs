//! How WhatsApp messages leave: Twilio's account, its sender and its templates, or the folder.

mod templates;

use super::{chain::Chain, folder};
use crate::{
    config::{self, Config, WhatsappTransport},
    exit::Exit,
    outcome::Fault,
    whatsapp::Twilio,
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
            templates::look(chain, &twilio, config, whatsapp, settings);
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

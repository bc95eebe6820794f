use std::path::PathBuf;

use super::{
    Channel, address, environment::Environment, reader::Reader, reminder::Locale, secret::Secret,
};

const ACCOUNT: [&str; 3] = ["TWILIO_SID", "TWILIO_AUTH_TOKEN", "TWILIO_WHATSAPP_FROM"];
const API_BASE: &str = "https://api.twilio.com";
/// The sender that all of Twilio's sandboxes share; it takes one message in three seconds.
const SANDBOX: &str = "+14155238886";
const SANDBOX_PER_SECOND: f64 = 1.0 / 3.0;
/// Twilio's limit for a WhatsApp sender of one's own.
const MAX_PER_SECOND: f64 = 80.0;
const MAX_CONNECTIONS: u32 = 64;
/// Seconds a message may wait for its turn: with the call itself it must end well within its lease.
const LONGEST_WAIT: f64 = 15.0;

/// How WhatsApp messages go out.
#[derive(Debug)]
pub struct Whatsapp {
    pub transport: WhatsappTransport,
    /// `TWILIO_WHATSAPP_CONTENT_SID`: the approved template of reminders; none = free text.
    pub reminder: ContentSids,
    /// `TWILIO_WHATSAPP_CONTENT_SID_MOVED`
    pub moved: ContentSids,
    /// `TWILIO_WHATSAPP_CONTENT_SID_CANCELLED`
    pub cancelled: ContentSids,
}

/// The approved templates of one kind of message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContentSids {
    pub all: Option<String>,
    /// `…_ID`: the one for Indonesian, where there is one of its own.
    pub id: Option<String>,
    /// `…_EN`: likewise for English.
    pub en: Option<String>,
}

impl ContentSids {
    /// The template of a language, else the one for all.
    pub fn of(&self, locale: Locale) -> Option<&str> {
        let own = match locale {
            Locale::Id => &self.id,
            Locale::En => &self.en,
        };
        own.as_deref().or(self.all.as_deref())
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether there is one for everybody.
    pub fn is_complete(&self) -> bool {
        [Locale::Id, Locale::En]
            .iter()
            .all(|locale| self.of(*locale).is_some())
    }
}

impl Whatsapp {
    /// Whether messages go to Twilio itself.
    pub fn is_twilio(&self) -> bool {
        matches!(self.transport, WhatsappTransport::Twilio(_))
    }
}

/// `WHATSAPP_TRANSPORT`
#[derive(Debug)]
pub enum WhatsappTransport {
    Twilio(Twilio),
    /// The folder for `.json` files.
    File(PathBuf),
}

/// The account at Twilio and the pace it allows.
#[derive(Debug)]
pub struct Twilio {
    /// `AC` and 32 hexadecimal digits.
    pub account_sid: String,
    pub auth_token: Secret,
    /// `+1415…`, without the `whatsapp:` prefix.
    pub from: String,
    /// Without a slash at the end.
    pub api_base: String,
    /// How many connections at once: no more than the pace keeps busy.
    pub connections: usize,
    /// Messages a second over all connections.
    pub max_per_second: f64,
}

impl Twilio {
    /// Whether the sender is the one that all sandboxes share.
    pub fn is_sandbox(&self) -> bool {
        self.from == SANDBOX
    }
}

/// Reads everything that concerns WhatsApp; its problems stop this channel only.
pub fn channel(environment: &Environment) -> Channel<Whatsapp> {
    let mut reader = Reader::new(environment);
    let transport = match reader.text("WHATSAPP_TRANSPORT").as_deref() {
        Some("none") => return Channel::Off("WHATSAPP_TRANSPORT=none".to_owned()),
        None | Some("twilio") if !ACCOUNT.iter().any(|name| reader.has_secret(name)) => {
            return Channel::Off(format!("{} are not set", ACCOUNT.join(", ")));
        }
        None | Some("twilio") => twilio(&mut reader).map(WhatsappTransport::Twilio),
        Some("file") => folder(&mut reader).map(WhatsappTransport::File),
        Some(other) => {
            reader.complain(
                "WHATSAPP_TRANSPORT",
                Some(other),
                "give twilio, file, or none for no WhatsApp",
            );
            None
        }
    };
    let whatsapp = read(&mut reader, transport);
    Channel::of(whatsapp, reader.into_problems())
}

fn read(reader: &mut Reader, transport: Option<WhatsappTransport>) -> Option<Whatsapp> {
    let reminder = content_sids(reader, "TWILIO_WHATSAPP_CONTENT_SID");
    let moved = content_sids(reader, "TWILIO_WHATSAPP_CONTENT_SID_MOVED");
    let cancelled = content_sids(reader, "TWILIO_WHATSAPP_CONTENT_SID_CANCELLED");
    Some(Whatsapp {
        transport: transport?,
        reminder,
        moved,
        cancelled,
    })
}

fn content_sids(reader: &mut Reader, name: &str) -> ContentSids {
    ContentSids {
        all: content_sid(reader, name),
        id: content_sid(reader, &format!("{name}_ID")),
        en: content_sid(reader, &format!("{name}_EN")),
    }
}

fn content_sid(reader: &mut Reader, name: &str) -> Option<String> {
    let cure = "give the template's SID from Twilio's Content Template Builder: HX and 32 hexadecimal digits";
    reader.parsed(name, cure, |text| {
        is_sid(text, "HX").then(|| text.to_owned())
    })
}

fn is_sid(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|id| id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit()))
}

fn folder(reader: &mut Reader) -> Option<PathBuf> {
    let folder = reader.path("WHATSAPP_FILE_DIR");
    if folder.is_none() {
        let cure = "is not set: give the folder for the messages of WHATSAPP_TRANSPORT=file";
        reader.complain("WHATSAPP_FILE_DIR", None, cure);
    }
    folder
}

fn twilio(reader: &mut Reader) -> Option<Twilio> {
    for name in ACCOUNT {
        if !reader.has_secret(name) {
            let cure = "is not set, but other TWILIO variables are: set it, or WHATSAPP_TRANSPORT=none for no WhatsApp";
            reader.complain(name, None, cure);
        }
    }
    let account_sid = account_sid(reader);
    let auth_token = reader.secret("TWILIO_AUTH_TOKEN");
    let from = from(reader);
    let api_base = api_base(reader);
    let connections = reader
        .count("TWILIO_CONNECTIONS", MAX_CONNECTIONS)
        .map_or(4, |count| count as usize);
    let max_per_second = max_per_second(reader);
    let from = from?;
    let max_per_second = if from == SANDBOX {
        SANDBOX_PER_SECOND
    } else {
        max_per_second
    };
    let in_turn = (LONGEST_WAIT * max_per_second).max(1.0) as usize;
    Some(Twilio {
        account_sid: account_sid?,
        auth_token: auth_token?,
        from,
        api_base,
        connections: connections.min(in_turn),
        max_per_second,
    })
}

/// What it holds is not shown: it may be the token, the two being neighbours and alike.
fn account_sid(reader: &mut Reader) -> Option<String> {
    let sid = reader.secret("TWILIO_SID")?;
    if !is_sid(sid.expose().trim(), "AC") {
        let cure =
            "is no Account SID: give the one from Twilio's console, AC and 32 hexadecimal digits";
        reader.complain("TWILIO_SID", None, cure);
    }
    Some(sid.expose().trim().to_owned())
}

fn from(reader: &mut Reader) -> Option<String> {
    let text = reader.secret("TWILIO_WHATSAPP_FROM")?;
    let from = sender(text.expose().trim());
    if from.is_none() {
        let cure = "give the sender's number with + and country code, such as +14155238886 or whatsapp:+14155238886";
        reader.complain("TWILIO_WHATSAPP_FROM", Some(text.expose()), cure);
    }
    from
}

/// E.164: at most 15 digits, and no country code begins with 0.
fn sender(text: &str) -> Option<String> {
    let number = text
        .strip_prefix("whatsapp:")
        .unwrap_or(text)
        .replace([' ', '-', '(', ')'], "");
    let digits = number.strip_prefix('+')?;
    let is_number = digits.chars().all(|c| c.is_ascii_digit()) && !digits.starts_with('0');
    (is_number && (7..=15).contains(&digits.len())).then_some(number)
}

fn api_base(reader: &mut Reader) -> String {
    let cure = "give an https address without user, password or question mark; plain http to this machine only";
    let base = reader.parsed("TWILIO_API_BASE", cure, |text| {
        let url = address::web(text)?;
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let private = url.scheme() == "https" || address::is_loopback(url.host_str()?);
        (bare && private).then(|| text.trim_end_matches('/').to_owned())
    });
    base.unwrap_or_else(|| API_BASE.to_owned())
}

fn max_per_second(reader: &mut Reader) -> f64 {
    let cure = "give a number of messages a second from 0.1 to 1000, such as 80 or 0.5";
    let set = reader.parsed("TWILIO_MAX_PER_SECOND", cure, |text| {
        text.parse()
            .ok()
            .filter(|rate| (0.1..=1000.0).contains(rate))
    });
    set.unwrap_or(MAX_PER_SECOND)
}

#[cfg(test)]
mod tests;

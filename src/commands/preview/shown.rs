//! What `preview` prints.

use std::fmt;

use serde::Serialize;

use super::scene::Scene;
use crate::{
    mail::{Heads, Sender},
    message::MailMessage,
    table::{Cell, FAINT, Table},
    text::visible_lines,
    time,
    whatsapp::Request,
};

/// Made-up sessions and participants have no ids.
#[derive(Serialize)]
pub struct Shown {
    session_id: Option<i64>,
    user_id: Option<i64>,
    kind: &'static str,
    starts_at: String,
    rendered_at: String,
    pub notes: Vec<String>,
    pub mail: Option<Mail>,
    pub whatsapp: Option<Whatsapp>,
    /// For a person.
    #[serde(skip)]
    facts: [(&'static str, String); 4],
}

#[derive(Default, Serialize)]
pub struct Mail {
    from: Option<String>,
    pub to: Option<String>,
    subject: String,
    text: String,
    pub html: String,
    /// The attached file.
    pub calendar: Option<String>,
    pub notes: Vec<String>,
}

/// Either free text or an approved template and its variables 1 to 5.
#[derive(Default, Serialize)]
pub struct Whatsapp {
    pub to: Option<String>,
    pub body: Option<String>,
    content_sid: Option<String>,
    content_variables: Option<[String; 5]>,
    pub notes: Vec<String>,
}

impl Shown {
    pub fn new(scene: &Scene) -> Self {
        let wall = |time| format!("{} ({})", scene.zone.wall(time), scene.zone.0);
        let made_up = "made up".to_owned();
        let named = |id: Option<i64>| id.map_or(made_up.clone(), |id| id.to_string());
        let kind = scene.kind.name();
        Self {
            session_id: scene.session,
            user_id: scene.user,
            kind,
            starts_at: time::rfc3339(scene.start),
            rendered_at: time::rfc3339(scene.at),
            notes: Vec::new(),
            mail: None,
            whatsapp: None,
            facts: [
                (
                    "session",
                    format!("{}, starts {}", named(scene.session), wall(scene.start)),
                ),
                ("participant", named(scene.user)),
                ("kind", kind.to_owned()),
                ("rendered", wall(scene.at)),
            ],
        }
    }
}

impl Mail {
    /// As it would leave.
    pub fn address(&mut self, sender: &Sender, heads: Heads) {
        self.from = Some(sender.from.to_string());
        self.to = Some(heads.to.to_string());
        self.subject = heads.subject;
    }

    pub fn with(self, message: MailMessage) -> Self {
        let subject = match self.from {
            Some(_) => self.subject,
            None => message.subject,
        };
        Self {
            subject,
            text: message.text,
            html: message.html,
            ..self
        }
    }
}

impl Whatsapp {
    /// As Twilio would be asked.
    pub fn ask(&mut self, request: Request) {
        self.to = Some(request.to).filter(|to| !to.is_empty());
        match request.content {
            Some((sid, variables)) => {
                (self.content_sid, self.content_variables) = (Some(sid), Some(variables));
            }
            None => self.body = Some(request.body),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = self.facts.iter();
        let facts = facts.map(|(name, text)| (*name, Some(text.as_str())));
        write!(f, "{}", heads(facts, &self.notes))?;
        if let Some(mail) = &self.mail {
            write!(f, "\n\n{mail}")?;
        }
        if let Some(whatsapp) = &self.whatsapp {
            write!(f, "\n\n{whatsapp}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attached = self.calendar.as_ref().map(|_| "session.ics");
        let facts = [
            ("channel", Some("mail")),
            ("From", self.from.as_deref()),
            ("To", self.to.as_deref()),
            ("Subject", Some(self.subject.as_str())),
            ("attached", attached),
        ];
        let text = visible_lines(self.text.trim_end());
        write!(f, "{}\n\n{text}", heads(facts, &self.notes))
    }
}

impl fmt::Display for Whatsapp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = [
            ("channel", Some("whatsapp")),
            ("To", self.to.as_deref()),
            ("template", self.content_sid.as_deref()),
        ];
        write!(f, "{}", heads(facts, &self.notes))?;
        if let Some(body) = &self.body {
            write!(f, "\n\n{}", visible_lines(body))?;
        }
        if let Some(variables) = &self.content_variables {
            let mut table = Table::new();
            for (number, text) in (1..).zip(variables) {
                table.row([Cell::number(number).styled(FAINT), Cell::new(text)]);
            }
            write!(f, "\n\n{table}")?;
        }
        Ok(())
    }
}

/// What is known of these, and what there is to say beside.
fn heads<'a>(
    facts: impl IntoIterator<Item = (&'static str, Option<&'a str>)>,
    notes: &[String],
) -> Table {
    let mut table = Table::new();
    for (name, text) in facts {
        if let Some(text) = text {
            table.row([Cell::new(name).styled(FAINT), Cell::new(text)]);
        }
    }
    for note in notes {
        table.row([
            Cell::new("note").styled(crate::table::DOUBTFUL),
            Cell::new(note),
        ]);
    }
    table
}

//! Who it is about.

use chrono_tz::Tz;
use serde::Serialize;

use crate::{platform::Participant, text};

/// The person, as the view has them, or else the platform's tables.
#[derive(Debug, Default, Serialize)]
pub struct Person {
    pub id: i64,
    pub name: Option<String>,
    #[serde(skip)]
    pub email: String,
    #[serde(skip)]
    pub phone: String,
    #[serde(skip)]
    pub opted_in: bool,
    #[serde(skip)]
    pub timezone: Option<String>,
    /// Whether the platform has such a user.
    #[serde(skip)]
    pub exists: bool,
}

impl Person {
    /// As a sentence calls them.
    pub fn name(&self) -> String {
        let name = text::one_line(self.name.as_deref().unwrap_or_default(), 40);
        match name.is_empty() {
            true => format!("user {}", self.id),
            false => name,
        }
    }

    /// The zone of their own, where they have one.
    pub fn zone(&self) -> Option<Tz> {
        self.timezone.as_deref()?.trim().parse().ok()
    }
}

impl From<Participant> for Person {
    fn from(listed: Participant) -> Self {
        Self {
            id: listed.user_id,
            opted_in: listed.opted_in(),
            name: listed.name,
            email: listed.email.unwrap_or_default(),
            phone: listed.phone.unwrap_or_default(),
            timezone: listed.timezone,
            exists: true,
        }
    }
}

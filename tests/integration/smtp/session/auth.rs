//! AUTH PLAIN and LOGIN (RFC 4954).

use std::io;

use base64::{Engine, prelude::BASE64_STANDARD};

use super::Session;
use crate::smtp::Phase;

/// What Gmail answers to a wrong password.
const BAD_LOGIN: &str = "535-5.7.8 Username and Password not accepted. For more information, go to\n\
    535 5.7.8  https://support.google.com/mail/?p=BadCredentials - gsmtp";

impl Session<'_> {
    pub(super) fn auth(&mut self, argument: &str) -> io::Result<()> {
        let (mechanism, initial) = argument.split_once(' ').unwrap_or((argument, ""));
        let given = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => self.auth_plain(initial)?,
            "LOGIN" => self.auth_login(initial)?,
            _ => {
                self.say("504 5.7.4 Unrecognized authentication type");
                return Ok(());
            }
        };
        let Some((user, password)) = given else {
            self.say("501 5.5.2 Cannot decode the credentials");
            return Ok(());
        };
        self.shared.record.lock().unwrap().logins += 1;
        let good = self.shared.settings.login == Some((user.clone(), password));
        let verdict = if good {
            "235 2.7.0 Accepted"
        } else {
            BAD_LOGIN
        };
        if self.answer(Phase::Auth, &user, verdict)? {
            self.login = Some(user);
        }
        Ok(())
    }

    fn auth_plain(&mut self, initial: &str) -> io::Result<Option<(String, String)>> {
        let text = self.credential(initial, "334 ")?;
        let text = text.unwrap_or_default();
        let mut parts = text.split('\0').skip(1).map(String::from);
        Ok(parts.next().zip(parts.next()))
    }

    fn auth_login(&mut self, initial: &str) -> io::Result<Option<(String, String)>> {
        let Some(user) = self.credential(initial, "334 VXNlcm5hbWU6")? else {
            return Ok(None);
        };
        let password = self.credential("", "334 UGFzc3dvcmQ6")?;
        Ok(password.map(|password| (user, password)))
    }

    fn credential(&mut self, given: &str, prompt: &str) -> io::Result<Option<String>> {
        let mut given = given.to_owned();
        if given.is_empty() {
            self.say(prompt);
            given = String::from_utf8_lossy(&self.line()?).into_owned();
            self.note_command(&given);
        }
        let bytes = BASE64_STANDARD.decode(given).ok();
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
    }
}

//! One open connection: commands leave in groups where the server takes them so (RFC 2920), each reply is read within
//! its limit and belongs to its own command.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lettre::transport::smtp::client::SmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt, Rset};
use lettre::transport::smtp::extension::{Extension, MailParameter};
use lettre::transport::smtp::response::{Response, Severity};

use memchr::memmem;

use super::server::Server;
use super::set_timeout;
use super::tls::Encryption;
use crate::mail::Envelope;
use crate::mail::reply::Phase;
use crate::mail::trouble::Trouble;

/// The longest wait for one reply.
pub const REPLY: Duration = Duration::from_secs(30);
/// RSET and QUIT are courtesies and not worth a long wait.
const COURTESY: Duration = Duration::from_secs(3);
/// A limit that is shorter than it might be, by less than this, is left as it is: setting one costs two system calls.
const SLACK: Duration = Duration::from_secs(5);

/// What went wrong, and at which command.
pub type Failure = (Phase, Trouble);

pub struct Link {
    smtp: SmtpConnection,
    server: Arc<Server>,
    /// Whether the server takes commands in groups.
    pub pipelining: bool,
    /// Whether another mail can follow.
    pub usable: bool,
    /// Whether it has taken a mail.
    pub has_served: bool,
    /// The Message-ID of the mail whose commands have been written, but no reply to them read.
    pub announced: Option<String>,
    /// From a write to the first reply, the shortest: what is more was spent waiting for a busy host or server.
    pub round_trip: Duration,
    limit: Duration,
}

/// What comes before a mail's text.
struct Commands {
    mail: Mail,
    rcpt: Rcpt,
}

impl Display for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{Data}", self.mail, self.rcpt)
    }
}

impl Link {
    /// `pipelining`: whether the server has offered it.
    pub fn new(smtp: SmtpConnection, server: &Arc<Server>, pipelining: bool) -> Self {
        Self {
            smtp,
            server: Arc::clone(server),
            pipelining,
            usable: true,
            has_served: false,
            announced: None,
            round_trip: Duration::MAX,
            limit: Duration::ZERO,
        }
    }

    pub fn encryption(&self) -> Encryption {
        self.server.encryption(&self.smtp)
    }

    /// False: an address needs SMTPUTF8 (RFC 6531), and the server has not got it.
    pub fn can_address(&self, envelope: &Envelope) -> bool {
        let server = self.smtp.server_info();
        is_ascii(envelope) || server.supports_feature(Extension::SmtpUtfEight)
    }

    /// Asks for a mail's text to be taken, unless that was asked with the text before.
    pub fn begin(&mut self, envelope: &Envelope, until: Instant) -> Result<(), Failure> {
        let begun = match self.announced.take() {
            Some(_) => {
                let mail = self.hear(Phase::Mail, until);
                self.hear_group(mail, until)
            }
            None if self.pipelining => {
                let mail = self.ask(Phase::Mail, commands(envelope), until);
                self.hear_group(mail, until)
            }
            None => self.one_by_one(commands(envelope), until),
        };
        // After a refused recipient the transaction is still open.
        if let Err((Phase::Rcpt | Phase::Data, _)) = begun
            && self.usable
        {
            self.usable = self.courtesy(Rset).is_ok();
        }
        begun
    }

    /// Hands over the text, and with it the commands of the next mail, whose replies are for [`Link::begin`].
    pub fn hand_over(
        &mut self,
        envelope: &Envelope,
        next: Option<&Envelope>,
        until: Instant,
    ) -> Result<(), Failure> {
        let mut text = text(&envelope.bytes);
        if let Some(next) = next {
            text.push_str(&commands(next).to_string());
            self.announced = Some(next.message_id.clone());
        }
        let taken = self.ask(Phase::Body, text, until);
        self.has_served |= taken.is_ok();
        taken
    }

    fn one_by_one(&mut self, commands: Commands, until: Instant) -> Result<(), Failure> {
        self.ask(Phase::Mail, commands.mail, until)?;
        self.ask(Phase::Rcpt, commands.rcpt, until)?;
        self.ask(Phase::Data, Data, until)
    }

    /// All replies of a group are read before any is acted on; what was refused first counts.
    fn hear_group(&mut self, mail: Result<(), Failure>, until: Instant) -> Result<(), Failure> {
        let rcpt = self.hear(Phase::Rcpt, until);
        let data = self.hear(Phase::Data, until);
        let accepted = mail.and(rcpt);
        if let (Err((phase, _)), Ok(())) = (&accepted, &data) {
            // The server wants a text for nobody: it gets none (RFC 2920 3.1). Had it accepted the recipient after all,
            // an empty mail would arrive.
            let ended = *phase == Phase::Rcpt
                && match self.courtesy(".\r\n") {
                    Ok(()) => true,
                    Err(trouble) => trouble.keeps_connection(),
                };
            self.usable &= ended;
        }
        accepted.and(data)
    }

    /// Writes, and reads the first reply.
    fn ask(&mut self, phase: Phase, text: impl Display, until: Instant) -> Result<(), Failure> {
        let asked = Instant::now();
        let reply = self.limit(until).and_then(|()| {
            let reply = self.smtp.command(text);
            reply.map_err(|error| self.server.trouble(&error))
        });
        self.round_trip = self.round_trip.min(asked.elapsed());
        self.judge(phase, reply)
    }

    /// Reads a further reply.
    fn hear(&mut self, phase: Phase, until: Instant) -> Result<(), Failure> {
        if !self.usable {
            return Err((phase, Trouble::Lost("there is no connection".to_owned())));
        }
        let reply = self.limit(until).and_then(|()| {
            let reply = self.smtp.read_response();
            reply.map_err(|error| self.server.trouble(&error))
        });
        self.judge(phase, reply)
    }

    fn judge(&mut self, phase: Phase, reply: Result<Response, Trouble>) -> Result<(), Failure> {
        let judged = reply.and_then(|reply| {
            let goes_on = reply.code().severity == Severity::PositiveIntermediate;
            match goes_on == (phase == Phase::Data) {
                true => Ok(()),
                false => Err(Trouble::Lost(format!("an unexpected {}", reply.code()))),
            }
        });
        judged.map_err(|trouble| {
            self.usable &= trouble.keeps_connection();
            (phase, trouble)
        })
    }

    fn limit(&mut self, until: Instant) -> Result<(), Trouble> {
        let left = until.saturating_duration_since(Instant::now()).min(REPLY);
        if left.is_zero() {
            return Err(Trouble::Silent);
        }
        if self.limit > left || self.limit + SLACK < left {
            let shorter = left.saturating_sub(SLACK / 5);
            let limit = if shorter.is_zero() { left } else { shorter };
            set_timeout(&mut self.smtp, limit)?;
            self.limit = limit;
        }
        Ok(())
    }

    fn courtesy(&mut self, command: impl Display) -> Result<(), Trouble> {
        self.limit = COURTESY;
        set_timeout(&mut self.smtp, COURTESY)?;
        let reply = self.smtp.command(command).map(drop);
        reply.map_err(|error| self.server.trouble(&error))
    }

    /// QUIT where it can be understood, then the end.
    pub fn close(mut self) {
        if self.announced.is_none() {
            let _ = self.courtesy(Quit);
        }
    }
}

fn commands(envelope: &Envelope) -> Commands {
    let parameters = match is_ascii(envelope) {
        true => vec![],
        false => vec![MailParameter::SmtpUtfEight],
    };
    Commands {
        mail: Mail::new(Some(envelope.from.clone()), parameters),
        rcpt: Rcpt::new(envelope.to.clone(), vec![]),
    }
}

fn is_ascii(envelope: &Envelope) -> bool {
    let mut both = [&envelope.from, &envelope.to].into_iter();
    both.all(|address| address.user().is_ascii() && address.domain().is_ascii())
}

/// A mail with its leading dots doubled (RFC 5321 4.5.2) and its final dot, so that all leaves in one write: the end in
/// a write of its own would wait for the server's delayed acknowledgement.
fn text(bytes: &[u8]) -> String {
    const LINE_WITH_DOT: &str = "\r\n.";
    let text = str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::from);
    let mut rest = text.strip_suffix("\r\n").unwrap_or(&text);
    let mut stuffed = String::with_capacity(rest.len() + 512);
    if rest.starts_with('.') {
        stuffed.push('.');
    }
    while let Some(at) = memmem::find(rest.as_bytes(), LINE_WITH_DOT.as_bytes()) {
        let (head, tail) = rest.split_at(at + LINE_WITH_DOT.len());
        stuffed.push_str(head);
        stuffed.push('.');
        rest = tail;
    }
    stuffed.push_str(rest);
    stuffed.push_str("\r\n.\r\n");
    stuffed
}

//! The mail server as the settings describe it, and how a connection to it is made: TCP, TLS, EHLO, AUTH.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{SmtpConnection, Tls, TlsParameters};
use lettre::transport::smtp::commands::Ehlo;
use lettre::transport::smtp::extension::ClientId;

use super::link::{Link, REPLY};
use super::set_timeout;
use super::tls::{self, Encryption};
use crate::config;
use crate::mail::opening;
use crate::mail::trouble::Trouble;
use crate::outcome::Fault;
use crate::text::one_line;

/// For the TCP connection, all addresses of the host together.
const CONNECT: Duration = Duration::from_secs(10);

pub struct Server {
    host: String,
    port: u16,
    tls: Tls,
    credentials: Option<Credentials>,
    hello: ClientId,
    /// The password in the forms in which a server might repeat it.
    secrets: Vec<String>,
}

impl Server {
    /// The error is one of the settings: a certificate file that cannot be read.
    pub fn new(smtp: &config::Smtp) -> Result<Self, Fault> {
        let login = smtp
            .login
            .as_ref()
            .map(|(user, password)| (user.as_str(), password.expose()));
        Ok(Self {
            host: smtp.host.clone(),
            port: smtp.port,
            tls: tls::settings(smtp)?,
            credentials: login
                .map(|(user, password)| Credentials::new(user.to_owned(), password.to_owned())),
            hello: hello(smtp.ehlo.as_deref()),
            secrets: login.map_or_else(Vec::new, |(user, password)| spellings(user, password)),
        })
    }

    /// A connection ready for MAIL. The error says what to do.
    pub fn connect(self: &Arc<Self>, until: Instant) -> Result<Box<Link>, Fault> {
        let (mut smtp, address) = self.reach(until)?;
        let left = until.saturating_duration_since(Instant::now()).min(REPLY);
        set_timeout(&mut smtp, left.max(Duration::from_secs(1)))
            .map_err(|trouble| self.unreachable(&trouble))?;
        self.start_tls(&mut smtp)?;
        let pipelining = self.offers_pipelining(&mut smtp)?;
        self.log_in(&mut smtp, address)?;
        Ok(Box::new(Link::new(smtp, self, pipelining)))
    }

    pub fn encryption(&self, link: &SmtpConnection) -> Encryption {
        match (link.is_encrypted(), &self.tls) {
            (false, _) => Encryption::None,
            (true, Tls::Wrapper(_)) => Encryption::Implicit,
            (true, _) => Encryption::StartTls,
        }
    }

    /// Asks again, with the same name, since `lettre` keeps of the first answer only what it uses itself.
    fn offers_pipelining(&self, smtp: &mut SmtpConnection) -> Result<bool, Fault> {
        match smtp.command(Ehlo::new(self.hello.clone())) {
            Ok(reply) => {
                let mut offers = reply.message();
                Ok(offers.any(|offer| offer.eq_ignore_ascii_case("PIPELINING")))
            }
            Err(error) => match self.trouble(&error) {
                Trouble::Reply { code, .. } if code != 421 => Ok(false),
                trouble => Err(self.unreachable(&trouble)),
            },
        }
    }

    /// What an error of `lettre` was, without a password that the server may have repeated.
    pub fn trouble(&self, error: &smtp::Error) -> Trouble {
        let clean = |text: String| {
            self.secrets
                .iter()
                .fold(text, |text, secret| text.replace(secret, "***"))
        };
        match Trouble::of(error) {
            Trouble::Reply { code, text } => Trouble::Reply {
                code,
                text: clean(text),
            },
            Trouble::Lost(text) => Trouble::Lost(clean(text)),
            other => other,
        }
    }

    fn unreachable(&self, trouble: &Trouble) -> Fault {
        opening::unreachable(&format!("{}:{}", self.host, self.port), trouble)
    }

    /// TCP, TLS where it comes first, greeting and EHLO, with the first address that answers.
    fn reach(&self, until: Instant) -> Result<(SmtpConnection, SocketAddr), Fault> {
        let connected = until.min(Instant::now() + CONNECT);
        let mut last = Trouble::Silent;
        for address in self.addresses()? {
            match self.greet(address, connected) {
                Err(Greeting::Slow) => return self.greet_patiently(address, until),
                Err(Greeting::Trouble(trouble)) => last = trouble,
                Ok(link) => return Ok((link, address)),
            }
        }
        Err(self.unreachable(&last))
    }

    /// `lettre` has one limit for the connection and the greeting. A server may take its time to greet (a slow reverse
    /// lookup of our address), so one that accepted the connection is asked again with the limit of a reply.
    fn greet_patiently(
        &self,
        address: SocketAddr,
        until: Instant,
    ) -> Result<(SmtpConnection, SocketAddr), Fault> {
        match self.greet(address, until.min(Instant::now() + REPLY)) {
            Ok(link) => Ok((link, address)),
            Err(Greeting::Slow) => Err(self.unreachable(&Trouble::Silent)),
            Err(Greeting::Trouble(trouble)) => Err(self.unreachable(&trouble)),
        }
    }

    fn greet(&self, address: SocketAddr, until: Instant) -> Result<SmtpConnection, Greeting> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Greeting::Trouble(Trouble::Silent));
        }
        let wrapper = match &self.tls {
            Tls::Wrapper(parameters) => Some(parameters),
            _ => None,
        };
        SmtpConnection::connect(address, Some(left), &self.hello, wrapper, None).map_err(|error| {
            // The only public sign of the kind: a connection that was never made is not slow to greet.
            let connected = !error.to_string().starts_with("Connection error");
            match self.trouble(&error) {
                Trouble::Silent if connected => Greeting::Slow,
                trouble => Greeting::Trouble(trouble),
            }
        })
    }

    fn addresses(&self) -> Result<Vec<SocketAddr>, Fault> {
        let found = (self.host.as_str(), self.port).to_socket_addrs().map_err(|error| {
            let why = one_line(&error.to_string(), 100);
            let host = &self.host;
            Fault::new("dns", format!("cannot find the mail server {host} ({why}): check MAIL_HOST and this host's DNS"))
        })?;
        Ok(found.collect())
    }

    fn start_tls(&self, link: &mut SmtpConnection) -> Result<(), Fault> {
        let parameters = match &self.tls {
            Tls::Required(parameters) if !link.can_starttls() => {
                return Err(self.no_starttls(parameters));
            }
            Tls::Required(parameters) => parameters,
            Tls::Opportunistic(parameters) if link.can_starttls() => parameters,
            _ => return Ok(()),
        };
        link.starttls(parameters, &self.hello)
            .map_err(|error| self.unreachable(&self.trouble(&error)))
    }

    fn no_starttls(&self, parameters: &TlsParameters) -> Fault {
        let host = parameters.domain();
        let cure = "MAIL_SCHEME=smtps where it speaks TLS from the start, MAIL_ENCRYPTION=none on a network you trust";
        Fault::new(
            "tls",
            format!("{host}:{} offers no STARTTLS: set {cure}", self.port),
        )
    }

    fn log_in(&self, link: &mut SmtpConnection, address: SocketAddr) -> Result<(), Fault> {
        let Some(credentials) = &self.credentials else {
            return Ok(());
        };
        if !link.is_encrypted() && !address.ip().is_loopback() {
            let reason = "the mail server offers no TLS, and a password is never sent in clear: set MAIL_ENCRYPTION to tls or ssl";
            return Err(Fault::new("tls", reason));
        }
        if link
            .server_info()
            .get_auth_mechanism(DEFAULT_MECHANISMS)
            .is_none()
        {
            let reason = "the mail server offers no login with a password: clear MAIL_USERNAME, or check MAIL_PORT and MAIL_ENCRYPTION";
            return Err(Fault::new("auth", reason));
        }
        link.auth(DEFAULT_MECHANISMS, credentials)
            .map(|_| ())
            .map_err(|error| opening::login_refused(&self.host, &self.trouble(&error)))
    }
}

enum Greeting {
    Slow,
    Trouble(Trouble),
}

/// MAIL_EHLO_DOMAIN, else this host's full name, else the address literal that RFC 5321 4.1.4 gives to the nameless.
fn hello(setting: Option<&str>) -> ClientId {
    let sound = |name: &String| {
        name.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b))
    };
    if let Some(name) = setting.map(str::to_owned).filter(sound) {
        return ClientId::Domain(name);
    }
    match ClientId::default() {
        ClientId::Domain(name) if name.contains('.') && sound(&name) => ClientId::Domain(name),
        _ => ClientId::Ipv4([127, 0, 0, 1].into()),
    }
}

/// As it is, and as AUTH LOGIN and AUTH PLAIN send it.
fn spellings(user: &str, password: &str) -> Vec<String> {
    let plain = format!("\0{user}\0{password}");
    let forms = [
        STANDARD.encode(plain),
        STANDARD.encode(password),
        password.to_owned(),
    ];
    forms.into_iter().filter(|form| !form.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ehlo_takes_the_setting_and_never_a_bare_host_name() {
        assert_eq!(
            hello(Some("kursus.example.org")).to_string(),
            "kursus.example.org"
        );
        for hostile in ["x\r\nMAIL FROM:<>", "a b", "é"] {
            assert_ne!(hello(Some(hostile)).to_string(), hostile);
        }
        let fallback = hello(None).to_string();
        assert!(fallback == "[127.0.0.1]" || fallback.contains('.'));
    }
}

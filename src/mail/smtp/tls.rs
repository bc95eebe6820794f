//! TLS as the settings want it, with the roots of the system and of MAIL_CA_FILE.

use std::fs;
use std::path::Path;

use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};

use crate::config;
use crate::outcome::Fault;
use crate::text::one_line;

/// How a connection that was made is encrypted. (`lettre` does not say by which version of TLS.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    None,
    StartTls,
    /// TLS before the first word.
    Implicit,
}

impl Encryption {
    pub fn name(self) -> &'static str {
        match self {
            Encryption::None => "none",
            Encryption::StartTls => "STARTTLS",
            Encryption::Implicit => "TLS from the start",
        }
    }
}

/// When TLS starts, and whom it trusts. The error is one of the settings.
pub fn settings(smtp: &config::Smtp) -> Result<Tls, Fault> {
    Ok(match smtp.tls {
        config::Tls::Never => Tls::None,
        config::Tls::IfOffered => Tls::Opportunistic(parameters(smtp)?),
        config::Tls::Required => Tls::Required(parameters(smtp)?),
        config::Tls::Implicit => Tls::Wrapper(parameters(smtp)?),
    })
}

/// Certificates are always verified.
fn parameters(smtp: &config::Smtp) -> Result<TlsParameters, Fault> {
    let mut builder = TlsParameters::builder(smtp.host.clone());
    if let Some(file) = &smtp.ca_file {
        builder = builder.add_root_certificate(certificate(file)?);
    }
    builder.build().map_err(|error| {
        let why = one_line(&error.to_string(), 100);
        Fault::new(
            "tls",
            format!("cannot set up TLS ({why}): check MAIL_CA_FILE"),
        )
    })
}

fn certificate(file: &Path) -> Result<Certificate, Fault> {
    let invalid = |why: String| {
        let (name, why) = (file.display(), one_line(&why, 100));
        Fault::new(
            "tls",
            format!("MAIL_CA_FILE {name} is no certificate in PEM form ({why})"),
        )
    };
    let pem = fs::read(file).map_err(|error| invalid(error.to_string()))?;
    if !pem.windows(11).any(|window| window == b"-----BEGIN ") {
        return Err(invalid("no BEGIN line".to_owned()));
    }
    Certificate::from_pem(&pem).map_err(|error| invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_that_is_none_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "hello").unwrap();
        for path in [file.path(), Path::new("/nowhere/ca.pem")] {
            let fault = certificate(path).unwrap_err();
            assert!(
                fault.reason.contains("MAIL_CA_FILE")
                    && fault.reason.contains(path.to_str().unwrap())
            );
        }
    }
}

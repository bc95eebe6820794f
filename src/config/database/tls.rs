//! How the connection to a database server is protected.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::{Tls, TlsMode, choice::Source, server::Kind, url::Parts};
use crate::config::{problem::shown, reader::Reader};

const MODE_VARIABLE: &str = "DB_SSLMODE";

/// A setting by its name in a URL and, where there is one, by its variable.
type Names = (&'static str, Option<&'static str>);

/// What a kind of server calls its settings.
struct Words {
    /// The first that is there decides.
    mode: &'static [&'static str],
    ca: Names,
    certificate: Names,
    key: Names,
}

/// libpq's own (PostgreSQL manual, 34.1.2).
const POSTGRES: Words = Words {
    mode: &["sslmode"],
    ca: ("sslrootcert", Some("DB_SSLROOTCERT")),
    certificate: ("sslcert", Some("DB_SSLCERT")),
    key: ("sslkey", Some("DB_SSLKEY")),
};

/// Those of the command line (MySQL manual, 6.3.1) with `_` for `-`, and Laravel's variable.
const MYSQL: Words = Words {
    mode: &["ssl_mode", "sslmode", "ssl-mode"],
    ca: ("ssl_ca", Some("MYSQL_ATTR_SSL_CA")),
    certificate: ("ssl_cert", None),
    key: ("ssl_key", None),
};

/// What the URL says wins over the variables. `keys_count` is whether these belong to this kind of server.
pub fn read(
    reader: &mut Reader,
    kind: Kind,
    source: &Source,
    parts: &Parts,
    keys_count: bool,
) -> Tls {
    let mut asked = Asked {
        reader,
        kind,
        source,
        parts,
        keys_count,
    };
    asked.refuse_unknown();
    asked.tls()
}

struct Asked<'a, 'e> {
    reader: &'a mut Reader<'e>,
    kind: Kind,
    source: &'a Source,
    parts: &'a Parts,
    keys_count: bool,
}

impl Asked<'_, '_> {
    fn words(&self) -> Words {
        match self.kind {
            Kind::Postgres => POSTGRES,
            Kind::Mysql => MYSQL,
        }
    }

    /// Without TLS its files are of no use, and MySQL's library would turn it on for their sake.
    fn tls(&mut self) -> Tls {
        let (variable, mode) = self.mode();
        if mode == Some(TlsMode::Disable) {
            return Tls {
                mode: TlsMode::Disable,
                ..Tls::default()
            };
        }
        let words = self.words();
        let ca = self.file(words.ca);
        let mode = mode.unwrap_or_default();
        Tls {
            mode: match self.kind {
                Kind::Postgres => mode,
                Kind::Mysql => self.mysql_mode(variable, mode, ca.is_some()),
            },
            ca,
            certificate: self.file(words.certificate),
            key: self.file(words.key),
        }
    }

    /// MariaDB's library, which speaks to MySQL too, cannot be told to insist on TLS: it stays in clear, silently,
    /// unless it has a CA file. Then it verifies who signed the certificate; for which host it was signed it cannot be
    /// made to.
    fn mysql_mode(&mut self, variable: &str, mode: TlsMode, has_ca: bool) -> TlsMode {
        match mode {
            TlsMode::Prefer if has_ca => TlsMode::VerifyCa,
            TlsMode::Prefer | TlsMode::Disable => mode,
            TlsMode::VerifyFull => {
                let cure = "the client library cannot compare the certificate with the host's name: give verify_ca, and as \
                    MYSQL_ATTR_SSL_CA or ?ssl_ca= an authority that signs for this server alone";
                self.reader.complain(variable, None, cure);
                mode
            }
            _ if has_ca => mode,
            _ => {
                let cure = "TLS can be required only with the root certificate: set MYSQL_ATTR_SSL_CA or add \
                    ?ssl_ca= to the URL, such as /etc/ssl/certs/ca-certificates.crt";
                self.reader.complain(variable, None, cure);
                mode
            }
        }
    }

    /// The mode that is asked for, and the variable that does.
    fn mode(&mut self) -> (&'static str, Option<TlsMode>) {
        let words = self.words();
        let in_url = words.mode.iter().find_map(|name| {
            let text = self.parts.parameter(name)?;
            Some((*name, text.to_owned()))
        });
        if let Some((name, text)) = in_url {
            let mode = mode_of(self.kind, &text);
            if mode.is_none() {
                let cure = format!("{name}={}: {}", shown(&text), modes(self.kind));
                self.reader.complain(self.source.variable, None, cure);
            }
            return (self.source.variable, mode);
        }
        if !self.keys_count {
            return (self.source.variable, None);
        }
        let kind = self.kind;
        let mode = self
            .reader
            .parsed(MODE_VARIABLE, modes(kind), |text| mode_of(kind, text));
        (MODE_VARIABLE, mode)
    }

    /// A file that can be opened; any other is a problem, but counts as given.
    fn file(&mut self, (parameter, variable): Names) -> Option<PathBuf> {
        let in_url = self.parts.parameter(parameter);
        let (variable, path) = match (in_url, variable) {
            (Some(path), _) => (self.source.variable, path.to_owned()),
            (None, Some(variable)) if self.keys_count => (variable, self.reader.text(variable)?),
            _ => return None,
        };
        let path = self.reader.environment().resolve(variable, &path);
        if let Err(error) = open(&path) {
            let cure = format!(
                "the file {} cannot be read: {error}",
                shown(&path.to_string_lossy())
            );
            self.reader.complain(variable, None, cure);
        }
        Some(path)
    }

    /// A slip in such a name would leave the connection less safe than it was meant to be.
    fn refuse_unknown(&mut self) {
        let words = self.words();
        let files = [words.ca.0, words.certificate.0, words.key.0];
        let known = |name: &str| words.mode.contains(&name) || files.contains(&name);
        let is_tls = |name: &&str| name.to_ascii_lowercase().starts_with("ssl");
        for name in self
            .parts
            .parameters()
            .filter(is_tls)
            .filter(|name| !known(name))
        {
            let cure = format!(
                "{} is not known: of TLS there are {}, {}",
                shown(name),
                words.mode.first().copied().unwrap_or_default(),
                files.join(", ")
            );
            self.reader.complain(self.source.variable, None, cure);
        }
    }
}

fn open(path: &Path) -> io::Result<()> {
    if File::open(path)?.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(())
}

fn modes(kind: Kind) -> &'static str {
    match kind {
        Kind::Postgres => "give disable, prefer, require, verify-ca or verify-full",
        Kind::Mysql => "give disabled, preferred, required or verify_ca",
    }
}

/// PostgreSQL's `allow` begins in clear, if the server lets it; the other way round is never worse. For MySQL
/// PostgreSQL's words do too: its URLs are written with either.
fn mode_of(kind: Kind, text: &str) -> Option<TlsMode> {
    let text = text.to_ascii_lowercase();
    match (text.as_str(), kind) {
        ("disable", _) | ("disabled", Kind::Mysql) => Some(TlsMode::Disable),
        ("allow" | "prefer", _) | ("preferred", Kind::Mysql) => Some(TlsMode::Prefer),
        ("require", _) | ("required", Kind::Mysql) => Some(TlsMode::Require),
        ("verify-ca", _) | ("verify_ca", Kind::Mysql) => Some(TlsMode::VerifyCa),
        ("verify-full", _) | ("verify_identity" | "verify_full", Kind::Mysql) => {
            Some(TlsMode::VerifyFull)
        }
        _ => None,
    }
}

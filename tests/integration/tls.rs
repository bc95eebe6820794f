//! A certificate authority of its own for each loopback server, and the two kinds of stream it speaks over.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    path::Path,
    sync::Arc,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned, crypto::ring, pki_types::PrivatePkcs8KeyDer,
};
use tempfile::NamedTempFile;

/// An authority that no system trusts, and a server certificate for `localhost` and 127.0.0.1 signed by it.
pub struct Authority {
    ca_file: NamedTempFile,
    server: Arc<ServerConfig>,
}

impl Authority {
    pub fn new() -> Authority {
        let mut ca = CertificateParams::new([]).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Another name than the server's, or OpenSSL takes the server's certificate for self-signed.
        ca.distinguished_name
            .push(DnType::CommonName, "Loopback CA");
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let mut ca_file = NamedTempFile::with_suffix(".pem").unwrap();
        ca_file.write_all(ca.pem().as_bytes()).unwrap();
        Authority {
            ca_file,
            server: Arc::new(server_config(&ca)),
        }
    }

    /// The authority's certificate, PEM.
    pub fn ca_file(&self) -> &Path {
        self.ca_file.path()
    }

    /// The server's side of TLS; the handshake happens at the first read or write.
    pub fn secure(&self, stream: TcpStream) -> Stream {
        let connection = ServerConnection::new(Arc::clone(&self.server)).unwrap();
        Stream::Tls(Box::new(StreamOwned::new(connection, stream)))
    }
}

fn server_config(ca: &CertifiedIssuer<'_, KeyPair>) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap();
    let certificate = certificate.signed_by(&key, ca).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap()
}

/// A connection in clear or under TLS.
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    pub fn is_tls(&self) -> bool {
        matches!(self, Stream::Tls(_))
    }

    /// Says goodbye as TLS wants it; without it the client sees a truncated connection.
    pub fn close(&mut self) -> io::Result<()> {
        if let Stream::Tls(stream) = self {
            stream.conn.send_close_notify();
        }
        self.flush()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

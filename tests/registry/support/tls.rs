//! An authority for certificates, and clients that know it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version,
};

/// What a client may speak.
pub const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

/// An authority in a directory of its own, with a certificate for 127.0.0.1.
pub struct Authority {
    directory: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority of a test");
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let authority = Self { directory: tempfile::tempdir().unwrap(), issuer: Issuer::new(params, key), pem };
        std::fs::write(authority.certificate(), &authority.pem).unwrap();
        authority.issue();
        authority
    }

    /// Its own certificate.
    pub fn certificate(&self) -> PathBuf {
        self.path("authority.pem")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a new certificate and its key over the former ones; answers what it is for comparison.
    pub fn issue(&self) -> Vec<u8> {
        let params = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.write("key.pem", &key.serialize_pem());
        self.write("cert.pem", &format!("{}{}", certificate.pem(), self.pem));
        certificate.der().to_vec()
    }

    pub fn write(&self, name: &str, content: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(self.path(name), content).unwrap();
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o600)).unwrap();
    }

    /// The arguments of a `serve` with its certificate.
    pub fn arguments(&self) -> [String; 4] {
        let path = |name| self.path(name).to_str().unwrap().to_owned();
        ["--tls-cert".to_owned(), path("cert.pem"), "--tls-key".to_owned(), path("key.pem")]
    }

    /// A connection to an address, after its handshake.
    pub fn connect(&self, address: &str, protocols: &[&str], versions: &[&'static SupportedProtocolVersion]) -> Tls {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(versions).unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(client, TcpStream::connect(address).unwrap());
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        Tls(stream)
    }
}

/// A connection.
pub struct Tls(pub StreamOwned<ClientConnection, TcpStream>);

impl Tls {
    /// What the server chose.
    pub fn protocol(&self) -> Option<&str> {
        self.0.conn.alpn_protocol().map(|protocol| std::str::from_utf8(protocol).unwrap())
    }

    /// The certificate that the server showed.
    pub fn certificate(&self) -> Vec<u8> {
        self.0.conn.peer_certificates().unwrap()[0].to_vec()
    }

    /// Sends a request of HTTP/1.1 and reads its answer's head and first bytes.
    pub fn get(&mut self, path: &str) -> String {
        write!(self.0, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        loop {
            let mut more = [0; 4096];
            let length = self.0.read(&mut more).unwrap();
            answer.extend_from_slice(&more[..length]);
            let text = String::from_utf8_lossy(&answer).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                assert!(length > 0, "{text}");
                continue;
            };
            let head = head.to_ascii_lowercase();
            let announced = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            if length == 0 || announced.is_none_or(|announced| body.len() >= announced.parse().unwrap()) {
                return text;
            }
        }
    }
}

/// What names an authority's certificate to cargo.
pub fn cainfo(path: &Path) -> String {
    format!("http.cainfo={:?}", path.to_str().unwrap())
}

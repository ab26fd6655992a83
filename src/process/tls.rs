//! The TLS certificate, loaded from files and reloaded when they change.
//!
//! New connections use the new certificate; existing ones are not affected. Invalid files are rejected before anything is
//! replaced.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, SystemTime};

use openssl::asn1::Asn1Time;
use openssl::x509::X509;
use parking_lot::RwLock;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error as TlsError, InconsistentKeys, ServerConfig};

use super::hardening;
use crate::config::HttpOptions;
use crate::process::CommandError;

/// How often to check whether the files have changed.
const CHECK_EVERY: Duration = Duration::from_secs(60);

/// ALPN protocols, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The certificate in use. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Certificate(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    files: Files,
    provider: Arc<CryptoProvider>,
    in_use: RwLock<InUse>,
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Debug)]
struct InUse {
    certified: Arc<CertifiedKey>,
    /// When the first certificate of the chain expires, as Unix time.
    expires: Option<f64>,
    /// The files as they were last read, valid or not.
    seen: [Stamp; 2],
}

/// Modification time, size and inode, which change when a file is written or replaced.
type Stamp = Option<(SystemTime, u64, u64)>;

impl Certificate {
    /// Loads the files that the options name; None without them.
    pub fn load(options: &HttpOptions) -> Result<Option<Self>, CommandError> {
        let (Some(certificate), Some(key)) = (options.tls_cert.clone(), options.tls_key.clone()) else {
            return Ok(None);
        };
        let files = Files { certificate, key };
        let provider = Arc::new(ring::default_provider());
        let seen = files.stamps();
        let certified = Arc::new(files.read(&provider)?);
        hardening::warn_of_readers(&files.key, "the private key");
        let in_use = RwLock::new(InUse { expires: expires(&certified), certified, seen });
        Ok(Some(Self(Arc::new(Parts { files, provider, in_use }))))
    }

    /// The configuration of TLS connections.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, CommandError> {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.0.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| CommandError::while_doing("cannot set up TLS", error))?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(Arc::new(config))
    }

    /// When the first certificate of the chain expires, as Unix time.
    pub fn expires(&self) -> Option<f64> {
        self.0.in_use.read().expires
    }

    /// Checks the files at intervals until the watch is dropped.
    pub fn watch(&self) -> Result<Watch, CommandError> {
        let (reload, requests) = mpsc::channel();
        let certificate = self.clone();
        std::thread::Builder::new().name("certificate".to_owned()).spawn(move || {
            loop {
                match requests.recv_timeout(CHECK_EVERY) {
                    Ok(()) => certificate.reload(),
                    Err(RecvTimeoutError::Timeout) => certificate.reload_if_changed(),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })?;
        Ok(Watch(reload))
    }

    fn reload_if_changed(&self) {
        if self.0.files.stamps() != self.0.in_use.read().seen {
            self.reload();
        }
    }

    fn reload(&self) {
        // Read before the files, so that a change in between is noticed the next time.
        let seen = self.0.files.stamps();
        let read = self.0.files.read(&self.0.provider);
        let mut in_use = self.0.in_use.write();
        in_use.seen = seen;
        match read {
            Ok(certified) => {
                in_use.expires = expires(&certified);
                in_use.certified = Arc::new(certified);
                tracing::info!(file = %self.0.files.certificate.display(), "loaded the certificate");
            }
            Err(error) => tracing::error!(%error, "cannot reload the certificate; the previous one stays in use"),
        }
    }
}

fn expires(certified: &CertifiedKey) -> Option<f64> {
    let epoch = Asn1Time::from_unix(0).ok()?;
    let of_one = |der: &CertificateDer<'_>| {
        let left = epoch.diff(X509::from_der(der).ok()?.not_after()).ok()?;
        Some(f64::from(left.days) * 86_400.0 + f64::from(left.secs))
    };
    certified.cert.iter().filter_map(of_one).min_by(f64::total_cmp)
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.in_use.read().certified))
    }
}

/// Reloads the certificate on request, and at intervals until it is dropped.
pub struct Watch(mpsc::Sender<()>);

impl Watch {
    pub fn reload(&self) {
        // The receiver lives as long as this sender.
        let _ = self.0.send(());
    }
}

impl Files {
    fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, CommandError> {
        let chain = read_chain(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| unusable("--tls-key", &self.key, "private key", error))?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| {
            let (certificate, key) = (self.certificate.display(), self.key.display());
            match error {
                TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => CommandError::new(format!(
                    "the private key in {key} (--tls-key) does not match the first certificate in {certificate} (--tls-cert): put \
                     the registry's own certificate first, then its chain"
                )),
                TlsError::InvalidCertificate(_) => CommandError::new(format!(
                    "the first certificate in {certificate} (--tls-cert) is not an X.509 certificate"
                )),
                error => CommandError::while_doing(
                    format!("cannot use the private key in {key} (--tls-key); supported are ECDSA, Ed25519 and RSA keys"),
                    error,
                ),
            }
        })
    }

    fn stamps(&self) -> [Stamp; 2] {
        use std::os::unix::fs::MetadataExt;
        [&self.certificate, &self.key].map(|path| {
            let found = std::fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.len(), found.ino()))
        })
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CommandError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(chain) if chain.is_empty() => Err(unusable("--tls-cert", path, "certificate", pem::Error::NoItemsFound)),
        Ok(chain) => Ok(chain),
        Err(error) => Err(unusable("--tls-cert", path, "certificate", error)),
    }
}

fn unusable(flag: &str, path: &Path, what: &str, error: pem::Error) -> CommandError {
    let file = path.display();
    match error {
        pem::Error::NoItemsFound => CommandError::new(format!(
            "there is no {what} in {file} ({flag}): PEM is required, which begins with -----BEGIN"
        )),
        pem::Error::Io(error) => CommandError::while_doing(format!("cannot read {file} ({flag})"), error),
        _ => CommandError::new(format!("{file} ({flag}) is not a complete PEM file: it is truncated or damaged")),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SignatureAlgorithm};

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn options(&self) -> HttpOptions {
            let path = |name| Some(self.0.path().join(name));
            HttpOptions { tls_cert: path("cert.pem"), tls_key: path("key.pem"), ..HttpOptions::default() }
        }

        /// Writes a new pair; answers the certificate as it is sent.
        fn issue(&self, algorithm: &'static SignatureAlgorithm) -> Vec<u8> {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
            std::fs::write(self.0.path().join("cert.pem"), certificate.pem()).unwrap();
            std::fs::write(self.0.path().join("key.pem"), key.serialize_pem()).unwrap();
            certificate.der().to_vec()
        }
    }

    fn in_use(certificate: &Certificate) -> Vec<u8> {
        certificate.0.in_use.read().certified.cert[0].to_vec()
    }

    #[test]
    fn a_pair_that_changed_is_taken_and_one_that_can_not_be_used_is_not() {
        let folder = Folder(tempfile::tempdir().unwrap());
        let first = folder.issue(&PKCS_ED25519);
        let certificate = Certificate::load(&folder.options()).unwrap().unwrap();
        certificate.reload_if_changed();
        assert_eq!(in_use(&certificate), first);

        let second = folder.issue(&PKCS_ECDSA_P384_SHA384);
        certificate.reload_if_changed();
        assert_eq!(in_use(&certificate), second);

        let key = std::fs::read(folder.0.path().join("key.pem")).unwrap();
        folder.issue(&PKCS_ED25519);
        let renewed = std::fs::read(folder.0.path().join("key.pem")).unwrap();
        // Half of a new pair: it is seen, and looked at again when the other half comes.
        std::fs::write(folder.0.path().join("key.pem"), key).unwrap();
        certificate.reload_if_changed();
        assert_eq!(in_use(&certificate), second);
        std::fs::remove_file(folder.0.path().join("key.pem")).unwrap();
        certificate.reload_if_changed();
        assert_eq!(in_use(&certificate), second);
        std::fs::write(folder.0.path().join("key.pem"), renewed).unwrap();
        certificate.reload_if_changed();
        assert_ne!(in_use(&certificate), second);
    }

    #[test]
    fn without_the_options_there_is_none() {
        assert!(Certificate::load(&HttpOptions::default()).unwrap().is_none());
    }
}

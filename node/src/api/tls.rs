//! TLS of the API: what is asked and answered is hidden on its way. Nobody believes an answer because of it.
//!
//! The pair of certificate and key is read again when one of its files changes, or on request. A pair that cannot be
//! used is refused at the start and ignored later: the one in use stays. Connections keep what they began with.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use crate::config::TlsSection;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often a certificate that ends soon is spoken of.
const REMIND_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// How long before its end, in seconds: 14 days.
const SOON_SECONDS: i64 = 14 * 24 * 3_600;
/// Longest file of certificates or of a key.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// Why a certificate and its key are not used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{} holds no {what}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// Anybody on this machine can read the key.
    #[error("{} can be read by everybody (mode {mode:o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The key is not that of the certificate.
    #[error("{} is not the key of {}", key.display(), certificate.display())]
    Mismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// They are of a kind that is not supported, or damaged.
    #[error("{} cannot be used: {reason}", certificate.display())]
    Unusable {
        /// The certificate.
        certificate: PathBuf,
        /// Why.
        reason: String,
    },
}

impl TlsError {
    /// What the operator can do.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "check `certificate` and `key` of [api.tls] in config.toml, and that the node's user may read them"
            }
            Self::Empty { .. } => {
                "`certificate` is a PEM file with the server's certificate and then those that signed it, `key` a PEM \
                 file with its private key"
            }
            Self::Exposed { .. } => "make it readable by the node alone: chmod 600, and think of it as stolen",
            Self::Mismatch { .. } => "the pair must come from the same request: renew both, or name the other file",
            Self::Unusable { .. } => "use an X.509 certificate with an ECDSA (P-256, P-384), Ed25519 or RSA key",
        }
    }
}

/// A pair that is in use.
struct Pair {
    config: Arc<ServerConfig>,
    /// Span of the chain's certificates together, in seconds since 1970.
    valid: (i64, i64),
}

/// What tells that a file is another one now.
type Stamp = [(u64, u64, i64, i64, u64); 2];

/// The certificate of the API.
pub struct Tls {
    section: TlsSection,
    pair: Mutex<Pair>,
    /// Of the files when they were read last, whatever came of it.
    read: Mutex<Option<Stamp>>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tls").field("section", &self.section).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the pair that a home's configuration names.
    pub fn open(home: &Path, section: &TlsSection) -> Result<Self, TlsError> {
        let section = TlsSection {
            certificate: home.join(&section.certificate),
            key: home.join(&section.key),
            handshake_seconds: section.handshake_seconds,
        };
        let stamp = stamp(&section);
        let pair = load(&section)?;
        remind(&section, pair.valid);
        Ok(Self { section, pair: Mutex::new(pair), read: Mutex::new(stamp) })
    }

    /// For the next connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.pair.lock().unwrap_or_else(PoisonError::into_inner).config))
    }
    /// Longest time of a handshake.
    pub const fn handshake(&self) -> Duration {
        Duration::from_secs(self.section.handshake_seconds)
    }
    /// The file of the certificate.
    pub fn certificate(&self) -> &Path {
        &self.section.certificate
    }
    /// When the first certificate of the chain ends, in seconds since 1970.
    pub fn expires(&self) -> i64 {
        self.valid().1
    }
    fn valid(&self) -> (i64, i64) {
        self.pair.lock().unwrap_or_else(PoisonError::into_inner).valid
    }

    /// Reads the pair again; the one in use stays if it cannot be used.
    pub fn reload(&self) -> Result<(), TlsError> {
        let stamp = stamp(&self.section);
        let loaded = load(&self.section);
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
        let pair = loaded?;
        tracing::info!(certificate = %self.section.certificate.display(), expires = pair.valid.1, "certificate read");
        remind(&self.section, pair.valid);
        *self.pair.lock().unwrap_or_else(PoisonError::into_inner) = pair;
        Ok(())
    }

    /// Reads the pair again whenever a file changes, for as long as anybody holds it.
    pub async fn watch(tls: Weak<Self>) {
        let mut reminded = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let Some(tls) = tls.upgrade() else { return };
            if reminded.elapsed() >= REMIND_EVERY {
                reminded = tokio::time::Instant::now();
                remind(&tls.section, tls.valid());
            }
            // Two small files, a few times a minute.
            let changed = stamp(&tls.section) != *tls.read.lock().unwrap_or_else(PoisonError::into_inner);
            if !changed {
                continue;
            }
            if let Err(error) = tls.reload() {
                let reason = said(&error);
                tracing::warn!(%reason, hint = error.hint(), "the new certificate is not used; the one in use stays");
            }
        }
    }
}

/// An error with its causes.
pub fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn stamp(section: &TlsSection) -> Option<Stamp> {
    let of = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.len()))
    };
    Some([of(&section.certificate)?, of(&section.key)?])
}

fn read(path: &Path, check: impl FnOnce(&Metadata) -> Result<(), TlsError>) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    check(&file.metadata().map_err(unreadable)?)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(PEM_BYTES_MAX).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

fn load(section: &TlsSection) -> Result<Pair, TlsError> {
    let TlsSection { certificate, key, .. } = section;
    let empty = |path: &PathBuf, what| TlsError::Empty { path: path.clone(), what };
    let unusable = |reason: String| TlsError::Unusable { certificate: certificate.clone(), reason };
    let bytes = read(certificate, |_| Ok(()))?;
    let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(|| empty(certificate, "certificate"))?;
    let bytes = read(key, |metadata| match metadata.mode() & 0o777 {
        mode if mode & 0o007 != 0 => Err(TlsError::Exposed { path: key.clone(), mode }),
        _ => Ok(()),
    })?;
    let secret = PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| empty(key, "private key"))?;
    let valid = valid(&chain).map_err(unusable)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, secret);
    let mut config = config.map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => TlsError::Mismatch { certificate: certificate.clone(), key: key.clone() },
        error => unusable(error.to_string()),
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Pair { config: Arc::new(config), valid })
}

/// From when until when all certificates of a chain are valid.
fn valid(chain: &[CertificateDer<'_>]) -> Result<(i64, i64), String> {
    let mut valid = (i64::MIN, i64::MAX);
    for der in chain {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).map_err(|error| error.to_string())?;
        let validity = certificate.validity();
        valid.0 = valid.0.max(validity.not_before.timestamp());
        valid.1 = valid.1.min(validity.not_after.timestamp());
    }
    Ok(valid)
}

/// Tells the operator of a certificate that clients refuse, or soon will.
fn remind(section: &TlsSection, (from, until): (i64, i64)) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    let certificate = section.certificate.display();
    if now > until {
        tracing::warn!(%certificate, expired = until, "the certificate has expired: clients refuse it; renew it");
    } else if now < from {
        tracing::warn!(%certificate, from, "the certificate is not valid yet: clients refuse it; check the clock");
    } else if until - now < SOON_SECONDS {
        tracing::warn!(%certificate, days = (until - now) / 86_400, "the certificate expires soon: renew it");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn write(folder: &Path, key: &KeyPair) -> Vec<u8> {
        let made = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(key).unwrap();
        fs::write(folder.join("certificate.pem"), made.pem()).unwrap();
        made.der().to_vec()
    }
    fn write_key(folder: &Path, key: &KeyPair, mode: u32) {
        let path = folder.join("key.pem");
        fs::write(&path, key.serialize_pem()).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    fn section() -> TlsSection {
        TlsSection { certificate: "certificate.pem".into(), key: "key.pem".into(), handshake_seconds: 1 }
    }

    #[test]
    fn what_cannot_be_used_is_told_apart() {
        let home = tempfile::tempdir().unwrap();
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let open = || Tls::open(home.path(), &section());
        assert!(matches!(open(), Err(TlsError::Unreadable { .. })));
        write(home.path(), &key);
        write_key(home.path(), &key, 0o644);
        assert!(matches!(open(), Err(TlsError::Exposed { mode: 0o644, .. })));
        write_key(home.path(), &key, 0o640);
        assert!(open().unwrap().expires() > 0);
        write_key(home.path(), &other, 0o600);
        assert!(matches!(open(), Err(TlsError::Mismatch { .. })));
        fs::write(home.path().join("key.pem"), "no key").unwrap();
        assert!(matches!(open(), Err(TlsError::Empty { what: "private key", .. })));
        fs::write(home.path().join("certificate.pem"), "").unwrap();
        assert!(matches!(open(), Err(TlsError::Empty { what: "certificate", .. })));
    }

    #[test]
    fn a_bad_pair_leaves_the_one_in_use() {
        let home = tempfile::tempdir().unwrap();
        let (old, new) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        write(home.path(), &old);
        write_key(home.path(), &old, 0o600);
        let tls = Tls::open(home.path(), &section()).unwrap();
        let used = || Arc::as_ptr(&tls.pair.lock().unwrap().config);
        let before = used();
        // As a renewal does it: first the one file, then the other.
        write(home.path(), &new);
        assert!(matches!(tls.reload(), Err(TlsError::Mismatch { .. })));
        assert_eq!(used(), before);
        write_key(home.path(), &new, 0o600);
        tls.reload().unwrap();
        assert_ne!(used(), before);
    }
}

//! Which certificate authorities a node's TLS is checked against: those of the system, and one that the user names.
//!
//! TLS hides what is asked. Whether an answer is true is decided by proofs, whoever sent it.

use std::path::Path;

use rustls_native_certs::load_native_certs;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::home;
use crate::talk::{ExitCode, Failure};

/// Longest file of certificates.
const PEM_BYTES_MAX: usize = 1 << 20;

/// The authorities; reading those of the system takes some milliseconds, so it is done only for https.
#[derive(Debug, Clone)]
pub struct Roots(RootCerts);

impl Default for Roots {
    fn default() -> Self {
        // Those that come with this program, where the system has none.
        Self(RootCerts::WebPki)
    }
}

impl Roots {
    /// Those of the system, and those of a file.
    pub fn load(extra: Option<&Path>) -> Result<Self, Failure> {
        let extra = extra.map(read).transpose()?.unwrap_or_default();
        let system = load_native_certs().certs;
        let known = system.iter().map(|der| Certificate::from_der(der.as_ref()).to_owned());
        let all: Vec<Certificate<'static>> = known.chain(extra).collect();
        Ok(if all.is_empty() { Self::default() } else { Self(RootCerts::new_with_certs(&all)) })
    }

    /// As the HTTP library takes them.
    pub fn tls(&self) -> TlsConfig {
        TlsConfig::builder().root_certs(self.0.clone()).build()
    }
}

fn read(path: &Path) -> Result<Vec<Certificate<'static>>, Failure> {
    let text = home::read_given(path, PEM_BYTES_MAX)?;
    let found: Vec<Certificate<'static>> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Err(Failure::of(ExitCode::Usage, "node_ca", &[("path", &path.display())]));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert_eq!(Roots::load(Some(&path)).unwrap_err().code, "file_unread");
        std::fs::write(&path, "no certificate").unwrap();
        assert_eq!(Roots::load(Some(&path)).unwrap_err().code, "node_ca");
        assert!(Roots::load(None).is_ok());
    }
}

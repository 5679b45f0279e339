//! How the commands ask a node over HTTP.

use std::path::Path;
use std::time::Duration;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::bounded_file;

/// Longest file of certificates.
const PEM_BYTES_MAX: usize = 1 << 20;

/// Whose certificates are believed for https.
pub(super) enum Believed<'a> {
    /// Those of public authorities.
    Public,
    /// Those of the authorities in a file.
    Of(&'a Path),
    /// All: what is asked is on this machine.
    Local,
}

/// Why the file of authorities cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum AgentError {
    #[error("the certificates cannot be read")]
    Unreadable(#[from] std::io::Error),
    #[error("no PEM certificate in it")]
    NoCertificate,
}

/// Asks without following redirects, and waits no longer than this.
pub(super) fn agent(believed: &Believed<'_>, wait: Duration) -> Result<ureq::Agent, AgentError> {
    let tls = match believed {
        Believed::Public => TlsConfig::builder().build(),
        Believed::Of(path) => TlsConfig::builder().root_certs(authorities(path)?).build(),
        Believed::Local => TlsConfig::builder().disable_verification(true).build(),
    };
    let mut config = ureq::Agent::config_builder().timeout_global(Some(wait)).max_redirects(0).tls_config(tls);
    if matches!(believed, Believed::Local) {
        config = config.proxy(None);
    }
    Ok(config.build().into())
}

fn authorities(path: &Path) -> Result<RootCerts, AgentError> {
    let text = bounded_file::read(path, PEM_BYTES_MAX)?;
    let found: Vec<Certificate<'static>> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() { Err(AgentError::NoCertificate) } else { Ok(RootCerts::new_with_certs(&found)) }
}

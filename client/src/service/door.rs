//! Who is let in, and for how long.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Token;
use super::problem::Refused;

/// The door: names that the service answers to, and the token.
#[derive(Debug)]
pub struct Door {
    token: Token,
    hosts: BTreeSet<String>,
}

impl Door {
    /// For an address and further names of this machine. Loopback has two names more; other addresses have none, for
    /// whoever rebinds a name of the web to them comes with that name.
    pub fn new(token: Token, address: SocketAddr, names: &[String]) -> Self {
        let port = address.port();
        let mut hosts: BTreeSet<String> = BTreeSet::from([address.to_string()]);
        if address.ip().is_loopback() {
            hosts.extend(["127.0.0.1", "[::1]", "localhost"].map(|name| format!("{name}:{port}")));
        }
        for name in names.iter().map(|name| name.to_ascii_lowercase()) {
            hosts.extend([format!("{name}:{port}"), name]);
        }
        Self { token, hosts }
    }

    /// Whether a request may go on.
    fn admit(&self, path: &str, headers: &HeaderMap) -> Result<(), Refused> {
        let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
        let host = text(header::HOST).map(str::to_ascii_lowercase);
        if headers.get_all(header::HOST).iter().count() != 1 || host.is_none_or(|host| !self.hosts.contains(&host)) {
            return Err(Refused::of(StatusCode::FORBIDDEN, "host_refused"));
        }
        // Browsers send these with whatever a page asks for, and programs do not.
        if headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site") {
            return Err(Refused::of(StatusCode::FORBIDDEN, "browser_refused"));
        }
        // Whether it lives is no secret.
        let free = path == "/healthz";
        if free || text(header::AUTHORIZATION).is_some_and(|value| self.token.opens(value)) {
            return Ok(());
        }
        Err(Refused::of(StatusCode::UNAUTHORIZED, "token_missing"))
    }
}

/// Stands before every route; a request may take so long.
pub async fn guard(State((door, longest)): State<(Arc<Door>, Duration)>, request: Request, next: Next) -> Response {
    if let Err(refused) = door.admit(request.uri().path(), request.headers()) {
        return refused.into_response();
    }
    match tokio::time::timeout(longest, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refused::of(StatusCode::SERVICE_UNAVAILABLE, "timeout").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn other_names_pages_and_strangers_stay_out() {
        let dir = tempfile::tempdir().unwrap();
        let token = Token::open_or_create(&dir.path().join("token")).unwrap();
        let text = std::fs::read_to_string(token.path()).unwrap();
        let bearer = format!("Bearer {}", text.trim());
        let door = Door::new(token, "127.0.0.1:8480".parse().unwrap(), &["Counter.bank".to_owned()]);
        let refused = |pairs: &[(&'static str, &str)]| door.admit("/v1/checks", &headers(pairs)).unwrap_err();
        let good = ("authorization", bearer.as_str());
        for host in ["127.0.0.1:8480", "localhost:8480", "LOCALHOST:8480", "counter.bank", "counter.bank:8480"] {
            assert!(door.admit("/v1/checks", &headers(&[("host", host), good])).is_ok(), "{host}");
        }
        for host in ["evil.example:8480", "localhost", "127.0.0.1:8481", "localhost:8480.evil.example", ""] {
            assert!(format!("{:?}", refused(&[("host", host), good])).contains("host_refused"), "{host}");
        }
        assert!(format!("{:?}", refused(&[good])).contains("host_refused"));
        let host = ("host", "localhost:8480");
        for mark in [("origin", "null"), ("origin", "http://localhost:8480"), ("sec-fetch-site", "none")] {
            assert!(format!("{:?}", refused(&[host, good, mark])).contains("browser_refused"));
        }
        assert!(format!("{:?}", refused(&[host])).contains("token_missing"));
        assert!(format!("{:?}", refused(&[host, ("authorization", "Bearer x")])).contains("token_missing"));
        assert!(door.admit("/healthz", &headers(&[host])).is_ok());
        assert!(door.admit("/healthz", &headers(&[("host", "evil.example")])).is_err());
    }

    #[test]
    fn beyond_loopback_only_names_that_were_given_count() {
        let dir = tempfile::tempdir().unwrap();
        let token = Token::open_or_create(&dir.path().join("token")).unwrap();
        let door = Door::new(token, "0.0.0.0:8480".parse().unwrap(), &["10.1.2.3".to_owned()]);
        assert!(door.admit("/healthz", &headers(&[("host", "10.1.2.3:8480")])).is_ok());
        assert!(door.admit("/healthz", &headers(&[("host", "localhost:8480")])).is_err());
    }
}

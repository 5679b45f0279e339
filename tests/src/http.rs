//! HTTP to nodes, without the client's own code: the tests must not share its mistakes.

use std::time::Duration;

use serde::de::DeserializeOwned;

const BYTES_MAX: u64 = 32 << 20;

/// Asks nodes; keeps connections.
#[derive(Debug, Clone)]
pub struct Http(ureq::Agent);

impl Default for Http {
    fn default() -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(2)))
            .timeout_global(Some(Duration::from_secs(40)))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None);
        Self(config.build().into())
    }
}

impl Http {
    /// Status and body; nothing if there is no whole answer.
    pub fn get(&self, url: &str) -> Option<(u16, Vec<u8>)> {
        Self::read(self.0.get(url).call())
    }
    /// The same for a POST of bytes.
    pub fn post(&self, url: &str, content_type: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
        Self::read(self.0.post(url).content_type(content_type).send(body))
    }
    /// JSON of a successful answer.
    pub fn json<T: DeserializeOwned>(&self, url: &str) -> Option<T> {
        let (status, body) = self.get(url)?;
        if status == 200 { serde_json::from_slice(&body).ok() } else { None }
    }

    fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Option<(u16, Vec<u8>)> {
        let mut answer = answer.ok()?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(BYTES_MAX).read_to_vec().ok()?;
        Some((status, body))
    }
}

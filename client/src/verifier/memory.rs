//! What a verifier remembers: its requests, and what answered them.

use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::PublicKey;
use kanhe_proto::request::{Request, UnverifiedRequest};
use kanhe_proto::sd_jwt::json;
use kanhe_proto::text;
use kanhe_proto::verdict::Verdict;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Receipt;
use crate::home::Home;
use crate::talk::{ExitCode, Failure};

/// A request of one's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptRequest {
    /// As it was sent.
    pub request: String,
    /// The key that signed it.
    pub key: PublicKey,
}

/// A nonce that a response used up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// SHA-256 of the response as received, in hexadecimal.
    pub response: String,
    /// When it was judged.
    pub checked: TimeMs,
    /// The moment that was asked for.
    pub at: Option<TimeMs>,
    /// What it was worth.
    pub verdict: Verdict,
}

/// The verifier's part of a home.
#[derive(Debug, Clone)]
pub struct Memory<'a> {
    pub(super) home: &'a Home,
}

impl<'a> Memory<'a> {
    /// The memory of a home.
    pub const fn new(home: &'a Home) -> Self {
        Self { home }
    }

    /// Keeps a request; it must be durable before it leaves.
    pub fn keep(&self, nonce: &str, kept: &KeptRequest) -> Result<(), Failure> {
        self.write(&request_file(nonce), kept)
    }

    /// The request that this text is, if it was made here.
    pub fn own(&self, text: &str) -> Result<(Request, KeptRequest), Failure> {
        let foreign = || Failure::of(ExitCode::Failure, "request_not_own", &[]);
        let nonce = nonce_of(text).ok_or_else(foreign)?;
        let kept: KeptRequest = self.read(&request_file(&nonce))?.ok_or_else(foreign)?;
        if kept.request != text {
            return Err(foreign());
        }
        let request = UnverifiedRequest::parse(text).and_then(|request| request.verify(&kept.key));
        let request = request.map_err(|error| Failure::reported(ExitCode::Failure, error.code(), error))?;
        Ok((request, kept))
    }

    /// The text of a request that was made here, by its nonce.
    pub fn request(&self, nonce: &str) -> Result<Option<String>, Failure> {
        if !is_nonce(nonce) {
            return Ok(None);
        }
        Ok(self.read::<KeptRequest>(&request_file(nonce))?.map(|kept| kept.request))
    }

    /// Keeps a receipt beside the request that it is of.
    pub fn keep_receipt(&self, nonce: &str, receipt: &Receipt) -> Result<(), Failure> {
        self.home.write_file(&receipt_file(nonce), &receipt.to_bytes())
    }
    /// The receipt of a request, as it was written.
    pub fn receipt(&self, nonce: &str) -> Result<Option<Vec<u8>>, Failure> {
        if is_nonce(nonce) { self.home.read(&receipt_file(nonce)) } else { Ok(None) }
    }

    /// What answered a request before.
    pub fn spent(&self, nonce: &str) -> Result<Option<Spent>, Failure> {
        self.read(&spent_file(nonce))
    }
    /// Notes what answered a request.
    pub fn spend(&self, nonce: &str, spent: &Spent) -> Result<(), Failure> {
        self.write(&spent_file(nonce), spent)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        let Some(bytes) = self.home.read(name)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            // To take it for absent would let a nonce be used twice.
            let path = self.home.at(name);
            Failure::of(ExitCode::Failure, "file_damaged", &[("path", &path.display()), ("cause", &error)])
        })
    }
    fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Failure> {
        let bytes = serde_json::to_vec(value)
            .map_err(|error| Failure::reported(ExitCode::Failure, "memory_not_kept", error))?;
        self.home.write_file(name, &bytes)
    }
}

fn request_file(nonce: &str) -> String {
    format!("verifier/requests/{nonce}.json")
}
fn spent_file(nonce: &str) -> String {
    format!("verifier/spent/{nonce}.json")
}
fn receipt_file(nonce: &str) -> String {
    format!("verifier/receipts/{nonce}.json")
}

/// Whether it may be part of a file's name.
fn is_nonce(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !text.is_empty() && text.len() <= 86 && text.bytes().all(plain)
}

/// The nonce that a request names, if it may be part of a file's name.
fn nonce_of(request: &str) -> Option<String> {
    let payload = text::from_base64url(request.split('.').nth(1)?).ok()?;
    let payload = json::parse_object(&payload).ok()?;
    let nonce = payload.get("nonce")?.as_str()?;
    is_nonce(nonce).then(|| nonce.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_cannot_leave_their_folder() {
        let request = |nonce: &str| {
            let payload = serde_json::json!({ "nonce": nonce }).to_string();
            format!("e30.{}.x", text::base64url(payload.as_bytes()))
        };
        assert_eq!(nonce_of(&request("abc-_9")).as_deref(), Some("abc-_9"));
        for wrong in ["", "../x", "a/b", "a.b", &"a".repeat(87)] {
            assert_eq!(nonce_of(&request(wrong)), None, "{wrong}");
        }
        assert_eq!(nonce_of("no request"), None);
    }
}

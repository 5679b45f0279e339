//! A node's HTTP API, typed. What comes back is a claim until a light client has checked it.

mod accounts;
mod cases;
mod consents;

use std::fmt::Display;
use std::time::{Duration, Instant};

use kanhe_proto::api::{
    BatchAnswer, EvidenceAnswer, EvidenceMany, EvidenceManyAnswer, HeaderAnswer, LeafAnswer, LogAnswer, MailAnswers,
    MailChallenge, MailQueue, MailReceipt, NodeStatus, Problem, TransactionStatus, TrustAnswer, WAIT_MAX_SECONDS,
};
use kanhe_proto::diagnosis::{Diagnosis, DiagnosisAnswer};
use kanhe_proto::hash::{Hash, LicenceDigest, TransactionId};
use kanhe_proto::identifiers::{TypeCode, TypeVersion, Uscc};
use kanhe_proto::ids::{Height, LogIndex};
use kanhe_proto::item::ItemVersion;
use kanhe_proto::key::KeyId;
use kanhe_proto::limits::{
    EVIDENCE_BYTES_MAX, GENESIS_BYTES_MAX, HAND_OVER_BYTES_MAX, RECORD_BYTES_MAX, SCHEMA_BYTES_MAX,
};
use kanhe_proto::mail::{MAIL_BYTES_MAX, MailId};
use kanhe_proto::merkle::log::Span;
use kanhe_proto::snapshot::{Content, PIECE_ENCODED_BYTES_MAX};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::roots::Roots;
use crate::talk::{ExitCode, Failure};

/// Longest time to reach a node.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time of a whole exchange; a long-poll may wait for [`WAIT_MAX_SECONDS`] of it.
const CALL_TIMEOUT: Duration = Duration::from_secs(WAIT_MAX_SECONDS + 30);
/// How long a node that says "too many requests" is obeyed before another is asked.
const OBEYED: Duration = Duration::from_secs(30);
/// Longest rest for which it may ask at once.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(10);
/// Rest where it does not say how long.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);
/// Most milliseconds by which those who were told to rest come back apart.
const SPREAD_MS: u64 = 250;
/// HTTP: too many requests.
const TOO_MANY: u16 = 429;
/// Longest wait for a node's diagnosis.
const DIAGNOSIS_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer with evidence of many licences.
const EVIDENCE_MANY_BYTES_MAX: usize = 8 << 20;
/// Longest answer in JSON where nothing else is said. Bytes travel as base64url, a third longer.
const JSON_BYTES_MAX: usize = 1 << 20;
/// Longest portion of a queue: a node gives 4 MiB at once, and one envelope more would not hurt.
const MAIL_QUEUE_BYTES_MAX: usize = 8 << 20;
/// A node's word for a request without answer.
const NO_ANSWER_YET: &str = "no_answer_yet";
const OCTETS: &str = "application/octet-stream";

/// Why a node gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// No node is known.
    #[error("no node is named")]
    Unnamed,
    /// No connection, or it broke off.
    #[error("{url}: {cause}")]
    Unreachable {
        /// Which node.
        url: String,
        /// Why.
        cause: String,
    },
    /// Its certificate is not of an authority that is known here, or not for this name or time.
    #[error("{url}: {cause}")]
    Untrusted {
        /// Which node.
        url: String,
        /// Why.
        cause: String,
    },
    /// It answers with something else than the API has.
    #[error("{url}: {cause}")]
    Malformed {
        /// Which node.
        url: String,
        /// What is wrong.
        cause: String,
    },
    /// It does not have what was asked for.
    #[error("{url}: {detail}")]
    NotFound {
        /// Which node.
        url: String,
        /// Stable code.
        code: String,
        /// Its words.
        detail: String,
    },
    /// It is overloaded or not ready: another may answer.
    #[error("{url}: {detail}")]
    Busy {
        /// Which node.
        url: String,
        /// Stable code.
        code: String,
        /// Its words.
        detail: String,
    },
    /// It refused what was sent.
    #[error("{url}: {detail}")]
    Refused {
        /// Which node.
        url: String,
        /// Stable code.
        code: String,
        /// Its words.
        detail: String,
    },
}

impl NodeError {
    /// Whether another node may do better.
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Untrusted { .. } | Self::Malformed { .. } | Self::Busy { .. })
    }
    /// The failure of a command.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Unnamed => Failure::of(ExitCode::Usage, "no_node", &[]),
            Self::Unreachable { url, cause } => {
                Failure::of(ExitCode::Unreachable, "unreachable", &[("url", url), ("cause", cause)])
            }
            Self::Untrusted { url, cause } => {
                Failure::of(ExitCode::Unreachable, "node_untrusted", &[("url", url), ("cause", cause)])
            }
            Self::Malformed { url, cause } => {
                Failure::of(ExitCode::Unreachable, "node_malformed", &[("url", url), ("cause", cause)])
            }
            Self::Busy { code, .. } => Failure::reported(ExitCode::Unreachable, code, self),
            Self::NotFound { code, .. } | Self::Refused { code, .. } => {
                Failure::reported(ExitCode::Refused, code, self)
            }
        }
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        error.failure()
    }
}

/// One node.
#[derive(Debug, Clone)]
pub struct NodeClient {
    url: String,
    agent: ureq::Agent,
}

impl NodeClient {
    /// A node by its URL; nothing is sent yet.
    pub fn new(url: &str) -> Self {
        Self::with_roots(url, &Roots::default())
    }
    /// The same, whose certificate is checked against these authorities.
    pub fn with_roots(url: &str, roots: &Roots) -> Self {
        let url = url.trim().trim_end_matches('/').to_owned();
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(CALL_TIMEOUT))
            .http_status_as_error(false)
            .tls_config(roots.tls())
            // A redirect would send what is asked for to whomever a node names.
            .max_redirects(0)
            .max_redirects_will_error(true);
        // No proxy can reach this machine's own loopback.
        let config = if is_loopback(&url) { config.proxy(None) } else { config };
        Self { url, agent: config.build().into() }
    }
    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The genesis file.
    pub fn genesis(&self) -> Result<Vec<u8>, NodeError> {
        self.get("/v1/genesis", GENESIS_BYTES_MAX)
    }
    /// Hand-overs after a height, and the newest header.
    pub fn trust(&self, from: Height) -> Result<TrustAnswer, NodeError> {
        self.get_json(&format!("/v1/trust?from={from}"), 3 * HAND_OVER_BYTES_MAX)
    }
    /// Hands a transaction in.
    pub fn submit(&self, transaction: &[u8]) -> Result<TransactionStatus, NodeError> {
        self.post("/v1/transactions", OCTETS, transaction, JSON_BYTES_MAX)
    }
    /// State of a transaction; waits for a final one for at most so many seconds.
    pub fn transaction(&self, id: &TransactionId, wait_seconds: u64) -> Result<TransactionStatus, NodeError> {
        let wait = wait_seconds.min(WAIT_MAX_SECONDS);
        self.get_json(&format!("/v1/transactions/{id}?wait={wait}"), JSON_BYTES_MAX)
    }
    /// Evidence of one licence.
    pub fn evidence(&self, batch: LogIndex, digest: &LicenceDigest) -> Result<EvidenceAnswer, NodeError> {
        self.get_json(&format!("/v1/evidence/{batch}/{digest}"), 2 * EVIDENCE_BYTES_MAX)
    }
    /// Evidence of several licences.
    pub fn evidence_many(&self, question: &EvidenceMany) -> Result<EvidenceManyAnswer, NodeError> {
        self.post_json("/v1/evidence", question, EVIDENCE_MANY_BYTES_MAX)
    }

    /// A bureau.
    pub fn bureau(&self, uscc: &Uscc) -> Result<LeafAnswer, NodeError> {
        self.leaf(&format!("/v1/registry/bureaus/{uscc}"))
    }
    /// A key of a bureau.
    pub fn key(&self, uscc: &Uscc, key: KeyId) -> Result<LeafAnswer, NodeError> {
        self.leaf(&format!("/v1/registry/keys/{uscc}/{key}"))
    }
    /// A version of a licence type.
    pub fn licence_type(&self, code: &TypeCode, version: TypeVersion) -> Result<LeafAnswer, NodeError> {
        self.leaf(&format!("/v1/registry/types/{code}/{version}"))
    }
    /// A right to issue.
    pub fn accreditation(&self, issuer: &Uscc, code: &TypeCode) -> Result<LeafAnswer, NodeError> {
        self.leaf(&format!("/v1/registry/accreditations/{issuer}/{code}"))
    }
    /// A relying party.
    pub fn relying_party(&self, uscc: &Uscc) -> Result<LeafAnswer, NodeError> {
        self.leaf(&format!("/v1/registry/relying-parties/{uscc}"))
    }
    /// A purpose.
    pub fn purpose(&self, code: &str) -> Result<LeafAnswer, NodeError> {
        self.leaf(&format!("/v1/registry/purposes/{}", percent(code)))
    }
    /// All service items.
    pub fn items(&self) -> Result<LeafAnswer, NodeError> {
        self.leaf("/v1/registry/items")
    }
    /// A version of a service item.
    pub fn item(&self, code: &str, version: ItemVersion) -> Result<LeafAnswer, NodeError> {
        self.leaf(&format!("/v1/registry/items/{}/{version}", percent(code)))
    }
    /// The bureaus that vote.
    pub fn membership(&self) -> Result<LeafAnswer, NodeError> {
        self.leaf("/v1/registry/membership")
    }
    /// The chain's parameters.
    pub fn parameters(&self) -> Result<LeafAnswer, NodeError> {
        self.leaf("/v1/registry/parameters")
    }
    /// History of a licence.
    pub fn licence_status(&self, issuer: &Uscc, digest: &LicenceDigest) -> Result<LeafAnswer, NodeError> {
        self.leaf(&format!("/v1/status/licences/{issuer}/{digest}"))
    }
    /// History of a batch.
    pub fn batch_status(&self, issuer: &Uscc, batch: LogIndex) -> Result<LeafAnswer, NodeError> {
        self.leaf(&format!("/v1/status/batches/{issuer}/{batch}"))
    }
    /// The text of a schema; refused unless it has this digest.
    pub fn schema(&self, digest: &Hash) -> Result<String, NodeError> {
        let bytes = self.get(&format!("/v1/schemas/{digest}"), SCHEMA_BYTES_MAX)?;
        let text = String::from_utf8(bytes).map_err(|error| self.malformed(error))?;
        if kanhe_proto::genesis::schema_digest(&text) == *digest {
            Ok(text)
        } else {
            Err(self.malformed("a schema of another digest"))
        }
    }
    /// A certified header; none: the newest.
    pub fn header(&self, height: Option<Height>) -> Result<HeaderAnswer, NodeError> {
        let which = height.map_or_else(|| "newest".to_owned(), |height| height.to_string());
        self.get_json(&format!("/v1/headers/{which}"), JSON_BYTES_MAX)
    }
    /// A record of the log.
    pub fn record(&self, index: LogIndex) -> Result<BatchAnswer, NodeError> {
        self.get_json(&format!("/v1/records/{index}"), 2 * RECORD_BYTES_MAX + JSON_BYTES_MAX)
    }
    /// The log when it had so many records, and how it has grown since an earlier size.
    pub fn log(&self, size: u64, old: Option<u64>) -> Result<LogAnswer, NodeError> {
        let old = old.map(|old| format!("?old={old}")).unwrap_or_default();
        self.get_json(&format!("/v1/log/{size}{old}"), JSON_BYTES_MAX)
    }
    /// Records of a complete subtree of the log when it had so many records.
    pub fn log_records(&self, size: u64, span: Span) -> Result<Content, NodeError> {
        let Span { level, index } = span;
        let bytes = self.get(&format!("/v1/log/{size}/{level}/{index}"), PIECE_ENCODED_BYTES_MAX)?;
        Content::from_bytes(&bytes).map_err(|error| self.malformed(error))
    }
    /// Hands a sealed request on to its issuer.
    pub fn send_mail(&self, request: &[u8]) -> Result<MailReceipt, NodeError> {
        self.post("/v1/mail", OCTETS, request, JSON_BYTES_MAX)
    }
    /// The sealed answer to a request, if there is one within so many seconds.
    pub fn mail_answer(&self, id: &MailId, issuer: &Uscc, wait_seconds: u64) -> Result<Option<Vec<u8>>, NodeError> {
        let wait = wait_seconds.min(WAIT_MAX_SECONDS);
        match self.get(&format!("/v1/mail/{id}?issuer={issuer}&wait={wait}"), MAIL_BYTES_MAX) {
            Ok(answer) => Ok(Some(answer)),
            Err(NodeError::NotFound { code, .. }) if code == NO_ANSWER_YET => Ok(None),
            Err(error) => Err(error),
        }
    }
    /// A challenge for the issuer to sign.
    pub fn mail_challenge(&self) -> Result<[u8; 32], NodeError> {
        let answer: MailChallenge = self.post("/v1/mail/challenge", OCTETS, b"", JSON_BYTES_MAX)?;
        answer.challenge[..].try_into().map_err(|_| self.malformed("a challenge has 32 bytes"))
    }
    /// Requests that wait for the issuer who proves itself.
    pub fn mail_queue(&self, proof: &[u8], wait_seconds: u64) -> Result<MailQueue, NodeError> {
        let wait = wait_seconds.min(WAIT_MAX_SECONDS);
        self.post(&format!("/v1/mail/queue?wait={wait}"), OCTETS, proof, MAIL_QUEUE_BYTES_MAX)
    }
    /// Answers of the issuer.
    pub fn mail_answers(&self, answers: &MailAnswers) -> Result<(), NodeError> {
        let body = serde_json::to_vec(answers).map_err(|error| self.malformed(error))?;
        self.sent("/v1/mail/answers", "application/json", &body, JSON_BYTES_MAX).map(drop)
    }
    /// How the node does: its own word.
    pub fn status(&self) -> Result<NodeStatus, NodeError> {
        self.get_json("/v1/status", JSON_BYTES_MAX)
    }

    /// What the node sees of the chain and of itself: its own word.
    pub fn diagnosis(&self) -> Result<Diagnosis, NodeError> {
        let path = self.address("/v1/diagnosis");
        // A node that hangs must not hold up the others.
        let asked = self.agent.get(path).config().timeout_global(Some(DIAGNOSIS_TIMEOUT)).build();
        let answer: DiagnosisAnswer = self.read_json(&self.answer(asked.call(), JSON_BYTES_MAX)?)?;
        Ok(answer.diagnosis)
    }

    fn leaf(&self, path: &str) -> Result<LeafAnswer, NodeError> {
        self.get_json(path, JSON_BYTES_MAX)
    }

    /// GET of bytes.
    pub fn get(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, NodeError> {
        self.exchange(bytes_max, || self.agent.get(self.address(path)).call())
    }
    /// GET of JSON.
    pub fn get_json<T: DeserializeOwned>(&self, path: &str, bytes_max: usize) -> Result<T, NodeError> {
        self.read_json(&self.get(path, bytes_max)?)
    }
    /// POST of bytes, answered by JSON.
    pub fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        content_type: &str,
        body: &[u8],
        bytes_max: usize,
    ) -> Result<T, NodeError> {
        self.read_json(&self.sent(path, content_type, body, bytes_max)?)
    }
    /// POST of JSON, answered by JSON.
    pub fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        bytes_max: usize,
    ) -> Result<T, NodeError> {
        let body = serde_json::to_vec(body).map_err(|error| self.malformed(error))?;
        self.post(path, "application/json", &body, bytes_max)
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// POST of bytes, answered by bytes.
    fn sent(&self, path: &str, content_type: &str, body: &[u8], bytes_max: usize) -> Result<Vec<u8>, NodeError> {
        self.exchange(bytes_max, || self.agent.post(self.address(path)).content_type(content_type).send(body))
    }

    /// Asks, and once more whenever the node says that this is too often: it has done nothing then. After a while its word is
    /// an answer like any other.
    fn exchange(
        &self,
        bytes_max: usize,
        ask: impl Fn() -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Vec<u8>, NodeError> {
        let began = Instant::now();
        loop {
            let answer = ask();
            let rest = answer.as_ref().ok().and_then(rest_of);
            match rest.filter(|rest| began.elapsed() + *rest <= OBEYED) {
                Some(rest) => std::thread::sleep(rest + spread()),
                None => return self.answer(answer, bytes_max),
            }
        }
    }

    fn answer(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
        bytes_max: usize,
    ) -> Result<Vec<u8>, NodeError> {
        let unreachable = |error: ureq::Error| self.unreached(&error);
        let mut answer = answer.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let success = answer.status().is_success();
        let limit = if success { bytes_max } else { JSON_BYTES_MAX };
        let body = answer.body_mut().with_config().limit(limit as u64).read_to_vec();
        let body = body.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => self.malformed(error),
            other => unreachable(other),
        })?;
        if success { Ok(body) } else { Err(self.problem(status, &body)) }
    }

    fn unreached(&self, error: &ureq::Error) -> NodeError {
        let (url, cause) = (self.url.clone(), error.to_string());
        // The library gives what rustls says as text of one kind or the other.
        let refused = match error {
            ureq::Error::Rustls(_) => true,
            ureq::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
            _ => false,
        };
        if refused && cause.contains("certificate") {
            NodeError::Untrusted { url, cause }
        } else {
            NodeError::Unreachable { url, cause }
        }
    }

    fn problem(&self, status: u16, body: &[u8]) -> NodeError {
        let url = self.url.clone();
        let (code, detail) = match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => (problem.code, problem.detail),
            Err(_) if status < 500 && status != 404 => return self.malformed(format_args!("HTTP {status}")),
            Err(_) => (format!("http_{status}"), format!("HTTP {status}")),
        };
        match status {
            404 => NodeError::NotFound { url, code, detail },
            408 | 429 | 500.. => NodeError::Busy { url, code, detail },
            _ => NodeError::Refused { url, code, detail },
        }
    }

    fn read_json<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, NodeError> {
        serde_json::from_slice(bytes).map_err(|error| self.malformed(error))
    }

    /// An answer that cannot be.
    pub fn malformed(&self, cause: impl Display) -> NodeError {
        NodeError::Malformed { url: self.url.clone(), cause: cause.to_string() }
    }
}

/// How long to rest, if the answer is that this is too often.
fn rest_of(answer: &ureq::http::Response<ureq::Body>) -> Option<Duration> {
    if answer.status().as_u16() != TOO_MANY {
        return None;
    }
    let said = answer.headers().get("retry-after").and_then(|said| said.to_str().ok()?.trim().parse().ok());
    Some(said.map_or(RETRY_AFTER_DEFAULT, Duration::from_secs).min(RETRY_AFTER_MAX))
}

/// Those who were told to rest do not all come back at once.
fn spread() -> Duration {
    let [drawn] = crate::clock::random::<1>().unwrap_or_default();
    Duration::from_millis(u64::from(drawn) * SPREAD_MS / 255)
}

fn is_loopback(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    ["127.", "localhost", "[::1]"].iter().any(|loopback| host.starts_with(loopback))
}

/// A path segment: all but letters, digits and `-._~` escaped.
fn percent(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_keep_the_code_of_the_chain() {
        let node = NodeClient::new("http://127.0.0.1:1/");
        assert_eq!(node.url(), "http://127.0.0.1:1");
        let body = br#"{"type":"urn:kanhe:problem:not_accredited","title":"t","status":422,"code":"not_accredited","detail":"d"}"#;
        let failure = node.problem(422, body).failure();
        assert_eq!((failure.exit, failure.code.as_str()), (ExitCode::Refused, "not_accredited"));
        assert!(matches!(node.problem(404, body), NodeError::NotFound { .. }));
        assert!(node.problem(503, b"").is_local() && node.problem(400, b"<html>").is_local());
    }

    #[test]
    fn nobody_there_is_unreachable() {
        let failure = NodeClient::new("http://127.0.0.1:1").status().unwrap_err().failure();
        assert_eq!(failure.exit, ExitCode::Unreachable);
    }

    /// A node that answers one connection after another with these, then nobody.
    fn says(answers: &'static [&'static str]) -> (NodeClient, std::thread::JoinHandle<usize>) {
        use std::io::{Read as _, Write as _};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let node = NodeClient::new(&format!("http://{}", listener.local_addr().unwrap()));
        let serving = std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
            answers.len()
        });
        (node, serving)
    }

    const TOO_OFTEN: &str =
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

    #[test]
    fn a_node_that_asks_for_a_rest_gets_it_and_the_same_question_again() {
        const DONE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
        let (node, serving) = says(&[TOO_OFTEN, TOO_OFTEN, DONE]);
        assert_eq!(node.get("/v1/genesis", 9).unwrap(), b"ok");
        assert_eq!(serving.join().unwrap(), 3);
    }

    #[test]
    fn who_asks_for_too_long_a_rest_is_passed_over() {
        let told = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 86400\r\ncontent-length: 0\r\n\r\n";
        let read = |text: &str| {
            let mut answer = ureq::http::Response::builder().status(429);
            if let Some(after) = text.split("retry-after: ").nth(1) {
                answer = answer.header("retry-after", after.split('\r').next().unwrap());
            }
            rest_of(&answer.body(ureq::Body::builder().data("")).unwrap())
        };
        assert_eq!(read(told), Some(RETRY_AFTER_MAX));
        assert_eq!(read(TOO_OFTEN), Some(Duration::ZERO));
        assert_eq!(read("HTTP/1.1 429"), Some(RETRY_AFTER_DEFAULT));
        let fine = ureq::http::Response::builder().status(503).header("retry-after", "1");
        assert_eq!(rest_of(&fine.body(ureq::Body::builder().data("")).unwrap()), None, "another node may do better");
        assert!((0..99).all(|_| spread() <= Duration::from_millis(SPREAD_MS)));
    }

    #[test]
    fn paths_hold_any_code() {
        assert_eq!(percent("loan-check"), "loan-check");
        assert_eq!(percent("a/b 贷"), "a%2Fb%20%E8%B4%B7");
    }
}

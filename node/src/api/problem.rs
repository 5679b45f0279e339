//! Errors as RFC 9457 problems with stable codes.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kanhe_proto::api::{CertifiedBytes, Problem, RecordBytes};

use crate::chain::ChainError;

/// After so long it may be worth asking again: an address has new requests every second, and a block makes room.
const RETRY_AFTER_SECONDS: &str = "1";

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    /// What proves that the chain has no such thing.
    certified: Option<Box<CertifiedBytes>>,
    record: Option<Box<RecordBytes>>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, title, detail: detail.into(), certified: None, record: None }
    }
    /// A part of the path, the query or the body is not what it should be.
    pub fn malformed(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "Malformed request", detail)
    }
    /// This node has no such thing: its word.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", detail)
    }
    /// The chain has no such thing, as its newest header proves.
    pub fn absent(detail: impl Into<String>, newest: CertifiedBytes) -> Self {
        Self { certified: Some(Box::new(newest)), ..Self::not_found(detail) }
    }
    /// With the record that the log has in its place.
    pub fn instead(self, record: RecordBytes) -> Self {
        Self { record: Some(Box::new(record)), ..self }
    }
    /// No answer is here yet.
    pub fn no_answer() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_answer_yet", "No answer yet", "the issuer has not answered this yet")
    }
    /// The path is none of the API's.
    pub fn unknown_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown_route", "Unknown route", "see /v1/openapi.json")
    }
    /// The path does not know this method.
    pub fn unknown_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "unknown_method",
            "Unknown method",
            "the path exists, this method does not",
        )
    }
    /// More bytes than are taken.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Too large", detail)
    }
    /// The chain's rules refuse it.
    pub fn refused(code: &'static str) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            code,
            "Refused by the chain",
            format!("the rules of the chain refuse this transaction: {code}"),
        )
    }
    /// Whoever asks may not.
    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, "Not allowed", detail)
    }
    /// An address asks too often.
    pub fn rate_limited() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            "Too many requests",
            "this address asks more often than the node allows",
        )
    }
    /// A bureau has more waiting than its share.
    pub fn over_quota() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "over_quota",
            "Over quota",
            "the sender's share of the pool is used up: wait for a block",
        )
    }
    /// No room now.
    pub fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy", detail)
    }
    /// All the room for case files is taken.
    pub fn case_files_full() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "case_files_full",
            "No room",
            "this node has no room for more case files now: give them to another",
        )
    }
    /// All the room is taken that a case has before the chain commits to its files.
    pub fn case_files_case_full() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "case_files_case_full",
            "No room",
            "this node keeps no more files of this case before the chain commits to them: give them to another",
        )
    }
    /// Too many say that they wrote a file.
    pub fn case_files_authors() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "case_files_authors",
            "Too many authors",
            "others gave this node files of this commitment, and the chain does not say yet whose it is",
        )
    }
    /// This node sends no transactions for others.
    pub fn no_sponsor() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no_sponsor",
            "No sponsor",
            "this node has no key of a member to send acts with: give them to another",
        )
    }
    /// Nothing can be proved before the first block.
    pub fn nothing_certified() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "nothing_certified",
            "Nothing certified yet",
            "the chain has only genesis, under which nothing can be proved",
        )
    }
    /// It took too long.
    pub fn timeout() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", "Timeout", "the request took too long")
    }
    /// Something of this node failed; its operator sees what.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", "see the log of the node")
    }
    /// Its stable code.
    pub const fn code(&self) -> &'static str {
        self.code
    }
}

impl From<ChainError> for ApiError {
    fn from(error: ChainError) -> Self {
        tracing::error!(error = ?error, "the chain cannot be read");
        Self::internal()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = Problem {
            certified: self.certified,
            record: self.record,
            ..Problem::new(self.status.as_u16(), self.code, self.title, self.detail)
        };
        let body = serde_json::to_vec(&problem).expect("texts and a number are JSON");
        let mut answer = (self.status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_told_to_wait_is_told_how_long() {
        for error in [ApiError::rate_limited(), ApiError::over_quota(), ApiError::busy("now")] {
            let answer = error.clone().into_response();
            assert_eq!(answer.headers().get(header::RETRY_AFTER).unwrap(), "1", "{error:?}");
        }
        assert!(ApiError::unknown_route().into_response().headers().get(header::RETRY_AFTER).is_none());
    }
}

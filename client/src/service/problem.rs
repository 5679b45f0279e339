//! Failures as RFC 9457 problems. Their codes are those of the command, and a few of the door.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kanhe_proto::api::Problem;

use crate::talk::{ExitCode, Failure, say};

/// Why there is no answer.
#[derive(Debug, Clone)]
pub struct Refused {
    status: StatusCode,
    code: String,
    detail: String,
}

impl Refused {
    /// What a message of the catalogue explains.
    pub fn of(status: StatusCode, code: &str) -> Self {
        Self { status, code: code.to_owned(), detail: say(&format!("service.{code}"), &[]) }
    }
    /// A body that is not what the route takes.
    pub fn body(cause: impl std::fmt::Display) -> Self {
        let detail = say("service.body_malformed", &[("cause", &cause)]);
        Self { status: StatusCode::BAD_REQUEST, code: "body_malformed".to_owned(), detail }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        let status = match (failure.code.as_str(), failure.exit) {
            ("request_not_own", _) => StatusCode::NOT_FOUND,
            ("receipt_late", _) => StatusCode::CONFLICT,
            // Nothing may be judged under trust that is gone or too old.
            ("conflict" | "trust_stale" | "not_pinned", _) => StatusCode::SERVICE_UNAVAILABLE,
            (_, ExitCode::Usage) => StatusCode::BAD_REQUEST,
            (_, ExitCode::Unreachable) => StatusCode::BAD_GATEWAY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let detail = match failure.hint {
            Some(hint) => format!("{}; {hint}", failure.message),
            None => failure.message,
        };
        Self { status, code: failure.code, detail }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let problem = Problem::new(self.status.as_u16(), &self.code, title, self.detail);
        let body = serde_json::to_vec(&problem).expect("strings always serialise");
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

//! Reading what is sent, and writing bytes.

use std::str::FromStr;

use axum::extract::FromRequest;
use axum::extract::rejection::BytesRejection;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use kanhe_proto::bounded::Blob;
use serde::de::DeserializeOwned;

use super::problem::ApiError;

/// The bytes of a body within the route's limit.
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, ApiError> {
        match Bytes::from_request(request, state).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(BytesRejection::FailedToBufferBody(failed))
                if failed.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE =>
            {
                Err(ApiError::too_large("the body is longer than this route takes"))
            }
            Err(_) => Err(ApiError::malformed("malformed_body", "the body could not be read")),
        }
    }
}

impl Body {
    /// Reads JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.0).map_err(|error| ApiError::malformed("malformed_body", error.to_string()))
    }
}

/// A query string. Unknown keys are refused by its type.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> axum::extract::FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(ApiError::malformed("malformed_query", rejection.body_text())),
        }
    }
}

/// Parts of a path, as texts.
pub struct Segments<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> axum::extract::FromRequestParts<S> for Segments<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Self(path)),
            Err(rejection) => Err(ApiError::malformed("malformed_path", rejection.body_text())),
        }
    }
}

/// Reads one part of a path.
pub fn parse<T: FromStr<Err: std::fmt::Display>>(what: &'static str, text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|error| ApiError::malformed("malformed_path", format!("{what}: {error}")))
}

/// An answer of bytes.
pub fn octets(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response()
}

/// What the codec bounds already, in a JSON answer.
pub fn blob<const MAX: usize>(bytes: Vec<u8>) -> Result<Blob<MAX>, ApiError> {
    let len = bytes.len();
    Blob::new(bytes).map_err(|_| {
        tracing::error!(len, max = MAX, "an answer is longer than the API allows");
        ApiError::internal()
    })
}

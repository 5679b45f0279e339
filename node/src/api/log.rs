//! The log of records as it was at any size: all records between two headers, with what proves that none is missing.

use std::sync::Arc;

use axum::Json;
use axum::extract;
use axum::response::Response;
use kanhe_proto::api::{LogAnswer, Problem};
use kanhe_proto::codec;
use kanhe_proto::merkle::log::Span;
use kanhe_proto::snapshot::Content;
use serde::Deserialize;

use super::body::{Query, Segments, blob, octets, parse};
use super::problem::ApiError;
use super::state::{self, State};

type Shared = extract::State<Arc<State>>;

/// From where on it is shown to have grown.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OldQuery {
    /// An earlier size.
    old: Option<u64>,
}

/// The log when it had so many records. A header commits to that number and to the root.
#[utoipa::path(
    get, path = "/v1/log/{size}", tag = "blocks", params(("size" = u64, Path), OldQuery),
    responses(
        (status = 200, body = LogAnswer),
        (status = 400, description = "`old` is above `size`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The log is shorter", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn at_size(
    extract::State(state): Shared,
    Segments(size): Segments<String>,
    Query(query): Query<OldQuery>,
) -> Result<Json<LogAnswer>, ApiError> {
    let size: u64 = parse("size", &size)?;
    if query.old.is_some_and(|old| old > size) {
        return Err(ApiError::malformed("malformed_query", "old: above size"));
    }
    let answer = state.read(move |_, snapshot| {
        let shorter = || state::absent(snapshot, format!("the log has no {size} records"));
        let frontier = snapshot.log_frontier(size)?.ok_or_else(shorter)?;
        let consistency = match query.old {
            Some(old) => {
                let proof = snapshot.past_consistency(old, size)?.ok_or_else(shorter)?;
                Some(blob(codec::encode(&proof))?)
            }
            None => None,
        };
        Ok(LogAnswer { frontier: blob(codec::encode(&frontier))?, consistency })
    });
    answer.await.map(Json)
}

/// All records of a complete subtree of the log when it had so many records: 2^`level` of them from `index` · 2^`level` on, as
/// the encoding of a `snapshot::Content`: `Records`, or `TooLarge` where its halves are to be asked for.
#[utoipa::path(
    get, path = "/v1/log/{size}/{level}/{index}", tag = "blocks",
    params(("size" = u64, Path), ("level" = u8, Path), ("index" = u64, Path)),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, description = "The log has no such subtree", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn records(
    extract::State(state): Shared,
    Segments((size, level, index)): Segments<(String, String, String)>,
) -> Result<Response, ApiError> {
    let size: u64 = parse("size", &size)?;
    let span = Span { level: parse("level", &level)?, index: parse("index", &index)? };
    let answer = state.read(move |_, snapshot| match snapshot.log_span(size, span)? {
        Content::Gone => Err(state::absent(snapshot, format!("the log of {size} records has no such subtree"))),
        content => Ok(content.to_bytes()),
    });
    answer.await.map(octets)
}

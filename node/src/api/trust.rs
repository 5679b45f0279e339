//! What a light client starts from, and schemas.

use std::sync::Arc;

use axum::Json;
use axum::extract;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use kanhe_proto::api::{Problem, TrustAnswer};
use kanhe_proto::codec;
use kanhe_proto::hand_over::HandOver;
use kanhe_proto::hash::Hash;
use kanhe_proto::ids::Height;
use serde::Deserialize;

use super::body::{Query, Segments, blob, octets, parse};
use super::problem::ApiError;
use super::state::State;

/// Hand-overs of one answer.
const HAND_OVERS_MAX: usize = 32;

/// Where a light client stands.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrustQuery {
    /// Height of the newest header that it holds.
    #[serde(default)]
    pub from: u64,
}

/// The founders' file. Its hash is the chain id.
#[utoipa::path(
    get, path = "/v1/genesis", tag = "trust",
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"))
)]
pub async fn genesis(extract::State(state): extract::State<Arc<State>>) -> Result<Response, ApiError> {
    state.read(|_, snapshot| Ok(snapshot.genesis()?)).await.map(octets)
}

/// Hand-overs since a height, and the newest certified header.
/// At most 32 hand-overs come at once; then the newest header is that of the last one.
#[utoipa::path(
    get, path = "/v1/trust", tag = "trust", params(TrustQuery),
    responses((status = 200, body = TrustAnswer), (status = 400, body = Problem, content_type = "application/problem+json"))
)]
pub async fn trust(
    extract::State(state): extract::State<Arc<State>>,
    Query(query): Query<TrustQuery>,
) -> Result<Json<TrustAnswer>, ApiError> {
    let answer = state.read(move |_, snapshot| {
        let kept = snapshot.hand_overs(Height(query.from), HAND_OVERS_MAX)?;
        // Who has more to follow asks again from the last one, which is as far as the newest header can be believed.
        let newest = match kept.last().filter(|_| kept.len() == HAND_OVERS_MAX) {
            Some(last) => HandOver::from_bytes(last).ok().map(|hand_over| hand_over.certified),
            None => snapshot.certified().cloned(),
        };
        let newest = newest.map(|certified| blob(codec::encode(&certified))).transpose()?;
        let hand_overs = kept.into_iter().map(blob).collect::<Result<_, _>>()?;
        Ok(TrustAnswer { hand_overs, newest })
    });
    answer.await.map(Json)
}

/// A JSON Schema by its digest: the SHA-256 of the text.
#[utoipa::path(
    get, path = "/v1/schemas/{digest}", tag = "trust", params(("digest" = String, Path)),
    responses(
        (status = 200, body = String, content_type = "application/schema+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn schema(
    extract::State(state): extract::State<Arc<State>>,
    Segments(digest): Segments<String>,
) -> Result<Response, ApiError> {
    let digest: Hash = parse("digest", &digest)?;
    let text = state.read(move |_, snapshot| Ok(snapshot.schema(&digest)?)).await?;
    let text = text.ok_or_else(|| ApiError::not_found(format!("no schema has the digest {digest}")))?;
    Ok(([(header::CONTENT_TYPE, "application/schema+json")], text).into_response())
}

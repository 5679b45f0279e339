//! Consents and reads: what the chain has of them with its proofs, and acts of people who send no transactions themselves.

use std::sync::Arc;

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use kanhe_proto::api::{
    CASE_EVENTS_PAGE, ConsentAnswer, ConsentEventsAnswer, Problem, READS_PAGE, ReadsAnswer, TransactionStatus,
};
use kanhe_proto::codec;
use kanhe_proto::consent::ConsentPayload;
use kanhe_proto::hash::ConsentId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::transaction::Payload;
use serde::Deserialize;

use super::body::{Body, Query, Segments, blob, parse};
use super::history::{self, EventsQuery, Told};
use super::problem::ApiError;
use super::sponsor;
use super::state::{self, State};

type Shared = extract::State<Arc<State>>;

/// Whose reads, and from where on.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReadsQuery {
    /// USCC of the bureau that has the data.
    source: String,
    /// Number of the first read, counted from 0 for each source.
    #[serde(default)]
    from: u64,
}

/// A consent, or the proof that there is none now. It is there until 30 days after its last moment.
#[utoipa::path(
    get, path = "/v1/consents/{id}", tag = "consents", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The leaf or its proved absence", body = ConsentAnswer),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn one(
    extract::State(state): Shared,
    Segments(id): Segments<String>,
) -> Result<Json<ConsentAnswer>, ApiError> {
    let id: ConsentId = parse("consent id", &id)?;
    // Asked before the snapshot is taken: a withdrawal that has left the pool by then is in the leaf.
    let withdrawing = state.pool.is_withdrawing(&id);
    let answer = state.read(move |_, snapshot| {
        let leaf = blob(codec::encode(&snapshot.consent(&id)?.1))?;
        Ok(ConsentAnswer { certified: state::certified(snapshot)?, leaf, withdrawing })
    });
    answer.await.map(Json)
}

/// What happened to a consent, the newest first, at most 64 events in one answer: its grant, each read, its withdrawal.
#[utoipa::path(
    get, path = "/v1/consents/{id}/events", tag = "consents", params(("id" = String, Path), EventsQuery),
    responses(
        (status = 200, body = ConsentEventsAnswer),
        (status = 404, description = "`from` is no event of the consent", body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn events(
    extract::State(state): Shared,
    Segments(id): Segments<String>,
    Query(query): Query<EventsQuery>,
) -> Result<Json<ConsentEventsAnswer>, ApiError> {
    let id: ConsentId = parse("consent id", &id)?;
    let absent = "the log has no such event of this consent";
    let told = history::told(&state, query, absent, move |snapshot, from| {
        snapshot.consent_events(&id, from, CASE_EVENTS_PAGE)
    });
    let Told { certified, leaf, records: events, next } = told.await?;
    Ok(Json(ConsentEventsAnswer { certified, leaf, events, next }))
}

/// Reads that a source recorded, ascending by number, at most 128 in one answer. The leaf says how many there are, so none
/// can be left out; whose data was read, only those concerned can tell.
#[utoipa::path(
    get, path = "/v1/reads", tag = "consents", params(ReadsQuery),
    responses(
        (status = 200, body = ReadsAnswer),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn reads(
    extract::State(state): Shared,
    Query(query): Query<ReadsQuery>,
) -> Result<Json<ReadsAnswer>, ApiError> {
    let source: Uscc = parse("source", &query.source)?;
    let answer = state.read(move |_, snapshot| {
        let found = snapshot.reads_of(&source, query.from, READS_PAGE)?;
        let (leaf, reads) = (blob(codec::encode(&found.leaf))?, history::encoded(&found.records)?);
        Ok(ReadsAnswer { certified: state::certified(snapshot)?, leaf, reads, next: found.next })
    });
    answer.await.map(Json)
}

/// Hands in signed acts, all or none; this node makes the transaction. Acts that only withdraw count on nobody's quota, and
/// the same withdrawal again is the transaction that waits already.
#[utoipa::path(
    post, path = "/v1/consents/acts", tag = "consents",
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "A `ConsentPayload`"),
    responses(
        (status = 202, description = "Its transaction waits, or is known already", body = TransactionStatus),
        (status = 400, description = "No acts", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too long", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Refused by the chain: `code` says why", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Over quota or rate", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No room now, or `no_sponsor`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn acts(
    extract::State(state): Shared,
    Body(body): Body,
) -> Result<(StatusCode, Json<TransactionStatus>), ApiError> {
    let payload = ConsentPayload::from_bytes(&body)
        .map_err(|error| ApiError::malformed("malformed_body", format!("not acts on consents: {error}")))?;
    let status = sponsor::send(&state, &body, &Payload::Consent(payload)).await?;
    Ok((StatusCode::ACCEPTED, Json(status)))
}

//! Handing in transactions, and where they stand.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use bytes::Bytes;
use kanhe_proto::api::{Problem, TransactionState as Told, TransactionStatus, WAIT_MAX_SECONDS};
use kanhe_proto::codec;
use kanhe_proto::hash::TransactionId;
use kanhe_proto::ids::Height;
use serde::Deserialize;

use super::body::{Body, Query, Segments, blob, parse};
use super::problem::ApiError;
use super::state::{self, State};
use crate::chain::Snapshot;
use crate::ledger::Code;
use crate::mempool::{Full, Submission, TransactionState};

/// How long to wait.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WaitQuery {
    /// Seconds to wait for a final state, at most 30.
    #[serde(default)]
    pub wait: u64,
}

/// Hands in a transaction in its canonical encoding.
#[utoipa::path(
    post, path = "/v1/transactions", tag = "transactions",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 202, description = "It waits, or is known already", body = TransactionStatus),
        (status = 400, description = "Not a transaction", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too long", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Refused by the chain: `code` says why", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Over quota or rate", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No room now", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn submit(
    extract::State(state): extract::State<Arc<State>>,
    body: Body,
) -> Result<(StatusCode, Json<TransactionStatus>), ApiError> {
    let Body(bytes) = body;
    Ok((StatusCode::ACCEPTED, Json(hand_in(&state, bytes).await?)))
}

/// Gives a transaction to the pool and to peers.
pub(super) async fn hand_in(state: &Arc<State>, bytes: Bytes) -> Result<TransactionStatus, ApiError> {
    let status = match state.pool.submit(bytes.clone()).await {
        Submission::Accepted(id) => {
            if state.network.publish(bytes).is_err() {
                // It still waits here, and this node proposes in its turn.
                tracing::warn!(%id, "not passed on to peers: too many wait to be sent");
            }
            unproven(id, Told::Pending, None)
        }
        Submission::Known { id, state: known, .. } => told(state, id, known).await?,
        Submission::Refused { code, .. } | Submission::WrongSignature { code, .. } => {
            return Err(ApiError::refused(code.as_str()));
        }
        Submission::Malformed(error) => return Err(ApiError::malformed("malformed", error.to_string())),
        Submission::Full { what: Full::Sponsor, .. } => return Err(ApiError::over_quota()),
        Submission::Full { what: Full::Pool, .. } => return Err(ApiError::busy("the pool is full: wait for a block")),
        Submission::Busy => return Err(ApiError::busy("too many transactions are being checked")),
    };
    Ok(status)
}

/// Where a transaction stands now.
pub(super) async fn status_of(state: &Arc<State>, id: TransactionId) -> Result<TransactionStatus, ApiError> {
    told(state, id, state.pool.state(&id)).await
}

/// Where a transaction stands; `committed` is proved, all else is the node's word.
#[utoipa::path(
    get, path = "/v1/transactions/{id}", tag = "transactions",
    params(("id" = String, Path, description = "Its id, hexadecimal"), WaitQuery),
    responses(
        (status = 200, body = TransactionStatus),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn transaction(
    extract::State(state): extract::State<Arc<State>>,
    Segments(id): Segments<String>,
    Query(query): Query<WaitQuery>,
) -> Result<Json<TransactionStatus>, ApiError> {
    let id: TransactionId = parse("transaction id", &id)?;
    let wait = Duration::from_secs(query.wait.min(WAIT_MAX_SECONDS));
    let known = if wait.is_zero() {
        state.pool.state(&id)
    } else {
        let mut stopped = state.stopped.clone();
        let settled = |known: &TransactionState<Code>| !known.is_open();
        tokio::select! {
            known = state.pool.wait(id, wait, settled) => {
                known.map_err(|_| ApiError::busy("too many callers wait for transactions"))?
            }
            _ = stopped.wait_for(|stopped| *stopped) => state.pool.state(&id),
        }
    };
    told(&state, id, known).await.map(Json)
}

fn unproven(id: TransactionId, state: Told, code: Option<String>) -> TransactionStatus {
    TransactionStatus { id, state, unproven: true, height: None, code, proof: None, batch: None }
}

async fn told(
    state: &Arc<State>,
    id: TransactionId,
    known: TransactionState<Code>,
) -> Result<TransactionStatus, ApiError> {
    Ok(match known {
        TransactionState::Pending => unproven(id, Told::Pending, None),
        TransactionState::Rejected { code } => unproven(id, Told::Rejected, Some(code.as_str().to_owned())),
        TransactionState::Expired => unproven(id, Told::Expired, None),
        TransactionState::Unknown => unproven(id, Told::Unknown, None),
        TransactionState::Committed { height } => {
            state.read(move |state, snapshot| committed(state, snapshot, id, height)).await?
        }
    })
}

fn committed(
    state: &State,
    snapshot: &Snapshot<'_>,
    id: TransactionId,
    height: Height,
) -> Result<TransactionStatus, ApiError> {
    let Some(found) = snapshot.transaction(&id)? else {
        tracing::error!(%id, %height, "a transaction that the pool calls committed is not in the chain");
        return Err(ApiError::internal());
    };
    let batch = state.batch_of(snapshot, found.height, found.position)?;
    Ok(TransactionStatus {
        id,
        state: Told::Committed,
        unproven: false,
        height: Some(found.height),
        code: None,
        proof: Some(blob(codec::encode(&found.proof))?),
        batch: batch.map(|index| state::record(snapshot, index)).transpose()?,
    })
}

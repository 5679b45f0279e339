//! Why the chain stands still, as this node sees it: its own word, for operators of all bureaus. Without the addresses and
//! error texts of this machine, which the admin socket tells.

use std::sync::Arc;

use axum::Json;
use axum::extract;
use kanhe_proto::api::Problem;
use kanhe_proto::diagnosis::{DiagnosisAnswer, why};

use super::problem::ApiError;
use super::state::State;

/// What this node sees of itself and of the others, and what follows from it.
#[utoipa::path(
    get, path = "/v1/diagnosis", tag = "node",
    responses(
        (status = 200, body = DiagnosisAnswer),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn diagnosis(extract::State(state): extract::State<Arc<State>>) -> Result<Json<DiagnosisAnswer>, ApiError> {
    let _permit = state.reads.acquire().await.map_err(|_| ApiError::internal())?;
    let diagnosis = Arc::clone(&state.diagnoser).diagnose().await?.for_strangers();
    let findings = why(&diagnosis);
    Ok(Json(DiagnosisAnswer { diagnosis, findings }))
}

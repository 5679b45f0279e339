//! Accounts of enterprises: leaves and acts with their proofs, and handing acts in.

use std::sync::Arc;

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use kanhe_proto::account::AccountPayload;
use kanhe_proto::api::{ACCOUNT_ACTS_PAGE, AccountActsAnswer, LeafAnswer, Problem, TransactionStatus};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::transaction::Payload;

use super::body::{Body, Query, Segments, parse};
use super::history::{self, EventsQuery, Told};
use super::problem::ApiError;
use super::sponsor;
use super::state::{self, State};

type Shared = extract::State<Arc<State>>;

/// The account of an enterprise, or the proof that there is none.
#[utoipa::path(
    get, path = "/v1/accounts/{uscc}", tag = "accounts", params(("uscc" = String, Path)),
    responses(
        (status = 200, description = "The leaf or its proved absence", body = LeafAnswer),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn one(
    extract::State(state): Shared,
    Segments(uscc): Segments<String>,
) -> Result<Json<LeafAnswer>, ApiError> {
    let uscc: Uscc = parse("USCC", &uscc)?;
    state.read(move |_, snapshot| state::leaf(snapshot, &snapshot.account(&uscc)?.1)).await.map(Json)
}

/// Acts on an account, the newest first, at most 64 in one answer.
#[utoipa::path(
    get, path = "/v1/accounts/{uscc}/acts", tag = "accounts", params(("uscc" = String, Path), EventsQuery),
    responses(
        (status = 200, body = AccountActsAnswer),
        (status = 404, description = "`from` is no act on the account", body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn history(
    extract::State(state): Shared,
    Segments(uscc): Segments<String>,
    Query(query): Query<EventsQuery>,
) -> Result<Json<AccountActsAnswer>, ApiError> {
    let uscc: Uscc = parse("USCC", &uscc)?;
    let absent = "the log has no such act on this account";
    let told = history::told(&state, query, absent, move |snapshot, from| {
        snapshot.account_acts(&uscc, from, ACCOUNT_ACTS_PAGE)
    });
    let Told { certified, leaf, records: acts, next } = told.await?;
    Ok(Json(AccountActsAnswer { certified, leaf, acts, next }))
}

/// Hands in signed acts on accounts, all or none; this node makes the transaction. The same acts again, while they are not
/// refused nor expired, are the same transaction.
#[utoipa::path(
    post, path = "/v1/accounts/acts", tag = "accounts",
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "An `AccountPayload`"),
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
    let payload = AccountPayload::from_bytes(&body)
        .map_err(|error| ApiError::malformed("malformed_body", format!("not acts on accounts: {error}")))?;
    let status = sponsor::send(&state, &body, &Payload::EnterpriseAccount(payload)).await?;
    Ok((StatusCode::ACCEPTED, Json(status)))
}

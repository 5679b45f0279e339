//! Sealed mail: holders send it through any node; the bureau's own node keeps it for the issuer's process.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use axum::response::Response as HttpResponse;
use bytes::Bytes;
use kanhe_proto::api::{MailAnswers, MailChallenge, MailQueue, MailReceipt, Problem, WAIT_MAX_SECONDS};
use kanhe_proto::bounded::Blob;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::mail::{MailId, MailRequest, QueueProof};
use kanhe_proto::registry::{KeyEntry, KeyRole};
use serde::Deserialize;

use super::body::{Body, Query, Segments, blob, octets, parse};
use super::post_office::{NotTaken, PostOffice};
use super::problem::ApiError;
use super::state::State;
use crate::network::{PeerId, Refusal, Request, RequestError, Response, peer_id};

/// Pause between two questions to another node while a caller waits.
const ASK_EVERY: Duration = Duration::from_millis(1_000);

/// Whose answer, and how long to wait for it.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AnswerQuery {
    /// The issuer that was asked; without one, the bureau of this node.
    issuer: Option<String>,
    /// Seconds to wait for an answer, at most 30.
    #[serde(default)]
    wait: u64,
}

/// How long to wait for mail.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QueueQuery {
    /// Seconds to wait for a request, at most 30.
    #[serde(default)]
    wait: u64,
}

fn not_taken(reason: NotTaken) -> ApiError {
    match reason {
        NotTaken::Full => ApiError::busy("no more mail is kept now"),
        NotTaken::Malformed => ApiError::malformed("mail_malformed", "not an envelope of this chain"),
        NotTaken::NotHere => ApiError::not_found("the mail is not of this node's bureau"),
    }
}

/// Nodes of a member, by the network keys that hold now.
async fn nodes_of(state: &Arc<State>, issuer: Uscc) -> Result<Vec<PeerId>, ApiError> {
    let own = state.network.local_peer();
    let found = state.read(move |_, snapshot| {
        let members = snapshot.members()?;
        let keys = members.nodes.get(&issuer).into_iter().flat_map(|nodes| &nodes.keys);
        Ok(keys.filter_map(|key| peer_id(key).ok()).filter(|peer| *peer != own).collect())
    });
    found.await
}

async fn ask(state: &Arc<State>, issuer: &Uscc, message: Bytes) -> Result<Bytes, ApiError> {
    let mut last = ApiError::not_found(format!("no node of {issuer} is known"));
    for peer in nodes_of(state, *issuer).await? {
        last = match state.network.request(peer, Request::DeliverMail(message.clone())).await {
            Ok(Response::Mail(mail)) => return Ok(mail),
            Ok(Response::Refused(Refusal::Malformed)) => not_taken(NotTaken::Malformed),
            Ok(Response::Refused(Refusal::NotHere)) => not_taken(NotTaken::NotHere),
            Err(RequestError::TooLong(_)) => ApiError::too_large("longer than any mail"),
            Ok(_) | Err(_) => ApiError::busy("the issuer's node does not answer now"),
        };
    }
    Err(last)
}

/// Sends a sealed request to its issuer, through the issuer's node.
#[utoipa::path(
    post, path = "/v1/mail", tag = "mail",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 202, body = MailReceipt),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No node of the issuer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No room, or not reachable", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn send(
    extract::State(state): extract::State<Arc<State>>,
    Body(bytes): Body,
) -> Result<(StatusCode, Json<MailReceipt>), ApiError> {
    let request = MailRequest::decode(&bytes, &state.genesis.chain_id());
    let request = request.map_err(|error| ApiError::malformed("mail_malformed", error.to_string()))?;
    if state.mail.bureau() == Some(request.issuer) {
        state.mail.keep(&bytes).map_err(not_taken)?;
    } else {
        ask(&state, &request.issuer, PostOffice::keep_message(&bytes)).await?;
    }
    Ok((StatusCode::ACCEPTED, Json(MailReceipt { unproven: true, id: request.id.to_string() })))
}

/// The sealed answer to a request.
#[utoipa::path(
    get, path = "/v1/mail/{id}", tag = "mail", params(("id" = String, Path), AnswerQuery),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, description = "`no_answer_yet`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn answer(
    extract::State(state): extract::State<Arc<State>>,
    Segments(id): Segments<String>,
    Query(query): Query<AnswerQuery>,
) -> Result<HttpResponse, ApiError> {
    let id: MailId = parse("mail id", &id)?;
    let issuer: Option<Uscc> = query.issuer.as_deref().map(|text| parse("issuer", text)).transpose()?;
    let wait = Duration::from_secs(query.wait.min(WAIT_MAX_SECONDS));
    let elsewhere = issuer.filter(|issuer| state.mail.bureau() != Some(*issuer));
    let mut news = state.mail.news();
    let found = async {
        loop {
            let mail = match &elsewhere {
                Some(issuer) => ask(&state, issuer, PostOffice::fetch_message(&id)).await?,
                None => state.mail.answer(&id).unwrap_or_default(),
            };
            if !mail.is_empty() || wait.is_zero() {
                return Ok(mail);
            }
            match elsewhere {
                Some(_) => tokio::time::sleep(ASK_EVERY).await,
                None => drop(news.changed().await),
            }
        }
    };
    let found: Option<Result<Bytes, ApiError>> =
        if wait.is_zero() { Some(found.await) } else { tokio::time::timeout(wait, found).await.ok() };
    let mail = found.transpose()?.unwrap_or_default();
    if mail.is_empty() { Err(ApiError::no_answer()) } else { Ok(octets(mail.to_vec())) }
}

/// A challenge for the issuer's process to sign.
#[utoipa::path(post, path = "/v1/mail/challenge", tag = "mail", responses((status = 200, body = MailChallenge)))]
pub async fn challenge(extract::State(state): extract::State<Arc<State>>) -> Result<Json<MailChallenge>, ApiError> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|_| ApiError::internal())?;
    state.mail.challenge(random);
    Ok(Json(MailChallenge { challenge: Blob::new(random).expect("32 of 32 bytes") }))
}

/// Checks that an issuing key of this node's bureau, valid now, answered an open challenge.
pub(super) async fn check(state: &Arc<State>, proof: &[u8]) -> Result<(), ApiError> {
    let refused = |code: &'static str, detail: String| ApiError::forbidden(code, detail);
    let proof = QueueProof::decode(proof).map_err(|error| ApiError::malformed(error.code(), error.to_string()))?;
    if state.mail.bureau() != Some(proof.issuer) {
        return Err(not_taken(NotTaken::NotHere));
    }
    if !state.mail.spend(&proof.challenge) {
        return Err(refused("queue_other_challenge", "the challenge is not open: ask for another".to_owned()));
    }
    let id = (proof.issuer, proof.key);
    let (entry, height) = state
        .read(move |_, snapshot| Ok((snapshot.registry::<KeyEntry>(&id)?.0, snapshot.tip().header.height)))
        .await?;
    let entry = entry.filter(|entry| {
        entry.role == KeyRole::Issuing && entry.intervals.hold_at(height) && entry.distrusted_from.is_none()
    });
    let entry = entry.ok_or_else(|| refused("queue_key", "not an issuing key of this bureau now".to_owned()))?;
    let challenge = proof.challenge;
    let verified = proof.verify(&state.genesis.chain_id(), &challenge, &entry.key);
    verified.map_err(|error| refused(error.code(), error.to_string()))
}

/// The requests that wait for the issuer. They stay until they are answered.
#[utoipa::path(
    post, path = "/v1/mail/queue", tag = "mail", params(QueueQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "A `QueueProof`"),
    responses(
        (status = 200, body = MailQueue),
        (status = 403, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn queue(
    extract::State(state): extract::State<Arc<State>>,
    Query(query): Query<QueueQuery>,
    Body(proof): Body,
) -> Result<Json<MailQueue>, ApiError> {
    check(&state, &proof).await?;
    let wait = Duration::from_secs(query.wait.min(WAIT_MAX_SECONDS));
    let mut news = state.mail.news();
    let arrived = async { while state.mail.waiting() == 0 && news.changed().await.is_ok() {} };
    // Nothing came in time: then the answer is empty.
    let _ = tokio::time::timeout(wait, arrived).await;
    let (messages, more) = state.mail.requests();
    let requests = messages.into_iter().map(|message| blob(message.to_vec())).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(MailQueue { requests, more }))
}

/// Answers of the issuer, each in the place of its request.
#[utoipa::path(
    post, path = "/v1/mail/answers", tag = "mail", request_body = MailAnswers,
    responses(
        (status = 204, description = "Kept for the holders"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn answers(extract::State(state): extract::State<Arc<State>>, body: Body) -> Result<StatusCode, ApiError> {
    let sent: MailAnswers = body.json()?;
    check(&state, &sent.proof).await?;
    for answer in &sent.answers {
        state.mail.put_answer(&Bytes::copy_from_slice(answer)).map_err(not_taken)?;
    }
    Ok(StatusCode::NO_CONTENT)
}

//! Open proposals with their proofs, and what a proposal would do.

use std::sync::Arc;

use axum::Json;
use axum::extract;
use kanhe_proto::api::{LeafBytes, Problem, ProposalAnswer, ProposalEffects, ProposalsAnswer, RegistryChange};
use kanhe_proto::codec;
use kanhe_proto::governance::{
    Proposal, ProposalContent, ProposalVotes, open_proposals_key, proposal_content_key, proposal_votes_key,
};
use kanhe_proto::hash::ProposalId;
use kanhe_proto::map_value::MapValue;
use kanhe_proto::proof::ProvedLeaf;

use super::body::{Body, Segments, blob, parse};
use super::problem::ApiError;
use super::state::{self, State};
use crate::chain::Snapshot;
use crate::ledger::governance::Effects;
use crate::run::now;

type Shared = extract::State<Arc<State>>;

/// The proposals that can be voted on.
#[utoipa::path(
    get, path = "/v1/proposals", tag = "governance",
    responses(
        (status = 200, body = ProposalsAnswer),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(extract::State(state): Shared) -> Result<Json<ProposalsAnswer>, ApiError> {
    let answer = state.read(|_, snapshot| {
        let open = encoded(&snapshot.prove_state(&open_proposals_key())?)?;
        Ok(ProposalsAnswer { certified: state::certified(snapshot)?, open })
    });
    answer.await.map(Json)
}

/// An open proposal: content, votes, and what it would do now.
#[utoipa::path(
    get, path = "/v1/proposals/{id}", tag = "governance", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The proposal or its proved absence", body = ProposalAnswer),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn one(
    extract::State(state): Shared,
    Segments(id): Segments<String>,
) -> Result<Json<ProposalAnswer>, ApiError> {
    let id: ProposalId = parse("proposal id", &id)?;
    let answer = state.read(move |_, snapshot| {
        let content = snapshot.prove_state(&proposal_content_key(&id))?;
        let votes = snapshot.prove_state(&proposal_votes_key(&id))?;
        let effects = match (value::<ProposalContent>(&content), value::<ProposalVotes>(&votes)) {
            (Some(content), Some(votes)) => match Proposal::from_bytes(&content.proposal) {
                Ok(proposal) => tried(snapshot, &proposal, Some(&votes))?,
                Err(_) => None,
            },
            _ => None,
        };
        let certified = state::certified(snapshot)?;
        Ok(ProposalAnswer { certified, content: encoded(&content)?, votes: encoded(&votes)?, effects })
    });
    answer.await.map(Json)
}

/// What a proposal would do if it were made and decided now. Nothing is kept.
#[utoipa::path(
    post, path = "/v1/proposals/dry-run", tag = "governance",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, body = ProposalEffects),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn dry_run(extract::State(state): Shared, Body(body): Body) -> Result<Json<ProposalEffects>, ApiError> {
    let proposal = Proposal::from_bytes(&body)
        .map_err(|error| ApiError::malformed("malformed_body", format!("not a proposal: {error}")))?;
    let answer = state.read(move |_, snapshot| {
        let none = || ApiError::not_found("the protocol version in force has no governance".to_owned());
        tried(snapshot, &proposal, None)?.ok_or_else(none)
    });
    answer.await.map(Json)
}

fn tried(
    snapshot: &Snapshot<'_>,
    proposal: &Proposal,
    votes: Option<&ProposalVotes>,
) -> Result<Option<ProposalEffects>, ApiError> {
    let Some(effects) = snapshot.dry_run(proposal, votes, now())? else { return Ok(None) };
    let Effects { id, tally, refusal, leaves, current, next, living, alive } = effects;
    let mut changes = Vec::with_capacity(leaves.len());
    for leaf in leaves {
        changes.push(RegistryChange { before: leaf.before.map(blob).transpose()?, after: blob(leaf.after)? });
    }
    Ok(Some(ProposalEffects {
        unproven: true,
        id,
        height: snapshot.tip().header.height,
        tally,
        refusal: refusal.map(|code| code.as_str().to_owned()),
        changes,
        validators: current.as_ref().clone(),
        next_validators: next,
        living,
        last_signed: alive.last.into_vec(),
    }))
}

fn encoded(leaf: &ProvedLeaf) -> Result<LeafBytes, ApiError> {
    blob(codec::encode(leaf))
}

fn value<T: MapValue>(leaf: &ProvedLeaf) -> Option<T> {
    leaf.value.as_ref().and_then(|value| T::from_value(value).ok())
}

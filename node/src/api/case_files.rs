//! Case files: whoever has one hands its sealed parts in at any node, which sees to it that the recipient's node gets
//! them; the recipient alone fetches them there. Nothing is written whose author has not signed it, or who says nothing in a
//! case that the chain has.

use std::sync::Arc;

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use axum::response::Response as HttpResponse;
use kanhe_proto::api::{CASE_FILES_PAGE, CaseFileState, CaseFilesAnswer, Problem};
use kanhe_proto::case_file::{CaseFileError, FilePart};
use kanhe_proto::hash::{CaseId, Commitment};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::key::KeyId;
use kanhe_proto::registry::Bureau;

use super::body::{Body, Query, Segments, octets, parse};
use super::cases::AfterQuery;
use super::mail;
use super::problem::ApiError;
use super::state::State;
use crate::case_files::{FileId, FilesError};
use crate::chain::Claim;
use crate::run::claim::claimed;

type Shared = extract::State<Arc<State>>;

impl From<FilesError> for ApiError {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::Full => Self::case_files_full(),
            FilesError::CaseFull => Self::case_files_case_full(),
            FilesError::Authors => Self::case_files_authors(),
            FilesError::Parts { .. } => Self::malformed("case_file_place", error.to_string()),
            FilesError::Layout { .. } | FilesError::Io { .. } => {
                tracing::error!(error = ?error, "case files cannot be read or written");
                Self::internal()
            }
        }
    }
}

fn refused(error: &CaseFileError) -> ApiError {
    ApiError::malformed(error.code(), error.to_string())
}

/// Hands in a part of a case file. It is durable here when this is answered; the same part again changes nothing, but its
/// file stays as long as a new one.
#[utoipa::path(
    post, path = "/v1/cases/files", tag = "cases",
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "A `FilePart`"),
    responses(
        (status = 202, description = "Kept, and passed on until a node of the recipient has it", body = CaseFileState),
        (status = 400, description = "No part of this chain, or `case_file_no_bureau`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`case_file_stranger`", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too long", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`case_files_full`, `case_files_case_full`, `case_files_authors`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn send(
    extract::State(state): Shared,
    Body(bytes): Body,
) -> Result<(StatusCode, Json<CaseFileState>), ApiError> {
    let part = FilePart::decode(&bytes, &state.genesis.chain_id()).map_err(|error| refused(&error))?;
    let (file, to) = (claimed(&FileId::of(&part), part.body.parts), part.body.to);
    let known = state.files.store().is_wanted(&FileId::of(&part));
    let asked = state.read(move |_, snapshot| {
        let height = snapshot.tip().header.height.next();
        let is_member = snapshot.registry::<Bureau>(&to)?.0.is_some_and(|bureau| bureau.intervals.hold_at(height));
        Ok((is_member, if known { Claim::Wanted } else { snapshot.claim(&file)? }))
    });
    let (is_member, claim) = asked.await?;
    if !is_member {
        return Err(ApiError::malformed("case_file_no_bureau", format!("{to} is no bureau of this chain now")));
    }
    if claim == Claim::Stranger {
        return Err(ApiError::forbidden("case_file_stranger", "the key that signed this says nothing in this case"));
    }
    Ok((StatusCode::ACCEPTED, Json(state.files.keep(part, claim == Claim::Wanted).await?)))
}

/// How much of a case file this node has, and whether a node of its recipient has all.
#[utoipa::path(
    get, path = "/v1/cases/files/{to}/{case}/{commitment}/{author}", tag = "cases",
    params(("to" = String, Path), ("case" = String, Path), ("commitment" = String, Path), ("author" = String, Path)),
    responses(
        (status = 200, body = CaseFileState),
        (status = 404, description = "Nothing of it is known here", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn state(
    extract::State(state): Shared,
    Segments((to, case, commitment, author)): Segments<(String, String, String, String)>,
) -> Result<Json<CaseFileState>, ApiError> {
    let file = FileId {
        to: parse("bureau", &to)?,
        case: parse("case id", &case)?,
        commitment: parse("commitment", &commitment)?,
        author: parse("author", &author)?,
    };
    let found = state.files.store().state(&file);
    found.map(Json).ok_or_else(|| ApiError::not_found("nothing of this case file is here"))
}

/// The case files that are here whole for this node's bureau, at most 256 in one answer. They stay as long as the chain
/// has their cases.
#[utoipa::path(
    post, path = "/v1/cases/files/queue", tag = "cases", params(AfterQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "A `QueueProof`"),
    responses(
        (status = 200, body = CaseFilesAnswer),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Not the bureau of this node", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn queue(
    extract::State(state): Shared,
    Query(query): Query<AfterQuery>,
    Body(proof): Body,
) -> Result<Json<CaseFilesAnswer>, ApiError> {
    let after = query.after.as_deref().map(read_place).transpose()?;
    mail::check(&state, &proof).await?;
    let files = state.files.store().whole(after, CASE_FILES_PAGE);
    let next = files.last().filter(|_| files.len() == CASE_FILES_PAGE);
    let next = next.map(|last| format!("{}.{}.{}", last.case, last.commitment, last.author));
    Ok(Json(CaseFilesAnswer { files, next }))
}

fn read_place(text: &str) -> Result<(CaseId, Commitment, KeyId), ApiError> {
    let mut parts = text.splitn(3, '.');
    let mut part = || parts.next().unwrap_or_default();
    Ok((parse("after", part())?, parse("after", part())?, parse("after", part())?))
}

/// A part of a case file, for its recipient alone.
#[utoipa::path(
    post, path = "/v1/cases/files/{case}/{commitment}/{author}/{place}", tag = "cases",
    params(("case" = String, Path), ("commitment" = String, Path), ("author" = String, Path), ("place" = u16, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "A `QueueProof`"),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Not here, or not the bureau of this node", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn part(
    extract::State(state): Shared,
    Segments((case, commitment, author, place)): Segments<(String, String, String, String)>,
    Body(proof): Body,
) -> Result<HttpResponse, ApiError> {
    let (case, commitment) = (parse("case id", &case)?, parse("commitment", &commitment)?);
    let (author, place): (KeyId, u16) = (parse("author", &author)?, parse("place", &place)?);
    mail::check(&state, &proof).await?;
    let absent = || ApiError::not_found("this part of a case file is not here");
    // Whoever passed the check is this node's bureau.
    let to: Uscc = state.files.store().bureau().ok_or_else(absent)?;
    let bytes = state.files.read(FileId { to, case, commitment, author }, place).await?;
    bytes.map(octets).ok_or_else(absent)
}

//! Evidence of licences.

use std::sync::Arc;

use axum::Json;
use axum::extract;
use kanhe_proto::api::{EVIDENCE_MANY_MAX, EvidenceAnswer, EvidenceMany, EvidenceManyAnswer, Problem};
use kanhe_proto::codec;
use kanhe_proto::hash::LicenceDigest;
use kanhe_proto::ids::LogIndex;

use super::body::{Body, Segments, blob, parse};
use super::problem::ApiError;
use super::state::{self, State};
use crate::chain::{NoEvidence, Snapshot};

fn answer(snapshot: &Snapshot<'_>, batch: LogIndex, digest: &LicenceDigest) -> Result<EvidenceAnswer, ApiError> {
    match snapshot.evidence(batch, digest) {
        Ok(evidence) => Ok(EvidenceAnswer { evidence: blob(codec::encode(&evidence))? }),
        Err(error) => Err(refusal(snapshot, error)?),
    }
}

/// Why there is none, with what proves it.
fn refusal(snapshot: &Snapshot<'_>, error: NoEvidence) -> Result<ApiError, ApiError> {
    let detail = error.to_string();
    Ok(match error {
        NoEvidence::NothingCertified => ApiError::nothing_certified(),
        NoEvidence::NoSuchRecord(_) => state::absent(snapshot, detail),
        NoEvidence::NotABatch(record) => state::absent(snapshot, detail).instead(blob(codec::encode(&*record))?),
        NoEvidence::Chain(error) => error.into(),
    })
}

/// Evidence of one licence. That the batch holds it is shown by its holder's path.
#[utoipa::path(
    get, path = "/v1/evidence/{batch}/{digest}", tag = "evidence",
    params(
        ("batch" = u64, Path, description = "Id of the batch"),
        ("digest" = String, Path, description = "Digest of the licence, hexadecimal"),
    ),
    responses(
        (status = 200, body = EvidenceAnswer),
        (status = 404, description = "No such batch", body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn one(
    extract::State(state): extract::State<Arc<State>>,
    Segments((batch, digest)): Segments<(String, String)>,
) -> Result<Json<EvidenceAnswer>, ApiError> {
    let batch = LogIndex(parse("batch id", &batch)?);
    let digest: LicenceDigest = parse("licence digest", &digest)?;
    state.read(move |_, snapshot| answer(snapshot, batch, &digest)).await.map(Json)
}

/// Evidence of many licences, under one header, in the order of the questions.
#[utoipa::path(
    post, path = "/v1/evidence", tag = "evidence", request_body = EvidenceMany,
    responses(
        (status = 200, body = EvidenceManyAnswer),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn many(
    extract::State(state): extract::State<Arc<State>>,
    body: Body,
) -> Result<Json<EvidenceManyAnswer>, ApiError> {
    let asked: EvidenceMany = body.json()?;
    if asked.licences.len() > EVIDENCE_MANY_MAX {
        let detail = format!("{} licences where at most {EVIDENCE_MANY_MAX} may be asked for", asked.licences.len());
        return Err(ApiError::malformed("too_many", detail));
    }
    let answers = state.read(move |_, snapshot| {
        let mut evidence = Vec::with_capacity(asked.licences.len());
        for query in &asked.licences {
            evidence.push(match snapshot.evidence(query.batch, &query.digest) {
                Ok(found) => Some(EvidenceAnswer { evidence: blob(codec::encode(&found))? }),
                Err(NoEvidence::NoSuchRecord(_) | NoEvidence::NotABatch(_)) => None,
                Err(error) => return Err(refusal(snapshot, error)?),
            });
        }
        Ok(EvidenceManyAnswer { certified: state::certified(snapshot)?, evidence })
    });
    answers.await.map(Json)
}

//! Cases: what the chain has of them with its proofs, and acts of people who send no transactions themselves.

use std::sync::Arc;

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use kanhe_proto::api::{
    CASE_EVENTS_PAGE, CASES_PAGE, CASES_PROVED_BYTES, CASES_PROVED_MAX, CaseEventsAnswer, CaseProved, CasesAnswer,
    CasesProvedAnswer, CasesQuestion, LeafAnswer, OverdueAnswer, OverdueStep, Problem, READY_PAGE, ReadyAnswer,
    ReadyStep, TransactionStatus,
};
use kanhe_proto::case::CasePayload;
use kanhe_proto::codec;
use kanhe_proto::hash::CaseId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::transaction::Payload;
use serde::Deserialize;

use super::body::{Body, Query, Segments, blob, parse};
use super::history::{self, EventsQuery, Told};
use super::problem::ApiError;
use super::sponsor;
use super::state::{self, State};
use crate::chain::{OverduePlace, Snapshot};

type Shared = extract::State<Arc<State>>;

/// From where on.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AfterQuery {
    /// `next` of the answer before.
    pub(super) after: Option<String>,
}

/// Whose cases, and from where on.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CasesQuery {
    /// USCC of a bureau that plays a role.
    bureau: String,
    /// `next` of the answer before.
    after: Option<String>,
}

/// A case, or the proof that there is none now. It is there until 30 days after its end.
#[utoipa::path(
    get, path = "/v1/cases/{id}", tag = "cases", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The leaf or its proved absence", body = LeafAnswer),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn one(extract::State(state): Shared, Segments(id): Segments<String>) -> Result<Json<LeafAnswer>, ApiError> {
    let id: CaseId = parse("case id", &id)?;
    state.read(move |_, snapshot| state::leaf(snapshot, &snapshot.case(&id)?.1)).await.map(Json)
}

/// Events of a case, the newest first, at most 64 in one answer.
#[utoipa::path(
    get, path = "/v1/cases/{id}/events", tag = "cases", params(("id" = String, Path), EventsQuery),
    responses(
        (status = 200, body = CaseEventsAnswer),
        (status = 404, description = "`from` is no event of the case", body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn events(
    extract::State(state): Shared,
    Segments(id): Segments<String>,
    Query(query): Query<EventsQuery>,
) -> Result<Json<CaseEventsAnswer>, ApiError> {
    let id: CaseId = parse("case id", &id)?;
    let absent = "the log has no such event of this case";
    let told =
        history::told(&state, query, absent, move |snapshot, from| snapshot.case_events(&id, from, CASE_EVENTS_PAGE));
    let Told { certified, leaf, records: events, next } = told.await?;
    Ok(Json(CaseEventsAnswer { certified, leaf, events, next }))
}

/// Steps of open cases that are not decided in time, the longest overdue first, at most 256 in one answer.
#[utoipa::path(
    get, path = "/v1/cases/overdue", tag = "cases", params(AfterQuery),
    responses(
        (status = 200, body = OverdueAnswer),
        (status = 400, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn overdue(
    extract::State(state): Shared,
    Query(query): Query<AfterQuery>,
) -> Result<Json<OverdueAnswer>, ApiError> {
    let after = query.after.as_deref().map(read_place).transpose()?;
    let answer = state.read(move |_, snapshot| {
        let found = snapshot.overdue(after, CASES_PAGE)?;
        let next = found.last().filter(|_| found.len() == CASES_PAGE).map(|last| place_text(&last.place));
        let told = |overdue: crate::chain::Overdue| OverdueStep {
            case: overdue.case.id,
            item: overdue.case.item,
            version: overdue.case.version,
            step: overdue.place.2,
            bureau: overdue.bureau,
            due_ms: overdue.place.0,
        };
        let steps = found.into_iter().map(told).collect();
        Ok(OverdueAnswer { unproven: true, height: snapshot.tip().header.height, steps, next })
    });
    answer.await.map(Json)
}

fn place_text((due, case, step): &OverduePlace) -> String {
    format!("{due}.{case}.{step}")
}

fn read_place(text: &str) -> Result<OverduePlace, ApiError> {
    let mut parts = text.splitn(3, '.');
    let mut part = || parts.next().unwrap_or_default();
    Ok((TimeMs(parse("after", part())?), parse("after", part())?, parse("after", part())?))
}

/// Steps that are a bureau's turn, what is due first at the front, at most 512 in one answer.
#[utoipa::path(
    get, path = "/v1/cases/ready", tag = "cases", params(CasesQuery),
    responses(
        (status = 200, body = ReadyAnswer),
        (status = 400, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn ready(
    extract::State(state): Shared,
    Query(query): Query<CasesQuery>,
) -> Result<Json<ReadyAnswer>, ApiError> {
    let bureau: Uscc = parse("bureau", &query.bureau)?;
    let after = query.after.as_deref().map(read_place).transpose()?;
    let answer = state.read(move |_, snapshot| {
        let (found, next) = snapshot.ready(&bureau, after, READY_PAGE)?;
        let told = |ready: crate::chain::Ready| {
            let (due_ms, case, step) = ready.place;
            ReadyStep { case, step, round: ready.round, due_ms }
        };
        let (height, next) = (snapshot.tip().header.height, next.as_ref().map(place_text));
        Ok(ReadyAnswer { unproven: true, height, steps: found.into_iter().map(told).collect(), next })
    });
    answer.await.map(Json)
}

/// Proofs of several cases under one header, with their newest events if they are wanted. The answer may have fewer cases than
/// the question: the rest is asked for anew. Further events of a case are asked for with `/v1/cases/{id}/events`.
#[utoipa::path(
    post, path = "/v1/cases/proved", tag = "cases", request_body = CasesQuestion,
    responses(
        (status = 200, body = CasesProvedAnswer),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn proved(extract::State(state): Shared, body: Body) -> Result<Json<CasesProvedAnswer>, ApiError> {
    let asked: CasesQuestion = body.json()?;
    if asked.cases.len() > CASES_PROVED_MAX {
        let detail = format!("{} cases where at most {CASES_PROVED_MAX} may be asked for", asked.cases.len());
        return Err(ApiError::malformed("too_many", detail));
    }
    let answer = state.read(move |_, snapshot| {
        let (mut cases, mut bytes) = (Vec::with_capacity(asked.cases.len()), 0);
        for id in &asked.cases {
            if bytes >= CASES_PROVED_BYTES {
                break;
            }
            cases.push(one_of_many(snapshot, id, asked.events, &mut bytes)?);
        }
        Ok(CasesProvedAnswer { certified: state::certified(snapshot)?, cases })
    });
    answer.await.map(Json)
}

/// The leaf, and events until the answer is long enough: at least one where there is any.
fn one_of_many(
    snapshot: &Snapshot<'_>,
    id: &CaseId,
    with_events: bool,
    bytes: &mut usize,
) -> Result<CaseProved, ApiError> {
    let events_max = if with_events { CASE_EVENTS_PAGE } else { 0 };
    let missing = || state::absent(snapshot, format!("events of case {id}"));
    let found = snapshot.case_events(id, None, events_max)?.ok_or_else(missing)?;
    let leaf = codec::encode(&found.leaf);
    *bytes += leaf.len();
    let mut events = Vec::new();
    for record in &found.records {
        if !events.is_empty() && *bytes >= CASES_PROVED_BYTES {
            break;
        }
        let record = codec::encode(record);
        *bytes += record.len();
        events.push(blob(record)?);
    }
    Ok(CaseProved { leaf: blob(leaf)?, events })
}

/// Open cases in which a bureau plays a role, at most 256 in one answer.
#[utoipa::path(
    get, path = "/v1/cases", tag = "cases", params(CasesQuery),
    responses(
        (status = 200, body = CasesAnswer),
        (status = 400, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    extract::State(state): Shared,
    Query(query): Query<CasesQuery>,
) -> Result<Json<CasesAnswer>, ApiError> {
    let bureau: Uscc = parse("bureau", &query.bureau)?;
    let after: Option<CaseId> = query.after.as_deref().map(|text| parse("after", text)).transpose()?;
    let answer = state.read(move |_, snapshot| {
        let cases = snapshot.open_cases(&bureau, after, CASES_PAGE)?;
        let next = cases.last().filter(|_| cases.len() == CASES_PAGE).map(CaseId::to_string);
        Ok(CasesAnswer { unproven: true, height: snapshot.tip().header.height, cases, next })
    });
    answer.await.map(Json)
}

/// Hands in signed acts, all or none; this node makes the transaction. The same acts again, while they are not refused
/// nor expired, are the same transaction.
#[utoipa::path(
    post, path = "/v1/cases/acts", tag = "cases",
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "A `CasePayload`"),
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
    let payload = CasePayload::from_bytes(&body)
        .map_err(|error| ApiError::malformed("malformed_body", format!("not acts on cases: {error}")))?;
    let status = sponsor::send(&state, &body, &Payload::Case(payload)).await?;
    Ok((StatusCode::ACCEPTED, Json(status)))
}

//! What the service answers.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kanhe_proto::ids::TimeMs;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Service;
use super::problem::Refused;
use crate::clock;
use crate::given;
use crate::home::Home;
use crate::talk::{ExitCode, Failure};
use crate::verifier::{self, Memory, Presented, Told, Wanted};

/// What is to be asked for: the body of `POST /v1/requests`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestBody {
    /// One for each licence.
    pub licences: Vec<AskedLicence>,
    /// Code of a registered purpose.
    pub purpose: String,
    /// Greatest age of evidence: `30s`, `15m`, `24h`, `7d`.
    pub max_age: String,
    /// All licences must be of one person.
    #[serde(default)]
    pub same_holder: bool,
}

/// One licence that is asked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedLicence {
    /// `CODE` or `CODE:VERSION`.
    #[serde(rename = "type")]
    pub licence_type: String,
    /// Claims of it, as `NAME`, `NAME.INNER` or `NAME[0]`.
    pub claims: Vec<String>,
}

/// A request that was made: the answer of `POST /v1/requests`.
#[derive(Debug, Clone, Serialize)]
pub struct Made {
    /// Names it in `POST /v1/checks`, and its receipt.
    pub id: String,
    /// What the holder's wallet gets: a signed JWT.
    pub request: String,
    /// Until when it is answered, in milliseconds since 1970.
    pub expires: TimeMs,
}

/// What is to be judged: the body of `POST /v1/checks`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckBody {
    /// The response exactly as the wallet wrote it, as one string: its bytes count.
    pub response: String,
    /// The request that it answers, as sent; or its id.
    #[serde(default)]
    pub request: Option<String>,
    /// The id of the request that it answers.
    #[serde(default)]
    pub request_id: Option<String>,
    /// Judges status and dates as of a day (its end, UTC+8) or of a moment in milliseconds since 1970.
    #[serde(default)]
    pub at: Option<String>,
    /// Asks no node: judges by the evidence that came with the response.
    #[serde(default)]
    pub offline: bool,
    /// Keeps a receipt, to be fetched from `GET /v1/receipts/{id}`.
    #[serde(default)]
    pub receipt: bool,
    /// Shows claims also where the verdict is undecided.
    #[serde(default)]
    pub show_claims: bool,
}

/// How the service does: the answer of `GET /healthz`.
#[derive(Debug, Clone, Serialize)]
pub struct Healthy {
    /// Whether it can judge: its pin is neither contradicted nor too old.
    pub ok: bool,
    /// The pinned chain.
    pub chain: String,
    /// Newest height that is proved.
    pub height: u64,
    /// How old the newest proved header is, in milliseconds.
    pub age_ms: u64,
    /// Code of what keeps it from following the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// A body in JSON.
pub struct Body<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let named = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let named = named.map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        // Nothing that a page's form could send.
        if named.as_deref() != Some("application/json") {
            return Err(Refused::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json"));
        }
        match Bytes::from_request(request, state).await {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Self).map_err(Refused::body),
            Err(BytesRejection::FailedToBufferBody(failed)) if failed.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Refused::of(StatusCode::PAYLOAD_TOO_LARGE, "too_large"))
            }
            Err(rejection) => Err(Refused::body(rejection.body_text())),
        }
    }
}

/// `POST /v1/requests`.
pub async fn requests(
    State(service): State<Arc<Service>>,
    Body(body): Body<RequestBody>,
) -> Result<(StatusCode, Json<Made>), Refused> {
    let made = service.work(move |service| request(service, body)).await??;
    Ok((StatusCode::CREATED, Json(made)))
}

fn request(service: &Service, body: RequestBody) -> Result<Made, Refused> {
    let licences = body.licences.into_iter().map(|licence| {
        let spec = licence.licence_type.parse().map_err(Refused::body)?;
        Ok((spec, licence.claims))
    });
    let licences = licences.collect::<Result<Vec<_>, Refused>>()?;
    let max_age = given::span(&body.max_age).map_err(|cause| Refused::body(format_args!("max_age: {cause}")))?;
    let wanted = Wanted { licences, purpose: body.purpose, max_age, same_holder: body.same_holder };
    let (request, text) = service.asking.request(&wanted)?;
    Ok(Made { id: request.nonce, request: text, expires: TimeMs(request.exp.saturating_mul(1000)) })
}

/// `POST /v1/checks`.
pub async fn checks(State(service): State<Arc<Service>>, Body(body): Body<CheckBody>) -> Result<Json<Told>, Refused> {
    Ok(Json(service.work(move |service| check(service, &body)).await??))
}

fn check(service: &Service, body: &CheckBody) -> Result<Told, Refused> {
    let memory = Memory::new(&service.home);
    let request = match (&body.request, &body.request_id) {
        (Some(request), None) => request.trim().to_owned(),
        (None, Some(id)) => {
            let foreign = || Failure::of(ExitCode::Failure, "request_not_own", &[]);
            memory.request(id)?.ok_or_else(foreign)?
        }
        _ => return Err(Refused::body("request | request_id")),
    };
    let at = body.at.as_deref().map(given::moment).transpose();
    let at = at.map_err(|cause| Refused::body(format_args!("at: {cause}")))?;
    let presented = Presented { response: body.response.as_bytes(), request: &request, offline: body.offline, at };
    let judged = verifier::judge(&service.home, service.nodes.clone(), &presented)?;
    let mut told = judged.told(body.show_claims);
    if body.receipt {
        let id = judged.id();
        // The receipt of the first check is the better one.
        if judged.checked.before.is_none() || memory.receipt(id)?.is_none() {
            memory.keep_receipt(id, &judged.receipt()?)?;
        }
        told.receipt = Some(format!("/v1/receipts/{id}"));
    }
    Ok(told)
}

/// `GET /v1/receipts/{id}`.
pub async fn receipt(State(service): State<Arc<Service>>, Path(id): Path<String>) -> Result<Response, Refused> {
    let found = service.work(move |service| Memory::new(&service.home).receipt(&id)).await??;
    let receipt = found.ok_or_else(|| Refused::of(StatusCode::NOT_FOUND, "receipt_unknown"))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], receipt).into_response())
}

/// `GET /healthz`.
pub async fn healthz(State(service): State<Arc<Service>>) -> Result<(StatusCode, Json<Healthy>), Refused> {
    let trust = service.look(Home::trust).await??;
    let now = clock::now();
    let ok = trust.conflict.is_none() && trust.age(now) <= trust.trust_period;
    let healthy = Healthy {
        ok,
        chain: trust.chain_ref().to_string(),
        height: trust.height().0,
        age_ms: trust.age(now).0,
        trouble: service.keeper.trouble(),
    };
    Ok((if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(healthy)))
}

/// Any other path.
pub async fn unknown() -> Refused {
    Refused::of(StatusCode::NOT_FOUND, "unknown_route")
}

/// Any other method.
pub async fn unknown_method() -> Refused {
    Refused::of(StatusCode::METHOD_NOT_ALLOWED, "unknown_method")
}

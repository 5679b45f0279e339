//! Routes and the server.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use kanhe_proto::api::CASES_QUESTION_BYTES_MAX;
use kanhe_proto::case_file::PART_ENCODED_BYTES_MAX;
use kanhe_proto::genesis::Genesis;
use kanhe_proto::limits::{
    ACCOUNT_PAYLOAD_BYTES_MAX, CASE_PAYLOAD_BYTES_MAX, CONSENT_PAYLOAD_BYTES_MAX, PROPOSAL_BYTES_MAX,
    TRANSACTION_BYTES_MAX,
};
use kanhe_proto::mail::{MAIL_BYTES_MAX, QUEUE_PROOF_BYTES_MAX};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::limits::{Limits, limit};
use super::listener::{BoundedListener, Peer};
use super::post_office::PostOffice;
use super::problem::ApiError;
use super::sponsor::Sponsor;
use super::state::State;
use super::tls::Tls;
use super::{
    accounts, blocks, case_files, cases, consents, diagnosis, evidence, health, log, mail, openapi, proposals,
    registry, transactions, trust,
};
use crate::case_files::CaseFiles;
use crate::chain::Chain;
use crate::config::ApiSection;
use crate::consensus::app::Status;
use crate::network::NetworkHandle;
use crate::run::Pool;
use crate::run::diagnosis::Diagnoser;

/// Bytes of a question for many pieces of evidence.
const EVIDENCE_QUESTION_BYTES_MAX: usize = 64 << 10;
/// Bytes of an issuer's answers in one request.
pub(super) const MAIL_ANSWERS_BYTES_MAX: usize = 8 << 20;

/// Where consents are given and taken back: an address has a rate of its own for it.
pub(super) const ACTS_ON_CONSENTS: &str = "/v1/consents/acts";

/// The parts that the API speaks for.
pub struct Api {
    /// Its bounds.
    pub config: ApiSection,
    /// The founders' file.
    pub genesis: Arc<Genesis>,
    /// The chain.
    pub chain: Arc<Chain>,
    /// The pool.
    pub pool: Arc<Pool>,
    /// The swarm.
    pub network: NetworkHandle,
    /// What the consensus works on.
    pub consensus: watch::Receiver<Status>,
    /// Sealed mail.
    pub mail: Arc<PostOffice>,
    /// Case files on their way.
    pub files: Arc<CaseFiles>,
    /// Sees all parts.
    pub diagnoser: Arc<Diagnoser>,
    /// What was found damaged in the database.
    pub damaged: watch::Receiver<Option<String>>,
    /// Its certificate; without one it speaks plain HTTP.
    pub tls: Option<Arc<Tls>>,
    /// Sends acts of others; none if this node has no key for it.
    pub sponsor: Option<Sponsor>,
}

impl Api {
    /// Answers until told to stop; then ends open streams and long-polls.
    pub async fn serve(self, listener: TcpListener, mut stopped: watch::Receiver<bool>) -> io::Result<()> {
        if let Some(tls) = &self.tls {
            tokio::spawn(Tls::watch(Arc::downgrade(tls)));
        }
        let listener = BoundedListener::new(listener, &self.config, self.tls.clone());
        let limits = Arc::new(Limits::new(&self.config));
        tokio::spawn(Limits::forget(Arc::downgrade(&limits)));
        let state = Arc::new(State::new(self, stopped.clone()));
        let router = router(state, limits);
        let service = router.into_make_service_with_connect_info::<Peer>();
        axum::serve(listener, service)
            .with_graceful_shutdown(async move {
                // The sender is gone only with the node.
                let _ = stopped.wait_for(|stopped| *stopped).await;
            })
            .await
    }
}

fn router(state: Arc<State>, limits: Arc<Limits>) -> Router {
    let reads = Router::new()
        .route("/v1/genesis", get(trust::genesis))
        .route("/v1/trust", get(trust::trust))
        .route("/v1/schemas/{digest}", get(trust::schema))
        .route("/v1/transactions/{id}", get(transactions::transaction))
        .route("/v1/evidence/{batch}/{digest}", get(evidence::one))
        .route("/v1/registry/bureaus/{bureau}", get(registry::bureau))
        .route("/v1/registry/keys/{bureau}", get(registry::keys))
        .route("/v1/registry/keys/{bureau}/{key}", get(registry::key))
        .route("/v1/registry/types/{type}/{version}", get(registry::licence_type))
        .route("/v1/registry/accreditations/{bureau}/{type}", get(registry::accreditation))
        .route("/v1/registry/relying-parties/{party}", get(registry::relying_party))
        .route("/v1/registry/purposes/{purpose}", get(registry::purpose))
        .route("/v1/registry/items", get(registry::items))
        .route("/v1/registry/items/{item}/{version}", get(registry::service_item))
        .route("/v1/registry/data/{bureau}", get(registry::data_classes))
        .route("/v1/registry/data/{bureau}/{class}", get(registry::data_class))
        .route("/v1/registry/supervisions/{supervisor}/{issuer}/{type}", get(registry::supervision))
        .route("/v1/registry/membership", get(registry::membership))
        .route("/v1/registry/parameters", get(registry::parameters))
        .route("/v1/registry/seats", get(registry::seats))
        .route("/v1/registry/schedule", get(registry::schedule))
        .route("/v1/proposals", get(proposals::list))
        .route("/v1/proposals/{id}", get(proposals::one))
        .route("/v1/accounts/{uscc}", get(accounts::one))
        .route("/v1/accounts/{uscc}/acts", get(accounts::history))
        .route("/v1/cases", get(cases::list))
        .route("/v1/cases/overdue", get(cases::overdue))
        .route("/v1/cases/ready", get(cases::ready))
        .route("/v1/cases/{id}", get(cases::one))
        .route("/v1/cases/{id}/events", get(cases::events))
        .route("/v1/consents/{id}", get(consents::one))
        .route("/v1/consents/{id}/events", get(consents::events))
        .route("/v1/reads", get(consents::reads))
        .route("/v1/status/alive", get(registry::alive))
        .route("/v1/status/licences/{issuer}/{digest}", get(registry::licence_status))
        .route("/v1/status/batches/{issuer}/{batch}", get(registry::batch_status))
        .route("/v1/headers/{height}", get(blocks::header))
        .route("/v1/blocks/stream", get(blocks::stream))
        .route("/v1/blocks/{height}", get(blocks::block))
        .route("/v1/records/{index}", get(blocks::record))
        .route("/v1/log/{size}", get(log::at_size))
        .route("/v1/log/{size}/{level}/{index}", get(log::records))
        .route("/v1/mail/{id}", get(mail::answer))
        .route("/v1/mail/challenge", post(mail::challenge))
        .route("/v1/status", get(health::status))
        .route("/v1/diagnosis", get(diagnosis::diagnosis))
        .route("/v1/openapi.json", get(openapi::serve))
        .route("/metrics", get(health::metrics))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz));
    let takes = |path: &str, route, bytes_max| Router::new().route(path, route).layer(DefaultBodyLimit::max(bytes_max));
    Router::new()
        .merge(reads)
        .merge(takes("/v1/transactions", post(transactions::submit), TRANSACTION_BYTES_MAX))
        .merge(takes("/v1/proposals/dry-run", post(proposals::dry_run), PROPOSAL_BYTES_MAX))
        .merge(takes("/v1/cases/proved", post(cases::proved), CASES_QUESTION_BYTES_MAX))
        .merge(takes("/v1/accounts/acts", post(accounts::acts), ACCOUNT_PAYLOAD_BYTES_MAX))
        .merge(takes("/v1/cases/acts", post(cases::acts), CASE_PAYLOAD_BYTES_MAX))
        .merge(takes(ACTS_ON_CONSENTS, post(consents::acts), CONSENT_PAYLOAD_BYTES_MAX))
        .merge(takes("/v1/cases/files", post(case_files::send), PART_ENCODED_BYTES_MAX))
        .merge(takes("/v1/cases/files/queue", post(case_files::queue), QUEUE_PROOF_BYTES_MAX))
        .merge(takes(
            // Asked with GET: recipient, case, commitment, author; with POST: case, commitment, author, place.
            "/v1/cases/files/{first}/{second}/{third}/{fourth}",
            get(case_files::state).post(case_files::part),
            QUEUE_PROOF_BYTES_MAX,
        ))
        .merge(takes("/v1/evidence", post(evidence::many), EVIDENCE_QUESTION_BYTES_MAX))
        .merge(takes("/v1/mail", post(mail::send), MAIL_BYTES_MAX))
        .merge(takes("/v1/mail/queue", post(mail::queue), QUEUE_PROOF_BYTES_MAX))
        .merge(takes("/v1/mail/answers", post(mail::answers), MAIL_ANSWERS_BYTES_MAX))
        .fallback(async || ApiError::unknown_route())
        .method_not_allowed_fallback(async || ApiError::unknown_method())
        .layer(middleware::from_fn_with_state(limits, limit))
        .with_state(state)
}

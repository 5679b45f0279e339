//! How the node does: its own word, never part of a verdict.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kanhe_proto::api::NodeStatus;
use serde_json::json;

use super::problem::ApiError;
use super::state::State;
use crate::run::{Readiness, now, readiness};

fn ready(state: &State) -> Readiness {
    if let Some(what) = state.damaged.borrow().clone() {
        return Readiness::Damaged { what };
    }
    readiness(&state.chain.tip(), now(), &state.network.peers().borrow())
}

/// How the node does.
#[utoipa::path(get, path = "/v1/status", tag = "node", responses((status = 200, body = NodeStatus)))]
pub async fn status(extract::State(state): extract::State<Arc<State>>) -> Json<NodeStatus> {
    let tip = state.chain.tip();
    // Given back before it is borrowed again: with a writer in between the second borrow would wait for the first.
    let peers = state.network.peers().borrow().len() as u64;
    Json(NodeStatus {
        unproven: true,
        chain: state.chain_ref.to_string(),
        chain_id: tip.header.chain_id.to_string(),
        height: tip.header.height.0,
        header_hash: tip.hash.to_string(),
        time_ms: tip.header.time.0,
        log_size: tip.header.log_size,
        pending: state.pool.stats().transactions as u64,
        peers,
        ready: ready(&state) == Readiness::Ready,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "node", responses((status = 200, description = "It lives")))]
pub async fn healthz() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok", "unproven": true }))
}

/// Whether it follows the chain.
#[utoipa::path(
    get, path = "/readyz", tag = "node",
    responses((status = 200, description = "It follows and answers"), (status = 503, description = "Not now: `reason`"))
)]
pub async fn readyz(extract::State(state): extract::State<Arc<State>>) -> Response {
    let readiness = ready(&state);
    let height = state.chain.tip().header.height;
    let code = if readiness == Readiness::Ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "ready": readiness == Readiness::Ready,
        "height": height,
        "reason": readiness.to_string(),
        "unproven": true,
    });
    (code, Json(body)).into_response()
}

/// Counters and gauges in the text format of Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "node",
    responses((status = 200, body = String, content_type = "text/plain; version=0.0.4"))
)]
pub async fn metrics(extract::State(state): extract::State<Arc<State>>) -> Result<Response, ApiError> {
    let text = tokio::task::spawn_blocking(move || exposition(&state)).await.map_err(|_| ApiError::internal())?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

fn exposition(state: &State) -> String {
    let tip = state.chain.tip();
    let totals = state.chain.totals();
    let pool = state.pool.stats();
    let consensus = *state.consensus.borrow();
    let peers = state.network.peers().borrow().len();
    let gauges = [
        ("kanhe_chain_height_blocks", tip.header.height.0),
        ("kanhe_chain_log_records", tip.header.log_size),
        ("kanhe_chain_tip_time_milliseconds", tip.header.time.0),
        ("kanhe_storage_tables_bytes", state.chain.storage().disk_bytes()),
        ("kanhe_mempool_transactions", pool.transactions as u64),
        ("kanhe_mempool_transactions_bytes", pool.bytes as u64),
        ("kanhe_mempool_sponsors", pool.sponsors as u64),
        ("kanhe_mempool_awaited_transactions", pool.awaited as u64),
        ("kanhe_network_peers", peers as u64),
        ("kanhe_consensus_height_blocks", consensus.height.0),
        ("kanhe_consensus_silent", u64::from(consensus.silent)),
        ("kanhe_ready", u64::from(ready(state) == Readiness::Ready)),
        ("kanhe_mail_requests", state.mail.waiting() as u64),
        ("kanhe_case_files", state.files.store().count() as u64),
        ("kanhe_case_files_bytes", state.files.store().bytes()),
        ("kanhe_case_files_undelivered", state.files.store().waiting_count() as u64),
    ];
    let counters = [
        ("kanhe_chain_committed_blocks_total", totals.blocks),
        ("kanhe_chain_committed_transactions_total", totals.transactions),
        ("kanhe_chain_committed_batches_total", totals.counters.batches),
        ("kanhe_chain_committed_licences_total", totals.counters.licences),
        ("kanhe_chain_committed_status_changes_total", totals.counters.status_changes),
        ("kanhe_chain_swept_ids_total", totals.counters.swept),
        ("kanhe_chain_committed_case_events_total", totals.counters.case_events),
        ("kanhe_chain_committed_consent_acts_total", totals.counters.consent_acts),
        ("kanhe_chain_committed_reads_total", totals.counters.reads),
        ("kanhe_consensus_refused_connections_total", crate::consensus::strangers::refused()),
    ];
    let mut text = String::with_capacity(16 << 10);
    for (name, value) in gauges {
        sample(&mut text, "gauge", name, value);
    }
    for (name, value) in counters {
        sample(&mut text, "counter", name, value);
    }
    for (name, value) in state.network.metrics().samples() {
        sample(&mut text, "counter", &format!("kanhe_network_{name}"), value);
    }
    let api = [
        ("kanhe_api_limited_requests_total", &super::limits::LIMITED),
        ("kanhe_api_refused_connections_total", &super::listener::REFUSED),
        ("kanhe_api_failed_handshakes_total", &super::listener::FAILED_HANDSHAKES),
    ];
    for (name, counter) in api {
        sample(&mut text, "counter", name, counter.load(Ordering::Relaxed));
    }
    if let Some(tls) = &state.tls {
        let expires = u64::try_from(tls.expires()).unwrap_or_default();
        sample(&mut text, "gauge", "kanhe_api_certificate_expiry_seconds", expires);
    }
    // The engine's text ends the exposition.
    text.push_str(&crate::consensus::engine::metrics_text());
    text
}

fn sample(text: &mut String, kind: &str, name: &str, value: u64) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
}

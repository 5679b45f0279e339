//! What an operator asks of a running node.

use std::io;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use kanhe_proto::diagnosis::{DiagnosisAnswer, why};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::socket::AdminSocket;
use crate::api::Tls;
use crate::api::tls::said;
use crate::chain::Chain;
use crate::consensus::app::Status;
use crate::network::NetworkHandle;
use crate::run::diagnosis::Diagnoser;
use crate::run::{Pool, logging, now, readiness};

/// Longest filter of log lines, in bytes.
const FILTER_BYTES_MAX: usize = 4 << 10;

/// The parts that can be asked and told.
pub struct Admin {
    /// Name of the node.
    pub name: String,
    /// The chain.
    pub chain: Arc<Chain>,
    /// The pool.
    pub pool: Arc<Pool>,
    /// The swarm.
    pub network: NetworkHandle,
    /// What the consensus works on.
    pub consensus: watch::Receiver<Status>,
    /// Sees why the chain stands.
    pub diagnoser: Arc<Diagnoser>,
    /// The certificate of the API.
    pub tls: Option<Arc<Tls>>,
    /// Set when the node is to end.
    pub stop: watch::Sender<bool>,
}

type Shared = State<Arc<Admin>>;
type Answer = (StatusCode, Json<Value>);

impl Admin {
    /// Answers until its task is ended.
    pub async fn serve(self, socket: AdminSocket) -> io::Result<()> {
        let router = Router::new()
            .route("/status", get(status))
            .route("/diagnosis", get(diagnosis))
            .route("/reload-tls", post(reload_tls))
            .route("/log-level", post(log_level))
            .route("/shutdown", post(shutdown))
            .layer(DefaultBodyLimit::max(FILTER_BYTES_MAX))
            .with_state(Arc::new(self));
        axum::serve(socket, router).await
    }
}

fn refused(status: StatusCode, error: String, hint: &str) -> Answer {
    (status, Json(json!({ "error": error, "hint": hint })))
}

async fn status(State(admin): Shared) -> Json<Value> {
    let tip = admin.chain.tip();
    let peers = admin.network.peers().borrow().clone();
    let readiness = readiness(&tip, now(), &peers);
    let consensus = *admin.consensus.borrow();
    let peers: Vec<Value> = peers
        .iter()
        .map(|peer| {
            json!({
                "peer": peer.peer.to_string(),
                "height": peer.status.as_ref().map(|status| status.height.0),
                "clock_ahead_ms": peer.clock_ahead_ms,
            })
        })
        .collect();
    let tls = admin
        .tls
        .as_ref()
        .map(|tls| json!({ "certificate": tls.certificate().display().to_string(), "expires_seconds": tls.expires() }));
    Json(json!({
        "name": admin.name,
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "chain_id": tip.header.chain_id.to_string(),
        "height": tip.header.height.0,
        "time_ms": tip.header.time.0,
        "readiness": readiness.to_string(),
        "consensus_height": consensus.height.0,
        "silent": consensus.silent,
        "pending": admin.pool.stats().transactions,
        "peers": peers,
        "tls": tls,
    }))
}

/// All of it, with addresses and error texts.
async fn diagnosis(State(admin): Shared) -> Answer {
    match Arc::clone(&admin.diagnoser).diagnose().await {
        Ok(diagnosis) => {
            let findings = why(&diagnosis);
            (StatusCode::OK, Json(json!(DiagnosisAnswer { diagnosis, findings })))
        }
        Err(error) => refused(StatusCode::SERVICE_UNAVAILABLE, error.to_string(), "see the log of the node"),
    }
}

async fn reload_tls(State(admin): Shared) -> Answer {
    let Some(tls) = admin.tls.clone() else {
        return refused(
            StatusCode::CONFLICT,
            "the API of this node speaks plain HTTP".to_owned(),
            "set [api.tls] in config.toml and start the node again",
        );
    };
    match tokio::task::spawn_blocking(move || tls.reload().map(|()| tls.expires())).await {
        Ok(Ok(expires)) => (StatusCode::OK, Json(json!({ "expires_seconds": expires }))),
        Ok(Err(error)) => {
            let reason = format!("{}; the certificate in use stays", said(&error));
            refused(StatusCode::UNPROCESSABLE_ENTITY, reason, error.hint())
        }
        Err(panicked) => refused(StatusCode::INTERNAL_SERVER_ERROR, panicked.to_string(), "see the log of the node"),
    }
}

async fn log_level(filter: String) -> Answer {
    match logging::change(&filter) {
        Ok(()) => {
            tracing::info!(%filter, "log filter changed");
            (StatusCode::OK, Json(json!({ "filter": filter })))
        }
        Err(error) => refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            error,
            "write it as `filter` of [log] in config.toml: a level, or directives such as info,libp2p=debug",
        ),
    }
}

async fn shutdown(State(admin): Shared) -> Answer {
    tracing::info!("asked to end over the admin socket");
    admin.stop.send_replace(true);
    (StatusCode::ACCEPTED, Json(json!({ "pid": std::process::id() })))
}

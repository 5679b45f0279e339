//! The server: a thread for the network, a few for the work.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::{get, post};
use kanhe_proto::limits::{REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinError;

use super::connection::Bounded;
use super::door::{Door, guard};
use super::problem::Refused;
use super::{Keeper, Limits, routes};
use crate::home::Home;
use crate::node::NodeClient;
use crate::stop::Stop;
use crate::talk::{ExitCode, Failure};
use crate::verifier::Asking;

/// Requests at work at a time; others wait for them as long as any request may take.
const WORKERS: usize = 8;
/// Bytes of a body: a response in which every byte is escaped, and the rest.
const BODY_BYTES_MAX: usize = 2 * RESPONSE_BYTES_MAX + 2 * REQUEST_BYTES_MAX;
/// How long requests at work are waited for at the end.
const END_TIME: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(50);

/// What all requests share.
pub struct Service {
    /// The verifier's home.
    pub home: Home,
    /// Nodes to ask.
    pub nodes: Vec<NodeClient>,
    /// In whose name requests are made.
    pub asking: Asking,
    /// What follows the chain.
    pub keeper: Keeper,
    workers: Arc<Semaphore>,
}

impl Service {
    /// Of a relying party.
    pub fn new(home: Home, nodes: Vec<NodeClient>, asking: Asking, keeper: Keeper) -> Self {
        Self { home, nodes, asking, keeper, workers: Arc::new(Semaphore::new(WORKERS)) }
    }

    /// Does what blocks, in a thread of its own. It holds its place until it is done, whoever still waits for it.
    pub async fn work<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let permit = Arc::clone(&self.workers).acquire_owned().await.expect("the semaphore is never closed");
        let service = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(&service)
        });
        done.await.map_err(broken)
    }

    /// Looks at files of the home, beside the requests at work: whoever asks how the service does must not wait for a
    /// node that hangs.
    pub async fn look<T: Send + 'static>(
        self: &Arc<Self>,
        look: impl FnOnce(&Home) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let service = Arc::clone(self);
        tokio::task::spawn_blocking(move || look(&service.home)).await.map_err(broken)
    }
}

fn broken(_: JoinError) -> Refused {
    Refused::of(StatusCode::INTERNAL_SERVER_ERROR, "broken")
}

/// A bound socket, ready to serve.
pub struct Server {
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
}

impl Server {
    /// Binds the address.
    pub fn bind(address: SocketAddr) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::of(ExitCode::Failure, "listen_failed", &[("address", &address), ("cause", &error)])
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            // One more looks at files.
            .max_blocking_threads(WORKERS + 1)
            .enable_all()
            .build()
            .map_err(failed)?;
        let listener = runtime.block_on(TcpListener::bind(address)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { runtime, listener, address, limits: Limits::default() })
    }

    /// With other limits than the usual ones.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until told to stop; then finishes what is at work, for a while.
    pub fn serve(self, service: Service, door: Door, stop: &Stop) -> Result<(), Failure> {
        let router = router(Arc::new(service), Arc::new(door), self.limits.request);
        let (asked, ended) = (stop.clone(), stop.clone());
        let served = self.runtime.block_on(async {
            let server = axum::serve(Bounded::new(self.listener, &self.limits), router)
                .with_graceful_shutdown(async move { asked.wait().await });
            tokio::select! {
                served = std::future::IntoFuture::into_future(server) => served,
                () = async { ended.wait().await; tokio::time::sleep(END_TIME).await } => Ok(()),
            }
        });
        self.runtime.shutdown_timeout(STEP);
        served.map_err(|error| {
            Failure::of(ExitCode::Failure, "listen_failed", &[("address", &self.address), ("cause", &error)])
        })
    }
}

fn router(service: Arc<Service>, door: Arc<Door>, longest: Duration) -> Router {
    Router::new()
        .route("/v1/requests", post(routes::requests))
        .route("/v1/checks", post(routes::checks))
        .route("/v1/receipts/{id}", get(routes::receipt))
        .route("/healthz", get(routes::healthz))
        .fallback(routes::unknown)
        .method_not_allowed_fallback(routes::unknown_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state((door, longest), guard))
        .with_state(service)
}

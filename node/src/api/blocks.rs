//! Headers, blocks, records, and the stream of blocks.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract;
use axum::response::Response;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use kanhe_proto::api::{BatchAnswer, HeaderAnswer, Problem};
use kanhe_proto::codec;
use kanhe_proto::ids::{Height, LogIndex};
use kanhe_proto::proof::CertifiedBlock;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::body::{Segments, blob, octets, parse};
use super::limits::of_address;
use super::listener::Peer;
use super::places::Place;
use super::problem::ApiError;
use super::state::{self, State};
use crate::chain::Snapshot;

/// A line that keeps the stream open where nothing happens.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What is said of a height without a block here: up to `base` there are none on a node that joined by a snapshot, and a
/// chain that ends before the height proves it.
fn no_block(snapshot: &Snapshot<'_>, height: Height, base: Height) -> ApiError {
    if (1..=base.0).contains(&height.0) {
        let next = base.next();
        let text = format!("block {height} is not kept here: this node has blocks from height {next} on; ask another");
        return ApiError::not_found(text);
    }
    state::absent(snapshot, format!("no certified block has the height {height}"))
}

/// A certified header.
#[utoipa::path(
    get, path = "/v1/headers/{height}", tag = "blocks",
    params(("height" = String, Path, description = "A height, or `newest`")),
    responses(
        (status = 200, body = HeaderAnswer),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn header(
    extract::State(state): extract::State<Arc<State>>,
    Segments(height): Segments<String>,
) -> Result<Json<HeaderAnswer>, ApiError> {
    let height = match height.as_str() {
        "newest" => None,
        text => Some(Height(parse("height", text)?)),
    };
    let base = state.chain.base();
    let answer = state.read(move |_, snapshot| match height {
        None => state::header(snapshot.certified().ok_or_else(ApiError::nothing_certified)?),
        Some(height) => state::header(&snapshot.certified_at(height)?.ok_or_else(|| no_block(snapshot, height, base))?),
    });
    answer.await.map(Json)
}

/// A block with its certificate: the encoding of a `CertifiedBlock`.
#[utoipa::path(
    get, path = "/v1/blocks/{height}", tag = "blocks", params(("height" = u64, Path)),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn block(
    extract::State(state): extract::State<Arc<State>>,
    Segments(height): Segments<String>,
) -> Result<Response, ApiError> {
    let height = Height(parse("height", &height)?);
    let base = state.chain.base();
    let block = state.read(move |_, snapshot| {
        let certified = snapshot.certified_at(height)?.ok_or_else(|| no_block(snapshot, height, base))?;
        let body = snapshot.body(height)?.ok_or_else(|| no_block(snapshot, height, base))?;
        Ok(codec::encode(&CertifiedBlock { certificate: certified.certificate, block: blob(body)? }))
    });
    block.await.map(octets)
}

/// A record of the log under the newest header.
#[utoipa::path(
    get, path = "/v1/records/{index}", tag = "blocks", params(("index" = u64, Path)),
    responses(
        (status = 200, body = BatchAnswer),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn record(
    extract::State(state): extract::State<Arc<State>>,
    Segments(index): Segments<String>,
) -> Result<Json<BatchAnswer>, ApiError> {
    let index = LogIndex(parse("log index", &index)?);
    state.read(move |_, snapshot| state::record(snapshot, index)).await.map(Json)
}

/// Where a stream is.
struct Cursor {
    state: Arc<State>,
    next: Height,
    committed: watch::Receiver<Height>,
    stopped: watch::Receiver<bool>,
    _held: (OwnedSemaphorePermit, Place),
}

/// Each block from the newest on, as server-sent events: `id` is the height, `data` a `HeaderAnswer`.
#[utoipa::path(
    get, path = "/v1/blocks/stream", tag = "blocks",
    responses(
        (status = 200, description = "One event a block", body = HeaderAnswer, content_type = "text/event-stream"),
        (status = 503, description = "Too many streams", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn stream(
    extract::State(state): extract::State<Arc<State>>,
    extract::ConnectInfo(Peer(peer)): extract::ConnectInfo<Peer>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let place = state.stream_places.take(of_address(peer.ip()), state.streams_per_address);
    let place = place.ok_or_else(|| ApiError::busy("this address has as many streams of blocks as it may"))?;
    let permit = Arc::clone(&state.streams).try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::busy("too many streams of blocks are open"))?;
    let committed = state.chain.committed();
    let next = Height(state.chain.tip().header.height.0.max(1));
    let cursor = Cursor { next, committed, stopped: state.stopped.clone(), state, _held: (permit, place) };
    let events = futures::stream::unfold(cursor, next_event);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

async fn next_event(mut cursor: Cursor) -> Option<(Result<Event, Infallible>, Cursor)> {
    let height = cursor.next;
    tokio::select! {
        reached = cursor.committed.wait_for(|tip| *tip >= height) => drop(reached.ok()?),
        _ = cursor.stopped.wait_for(|stopped| *stopped) => return None,
    }
    let answer = cursor.state.read(move |_, snapshot| {
        state::header(&snapshot.certified_at(height)?.ok_or_else(|| no_block(snapshot, height, Height(0)))?)
    });
    let answer = answer.await.ok()?;
    let event = Event::default().id(height.to_string()).event("block").json_data(&answer).ok()?;
    cursor.next = height.next();
    Some((Ok(event), cursor))
}

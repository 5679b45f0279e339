//! How many connections the engine sent away because their key is none of a member's.
//!
//! The engine tells that to nobody but its log, so its own line is counted, whatever the operator's filter lets through. An
//! engine with other words counts nothing: `tests/tests/partition.rs` would fail then.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// The part of the engine that decides it.
const DOOR: &str = "arc_malachitebft_discovery";
/// How its line begins.
const SENT_AWAY: &str = "Rejecting connection from non-persistent peer";

static REFUSED: AtomicU64 = AtomicU64::new(0);

/// Since the start of the process.
pub fn refused() -> u64 {
    REFUSED.load(Ordering::Relaxed)
}

/// Counts while the process logs.
pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> + Send + Sync {
    Counting.with_filter(Targets::new().with_target(DOOR, Level::WARN))
}

struct Counting;

impl<S: Subscriber> Layer<S> for Counting {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(false);
        event.record(&mut line);
        if line.0 {
            REFUSED.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whether it is that line.
struct Line(bool);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}").starts_with(SENT_AWAY);
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn only_the_engines_own_line_is_counted() {
        let subscriber = tracing_subscriber::registry().with(layer());
        tracing::subscriber::with_default(subscriber, || {
            let before = refused();
            tracing::warn!(target: "arc_malachitebft_discovery::handlers", peer = "x", "Rejecting connection from non-persistent peer as so");
            tracing::warn!(target: "arc_malachitebft_discovery::handlers", "something else");
            tracing::warn!(target: "elsewhere", "Rejecting connection from non-persistent peer as so");
            assert_eq!(refused() - before, 1);
        });
    }
}

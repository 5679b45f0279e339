//! Ending long-running commands in good order: SIGTERM and Ctrl-C are noted, and acted on between two steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use crate::talk::{ExitCode, Failure};

const STEP: Duration = Duration::from_millis(50);
/// What a shell reports of a process that a second Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Whether the process was asked to end.
#[derive(Debug, Clone)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on the first signal is noted; a second one ends the process at once, which costs nothing that was
    /// reported done.
    pub fn on_signals() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::of(ExitCode::Failure, "no_signals", &[("cause", &error)]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (mut terminate, mut interrupt) = {
            let _inside = runtime.enter();
            let terminate = signal(SignalKind::terminate()).map_err(failed)?;
            (terminate, signal(SignalKind::interrupt()).map_err(failed)?)
        };
        let asked = Arc::new(AtomicBool::new(false));
        let stop = Self(Arc::clone(&asked));
        std::thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = terminate.recv() => {}
                        _ = interrupt.recv() => {}
                    }
                    if asked.swap(true, Ordering::SeqCst) {
                        std::process::exit(INTERRUPTED);
                    }
                }
            });
        });
        Ok(stop)
    }

    /// Whether a signal came.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Waits for a signal.
    pub async fn wait(&self) {
        while !self.is_asked() {
            tokio::time::sleep(STEP).await;
        }
    }

    /// Rests, unless a signal comes.
    pub fn rest(&self, span: Duration) {
        let began = Instant::now();
        while !self.is_asked() && began.elapsed() < span {
            std::thread::sleep(STEP.min(span));
        }
    }
}

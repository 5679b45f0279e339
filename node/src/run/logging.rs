//! Log lines on stderr.

use std::sync::OnceLock;

use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, reload};

use crate::config::{ConfigError, LogFormat, LogSection};
use crate::consensus::strangers;

type Change = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

/// Changes the filter of the lines.
static CHANGE: OnceLock<Change> = OnceLock::new();

/// Begins to log; once in a process.
pub fn start(section: &LogSection, format: Option<LogFormat>) -> Result<(), ConfigError> {
    let wrong = |reason: String| ConfigError::Value { key: "log.filter", reason };
    let filter = EnvFilter::try_new(&section.filter).map_err(|error| wrong(error.to_string()))?;
    let (filter, handle) = reload::Layer::new(filter);
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_timer(SystemTime)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    // The filter is for the lines alone: who is counted does not depend on what is said.
    let lines = match format.unwrap_or(section.format) {
        LogFormat::Text => lines.with_filter(filter).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    };
    let started = tracing_subscriber::registry().with(lines).with(strangers::layer()).try_init();
    started.map_err(|error| wrong(error.to_string()))?;
    let change: Change = Box::new(move |new: EnvFilter| handle.reload(new).map_err(|error| error.to_string()));
    // A second start has failed before this line.
    let _ = CHANGE.set(change);
    Ok(())
}

/// Changes what is said from now on, until the process ends.
pub fn change(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
    CHANGE.get().ok_or("this process does not log")?(filter)
}

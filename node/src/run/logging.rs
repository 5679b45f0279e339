//! Log lines on stderr.

use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::config::{ConfigError, LogFormat, LogSection};

type Change = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

/// Changes the filter of the lines.
static CHANGE: OnceLock<Change> = OnceLock::new();

/// Begins to log; once in a process.
pub fn start(section: &LogSection, format: Option<LogFormat>) -> Result<(), ConfigError> {
    let wrong = |reason: String| ConfigError::Value { key: "log.filter", reason };
    let filter = EnvFilter::try_new(&section.filter).map_err(|error| wrong(error.to_string()))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_timer(SystemTime)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let (change, started): (Change, _) = match format.unwrap_or(section.format) {
        LogFormat::Text => {
            let builder = builder.with_filter_reloading();
            let handle = builder.reload_handle();
            (Box::new(move |new: EnvFilter| handle.reload(new).map_err(|error| error.to_string())), builder.try_init())
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_filter_reloading();
            let handle = builder.reload_handle();
            (Box::new(move |new: EnvFilter| handle.reload(new).map_err(|error| error.to_string())), builder.try_init())
        }
    };
    started.map_err(|error| wrong(error.to_string()))?;
    // A second start has failed before this line.
    let _ = CHANGE.set(change);
    Ok(())
}

/// Changes what is said from now on, until the process ends.
pub fn change(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
    CHANGE.get().ok_or("this process does not log")?(filter)
}

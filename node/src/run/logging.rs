//! Log lines on stderr.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::config::{ConfigError, LogFormat, LogSection};

/// Begins to log; once in a process.
pub fn start(section: &LogSection, format: Option<LogFormat>) -> Result<(), ConfigError> {
    let wrong = |reason: String| ConfigError::Value { key: "log.filter", reason };
    let filter = EnvFilter::try_new(&section.filter).map_err(|error| wrong(error.to_string()))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_timer(SystemTime)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let started = match format.unwrap_or(section.format) {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| wrong(error.to_string()))
}

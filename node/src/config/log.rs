//! What the node says of itself on stderr.

use serde::{Deserialize, Serialize};

/// Shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    /// Shape of the lines.
    pub format: LogFormat,
    /// What is said: directives of `tracing_subscriber::EnvFilter`.
    pub filter: String,
}

impl Default for LogSection {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info,arc_malachitebft=warn,ractor=warn,libp2p=warn,yamux=warn,multistream_select=warn".to_owned(),
        }
    }
}

//! `kanhe-node admin`: a running node is asked and told over its socket.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::print;
use crate::admin::{self, AdminError};
use crate::config::Config;
use crate::run::{RunError, exit};

/// Pause between two looks at a process that ends.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Args)]
pub(super) struct Home {
    /// The node's home.
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
}

#[derive(Subcommand)]
pub(super) enum AdminCommand {
    /// What the node does and whom it is connected with.
    Status {
        #[command(flatten)]
        home: Home,
        /// All of it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Reads certificate and key of the API again; the pair in use stays if the new one cannot be used.
    ReloadTls {
        #[command(flatten)]
        home: Home,
    },
    /// Changes what the node logs, until it ends.
    LogLevel {
        #[command(flatten)]
        home: Home,
        /// A level (error, warn, info, debug, trace), or directives as in `filter` of `[log]`.
        filter: String,
    },
    /// Ends the node and waits until it has ended.
    Stop {
        #[command(flatten)]
        home: Home,
        /// Longest wait.
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        wait: u64,
    },
}

fn call(home: &Home, method: &str, path: &str, body: &str) -> Result<Value, RunError> {
    let config = Config::load(&home.home)?;
    if config.admin.socket.as_os_str().is_empty() {
        return Err(AdminError::None.into());
    }
    Ok(admin::call(&home.home.join(&config.admin.socket), method, path, body)?)
}

/// Runs a command.
pub(super) fn run(command: AdminCommand) -> anyhow::Result<ExitCode> {
    match command {
        AdminCommand::Status { home, json } => {
            let status = call(&home, "GET", "/status", "")?;
            print(&if json { format!("{status}\n") } else { in_words(&status) })
        }
        AdminCommand::ReloadTls { home } => {
            let answer = call(&home, "POST", "/reload-tls", "")?;
            print(&format!("certificate read; it expires {}\n", date(&answer["expires_seconds"])))
        }
        AdminCommand::LogLevel { home, filter } => {
            call(&home, "POST", "/log-level", &filter)?;
            print(&format!("the node logs {filter} until it ends\n"))
        }
        AdminCommand::Stop { home, wait } => {
            let answer = call(&home, "POST", "/shutdown", "")?;
            let pid = answer["pid"].as_u64().unwrap_or_default();
            let until = Instant::now() + Duration::from_secs(wait);
            while !admin::ended(pid) {
                if Instant::now() >= until {
                    return Err(RunError::from(AdminError::Ending(wait)).into());
                }
                std::thread::sleep(PAUSE);
            }
            print("ended\n")?;
            Ok(ExitCode::from(exit::OK))
        }
    }
}

fn date(seconds: &Value) -> String {
    let stamp = seconds.as_i64().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    stamp.map_or_else(|| seconds.to_string(), |stamp| stamp.to_string())
}

fn in_words(status: &Value) -> String {
    let text = |key: &str| status[key].as_str().unwrap_or_default().to_owned();
    let mut out = format!(
        "{} (kanhe-node {}, process {})\nheight {}, the consensus works on {}{}\n{}\n{} transactions wait\n",
        text("name"),
        text("version"),
        status["pid"],
        status["height"],
        status["consensus_height"],
        if status["silent"] == true { ", silent" } else { "" },
        text("readiness"),
        status["pending"],
    );
    if let Some(tls) = status["tls"].as_object() {
        out.push_str(&format!("certificate until {}\n", date(&tls["expires_seconds"])));
    }
    let peers = status["peers"].as_array().map(Vec::as_slice).unwrap_or_default();
    out.push_str(&format!("{} peers\n", peers.len()));
    for peer in peers {
        let height = peer["height"].as_u64().map_or_else(|| "?".to_owned(), |height| height.to_string());
        out.push_str(&format!("  {}  height {height}\n", peer["peer"].as_str().unwrap_or_default()));
    }
    out
}

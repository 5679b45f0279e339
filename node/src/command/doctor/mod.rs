//! `doctor`: what is wrong with a node, from its own home, running or not.
//!
//! It opens nothing for writing, so it may run beside the node. Where the node's API answers, the database is left to
//! the node and its diagnosis is shown; else tip and guard are read from the files.

mod checks;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use kanhe_proto::diagnosis::{DiagnosisAnswer, Severity};

use super::agent::{Believed, agent};
use super::print;
use crate::admin;
use crate::config::Config;
use crate::run::{RunError, exit};
use checks::Examined;
use report::{Check, Report, State};

/// Exit codes in help.
pub(super) const AFTER_HELP: &str = "\
Exit codes:
   0  nothing must be mended: the node runs or can be started, and the chain goes on or is idle
   2  wrong usage
  35  something must be mended: a check failed, or the chain stands still";

/// Longest wait for the node's own API.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Bytes of its answer.
const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// The language of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// 简体中文.
    Zh,
    /// English.
    En,
}

#[derive(Args)]
pub(super) struct DoctorArguments {
    /// The node's home.
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    /// The report as JSON, in both languages.
    #[arg(long)]
    json: bool,
    /// Language of the report [default: by LANG, else English].
    #[arg(long, value_enum)]
    lang: Option<Language>,
}

impl DoctorArguments {
    fn language(&self) -> Language {
        self.lang.unwrap_or_else(|| {
            let set = ["KANHE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|name| std::env::var(name).ok());
            if set.is_some_and(|set| set.starts_with("zh")) { Language::Zh } else { Language::En }
        })
    }
}

/// Examines a home and says what is wrong.
pub(super) fn doctor(arguments: &DoctorArguments) -> anyhow::Result<ExitCode> {
    let report = examine(arguments);
    let text = match arguments.json {
        true => format!("{}\n", serde_json::to_string_pretty(&report)?),
        false => report.text(arguments.language()),
    };
    print(&text)?;
    Ok(ExitCode::from(if report.is_bad() { exit::DOCTOR } else { exit::OK }))
}

fn examine(arguments: &DoctorArguments) -> Report {
    let home = &arguments.home;
    let config = match Config::load(home) {
        Ok(config) => config,
        Err(error) => {
            let error = RunError::from(error);
            let cause = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            return Report::none(Check::bad("config", &format!("{error}{cause}"), error.hint()));
        }
    };
    let mut report = Report::default();
    report.checks.push(Check::good("config", "config.toml can be used", "config.toml 可用"));
    let answer = ask(home, &config);
    let mut examined = Examined { home, config: &config, running: answer.is_ok(), report: &mut report };
    examined.all();
    match answer {
        Ok(answer) => {
            let seen = &answer.diagnosis;
            (report.state, report.height, report.time_ms) = (State::Running, Some(seen.height), Some(seen.time_ms));
            let bad = answer.findings.iter().filter(|finding| finding.severity == Severity::Blocks).count();
            let name = "the node's API answers; what it says stands below";
            let check = Check::good("api", name, "节点 API 有应答，其说明见下");
            report.checks.push(if bad == 0 { check } else { check.with_state_bad() });
            report.findings = answer.findings;
        }
        Err(cause) if report.in_use => {
            report.state = State::NotAnswering;
            let detail = format!("a process uses this home, but its API gives no answer: {cause}");
            report.checks.push(Check::bad(
                "api",
                &detail,
                "it may be starting; else read its log, and end it with SIGTERM",
            ));
        }
        Err(_) => report.state = State::Stopped,
    }
    report
}

/// Asks the node itself: over its admin socket, which tells all, else over its API.
fn ask(home: &Path, config: &Config) -> Result<DiagnosisAnswer, String> {
    if !config.admin.socket.as_os_str().is_empty()
        && let Ok(answer) = admin::call(&home.join(&config.admin.socket), "GET", "/diagnosis", "")
        && let Ok(answer) = serde_json::from_value(answer)
    {
        return Ok(answer);
    }
    let mut address = config.api.listen;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let scheme = if config.api.tls.is_some() { "https" } else { "http" };
    let agent = agent(&Believed::Local, ANSWER_MAX).map_err(|error| error.to_string())?;
    let asked = agent.get(format!("{scheme}://{address}/v1/diagnosis")).call();
    let mut answer = asked.map_err(|error| error.to_string())?;
    let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
    serde_json::from_slice(&body.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
}

//! What is said of a node when something is wrong: by `/v1/diagnosis` and by `kanhe-node doctor`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kanhe_proto::diagnosis::{Code, DiagnosisAnswer, Finding, Severity};
use serde_json::Value;

use crate::network::Network;

const PAUSE: Duration = Duration::from_millis(200);

/// What a node says of the chain and of itself.
pub fn diagnosis(network: &Network, node: usize) -> Option<DiagnosisAnswer> {
    network.http.json(&format!("{}/v1/diagnosis", network.api(node)))
}

/// The finding of this code.
pub fn finding(answer: &DiagnosisAnswer, code: Code) -> Option<&Finding> {
    answer.findings.iter().find(|finding| finding.code == code)
}

/// Waits until a node's diagnosis is as wanted.
pub fn wait(
    network: &Network,
    node: usize,
    what: &str,
    limit: Duration,
    wanted: impl Fn(&DiagnosisAnswer) -> bool,
) -> DiagnosisAnswer {
    let until = Instant::now() + limit;
    loop {
        let answer = diagnosis(network, node);
        match answer {
            Some(answer) if wanted(&answer) => return answer,
            answer => {
                let found = answer.map(|answer| (answer.diagnosis, answer.findings));
                assert!(
                    Instant::now() < until,
                    "{}: no {what} after {limit:?}: {found:#?}\n{}",
                    network.bureau(node).name,
                    network.last_words(node)
                );
            }
        }
        std::thread::sleep(PAUSE);
    }
}

/// Waits until a node says that the chain stands because these nodes' bureaus are missing, and nobody else.
pub fn wait_quorum_missing(network: &Network, node: usize, gone: &[usize], limit: Duration) -> DiagnosisAnswer {
    let gone: BTreeSet<String> = gone.iter().map(|node| network.bureau(*node).uscc.to_string()).collect();
    wait(network, node, &format!("standstill for want of {gone:?}"), limit, |answer| {
        finding(answer, Code::QuorumMissing).is_some_and(|found| {
            let blocks = found.severity == Severity::Blocks;
            blocks && missing(found) == gone && gone.iter().all(|uscc| found.text.en.contains(uscc))
        })
    })
}

/// The bureaus that a finding calls missing.
pub fn missing(finding: &Finding) -> BTreeSet<String> {
    finding.missing.iter().flat_map(|missing| &missing.bureau).map(|bureau| bureau.uscc.to_string()).collect()
}

/// Exit code and report of `kanhe-node doctor`.
pub fn doctor(network: &Network, node: usize) -> (Option<i32>, Value) {
    let output = network.run_at(node, &["doctor", "--json", "--home", network.home(node).to_str().unwrap()]);
    let said = serde_json::from_slice(&output.stdout);
    let said = said.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), said)
}

/// Whether a doctor's report has a finding of this code.
pub fn names(report: &Value, code: Code) -> bool {
    report["findings"].as_array().is_some_and(|all| all.iter().any(|finding| finding["code"] == code.as_str()))
}

/// The check of a doctor's report, as it came out: `good`, `warning` or `bad`.
pub fn outcome<'a>(report: &'a Value, check: &str) -> &'a str {
    let checks = report["checks"].as_array().into_iter().flatten();
    checks.filter(|one| one["check"] == check).find_map(|one| one["outcome"].as_str()).unwrap_or_default()
}

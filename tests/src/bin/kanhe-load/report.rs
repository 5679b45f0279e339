//! What was measured, as JSON and as a table.

use std::fmt::Write as _;

use serde::Serialize;

use super::evidence::Queried;
use super::flood::{Flooded, Plan};
use super::grow::Grown;
use super::latency::Spread;
use super::machine::Machine;
use super::office::Issued;

/// Anchoring batches of one size.
#[derive(Debug, Serialize)]
pub struct Anchored {
    /// Licences of each batch.
    pub licences: u32,
    /// What came of it.
    pub flood: Flooded,
}

/// All of a run; what was not asked for is missing.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// How.
    pub plan: Plan,
    /// Nodes.
    pub nodes: usize,
    /// Transactions that anchor batches, at saturation.
    pub anchored: Vec<Anchored>,
    /// One transaction's time at ten a second.
    pub latency: Option<Spread>,
    /// Evidence.
    pub evidence: Option<Queried>,
    /// Licences end to end.
    pub issued: Option<Issued>,
    /// A chain made large.
    pub grown: Option<Grown>,
}

/// A line of the table; the expectation is that of two cores for everything.
struct Line {
    what: String,
    measured: String,
    expected: &'static str,
    met: Option<bool>,
}

impl Report {
    /// The table, and the machine below it.
    pub fn table(&self) -> String {
        let mut text = format!("{:<58} {:>14}  {:<10} {}\n", "measured", "", "expected", "met");
        for Line { what, measured, expected, met } in self.lines() {
            let met = met.map_or("", |met| if met { "yes" } else { "no" });
            // Writing to a string does not fail.
            let _ = writeln!(text, "{what:<58} {measured:>14}  {expected:<10} {met}");
        }
        let Machine { processor, cores, memory_gib, kernel, fdatasync_us, load_before } = &self.machine;
        let Plan { warm_up_seconds, window_seconds, senders_per_node, waiting_max } = &self.plan;
        let _ = writeln!(
            text,
            "\n{cores} cores ({processor}), {memory_gib} GiB, Linux {kernel}, fdatasync {fdatasync_us:.0} us, load before \
             {load_before}\n{} nodes and the driver on this machine; {window_seconds} s each after {warm_up_seconds} s; \
             {senders_per_node} senders a node, at most about {waiting_max} waiting",
            self.nodes
        );
        text
    }

    fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut line = |what: &str, measured: String, expected, met| {
            lines.push(Line { what: what.to_owned(), measured, expected, met });
        };
        for Anchored { licences, flood } in &self.anchored {
            let rate = flood.transactions_per_second;
            if *licences == 1 {
                line("single-licence transactions/s", format!("{rate:.0}"), ">= 4,000", Some(rate >= 4_000.0));
                let disk = flood.disk_bytes_per_transaction;
                let met = Some(disk <= 10_000.0);
                line("  disk bytes per transaction, all nodes together", format!("{disk:.0}"), "<= 10,000", met);
            } else {
                let licences_rate = rate * f64::from(*licences);
                line(&format!("batches of {licences} licences/s (anchor only)"), format!("{rate:.0}"), "", None);
                line("  licences/s in them", format!("{licences_rate:.0}"), "", None);
            }
            let per_block = flood.transactions as f64 / flood.blocks.max(1) as f64;
            line("  transactions in a block, on average", format!("{per_block:.0}"), "", None);
            line("  cores: each node, driver", cores(&flood.cores_per_node, flood.cores_driver), "", None);
        }
        if let Some(Spread { p50_ms, p99_ms, samples, .. }) = &self.latency {
            let what = format!("commit at 10/s, to the proof in hand, p50 of {samples} (ms)");
            line(&what, format!("{p50_ms:.1}"), "<= 100", Some(*p50_ms <= 100.0));
            line("  p99 (ms)", format!("{p99_ms:.1}"), "", None);
        }
        if let Some(queried) = &self.evidence {
            let rate = queried.queries_per_second;
            line("evidence queries/s", format!("{rate:.0}"), ">= 5,000", Some(rate >= 5_000.0));
            line("  p99 (ms)", format!("{:.1}", queried.latency.p99_ms), "", None);
            let bytes = queried.evidence_bytes_max;
            line("  evidence bytes, largest", bytes.to_string(), "<= 5,000", Some(bytes <= 5_000));
            line("  cores: each node, driver", cores(&queried.cores_per_node, queried.cores_driver), "", None);
        }
        if let Some(issued) = &self.issued {
            let rate = issued.licences_per_second;
            let what = format!("licences/s, row to anchored and on disk ({})", issued.licences);
            line(&what, format!("{rate:.0}"), ">= 10,000", Some(rate >= 10_000.0));
        }
        if let Some(grown) = &self.grown {
            line("batches anchored", grown.batches.to_string(), "", None);
            line("licences revoked", grown.exceptions.to_string(), "", None);
            line("  seconds", format!("{:.0}", grown.seconds), "", None);
            line("  height", grown.height.to_string(), "", None);
            line("  disk of one node (MiB)", (grown.disk_bytes_per_node >> 20).to_string(), "", None);
        }
        lines
    }
}

fn cores(nodes: &[f64], driver: f64) -> String {
    let mean = nodes.iter().sum::<f64>() / nodes.len().max(1) as f64;
    format!("{mean:.2}, {driver:.2}")
}

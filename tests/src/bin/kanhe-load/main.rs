//! Measures a running local network; `scripts/bench` makes one and calls this.
//!
//! Nothing is simulated: real nodes, real signatures, durable writes, HTTP. Counted is what every node shows in its own
//! blocks. Everything ends by itself: times are given, transactions are signed before, and waits have limits.

mod count;
mod evidence;
mod flood;
mod grow;
mod http;
mod latency;
mod machine;
mod network;
mod office;
mod report;
mod signing;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};

use flood::Plan;
use machine::Machine;
use network::Network;
use report::{Anchored, Report};
use signing::Signing;
use watch::Watch;

/// Longest wait for rest between two measurements.
const REST: Duration = Duration::from_secs(120);
/// Senders of the measurement of latency.
const LATENCY_PER_SECOND: u32 = 10;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Transactions that anchor one licence.
    Single,
    /// Time to commit at ten a second.
    Latency,
    /// Batches of 1,000 and 100,000 licences, their anchors alone.
    Batches,
    /// `kanhe licence issue` on a spreadsheet.
    Issue,
    /// Evidence; needs batches, so a part before it.
    Evidence,
    /// Nothing: makes the chain large, for scripts/bench-join.
    Grow,
}

/// Measures a running local network.
#[derive(Debug, Parser)]
struct Arguments {
    /// Folder of the network
    #[arg(long, value_name = "DIR")]
    net: PathBuf,
    /// Writes all figures as JSON
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Short windows: 10 s after 3 s
    #[arg(long)]
    quick: bool,
    /// Parts to measure
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = [Part::Single, Part::Latency, Part::Batches, Part::Evidence, Part::Issue])]
    parts: Vec<Part>,
    /// Seconds that count
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=600))]
    window: Option<u64>,
    /// Senders at each node
    #[arg(long, value_name = "N", default_value_t = 16)]
    senders: usize,
    /// Transactions waiting at a node above which it gets no more for the moment
    #[arg(long, value_name = "N", default_value_t = 8_000)]
    waiting: u64,
    /// Transactions signed for each second; more than the network can take
    #[arg(long, value_name = "N", default_value_t = 8_000, value_parser = clap::value_parser!(u64).range(1..=50_000))]
    signed_per_second: u64,
    /// Batches that `grow` anchors
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    batches: u64,
    /// Licences that `grow` revokes, in thousands
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    exceptions_thousands: u64,
    /// Rows of the spreadsheet
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rows: Option<u32>,
}

impl Arguments {
    fn plan(&self) -> Plan {
        Plan {
            warm_up_seconds: if self.quick { 3 } else { 10 },
            window_seconds: self.window.unwrap_or(if self.quick { 10 } else { 60 }),
            senders_per_node: self.senders,
            waiting_max: self.waiting,
        }
    }
    fn rows(&self) -> u32 {
        // 100,000 with their applications are more than a spreadsheet may have.
        self.rows.unwrap_or(if self.quick { 10_000 } else { 50_000 })
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be started");
    match runtime.block_on(measure(&arguments)) {
        Ok(report) => {
            println!("{}", report.table());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(arguments: &Arguments) -> anyhow::Result<Report> {
    let network = Network::open(&arguments.net)?;
    let plan = arguments.plan();
    let mut signing = Signing::new(&network)?;
    let mut report = Report {
        machine: Machine::here(&arguments.net)?,
        plan,
        nodes: network.nodes().len(),
        anchored: Vec::new(),
        latency: None,
        evidence: None,
        issued: None,
        grown: None,
    };
    for part in &arguments.parts {
        network.settle(REST).await?;
        eprintln!("measuring: {part:?}");
        match part {
            Part::Single => report.anchored.push(anchor(&network, &mut signing, arguments, 1).await?),
            Part::Batches => {
                for licences in [1_000, 100_000] {
                    report.anchored.push(anchor(&network, &mut signing, arguments, licences).await?);
                }
            }
            Part::Latency => {
                let per_second = u64::from(LATENCY_PER_SECOND);
                let transactions = signing.batches((plan.warm_up_seconds + plan.window_seconds) * per_second, 1)?;
                let skipped = (plan.warm_up_seconds * per_second) as usize;
                report.latency = Some(latency::latency(&network, transactions, LATENCY_PER_SECOND, skipped).await?);
            }
            Part::Evidence => report.evidence = Some(evidence::query(&network, &plan, arguments.senders).await?),
            Part::Grow => {
                let (batches, exceptions) = (arguments.batches, arguments.exceptions_thousands * 1_000);
                report.grown = Some(grow::grow(&network, &mut signing, &plan, batches, exceptions).await?);
            }
            Part::Issue => {
                let scratch = tempfile::tempdir().context("a folder for homes")?;
                let batch = 10_000;
                report.issued = Some(office::issue(&network, scratch.path(), arguments.rows(), batch)?);
            }
        }
        // After each part, so that a failure in a later one loses nothing.
        if let Some(path) = &arguments.out {
            let text = serde_json::to_string_pretty(&report)?;
            std::fs::write(path, format!("{text}\n")).with_context(|| format!("{}", path.display()))?;
        }
    }
    Ok(report)
}

async fn anchor(
    network: &Network,
    signing: &mut Signing,
    arguments: &Arguments,
    licences: u32,
) -> anyhow::Result<Anchored> {
    let plan = arguments.plan();
    let seconds = plan.warm_up_seconds + plan.window_seconds;
    let transactions = signing.batches(seconds * arguments.signed_per_second, licences)?;
    let watch = Watch::start(network).await?;
    Ok(Anchored { licences, flood: flood::flood(network, &watch, transactions, &plan).await? })
}

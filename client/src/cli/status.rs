//! `kanhe status` and `kanhe chain status`.

use clap::Subcommand;
use kanhe_proto::api::NodeStatus;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Context, chain_why};
use crate::clock;
use crate::follow;
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure, moment, say, shape};

/// The chain as a node shows it.
#[derive(Debug, Subcommand)]
pub enum Chain {
    /// Asks the node how it does, and proves its newest header
    Status {
        /// Says why the chain stands still, or that it does not: who is missing and since when, what blocks, what would
        /// help. Asks the nodes that --node names and those that the home knows, and takes what answers
        #[arg(long)]
        why: bool,
    },
}

/// What a home is.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct HomeStatus {
    /// Its folder.
    home: String,
    /// The pinned chain as in DIDs; null if none is pinned.
    chain: Option<String>,
    /// The newest height that is believed.
    height: Option<u64>,
    /// Whether two headers of one height were seen.
    conflict: bool,
    /// Whether there is a wallet.
    wallet: bool,
    /// The nodes that are asked.
    nodes: Vec<NodeSeen>,
}

/// A node that was asked just now.
#[derive(Debug, Serialize, JsonSchema)]
struct NodeSeen {
    /// Its URL.
    url: String,
    /// The height that it says; null if it gave no answer.
    height: Option<u64>,
    /// Why it gave none.
    error: Option<String>,
}

/// What this home is.
pub fn home(context: &Context) -> Result<ExitCode, Failure> {
    let trust = context.home.trust_if_pinned()?;
    let seen = |node: NodeClient| match node.status() {
        Ok(status) => NodeSeen { url: node.url().to_owned(), height: Some(status.height), error: None },
        Err(error) => NodeSeen { url: node.url().to_owned(), height: None, error: Some(error.to_string()) },
    };
    let status = HomeStatus {
        home: context.home.path().display().to_string(),
        chain: trust.as_ref().map(|trust| trust.chain_ref().to_string()),
        height: trust.as_ref().map(|trust| trust.height().0),
        conflict: trust.as_ref().is_some_and(|trust| trust.conflict.is_some()),
        wallet: context.home.wallet().exists(),
        nodes: context.nodes()?.into_iter().map(seen).collect(),
    };
    context.output.data(&status, || {
        let mut lines = vec![say("status.home", &[("path", &status.home)])];
        lines.push(match (&status.chain, &status.height) {
            (Some(chain), Some(height)) => say("status.pinned", &[("chain", chain), ("height", height)]),
            _ => say("status.not_pinned", &[]),
        });
        let wallet = context.home.wallet();
        lines.push(match status.wallet {
            true => say("status.wallet", &[("path", &wallet.display())]),
            false => say("status.no_wallet", &[]),
        });
        for node in &status.nodes {
            lines.push(match (&node.height, &node.error) {
                (Some(height), _) => say("status.node", &[("url", &node.url), ("height", height)]),
                (None, cause) => {
                    let cause = cause.as_deref().unwrap_or_default();
                    say("status.node_away", &[("url", &node.url), ("cause", &cause)])
                }
            });
        }
        if status.nodes.is_empty() {
            lines.push(say("status.no_node", &[]));
        }
        lines.join("\n")
    })?;
    match trust.and_then(|trust| trust.conflict) {
        Some(conflict) => Err(follow::conflict(conflict.first.header.height)),
        None => Ok(ExitCode::Ok),
    }
}

/// The chain as a node shows it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ChainStatus {
    /// The node's own word.
    #[schemars(with = "shape::NodeStatus")]
    node: NodeStatus,
    /// Whether the node's newest header is proved under the pin.
    proved: bool,
    /// The height that is proved.
    proved_height: Option<u64>,
}

/// The chain as a node shows it.
pub fn chain(command: Chain, context: &Context) -> Result<ExitCode, Failure> {
    let Chain::Status { why } = command;
    if why {
        return chain_why::run(context);
    }
    let node = context.node()?.status()?;
    let mut proved_height = None;
    if context.home.trust_if_pinned()?.is_some() {
        let mut follower = context.follower()?;
        follower.update()?;
        proved_height = Some(follower.trust().height().0);
    }
    let status = ChainStatus { node, proved: proved_height.is_some(), proved_height };
    context.output.data(&status, || {
        let node = &status.node;
        let proved = match status.proved_height {
            Some(height) => say("chain.proved", &[("height", &height)]),
            None => say("chain.unproved", &[]),
        };
        let time = moment(node.time_ms, clock::now().0);
        let text = say(
            "chain.status",
            &[
                ("chain", &node.chain),
                ("height", &node.height),
                ("time", &time),
                ("records", &node.log_size),
                ("pending", &node.pending),
                ("peers", &node.peers),
                ("version", &node.version),
            ],
        );
        format!("{text}\n{proved}")
    })?;
    Ok(ExitCode::Ok)
}

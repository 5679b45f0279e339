//! The node's own swarm: transactions between nodes by gossip, requests between two of them.
//!
//! It is apart from the consensus engine's, so that neither a flood of transactions nor a large file delays a vote.
//! libp2p over TCP with Noise and Yamux; no discovery: peers are configured or in the registry, and only the network keys of bureaus are
//! let in, checked when a connection is made.
//!
//! Invariants: every queue has a bound, and a full one refuses and counts; a message is passed on only after its
//! receiver said [`Verdict::Accept`]; nothing that a peer sends is believed, its status included.
//!
//! Failure: an unreachable peer is dialled again with growing pauses, one that doesn't answer is let go, one that
//! floods or passes on what nobody may is shut out for a while. Nothing here stops the node.

mod behaviour;
mod codec;
pub mod conduct;
pub mod config;
pub mod dialer;
pub mod gossip;
pub mod handle;
pub mod identity;
pub mod inbound;
pub mod metrics;
pub mod outbox;
pub mod refused;
pub mod request;
pub mod status;
mod table;
mod task;

pub use config::{NetworkConfig, PeerAddress};
pub use handle::{NetworkError, NetworkHandle, Peers, PublishFull, RequestError, Setup, start};
pub use identity::peer_id;
pub use inbound::{Inbound, Reply, Ticket, Verdict};
pub use libp2p::{Multiaddr, PeerId};
pub use metrics::NetworkMetrics;
pub use refused::RefusedPeer;
pub use request::{FileKept, Refusal, Request, Response};
pub use status::{PeerInfo, PeerStatus, SoftwareVersion, TipStatus};

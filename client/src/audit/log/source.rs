//! Nodes that are asked for parts of the log.
//!
//! Every answer is held against a certified header before it is used. A node whose answer is not what the header commits
//! to is named, and the next one is asked; so is one that has not got what was asked for, as after joining by a snapshot.

use std::thread;
use std::time::Duration;

use kanhe_proto::api::ConsistencyBytes;
use kanhe_proto::bounded::Blob;
use kanhe_proto::codec;
use kanhe_proto::genesis::Genesis;
use kanhe_proto::hand_over::HandOver;
use kanhe_proto::hash::Hash;
use kanhe_proto::header::Header;
use kanhe_proto::ids::Height;
use kanhe_proto::limits::{HAND_OVER_BYTES_MAX, RECORD_BYTES_MAX};
use kanhe_proto::merkle::log::{ConsistencyProof, Frontier, Span, verify_consistency};
use kanhe_proto::proof::CertifiedHeader;
use kanhe_proto::snapshot::Content;
use kanhe_proto::trust::Trust;
use schemars::JsonSchema;
use serde::Serialize;

use crate::clock;
use crate::follow::{FollowError, Follower, certified};
use crate::node::{NodeClient, NodeError};
use crate::talk::{Failure, Output, say};

/// How often nodes that are all busy are asked again.
const ATTEMPTS_MAX: usize = 30;
/// Pause before that.
const BUSY_PAUSE: Duration = Duration::from_secs(1);
/// Bytes of an encoded frontier or consistency proof.
const PROOF_BYTES_MAX: usize = 4 << 10;

/// Bytes of a record.
pub type RecordBytes = Blob<RECORD_BYTES_MAX>;

/// A node whose answer was of no use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PassedOver {
    /// Which.
    pub url: String,
    /// What was wrong with its answer.
    pub cause: String,
}

/// Where the log comes from.
#[derive(Debug)]
pub struct LogSource<'a> {
    follower: &'a mut Follower,
    output: Output,
    /// The node that answered last: it is asked first.
    first: usize,
    passed_over: Vec<PassedOver>,
}

impl<'a> LogSource<'a> {
    /// The nodes of a follower; whoever is passed over is named on stderr as well.
    pub const fn new(follower: &'a mut Follower, output: Output) -> Self {
        Self { follower, output, first: 0, passed_over: Vec::new() }
    }
    /// Who follows the chain.
    pub const fn follower(&mut self) -> &mut Follower {
        self.follower
    }
    /// Nodes that were passed over.
    pub fn passed_over(&self) -> &[PassedOver] {
        &self.passed_over
    }

    fn ask<T>(
        &mut self,
        mut question: impl FnMut(&mut Follower, &NodeClient) -> Result<T, FollowError>,
    ) -> Result<T, Failure> {
        let nodes = self.follower.nodes().to_vec();
        let mut last = FollowError::Node(NodeError::Unnamed);
        for _ in 0..ATTEMPTS_MAX {
            let mut busy = false;
            for turn in 0..nodes.len() {
                let at = (self.first + turn) % nodes.len();
                let error = match question(self.follower, &nodes[at]) {
                    Ok(answer) => {
                        self.first = at;
                        return Ok(answer);
                    }
                    Err(error) => error,
                };
                match &error {
                    FollowError::Node(NodeError::Busy { .. }) => busy = true,
                    FollowError::Node(NodeError::NotFound { .. }) => self.pass_over(nodes[at].url(), &error),
                    error if error.is_local() => self.pass_over(nodes[at].url(), error),
                    _ => return Err(error.failure()),
                }
                last = error;
            }
            if !busy {
                break;
            }
            thread::sleep(BUSY_PAUSE);
        }
        Err(last.failure())
    }

    fn pass_over(&mut self, url: &str, error: &FollowError) {
        if self.passed_over.iter().any(|known| known.url == url) {
            return;
        }
        let cause = error.to_string();
        self.output.talk(say("audit.log.passed_over", &[("url", &url), ("cause", &cause)]));
        self.passed_over.push(PassedOver { url: url.to_owned(), cause });
    }

    /// The newest header.
    pub fn newest(&mut self) -> Result<CertifiedHeader, Failure> {
        self.ask(|follower, node| {
            let answer = node.header(None)?;
            follower.believed(node, &answer.certified)
        })
    }

    /// The certified header of a height.
    pub fn header(&mut self, height: Height) -> Result<CertifiedHeader, Failure> {
        self.ask(|follower, node| {
            let answer = node.header(Some(height))?;
            let found = certified(node, &answer.certified)?;
            if found.header.height != height {
                return Err(node.malformed("a header of another height").into());
            }
            follower.believe_past(node, &found)?;
            Ok(found)
        })
    }

    /// The frontier of the log that a header commits to.
    pub fn frontier(&mut self, header: &Header) -> Result<Frontier, Failure> {
        self.ask(|_, node| {
            let answer = node.log(header.log_size, None)?;
            let frontier: Frontier =
                codec::decode(&answer.frontier, PROOF_BYTES_MAX).map_err(|error| node.malformed(error))?;
            frontier.verify(header.log_size, &header.log_root).map_err(|error| node.malformed(error))?;
            Ok(frontier)
        })
    }

    /// The proof that the log of a header begins with an earlier one.
    pub fn consistency(&mut self, old_size: u64, old_root: &Hash, new: &Header) -> Result<ConsistencyBytes, Failure> {
        self.ask(|_, node| {
            let answer = node.log(new.log_size, Some(old_size))?;
            let bytes = answer.consistency.ok_or_else(|| node.malformed("no consistency proof"))?;
            let proof: ConsistencyProof =
                codec::decode(&bytes, PROOF_BYTES_MAX).map_err(|error| node.malformed(error))?;
            verify_consistency(old_size, old_root, new.log_size, &new.log_root, &proof)
                .map_err(|error| node.malformed(error))?;
            Ok(bytes)
        })
    }

    /// The records of a span of the log that has this frontier, exactly those; none: they are to be asked for in halves.
    pub fn records(&mut self, frontier: &Frontier, span: Span) -> Result<Option<Vec<RecordBytes>>, Failure> {
        self.ask(|_, node| match node.log_records(frontier.size(), span)? {
            Content::Records(found) => {
                found.verify(frontier, span).map_err(|error| node.malformed(error))?;
                Ok(Some(found.records.into_vec()))
            }
            Content::TooLarge if span.level > 0 => Ok(None),
            _ => Err(node.malformed("no records where there are some").into()),
        })
    }

    /// All hand-overs from genesis to a height, each followed anew from there.
    pub fn hand_overs(&mut self, genesis: &Genesis, to: Height) -> Result<Vec<Blob<HAND_OVER_BYTES_MAX>>, Failure> {
        self.ask(|_, node| {
            let mut trust = Trust::pin(genesis, clock::now()).map_err(|error| node.malformed(error))?;
            let mut followed = Vec::new();
            loop {
                let before = trust.height();
                for bytes in node.trust(before)?.hand_overs {
                    let hand_over = HandOver::from_bytes(&bytes).map_err(|error| node.malformed(error))?;
                    let height = hand_over.certified.header.height;
                    if height > to || (height <= trust.height() && !followed.is_empty()) {
                        continue;
                    }
                    let url = || node.url().to_owned();
                    trust
                        .hand_over(&hand_over, clock::now())
                        .map_err(|error| FollowError::Trust { url: url(), error })?;
                    followed.push(bytes);
                }
                if trust.height() == before {
                    return Ok(followed);
                }
            }
        })
    }
}

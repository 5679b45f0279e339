//! The light client at work: asks nodes, believes nothing without proof, remembers what it has learnt.

use kanhe_proto::api::{EvidenceAnswer, EvidenceMany, EvidenceQuery, LeafAnswer};
use kanhe_proto::codec;
use kanhe_proto::evidence::Evidence;
use kanhe_proto::genesis::Genesis;
use kanhe_proto::hand_over::HandOver;
use kanhe_proto::hash::{LicenceDigest, MapKey};
use kanhe_proto::ids::{Height, LogIndex, SpanMs};
use kanhe_proto::limits::MAP_VALUE_BYTES_MAX;
use kanhe_proto::map_value::MapValue;
use kanhe_proto::proof::{CertifiedHeader, ProvedLeaf};
use kanhe_proto::registry::RegistryRecord;
use kanhe_proto::trust::{Trust, TrustError};

use crate::clock;
use crate::governance::{self, Changed};
use crate::home::Home;
use crate::node::{NodeClient, NodeError};
use crate::talk::{ExitCode, Failure};

/// An answer further behind the newest header than so many heartbeats is a node that lags or lies.
const OVERTAKEN_HEARTBEATS: u64 = 3;
/// Licences in one question for evidence.
const EVIDENCE_PORTION: usize = 64;
const CERTIFIED_BYTES_MAX: usize = 32 << 10;
const LEAF_BYTES_MAX: usize = MAP_VALUE_BYTES_MAX + (16 << 10);

/// Why nothing proved was learnt.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// A node gave no answer.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A node's answer is not believed.
    #[error("{url}: {error}")]
    Trust {
        /// Which node.
        url: String,
        /// Why not.
        error: TrustError,
    },
    /// What was learnt cannot be kept.
    #[error("{0}")]
    Home(Failure),
}

impl FollowError {
    /// The failure of a command.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Node(error) => error.failure(),
            Self::Trust { error: TrustError::Conflict(height), .. } => conflict(*height),
            Self::Trust { error, .. } => {
                let code = error.code();
                let exit = match error {
                    TrustError::Stale => ExitCode::Failure,
                    _ => ExitCode::Unreachable,
                };
                Failure::reported(exit, code, self)
            }
            Self::Home(failure) => failure.clone(),
        }
    }
    /// Whether the next node should be asked: what stops trust stops here.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Node(error) => error.is_local(),
            Self::Trust { error, .. } => !matches!(error, TrustError::Conflict(_) | TrustError::Stale),
            Self::Home(_) => false,
        }
    }
}

impl From<FollowError> for Failure {
    fn from(error: FollowError) -> Self {
        error.failure()
    }
}

/// The alarm: a quorum signed two headers of one height.
pub fn conflict(height: Height) -> Failure {
    Failure::of(ExitCode::Failure, "conflict", &[("height", &height)])
}

/// What an update of trust brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Updated {
    /// Height known before.
    #[schemars(with = "u64")]
    pub from: Height,
    /// Height known now.
    #[schemars(with = "u64")]
    pub to: Height,
    /// Changes of the validator set that were followed.
    pub hand_overs: usize,
}

/// Trust, and nodes to learn from.
#[derive(Debug)]
pub struct Follower {
    home: Home,
    nodes: Vec<NodeClient>,
    trust: Trust,
}

impl Follower {
    /// With what the home believes.
    pub fn open(home: &Home, nodes: Vec<NodeClient>) -> Result<Self, Failure> {
        Ok(Self { home: home.clone(), nodes, trust: home.trust()? })
    }
    /// Whose trust it is.
    pub const fn home(&self) -> &Home {
        &self.home
    }
    /// What is believed.
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }
    /// Nodes that are asked, in order.
    pub fn nodes(&self) -> &[NodeClient] {
        &self.nodes
    }

    /// Asks node after node until one's answer is believed.
    pub fn ask<T>(
        &mut self,
        mut question: impl FnMut(&mut Self, &NodeClient) -> Result<T, FollowError>,
    ) -> Result<T, FollowError> {
        let mut last = FollowError::Node(NodeError::Unnamed);
        for node in self.nodes.clone() {
            match question(self, &node) {
                Ok(answer) => return Ok(answer),
                Err(error) if error.is_local() => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Follows hand-overs up to the newest header.
    pub fn update(&mut self) -> Result<Updated, FollowError> {
        self.ask(|follower, node| follower.update_from(node))
    }

    fn update_from(&mut self, node: &NodeClient) -> Result<Updated, FollowError> {
        let from = self.trust.height();
        let mut hand_overs = 0;
        loop {
            let before = self.trust.height();
            let answer = node.trust(before)?;
            for bytes in &answer.hand_overs {
                let hand_over = HandOver::from_bytes(bytes).map_err(|error| node.malformed(error))?;
                if hand_over.certified.header.height < self.trust.height() {
                    continue;
                }
                let newest_set = |trust: &Trust| trust.sets().last().map(|set| set.from);
                let known = newest_set(&self.trust);
                let followed = self.trust.hand_over(&hand_over, clock::now());
                if let Err(error) = followed {
                    return Err(self.disbelieve(node, &hand_over.certified, error));
                }
                hand_overs += usize::from(newest_set(&self.trust) != known);
            }
            // One answer has so many and no more.
            if self.trust.height() > before {
                continue;
            }
            if let Some(newest) = &answer.newest {
                let newest = certified(node, newest)?;
                self.believe(node, &newest)?;
            }
            self.keep()?;
            return Ok(Updated { from, to: self.trust.height(), hand_overs });
        }
    }

    /// Every change of the validators since genesis, followed anew from there; what is believed stays as it is.
    pub fn changes_since(&mut self, genesis: &Genesis) -> Result<Vec<Changed>, FollowError> {
        self.ask(|follower, node| {
            let mut trust = Trust::pin(genesis, clock::now()).map_err(|error| node.malformed(error))?;
            let mut changes = Vec::new();
            loop {
                let before = trust.height();
                for bytes in &node.trust(before)?.hand_overs {
                    let hand_over = HandOver::from_bytes(bytes).map_err(|error| node.malformed(error))?;
                    let followed = trust.hand_over(&hand_over, clock::now());
                    let url = || node.url().to_owned();
                    let explained = followed.map_err(|error| FollowError::Trust { url: url(), error })?;
                    changes.extend(governance::changes(&hand_over, &explained));
                }
                if trust.height() == before {
                    break;
                }
            }
            match follower.trust.sets().iter().all(|set| trust.sets().contains(set)) {
                true => Ok(changes),
                false => Err(node.malformed("hand-overs to other sets than those that are believed").into()),
            }
        })
    }

    /// Believes a node's newest header, following hand-overs to it if the set is not known yet.
    pub fn believe_newest(&mut self, node: &NodeClient, header: &CertifiedHeader) -> Result<(), FollowError> {
        match self.trust.check_online(header, clock::now()) {
            Err(TrustError::UnknownValidators) => {
                let known = self.trust.height();
                self.update_from(node)?;
                if header.header.height < self.trust.height() {
                    return self.believe_overtaken(node, header, known);
                }
            }
            Err(error) => return Err(self.disbelieve(node, header, error)),
            Ok(()) => {}
        }
        let before = self.trust.height();
        self.believe(node, header)?;
        if self.trust.height() > before { self.keep() } else { Ok(()) }
    }

    /// The chain has gone on while a hand-over to the answer's header was followed: the answer is a little older than
    /// what is known by now, but not older than what was known when it was asked for.
    fn believe_overtaken(
        &mut self,
        node: &NodeClient,
        header: &CertifiedHeader,
        known: Height,
    ) -> Result<(), FollowError> {
        let answered = header.header.height;
        let late = self.trust.newest().map_or(SpanMs(0), |newest| newest.time.since(header.header.time));
        let checked = self.trust.check(header, clock::now()).and_then(|()| {
            if answered < known {
                return Err(TrustError::Rollback { answered, known });
            }
            if late.0 > OVERTAKEN_HEARTBEATS * self.trust.heartbeat.0 { Err(TrustError::Lagging(late)) } else { Ok(()) }
        });
        checked.map_err(|error| self.disbelieve(node, header, error))
    }

    /// Believes a header of the past, whatever its age; hand-overs are followed first if its set is not known yet.
    pub fn believe_past(&mut self, node: &NodeClient, header: &CertifiedHeader) -> Result<(), FollowError> {
        let mut checked = self.trust.check(header, clock::now());
        if checked == Err(TrustError::UnknownValidators) {
            self.update_from(node)?;
            checked = self.trust.check(header, clock::now());
        }
        checked.map_err(|error| self.disbelieve(node, header, error))
    }

    fn believe(&mut self, node: &NodeClient, header: &CertifiedHeader) -> Result<(), FollowError> {
        let now = clock::now();
        let believed = self.trust.check_online(header, now).and_then(|()| self.trust.accept(header, now));
        believed.map_err(|error| self.disbelieve(node, header, error))
    }

    /// A contradiction is kept before it is reported.
    fn disbelieve(&mut self, node: &NodeClient, header: &CertifiedHeader, error: TrustError) -> FollowError {
        if matches!(error, TrustError::Conflict(_)) {
            let _ = self.trust.accept(header, clock::now());
            if let Err(error) = self.keep() {
                return error;
            }
        }
        FollowError::Trust { url: node.url().to_owned(), error }
    }

    fn keep(&self) -> Result<(), FollowError> {
        self.home.save_trust(&self.trust).map_err(FollowError::Home)
    }

    /// Evidence of a licence as of now.
    pub fn evidence(&mut self, batch: LogIndex, digest: &LicenceDigest) -> Result<Evidence, FollowError> {
        self.ask(|follower, node| {
            let answer = node.evidence(batch, digest)?;
            follower.read_evidence(node, &answer)
        })
    }

    /// Evidence of several licences as of now; nothing for what a node says it does not know.
    pub fn evidence_many(&mut self, licences: &[EvidenceQuery]) -> Result<Vec<Option<Evidence>>, FollowError> {
        let mut found = Vec::with_capacity(licences.len());
        for asked in licences.chunks(EVIDENCE_PORTION) {
            let question = EvidenceMany { licences: asked.to_vec() };
            found.extend(self.ask(|follower, node| {
                let answer = node.evidence_many(&question)?;
                if answer.evidence.len() != asked.len() {
                    return Err(node.malformed("other evidence than asked for").into());
                }
                let header = follower.believed(node, &answer.certified)?;
                let read = answer.evidence.iter().map(|answer| {
                    let Some(answer) = answer else { return Ok(None) };
                    let evidence = Evidence::from_bytes(&answer.evidence).map_err(|error| node.malformed(error))?;
                    match evidence.certified.header == header.header {
                        true => Ok(Some(evidence)),
                        false => Err(node.malformed("evidence under another header").into()),
                    }
                });
                read.collect::<Result<Vec<_>, FollowError>>()
            })?);
        }
        Ok(found)
    }

    /// Evidence in an answer, under a header that is believed.
    pub fn read_evidence(&mut self, node: &NodeClient, answer: &EvidenceAnswer) -> Result<Evidence, FollowError> {
        let evidence = Evidence::from_bytes(&answer.evidence).map_err(|error| node.malformed(error))?;
        self.believe_newest(node, &evidence.certified)?;
        Ok(evidence)
    }

    /// A registry record as of now; `None` is proved absence.
    pub fn registry<T: RegistryRecord>(
        &mut self,
        id: &T::Id,
        fetch: impl Fn(&NodeClient) -> Result<LeafAnswer, NodeError>,
    ) -> Result<Found<T>, FollowError> {
        self.ask(|follower, node| {
            let answer = fetch(node)?;
            let header = certified(node, &answer.certified)?;
            follower.believe_newest(node, &header)?;
            let value = read_leaf(&answer, &header, id).map_err(|cause| node.malformed(cause))?;
            Ok(Found { value, header, answer })
        })
    }

    /// A leaf of the state as of now; `None` is proved absence.
    pub fn state<T: MapValue>(
        &mut self,
        key: &MapKey,
        fetch: impl Fn(&NodeClient) -> Result<LeafAnswer, NodeError>,
    ) -> Result<Found<T>, FollowError> {
        self.ask(|follower, node| {
            let answer = fetch(node)?;
            let header = follower.believed(node, &answer.certified)?;
            let value = state_leaf(node, &answer.leaf, &header, key)?;
            Ok(Found { value, header, answer })
        })
    }

    /// The header of an answer, once it is believed.
    pub fn believed(&mut self, node: &NodeClient, bytes: &[u8]) -> Result<CertifiedHeader, FollowError> {
        let header = certified(node, bytes)?;
        self.believe_newest(node, &header)?;
        Ok(header)
    }

    /// A registry record from an answer kept earlier, under a header that is believed whatever its age.
    pub fn registry_kept<T: RegistryRecord>(&self, id: &T::Id, answer: LeafAnswer) -> Result<Found<T>, String> {
        let header: CertifiedHeader =
            codec::decode(&answer.certified, CERTIFIED_BYTES_MAX).map_err(|error| error.to_string())?;
        self.trust.check(&header, clock::now()).map_err(|error| error.to_string())?;
        let value = read_leaf(&answer, &header, id)?;
        Ok(Found { value, header, answer })
    }
}

/// What the registry holds, and how that is proved.
#[derive(Debug, Clone)]
pub struct Found<T> {
    /// The record; `None` is proved absence.
    pub value: Option<T>,
    /// The header that proves it.
    pub header: CertifiedHeader,
    /// The answer, to be kept.
    pub answer: LeafAnswer,
}

/// A certified header in an answer; nothing of it is checked yet.
pub fn certified(node: &NodeClient, bytes: &[u8]) -> Result<CertifiedHeader, NodeError> {
    codec::decode(bytes, CERTIFIED_BYTES_MAX).map_err(|error| node.malformed(error))
}

/// A leaf of the state under a header that is believed.
pub fn state_leaf<T: MapValue>(
    node: &NodeClient,
    bytes: &[u8],
    header: &CertifiedHeader,
    key: &MapKey,
) -> Result<Option<T>, NodeError> {
    let leaf: ProvedLeaf = codec::decode(bytes, LEAF_BYTES_MAX).map_err(|error| node.malformed(error))?;
    leaf.read(&header.header.state_root, key).map_err(|error| node.malformed(error))
}

fn read_leaf<T: RegistryRecord + MapValue>(
    answer: &LeafAnswer,
    header: &CertifiedHeader,
    id: &T::Id,
) -> Result<Option<T>, String> {
    let leaf: ProvedLeaf = codec::decode(&answer.leaf, LEAF_BYTES_MAX).map_err(|error| error.to_string())?;
    leaf.read(&header.header.registry_root, &T::key_of(id)).map_err(|error| error.to_string())
}

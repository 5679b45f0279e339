//! The light client: which headers to believe, from one pin on.
//!
//! Trust begins with genesis (or a checkpoint), follows hand-overs from one validator set to the next, and remembers
//! the newest header accepted. What contradicts it is kept and stops it; what is merely old is judged by its age
//! elsewhere. Time is an argument: the verifier's clock, or the moment a receipt was written.

use bincode::{Decode, Encode};

use crate::bounded::List;
use crate::certificate::CertificateError;
use crate::codec::{self, CodecError};
use crate::genesis::{Genesis, GenesisError};
use crate::hand_over::{Explanation, HandOver, HandOverError, Spent};
use crate::hash::Suite;
use crate::header::{HEADER_VERSION, Header};
use crate::identifiers::{ChainName, ChainRef};
use crate::ids::{Height, SpanMs, TimeMs};
use crate::proof::CertifiedHeader;
use crate::registry::Parameters;
use crate::validators::ValidatorSet;
use crate::vote::ChainContext;

/// Layout of trust as it is kept.
pub const TRUST_VERSION: u8 = 1;
/// Validator sets that trust remembers: enough for old evidence, bounded for the file.
const SETS_MAX: usize = 4_096;
/// Changes of validators remembered so that no act explains one twice; more within 90 days are not followed.
const SPENT_MAX: usize = 16_384;
/// Bytes of trust as it is kept.
pub const TRUST_BYTES_MAX: usize = 48 << 20;
/// How far a header may be ahead of the clock.
pub const AHEAD_MAX: SpanMs = SpanMs(60_000);
/// An online answer older than so many heartbeats is a node that lags or lies.
const ONLINE_HEARTBEATS: u64 = 3;

/// A validator set and the first height that it certifies.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct TrustedSet {
    /// From here on.
    pub from: Height,
    /// The set.
    pub validators: ValidatorSet,
}

/// Two certified headers that cannot both be: proof that a quorum lied.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Conflict {
    /// The one known before.
    pub first: CertifiedHeader,
    /// The one that came.
    pub second: CertifiedHeader,
}

/// What a light client believes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Trust {
    /// Layout: 1.
    pub version: u8,
    /// Name of the chain, as in DIDs.
    pub name: ChainName,
    /// Chain and era.
    pub chain: ChainContext,
    /// Longest time without a block.
    pub heartbeat: SpanMs,
    /// Age at which trust accepts nothing new.
    pub trust_period: SpanMs,
    /// Sets in ascending order of height; each holds until the next.
    sets: List<TrustedSet, SETS_MAX>,
    /// Acts that have explained a change of validators and explain it no more, ascending.
    spent: List<Spent, SPENT_MAX>,
    /// When the user pinned it.
    pub pinned_at: TimeMs,
    /// The newest header accepted; header 0 has no certificate.
    newest: Option<CertifiedHeader>,
    /// Set once the chain was caught lying.
    pub conflict: Option<Conflict>,
}

/// Why a header is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Trust was stopped by a conflict.
    #[error("two certified headers contradict each other at height {0}: the chain cannot be trusted any more")]
    Conflict(Height),
    /// Another chain or era.
    #[error("of another chain or era than the pinned one")]
    UnknownChain,
    /// A layout or hash suite that this software does not know.
    #[error("header of unknown version or hash suite")]
    Version,
    /// Ahead of the clock.
    #[error("header is {} s ahead of the clock", .0.0 / 1000)]
    Ahead(SpanMs),
    /// Nothing newer was accepted for a trust period.
    #[error("trust is older than its period; pin the chain again from a source you trust")]
    Stale,
    /// The header is certified by a set that trust has not been handed over to.
    #[error("certified by a validator set that is not known; run `trust update`")]
    UnknownValidators,
    /// The certificate is of another header.
    #[error("the certificate is of another header")]
    OtherHeader,
    /// The certificate certifies nothing.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A node answered with less than is known already.
    #[error("the node answered with height {answered}, {known} is known already")]
    Rollback {
        /// In the answer.
        answered: Height,
        /// Known before.
        known: Height,
    },
    /// A node answered with a header too old to be the newest.
    #[error("the node's newest header is {} s old", .0.0 / 1000)]
    Lagging(SpanMs),
    /// A hand-over that proves nothing.
    #[error(transparent)]
    HandOver(#[from] Box<HandOverError>),
    /// More changes of validators than are remembered.
    #[error("more than {SPENT_MAX} changes of validators in 90 days")]
    Restless,
}

impl TrustError {
    /// Stable reason code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "conflicting_headers",
            Self::UnknownChain => "unknown_chain",
            Self::Version => "header_version",
            Self::Ahead(_) => "ahead_of_clock",
            Self::Stale => "trust_stale",
            Self::UnknownValidators => "unknown_validators",
            Self::OtherHeader | Self::Certificate(_) => "certificate_wrong",
            Self::Rollback { .. } | Self::Lagging(_) => "rollback",
            Self::HandOver(_) | Self::Restless => "hand_over_wrong",
        }
    }
}

/// Why kept trust cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustFileError {
    /// Not decodable.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A layout this software does not know.
    #[error("trust of unknown version {0}")]
    Version(u8),
    /// No set, or sets out of order.
    #[error("trust without validator sets in order")]
    Sets,
}

impl Trust {
    /// Pins a chain by its genesis.
    pub fn pin(genesis: &Genesis, now: TimeMs) -> Result<Self, GenesisError> {
        let validators = genesis.validator_set()?;
        let parameters: &Parameters = &genesis.parameters;
        Ok(Self {
            version: TRUST_VERSION,
            name: genesis.name.clone(),
            chain: genesis.chain(),
            heartbeat: parameters.heartbeat,
            trust_period: parameters.trust_period,
            sets: List::new(vec![TrustedSet { from: Height(0), validators }]).expect("one is within the limit"),
            spent: List::empty(),
            pinned_at: now,
            newest: None,
            conflict: None,
        })
    }
    /// As it is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads kept trust.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TrustFileError> {
        let trust: Self = codec::decode(bytes, TRUST_BYTES_MAX)?;
        if trust.version != TRUST_VERSION {
            return Err(TrustFileError::Version(trust.version));
        }
        let ascending = trust.sets.windows(2).all(|pair| pair[0].from < pair[1].from);
        if trust.sets.is_empty() || !ascending {
            return Err(TrustFileError::Sets);
        }
        Ok(trust)
    }
    /// The chain as it is written in DIDs.
    pub fn chain_ref(&self) -> ChainRef {
        ChainRef::new(self.name.clone(), &self.chain.chain_id)
    }
    /// The newest header accepted.
    pub fn newest(&self) -> Option<&Header> {
        self.newest.as_ref().map(|newest| &newest.header)
    }
    /// Height of the newest header accepted.
    pub fn height(&self) -> Height {
        self.newest().map_or(Height(0), |newest| newest.height)
    }
    /// The set that certifies a height, as far as known.
    pub fn validators_at(&self, height: Height) -> Option<&ValidatorSet> {
        self.sets.iter().rev().find(|set| set.from <= height).map(|set| &set.validators)
    }
    /// All sets known, ascending by height.
    pub fn sets(&self) -> &[TrustedSet] {
        &self.sets
    }
    /// How old trust is: since the newest header, or since the pin.
    pub fn age(&self, now: TimeMs) -> SpanMs {
        let base = self.newest().map_or(self.pinned_at, |newest| newest.time.max(self.pinned_at));
        now.since(base)
    }

    /// Is this header to be believed, whatever its age?
    pub fn check(&self, certified: &CertifiedHeader, now: TimeMs) -> Result<(), TrustError> {
        if let Some(conflict) = &self.conflict {
            return Err(TrustError::Conflict(conflict.first.header.height));
        }
        let header = &certified.header;
        if header.chain_id != self.chain.chain_id || header.era != self.chain.era {
            return Err(TrustError::UnknownChain);
        }
        if header.version != HEADER_VERSION || header.suite != Suite::Sha256 {
            return Err(TrustError::Version);
        }
        if header.time > now.after(AHEAD_MAX) {
            return Err(TrustError::Ahead(header.time.since(now)));
        }
        if header.height > self.height() && self.age(now) > self.trust_period {
            return Err(TrustError::Stale);
        }
        let set = self.validators_at(header.height).ok_or(TrustError::UnknownValidators)?;
        if set.hash() != header.validators {
            return Err(TrustError::UnknownValidators);
        }
        let certificate = &certified.certificate;
        if certificate.header_hash != header.hash() || certificate.height != header.height {
            return Err(TrustError::OtherHeader);
        }
        certificate.verify_trimmed(set, &self.chain)?;
        if self.contradicts(header) {
            return Err(TrustError::Conflict(header.height));
        }
        Ok(())
    }

    /// Is this header to be believed as a node's answer to "what is newest"?
    pub fn check_online(&self, certified: &CertifiedHeader, now: TimeMs) -> Result<(), TrustError> {
        self.check(certified, now)?;
        let (answered, known) = (certified.header.height, self.height());
        if answered < known {
            return Err(TrustError::Rollback { answered, known });
        }
        let age = now.since(certified.header.time);
        if age.0 > ONLINE_HEARTBEATS * self.heartbeat.0 {
            return Err(TrustError::Lagging(age));
        }
        Ok(())
    }

    /// Believes a header and remembers it if it is the newest; a contradiction is kept and stops trust for good.
    pub fn accept(&mut self, certified: &CertifiedHeader, now: TimeMs) -> Result<(), TrustError> {
        self.check_and_keep_conflict(certified, now)?;
        if certified.header.height > self.height() {
            self.newest = Some(certified.clone());
        }
        Ok(())
    }

    /// Follows a change of the validator set; says what explains each difference.
    pub fn hand_over(&mut self, hand_over: &HandOver, now: TimeMs) -> Result<Vec<Explanation>, TrustError> {
        let header = &hand_over.certified.header;
        if header.height < self.height() {
            return Err(TrustError::Rollback { answered: header.height, known: self.height() });
        }
        self.check_and_keep_conflict(&hand_over.certified, now)?;
        let set = TrustedSet { from: header.height.next(), validators: hand_over.next.clone() };
        if self.sets.contains(&set) {
            return Ok(Vec::new());
        }
        let current = self.validators_at(header.height).ok_or(TrustError::UnknownValidators)?;
        let explanations = hand_over.verify(&self.chain, current, &self.spent).map_err(Box::new)?;
        let parameters = hand_over.parameters().map_err(Box::new)?;
        let spent = self.spend(&explanations, header.time)?;
        self.accept(&hand_over.certified, now)?;
        self.spent = spent;
        (self.heartbeat, self.trust_period) = (parameters.heartbeat, parameters.trust_period);
        if self.sets.last().is_some_and(|last| last.from < set.from && last.validators != set.validators) {
            let mut sets = std::mem::take(&mut self.sets).into_vec();
            if sets.len() == SETS_MAX {
                sets.remove(0);
            }
            sets.push(set);
            self.sets = List::new(sets).expect("one was taken out where the list was full");
        }
        Ok(explanations)
    }

    /// The acts spent so far and these, without those that are too old to matter.
    fn spend(&self, new: &[Explanation], time: TimeMs) -> Result<List<Spent, SPENT_MAX>, TrustError> {
        let new = new.iter().map(|explanation| explanation.spent);
        let mut spent: Vec<Spent> = self.spent.iter().copied().chain(new).filter(|spent| spent.until >= time).collect();
        spent.sort_unstable();
        spent.dedup();
        List::new(spent).map_err(|_| TrustError::Restless)
    }

    fn check_and_keep_conflict(&mut self, certified: &CertifiedHeader, now: TimeMs) -> Result<(), TrustError> {
        let checked = self.check(certified, now);
        if let (Err(TrustError::Conflict(_)), None, Some(newest)) = (&checked, &self.conflict, &self.newest) {
            self.conflict = Some(Conflict { first: newest.clone(), second: certified.clone() });
        }
        checked
    }

    fn contradicts(&self, header: &Header) -> bool {
        self.newest().is_some_and(|newest| newest.height == header.height && newest.hash() != header.hash())
    }
}

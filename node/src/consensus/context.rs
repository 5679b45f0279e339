//! The engine's view of our types: newtypes where its traits demand them, never a second encoding.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use kanhe_proto::codec::{self, CodecError};
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids;
use kanhe_proto::key::{PublicKey, Signature};
use kanhe_proto::validators;
use kanhe_proto::vote as proto_vote;
use kanhe_proto::vote::ChainContext;
use malachite_types::{
    Context, LinearTimeouts, NilOrVal, Round, SignedExtension, SigningScheme, ValueId, VoteType, VotingPower,
};

use super::streaming::StreamInit;

/// Bytes of an encoded public key.
const PUBLIC_KEY_BYTES_MAX: usize = 128;
/// Bytes of an encoded signature.
const SIGNATURE_BYTES_MAX: usize = 128;

/// Ties our types to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KanheContext;

/// Number of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Height(pub ids::Height);

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl malachite_types::Height for Height {
    const ZERO: Self = Self(ids::Height(0));
    const INITIAL: Self = Self(ids::Height(1));

    fn increment_by(&self, n: u64) -> Self {
        Self(ids::Height(self.0.0.saturating_add(n)))
    }
    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.0.checked_sub(n).map(|height| Self(ids::Height(height)))
    }
    fn as_u64(&self) -> u64 {
        self.0.0
    }
}

/// Address of a validator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub validators::Address);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl malachite_types::Address for Address {}

/// One validator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator {
    address: Address,
    key: PublicKey,
    power: VotingPower,
}

impl malachite_types::Validator<KanheContext> for Validator {
    fn address(&self) -> &Address {
        &self.address
    }
    fn public_key(&self) -> &PublicKey {
        &self.key
    }
    fn voting_power(&self) -> VotingPower {
        self.power
    }
}

/// The validators of a height, in ascending order of address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatorSet {
    members: Arc<[Validator]>,
    total_power: VotingPower,
}

impl From<&validators::ValidatorSet> for ValidatorSet {
    fn from(set: &validators::ValidatorSet) -> Self {
        let member = |member: &validators::Validator| Validator {
            address: Address(member.address),
            key: member.key.clone(),
            power: member.power.0,
        };
        Self { members: set.members().iter().map(member).collect(), total_power: set.total_power().0 }
    }
}
impl malachite_types::ValidatorSet<KanheContext> for ValidatorSet {
    fn count(&self) -> usize {
        self.members.len()
    }
    fn total_voting_power(&self) -> VotingPower {
        self.total_power
    }
    fn get_by_address(&self, address: &Address) -> Option<&Validator> {
        let place = self.members.binary_search_by_key(address, |member| member.address).ok()?;
        self.members.get(place)
    }
    fn get_by_index(&self, index: usize) -> Option<&Validator> {
        self.members.get(index)
    }
}

/// Whose turn it is: members take turns by height and round, in order of address.
pub fn proposer_at(set: &validators::ValidatorSet, height: ids::Height, round: ids::Round) -> validators::Address {
    set.members()[turn(set.members().len(), height, round.0)].address
}

fn turn(members: usize, height: ids::Height, round: u32) -> usize {
    let members = members as u64;
    let turn = (height.0 % members + u64::from(round) % members) % members;
    usize::try_from(turn).expect("less than the number of members")
}

/// The value that validators agree on: a header's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value(pub HeaderHash);

impl malachite_types::Value for Value {
    type Id = HeaderHash;
    fn id(&self) -> HeaderHash {
        self.0
    }
}

/// A proposal for a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    height: Height,
    round: Round,
    value: Value,
    pol_round: Round,
    address: Address,
}

impl Proposal {
    /// As it is signed; the engine makes none without a round.
    pub fn to_proto(&self) -> Option<proto_vote::Proposal> {
        Some(proto_vote::Proposal {
            height: self.height.0,
            round: ids::Round(self.round.as_u32()?),
            value: self.value.0,
            valid_round: self.pol_round.as_u32().map(ids::Round),
            address: self.address.0,
        })
    }
}
impl From<proto_vote::Proposal> for Proposal {
    fn from(proposal: proto_vote::Proposal) -> Self {
        Self {
            height: Height(proposal.height),
            round: Round::new(proposal.round.0),
            value: Value(proposal.value),
            pol_round: proposal.valid_round.map_or(Round::Nil, |round| Round::new(round.0)),
            address: Address(proposal.address),
        }
    }
}
impl malachite_types::Proposal<KanheContext> for Proposal {
    fn height(&self) -> Height {
        self.height
    }
    fn round(&self) -> Round {
        self.round
    }
    fn value(&self) -> &Value {
        &self.value
    }
    fn take_value(self) -> Value {
        self.value
    }
    fn pol_round(&self) -> Round {
        self.pol_round
    }
    fn validator_address(&self) -> &Address {
        &self.address
    }
}

/// A prevote or precommit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    vote_type: VoteType,
    height: Height,
    round: Round,
    value: NilOrVal<HeaderHash>,
    address: Address,
}

impl Vote {
    /// As it is signed; the engine makes none without a round.
    pub fn to_proto(&self) -> Option<proto_vote::Vote> {
        Some(proto_vote::Vote {
            vote_type: to_proto_type(self.vote_type),
            height: self.height.0,
            round: ids::Round(self.round.as_u32()?),
            value: to_option(&self.value),
            address: self.address.0,
        })
    }
}
impl From<proto_vote::Vote> for Vote {
    fn from(vote: proto_vote::Vote) -> Self {
        Self {
            vote_type: from_proto_type(vote.vote_type),
            height: Height(vote.height),
            round: Round::new(vote.round.0),
            value: from_option(vote.value),
            address: Address(vote.address),
        }
    }
}
impl malachite_types::Vote<KanheContext> for Vote {
    fn height(&self) -> Height {
        self.height
    }
    fn round(&self) -> Round {
        self.round
    }
    fn value(&self) -> &NilOrVal<HeaderHash> {
        &self.value
    }
    fn take_value(self) -> NilOrVal<HeaderHash> {
        self.value
    }
    fn vote_type(&self) -> VoteType {
        self.vote_type
    }
    fn validator_address(&self) -> &Address {
        &self.address
    }
    // Vote extensions are off.
    fn extension(&self) -> Option<&SignedExtension<KanheContext>> {
        None
    }
    fn take_extension(&mut self) -> Option<SignedExtension<KanheContext>> {
        None
    }
    fn extend(self, _: SignedExtension<KanheContext>) -> Self {
        self
    }
}

/// The protocol's name of a vote type.
pub const fn to_proto_type(vote_type: VoteType) -> proto_vote::VoteType {
    match vote_type {
        VoteType::Prevote => proto_vote::VoteType::Prevote,
        VoteType::Precommit => proto_vote::VoteType::Precommit,
    }
}

/// The engine's name of a vote type.
pub const fn from_proto_type(vote_type: proto_vote::VoteType) -> VoteType {
    match vote_type {
        proto_vote::VoteType::Prevote => VoteType::Prevote,
        proto_vote::VoteType::Precommit => VoteType::Precommit,
    }
}

/// Nothing for nil.
pub fn to_option(value: &NilOrVal<HeaderHash>) -> Option<HeaderHash> {
    match value {
        NilOrVal::Nil => None,
        NilOrVal::Val(value) => Some(*value),
    }
}

/// Nil for nothing.
pub fn from_option(value: Option<HeaderHash>) -> NilOrVal<HeaderHash> {
    value.map_or(NilOrVal::Nil, NilOrVal::Val)
}

/// A part of a streamed block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProposalPart {
    /// First part: what is streamed, signed, and the first bytes.
    Init(Box<StreamInit>, Bytes),
    /// Further bytes, by their place in the stream.
    Data(Bytes),
}

impl malachite_types::ProposalPart<KanheContext> for ProposalPart {
    fn is_first(&self) -> bool {
        matches!(self, Self::Init(..))
    }
    // A stream ends with the length that its first part names.
    fn is_last(&self) -> bool {
        false
    }
}

/// A signature as the engine carries it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seal {
    /// A signature.
    Signed(Signature),
    /// What the guard answers when it refuses. It verifies under no key, so the engine drops the message that it
    /// just made, and the codec sends no such message: the validator is silent in that slot.
    Withheld,
}

/// One scheme for all algorithms: keys and signatures name theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheme;

impl SigningScheme for Scheme {
    type DecodingError = CodecError;
    type Signature = Seal;
    type PublicKey = PublicKey;
    // Secret keys stay behind the signer.
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<Seal, CodecError> {
        codec::decode(bytes, SIGNATURE_BYTES_MAX).map(Seal::Signed)
    }
    fn encode_signature(signature: &Seal) -> Vec<u8> {
        match signature {
            Seal::Signed(signature) => codec::encode(signature),
            Seal::Withheld => Vec::new(),
        }
    }
    fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, CodecError> {
        codec::decode(bytes, PUBLIC_KEY_BYTES_MAX)
    }
    fn encode_public_key(public_key: &PublicKey) -> Vec<u8> {
        codec::encode(public_key)
    }
}

impl Context for KanheContext {
    type Address = Address;
    type Height = Height;
    type ProposalPart = ProposalPart;
    type Proposal = Proposal;
    type Validator = Validator;
    type ValidatorSet = ValidatorSet;
    type Timeouts = LinearTimeouts;
    type Value = Value;
    type Vote = Vote;
    type Extension = ();
    type SigningScheme = Scheme;

    fn select_proposer<'a>(&self, set: &'a ValidatorSet, height: Height, round: Round) -> &'a Validator {
        &set.members[turn(set.members.len(), height.0, round.as_u32().unwrap_or(0))]
    }
    fn new_proposal(&self, height: Height, round: Round, value: Value, pol_round: Round, address: Address) -> Proposal {
        Proposal { height, round, value, pol_round, address }
    }
    fn new_prevote(&self, height: Height, round: Round, value: NilOrVal<ValueId<Self>>, address: Address) -> Vote {
        Vote { vote_type: VoteType::Prevote, height, round, value, address }
    }
    fn new_precommit(&self, height: Height, round: Round, value: NilOrVal<ValueId<Self>>, address: Address) -> Vote {
        Vote { vote_type: VoteType::Precommit, height, round, value, address }
    }
}

/// Verifies a seal over sign bytes.
pub fn verify(key: &PublicKey, message: Option<Vec<u8>>, seal: &Seal) -> bool {
    match (message, seal) {
        (Some(message), Seal::Signed(signature)) => key.verify(&message, signature).is_ok(),
        _ => false,
    }
}

/// The bytes signed for a vote.
pub fn vote_bytes(vote: &Vote, chain: &ChainContext) -> Option<Vec<u8>> {
    vote.to_proto().map(|vote| vote.sign_bytes(chain))
}

/// The bytes signed for a proposal.
pub fn proposal_bytes(proposal: &Proposal, chain: &ChainContext) -> Option<Vec<u8>> {
    proposal.to_proto().map(|proposal| proposal.sign_bytes(chain))
}

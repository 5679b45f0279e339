//! What is done to a case, and what is signed for it.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::bounded::{List, Text};
use crate::codec::{self, CodecError};
use crate::hash::{self, CaseId, ChainId, Commitment, Hash};
use crate::identifiers::Uscc;
use crate::ids::TimeMs;
use crate::item::{ItemCode, ItemVersion, PartName};
use crate::key::{KeyError, KeyId, PublicKey, SignError, Signature, Signer};
use crate::limits::{
    CASE_ACTS_MAX, CASE_PAYLOAD_BYTES_MAX, CASE_SLOTS_MAX, CLERK_BYTES_MAX, ENGINE_BYTES_MAX, ITEM_ROLES_MAX,
};
use crate::registry::PurposeCode;
use crate::tags;
use crate::vote::{self, ChainContext};

/// Payload of `Case`, version 1: acts that are executed all or none, in order. Any member sends it, with an issuing or
/// validator key: what counts is signed inside.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct CasePayload {
    /// At least one.
    pub acts: List<SignedAct, CASE_ACTS_MAX>,
}

impl CasePayload {
    /// Signatures that executing it verifies, besides the transaction's own.
    pub fn signatures(&self) -> usize {
        self.acts.iter().map(|signed| signed.act.signatures()).sum()
    }
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads acts of anyone; nothing of them is checked yet.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, CASE_PAYLOAD_BYTES_MAX)
    }
}

/// Public key of an invitation: its secret is handed to who is to join.
pub type Invitation = PublicKey;

/// Under which key a slot acts.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotKey {
    /// The party's own key for this case.
    Known(PublicKey),
    /// Whoever has the secret of this key brings a key of its own.
    Invited(Invitation),
}

impl SlotKey {
    /// The key, whosever it is.
    pub const fn key(&self) -> &PublicKey {
        match self {
            Self::Known(key) | Self::Invited(key) => key,
        }
    }
}

/// A place for somebody who takes part besides the opener.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct SlotRequest {
    /// Place of the party in the item.
    pub party: u8,
    /// Who may act in it.
    pub key: SlotKey,
}

/// What was said to a bureau, as far as the chain knows it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct FileRef {
    /// Place of the bureau in the item.
    pub to: u8,
    /// To the whole case file.
    pub commitment: Commitment,
    /// Bytes of it, rounded up to 4 KiB.
    pub bytes: u32,
}

/// Files of one act, strictly ascending by bureau.
pub type FileRefs = List<FileRef, ITEM_ROLES_MAX>;

/// A clerk acts for somebody who has no wallet.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Assisted {
    /// The clerk's bureau.
    pub bureau: Uscc,
    /// Its issuing key.
    pub key: KeyId,
    /// The bureau's own number of the clerk; no name.
    pub clerk: Text<CLERK_BYTES_MAX>,
    /// The purpose on whose ground bureaus read what the person cannot show.
    pub ground: PurposeCode,
    /// Over [`assisted_bytes`].
    pub signature: Signature,
}

impl Assisted {
    /// The clerk.
    pub fn clerk(&self) -> Clerk {
        Clerk { bureau: self.bureau, number: self.clerk.clone(), ground: self.ground.clone() }
    }
}

/// A clerk who acts for somebody, as its bureau says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clerk {
    /// The bureau.
    pub bureau: Uscc,
    /// Its own number of the clerk; no name.
    pub number: Text<CLERK_BYTES_MAX>,
    /// The purpose on whose ground bureaus read.
    pub ground: PurposeCode,
}

/// Opens a case, and is the opener's presentation of round 0.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Open {
    /// The item.
    pub item: ItemCode,
    /// Its version.
    pub version: ItemVersion,
    /// Digest of its file.
    pub file: Hash,
    /// Block time after which it is void; at most a day ahead.
    pub not_after: TimeMs,
    /// The opener's key for this case; names the case.
    pub key: PublicKey,
    /// X25519: letters to the opener are sealed to it.
    pub letter_key: PublicKey,
    /// Who plays each role of the item, in its order.
    pub chosen: List<Uscc, ITEM_ROLES_MAX>,
    /// Places for the others. In the case they come after the opener's.
    pub slots: List<SlotRequest, { CASE_SLOTS_MAX - 1 }>,
    /// What the opener says to bureaus.
    pub files: FileRefs,
    /// Set if a clerk opens it for somebody.
    pub assisted: Option<Assisted>,
}

/// Who was invited joins with a key of its own.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Join {
    /// Its key for this case.
    pub key: PublicKey,
    /// By the invitation's key, over [`join_bytes`].
    pub signature: Signature,
}

/// A party says something to bureaus, and agrees by that.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Present {
    /// Which case.
    pub case: CaseId,
    /// The party's slot.
    pub slot: u8,
    /// The slot's round.
    pub round: u32,
    /// Set the first time in a slot that was an invitation.
    pub join: Option<Join>,
    /// X25519: letters to this party are sealed to it from now on.
    pub letter_key: PublicKey,
    /// What it says to bureaus.
    pub files: FileRefs,
    /// Set if a clerk does it for somebody.
    pub assisted: Option<Assisted>,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Yes.
    Approved,
    /// No: ends the case.
    Rejected,
    /// Something is missing: those whom the step waits for present anew.
    Returned,
}
crate::ids::byte_enum!(Outcome { Approved = 1, Rejected = 2, Returned = 3 });

/// Who decided.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Rules alone; only automatic steps.
    Rules,
    /// An officer of the bureau.
    Officer {
        /// To the bureau's own number of the officer.
        officer: Commitment,
    },
}

/// Rules that were run, so that whoever is given the inputs runs them again.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Run {
    /// SHA-256 of the texts of the step's rules.
    pub rules: Hash,
    /// What ran them, with its version.
    pub engine: Text<ENGINE_BYTES_MAX>,
    /// To the inputs.
    pub inputs: Commitment,
    /// To the result.
    pub result: Commitment,
}

/// A bureau decides a step.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Decide {
    /// Which case.
    pub case: CaseId,
    /// Place of the step in the item.
    pub step: u8,
    /// The step's round.
    pub round: u32,
    /// Issuing key of the step's bureau.
    pub key: KeyId,
    /// What.
    pub outcome: Outcome,
    /// By whom.
    pub how: How,
    /// The rules that were run, if any.
    pub run: Option<Run>,
    /// Why not; a code of the item. Its words go in the letter.
    pub reason: Option<PartName>,
    /// To the letter that goes with it.
    pub letter: Option<Commitment>,
    /// What later steps get to know.
    pub passed: FileRefs,
}

/// A bureau has issued what a step yields.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Issued {
    /// Which case.
    pub case: CaseId,
    /// Place of the step in the item.
    pub step: u8,
    /// Issuing key of the step's bureau.
    pub key: KeyId,
    /// To batch ids and licence digests.
    pub licences: Commitment,
}

/// The opener or the applicant takes the case back.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Withdraw {
    /// Which case.
    pub case: CaseId,
    /// The slot of who does it.
    pub slot: u8,
}

/// The applicant says how it went.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Rate {
    /// Which case.
    pub case: CaseId,
    /// 1, bad, to 5, good.
    pub stars: u8,
}

/// Something that is done to a case. The order of the variants is the format.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// See [`Open`].
    Open(Open),
    /// See [`Present`].
    Present(Present),
    /// See [`Decide`].
    Decide(Decide),
    /// See [`Issued`].
    Issued(Issued),
    /// See [`Withdraw`].
    Withdraw(Withdraw),
    /// See [`Rate`].
    Rate(Rate),
}

impl Act {
    /// The case that it is about.
    pub fn case(&self, chain: &ChainId) -> CaseId {
        match self {
            Self::Open(open) => case_id(chain, &open.key),
            Self::Present(present) => present.case,
            Self::Decide(decide) => decide.case,
            Self::Issued(issued) => issued.case,
            Self::Withdraw(withdraw) => withdraw.case,
            Self::Rate(rate) => rate.case,
        }
    }
    /// Signatures that are verified for it.
    pub const fn signatures(&self) -> usize {
        let joins = matches!(self, Self::Present(Present { join: Some(_), .. }));
        1 + joins as usize + self.assisted().is_some() as usize
    }
    /// The clerk who does it for somebody, if one does.
    pub const fn assisted(&self) -> Option<&Assisted> {
        match self {
            Self::Open(open) => open.assisted.as_ref(),
            Self::Present(present) => present.assisted.as_ref(),
            Self::Decide(_) | Self::Issued(_) | Self::Withdraw(_) | Self::Rate(_) => None,
        }
    }
    /// The same with or without a clerk; what no clerk does stays as it is.
    fn with(self, assisted: Option<Assisted>) -> Self {
        match self {
            Self::Open(open) => Self::Open(Open { assisted, ..open }),
            Self::Present(present) => Self::Present(Present { assisted, ..present }),
            other => other,
        }
    }
    /// The same, done by a clerk for somebody: signed by the bureau's issuing key, before the party's own signature.
    pub fn assisted_by(self, chain: &ChainContext, clerk: Clerk, signer: &dyn Signer) -> Result<Self, SignError> {
        let key = signer.public_key().id();
        let alone = self.with(None);
        let signature = signer.sign(&assisted_bytes(chain, &alone, &clerk, &key))?;
        let Clerk { bureau, number, ground } = clerk;
        Ok(alone.with(Some(Assisted { bureau, key, clerk: number, ground, signature })))
    }
    /// Whether the clerk's bureau signed it, if a clerk does it.
    pub fn verify_assisted(&self, chain: &ChainContext, key: &PublicKey) -> Result<(), KeyError> {
        let Some(assisted) = self.assisted() else { return Ok(()) };
        let alone = self.clone().with(None);
        key.verify(&assisted_bytes(chain, &alone, &assisted.clerk(), &assisted.key), &assisted.signature)
    }
    /// Signs it.
    pub fn sign(self, chain: &ChainContext, signer: &dyn Signer) -> Result<SignedAct, SignError> {
        let signature = signer.sign(&act_bytes(chain, &self))?;
        Ok(SignedAct { act: self, signature })
    }
}

/// An act with the signature of who does it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct SignedAct {
    /// What.
    pub act: Act,
    /// Over [`act_bytes`].
    pub signature: Signature,
}

impl SignedAct {
    /// Whether it is of this key, on this chain.
    pub fn verify(&self, chain: &ChainContext, key: &PublicKey) -> Result<(), KeyError> {
        key.verify(&act_bytes(chain, &self.act), &self.signature)
    }
}

impl Join {
    /// Joins by the invitation's secret.
    pub fn sign(
        chain: &ChainContext,
        case: &CaseId,
        slot: u8,
        key: PublicKey,
        invitation: &dyn Signer,
    ) -> Result<Self, SignError> {
        let signature = invitation.sign(&join_bytes(chain, case, slot, &key))?;
        Ok(Self { key, signature })
    }
    /// Whether who was invited let this key in.
    pub fn verify(
        &self,
        chain: &ChainContext,
        case: &CaseId,
        slot: u8,
        invitation: &Invitation,
    ) -> Result<(), KeyError> {
        invitation.verify(&join_bytes(chain, case, slot, &self.key), &self.signature)
    }
}

/// H(tag ‖ chain id ‖ opener's key).
pub fn case_id(chain: &ChainId, opener: &PublicKey) -> CaseId {
    CaseId(hash::tagged(tags::CASE_ID, &(chain, opener)))
}

/// tag ‖ chain ‖ act: what is signed by who does it.
pub fn act_bytes(chain: &ChainContext, act: &Act) -> Vec<u8> {
    vote::preimage(tags::CASE_ACT, chain, act)
}

/// tag ‖ chain ‖ case ‖ slot ‖ new key: what the invitation's key signs.
pub fn join_bytes(chain: &ChainContext, case: &CaseId, slot: u8, key: &PublicKey) -> Vec<u8> {
    vote::preimage(tags::CASE_JOIN, chain, &(case, slot, key))
}

/// tag ‖ chain ‖ act without assistance ‖ bureau ‖ key id ‖ clerk ‖ ground: what the clerk's bureau signs.
pub fn assisted_bytes(chain: &ChainContext, alone: &Act, clerk: &Clerk, key: &KeyId) -> Vec<u8> {
    vote::preimage(tags::CASE_ASSISTED, chain, &(alone, &clerk.bureau, key, &clerk.number, &clerk.ground))
}

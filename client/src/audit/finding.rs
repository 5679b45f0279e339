//! What is found of an event of a case.

use kanhe_proto::case::Clerk;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, LogIndex, SpanMs, TimeMs};
use kanhe_proto::key::KeyId;
use schemars::JsonSchema;
use serde::Serialize;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// The case was opened, and its opener presented.
    Opened,
    /// A party presented.
    Presented,
    /// A step was decided: yes.
    Approved,
    /// A step was decided: no.
    Rejected,
    /// A step was handed back.
    Returned,
    /// What a step yields was issued.
    Issued,
    /// The case was taken back.
    Withdrawn,
    /// The applicant rated it.
    Rated,
    /// Its time ran out.
    Expired,
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signer {
    /// The one-time key of a slot.
    Slot(u8),
    /// A bureau, with its issuing key.
    Bureau(Uscc, KeyId),
    /// Nobody: the block's time.
    Time,
}

/// What is wrong with an event, or with the case as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It is about another case, item or version.
    OtherCase,
    /// It is not signed by the key that it must be of.
    SignatureWrong,
    /// The key is not in the registry as an issuing key of this bureau, or was not in force.
    KeyNotInForce,
    /// The bureau is not among those that may play the role.
    BureauNotBound,
    /// No such slot, step or invitation.
    NotNamed,
    /// A step that it needs was not approved, or a party that it waits for had not presented.
    NotReady,
    /// It decides what was decided.
    DecidedTwice,
    /// It is of another round.
    OtherRound,
    /// The rules or the engine are not those of the item's text.
    OtherRules,
    /// Decided by rules alone, though the item asks for an officer.
    OfficerMissing,
    /// It came after the case had ended.
    AfterEnd,
    /// Its time had not run out.
    NotExpired,
    /// The record says that the case stood otherwise than its events make it.
    StatusWrong,
    /// It was rated before its end.
    RatedEarly,
    /// It was rated before.
    RatedTwice,
    /// There are no such stars.
    StarsWrong,
    /// The case as the chain keeps it is not what its events make of it.
    LeafWrong,
}

/// An event, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where its record is.
    pub index: LogIndex,
    /// Block.
    pub height: Height,
    /// Time of the block.
    pub time: TimeMs,
    /// What.
    pub done: Done,
    /// Place of the step, if it is about one.
    pub step: Option<u8>,
    /// Who.
    pub signer: Signer,
    /// The clerk who did it for somebody without a wallet.
    pub clerk: Option<Clerk>,
    /// Whether no officer decided; nothing where nothing was decided.
    pub by_rules: Option<bool>,
    /// How long the step had been ready when it was decided.
    pub waited: Option<SpanMs>,
    /// Whether it came after the step's time limit.
    pub late: bool,
    /// What is wrong; empty: proved.
    pub faults: Vec<Fault>,
}

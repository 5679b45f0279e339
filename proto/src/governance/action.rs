//! What a proposal does once it is decided.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::NewKey;
use crate::bounded::{List, Text};
use crate::hash::ProposalId;
use crate::identifiers::{TypeCode, TypeVersion, Uscc};
use crate::ids::{Height, LogIndex, Power, ProtocolVersion, SpanMs};
use crate::item::{BoundRole, ItemCode};
use crate::key::{KeyId, PublicKey};
use crate::limits::{
    ADMITTED_KEYS_MAX, CODE_BYTES_MAX, DATA_DECLARED_MAX, ITEM_BYTES_MAX, ITEM_ROLES_MAX, REAFFIRMED_MAX,
    REGISTRY_LIST_MAX, SCHEMA_BYTES_MAX,
};
use crate::registry::{
    Addresses, AskRight, DataCode, DataDeclaration, Effect, HolderKind, Names, Parameters, PurposeClass, PurposeCode,
};

/// Whose word a proposal takes, from the least to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    /// The proposer's alone: it concerns only itself.
    Own,
    /// `threshold_emergency` of the members.
    Emergency,
    /// `threshold_catalogue` of the members.
    Catalogue,
    /// `threshold_constitution` of the members.
    Constitution,
}

/// One action. The order of the variants is the format.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// A bureau becomes a member, with its keys; at least one of governance.
    AdmitBureau {
        /// Its code.
        bureau: Uscc,
        /// Its name.
        names: Names,
        /// Its administrative division.
        region: Text<CODE_BYTES_MAX>,
        /// Where its node listens.
        addresses: Addresses,
        /// Its keys.
        keys: List<NewKey, ADMITTED_KEYS_MAX>,
    },
    /// A bureau can do nothing until it is thawed; its seats end.
    FreezeBureau {
        /// Which.
        bureau: Uscc,
    },
    /// A frozen bureau is a member again; seats are voted anew.
    ThawBureau {
        /// Which.
        bureau: Uscc,
    },
    /// A bureau is no member any more; its seats, keys and rights end.
    RemoveBureau {
        /// Which.
        bureau: Uscc,
    },
    /// A validator is seated, or an existing seat gets another power.
    SeatValidator {
        /// Whose.
        bureau: Uscc,
        /// Its key.
        key: PublicKey,
        /// Its power.
        power: Power,
    },
    /// A validator loses its seat.
    UnseatValidator {
        /// Whose.
        bureau: Uscc,
        /// Its key.
        key: PublicKey,
    },
    /// A version of a licence type is added to the catalogue.
    RegisterType {
        /// Catalogue code.
        code: TypeCode,
        /// Version of the type.
        version: TypeVersion,
        /// Its name.
        names: Names,
        /// Whom it is about.
        holder: HolderKind,
        /// The JSON Schema of its claims.
        schema: Text<SCHEMA_BYTES_MAX>,
        /// Max-age of evidence where a request does not say.
        max_age: SpanMs,
    },
    /// No licence of this version is issued any more.
    RetireType {
        /// Catalogue code.
        code: TypeCode,
        /// Version of the type.
        version: TypeVersion,
        /// What it means for licences issued before.
        effect: Effect,
    },
    /// A bureau may issue a type.
    Accredit {
        /// The bureau.
        issuer: Uscc,
        /// The type.
        type_code: TypeCode,
    },
    /// It may no longer.
    WithdrawAccreditation {
        /// The bureau.
        issuer: Uscc,
        /// The type.
        type_code: TypeCode,
        /// What it means for licences issued before.
        effect: Effect,
    },
    /// A bureau may act on another's licences of a type.
    Supervise {
        /// Who acts.
        supervisor: Uscc,
        /// On whose licences.
        issuer: Uscc,
        /// Of which type.
        type_code: TypeCode,
    },
    /// It may no longer.
    EndSupervision {
        /// Who acted.
        supervisor: Uscc,
        /// On whose licences.
        issuer: Uscc,
        /// Of which type.
        type_code: TypeCode,
    },
    /// A relying party is registered, or its entry replaced.
    RegisterRelyingParty {
        /// Its code.
        uscc: Uscc,
        /// Its name.
        names: Names,
        /// Verifies its requests.
        request_key: PublicKey,
        /// What it may ask for.
        may_ask: List<AskRight, REGISTRY_LIST_MAX>,
        /// Why it may ask.
        purposes: List<PurposeCode, REGISTRY_LIST_MAX>,
    },
    /// A relying party may ask nothing any more.
    RemoveRelyingParty {
        /// Its code.
        uscc: Uscc,
    },
    /// A purpose may be named.
    RegisterPurpose {
        /// Its code.
        code: PurposeCode,
        /// Its name.
        names: Names,
        /// Its class.
        class: PurposeClass,
    },
    /// It may no longer.
    RetirePurpose {
        /// Its code.
        code: PurposeCode,
    },
    /// All parameters anew.
    SetParameters {
        /// The parameters.
        parameters: Box<Parameters>,
    },
    /// Blocks above a height are executed under other rules.
    ActivateProtocol {
        /// The rules.
        version: ProtocolVersion,
        /// The last block under the old ones.
        at: Height,
    },
    /// A key takes the place of another of its role, or joins it.
    RotateKey {
        /// Whose.
        bureau: Uscc,
        /// The new key. A validator's takes the seat of the old by hand-over; one of governance begins after a delay.
        new: NewKey,
        /// The key that goes; nothing if it is a further key, or replaces one that has ended.
        old: Option<KeyId>,
        /// How long the old key still holds. Zero for a validator's.
        overlap: SpanMs,
    },
    /// A key ends at once.
    EndKey {
        /// Whose.
        bureau: Uscc,
        /// Which.
        key: KeyId,
    },
    /// A key was stolen: what it signed from this height on is revoked unless reaffirmed.
    DistrustKey {
        /// Whose.
        bureau: Uscc,
        /// Which.
        key: KeyId,
        /// First height of the doubt.
        since: Height,
    },
    /// Batches of a distrusted key are honest.
    Reaffirm {
        /// The issuer.
        bureau: Uscc,
        /// Its batches, ascending.
        batches: List<LogIndex, REAFFIRMED_MAX>,
    },
    /// A bureau's node listens elsewhere.
    SetAddresses {
        /// Whose.
        bureau: Uscc,
        /// Where.
        addresses: Addresses,
    },
    /// What waits in the schedule because of a proposal is cancelled.
    Veto {
        /// The proposal.
        proposal: ProposalId,
    },
    /// A version of a service item is added to the catalogue; the one before ends. From protocol version 3 on.
    RegisterItem {
        /// Its canonical JSON.
        file: Text<ITEM_BYTES_MAX>,
        /// Who plays each role of a bureau, in the item's order.
        bound: List<BoundRole, ITEM_ROLES_MAX>,
    },
    /// No case of an item is opened any more; open ones go on. From protocol version 3 on.
    RetireItem {
        /// Its code.
        code: ItemCode,
    },
    /// A bureau says which data it holds, or how it stands now. From protocol version 3 on.
    DeclareData {
        /// Whose.
        bureau: Uscc,
        /// Classes, strictly ascending by code.
        classes: List<DataDeclaration, DATA_DECLARED_MAX>,
    },
    /// It does not hold them any more. From protocol version 3 on.
    RetireData {
        /// Whose.
        bureau: Uscc,
        /// Classes, strictly ascending.
        classes: List<DataCode, DATA_DECLARED_MAX>,
    },
}

impl Action {
    /// The first protocol version that executes it.
    pub const fn since(&self) -> ProtocolVersion {
        match self {
            Self::RegisterItem { .. }
            | Self::RetireItem { .. }
            | Self::DeclareData { .. }
            | Self::RetireData { .. } => ProtocolVersion(3),
            _ => ProtocolVersion(2),
        }
    }

    /// The bureau within whose own rights the action lies, if there is one.
    pub fn own_of(&self) -> Option<Uscc> {
        match self {
            Self::RotateKey { bureau, .. }
            | Self::EndKey { bureau, .. }
            | Self::DistrustKey { bureau, .. }
            | Self::Reaffirm { bureau, .. }
            | Self::SetAddresses { bureau, .. }
            | Self::DeclareData { bureau, .. }
            | Self::RetireData { bureau, .. } => Some(*bureau),
            _ => None,
        }
    }

    /// What it takes if this bureau proposes it.
    pub fn decided_by(&self, proposer: &Uscc) -> DecidedBy {
        if self.own_of() == Some(*proposer) {
            return DecidedBy::Own;
        }
        match self {
            Self::FreezeBureau { .. } | Self::EndKey { .. } | Self::DistrustKey { .. } | Self::Veto { .. } => {
                DecidedBy::Emergency
            }
            Self::RegisterType { .. }
            | Self::RetireType { .. }
            | Self::Accredit { .. }
            | Self::WithdrawAccreditation { .. }
            | Self::Supervise { .. }
            | Self::EndSupervision { .. }
            | Self::RegisterRelyingParty { .. }
            | Self::RemoveRelyingParty { .. }
            | Self::RegisterPurpose { .. }
            | Self::RetirePurpose { .. }
            | Self::RegisterItem { .. }
            | Self::RetireItem { .. } => DecidedBy::Catalogue,
            Self::AdmitBureau { .. }
            | Self::ThawBureau { .. }
            | Self::RemoveBureau { .. }
            | Self::SeatValidator { .. }
            | Self::UnseatValidator { .. }
            | Self::SetParameters { .. }
            | Self::ActivateProtocol { .. }
            | Self::RotateKey { .. }
            | Self::Reaffirm { .. }
            | Self::SetAddresses { .. }
            | Self::DeclareData { .. }
            | Self::RetireData { .. } => DecidedBy::Constitution,
        }
    }
}

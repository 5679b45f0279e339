//! Values of the sparse maps: kind and version first, then the fields.

use bincode::{Decode, Encode};

use crate::codec::{self, CodecError};
use crate::limits::MAP_VALUE_BYTES_MAX;

/// What a leaf holds. The kinds of both maps are numbered together, so that no value passes for one of another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A bureau.
    Bureau,
    /// A key of a bureau.
    Key,
    /// One version of a licence type.
    LicenceType,
    /// Right of a bureau to issue a type.
    Accreditation,
    /// Who may ask, and for what.
    RelyingParty,
    /// Right of a bureau to act on another's licences of a type.
    Supervision,
    /// The chain's parameters.
    Parameters,
    /// One version of a service item.
    ServiceItem,
    /// Why data is read.
    Purpose,
    /// The list of bureaus that vote.
    Membership,
    /// The seats of the validator set.
    Seats,
    /// What takes effect later.
    Schedule,
    /// All service items.
    ItemCatalogue,
    /// Data that a bureau holds.
    DataClass,
    /// All classes of data of a bureau.
    DataCatalogue,
    /// Status history of a licence.
    LicenceStatus,
    /// Status history of a batch.
    BatchStatus,
    /// Id of a transaction that must not be executed again.
    SpentId,
    /// Content of an open proposal.
    ProposalContent,
    /// Votes on an open proposal.
    ProposalVotes,
    /// Who signed when.
    Alive,
    /// Which proposals are open.
    OpenProposals,
    /// A case, until some time after its end.
    Case,
    /// A consent, until some time after its end.
    Consent,
    /// How many reads a source has recorded.
    SourceReads,
    /// An enterprise's account.
    EnterpriseAccount,
}
crate::ids::byte_enum!(Kind {
    Bureau = 1, Key = 2, LicenceType = 3, Accreditation = 4, RelyingParty = 5, Supervision = 6, Parameters = 7,
    ServiceItem = 8, Purpose = 9, Membership = 10, Seats = 11, Schedule = 12,
    ItemCatalogue = 13, DataClass = 14, DataCatalogue = 15,
    LicenceStatus = 32, BatchStatus = 33, SpentId = 34, ProposalContent = 35, ProposalVotes = 36, Alive = 37,
    OpenProposals = 38, Case = 39, Consent = 40, SourceReads = 41, EnterpriseAccount = 42,
});

/// Why bytes are not the value that a key calls for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Of another kind, or too short to have one.
    #[error("not a value of kind {0:?}")]
    Kind(Kind),
    /// Of a layout this software does not know.
    #[error("{kind:?} of unknown version {version}")]
    Version {
        /// What it is.
        kind: Kind,
        /// Its layout.
        version: u8,
    },
    /// Not decodable.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// A type whose values are leaves of a map.
pub trait MapValue: Encode + Decode<()> {
    /// First byte of the value.
    const KIND: Kind;
    /// Second byte of the value.
    const VERSION: u8 = 1;

    /// kind ‖ version ‖ encoding.
    fn to_value(&self) -> Vec<u8> {
        let mut bytes = vec![Self::KIND.byte(), Self::VERSION];
        bytes.extend(codec::encode(self));
        bytes
    }
    /// Reads a value and refuses one of another kind or version.
    fn from_value(bytes: &[u8]) -> Result<Self, ValueError> {
        match bytes {
            [kind, version, rest @ ..] if *kind == Self::KIND.byte() => {
                if *version != Self::VERSION {
                    return Err(ValueError::Version { kind: Self::KIND, version: *version });
                }
                Ok(codec::decode(rest, MAP_VALUE_BYTES_MAX)?)
            }
            _ => Err(ValueError::Kind(Self::KIND)),
        }
    }
}

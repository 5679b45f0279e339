//! Genesis: what the founders agree on before the first block.
//!
//! Its hash is the chain id. It names bureaus by their codes and holds no DIDs, since those contain the chain id.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use bincode::{Decode, Encode};

use crate::bounded::{List, Text};
use crate::codec::{self, CodecError};
use crate::hash::{self, ChainId, Hash, HeaderHash, MapKey, Suite};
use crate::header::{HEADER_VERSION, Header};
use crate::identifiers::{ChainName, TypeCode, Uscc};
use crate::ids::{Era, Height, Power, ProtocolVersion, TimeMs};
use crate::key::{KeyId, PublicKey};
use crate::limits::{BUREAUS_MAX, GENESIS_BYTES_MAX, SCHEMA_BYTES_MAX, VALIDATORS_MAX};
use crate::map_value::MapValue;
use crate::merkle::{log, map, map::MapLeaf};
use crate::registry::{
    Accreditation, Bureau, KeyEntry, KeyRole, LicenceType, Membership, Parameters, ParametersError, Purpose,
    RegistryRecord, RelyingParty, Schedule, Seat, SeatState, Seats, Supervision,
};
use crate::tags;
use crate::validators::{Address, Validator, ValidatorSet, ValidatorSetError};
use crate::vote::ChainContext;

/// Layout of genesis.
pub const GENESIS_VERSION: u8 = 1;
/// The newest protocol version of this software: the one that a new chain begins with.
pub const PROTOCOL_VERSION: ProtocolVersion = ProtocolVersion(3);
/// All that it executes. Version 1 has no governance: its registry never changes. Version 2 has no service items.
pub const PROTOCOL_VERSIONS: RangeInclusive<u32> = 1..=PROTOCOL_VERSION.0;
/// Registry records of one kind that genesis may bring.
const ENTRIES_MAX: usize = 8_192;

/// A founding validator.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct GenesisValidator {
    /// Whose.
    pub bureau: Uscc,
    /// One of its keys, of role validator.
    pub key: KeyId,
    /// At least 1.
    pub power: Power,
}

/// What the founders agree on.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Genesis {
    /// Layout: 1.
    pub version: u8,
    /// First part of the chain's name in DIDs.
    pub name: ChainName,
    /// Hash functions.
    pub suite: Suite,
    /// Rules of the first block.
    pub protocol: ProtocolVersion,
    /// Time of header 0.
    pub time: TimeMs,
    /// Parameters of the first block.
    pub parameters: Parameters,
    /// Members.
    pub bureaus: List<Bureau, BUREAUS_MAX>,
    /// Their keys.
    pub keys: List<KeyEntry, ENTRIES_MAX>,
    /// The first validator set.
    pub validators: List<GenesisValidator, VALIDATORS_MAX>,
    /// Licence types.
    pub types: List<LicenceType, ENTRIES_MAX>,
    /// The JSON Schemas that types name by digest.
    pub schemas: List<Text<SCHEMA_BYTES_MAX>, ENTRIES_MAX>,
    /// Who may issue what.
    pub accreditations: List<Accreditation, ENTRIES_MAX>,
    /// Who may act on whose licences.
    pub supervisions: List<Supervision, ENTRIES_MAX>,
    /// Who may ask.
    pub relying_parties: List<RelyingParty, ENTRIES_MAX>,
    /// Why.
    pub purposes: List<Purpose, ENTRIES_MAX>,
}

/// Why a genesis founds no chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Not decodable.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Unknown layout.
    #[error("genesis of unknown version {0}")]
    Version(u8),
    /// Rules that this software does not have.
    #[error("protocol version {0} is not known to this software")]
    Protocol(ProtocolVersion),
    /// A hash suite that is not in use.
    #[error("hash suite {0:?} is not in use")]
    Suite(Suite),
    /// Unusable parameters.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// Unusable validator set.
    #[error(transparent)]
    Validators(#[from] ValidatorSetError),
    /// A validator names a key that is not there, or of another role or bureau.
    #[error("validator key {0} is not a validator key of its bureau in genesis")]
    ValidatorKey(KeyId),
    /// Two records with one identifier.
    #[error("two {0} records have one identifier")]
    Duplicate(&'static str),
    /// A record names a bureau, type, schema or purpose that is not there.
    #[error("{record} names a {what} that is not in genesis")]
    Dangling {
        /// Which record.
        record: &'static str,
        /// What is missing.
        what: &'static str,
    },
}

impl Genesis {
    /// The canonical encoding: the genesis file.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads and checks a genesis file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GenesisError> {
        let genesis: Self = codec::decode(bytes, GENESIS_BYTES_MAX)?;
        genesis.check()?;
        Ok(genesis)
    }
    /// H(tag ‖ bytes).
    pub fn chain_id(&self) -> ChainId {
        ChainId(hash::tagged(tags::GENESIS, self))
    }
    /// Chain and first era.
    pub fn chain(&self) -> ChainContext {
        ChainContext { chain_id: self.chain_id(), era: Era(0) }
    }

    /// Refuses a genesis that founds no working chain.
    pub fn check(&self) -> Result<(), GenesisError> {
        if self.version != GENESIS_VERSION {
            return Err(GenesisError::Version(self.version));
        }
        if !PROTOCOL_VERSIONS.contains(&self.protocol.0) {
            return Err(GenesisError::Protocol(self.protocol));
        }
        if self.suite != Suite::Sha256 {
            return Err(GenesisError::Suite(self.suite));
        }
        self.parameters.check()?;
        self.validator_set()?;
        self.check_references()?;
        self.registry().map(|_| ())
    }

    fn check_references(&self) -> Result<(), GenesisError> {
        let dangling = |record, what| Err(GenesisError::Dangling { record, what });
        let bureau = |uscc: &Uscc| self.bureaus.iter().any(|bureau| bureau.uscc == *uscc);
        if !self.keys.iter().all(|key| bureau(&key.bureau)) {
            return dangling("key", "bureau");
        }
        if !self.accreditations.iter().all(|entry| bureau(&entry.issuer)) {
            return dangling("accreditation", "bureau");
        }
        let known_type = |code: &TypeCode| self.types.iter().any(|entry| entry.code == *code);
        if !self.accreditations.iter().all(|entry| known_type(&entry.type_code)) {
            return dangling("accreditation", "type");
        }
        if !self.supervisions.iter().all(|entry| bureau(&entry.issuer) && bureau(&entry.supervisor)) {
            return dangling("supervision", "bureau");
        }
        let schemas: Vec<Hash> = self.schemas.iter().map(|text| schema_digest(text)).collect();
        if !self.types.iter().all(|entry| schemas.contains(&entry.schema)) {
            return dangling("type", "schema");
        }
        for party in &self.relying_parties {
            if !party.may_ask.iter().all(|right| known_type(&right.type_code)) {
                return dangling("relying party", "type");
            }
            if !party.purposes.iter().all(|code| self.purposes.iter().any(|known| known.code == *code)) {
                return dangling("relying party", "purpose");
            }
        }
        Ok(())
    }

    /// The set of block 1.
    pub fn validator_set(&self) -> Result<ValidatorSet, GenesisError> {
        let mut members = Vec::new();
        for validator in &self.validators {
            members.push(Validator::new(self.validator_key(validator)?.clone(), validator.power));
        }
        Ok(ValidatorSet::new(members)?)
    }

    /// All registry records, by their place in the map.
    pub fn registry(&self) -> Result<BTreeMap<MapKey, Vec<u8>>, GenesisError> {
        let mut records = BTreeMap::new();
        insert_all(&mut records, &self.bureaus, "bureau")?;
        insert_all(&mut records, &self.keys, "key")?;
        insert_all(&mut records, &self.types, "type")?;
        insert_all(&mut records, &self.accreditations, "accreditation")?;
        insert_all(&mut records, &self.supervisions, "supervision")?;
        insert_all(&mut records, &self.relying_parties, "relying party")?;
        insert_all(&mut records, &self.purposes, "purpose")?;
        insert_all(&mut records, std::slice::from_ref(&self.parameters), "parameters")?;
        let mut bureaus: Vec<Uscc> = self
            .bureaus
            .iter()
            .filter(|bureau| bureau.intervals.hold_at(Height(0)))
            .map(|bureau| bureau.uscc)
            .collect();
        bureaus.sort_unstable();
        let membership = Membership { bureaus: List::new(bureaus).expect("as many as the list of bureaus at most") };
        insert_all(&mut records, &[membership], "membership")?;
        if self.protocol >= ProtocolVersion(2) {
            insert_all(&mut records, &[self.seats()?], "seats")?;
            insert_all(&mut records, &[Schedule::default()], "schedule")?;
        }
        Ok(records)
    }

    /// The founders' seats, all active.
    fn seats(&self) -> Result<Seats, GenesisError> {
        let mut seats = Vec::with_capacity(self.validators.len());
        for validator in &self.validators {
            let key = self.validator_key(validator)?.clone();
            let (bureau, power) = (validator.bureau, validator.power);
            seats.push(Seat { bureau, key, power, state: SeatState::Active, by: None });
        }
        Ok(Seats::new(seats)?)
    }

    fn validator_key(&self, validator: &GenesisValidator) -> Result<&PublicKey, GenesisError> {
        let named = |entry: &&KeyEntry| {
            entry.bureau == validator.bureau && entry.role == KeyRole::Validator && entry.key.id() == validator.key
        };
        let entry = self.keys.iter().find(named).ok_or(GenesisError::ValidatorKey(validator.key))?;
        Ok(&entry.key)
    }

    /// Header 0: roots after genesis; no parent, proposer or certificate.
    pub fn header(&self) -> Result<Header, GenesisError> {
        let registry = self.registry()?;
        let leaves: Vec<MapLeaf> = registry.iter().map(|(key, value)| MapLeaf::new(*key, value)).collect();
        let validators = self.validator_set()?.hash();
        Ok(Header {
            version: HEADER_VERSION,
            suite: self.suite,
            chain_id: self.chain_id(),
            era: Era(0),
            height: Height(0),
            time: self.time,
            proposer: Address::default(),
            parent: HeaderHash::default(),
            last_certificate: Hash::default(),
            validators,
            next_validators: validators,
            protocol: self.protocol,
            parameters: self.parameters.hash(),
            transactions_root: log::empty_root(),
            log_root: log::empty_root(),
            log_size: 0,
            registry_root: map::root_of(&leaves),
            state_root: map::empty_root(),
            history_root: log::empty_root(),
        })
    }
}

/// SHA-256 of a schema's text.
pub fn schema_digest(text: &str) -> Hash {
    Hash(hash::sha256(&[text.as_bytes()]))
}

fn insert_all<T: RegistryRecord + MapValue>(
    records: &mut BTreeMap<MapKey, Vec<u8>>,
    entries: &[T],
    kind: &'static str,
) -> Result<(), GenesisError> {
    for entry in entries {
        if records.insert(entry.key(), entry.to_value()).is_some() {
            return Err(GenesisError::Duplicate(kind));
        }
    }
    Ok(())
}

//! The last committed block with everything that the next one is executed on.

use std::sync::Arc;

use kanhe_proto::certificate::Certificate;
use kanhe_proto::hash::{Hash, HeaderHash, MapKey, ValidatorsHash};
use kanhe_proto::header::Header;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::ProtocolVersion;
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::map_value::MapValue;
use kanhe_proto::proof::CertifiedHeader;
use kanhe_proto::registry::{Due, Parameters, RegistryRecord, Schedule, ScheduledWhat};
use kanhe_proto::validators::ValidatorSet;
use kanhe_proto::vote::ChainContext;

use super::ChainConfig;
use super::error::ChainError;
use crate::ledger::log::Log;
use crate::ledger::map::{LeafReader, Map};
use crate::remembered::Remembered;
use crate::storage::Reader;

/// Records under one root of the registry, shared by all tips that have it. Every transaction asks for the same few: its
/// bureau, its key, its type, its accreditation. Absence is not remembered: strangers name keys at will.
pub(super) type RegistryRead = Remembered<MapKey, Vec<u8>, 4_096>;
/// Keys whose signatures count in the block after one tip. A new tip begins anew, for rights have heights.
pub(super) type Signers = Remembered<(Uscc, KeyId), PublicKey, 1_024>;

/// The state of the chain after its last block.
#[derive(Debug, Clone)]
pub struct TipState {
    /// Its header.
    pub header: Header,
    /// Its hash.
    pub hash: HeaderHash,
    /// Parameters in force for the next block.
    pub parameters: Parameters,
    /// Rules of the next block.
    pub protocol: ProtocolVersion,
    /// The set that certified it.
    pub validators: Arc<ValidatorSet>,
    /// The set of the next height.
    pub next_validators: Arc<ValidatorSet>,
    /// Header and trimmed certificate; none of genesis.
    pub certified: Option<CertifiedHeader>,
    pub(super) registry: Map,
    pub(super) registry_read: Arc<RegistryRead>,
    pub(super) signers: Arc<Signers>,
    pub(super) state: Map,
    pub(super) log: Log,
    pub(super) history: Log,
}

impl TipState {
    /// Builds it from the database and checks every root against the header.
    pub(super) fn load(reader: &Reader<'_>, config: &ChainConfig) -> Result<Self, ChainError> {
        let (height, hash) = reader.tip()?;
        let missing = |what: &str| ChainError::Missing(format!("the {what} of height {height}"));
        let header = reader.header(height)?.ok_or_else(|| missing("header"))?;
        if header.hash() != hash || header.height != height {
            return Err(missing("header that the tip names"));
        }
        let registry = Map::load(&reader.registry(), config.registry_held_max)?;
        let state = Map::load(&reader.state(), config.state_held_max)?;
        let log = Log::load(header.log_size, &reader.log())?;
        let history = Log::load(height.0, &reader.history())?;
        check_root(&header, "registry root", registry.root(), header.registry_root)?;
        check_root(&header, "state root", state.root(), header.state_root)?;
        check_root(&header, "log root", log.root(), header.log_root)?;
        check_root(&header, "history root", history.root(), header.history_root)?;
        let validators = validators(reader, &header.validators)?;
        let next_validators = validators_or(&validators, &header, |hash| self::validators(reader, hash))?;
        let certified = match height.0 {
            0 => None,
            _ => {
                let certificate = reader.certificate(height)?.ok_or_else(|| missing("certificate"))?;
                Some(certified(&header, &certificate, &validators).ok_or_else(|| missing("quorum"))?)
            }
        };
        let (parameters, protocol) = (parameters(reader)?, protocol(reader, &header)?);
        Ok(Self {
            header,
            hash,
            parameters,
            protocol,
            validators,
            next_validators,
            certified,
            registry,
            registry_read: Arc::default(),
            signers: Arc::default(),
            state,
            log,
            history,
        })
    }

    /// Chain and era of everything signed for the next block.
    pub const fn chain(&self) -> ChainContext {
        ChainContext { chain_id: self.header.chain_id, era: self.header.era }
    }
}

/// A header with the first signatures of its certificate that make a quorum.
pub(super) fn certified(header: &Header, certificate: &Certificate, set: &ValidatorSet) -> Option<CertifiedHeader> {
    certificate.trim(set).map(|certificate| CertifiedHeader { header: header.clone(), certificate })
}

/// A stored validator set.
pub(super) fn validators(reader: &Reader<'_>, hash: &ValidatorsHash) -> Result<Arc<ValidatorSet>, ChainError> {
    let set = reader.validators(hash)?.filter(|set| set.hash() == *hash);
    set.map(Arc::new).ok_or_else(|| ChainError::Missing(format!("the validator set {hash}")))
}

fn validators_or(
    set: &Arc<ValidatorSet>,
    header: &Header,
    find: impl FnOnce(&ValidatorsHash) -> Result<Arc<ValidatorSet>, ChainError>,
) -> Result<Arc<ValidatorSet>, ChainError> {
    if header.next_validators == header.validators { Ok(Arc::clone(set)) } else { find(&header.next_validators) }
}

fn parameters(reader: &Reader<'_>) -> Result<Parameters, ChainError> {
    let value = reader.registry().get(&Parameters::key_of(&()))?;
    let parameters = value.and_then(|value| Parameters::from_value(&value).ok());
    parameters.ok_or_else(|| ChainError::Missing("the parameters".into()))
}

/// The rules of the next block: a new version stays in the schedule through the block that it comes with.
fn protocol(reader: &Reader<'_>, header: &Header) -> Result<ProtocolVersion, ChainError> {
    let Some(value) = reader.registry().get(&Schedule::key_of(&()))? else { return Ok(header.protocol) };
    let schedule =
        Schedule::from_value(&value).map_err(|error| ChainError::Missing(format!("a schedule ({error})")))?;
    let comes = schedule.entries.iter().find_map(|entry| match entry.what {
        ScheduledWhat::Protocol { version } if entry.due == Due::Height(header.height) => Some(version),
        _ => None,
    });
    Ok(comes.unwrap_or(header.protocol))
}

fn check_root(header: &Header, what: &'static str, found: Hash, expected: Hash) -> Result<(), ChainError> {
    if found == expected {
        return Ok(());
    }
    Err(ChainError::Root { what, height: header.height, found, expected })
}

//! Licence types as people name them, and registry facts that genesis has where no node is at hand.

use kanhe_proto::genesis::Genesis;
use kanhe_proto::identifiers::{TypeCode, TypeVersion, Uscc};
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::registry::{KeyEntry, KeyRole, LicenceType};

use super::Context;
pub use crate::given::TypeSpec;
use crate::governance::keys;
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure};

/// Most versions of a type that are asked for one after another.
const VERSIONS_ASKED_MAX: usize = 64;

impl TypeSpec {
    /// The newest version that it means: as nodes prove it, and where none answers as genesis has it. Versions count from 1;
    /// without one that is named, those after the one of genesis are asked for until there is none.
    pub fn newest(&self, context: &Context, genesis: &Genesis) -> Result<LicenceType, Failure> {
        let known = genesis.types.iter().filter(|entry| self.matches(entry)).max_by_key(|entry| entry.version);
        let unknown = || Failure::of(ExitCode::Usage, "type_unknown", &[("type", &self.code)]);
        let found = match (self.version, known) {
            (Some(_), Some(entry)) => return Ok(entry.clone()),
            (Some(version), None) => registered(context, &self.code, version)?,
            (None, known) => match self.newest_registered(context, known) {
                Err(failure) if known.is_some() && is_offline(&failure) => None,
                found => found?,
            },
        };
        found.or_else(|| known.cloned()).ok_or_else(unknown)
    }

    /// The newest version after the one that is known that is in force; one that is not only if there is no other.
    fn newest_registered(
        &self,
        context: &Context,
        known: Option<&LicenceType>,
    ) -> Result<Option<LicenceType>, Failure> {
        let mut follower = context.follower()?;
        let (mut in_force, mut ended) = (None, None);
        let mut version = known.map_or(0, |entry| entry.version.0);
        for _ in 0..VERSIONS_ASKED_MAX {
            version += 1;
            let id = (self.code.clone(), TypeVersion(version));
            let fetch = |node: &NodeClient| node.licence_type(&id.0, id.1);
            let found = follower.registry::<LicenceType>(&id, fetch)?;
            let height = found.header.header.height;
            match found.value {
                Some(entry) if entry.intervals.hold_at(height) => in_force = Some(entry),
                Some(entry) => ended = Some(entry),
                None => break,
            }
        }
        Ok(in_force.or_else(|| ended.filter(|_| known.is_none())))
    }
}

fn registered(context: &Context, code: &TypeCode, version: TypeVersion) -> Result<Option<LicenceType>, Failure> {
    let fetch = |node: &NodeClient| node.licence_type(code, version);
    Ok(context.follower()?.registry::<LicenceType>(&(code.clone(), version), fetch)?.value)
}

/// Whether nobody could be asked.
fn is_offline(failure: &Failure) -> bool {
    failure.exit == ExitCode::Unreachable || failure.code == "no_node"
}

/// The key to which something for a bureau is sealed: proved by a node where one answers, else that of genesis.
pub fn sealing_key(
    context: &Context,
    genesis: &Genesis,
    bureau: Uscc,
    named: Option<KeyId>,
) -> Result<PublicKey, Failure> {
    let none = || Failure::of(ExitCode::Failure, "no_sealing_key", &[("issuer", &bureau)]);
    let mut own = genesis.keys.iter().filter(|key| key.bureau == bureau && key.role == KeyRole::Sealing);
    let known = match named {
        Some(id) => own.find(|key| key.key.id() == id),
        None => own.next_back(),
    };
    let mut follower = context.follower()?;
    if named.is_none()
        && let Ok(listed) = keys(&mut follower, &bureau)
        && let Some(newest) = listed.lasting(KeyRole::Sealing).next_back()
    {
        return Ok(newest.key.clone());
    }
    let id = named.or_else(|| known.map(|key| key.key.id())).ok_or_else(none)?;
    match follower.registry::<KeyEntry>(&(bureau, id), |node: &NodeClient| node.key(&bureau, id)) {
        Ok(found) => {
            let height = found.header.header.height;
            let valid = |key: &KeyEntry| key.role == KeyRole::Sealing && key.intervals.hold_at(height);
            found.value.filter(valid).map(|key| key.key).ok_or_else(none)
        }
        Err(error) => {
            let failure = error.failure();
            known.filter(|_| is_offline(&failure)).map(|key| key.key.clone()).ok_or(failure)
        }
    }
}

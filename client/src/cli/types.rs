//! Licence types as people name them, and registry facts that genesis has where no node is at hand.

use kanhe_proto::genesis::Genesis;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::registry::{KeyEntry, KeyRole, LicenceType};

use super::Context;
pub use crate::given::TypeSpec;
use crate::governance::keys;
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure};

impl TypeSpec {
    /// The newest version that it means: as genesis has it, else as a node proves it.
    pub fn newest(&self, context: &Context, genesis: &Genesis) -> Result<LicenceType, Failure> {
        let known = genesis.types.iter().filter(|entry| self.matches(entry)).max_by_key(|entry| entry.version);
        if let Some(entry) = known {
            return Ok(entry.clone());
        }
        let unknown = || Failure::of(ExitCode::Usage, "type_unknown", &[("type", &self.code)]);
        let version = self.version.ok_or_else(unknown)?;
        let fetch = |node: &NodeClient| node.licence_type(&self.code, version);
        let found = context.follower()?.registry::<LicenceType>(&(self.code.clone(), version), fetch)?;
        found.value.ok_or_else(unknown)
    }
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
            let offline = failure.exit == ExitCode::Unreachable || failure.code == "no_node";
            known.filter(|_| offline).map(|key| key.key.clone()).ok_or(failure)
        }
    }
}

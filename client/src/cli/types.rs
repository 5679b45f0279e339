//! Licence types as people name them, and registry facts that genesis has where no node is at hand.

use std::str::FromStr;

use kanhe_proto::genesis::Genesis;
use kanhe_proto::identifiers::{IdentifierError, TypeCode, TypeVersion, Uscc, Vct};
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::registry::{KeyEntry, KeyRole, LicenceType};

use super::Context;
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure};

/// A type: `CODE`, `CODE:VERSION` or `urn:kanhe:type:CODE:VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeSpec {
    /// The type.
    pub code: TypeCode,
    /// The version; none: whichever is known.
    pub version: Option<TypeVersion>,
}

impl FromStr for TypeSpec {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        if !text.contains(':') {
            return Ok(Self { code: text.parse()?, version: None });
        }
        let full = if text.starts_with("urn:") { text.to_owned() } else { format!("urn:kanhe:type:{text}") };
        let vct: Vct = full.parse()?;
        Ok(Self { code: vct.code, version: Some(vct.version) })
    }
}

impl TypeSpec {
    fn matches(&self, entry: &LicenceType) -> bool {
        entry.code == self.code && self.version.is_none_or(|version| version == entry.version)
    }
    /// Whether it means this version of a type.
    pub fn means(&self, vct: &Vct) -> bool {
        vct.code == self.code && self.version.is_none_or(|version| version == vct.version)
    }
    /// All versions that it means, ascending: those of genesis, or the one that is named.
    pub fn versions(&self, genesis: &Genesis) -> Result<Vec<Vct>, Failure> {
        let known = genesis.types.iter().filter(|entry| self.matches(entry)).map(|entry| entry.version);
        let mut versions: Vec<TypeVersion> = known.chain(self.version).collect();
        versions.sort();
        versions.dedup();
        if versions.is_empty() {
            return Err(Failure::of(ExitCode::Usage, "type_unknown", &[("type", &self.code)]));
        }
        Ok(versions.into_iter().map(|version| Vct { code: self.code.clone(), version }).collect())
    }
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

/// The key to which something for a bureau is sealed: proved by a node where one answers, else that of genesis. A key
/// that replaced the one of genesis is named by its id.
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
    let id = named.or_else(|| known.map(|key| key.key.id())).ok_or_else(none)?;
    let mut follower = context.follower()?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_in_three_forms() {
        let plain: TypeSpec = "demo-id".parse().unwrap();
        assert_eq!((plain.code.as_str(), plain.version), ("demo-id", None));
        let full: TypeSpec = "urn:kanhe:type:demo-id:2".parse().unwrap();
        assert_eq!(full, "demo-id:2".parse().unwrap());
        assert_eq!(full.version, Some(TypeVersion(2)));
        assert!("demo-id:x".parse::<TypeSpec>().is_err() && "".parse::<TypeSpec>().is_err());
    }
}

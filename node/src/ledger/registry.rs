//! The registry as one block sees it: each record read and decoded once.
//!
//! No transaction of this protocol version changes the registry, so what was read stays right to the block's end.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use kanhe_proto::identifiers::{TypeCode, TypeVersion, Uscc};
use kanhe_proto::ids::Height;
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::registry::{Accreditation, Bureau, KeyEntry, KeyRole, LicenceType, RegistryRecord, Supervision};
use kanhe_proto::transaction::TransactionBody;

use super::code::{Code, Refusal};
use super::map::ReadError;
use super::view::View;

/// Rights of one height.
pub struct Registry<'v, V: View> {
    view: &'v V,
    height: Height,
    members: BTreeMap<Uscc, bool>,
    keys: BTreeMap<(Uscc, KeyId), Option<KeyEntry>>,
    accredited: BTreeMap<(Uscc, TypeCode), bool>,
    types: BTreeMap<(TypeCode, TypeVersion), bool>,
    supervisors: BTreeMap<(Uscc, Uscc, TypeCode), bool>,
}

impl<'v, V: View> Registry<'v, V> {
    /// The registry of a view, asked about one height.
    pub const fn new(view: &'v V, height: Height) -> Self {
        Self {
            view,
            height,
            members: BTreeMap::new(),
            keys: BTreeMap::new(),
            accredited: BTreeMap::new(),
            types: BTreeMap::new(),
            supervisors: BTreeMap::new(),
        }
    }

    /// The issuing key under which a transaction's signature must hold.
    pub fn signer(&mut self, body: &TransactionBody) -> Result<&PublicKey, Refusal> {
        let (view, height) = (self.view, self.height);
        let member = remember(&mut self.members, body.sender, |id| {
            Ok(read::<Bureau, V>(view, id)?.is_some_and(|bureau| bureau.intervals.hold_at(height)))
        })?;
        if !*member {
            return Err(Code::UnknownSender.into());
        }
        let entry = remember(&mut self.keys, (body.sender, body.key), |id| read(view, id))?;
        let entry: &KeyEntry = entry.as_ref().ok_or(Code::UnknownKey)?;
        if entry.role != KeyRole::Issuing {
            return Err(Code::KeyRole.into());
        }
        if !entry.intervals.hold_at(height) {
            return Err(Code::KeyNotValid.into());
        }
        if entry.distrusted_from.is_some_and(|from| height >= from) {
            return Err(Code::KeyDistrusted.into());
        }
        Ok(&entry.key)
    }

    /// May the bureau issue the type?
    pub fn is_accredited(&mut self, issuer: Uscc, type_code: &TypeCode) -> Result<bool, ReadError> {
        let (view, height) = (self.view, self.height);
        remember(&mut self.accredited, (issuer, type_code.clone()), |id| {
            Ok(read::<Accreditation, V>(view, id)?.is_some_and(|entry| entry.intervals.hold_at(height)))
        })
        .copied()
    }

    /// Is the version of the type in force?
    pub fn is_in_force(&mut self, type_code: &TypeCode, version: TypeVersion) -> Result<bool, ReadError> {
        let (view, height) = (self.view, self.height);
        remember(&mut self.types, (type_code.clone(), version), |id| {
            Ok(read::<LicenceType, V>(view, id)?.is_some_and(|entry| entry.intervals.hold_at(height)))
        })
        .copied()
    }

    /// May the bureau act on the issuer's licences of the type?
    pub fn supervises(&mut self, supervisor: Uscc, issuer: Uscc, type_code: &TypeCode) -> Result<bool, ReadError> {
        let (view, height) = (self.view, self.height);
        remember(&mut self.supervisors, (supervisor, issuer, type_code.clone()), |id| {
            Ok(read::<Supervision, V>(view, id)?.is_some_and(|entry| entry.intervals.hold_at(height)))
        })
        .copied()
    }
}

fn remember<K: Ord, T>(
    known: &mut BTreeMap<K, T>,
    id: K,
    find: impl FnOnce(&K) -> Result<T, ReadError>,
) -> Result<&T, ReadError> {
    Ok(match known.entry(id) {
        Entry::Occupied(entry) => entry.into_mut(),
        Entry::Vacant(entry) => {
            let found = find(entry.key())?;
            entry.insert(found)
        }
    })
}

fn read<T: RegistryRecord, V: View>(view: &V, id: &T::Id) -> Result<Option<T>, ReadError> {
    let value = view.registry(&T::key_of(id))?;
    value.map(|value| T::from_value(&value).map_err(|error| ReadError(Box::new(error)))).transpose()
}

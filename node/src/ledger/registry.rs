//! The registry as one block sees it: each record read and decoded once.
//!
//! What a block changes binds from the next one on: intervals begin and end above its height. So the key under which a
//! transaction must be signed can be found before the block is executed. Where a decision takes a right back at once (a
//! distrusted key, a void interval), what was remembered is forgotten.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use kanhe_proto::hash::MapKey;
use kanhe_proto::identifiers::{TypeCode, TypeVersion, Uscc};
use kanhe_proto::ids::Height;
use kanhe_proto::item::{ItemCode, ItemVersion};
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::registry::{
    Accreditation, Bureau, HolderKind, KeyEntry, KeyRole, LicenceType, Purpose, PurposeClass, PurposeCode,
    RegistryRecord, ServiceItem, Supervision,
};
use kanhe_proto::transaction::{TransactionBody, TransactionKind};

use super::code::{Code, Refusal};
use super::map::ReadError;
use super::view::View;

/// Rights of one height.
pub struct Registry<'v, V: View> {
    view: &'v V,
    height: Height,
    /// Records that the block changed so far.
    changes: BTreeMap<MapKey, Vec<u8>>,
    members: BTreeMap<Uscc, bool>,
    keys: BTreeMap<(Uscc, KeyId), Option<KeyEntry>>,
    accredited: BTreeMap<(Uscc, TypeCode), bool>,
    types: BTreeMap<(TypeCode, TypeVersion), bool>,
    supervisors: BTreeMap<(Uscc, Uscc, TypeCode), bool>,
    items: BTreeMap<(ItemCode, ItemVersion), Option<Arc<ServiceItem>>>,
    purposes: BTreeMap<PurposeCode, Option<PurposeClass>>,
}

impl<'v, V: View> Registry<'v, V> {
    /// The registry of a view, asked about one height.
    pub const fn new(view: &'v V, height: Height) -> Self {
        Self {
            view,
            height,
            changes: BTreeMap::new(),
            members: BTreeMap::new(),
            keys: BTreeMap::new(),
            accredited: BTreeMap::new(),
            types: BTreeMap::new(),
            supervisors: BTreeMap::new(),
            items: BTreeMap::new(),
            purposes: BTreeMap::new(),
        }
    }

    /// A record as the block has it so far.
    pub(super) fn value(&self, key: &MapKey) -> Result<Option<Vec<u8>>, ReadError> {
        match self.changes.get(key) {
            Some(value) => Ok(Some(value.clone())),
            None => self.view.registry(key),
        }
    }

    /// Takes over what a transaction changed.
    pub(super) fn change(&mut self, changes: BTreeMap<MapKey, Vec<u8>>) {
        if changes.is_empty() {
            return;
        }
        let (view, height) = (self.view, self.height);
        let mut all = std::mem::take(&mut self.changes);
        all.extend(changes);
        *self = Self { changes: all, ..Self::new(view, height) };
    }

    /// Number of records that the block changed.
    pub(super) fn changed(&self) -> usize {
        self.changes.len()
    }

    /// All that the block changed.
    pub(super) fn into_changes(self) -> BTreeMap<MapKey, Vec<u8>> {
        self.changes
    }

    /// The key under which a transaction's signature must hold.
    pub fn signer(&mut self, body: &TransactionBody) -> Result<&PublicKey, Refusal> {
        if !self.is_member(body.sender)? {
            return Err(Code::UnknownSender.into());
        }
        let (source, height) = (Source { view: self.view, changes: &self.changes }, self.height);
        let entry = remember(&mut self.keys, (body.sender, body.key), |id| source.read(id))?;
        let entry: &KeyEntry = entry.as_ref().ok_or(Code::UnknownKey)?;
        if !may_send(body.payload.kind, entry.role) {
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

    /// Is the bureau a member?
    pub fn is_member(&mut self, bureau: Uscc) -> Result<bool, ReadError> {
        let (source, height) = (Source { view: self.view, changes: &self.changes }, self.height);
        remember(&mut self.members, bureau, |id| {
            Ok(source.read::<Bureau>(id)?.is_some_and(|bureau| bureau.intervals.hold_at(height)))
        })
        .copied()
    }

    /// The key under which a member issues and decides, if this is one.
    pub fn issuing_key(&mut self, bureau: Uscc, key: KeyId) -> Result<Option<&PublicKey>, ReadError> {
        if !self.is_member(bureau)? {
            return Ok(None);
        }
        let (source, height) = (Source { view: self.view, changes: &self.changes }, self.height);
        let entry = remember(&mut self.keys, (bureau, key), |id| source.read(id))?.as_ref();
        let holds = |entry: &&KeyEntry| {
            entry.role == KeyRole::Issuing
                && entry.intervals.hold_at(height)
                && entry.distrusted_from.is_none_or(|from| height < from)
        };
        Ok(entry.filter(holds).map(|entry| &entry.key))
    }

    /// A version of a service item, in force or not.
    pub fn service_item(
        &mut self,
        code: &ItemCode,
        version: ItemVersion,
    ) -> Result<Option<Arc<ServiceItem>>, ReadError> {
        let source = Source { view: self.view, changes: &self.changes };
        let known = remember(&mut self.items, (code.clone(), version), |id| Ok(source.read(id)?.map(Arc::new)))?;
        Ok(known.clone())
    }

    /// Is the purpose in force, and of public benefit?
    pub fn is_public_purpose(&mut self, code: &PurposeCode) -> Result<bool, ReadError> {
        Ok(self.purpose_class(code)? == Some(PurposeClass::PublicBenefit))
    }

    /// The class of a purpose that is in force.
    pub fn purpose_class(&mut self, code: &PurposeCode) -> Result<Option<PurposeClass>, ReadError> {
        let (source, height) = (Source { view: self.view, changes: &self.changes }, self.height);
        let class = |purpose: Purpose| purpose.intervals.hold_at(height).then_some(purpose.class);
        remember(&mut self.purposes, code.clone(), |id| Ok(source.read(id)?.and_then(class))).copied()
    }

    /// May the bureau issue the type?
    pub fn is_accredited(&mut self, issuer: Uscc, type_code: &TypeCode) -> Result<bool, ReadError> {
        let (source, height) = (Source { view: self.view, changes: &self.changes }, self.height);
        remember(&mut self.accredited, (issuer, type_code.clone()), |id| {
            Ok(source.read::<Accreditation>(id)?.is_some_and(|entry| entry.intervals.hold_at(height)))
        })
        .copied()
    }

    /// Is the version of the type in force?
    pub fn is_in_force(&mut self, type_code: &TypeCode, version: TypeVersion) -> Result<bool, ReadError> {
        let (source, height) = (Source { view: self.view, changes: &self.changes }, self.height);
        remember(&mut self.types, (type_code.clone(), version), |id| {
            Ok(source.read::<LicenceType>(id)?.is_some_and(|entry| entry.intervals.hold_at(height)))
        })
        .copied()
    }

    /// Is the version of the type in force, and one of enterprises? Asked seldom, so not remembered.
    pub fn is_of_enterprises(&self, type_code: &TypeCode, version: TypeVersion) -> Result<bool, ReadError> {
        let (source, height) = (Source { view: self.view, changes: &self.changes }, self.height);
        let found = source.read::<LicenceType>(&(type_code.clone(), version))?;
        Ok(found.is_some_and(|entry| entry.holder == HolderKind::Enterprise && entry.intervals.hold_at(height)))
    }

    /// May the bureau act on the issuer's licences of the type?
    pub fn supervises(&mut self, supervisor: Uscc, issuer: Uscc, type_code: &TypeCode) -> Result<bool, ReadError> {
        let (source, height) = (Source { view: self.view, changes: &self.changes }, self.height);
        remember(&mut self.supervisors, (supervisor, issuer, type_code.clone()), |id| {
            Ok(source.read::<Supervision>(id)?.is_some_and(|entry| entry.intervals.hold_at(height)))
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

/// Licences and statuses are the issuing key's. What decides in governance is signed inside, so any key sends it that
/// a bureau keeps where it can sign; a node has only its validator's.
fn may_send(kind: u8, role: KeyRole) -> bool {
    match TransactionKind::from_byte(kind) {
        Some(TransactionKind::Governance | TransactionKind::Equivocation) => {
            matches!(role, KeyRole::Issuing | KeyRole::Governance | KeyRole::Validator)
        }
        // Those too are signed inside; a governance key is kept away from what happens all day.
        Some(
            TransactionKind::Case
            | TransactionKind::Consent
            | TransactionKind::AccessRecord
            | TransactionKind::EnterpriseAccount,
        ) => {
            matches!(role, KeyRole::Issuing | KeyRole::Validator)
        }
        _ => role == KeyRole::Issuing,
    }
}

/// The registry with what the block changed.
struct Source<'a, V: View> {
    view: &'a V,
    changes: &'a BTreeMap<MapKey, Vec<u8>>,
}

impl<V: View> Source<'_, V> {
    fn read<T: RegistryRecord>(&self, id: &T::Id) -> Result<Option<T>, ReadError> {
        let key = T::key_of(id);
        let value = match self.changes.get(&key) {
            Some(value) => Some(value.clone()),
            None => self.view.registry(&key)?,
        };
        value.map(|value| T::from_value(&value).map_err(|error| ReadError(Box::new(error)))).transpose()
    }
}

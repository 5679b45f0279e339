//! Both maps: every leaf as such, and all of them under the tip's roots.

use std::collections::BTreeSet;

use kanhe_proto::account::{AccountRecord, EnterpriseAccount, account_key};
use kanhe_proto::case::{Case, case_key};
use kanhe_proto::consent::{Consent, SourceReads, consent_key, source_reads_key};
use kanhe_proto::governance::{Alive, OpenProposals, ProposalContent, ProposalVotes};
use kanhe_proto::hash::{Hash, MapKey};
use kanhe_proto::header::Header;
use kanhe_proto::ids::ProtocolVersion;
use kanhe_proto::map_value::{Kind, MapValue, ValueError};
use kanhe_proto::merkle::map::value_hash;
use kanhe_proto::record::Record;
use kanhe_proto::registry::{
    Accreditation, Bureau, DataCatalogue, DataClass, ItemCatalogue, KeyEntry, LicenceType, Membership, Parameters,
    Purpose, RegistryRecord, RelyingParty, Schedule, Seats, ServiceItem, Supervision,
};
use kanhe_proto::status::{BatchStatus, LicenceStatus, SpentId};

use super::Fsck;
use crate::ledger::map::{LeafReader, Map, split_record};
use crate::storage::Column;

impl Fsck<'_> {
    /// Gives the digests of the texts that types and items name.
    pub(super) fn registry(&mut self, tip: &Header) -> BTreeSet<Hash> {
        const COLUMN: Column = Column::Registry;
        let mut schemas = BTreeSet::new();
        self.each(COLUMN, |fsck, key, record| {
            let Some(value) = fsck.leaf(COLUMN, key, record) else { return };
            match registry_key(value) {
                Ok(found) if found.bytes() == key => {}
                Ok(_) => fsck.problem(COLUMN, key, "is stored under another record's key"),
                Err(error) => fsck.problem(COLUMN, key, error.to_string()),
            }
            if let Ok(licence_type) = LicenceType::from_value(value) {
                schemas.insert(licence_type.schema);
            }
            if let Ok(item) = ServiceItem::from_value(value) {
                schemas.insert(item.file);
            }
            if let Ok(parameters) = Parameters::from_value(value)
                && parameters.hash() != tip.parameters
                // The tip itself may have changed them for the next block.
                && tip.protocol < ProtocolVersion(2)
            {
                fsck.problem(COLUMN, key, "are other parameters than the tip was executed under");
            }
        });
        self.root(COLUMN, &self.reader.registry(), &tip.registry_root);
        schemas
    }

    pub(super) fn state(&mut self, tip: &Header) {
        const COLUMN: Column = Column::State;
        self.each(COLUMN, |fsck, key, record| {
            let Some(value) = fsck.leaf(COLUMN, key, record) else { return };
            let read = match value.first().and_then(|kind| Kind::from_byte(*kind)) {
                Some(Kind::LicenceStatus) => LicenceStatus::from_value(value).map(|_| ()),
                Some(Kind::BatchStatus) => BatchStatus::from_value(value).map(|_| ()),
                Some(Kind::ProposalContent) => ProposalContent::from_value(value).map(|_| ()),
                Some(Kind::ProposalVotes) => ProposalVotes::from_value(value).map(|_| ()),
                Some(Kind::Alive) => Alive::from_value(value).map(|_| ()),
                Some(Kind::OpenProposals) => OpenProposals::from_value(value).map(|_| ()),
                Some(Kind::Case) => Case::from_value(value).map(|case| fsck.case(key, &case)),
                Some(Kind::Consent) => Consent::from_value(value).map(|consent| fsck.consent(key, &consent)),
                Some(Kind::SourceReads) => SourceReads::from_value(value).map(|reads| fsck.source(key, &reads)),
                Some(Kind::EnterpriseAccount) => {
                    EnterpriseAccount::from_value(value).map(|account| fsck.account(key, &account))
                }
                _ => SpentId::from_value(value).map(|_| ()),
            };
            if let Err(error) = read {
                fsck.problem(COLUMN, key, error.to_string());
            }
        });
        self.root(COLUMN, &self.reader.state(), &tip.state_root);
    }

    fn case(&mut self, key: &[u8], case: &Case) {
        if case_key(&case.id).bytes() != key {
            self.problem(Column::State, key, "is stored under another case's key");
        }
    }

    fn consent(&mut self, key: &[u8], consent: &Consent) {
        if consent_key(&consent.id).bytes() != key {
            self.problem(Column::State, key, "is stored under another consent's key");
        }
    }

    fn source(&mut self, key: &[u8], reads: &SourceReads) {
        if source_reads_key(&reads.source).bytes() != key {
            self.problem(Column::State, key, "is stored under another source's key");
        }
    }

    /// It names the record of the last act on it.
    fn account(&mut self, key: &[u8], account: &EnterpriseAccount) {
        if account_key(&account.uscc).bytes() != key {
            self.problem(Column::State, key, "is stored under another account's key");
        }
        let last = self.get(Column::Records, &account.last.0.to_be_bytes());
        let last = last.and_then(|record| AccountRecord::from_record(&record).ok());
        let named = last.is_some_and(|last| {
            let act = &last.signed.act;
            act.uscc == account.uscc && act.sequence.checked_add(1) == Some(account.sequence)
        });
        if !named {
            self.problem(Column::State, key, "names a last record that is not of this account");
        }
    }

    fn leaf<'v>(&mut self, column: Column, key: &[u8], record: &'v [u8]) -> Option<&'v [u8]> {
        if key.len() != 32 {
            self.problem(column, key, "is no key of a map");
            return None;
        }
        let Some((hash, value)) = split_record(record) else {
            self.problem(column, key, "is too short");
            return None;
        };
        if value_hash(value) != hash {
            self.problem(column, key, "has another hash than the one stored beside it");
        }
        Some(value)
    }

    fn root(&mut self, column: Column, leaves: &impl LeafReader, expected: &Hash) {
        match Map::load(leaves, 0) {
            Ok(map) if map.root() == *expected => {}
            Ok(map) => self.problem(column, &[], format!("leaves lead to root {}, not to {expected}", map.root())),
            Err(error) => self.problem(column, &[], error.to_string()),
        }
    }
}

/// Where a registry record belongs.
fn registry_key(value: &[u8]) -> Result<MapKey, ValueError> {
    fn key<T: RegistryRecord>(value: &[u8]) -> Result<MapKey, ValueError> {
        T::from_value(value).map(|record| record.key())
    }
    match value.first().and_then(|kind| Kind::from_byte(*kind)) {
        Some(Kind::Bureau) => key::<Bureau>(value),
        Some(Kind::Key) => key::<KeyEntry>(value),
        Some(Kind::LicenceType) => key::<LicenceType>(value),
        Some(Kind::Accreditation) => key::<Accreditation>(value),
        Some(Kind::RelyingParty) => key::<RelyingParty>(value),
        Some(Kind::Supervision) => key::<Supervision>(value),
        Some(Kind::Purpose) => key::<Purpose>(value),
        Some(Kind::Membership) => key::<Membership>(value),
        Some(Kind::Seats) => key::<Seats>(value),
        Some(Kind::Schedule) => key::<Schedule>(value),
        Some(Kind::ServiceItem) => key::<ServiceItem>(value),
        Some(Kind::ItemCatalogue) => key::<ItemCatalogue>(value),
        Some(Kind::DataClass) => key::<DataClass>(value),
        Some(Kind::DataCatalogue) => key::<DataCatalogue>(value),
        _ => key::<Parameters>(value),
    }
}

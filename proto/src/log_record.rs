//! A record of the log, whatever its kind.
//!
//! Kinds and versions of later protocol versions are no error: who exports or counts a log bears them as they are.

use crate::account::AccountRecord;
use crate::case::CaseRecord;
use crate::consent::{AccessRecord, ConsentRecord};
use crate::equivocation::EquivocationRecord;
use crate::ids::{Height, TimeMs};
use crate::record::{BatchRecord, GovernanceRecord, Record, RecordKind};

/// A record, decoded as far as this software knows its layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogRecord {
    /// Licences issued together.
    Batch(BatchRecord),
    /// Somebody read somebody's data.
    Access(Box<AccessRecord>),
    /// An event of a case.
    Case(Box<CaseRecord>),
    /// A decision of the bureaus.
    Governance(Box<GovernanceRecord>),
    /// A validator signed two values.
    Equivocation(Box<EquivocationRecord>),
    /// A consent was given or taken back.
    Consent(Box<ConsentRecord>),
    /// An act on an enterprise's account.
    Account(Box<AccountRecord>),
    /// Of a kind or version without a layout here.
    Other,
}

impl LogRecord {
    /// Reads the bytes of a record. What is to be decoded besides gets its line here.
    pub fn read(bytes: &[u8]) -> Self {
        let kind = bytes.first().and_then(|byte| RecordKind::from_byte(*byte));
        let read = match kind {
            Some(RecordKind::Batch) => BatchRecord::from_record(bytes).map(Self::Batch),
            Some(RecordKind::Case) => CaseRecord::from_record(bytes).map(|record| Self::Case(Box::new(record))),
            Some(RecordKind::Governance) => {
                GovernanceRecord::from_record(bytes).map(|record| Self::Governance(Box::new(record)))
            }
            Some(RecordKind::Equivocation) => {
                EquivocationRecord::from_record(bytes).map(|record| Self::Equivocation(Box::new(record)))
            }
            Some(RecordKind::Access) => AccessRecord::from_record(bytes).map(|record| Self::Access(Box::new(record))),
            Some(RecordKind::Consent) => {
                ConsentRecord::from_record(bytes).map(|record| Self::Consent(Box::new(record)))
            }
            Some(RecordKind::EnterpriseAccount) => {
                AccountRecord::from_record(bytes).map(|record| Self::Account(Box::new(record)))
            }
            None => return Self::Other,
        };
        read.unwrap_or(Self::Other)
    }

    /// The block that recorded it, and that block's time; nothing if it cannot be read.
    pub fn recorded(&self) -> Option<(Height, TimeMs)> {
        match self {
            Self::Batch(record) => Some((record.height, record.time)),
            Self::Case(record) => Some((record.height, record.time)),
            Self::Governance(record) => Some((record.height, record.time)),
            Self::Equivocation(record) => Some((record.height, record.time)),
            Self::Access(record) => Some((record.height, record.time)),
            Self::Consent(record) => Some((record.height, record.time)),
            Self::Account(record) => Some((record.height, record.time)),
            Self::Other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Hash;
    use crate::identifiers::{TypeVersion, Uscc};
    use crate::key::{SecretKey, Signer};

    #[test]
    fn what_is_unknown_is_borne() {
        let batch = BatchRecord {
            issuer: Uscc::with_check("11370100MB2858147").unwrap(),
            signing_key: SecretKey::from_seed([1; 32]).public_key().id(),
            type_code: "demo-biz".parse().unwrap(),
            type_version: TypeVersion(1),
            root: Hash([2; 32]),
            count: 3,
            height: Height(4),
            time: TimeMs(5),
        };
        let bytes = batch.to_record();
        assert_eq!(LogRecord::read(&bytes), LogRecord::Batch(batch));
        assert_eq!(LogRecord::read(&bytes).recorded(), Some((Height(4), TimeMs(5))));
        let later = [&[1, 2], &bytes[2..]].concat();
        for unknown in [&later[..], &bytes[..bytes.len() - 1], &[2, 1, 7], &[6, 1, 7], &[200], &[]] {
            assert_eq!(LogRecord::read(unknown), LogRecord::Other, "{unknown:?}");
        }
    }
}

//! Puts together what the chain knows of one licence.

use std::collections::BTreeSet;

use kanhe_proto::bounded::List;
use kanhe_proto::evidence::{EVIDENCE_VERSION, Evidence, SupervisionProof};
use kanhe_proto::hash::LicenceDigest;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::LogIndex;
use kanhe_proto::proof::ProvedRecord;
use kanhe_proto::record::{BatchRecord, Record};
use kanhe_proto::registry::{Accreditation, Bureau, KeyEntry, LicenceType, RegistryRecord, Supervision};
use kanhe_proto::status::{BatchStatus, LicenceStatus, batch_status_key, licence_status_key};

use super::error::ChainError;
use super::snapshot::{Snapshot, value_of};

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
pub enum NoEvidence {
    /// Nothing is certified yet.
    #[error("no block is certified yet")]
    NothingCertified,
    /// The log ends before it.
    #[error("the log has no record {0}")]
    NoSuchRecord(LogIndex),
    /// The record is of another kind.
    #[error("record {} of the log is not of a batch", .0.index)]
    NotABatch(Box<ProvedRecord>),
    /// The chain cannot be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl Snapshot<'_> {
    /// Evidence for a licence of a batch. Whether the batch holds the licence only its holder can show.
    pub fn evidence(&self, batch_id: LogIndex, digest: &LicenceDigest) -> Result<Evidence, NoEvidence> {
        let certified = self.certified().ok_or(NoEvidence::NothingCertified)?.clone();
        let batch = self.record(batch_id)?.ok_or(NoEvidence::NoSuchRecord(batch_id))?;
        let Ok(record) = BatchRecord::from_record(&batch.record) else {
            return Err(NoEvidence::NotABatch(Box::new(batch)));
        };
        let issuer = record.issuer;
        let licence_status = self.prove_state(&licence_status_key(&issuer, digest))?;
        let batch_status = self.prove_state(&batch_status_key(&issuer, batch_id))?;
        let of_licence: LicenceStatus = value_of(&licence_status)?.unwrap_or_default();
        let of_batch: BatchStatus = value_of(&batch_status)?.unwrap_or_default();
        let supervisors: BTreeSet<Uscc> = of_licence
            .entries
            .iter()
            .chain(&of_batch.entries)
            .filter(|entry| entry.supervised_type.as_ref() == Some(&record.type_code))
            .map(|entry| entry.by)
            .collect();
        let mut supervisions = Vec::with_capacity(supervisors.len());
        for supervisor in supervisors {
            let id = (supervisor, issuer, record.type_code.clone());
            let leaf = self.prove_registry(&Supervision::key_of(&id))?;
            supervisions.push(SupervisionProof { supervisor, leaf });
        }
        Ok(Evidence {
            version: EVIDENCE_VERSION,
            certified,
            issuer: self.prove_registry(&Bureau::key_of(&issuer))?,
            key: self.prove_registry(&KeyEntry::key_of(&(issuer, record.signing_key)))?,
            accreditation: self.prove_registry(&Accreditation::key_of(&(issuer, record.type_code.clone())))?,
            licence_type: self.prove_registry(&LicenceType::key_of(&(record.type_code, record.type_version)))?,
            batch,
            batch_status,
            licence_status,
            supervisions: List::new(supervisions).expect("no more supervisors than entries of both histories"),
        })
    }
}

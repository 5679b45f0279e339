//! Evidence: one bundle that proves what the chain knows of a licence as of one certified header.
//!
//! The licence's path in its batch is the holder's own and travels beside it: the chain has only root and count. All
//! pieces are checked under the same header, and each is bound to the licence: issuer, type, key, digest.

use bincode::{Decode, Encode};

use crate::bounded::List;
use crate::codec::{self, CodecError};
use crate::hash::LicenceDigest;
use crate::identifiers::{Uscc, Vct};
use crate::ids::{Height, LogIndex, TimeMs};
use crate::key::KeyId;
use crate::limits::{EVIDENCE_BYTES_MAX, STATUS_ENTRIES_MAX};
use crate::merkle::log::{self, InclusionProof};
use crate::proof::{CertifiedHeader, ProofError, ProvedLeaf, ProvedRecord};
use crate::record::{BatchRecord, Record};
use crate::registry::{Accreditation, Bureau, KeyEntry, KeyRole, LicenceType, RegistryRecord, Supervision};
use crate::status::{
    BatchStatus, LicenceStatus, Status, StatusEntry, batch_status_key, by_author, entry_at, licence_status_key,
};

/// Layout of evidence.
pub const EVIDENCE_VERSION: u8 = 1;

/// Where a licence stands in its batch; fixed for life.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct LicencePath {
    /// The batch.
    pub batch: LogIndex,
    /// Path from the licence's digest to the batch root.
    pub inclusion: InclusionProof,
}

/// A supervisor's right, for each supervisor whose entries the histories hold.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SupervisionProof {
    /// Who acted.
    pub supervisor: Uscc,
    /// Its right over the issuer's licences of the type.
    pub leaf: ProvedLeaf,
}

/// What the chain knows of one licence.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Evidence {
    /// Layout: 1.
    pub version: u8,
    /// All else is proved under this header.
    pub certified: CertifiedHeader,
    /// Registry: the issuing bureau.
    pub issuer: ProvedLeaf,
    /// Registry: its issuing key.
    pub key: ProvedLeaf,
    /// Registry: its right to issue the type.
    pub accreditation: ProvedLeaf,
    /// Registry: the version of the type.
    pub licence_type: ProvedLeaf,
    /// Log: the batch.
    pub batch: ProvedRecord,
    /// State: history of the batch.
    pub batch_status: ProvedLeaf,
    /// State: history of the licence.
    pub licence_status: ProvedLeaf,
    /// Registry: rights of the supervisors who acted on either.
    pub supervisions: List<SupervisionProof, { 2 * STATUS_ENTRIES_MAX }>,
}

/// What evidence must be about: what the licence says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// From `iss`.
    pub issuer: Uscc,
    /// From `kid`.
    pub key: KeyId,
    /// From `vct`.
    pub vct: Vct,
    /// Hash of the issuer-signed JWT.
    pub digest: LicenceDigest,
}

/// Why evidence proves nothing about a licence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Not decodable.
    #[error("evidence is malformed: {0}")]
    Malformed(#[from] CodecError),
    /// A layout this software does not know.
    #[error("evidence of unknown version {0}")]
    Version(u8),
    /// A registry record that the header does not commit to.
    #[error("registry record of the {what}: {error}")]
    Registry {
        /// Which record.
        what: &'static str,
        /// Why not.
        error: ProofError,
    },
    /// A status that the header does not commit to.
    #[error("status of the {what}: {error}")]
    Status {
        /// Of what.
        what: &'static str,
        /// Why not.
        error: ProofError,
    },
    /// A batch that the log does not hold.
    #[error("the batch is not in the log of the header")]
    BatchNotInLog,
    /// The record is not of a batch.
    #[error("the record is not of a batch")]
    NotABatch,
    /// The path names another batch than the evidence.
    #[error("the licence's path is of batch {path}, the evidence of batch {evidence}")]
    OtherBatch {
        /// In the holder's path.
        path: LogIndex,
        /// In the evidence.
        evidence: LogIndex,
    },
    /// `iss` is not the batch's issuer.
    #[error("the batch is of another issuer than the licence")]
    OtherIssuer,
    /// `vct` is not the batch's type and version.
    #[error("the batch is of another type than the licence")]
    OtherType,
    /// `kid` is not the batch's signing key.
    #[error("the batch was signed by another key than the licence")]
    OtherKey,
    /// The batch root does not contain the licence's digest.
    #[error("the licence is not in the batch")]
    NotAnchored,
    /// A supervisor acted, and its right is not shown.
    #[error("the right of supervisor {0} is not shown")]
    SupervisionMissing(Uscc),
}

impl EvidenceError {
    /// Stable reason code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "evidence_malformed",
            Self::Version(_) => "evidence_version",
            Self::Registry { .. } => "registry_proof_wrong",
            Self::Status { .. } => "status_proof_wrong",
            Self::BatchNotInLog => "batch_not_in_log",
            Self::NotABatch => "batch_malformed",
            Self::OtherBatch { .. } => "path_of_another_batch",
            Self::OtherIssuer => "batch_of_another_issuer",
            Self::OtherType => "batch_of_another_type",
            Self::OtherKey => "batch_of_another_key",
            Self::NotAnchored => "not_anchored",
            Self::SupervisionMissing(_) => "supervision_missing",
        }
    }
}

impl Evidence {
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads evidence of anyone; nothing of it is checked yet.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let evidence: Self = codec::decode(bytes, EVIDENCE_BYTES_MAX)?;
        if evidence.version != EVIDENCE_VERSION {
            return Err(EvidenceError::Version(evidence.version));
        }
        Ok(evidence)
    }

    /// The issuing key of a `kid`, proved under the header; `None` is proved absence.
    pub fn key_entry(&self, issuer: Uscc, key: KeyId) -> Result<Option<KeyEntry>, EvidenceError> {
        self.registry(&self.key, "key", &(issuer, key))
    }

    /// Checks every proof and every binding to the licence. The certificate is the light client's to check.
    pub fn read(&self, subject: &Subject, path: &LicencePath) -> Result<Facts, EvidenceError> {
        let key = self.key_entry(subject.issuer, subject.key)?;
        let issuer: Option<Bureau> = self.registry(&self.issuer, "issuer", &subject.issuer)?;
        let code = subject.vct.code.clone();
        let accreditation = self.registry(&self.accreditation, "accreditation", &(subject.issuer, code.clone()))?;
        let licence_type = self.registry(&self.licence_type, "type", &(code, subject.vct.version))?;
        let batch = self.batch(subject, path)?;
        let (batch_status, licence_status) = self.statuses(subject)?;
        let supervisions = self.supervisions(subject)?;
        let header = &self.certified.header;
        let facts = Facts {
            as_of: header.time,
            height: header.height,
            type_code: subject.vct.code.clone(),
            issuer,
            key,
            accreditation,
            licence_type,
            batch_id: self.batch.index,
            batch,
            batch_status,
            licence_status,
            supervisions,
        };
        facts.check_supervisors()?;
        Ok(facts)
    }

    fn registry<T: RegistryRecord>(
        &self,
        leaf: &ProvedLeaf,
        what: &'static str,
        id: &T::Id,
    ) -> Result<Option<T>, EvidenceError> {
        leaf.read(&self.certified.header.registry_root, &T::key_of(id))
            .map_err(|error| EvidenceError::Registry { what, error })
    }

    fn batch(&self, subject: &Subject, path: &LicencePath) -> Result<BatchRecord, EvidenceError> {
        self.batch.verify(&self.certified.header).map_err(|_| EvidenceError::BatchNotInLog)?;
        let batch = BatchRecord::from_record(&self.batch.record).map_err(|_| EvidenceError::NotABatch)?;
        if path.batch != self.batch.index {
            return Err(EvidenceError::OtherBatch { path: path.batch, evidence: self.batch.index });
        }
        if batch.issuer != subject.issuer {
            return Err(EvidenceError::OtherIssuer);
        }
        if (&batch.type_code, batch.type_version) != (&subject.vct.code, subject.vct.version) {
            return Err(EvidenceError::OtherType);
        }
        if batch.signing_key != subject.key {
            return Err(EvidenceError::OtherKey);
        }
        let leaf = log::leaf_hash(subject.digest.bytes());
        log::verify_inclusion(&leaf, path.inclusion.index, u64::from(batch.count), &path.inclusion, &batch.root)
            .map_err(|_| EvidenceError::NotAnchored)?;
        Ok(batch)
    }

    fn statuses(&self, subject: &Subject) -> Result<(BatchStatus, LicenceStatus), EvidenceError> {
        let root = &self.certified.header.state_root;
        let batch = self
            .batch_status
            .read(root, &batch_status_key(&subject.issuer, self.batch.index))
            .map_err(|error| EvidenceError::Status { what: "batch", error })?;
        let licence = self
            .licence_status
            .read(root, &licence_status_key(&subject.issuer, &subject.digest))
            .map_err(|error| EvidenceError::Status { what: "licence", error })?;
        Ok((batch.unwrap_or_default(), licence.unwrap_or_default()))
    }

    fn supervisions(&self, subject: &Subject) -> Result<Vec<(Uscc, Option<Supervision>)>, EvidenceError> {
        let prove = |proof: &SupervisionProof| {
            let id = (proof.supervisor, subject.issuer, subject.vct.code.clone());
            Ok((proof.supervisor, self.registry(&proof.leaf, "supervision", &id)?))
        };
        self.supervisions.iter().map(prove).collect()
    }
}

/// What evidence proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Time of the header.
    pub as_of: TimeMs,
    /// Height of the header.
    pub height: Height,
    /// The licence's type.
    pub type_code: crate::identifiers::TypeCode,
    /// The bureau, if it ever was one.
    pub issuer: Option<Bureau>,
    /// Its key, if it ever had it.
    pub key: Option<KeyEntry>,
    /// Its right to issue the type, if it ever had it.
    pub accreditation: Option<Accreditation>,
    /// The type, if it ever existed.
    pub licence_type: Option<LicenceType>,
    /// Position of the batch in the log.
    pub batch_id: LogIndex,
    /// The batch.
    pub batch: BatchRecord,
    /// Its history.
    pub batch_status: BatchStatus,
    /// The licence's history.
    pub licence_status: LicenceStatus,
    /// Rights of supervisors over the issuer's licences of the type; none is proved absence.
    pub supervisions: Vec<(Uscc, Option<Supervision>)>,
}

/// Status of a licence, and which level it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EffectiveStatus {
    /// The worst of the three levels.
    pub status: Status,
    /// `licence`, `batch`, or `key_compromised`.
    pub cause: Cause,
}

/// The level that a status comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The licence itself.
    Licence,
    /// Its whole batch.
    Batch,
    /// Its issuing key was stolen before the batch was recorded.
    KeyCompromised,
}

impl Facts {
    /// Why the issuer had no right to issue it, if it hadn't.
    pub fn not_accredited(&self) -> Option<&'static str> {
        let height = self.batch.height;
        let member = self.issuer.as_ref().is_some_and(|issuer| issuer.intervals.hold_at(height));
        let key = self.key.as_ref().filter(|key| key.role == KeyRole::Issuing);
        let accredited = self.accreditation.as_ref().is_some_and(|entry| entry.intervals.hold_at(height));
        let type_known = self.licence_type.as_ref().is_some_and(|entry| entry.intervals.hold_at(height));
        match () {
            () if !member => Some("issuer_not_member"),
            () if key.is_none() => Some("key_unknown"),
            () if !key.is_some_and(|key| key.intervals.hold_at(height)) => Some("key_not_valid"),
            () if !accredited => Some("not_accredited"),
            () if !type_known => Some("type_not_in_force"),
            () => None,
        }
    }

    /// Status at a time: the worst of licence, batch and issuing key.
    pub fn status_at(&self, at: TimeMs) -> EffectiveStatus {
        let level = |entries: &[StatusEntry], cause| {
            let own = entry_at(by_author(entries, None), at);
            let supervised = by_author(entries, Some(&self.type_code)).filter(|entry| self.counts(entry));
            let worst = own.into_iter().chain(entry_at(supervised, at)).map(|entry| entry.status).max();
            EffectiveStatus { status: worst.unwrap_or(Status::Active), cause }
        };
        let licence = level(&self.licence_status.entries, Cause::Licence);
        let batch = level(&self.batch_status.entries, Cause::Batch);
        let distrusted = self.key.as_ref().and_then(|key| key.distrusted_from);
        let stolen = distrusted.is_some_and(|from| self.batch.height >= from) && self.batch_status.reaffirmed.is_none();
        let key = EffectiveStatus {
            status: if stolen { Status::Revoked } else { Status::Active },
            cause: Cause::KeyCompromised,
        };
        // Of equal statuses the licence's own is the one to show.
        [batch, key].into_iter().fold(licence, |worst, next| if next.status > worst.status { next } else { worst })
    }

    /// A supervisor's entry counts if it had the right over this very type when it acted.
    fn counts(&self, entry: &StatusEntry) -> bool {
        self.supervision_of(&entry.by).flatten().is_some_and(|right| right.intervals.hold_at(entry.height))
    }

    fn supervision_of(&self, supervisor: &Uscc) -> Option<Option<&Supervision>> {
        self.supervisions.iter().find(|(uscc, _)| uscc == supervisor).map(|(_, right)| right.as_ref())
    }

    fn check_supervisors(&self) -> Result<(), EvidenceError> {
        let entries = self.licence_status.entries.iter().chain(self.batch_status.entries.iter());
        for entry in entries.filter(|entry| entry.supervised_type.as_ref() == Some(&self.type_code)) {
            if self.supervision_of(&entry.by).is_none() {
                return Err(EvidenceError::SupervisionMissing(entry.by));
            }
        }
        Ok(())
    }
}

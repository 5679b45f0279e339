//! Which records an export shows. They are chosen after all were proved.

use clap::ValueEnum;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::log_record::LogRecord;
use kanhe_proto::record::RecordKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::talk::{ExitCode, Failure};

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Licences issued together.
    Batch,
    /// Events of cases.
    Case,
    /// Reads.
    Access,
    /// Decisions of the bureaus.
    Governance,
    /// Double signatures of validators.
    Equivocation,
    /// Consents given or taken back.
    Consent,
    /// Acts on accounts of enterprises.
    Account,
}

impl Kind {
    const fn of_chain(self) -> RecordKind {
        match self {
            Self::Batch => RecordKind::Batch,
            Self::Case => RecordKind::Case,
            Self::Access => RecordKind::Access,
            Self::Governance => RecordKind::Governance,
            Self::Equivocation => RecordKind::Equivocation,
            Self::Consent => RecordKind::Consent,
            Self::Account => RecordKind::EnterpriseAccount,
        }
    }
}

/// What is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Batches of this issuer alone.
    #[schemars(with = "Option<String>")]
    pub issuer: Option<Uscc>,
    /// Records of these kinds alone; empty: of all.
    pub kinds: Vec<Kind>,
}

impl Filter {
    /// Only batches have an issuer.
    pub fn new(issuer: Option<Uscc>, mut kinds: Vec<Kind>) -> Result<Self, Failure> {
        kinds.sort_unstable();
        kinds.dedup();
        if issuer.is_some() && kinds.iter().any(|kind| *kind != Kind::Batch) {
            return Err(Failure::of(ExitCode::Usage, "audit_issuer_kind", &[]));
        }
        Ok(Self { issuer, kinds })
    }
    /// Whether everything is shown.
    pub const fn is_all(&self) -> bool {
        self.issuer.is_none() && self.kinds.is_empty()
    }
    /// Whether a record is shown.
    pub fn shows(&self, bytes: &[u8], record: &LogRecord) -> bool {
        let of_kind =
            self.kinds.is_empty() || self.kinds.iter().any(|kind| bytes.first() == Some(&kind.of_chain().byte()));
        let of_issuer = match (&self.issuer, record) {
            (None, _) => true,
            (Some(issuer), LogRecord::Batch(batch)) => batch.issuer == *issuer,
            (Some(_), _) => false,
        };
        of_kind && of_issuer
    }
}

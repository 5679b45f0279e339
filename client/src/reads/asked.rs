//! What a reader asked, and what came of it, in its register.

use kanhe_proto::bounded::Blob;
use kanhe_proto::codec;
use kanhe_proto::consent::{Basis, Scope, Subject};
use kanhe_proto::hash::{CaseId, LicenceDigest, ReadId};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::item::PartName;
use kanhe_proto::mail::MAIL_BYTES_MAX;
use kanhe_proto::registry::PurposeCode;
use kanhe_proto::sharing::{LETTER_BYTES_MAX, ReadLetter, SHARED_PROOF_BYTES_MAX, SharedProof};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::desk::RowKey;
use crate::issuer::Register;
use crate::talk::{ExitCode, Failure};
use crate::vault::Table;
use crate::wallet::Seed;

const ASKED: Table<Asked> = Table::new("reads");
/// Proofs of what was given: large, so beside the rows that are listed.
const PROOFS: Table<Blob<SHARED_PROOF_BYTES_MAX>> = Table::new("reads_given");

/// How far a read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AskedState {
    /// It is asked, or will be.
    Asked,
    /// It was recorded and given, and proved.
    Given,
    /// It was refused; the code says why.
    Refused,
}

/// What is shown of one licence that was given: the claims are of its proof.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct GivenLicence {
    /// Names it on the chain.
    pub digest: LicenceDigest,
    /// Type and version.
    pub vct: String,
    /// What was shown.
    pub claims: Map<String, Value>,
    /// Whether it was good then.
    pub good: bool,
    /// Its status then.
    pub status: kanhe_proto::status::Status,
    /// When it was issued, as it says.
    #[serde(default)]
    pub issued: Option<TimeMs>,
}

impl std::fmt::Debug for GivenLicence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Personal claims stay out of logs.
        write!(f, "GivenLicence({})", self.vct)
    }
}

/// A read that was asked for.
#[derive(Clone, Serialize, Deserialize)]
pub struct Asked {
    /// Which.
    pub id: ReadId,
    /// Of whom.
    pub source: Uscc,
    /// About whom.
    pub subject: Subject,
    /// What.
    pub scope: Scope,
    /// On which ground.
    pub basis: Basis,
    /// What for.
    pub purpose: PurposeCode,
    /// The case that it is for, with the round of the step and which of the item's reads.
    pub case: Option<CaseRead>,
    /// When, by this machine's clock.
    pub made: TimeMs,
    /// Encoding of the letter.
    pub letter: Blob<LETTER_BYTES_MAX>,
    /// One-time key for the answer.
    pub answer: Seed,
    /// The sealed letter, as it is sent.
    pub envelope: Blob<MAIL_BYTES_MAX>,
    /// How far it is.
    pub state: AskedState,
    /// Why it was refused.
    pub code: Option<String>,
    /// Where the record is.
    pub record: Option<LogIndex>,
    /// When it was recorded.
    pub recorded: Option<TimeMs>,
    /// What was given.
    pub licences: Vec<GivenLicence>,
}

/// Which read of which round of which step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseRead {
    /// The case.
    pub case: CaseId,
    /// Place of the step.
    pub step: u8,
    /// Its round.
    pub round: u32,
    /// Slot of the party that it is about.
    pub slot: u8,
    /// The item's read, or its ask.
    pub read: PartName,
    /// Whether it is an ask, read because a clerk acts for who would have shown it.
    #[serde(default)]
    pub is_ask: bool,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Personal claims stay out of logs.
        write!(f, "Asked({}, {:?})", self.id, self.state)
    }
}

impl Asked {
    /// Its name for people: the first characters of its id.
    pub fn short(&self) -> String {
        self.id.to_string()[..8].to_owned()
    }
    /// The letter.
    pub fn opened(&self) -> Result<ReadLetter, Failure> {
        ReadLetter::decode(&self.letter).map_err(|error| Failure::reported(ExitCode::Failure, "vault_damaged", error))
    }
    /// The last moment at which the chain records it.
    pub fn good_until(&self) -> Result<TimeMs, Failure> {
        Ok(self.opened()?.request.request.good_until())
    }
}

impl Register {
    /// Keeps a read that is asked for; it is durable when this returns.
    pub fn put_asked(&self, asked: &Asked) -> Result<(), Failure> {
        Ok(self.vault().put(&ASKED, &asked.id.to_string(), asked)?)
    }
    /// Keeps what was given, with its proof.
    pub fn put_given(&self, asked: &Asked, proof: &SharedProof) -> Result<(), Failure> {
        let bytes = Blob::new(codec::encode(proof));
        let bytes = bytes.map_err(|error| Failure::reported(ExitCode::Failure, "read_too_long", error))?;
        self.vault().write::<_, Failure>(|rows| {
            rows.put(&PROOFS, &asked.id.to_string(), &bytes)?;
            Ok(rows.put(&ASKED, &asked.id.to_string(), asked)?)
        })
    }
    /// The proof of what was given.
    pub fn proof_of(&self, id: &ReadId) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.vault().get(&PROOFS, &id.to_string())?.map(Blob::into_vec))
    }
    /// Everything that was asked, oldest first.
    pub fn asked(&self) -> Result<Vec<Asked>, Failure> {
        let mut all: Vec<Asked> = self.vault().scan(&ASKED)?.into_iter().map(|(_, asked)| asked).collect();
        all.sort_by_key(|asked| (asked.made, asked.id));
        Ok(all)
    }
    /// What was asked for a round of a step, oldest first.
    pub fn asked_for(&self, key: &RowKey) -> Result<Vec<Asked>, Failure> {
        let mut all = self.asked()?;
        all.retain(|asked| {
            let of = asked.case.as_ref();
            of.is_some_and(|of| (of.case, of.step, of.round) == (key.case, key.step, key.round))
        });
        Ok(all)
    }
    /// The read that a person means: its id, or the first characters of it.
    pub fn find_asked(&self, id: &str) -> Result<Asked, Failure> {
        let id = id.trim().to_lowercase();
        let mut found = self.asked()?;
        found.retain(|asked| !id.is_empty() && asked.id.to_string().starts_with(&id));
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(Failure::of(ExitCode::Usage, "read_not_here", &[("id", &id)])),
            count => Err(Failure::of(ExitCode::Usage, "read_ambiguous", &[("id", &id), ("count", &count)])),
        }
    }
}

//! Reads that a source records and gives, in its register.

use std::collections::BTreeMap;

use kanhe_proto::bounded::Blob;
use kanhe_proto::codec;
use kanhe_proto::consent::{SignedRead, Subject};
use kanhe_proto::hash::ReadId;
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::limits::TRANSACTION_BYTES_MAX;
use kanhe_proto::mail::MAIL_BYTES_MAX;
use kanhe_proto::sharing::{LETTER_BYTES_MAX, PARCEL_BYTES_MAX, ReadLetter};
use serde::{Deserialize, Serialize};

use crate::issuer::{Register, count_read};
use crate::talk::{ExitCode, Failure};
use crate::vault::Table;

const SERVED: Table<Served> = Table::new("served");
/// Ids of reads that are signed and not proved.
const UNPROVED: Table<bool> = Table::new("served_open");

/// How far a read is. Each stage is durable before the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The read is signed, and sent until it is proved.
    Signed,
    /// Its record is proved.
    Recorded,
    /// It is answered.
    Answered,
}

/// A read at its source.
#[derive(Clone, Serialize, Deserialize)]
pub struct Served {
    /// Which.
    pub id: ReadId,
    /// How far it is.
    pub stage: Stage,
    /// Encoding of the letter.
    pub letter: Blob<LETTER_BYTES_MAX>,
    /// About whom.
    pub about: Subject,
    /// Number of the read in the traces of that person.
    pub n: u64,
    /// Encoding of what is given.
    pub parcel: Blob<PARCEL_BYTES_MAX>,
    /// Random bytes of the commitment to it.
    pub random: Blob<32>,
    /// Encoding of the [`SignedRead`]: these bytes are sent and no others.
    pub read: Blob<TRANSACTION_BYTES_MAX>,
    /// A number below which the source's reads do not have it.
    pub from: u64,
    /// When it was signed, by this machine's clock.
    pub at: TimeMs,
    /// Where the chain has it.
    pub record: Option<LogIndex>,
    /// When it was recorded.
    pub recorded: Option<TimeMs>,
    /// Why the data did not leave, although the read is recorded.
    pub withheld: Option<String>,
    /// The sealed answer: these bytes are sent again.
    pub answer: Option<Blob<MAIL_BYTES_MAX>>,
    /// Whether a node has taken it: from then on the data may have left.
    #[serde(default)]
    pub sent: bool,
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Personal claims stay out of logs.
        write!(f, "Served({}, {:?})", self.id, self.stage)
    }
}

fn damaged(error: impl std::fmt::Display) -> Failure {
    Failure::reported(ExitCode::Failure, "vault_damaged", error)
}

impl Served {
    /// The letter.
    pub fn opened(&self) -> Result<ReadLetter, Failure> {
        ReadLetter::decode(&self.letter).map_err(damaged)
    }
    /// The signed read.
    pub fn signed(&self) -> Result<SignedRead, Failure> {
        codec::decode(&self.read, TRANSACTION_BYTES_MAX).map_err(damaged)
    }
}

impl Register {
    /// Keeps a read at its source; it is durable when this returns.
    /// Notes that a node has taken the answer.
    pub(super) fn mark_sent(&self, id: &ReadId) -> Result<(), Failure> {
        match self.served(id)? {
            Some(served) if !served.sent => self.put_served(&Served { sent: true, ..served }),
            _ => Ok(()),
        }
    }
    pub(super) fn put_served(&self, served: &Served) -> Result<(), Failure> {
        let id = served.id.to_string();
        self.vault().write::<_, Failure>(|rows| {
            match served.stage {
                Stage::Signed => rows.put(&UNPROVED, &id, &true)?,
                Stage::Recorded => {
                    rows.delete(&UNPROVED, &id)?;
                    count_read(rows, &served.about, served.n)?;
                }
                Stage::Answered => drop(rows.delete(&UNPROVED, &id)?),
            }
            Ok(rows.put(&SERVED, &id, served)?)
        })
    }
    /// Takes a read away that the chain never had: its number is free again.
    pub(super) fn drop_served(&self, id: &ReadId) -> Result<(), Failure> {
        self.vault().write::<_, Failure>(|rows| {
            rows.delete(&UNPROVED, &id.to_string())?;
            rows.delete(&SERVED, &id.to_string())?;
            Ok(())
        })
    }
    /// A read at its source.
    pub fn served(&self, id: &ReadId) -> Result<Option<Served>, Failure> {
        Ok(self.vault().get(&SERVED, &id.to_string())?)
    }
    /// Reads that are signed and not proved.
    pub(super) fn unproved(&self) -> Result<Vec<Served>, Failure> {
        let reader = self.vault().read()?;
        let ids = reader.scan(&UNPROVED)?;
        let found = ids.iter().map(|(id, _)| reader.get(&SERVED, id));
        Ok(found.filter_map(Result::transpose).collect::<Result<_, _>>()?)
    }
    /// All reads that were served, by id.
    pub fn all_served(&self) -> Result<BTreeMap<ReadId, Served>, Failure> {
        Ok(self.vault().scan(&SERVED)?.into_iter().map(|(_, served)| (served.id, served)).collect())
    }
}

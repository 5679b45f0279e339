//! Case files: what a party or a bureau says to one bureau in a case, sealed to it and cut into parts. On the chain is only
//! a commitment to the whole.
//!
//! Layout of a file, by the codec: 32 random bytes, then [`CaseFile`]. The random bytes are part of the file alone, so who
//! deletes it leaves a commitment that means nothing.
//!
//! Layout of a part: version (1), chain (32), case (32), recipient (8 + 18), commitment (32), author's key (1 + 8 + 32),
//! place (2), number of parts (2), [`Sealed`](crate::seal::Sealed), signature (1 + 8 + 64). A node that carries it sees that much and its size. Each
//! part is bound to its place: none can be left out, moved, or put into another file. Its author signs it: whoever knows a
//! commitment, as everybody does once the act is on the chain, cannot put something else in the file's place. What others
//! sign is a file of theirs. Parts of version 1 had no author and no signature.
//!
//! Source: `docs/adr/0010-items-cases-and-consent.md`, section 3

mod helped;
mod part;

use bincode::{Decode, Encode};

use crate::account::MANDATE_BYTES_MAX;
use crate::bounded::{Blob, List, Text};
use crate::case::{FileRef, commitment};
use crate::codec::{self, CodecError};
use crate::hash::{CaseId, ChainId, Commitment};
use crate::identifiers::Uscc;
use crate::item::PartName;
use crate::key::{KeyError, PublicKey, SignError, Signer};
use crate::limits::{
    ATTACHMENT_BYTES_MAX, CASE_FILE_BYTES_MAX, CASE_FILE_UNIT_BYTES, RESPONSE_BYTES_MAX, SEALED_BYTES_MAX,
};
use crate::seal::{SealError, SealInfo, SealPurpose, SealingSecret, seal};

pub use helped::{Helped, HelpedAsk, HelpedPickup};
pub use part::{FilePart, PartBody};

/// The layout of files that is written and read.
pub const CASE_FILE_VERSION: u8 = 2;
/// The layout of parts that is written and read.
pub const PART_VERSION: u8 = 2;
/// Bytes of a file in each part but the last.
pub const PART_BYTES: usize = 192 << 10;
/// Parts of the longest file.
pub const PARTS_MAX: usize = (CASE_FILE_BYTES_MAX as usize).div_ceil(PART_BYTES);
/// What stands before the sealed bytes of a part.
pub const PART_HEAD_BYTES: usize = 1 + 32 + 32 + 8 + 18 + 32 + 41 + 2 + 2;
/// The longest encoded part.
pub const PART_ENCODED_BYTES_MAX: usize = PART_HEAD_BYTES + SEALED_BYTES_MAX + 73;
/// Values of a file.
pub const VALUES_MAX: usize = 128;
/// Bytes of a value.
pub const VALUE_BYTES_MAX: usize = 4 << 10;
/// Applications of a file.
pub const APPLICATIONS_MAX: usize = 16;
/// Bytes of an application.
pub const APPLICATION_BYTES_MAX: usize = 16 << 10;
/// Attachments of a file.
pub const ATTACHMENTS_MAX: usize = 32;
/// Bytes of an attachment's name.
pub const ATTACHMENT_NAME_BYTES_MAX: usize = 128;

const RANDOM_BYTES: usize = 32;

/// Who says it. The order of the variants is the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Author {
    /// A party, by its slot.
    Slot(u8),
    /// A bureau, by its place in the item: what it passes on of a step that it decided.
    Bureau {
        /// Its place.
        place: u8,
        /// The step.
        step: u8,
    },
}

/// Encoding of a [`crate::account::Mandate`].
pub type MandateBytes = Blob<MANDATE_BYTES_MAX>;

/// A field of the item's form, or something that a step passes on.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct NamedValue {
    /// Its name in the item.
    pub name: PartName,
    /// JSON text.
    pub value: Text<VALUE_BYTES_MAX>,
}

/// A paper that has no licence yet.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Attachment {
    /// Its code in the item, then, after a dot, its kind of file, if that is known; no path.
    pub name: Text<ATTACHMENT_NAME_BYTES_MAX>,
    /// Its content.
    pub content: Blob<{ ATTACHMENT_BYTES_MAX as usize }>,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CaseFile {
    /// Layout: [`CASE_FILE_VERSION`].
    pub version: u8,
    /// The chain.
    pub chain: ChainId,
    /// The case.
    pub case: CaseId,
    /// To which bureau.
    pub to: Uscc,
    /// By whom.
    pub from: Author,
    /// In which round of the slot or step.
    pub round: u32,
    /// Values, strictly ascending by name.
    pub values: List<NamedValue, VALUES_MAX>,
    /// An encoded [`crate::response::Response`] to what the item asks of the party; empty if it asks nothing.
    pub presentation: Blob<RESPONSE_BYTES_MAX>,
    /// Applications for the licences that the case yields to the party.
    pub applications: List<Text<APPLICATION_BYTES_MAX>, APPLICATIONS_MAX>,
    /// Attachments, strictly ascending by name.
    pub attachments: List<Attachment, ATTACHMENTS_MAX>,
    /// An encoded [`crate::account::Mandate`], where the party acts for an enterprise.
    pub mandate: Option<MandateBytes>,
    /// Set if a clerk says it for somebody who has no wallet; counts only if the act says so too.
    pub helped: Option<Helped>,
}

/// Why a file is not what was committed to, or cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaseFileError {
    /// Not a file or a part.
    #[error("malformed: {0}")]
    Malformed(#[from] CodecError),
    /// Of a layout that is not known.
    #[error("unknown layout {0}")]
    Version(u8),
    /// Longer than a file may be.
    #[error("{0} bytes are more than a case file may have")]
    TooLong(usize),
    /// Attachments are too long together.
    #[error("attachments of {0} bytes together")]
    Attachments(usize),
    /// Names are not in order, twice there, or not names.
    #[error("the names are not in order")]
    Names,
    /// A part has no place in its file.
    #[error("part {place} of {parts}")]
    Place {
        /// Its place.
        place: u16,
        /// Number of parts.
        parts: u16,
    },
    /// Parts are missing.
    #[error("{0} parts are there, which is not all")]
    Incomplete(usize),
    /// Of another chain, case, recipient, author or file.
    #[error("of another chain, case, recipient, author or file")]
    Other,
    /// Not what the chain has a commitment to.
    #[error("not what was committed to")]
    Commitment,
    /// Not signed by the key that it names.
    #[error("the signature of a part")]
    Signature(#[source] KeyError),
    /// Its author's key does not sign.
    #[error(transparent)]
    NotSigned(#[from] SignError),
    /// Cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl CaseFileError {
    /// The stable name of the error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "case_file_malformed",
            Self::Version(_) => "case_file_version",
            Self::TooLong(_) => "case_file_too_long",
            Self::Attachments(_) => "case_file_attachments",
            Self::Names => "case_file_names",
            Self::Place { .. } => "case_file_place",
            Self::Incomplete(_) => "case_file_incomplete",
            Self::Other => "case_file_other",
            Self::Commitment => "case_file_commitment",
            Self::Signature(_) => "case_file_signature",
            Self::NotSigned(_) => "not_signed",
            Self::Seal(error) => error.code(),
        }
    }
}

fn ascending<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let names: Vec<&str> = names.collect();
    names.windows(2).all(|pair| pair[0] < pair[1])
}

/// Parts of a file of so many bytes, which may be rounded up to [`CASE_FILE_UNIT_BYTES`]: a part is a multiple of that.
pub const fn parts_of(bytes: usize) -> u16 {
    bytes.div_ceil(PART_BYTES) as u16
}

/// A name that is no path and shows as it is.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.chars().all(|letter| !letter.is_control() && letter != '/' && letter != '\\')
}

/// What a part is bound to besides its recipient.
fn info(chain: ChainId, case: &CaseId, commitment: &Commitment, place: u16, parts: u16) -> SealInfo {
    let (about, _) = commitment.0.split_at(16);
    let subject = [case.0.as_slice(), about, &place.to_be_bytes(), &parts.to_be_bytes()].concat();
    SealInfo {
        chain,
        purpose: SealPurpose::CaseFile,
        subject: Blob::new(subject).expect("52 bytes are within a subject"),
    }
}

impl CaseFile {
    fn check(&self) -> Result<(), CaseFileError> {
        if self.version != CASE_FILE_VERSION {
            return Err(CaseFileError::Version(self.version));
        }
        let bytes: usize = self.attachments.iter().map(|attachment| attachment.content.len()).sum();
        if bytes > ATTACHMENT_BYTES_MAX as usize {
            return Err(CaseFileError::Attachments(bytes));
        }
        let ordered = ascending(self.values.iter().map(|value| value.name.as_str()))
            && ascending(self.attachments.iter().map(|attachment| attachment.name.as_str()));
        let ordered = ordered && self.helped.as_ref().is_none_or(Helped::is_ordered);
        if !ordered || !self.attachments.iter().all(|attachment| is_plain(attachment.name.as_str())) {
            return Err(CaseFileError::Names);
        }
        Ok(())
    }

    /// With its random bytes, ready to be committed to and sent. The random bytes are fresh for each file.
    pub fn bind(self, random: [u8; RANDOM_BYTES]) -> Result<BoundFile, CaseFileError> {
        self.check()?;
        let content = codec::encode(&self);
        let bytes = [random.as_slice(), &content].concat();
        if bytes.len() > CASE_FILE_BYTES_MAX as usize {
            return Err(CaseFileError::TooLong(bytes.len()));
        }
        Ok(BoundFile { commitment: commitment(&random, &content), file: self, bytes })
    }
}

/// A file and what is committed to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundFile {
    file: CaseFile,
    commitment: Commitment,
    bytes: Vec<u8>,
}

impl BoundFile {
    /// What is said.
    pub const fn file(&self) -> &CaseFile {
        &self.file
    }
    /// What the chain has of it.
    pub const fn commitment(&self) -> Commitment {
        self.commitment
    }
    /// What the chain has of it, for a bureau's place in the item.
    pub fn reference(&self, to: u8) -> FileRef {
        // A file is far shorter than a u32 can say.
        let units = (self.bytes.len() as u32).div_ceil(CASE_FILE_UNIT_BYTES);
        FileRef { to, commitment: self.commitment, bytes: units * CASE_FILE_UNIT_BYTES }
    }

    /// Seals it part by part and signs each: a party with its key of the case, a bureau with the issuing key of its decision.
    /// The seeds are fresh random bytes, one for each of [`Self::parts`].
    pub fn seal(
        &self,
        author: &dyn Signer,
        recipient: &PublicKey,
        seeds: impl Iterator<Item = [u8; 32]>,
    ) -> Result<Vec<FilePart>, CaseFileError> {
        let parts = self.parts();
        let sealed = self.bytes.chunks(PART_BYTES).zip(0..).zip(seeds).map(|((bytes, place), seed)| {
            let CaseFile { chain, case, to, .. } = self.file;
            let sealed = seal(recipient, &info(chain, &case, &self.commitment, place, parts), bytes, seed)?;
            let (version, commitment, key) = (PART_VERSION, self.commitment, author.public_key());
            let part = PartBody { version, chain, case, to, commitment, author: key, place, parts, sealed };
            Ok(part.sign(author)?)
        });
        let sealed: Vec<FilePart> = sealed.collect::<Result<_, CaseFileError>>()?;
        if sealed.len() < usize::from(parts) { Err(CaseFileError::Incomplete(sealed.len())) } else { Ok(sealed) }
    }
    /// Number of its parts.
    pub fn parts(&self) -> u16 {
        parts_of(self.bytes.len())
    }

    /// Opens all parts of a file, in any order, and checks that it is what was committed to. Who signed them was checked
    /// when they were read ([`FilePart::decode`]).
    pub fn open(parts: &[FilePart], secret: &SealingSecret) -> Result<Self, CaseFileError> {
        let mut ordered: Vec<&FilePart> = parts.iter().collect();
        ordered.sort_by_key(|part| part.body.place);
        let first = ordered.first().ok_or(CaseFileError::Incomplete(0))?;
        let whole = ordered.len() == usize::from(first.body.parts)
            && ordered.iter().zip(0..).all(|(part, place): (_, u16)| part.body.place == place);
        if !whole {
            return Err(CaseFileError::Incomplete(ordered.len()));
        }
        let mut bytes = Vec::new();
        for part in &ordered {
            if !part.is_of_one_file_with(first) {
                return Err(CaseFileError::Other);
            }
            bytes.extend_from_slice(&secret.open(&part.info(), &part.body.sealed)?);
        }
        let file = Self::from_bytes(bytes)?;
        if file.commitment != first.body.commitment {
            return Err(CaseFileError::Commitment);
        }
        let CaseFile { chain, case, to, .. } = &file.file;
        if (*chain, *case, *to) != (first.body.chain, first.body.case, first.body.to) {
            return Err(CaseFileError::Other);
        }
        Ok(file)
    }

    /// Reads an opened file.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, CaseFileError> {
        if bytes.len() > CASE_FILE_BYTES_MAX as usize {
            return Err(CaseFileError::TooLong(bytes.len()));
        }
        let malformed = || CodecError::Malformed("shorter than its random bytes".to_owned());
        let (random, content) = bytes.split_first_chunk::<RANDOM_BYTES>().ok_or_else(malformed)?;
        let file: CaseFile = codec::decode(content, CASE_FILE_BYTES_MAX as usize)?;
        file.check()?;
        Ok(Self { commitment: commitment(random, content), file, bytes })
    }
    /// As it is kept: whoever keeps it encrypts it.
    pub fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests;

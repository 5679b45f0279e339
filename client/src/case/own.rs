//! What a wallet keeps of its cases. It is durable before anything leaves: a killed run goes on with the same bytes.

use std::collections::BTreeMap;

use kanhe_proto::bounded::{Blob, List};
use kanhe_proto::case::{SignedAct, case_id};
use kanhe_proto::case_file::{FilePart, PART_ENCODED_BYTES_MAX};
use kanhe_proto::codec;
use kanhe_proto::hash::{CaseId, ChainId, Commitment, ConsentId};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::item::{ItemCode, ItemVersion, PartName};
use kanhe_proto::key::{KeyId, Signer as _};
use kanhe_proto::limits::{ATTACHMENT_BYTES_MAX, CASE_PAYLOAD_BYTES_MAX, ITEM_ROLES_MAX};
use kanhe_proto::registry::Names;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::assisting::Assisted;
use super::letters::OwnLetter;
use crate::talk::{ExitCode, Failure, shape};
use crate::vault::{Table, Transaction, Vault};
use crate::wallet::{Seed, Wallet};

const CASES: Table<OwnCase> = Table::new("cases");
const PARTS: Table<Blob<PART_ENCODED_BYTES_MAX>> = Table::new("case_parts");
const PAPERS: Table<Blob<PIECE_BYTES>> = Table::new("case_papers");
/// A paper is kept in pieces of so many bytes: a row of the vault has a limit.
const PIECE_BYTES: usize = 1 << 20;
/// Nodes keep files for an hour that no act commits to: what was stored longer ago than this is handed in again before its
/// act.
const STORED: SpanMs = SpanMs(30 * 60_000);
/// A key binding is believed for eleven minutes: what was not sent within so long is made anew.
const FRESH: SpanMs = SpanMs(8 * 60_000);

/// What a party gives; which bureau sees what of it, the item says.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Given {
    /// Ask → the application whose licence is shown; any copy of it.
    pub licences: BTreeMap<PartName, KeyId>,
    /// Field → JSON text.
    pub fields: BTreeMap<PartName, String>,
    /// Attachments.
    pub papers: BTreeMap<PartName, Paper>,
}

/// An attachment that is kept in the vault.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Paper {
    /// Its name towards bureaus: code and extension.
    pub name: String,
    /// Its length.
    pub bytes: usize,
}

/// Somebody who was invited.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invited {
    /// As which party.
    pub party: PartName,
    /// Place in the case.
    pub slot: u8,
    /// Secret of the invitation.
    pub secret: Seed,
}

/// What was disclosed to one bureau: names, no values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disclosed {
    /// The bureau.
    #[schemars(with = "String")]
    pub bureau: Uscc,
    /// Its name.
    #[schemars(with = "shape::Names")]
    pub names: Names,
    /// In which round.
    pub round: u32,
    /// When it was made, in milliseconds since 1970.
    pub time_ms: u64,
    /// Claims by ask, of which licence.
    pub licences: Vec<DisclosedLicence>,
    /// Fields that were filled in.
    pub fields: Vec<String>,
    /// Attachments.
    pub attachments: Vec<String>,
    /// Applications for licences.
    pub applications: usize,
    /// Asks that it reads of who issued the licence, because a clerk acts for somebody who cannot show it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
    /// The enterprise for which it was said.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acts_for: Option<Uscc>,
}

/// What was disclosed of a licence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DisclosedLicence {
    /// The item's ask.
    pub ask: String,
    /// The licence's type.
    pub vct: String,
    /// Its digest, in hexadecimal.
    pub licence: String,
    /// Which claims.
    pub claims: Vec<String>,
}

/// A file on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnFile {
    /// To whom.
    pub to: Uscc,
    /// To its content.
    pub commitment: Commitment,
    /// Its parts.
    pub parts: u16,
    /// Whether a node has written all of them.
    pub stored: bool,
}

/// An act on its way, with its files.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pending {
    /// Encoding of the signed act.
    pub act: Blob<CASE_PAYLOAD_BYTES_MAX>,
    /// What goes before it.
    pub files: Vec<OwnFile>,
    /// What they disclose.
    pub disclosed: Vec<Disclosed>,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
    /// Set before it leaves: from then on no other act is made in its place.
    pub sent: bool,
}

impl Pending {
    /// The act.
    pub fn act(&self) -> Result<SignedAct, Failure> {
        codec::decode(&self.act, CASE_PAYLOAD_BYTES_MAX)
            .map_err(|error| Failure::reported(ExitCode::Failure, "vault_damaged", error))
    }
    /// Files that go to a node before the act.
    pub fn unstored(&self, now: TimeMs) -> impl Iterator<Item = &OwnFile> {
        let long_ago = now.since(TimeMs(self.made_ms)) > STORED;
        self.files.iter().filter(move |file| long_ago || !file.stored)
    }
    /// Whether what it shows is too old by now, and it has not left.
    pub fn is_stale(&self, now: TimeMs) -> bool {
        !self.sent && !self.files.is_empty() && now.since(TimeMs(self.made_ms)) > FRESH
    }
}

/// A case of this wallet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OwnCase {
    /// Which.
    pub id: CaseId,
    /// The item.
    pub item: ItemCode,
    /// Its version.
    pub version: ItemVersion,
    /// This wallet's place.
    pub slot: u8,
    /// As which party.
    pub party: PartName,
    /// Its key for this case alone.
    pub key: Seed,
    /// Letters to it are sealed to this.
    pub letter: Seed,
    /// Who plays each role.
    pub chosen: List<Uscc, ITEM_ROLES_MAX>,
    /// When it was begun here, in milliseconds since 1970.
    pub made_ms: u64,
    /// Invitations that were made, if it was opened here.
    pub invitations: Vec<Invited>,
    /// The invitation by which it was joined.
    pub joined_by: Option<Seed>,
    /// What is given, as it was last.
    pub given: Given,
    /// Attachments that were just named. They take the place of those before only with the file that has them: who is
    /// asked and says no keeps what was.
    #[serde(skip)]
    pub named: BTreeMap<PartName, Vec<u8>>,
    /// Yield → the application that was made for it.
    pub applications: BTreeMap<PartName, KeyId>,
    /// What was disclosed so far.
    pub disclosed: Vec<Disclosed>,
    /// Unfinished.
    pub pending: Option<Pending>,
    /// Files that their recipient may not have yet.
    pub kept: Vec<OwnFile>,
    /// Read of the item → the consent that was given for it.
    #[serde(default)]
    pub consents: BTreeMap<PartName, ConsentId>,
    /// Code by which the chain refused what was tried last.
    pub refused: Option<String>,
    /// Digest of the sheet and line in it that it was opened from.
    #[serde(default)]
    pub row: Option<(String, u32)>,
    /// The enterprise for which it acts.
    #[serde(default)]
    pub acts_for: Option<Uscc>,
    /// Letters of bureaus that were read.
    #[serde(default)]
    pub letters: Vec<OwnLetter>,
    /// For whom a clerk acts in it.
    #[serde(default)]
    pub assisted: Option<Assisted>,
}

impl OwnCase {
    /// A case that is begun, with fresh keys; it has no place in the case yet but the opener's.
    pub fn begin(chain: &ChainId, item: ItemCode, version: ItemVersion, now: TimeMs) -> Result<Self, Failure> {
        let key = Seed::random()?;
        Ok(Self {
            id: case_id(chain, &key.key().public_key()),
            item,
            version,
            slot: 0,
            party: PartName::new("").expect("empty"),
            key,
            letter: Seed::random()?,
            chosen: List::empty(),
            made_ms: now.0,
            named: BTreeMap::new(),
            invitations: Vec::new(),
            joined_by: None,
            given: Given::default(),
            applications: BTreeMap::new(),
            disclosed: Vec::new(),
            pending: None,
            kept: Vec::new(),
            consents: BTreeMap::new(),
            refused: None,
            row: None,
            acts_for: None,
            letters: Vec::new(),
            assisted: None,
        })
    }
    /// Another case alike, with keys and invitations of its own.
    pub fn again(&self, chain: &ChainId, now: TimeMs) -> Result<Self, Failure> {
        let begun = Self::begin(chain, self.item.clone(), self.version, now)?;
        let anew = |invited: &Invited| Ok(Invited { secret: Seed::random()?, ..invited.clone() });
        let invitations = self.invitations.iter().map(anew).collect::<Result<_, Failure>>()?;
        Ok(Self {
            party: self.party.clone(),
            chosen: self.chosen.clone(),
            invitations,
            acts_for: self.acts_for,
            ..begun
        })
    }
    /// Its name for people: the first characters of its id.
    pub fn short(&self) -> String {
        self.id.to_string()[..8].to_owned()
    }
    /// Names its key of the case, by which its files are signed.
    pub fn author(&self) -> KeyId {
        self.key.key().public_key().id()
    }
    /// Whether it was opened here, and not joined.
    pub const fn is_opener(&self) -> bool {
        self.slot == 0
    }
}

fn part_row(commitment: &Commitment, place: u16) -> String {
    format!("{commitment}/{place:05}")
}

fn paper_row(case: &CaseId, code: &str, piece: usize) -> String {
    format!("{case}/{code}/{piece:05}")
}

/// Rows of cases in a wallet's vault.
#[derive(Debug, Clone, Copy)]
pub struct Shelf<'a>(&'a Vault);

impl<'a> Shelf<'a> {
    /// Of a wallet.
    pub const fn of(wallet: &'a Wallet) -> Self {
        Self(wallet.vault())
    }
    /// All cases, oldest first.
    pub fn all(&self) -> Result<Vec<OwnCase>, Failure> {
        let mut all: Vec<OwnCase> = self.0.scan(&CASES)?.into_iter().map(|(_, case)| case).collect();
        all.sort_by_key(|case| (case.made_ms, case.id));
        Ok(all)
    }
    /// The case that a person means: its id, or the first characters of it.
    pub fn find(&self, id: &str) -> Result<OwnCase, Failure> {
        let id = id.trim().to_lowercase();
        let mut found = self.all()?;
        found.retain(|case| !id.is_empty() && case.id.to_string().starts_with(&id));
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(Failure::of(ExitCode::Usage, "case_not_here", &[("id", &id)])),
            count => Err(Failure::of(ExitCode::Usage, "case_ambiguous", &[("id", &id), ("count", &count)])),
        }
    }
    /// A case by its id.
    pub fn get(&self, id: &CaseId) -> Result<Option<OwnCase>, Failure> {
        Ok(self.0.get(&CASES, &id.to_string())?)
    }
    /// Keeps a case.
    pub fn put(&self, case: &OwnCase) -> Result<(), Failure> {
        Ok(self.0.put(&CASES, &case.id.to_string(), case)?)
    }
    /// Keeps several cases, and takes parts of files away, in one durable step.
    pub fn put_all(&self, cases: &[OwnCase], gone: &[OwnFile]) -> Result<(), Failure> {
        let cases: Vec<(String, &OwnCase)> = cases.iter().map(|case| (case.id.to_string(), case)).collect();
        self.0.write::<_, Failure>(|rows| {
            forget(rows, gone)?;
            Ok(rows.put_many(&CASES, &cases)?)
        })
    }
    /// Keeps a case with new parts of files, and takes away those of other files, in one durable step.
    pub fn put_with(&self, case: &OwnCase, parts: &[FilePart], gone: &[OwnFile]) -> Result<(), Failure> {
        self.0.write::<_, Failure>(|rows| {
            forget(rows, gone)?;
            for part in parts {
                let bytes = Blob::new(part.encode()).expect("a part is within its bound");
                rows.put(&PARTS, &part_row(&part.body.commitment, part.body.place), &bytes)?;
            }
            for (code, content) in &case.named {
                put_paper(rows, &case.id, code, content)?;
            }
            Ok(rows.put(&CASES, &case.id.to_string(), case)?)
        })
    }
    /// A part of a file, as it is sent.
    pub fn part(&self, file: &OwnFile, place: u16) -> Result<Vec<u8>, Failure> {
        let found = self.0.get(&PARTS, &part_row(&file.commitment, place))?;
        found.map(Blob::into_vec).ok_or_else(|| Failure::of(ExitCode::Failure, "case_part_missing", &[]))
    }
    /// An attachment of a case: just named, or kept.
    pub fn paper(&self, case: &OwnCase, code: &PartName, paper: &Paper) -> Result<Vec<u8>, Failure> {
        if let Some(content) = case.named.get(code) {
            return Ok(content.clone());
        }
        let mut content = Vec::with_capacity(paper.bytes);
        for place in 0..paper.bytes.div_ceil(PIECE_BYTES) {
            let piece = self.0.get(&PAPERS, &paper_row(&case.id, code, place))?;
            let piece = piece.ok_or_else(|| Failure::of(ExitCode::Failure, "case_part_missing", &[]))?;
            content.extend_from_slice(&piece);
        }
        content.truncate(paper.bytes);
        Ok(content)
    }
    /// Takes the attachments of a case that is over away.
    pub fn drop_papers(&self, case: &OwnCase) -> Result<(), Failure> {
        self.0.write::<_, Failure>(|rows| {
            for (code, paper) in &case.given.papers {
                for place in 0..paper.bytes.div_ceil(PIECE_BYTES) {
                    rows.delete(&PAPERS, &paper_row(&case.id, code, place))?;
                }
            }
            Ok(())
        })
    }
}

/// Keeps an attachment, and takes away what is left of a longer one before it.
fn put_paper(rows: &mut Transaction<'_, '_>, case: &CaseId, code: &str, content: &[u8]) -> Result<(), Failure> {
    for (place, piece) in content.chunks(PIECE_BYTES).enumerate() {
        let piece = Blob::new(piece).expect("cut to the bound");
        rows.put(&PAPERS, &paper_row(case, code, place), &piece)?;
    }
    let most = usize::try_from(ATTACHMENT_BYTES_MAX).expect("32 MiB").div_ceil(PIECE_BYTES);
    for place in content.len().div_ceil(PIECE_BYTES)..most {
        rows.delete(&PAPERS, &paper_row(case, code, place))?;
    }
    Ok(())
}

fn forget(rows: &mut Transaction<'_, '_>, files: &[OwnFile]) -> Result<(), Failure> {
    for file in files {
        for place in 0..file.parts {
            rows.delete(&PARTS, &part_row(&file.commitment, place))?;
        }
    }
    Ok(())
}

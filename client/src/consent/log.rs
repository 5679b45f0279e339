//! Who has read: all reads of the sources of one's licences, of which one's own are recognised here.
//!
//! Nodes are asked for whole lists of whole sources, so that they learn nothing. How far a source was looked through is kept,
//! with what was found: records do not change.

use std::collections::BTreeMap;

use kanhe_proto::consent::{AccessRecord, Basis, Note, TRACE_CLAIM, Trace, TraceKey};
use kanhe_proto::hash::{CaseId, ConsentId, sha256};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::registry::PurposeCode;
use kanhe_proto::text;
use serde::{Deserialize, Serialize};

use super::read::list;
use crate::follow::Follower;
use crate::talk::Failure;
use crate::vault::Table;
use crate::wallet::Wallet;

const SCANNED: Table<Scanned> = Table::new("reads_seen");

/// A source of one's licences, with the key by which it marks one's reads.
#[derive(Clone)]
pub struct Source {
    /// The bureau.
    pub bureau: Uscc,
    /// The key.
    key: TraceKey,
    row: String,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({})", self.bureau)
    }
}

/// Somebody has read, or tried to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// Whose data it was.
    pub source: Uscc,
    /// Counts the reads about this person there, from 1.
    pub n: u64,
    /// Where the record is in the chain's log.
    pub index: LogIndex,
    /// Who read.
    pub reader: Uscc,
    /// What for.
    pub purpose: PurposeCode,
    /// Under which consent; none: on a rule.
    pub consent: Option<ConsentId>,
    /// On which rule.
    pub ground: Option<PurposeCode>,
    /// For which case.
    pub case: Option<CaseId>,
    /// When: the block's time.
    pub time: TimeMs,
    /// What was read, or asked for; none: the source wrote no note that can be read.
    pub note: Option<Note>,
    /// Why nothing was given: the source refused.
    #[serde(default)]
    pub refused: Option<String>,
}

/// How far a source was looked through.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Scanned {
    next: u64,
    reads: Vec<Read>,
}

/// Who has read.
#[derive(Debug, Clone, Default)]
pub struct Reads {
    /// Oldest first.
    pub reads: Vec<Read>,
    /// Numbers below the highest that no record has: something was read and not recorded, or not yet.
    pub missing: Vec<(Uscc, Vec<u64>)>,
    /// How many reads of each source were looked through.
    pub looked: BTreeMap<Uscc, u64>,
}

/// The sources of a wallet's licences.
fn sources(wallet: &Wallet) -> Result<Vec<Source>, Failure> {
    let mut found = BTreeMap::new();
    for record in wallet.licences()? {
        let holding = record.holding()?;
        let Some(claim) = holding.claims().get(TRACE_CLAIM).and_then(|claim| claim.as_str()) else { continue };
        let Ok(key) = TraceKey::from_claim(claim) else { continue };
        let bureau = holding.fixed().issuer.uscc;
        let row = format!("{bureau}/{}", text::hex(&sha256(&[claim.as_bytes()])[..16]));
        found.entry(row.clone()).or_insert(Source { bureau, key, row });
    }
    Ok(found.into_values().collect())
}

/// Everything that was read about the holder of this wallet, and what is missing.
pub fn reads(wallet: &Wallet, follower: &mut Follower) -> Result<Reads, Failure> {
    let mut all = Reads::default();
    for source in sources(wallet)? {
        let mut known = wallet.vault().get(&SCANNED, &source.row)?.unwrap_or_default();
        let before = known.next;
        let mut trace = Trace::resume(source.key.clone(), known.reads.iter().map(|read| read.n));
        let chain = follower.trust().chain;
        let mut found = Vec::new();
        known.next = list(follower, &source.bureau, before, |_, proved, record| {
            if let Some(n) = trace.recognise(&record.read.read.tag) {
                let request = record.read.request();
                let note = source.key.open(&chain, request, n, &record.read.read.note).ok();
                found.push(read(&record, n, proved.index, note));
            }
            true
        })?;
        known.reads.extend(found);
        if known.next > before {
            wallet.vault().put(&SCANNED, &source.row, &known)?;
        }
        let missing = trace.missing();
        if !missing.is_empty() {
            all.missing.push((source.bureau, missing));
        }
        all.looked.insert(source.bureau, known.next);
        all.reads.extend(known.reads);
    }
    all.reads.sort_by_key(|read| (read.time, read.index));
    Ok(all)
}

fn read(record: &AccessRecord, n: u64, index: LogIndex, note: Option<Note>) -> Read {
    let request = record.read.request();
    let (consent, ground, case) = match &request.basis {
        Basis::Consent(under) => (Some(under.id), None, None),
        Basis::Statutory(statutory) => (None, Some(statutory.ground.clone()), statutory.case),
    };
    Read {
        source: request.source,
        n,
        index,
        reader: request.reader,
        purpose: request.purpose.clone(),
        consent,
        ground,
        case,
        time: record.time,
        note,
        refused: record.read.read.refused().map(str::to_owned),
    }
}

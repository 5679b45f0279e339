//! A consent as the chain has it, and all reads of a source.

use kanhe_proto::codec;
use kanhe_proto::consent::{AccessRecord, Consent, ReadList, SourceReads, consent_key, source_reads_key};
use kanhe_proto::hash::ConsentId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::limits::RECORD_BYTES_MAX;
use kanhe_proto::proof::{CertifiedHeader, ProvedRecord};

use crate::follow::{FollowError, Follower, state_leaf};
use crate::talk::Failure;

/// A record with its path.
const PROVED_BYTES_MAX: usize = RECORD_BYTES_MAX + (8 << 10);

/// A consent as of a header.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The consent; none: proved that there is none now.
    pub consent: Option<Consent>,
    /// Whether a node has seen a withdrawal that is in no block yet.
    pub withdrawing: bool,
    /// Time of the header.
    pub time: TimeMs,
}

/// How a consent stands, proved. Whether a withdrawal is on its way is each node's own word, so that all are asked: one that
/// has seen it is enough.
pub fn standing(follower: &mut Follower, id: &ConsentId) -> Result<Standing, Failure> {
    let (consent, mut withdrawing, time) = follower.ask(|follower, node| {
        let answer = node.consent(id)?;
        let header = follower.believed(node, &answer.certified)?;
        let consent: Option<Consent> = state_leaf(node, &answer.leaf, &header, &consent_key(id))?;
        Ok((consent, answer.withdrawing, header.header.time))
    })?;
    if !withdrawing && consent.as_ref().is_some_and(|consent| consent.withdrawn.is_none()) {
        withdrawing = follower.nodes().iter().any(|node| node.consent(id).is_ok_and(|answer| answer.withdrawing));
    }
    Ok(Standing { consent, withdrawing, time })
}

/// How many reads a source has recorded.
pub fn count(follower: &mut Follower, source: &Uscc) -> Result<u64, Failure> {
    let count = follower.ask(|follower, node| {
        let answer = node.reads_of(source, u64::MAX)?;
        let header = follower.believed(node, &answer.certified)?;
        let leaf: Option<SourceReads> = state_leaf(node, &answer.leaf, &header, &source_reads_key(source))?;
        Ok(leaf.filter(|leaf| leaf.source == *source).map_or(0, |leaf| leaf.count))
    });
    Ok(count?)
}

/// All reads of a source from a number on, none left out; each is handed on with its proof as it comes, until `each` says
/// that it is enough.
pub fn list(
    follower: &mut Follower,
    source: &Uscc,
    from: u64,
    mut each: impl FnMut(&CertifiedHeader, &ProvedRecord, AccessRecord) -> bool,
) -> Result<u64, Failure> {
    let mut next = from;
    loop {
        let page = follower.ask(|follower, node| {
            let answer = node.reads_of(source, next)?;
            let header = follower.believed(node, &answer.certified)?;
            let leaf: Option<SourceReads> = state_leaf(node, &answer.leaf, &header, &source_reads_key(source))?;
            let mut list = ReadList::of(*source, leaf.as_ref(), next);
            let mut page = Vec::new();
            for bytes in &answer.reads {
                if list.is_whole() {
                    break;
                }
                let proved: ProvedRecord =
                    codec::decode(bytes, PROVED_BYTES_MAX).map_err(|error| node.malformed(error))?;
                let record = list.push(&header.header, &proved).map_err(|error| node.malformed(error))?;
                page.push((proved, record));
            }
            if page.is_empty() && !list.is_whole() {
                return Err(FollowError::from(node.malformed("no reads where there are some")));
            }
            Ok((header, page, list.is_whole()))
        })?;
        let (header, page, whole) = page;
        for (proved, record) in page {
            next = record.number + 1;
            if !each(&header, &proved, record) {
                return Ok(next);
            }
        }
        if whole {
            return Ok(next);
        }
    }
}

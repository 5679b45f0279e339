//! Whether the events of a case are what the item and the registry allow, and the case what its events make of it.
//!
//! That the records are on the chain, whole and in this order, was proved before.

use std::sync::Arc;

use kanhe_proto::case::{Case, CaseRecord};
use kanhe_proto::ids::LogIndex;
use kanhe_proto::vote::ChainContext;

use super::finding::{Fault, Finding};
use super::{Keys, Replay};
use crate::case::KnownItem;

/// A case, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// All events, the opening first.
    pub findings: Vec<Finding>,
    /// What is wrong with the case as the chain keeps it.
    pub faults: Vec<Fault>,
}

impl Judged {
    /// Whether nothing is wrong.
    pub fn is_proved(&self) -> bool {
        self.faults.is_empty() && self.findings.iter().all(|finding| finding.faults.is_empty())
    }
}

/// Judges all events of a case, the opening first, and what the chain keeps of it.
pub fn judge(
    chain: &ChainContext,
    known: &Arc<KnownItem>,
    case: &Case,
    keys: &Keys,
    events: &[(LogIndex, CaseRecord)],
) -> Judged {
    let mut replay = Replay::new(*chain, Arc::clone(known), case.id);
    let findings = events.iter().map(|(index, record)| replay.take(*index, record, Some(keys))).collect();
    let faults = if replay.differs_from(case) { vec![Fault::LeafWrong] } else { Vec::new() };
    Judged { findings, faults }
}

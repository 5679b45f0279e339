//! A case on its way through the log.

use std::sync::Arc;

use kanhe_proto::case::{CaseRecord, CaseStatus};
use kanhe_proto::hash::CaseId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, LogIndex, SpanMs};
use kanhe_proto::item::ItemCode;
use kanhe_proto::vote::ChainContext;

use crate::audit::{Done, Replay, Signer};
use crate::case::KnownItem;

/// A decision on a step.
#[derive(Debug, Clone, Copy)]
pub struct Decision {
    /// Whose.
    pub bureau: Uscc,
    /// How long the step had been ready.
    pub waited: SpanMs,
    /// Whether that was more than its limit.
    pub late: bool,
}

/// A case, as far as ratings need it.
#[derive(Debug)]
pub struct Course {
    replay: Replay,
    /// Its item.
    pub item: ItemCode,
    /// Decisions on its steps.
    pub decisions: Vec<Decision>,
    /// The block that ended it, and how long it took.
    pub ended: Option<(Height, SpanMs)>,
    /// What its applicant said of it.
    pub stars: Option<u8>,
    /// Ratings that do not count.
    pub not_counted: u64,
}

impl Course {
    /// A case of which nothing was read yet.
    pub fn new(chain: ChainContext, known: Arc<KnownItem>, id: CaseId) -> Self {
        let item = known.public.code.clone();
        let replay = Replay::new(chain, known, id);
        Self { replay, item, decisions: Vec::new(), ended: None, stars: None, not_counted: 0 }
    }

    /// How it stands.
    pub const fn status(&self) -> CaseStatus {
        self.replay.status()
    }

    /// Takes its next event. Signatures of bureaus were judged by the chain, and are by `audit case`.
    pub fn take(&mut self, index: LogIndex, record: &CaseRecord) {
        let finding = self.replay.take(index, record, None);
        match (finding.done, finding.signer, finding.waited) {
            (Done::Approved | Done::Rejected | Done::Returned, Signer::Bureau(bureau, _), Some(waited)) => {
                self.decisions.push(Decision { bureau, waited, late: finding.late });
            }
            (Done::Rated, ..) => match (&record.event, finding.faults.is_empty()) {
                (kanhe_proto::case::CaseEvent::Act(signed), true) => {
                    if let kanhe_proto::case::Act::Rate(rate) = &signed.act {
                        self.stars = Some(rate.stars);
                    }
                }
                _ => self.not_counted += 1,
            },
            _ => {}
        }
        if self.ended.is_none() && self.status() != CaseStatus::Open {
            self.ended = Some((record.height, record.time.since(self.replay.opened())));
        }
    }
}

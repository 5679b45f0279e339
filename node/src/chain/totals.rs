//! What was committed since the start, for metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::ledger::Counters;

/// Sums that only grow.
#[derive(Debug, Default)]
pub struct Totals {
    blocks: AtomicU64,
    transactions: AtomicU64,
    batches: AtomicU64,
    licences: AtomicU64,
    status_changes: AtomicU64,
    swept: AtomicU64,
    case_events: AtomicU64,
    consent_acts: AtomicU64,
    reads: AtomicU64,
}

/// The sums at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TotalsNow {
    /// Blocks committed.
    pub blocks: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// What those did.
    pub counters: Counters,
}

impl Totals {
    pub(super) fn add(&self, counters: &Counters, transactions: usize) {
        self.blocks.fetch_add(1, Relaxed);
        self.transactions.fetch_add(transactions as u64, Relaxed);
        self.batches.fetch_add(counters.batches, Relaxed);
        self.licences.fetch_add(counters.licences, Relaxed);
        self.status_changes.fetch_add(counters.status_changes, Relaxed);
        self.swept.fetch_add(counters.swept, Relaxed);
        self.case_events.fetch_add(counters.case_events, Relaxed);
        self.consent_acts.fetch_add(counters.consent_acts, Relaxed);
        self.reads.fetch_add(counters.reads, Relaxed);
    }
    /// The sums now.
    pub fn now(&self) -> TotalsNow {
        TotalsNow {
            blocks: self.blocks.load(Relaxed),
            transactions: self.transactions.load(Relaxed),
            counters: Counters {
                batches: self.batches.load(Relaxed),
                licences: self.licences.load(Relaxed),
                status_changes: self.status_changes.load(Relaxed),
                swept: self.swept.load(Relaxed),
                case_events: self.case_events.load(Relaxed),
                consent_acts: self.consent_acts.load(Relaxed),
                reads: self.reads.load(Relaxed),
            },
        }
    }
}

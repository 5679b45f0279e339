//! Withdrawals of consent: they wait in a line of their own, which counts on nobody's quota.
//!
//! So a bureau whose share is used up still passes them on, and a full pool still takes them in. The line is bounded by
//! itself, and each sponsor has at most one that waits for each consent; only what the chain would take now gets here at all.

use std::collections::{BTreeMap, BTreeSet};

use kanhe_proto::consent::{Act, ConsentPayload};
use kanhe_proto::hash::{ConsentId, TransactionId};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::transaction::{Transaction, TransactionKind};

/// What a transaction takes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Withdrawn {
    /// Which consents.
    pub(super) consents: Vec<ConsentId>,
    /// Whether it does nothing else.
    pub(super) alone: bool,
}

impl Withdrawn {
    /// What this one takes back; nothing in most of them.
    pub(super) fn by(transaction: &Transaction) -> Option<Self> {
        let payload = &transaction.body.payload;
        if payload.kind != TransactionKind::Consent.byte() || payload.version != 1 {
            return None;
        }
        let payload = ConsentPayload::from_bytes(&payload.content).ok()?;
        let consents = payload.acts.iter().filter_map(|signed| match &signed.act {
            Act::Withdraw(withdraw) => Some(withdraw.consent),
            Act::Grant(_) => None,
        });
        Some(Self { consents: consents.collect(), alone: payload.only_withdraws() })
    }
}

/// Which consents are being taken back, and by whom each was passed on.
#[derive(Debug, Default)]
pub(super) struct Withdrawing(BTreeMap<ConsentId, BTreeMap<Uscc, BTreeSet<TransactionId>>>);

impl Withdrawing {
    pub(super) fn contains(&self, consent: &ConsentId) -> bool {
        self.0.contains_key(consent)
    }
    /// The transaction of the same sponsor that takes all of it back already.
    pub(super) fn same(&self, sponsor: &Uscc, withdrawn: &Withdrawn) -> Option<TransactionId> {
        let waits = |id: &ConsentId| self.0.get(id).and_then(|sponsors| sponsors.get(sponsor)?.first()).copied();
        let all = withdrawn.alone && withdrawn.consents.iter().all(|id| waits(id).is_some());
        withdrawn.consents.first().filter(|_| all).and_then(waits)
    }
    pub(super) fn add(&mut self, sponsor: Uscc, withdrawn: &Withdrawn, id: TransactionId) {
        for consent in &withdrawn.consents {
            self.0.entry(*consent).or_default().entry(sponsor).or_default().insert(id);
        }
    }
    pub(super) fn remove(&mut self, sponsor: &Uscc, withdrawn: &Withdrawn, id: &TransactionId) {
        for consent in &withdrawn.consents {
            let Some(sponsors) = self.0.get_mut(consent) else { continue };
            if let Some(waiting) = sponsors.get_mut(sponsor) {
                waiting.remove(id);
                if waiting.is_empty() {
                    sponsors.remove(sponsor);
                }
            }
            if sponsors.is_empty() {
                self.0.remove(consent);
            }
        }
    }
}

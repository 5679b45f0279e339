//! The transactions that wait, by sponsor and in order of arrival.

use std::collections::btree_map::Values;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::iter::Peekable;
use std::sync::Arc;

use bytes::Bytes;
use kanhe_proto::hash::{ConsentId, TransactionId};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::transaction::Transaction;

use super::submission::Full;
use super::withdrawals::{Withdrawing, Withdrawn};

/// A transaction that passed all checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PooledTransaction {
    /// Its id.
    pub id: TransactionId,
    /// As it was received.
    pub bytes: Bytes,
    /// What the bytes say.
    pub transaction: Transaction,
}

/// Room in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakeLimits {
    /// Bytes of all transactions together.
    pub bytes: usize,
    /// Number of transactions.
    pub count: usize,
}

/// In which line a transaction waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// With those of its sponsor.
    Of(Uscc),
    /// With those that only take consents back.
    Withdrawals,
}

#[derive(Debug, Default)]
struct Sponsor {
    /// By order of arrival.
    waiting: BTreeMap<u64, Arc<PooledTransaction>>,
    bytes: usize,
}

/// All that wait. The caller holds the lock.
#[derive(Debug)]
pub(super) struct Queue {
    count_max: usize,
    bytes_max: usize,
    withdrawals_max: usize,
    sponsors: BTreeMap<Uscc, Sponsor>,
    /// Those that only take consents back, of all sponsors.
    withdrawals: Sponsor,
    withdrawing: Withdrawing,
    places: HashMap<TransactionId, (Line, u64)>,
    expiries: BTreeSet<(TimeMs, TransactionId)>,
    bytes: usize,
    next: u64,
    /// The sponsor that was first at the last block.
    first: Option<Uscc>,
}

impl Queue {
    pub(super) fn new(count_max: usize, bytes_max: usize, withdrawals_max: usize) -> Self {
        Self {
            count_max,
            bytes_max,
            withdrawals_max,
            sponsors: BTreeMap::new(),
            withdrawals: Sponsor::default(),
            withdrawing: Withdrawing::default(),
            places: HashMap::new(),
            expiries: BTreeSet::new(),
            bytes: 0,
            next: 0,
            first: None,
        }
    }
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
    pub(super) fn sponsors(&self) -> usize {
        self.sponsors.len()
    }
    pub(super) fn get(&self, id: &TransactionId) -> Option<&Arc<PooledTransaction>> {
        let (line, place) = self.places.get(id)?;
        match line {
            Line::Of(sponsor) => self.sponsors.get(sponsor)?.waiting.get(place),
            Line::Withdrawals => self.withdrawals.waiting.get(place),
        }
    }
    /// Whether anything that waits takes a consent back.
    pub(super) fn is_withdrawing(&self, consent: &ConsentId) -> bool {
        self.withdrawing.contains(consent)
    }
    /// The transaction by which the same sponsor takes back already all that this one only takes back.
    pub(super) fn same_withdrawal(&self, transaction: &Transaction) -> Option<TransactionId> {
        let withdrawn = Withdrawn::by(transaction)?;
        self.withdrawing.same(&transaction.body.sender, &withdrawn)
    }

    /// Whether a transaction of this size and sponsor finds room: a sponsor may hold as much as it leaves free.
    fn room(&self, sponsor: &Uscc, size: usize) -> Result<(), Full> {
        let (count, bytes) = self.sponsors.get(sponsor).map_or((0, 0), |own| (own.waiting.len(), own.bytes));
        let (len, held) = (self.len() - self.withdrawals.waiting.len(), self.bytes - self.withdrawals.bytes);
        let count_free = self.count_max.saturating_sub(len);
        let bytes_free = self.bytes_max.saturating_sub(held);
        if count_free == 0 || bytes_free < size {
            return Err(Full::Pool);
        }
        if count >= count_free || bytes + size > bytes_free { Err(Full::Sponsor) } else { Ok(()) }
    }

    /// Puts one at the end of its line. It must not be in already.
    pub(super) fn push(&mut self, pooled: PooledTransaction) -> Result<(), Full> {
        let sender = pooled.transaction.body.sender;
        let size = pooled.bytes.len();
        let withdrawn = Withdrawn::by(&pooled.transaction);
        let alone = withdrawn.as_ref().is_some_and(|withdrawn| withdrawn.alone);
        let line = match alone && self.withdrawals.waiting.len() < self.withdrawals_max {
            true => Line::Withdrawals,
            false => {
                self.room(&sender, size)?;
                Line::Of(sender)
            }
        };
        let place = self.next;
        self.next += 1;
        let before = self.places.insert(pooled.id, (line, place));
        assert!(before.is_none(), "a transaction waits once");
        self.expiries.insert((pooled.transaction.body.expiry, pooled.id));
        self.bytes += size;
        if let Some(withdrawn) = &withdrawn {
            self.withdrawing.add(sender, withdrawn, pooled.id);
        }
        let sponsor = match line {
            Line::Of(sender) => self.sponsors.entry(sender).or_default(),
            Line::Withdrawals => &mut self.withdrawals,
        };
        sponsor.bytes += size;
        sponsor.waiting.insert(place, Arc::new(pooled));
        Ok(())
    }

    pub(super) fn remove(&mut self, id: &TransactionId) -> Option<Arc<PooledTransaction>> {
        let (line, place) = self.places.remove(id)?;
        let sponsor = match &line {
            Line::Of(sender) => self.sponsors.get_mut(sender).expect("a place is within a sponsor's line"),
            Line::Withdrawals => &mut self.withdrawals,
        };
        let pooled = sponsor.waiting.remove(&place).expect("a place holds a transaction");
        sponsor.bytes -= pooled.bytes.len();
        self.bytes -= pooled.bytes.len();
        if let Line::Of(sender) = line
            && sponsor.waiting.is_empty()
        {
            self.sponsors.remove(&sender);
        }
        if let Some(withdrawn) = Withdrawn::by(&pooled.transaction) {
            self.withdrawing.remove(&pooled.transaction.body.sender, &withdrawn, id);
        }
        self.expiries.remove(&(pooled.transaction.body.expiry, *id));
        Some(pooled)
    }

    /// Removes what can be in no block after one of this time: block times rise.
    pub(super) fn expire(&mut self, block_time: TimeMs) -> Vec<TransactionId> {
        let mut expired = Vec::new();
        while let Some((expiry, id)) = self.expiries.first().copied()
            && expiry <= block_time
        {
            self.remove(&id);
            expired.push(id);
        }
        expired
    }

    /// What a block is made of: first what only takes consents back, then one of each sponsor in turn, each sponsor's in
    /// order of arrival.
    ///
    /// If not all of it has room, a sponsor gets a third at most as long as others want more, and its first one in
    /// any case; so do the withdrawals together. Another sponsor begins each time.
    pub(super) fn take(&mut self, limits: &TakeLimits) -> Vec<Arc<PooledTransaction>> {
        let mut order: Vec<Uscc> = self.sponsors.keys().copied().collect();
        let start = self.first.map_or(0, |first| order.partition_point(|sponsor| *sponsor <= first));
        let sponsors = order.len().max(1);
        order.rotate_left(start % sponsors);
        self.first = order.first().copied();
        let lines = std::iter::once(&self.withdrawals).chain(order.iter().map(|sponsor| &self.sponsors[sponsor]));
        let mut lanes: Vec<Lane<'_>> = lines.map(|line| Lane::new(line, limits.bytes)).collect();

        let all = TakeLimits { bytes: usize::MAX, count: usize::MAX };
        let third = TakeLimits { bytes: limits.bytes / 3, count: (limits.count / 3).max(1) };
        let contested = self.len() > limits.count || self.bytes > limits.bytes;
        let mut block = Packing { left: *limits, taken: Vec::with_capacity(limits.count.min(self.len())) };
        let share = if contested { &third } else { &all };
        block.fill(&mut lanes[..1], share);
        block.fill(&mut lanes[1..], share);
        let mut hungry: Vec<&mut Lane<'_>> = lanes.iter_mut().filter_map(Lane::still_hungry).collect();
        if let [only] = hungry.as_mut_slice() {
            while block.take(only, &all) {}
        }
        block.taken
    }
}

/// What a sponsor offers for one block. What no block could hold is passed over.
struct Lane<'a> {
    waiting: Peekable<Values<'a, u64, Arc<PooledTransaction>>>,
    size_max: usize,
    bytes: usize,
    count: usize,
}

impl<'a> Lane<'a> {
    fn new(sponsor: &'a Sponsor, size_max: usize) -> Self {
        Self { waiting: sponsor.waiting.values().peekable(), size_max, bytes: 0, count: 0 }
    }
    fn head(&mut self) -> Option<&'a Arc<PooledTransaction>> {
        while self.waiting.next_if(|pooled| pooled.bytes.len() > self.size_max).is_some() {}
        self.waiting.peek().copied()
    }
    fn still_hungry(&mut self) -> Option<&mut Self> {
        self.head().is_some().then_some(self)
    }
}

struct Packing {
    left: TakeLimits,
    taken: Vec<Arc<PooledTransaction>>,
}

impl Packing {
    /// Takes in turn until no lane may or can give more.
    fn fill(&mut self, lanes: &mut [Lane<'_>], share: &TakeLimits) {
        let mut giving: Vec<&mut Lane<'_>> = lanes.iter_mut().collect();
        while !giving.is_empty() {
            // A lane that cannot give now cannot later: room only shrinks, and its order is fixed.
            giving.retain_mut(|lane| self.take(lane, share));
        }
    }
    fn take(&mut self, lane: &mut Lane<'_>, share: &TakeLimits) -> bool {
        let Some(head) = lane.head() else { return false };
        let size = head.bytes.len();
        let shared = lane.count == 0 || (lane.count < share.count && lane.bytes + size <= share.bytes);
        if !shared || self.left.count == 0 || self.left.bytes < size {
            return false;
        }
        lane.waiting.next();
        lane.count += 1;
        lane.bytes += size;
        self.left.count -= 1;
        self.left.bytes -= size;
        self.taken.push(Arc::clone(head));
        true
    }
}

//! A block executed on top of the tip, not yet committed.

use std::sync::Arc;

use kanhe_proto::certificate::Certificate;
use kanhe_proto::hash::{Hash, HeaderHash, TransactionId};
use kanhe_proto::header::{HEADER_VERSION, Header};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::merkle::log::{LogNode, Tree, leaf_hash};
use kanhe_proto::validators::{Address, ValidatorSet};

use super::error::ChainError;
use super::pace::Weight;
use super::tip::TipState;
use crate::ledger::log::Log;
use crate::ledger::map::{Applied, ReadError};
use crate::ledger::{BlockContext, CaseDue, Checked, ConsentDue, Outcome, SpentKey, View};
use crate::storage::Reader;
use kanhe_proto::hash::MapKey;
use kanhe_proto::merkle::log;

/// What the proposer alone decides of a header.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub time: TimeMs,
    pub proposer: Address,
    /// Hash of the parent's certificate.
    pub last_certificate: Hash,
}

impl Draft {
    pub fn certificate_hash(certificate: Option<&Certificate>) -> Hash {
        certificate.map_or_else(Hash::default, Certificate::hash)
    }
}

/// A block's result: kept at commit, or dropped.
#[derive(Debug)]
pub(super) struct Overlay {
    pub header: Header,
    pub hash: HeaderHash,
    /// The set of the next height.
    pub next_validators: Arc<ValidatorSet>,
    pub outcome: Outcome,
    pub registry: Applied,
    pub state: Applied,
    pub log: Log,
    pub log_nodes: Vec<LogNode>,
    pub history: Log,
    pub history_nodes: Vec<LogNode>,
    pub ids: Vec<TransactionId>,
    /// Tree over the ids, for proofs of inclusion.
    pub tree: Tree,
    pub batches: Vec<(Uscc, LogIndex)>,
}

impl Overlay {
    /// What its transactions weigh. What it sweeps is nobody's choice.
    pub fn weight(&self) -> Weight {
        let outcome = &self.outcome;
        (outcome.state.len() + outcome.registry.len() + outcome.records.len()).saturating_sub(outcome.swept.len())
    }
}

/// The state as of the tip.
pub(super) struct TipView<'r> {
    pub reader: &'r Reader<'r>,
    pub tip: &'r TipState,
}

impl View for TipView<'_> {
    fn registry(&self, key: &MapKey) -> Result<Option<Vec<u8>>, ReadError> {
        if let Some(value) = self.tip.registry_read.get(key) {
            return Ok(Some(value));
        }
        let value = crate::ledger::map::LeafReader::get(&self.reader.registry(), key)?;
        if let Some(value) = &value {
            self.tip.registry_read.put(*key, value.clone());
        }
        Ok(value)
    }
    fn state(&self, key: &MapKey) -> Result<Option<Vec<u8>>, ReadError> {
        crate::ledger::map::LeafReader::get(&self.reader.state(), key)
    }
    fn expired(&self, before: TimeMs, max: usize) -> Result<Vec<SpentKey>, ReadError> {
        Ok(self.reader.expired(before, max)?)
    }
    fn due_cases(&self, before: TimeMs, max: usize) -> Result<Vec<CaseDue>, ReadError> {
        Ok(self.reader.due_cases(before, max)?)
    }
    fn due_consents(&self, before: TimeMs, max: usize) -> Result<Vec<ConsentDue>, ReadError> {
        Ok(self.reader.due_consents(before, max)?)
    }
    fn log_size(&self) -> u64 {
        self.tip.log.size()
    }
}

impl TipView<'_> {
    /// The next block at a time.
    pub fn context(&self, time: TimeMs, last_certificate: Option<&Certificate>) -> BlockContext {
        let set = &self.tip.validators;
        let signers = last_certificate.map(|certificate| certificate.signers(set).collect());
        BlockContext {
            height: self.tip.header.height.next(),
            time,
            parent_time: self.tip.header.time,
            parameters: self.tip.parameters.clone(),
            chain: self.tip.chain(),
            protocol: self.tip.protocol,
            validators: Arc::clone(&self.tip.next_validators),
            signers: signers.unwrap_or_default(),
        }
    }

    /// The one header that a draft and its execution lead to, with all that committing it needs.
    pub fn seal(&self, draft: &Draft, transactions: &[Checked], outcome: Outcome) -> Result<Overlay, ChainError> {
        let tip = self.tip;
        let next_validators = match &outcome.next_validators {
            Some(set) if *set != *tip.next_validators => Arc::new(set.clone()),
            _ => Arc::clone(&tip.next_validators),
        };
        let registry = tip.registry.apply(&self.reader.registry(), &outcome.registry)?;
        let state = tip.state.apply(&self.reader.state(), &outcome.state)?;
        let (log, log_nodes) = tip.log.append(outcome.records.iter().map(|record| leaf_hash(record)));
        let (history, history_nodes) = tip.history.append([leaf_hash(tip.hash.bytes())]);
        let ids: Vec<TransactionId> = transactions.iter().map(|checked| checked.id).collect();
        let tree = transactions_tree(&ids);
        let header = Header {
            version: HEADER_VERSION,
            suite: tip.header.suite,
            chain_id: tip.header.chain_id,
            era: tip.header.era,
            height: tip.header.height.next(),
            time: draft.time,
            proposer: draft.proposer,
            parent: tip.hash,
            last_certificate: draft.last_certificate,
            validators: tip.header.next_validators,
            next_validators: next_validators.hash(),
            protocol: tip.protocol,
            parameters: tip.parameters.hash(),
            transactions_root: tree.root(),
            log_root: log.root(),
            log_size: log.size(),
            registry_root: registry.map.root(),
            state_root: state.map.root(),
            history_root: history.root(),
        };
        let senders = transactions.iter().map(|checked| checked.transaction.body.sender);
        let batches = senders.zip(&outcome.receipts).filter_map(|(sender, receipt)| Some((sender, receipt.batch?)));
        let batches = batches.collect();
        let hash = header.hash();
        Ok(Overlay {
            header,
            hash,
            next_validators,
            outcome,
            registry,
            state,
            log,
            log_nodes,
            history,
            history_nodes,
            ids,
            tree,
            batches,
        })
    }
}

/// RFC 9162 tree over transaction ids in order.
pub(super) fn transactions_tree(ids: &[TransactionId]) -> Tree {
    Tree::new(ids.iter().map(|id| log::leaf_hash(id.bytes())).collect())
}

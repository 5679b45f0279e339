//! The life of a block: built or checked, kept, committed.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use kanhe_proto::block::Block;
use kanhe_proto::certificate::Certificate;
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height, Round, TimeMs};
use kanhe_proto::validators::Address;

use super::candidate::{BuiltBlock, Limits};
use super::check::{BlockCheck, CheckRules};
use super::error::{BlockError, ChainError, CheckError};
use super::overlay::{Overlay, TipView};
use super::tip::{TipState, certified};
use super::{Chain, check_protocol, lock};
use crate::storage::{Commit, LeafChanges, Reader};

/// Executed blocks of the next height that are kept; one that was dropped is executed again from its body.
const OVERLAYS_MAX: usize = 4;

/// Executed blocks of the height next to the tip.
#[derive(Debug, Default)]
pub(super) struct Pending {
    overlays: Vec<Arc<Overlay>>,
    /// Bodies that are durable.
    stored: Vec<HeaderHash>,
}

impl Pending {
    fn get(&self, hash: &HeaderHash) -> Option<Arc<Overlay>> {
        self.overlays.iter().find(|overlay| overlay.hash == *hash).cloned()
    }
    fn put(&mut self, overlay: Arc<Overlay>) {
        if self.get(&overlay.hash).is_some() {
            return;
        }
        if self.overlays.len() >= OVERLAYS_MAX {
            self.overlays.remove(0);
        }
        self.overlays.push(overlay);
    }
}

impl Chain {
    /// Builds a block on top of the tip, for a turn in this round. Its body is not durable yet: see [`Self::keep`].
    pub fn build_candidate(
        &self,
        (height, round): (Height, Round),
        proposer: Address,
        now: TimeMs,
        last_certificate: Option<&Certificate>,
    ) -> Result<BuiltBlock, ChainError> {
        let (reader, tip) = self.consistent()?;
        if tip.header.height.next() != height {
            return Err(ChainError::NotNext { height, reason: format!("the tip is {}", tip.header.height) });
        }
        let view = TipView { reader: &reader, tip: &tip };
        let limits = self.limits(&tip, round);
        let began = Instant::now();
        let built = view.build(proposer, now, last_certificate, self.source(), &limits);
        let (overlay, built) = built.map_err(|error| match error {
            CheckError::Chain(error) => error,
            CheckError::Block(reason) => ChainError::NotNext { height, reason: reason.to_string() },
        })?;
        lock(&self.pace).built(overlay.weight(), began.elapsed());
        let mut pending = lock(&self.pending);
        // The tip may have moved since: an overlay is good on its own tip only.
        if self.tip().hash == tip.hash {
            pending.put(Arc::new(overlay));
        }
        Ok(built)
    }

    fn limits(&self, tip: &TipState, round: Round) -> Limits {
        let parameters = &tip.parameters;
        // A transaction without changes of its own weighs its id and its record.
        let most = parameters.block_updates_max.saturating_add(2 * parameters.block_transactions_max);
        let pace = *lock(&self.pace);
        Limits { weight: pace.allowed(most as usize, round.0), time: pace.packing() }
    }

    /// A block that was built here was proposed, and its round ended without it: the next ones are smaller.
    pub fn missed(&self, header_hash: &HeaderHash) {
        let Some(overlay) = lock(&self.pending).get(header_hash) else { return };
        lock(&self.pace).missed(overlay.weight());
    }

    /// Makes the body of a candidate durable.
    pub fn keep(&self, height: Height, header_hash: HeaderHash, body: &[u8]) -> Result<(), ChainError> {
        let _writing = lock(&self.writing);
        if lock(&self.pending).stored.contains(&header_hash) {
            return Ok(());
        }
        // A body that comes too late would stay for ever.
        let tip = self.tip().header.height;
        if height != tip.next() {
            return Err(ChainError::NotNext { height, reason: format!("the tip is {tip}") });
        }
        self.storage.put_body(height, &header_hash, body)?;
        lock(&self.pending).stored.push(header_hash);
        Ok(())
    }

    /// Checks and executes a body; it is durable before this answers `Valid`.
    pub fn check_block(&self, body: &[u8], rules: &CheckRules) -> Result<BlockCheck, ChainError> {
        let block = match Block::from_bytes(body) {
            Ok(block) => block,
            Err(error) => {
                return Ok(BlockCheck::Invalid { header_hash: None, reason: BlockError::Malformed(error) });
            }
        };
        let header_hash = block.header.hash();
        match self.check_decoded(&block, header_hash, body, rules) {
            Ok(check) => Ok(check),
            Err(CheckError::Chain(error)) => Err(error),
            Err(CheckError::Block(reason)) => {
                let header_hash = reason.condemns_header().then_some(header_hash);
                Ok(BlockCheck::Invalid { header_hash, reason })
            }
        }
    }

    fn check_decoded(
        &self,
        block: &Block,
        header_hash: HeaderHash,
        body: &[u8],
        rules: &CheckRules,
    ) -> Result<BlockCheck, CheckError> {
        let (reader, tip) = self.consistent()?;
        let view = TipView { reader: &reader, tip: &tip };
        view.check_header(&block.header, rules)?;
        if rules.latest.is_some_and(|latest| block.header.time > latest) {
            return Ok(BlockCheck::Ahead { header_hash, time: block.header.time });
        }
        let known = {
            let pending = lock(&self.pending);
            pending.get(&header_hash).is_some() && pending.stored.contains(&header_hash)
        };
        // What is stored under this header is good, whatever signatures these bytes carry.
        if known {
            return Ok(BlockCheck::Valid(header_hash));
        }
        let began = Instant::now();
        let overlay = view.check_block(block, body.len(), self.source(), self.config.verify_threads)?;
        lock(&self.pace).checked(overlay.weight(), began.elapsed());
        self.keep(block.header.height, header_hash, body)?;
        lock(&self.pending).put(Arc::new(overlay));
        Ok(BlockCheck::Valid(header_hash))
    }

    /// Commits the block next to the tip in one durable write.
    pub fn commit(&self, certificate: &Certificate) -> Result<Arc<TipState>, ChainError> {
        let _writing = lock(&self.writing);
        let (reader, tip) = self.consistent()?;
        let height = certificate.height;
        if height != tip.header.height.next() {
            return Err(ChainError::NotNext { height, reason: format!("the tip is {}", tip.header.height) });
        }
        let set = &tip.next_validators;
        certificate
            .verify(set, &tip.chain())
            .map_err(|error| ChainError::NotNext { height, reason: error.to_string() })?;
        let overlay = self.overlay_of(&reader, &tip, certificate)?;
        let losers = reader.bodies(height)?.into_iter().filter(|hash| *hash != overlay.hash).collect::<Vec<_>>();
        drop(reader);
        let after = Arc::new(next_tip(&tip, &overlay, certificate)?);
        self.storage.commit(&to_write(&tip, &overlay, certificate, &losers))?;
        self.publish(Arc::clone(&after), &overlay);
        if after.header.next_validators != after.header.validators {
            self.keep_hand_over()?;
        }
        check_protocol(after.protocol)?;
        Ok(after)
    }

    /// The executed block that is certified; executed again from its body if need be.
    fn overlay_of(
        &self,
        reader: &Reader<'_>,
        tip: &TipState,
        certificate: &Certificate,
    ) -> Result<Arc<Overlay>, ChainError> {
        let (height, header_hash) = (certificate.height, certificate.header_hash);
        let known = {
            let pending = lock(&self.pending);
            pending.get(&header_hash).filter(|_| pending.stored.contains(&header_hash))
        };
        if let Some(overlay) = known {
            return Ok(overlay);
        }
        let missing = || ChainError::Missing(format!("the body of block {header_hash} of height {height}"));
        let body = reader.body(height, &header_hash)?.ok_or_else(missing)?;
        let mismatch = |reason| ChainError::Mismatch { height, header_hash, reason };
        let block = Block::from_bytes(&body).map_err(|error| mismatch(BlockError::Malformed(error)))?;
        if block.header.hash() != header_hash {
            return Err(missing());
        }
        let view = TipView { reader, tip };
        let rules = CheckRules { height, proposer: None, latest: None };
        view.check_header(&block.header, &rules).map_err(mismatch)?;
        match view.check_block(&block, body.len(), self.source(), self.config.verify_threads) {
            Ok(overlay) => Ok(Arc::new(overlay)),
            Err(CheckError::Chain(error)) => Err(error),
            Err(CheckError::Block(reason)) => Err(mismatch(reason)),
        }
    }

    fn publish(&self, after: Arc<TipState>, overlay: &Overlay) {
        let height = after.header.height;
        {
            let mut pending = lock(&self.pending);
            *self.tip.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::clone(&after);
            *pending = Pending::default();
        }
        self.recent.put(height, &overlay.tree);
        self.counters.add(&overlay.outcome.counters, overlay.ids.len());
        self.source().committed(&overlay.ids, height, after.header.time);
        self.committed.send_replace(height);
    }

    /// Bodies stored for the height next to the tip: what a restart finds.
    pub fn undecided(&self, height: Height) -> Result<Vec<HeaderHash>, ChainError> {
        Ok(self.storage.read().bodies(height)?)
    }

    /// A block that is stored: committed, or of the height next to the tip.
    pub fn body(&self, header_hash: &HeaderHash) -> Result<Option<Bytes>, ChainError> {
        let reader = self.storage.read();
        let height = match reader.height_of(header_hash)? {
            Some(height) => height,
            None => reader.tip()?.0.next(),
        };
        Ok(reader.body(height, header_hash)?.map(Bytes::from))
    }
}

fn next_tip(tip: &TipState, overlay: &Overlay, certificate: &Certificate) -> Result<TipState, ChainError> {
    let set = &tip.next_validators;
    let height = overlay.header.height;
    let certified = certified(&overlay.header, certificate, set)
        .ok_or_else(|| ChainError::NotNext { height, reason: "its certificate has no quorum".into() })?;
    Ok(TipState {
        header: overlay.header.clone(),
        hash: overlay.hash,
        parameters: overlay.outcome.parameters.clone().unwrap_or_else(|| tip.parameters.clone()),
        protocol: overlay.outcome.protocol.unwrap_or(tip.protocol),
        validators: Arc::clone(set),
        next_validators: Arc::clone(&overlay.next_validators),
        certified: Some(certified),
        registry: overlay.registry.map.clone(),
        registry_read: if overlay.header.registry_root == tip.header.registry_root {
            Arc::clone(&tip.registry_read)
        } else {
            Arc::default()
        },
        signers: Arc::default(),
        state: overlay.state.map.clone(),
        log: overlay.log.clone(),
        history: overlay.history.clone(),
    })
}

fn to_write<'a>(
    tip: &TipState,
    overlay: &'a Overlay,
    certificate: &'a Certificate,
    losers: &'a [HeaderHash],
) -> Commit<'a> {
    Commit {
        header: &overlay.header,
        header_hash: overlay.hash,
        certificate,
        registry: LeafChanges { changes: &overlay.outcome.registry, value_hashes: &overlay.registry.value_hashes },
        state: LeafChanges { changes: &overlay.outcome.state, value_hashes: &overlay.state.value_hashes },
        records: (tip.log.size(), &overlay.outcome.records),
        log_nodes: &overlay.log_nodes,
        history_nodes: &overlay.history_nodes,
        transactions: &overlay.ids,
        spent: &overlay.outcome.spent,
        swept: &overlay.outcome.swept,
        batches: &overlay.batches,
        next_validators: (*overlay.next_validators != *tip.next_validators).then_some(&*overlay.next_validators),
        schemas: &overlay.outcome.schemas,
        acts: &overlay.outcome.acts,
        cases: &overlay.outcome.cases,
        consents: &overlay.outcome.consents,
        reads: &overlay.outcome.reads,
        losers,
    }
}

//! A block to propose.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kanhe_proto::block::{Block, TransactionBytes};
use kanhe_proto::bounded::List;
use kanhe_proto::certificate::Certificate;
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::transaction::Transaction;
use kanhe_proto::validators::Address;

use super::error::{BlockError, ChainError, CheckError};
use super::overlay::{Draft, Overlay, TipView};
use super::pace::Weight;
use super::source::{Room, TransactionSource};
use crate::ledger::{Checked, Code, Execution, Refusal, SignatureCheck};

/// Bytes that the length of a transaction takes in a block.
const LENGTH_BYTES: usize = 8;
/// Transactions refused for want of room after which no more are tried: each is executed to find out.
const NO_ROOM_MAX: usize = 8;

/// Where packing ends before the block is full. Something is packed in any case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// What the transactions may weigh.
    pub weight: Weight,
    /// How long they are tried.
    pub time: Duration,
}

/// A block built here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltBlock {
    /// Hash of its header.
    pub header_hash: HeaderHash,
    /// The block.
    pub body: Bytes,
}

struct Packed {
    transactions: Vec<Checked>,
    bytes: Vec<TransactionBytes>,
}

impl TipView<'_> {
    /// Packs and executes a block. A transaction that is refused now is left out.
    pub(super) fn build(
        &self,
        proposer: Address,
        now: TimeMs,
        last_certificate: Option<&Certificate>,
        source: &dyn TransactionSource,
        limits: &Limits,
    ) -> Result<(Overlay, BuiltBlock), CheckError> {
        self.check_certificate(last_certificate)?;
        if self.tip.next_validators.get(&proposer).is_none() {
            return Err(BlockError::Proposer("is not of the validator set").into());
        }
        let draft = Draft {
            // Times rise whatever this clock says.
            time: now.max(TimeMs(self.tip.header.time.0 + 1)),
            proposer,
            last_certificate: Draft::certificate_hash(last_certificate),
        };
        let mut block = Block {
            header: self.tip.header.clone(),
            last_certificate: last_certificate.cloned(),
            transactions: List::empty(),
        };
        let parameters = &self.tip.parameters;
        let room = Room {
            bytes: (parameters.block_bytes_max as usize).saturating_sub(block.to_bytes().len()),
            // Each weighs something.
            count: (parameters.block_transactions_max.min(parameters.block_signatures_max) as usize).min(limits.weight),
        };
        let mut execution =
            Execution::begin(self, self.context(draft.time, last_certificate)).map_err(ChainError::from)?;
        let packed = self.pack(&mut execution, &room, source, limits)?;
        let overlay = self.seal(&draft, &packed.transactions, execution.finish().map_err(ChainError::from)?)?;
        block.header = overlay.header.clone();
        block.transactions = List::new(packed.bytes).expect("parameters allow no more than the format");
        let built = BuiltBlock { header_hash: overlay.hash, body: block.to_bytes().into() };
        Ok((overlay, built))
    }

    fn pack(
        &self,
        execution: &mut Execution<'_, Self>,
        room: &Room,
        source: &dyn TransactionSource,
        limits: &Limits,
    ) -> Result<Packed, ChainError> {
        let mut packed = Packed { transactions: Vec::new(), bytes: Vec::new() };
        let (mut left, mut no_room) = (room.bytes, 0);
        let (began, before) = (Instant::now(), execution.weight());
        for offered in source.take(room) {
            let enough = execution.weight().saturating_sub(before) >= limits.weight || began.elapsed() >= limits.time;
            let full = packed.transactions.len() >= room.count || no_room >= NO_ROOM_MAX;
            if full || (enough && !packed.transactions.is_empty()) {
                break;
            }
            let size = offered.bytes.len() + LENGTH_BYTES;
            if size > left {
                continue;
            }
            let refused = match self.try_one(execution, &offered.bytes, source) {
                Ok(checked) => {
                    left -= size;
                    packed.transactions.push(checked);
                    packed.bytes.push(TransactionBytes::new(offered.bytes).expect("as long as a transaction may be"));
                    continue;
                }
                Err(Refusal::Read(error)) => return Err(error.into()),
                Err(Refusal::Code(code)) => code,
            };
            match refused {
                // The next block may have room, or be late enough.
                Code::BlockUpdates | Code::BlockSignatures => no_room += 1,
                Code::ExpiryTooFar => {}
                code => source.reject(&offered.id, code),
            }
        }
        Ok(packed)
    }

    fn try_one(
        &self,
        execution: &mut Execution<'_, Self>,
        bytes: &Bytes,
        source: &dyn TransactionSource,
    ) -> Result<Checked, Refusal> {
        let (transaction, id) = Transaction::from_bytes(bytes).map_err(|_| Code::Malformed)?;
        let known = source.is_verified(&id, &transaction.signature);
        let checked = Checked::new(transaction, id, &self.tip.chain(), self.tip.protocol)?;
        execution.apply(&checked, if known { SignatureCheck::Known } else { SignatureCheck::Verify })?;
        if !known {
            source.verified(id, checked.transaction.signature.clone());
        }
        Ok(checked)
    }
}

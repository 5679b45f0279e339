//! Whether a block may follow the tip.

use kanhe_proto::block::Block;
use kanhe_proto::certificate::Certificate;
use kanhe_proto::hash::{HeaderHash, TransactionId};
use kanhe_proto::header::Header;
use kanhe_proto::ids::{Height, TimeMs};
use kanhe_proto::transaction::Transaction;
use kanhe_proto::validators::Address;

use super::error::{BlockError, CheckError};
use super::overlay::{Draft, Overlay, TipView, transactions_tree};
use super::signatures;
use super::source::TransactionSource;
use crate::ledger::{Checked, Code, Registry, SignatureCheck, execute};

/// What a block is checked against besides the tip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckRules {
    /// The height that it came for.
    pub height: Height,
    /// Who must be named as proposer; any member of the set if nobody in particular.
    pub proposer: Option<Address>,
    /// The latest time that it may have; none for a block that came with its certificate.
    pub latest: Option<TimeMs>,
}

/// The answer about a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockCheck {
    /// It executes to its header, and its body is durable.
    Valid(HeaderHash),
    /// Never to be voted for.
    Invalid {
        /// Its header, unless nothing is known about the header.
        header_hash: Option<HeaderHash>,
        /// Why.
        reason: BlockError,
    },
    /// Later than it may be now.
    Ahead {
        /// Its header.
        header_hash: HeaderHash,
        /// Its time.
        time: TimeMs,
    },
}

impl TipView<'_> {
    /// Checks the header as far as no execution is needed.
    pub(super) fn check_header(&self, header: &Header, rules: &CheckRules) -> Result<(), BlockError> {
        let expected = self.tip.header.height.next();
        if header.height != expected || rules.height != expected {
            return Err(BlockError::Height { found: header.height, expected });
        }
        if header.parent != self.tip.hash {
            return Err(BlockError::Field("parent"));
        }
        if header.time <= self.tip.header.time {
            return Err(BlockError::Time);
        }
        if self.tip.next_validators.get(&header.proposer).is_none() {
            return Err(BlockError::Proposer("is not of the validator set"));
        }
        if rules.proposer.is_some_and(|proposer| proposer != header.proposer) {
            return Err(BlockError::Proposer("is not the one whose turn it was"));
        }
        Ok(())
    }

    /// Checks the block whole and executes it.
    pub(super) fn check_block(
        &self,
        block: &Block,
        size: usize,
        source: &dyn TransactionSource,
        threads: usize,
    ) -> Result<Overlay, CheckError> {
        let certificate = block.last_certificate.as_ref();
        if Draft::certificate_hash(certificate) != block.header.last_certificate {
            return Err(BlockError::OtherCertificate.into());
        }
        let transactions = self.read_transactions(block)?;
        self.check_limits(size, transactions.len())?;
        self.check_certificate(certificate)?;
        let mut checked = Vec::with_capacity(transactions.len());
        for (position, (transaction, id)) in transactions.into_iter().enumerate() {
            let result = Checked::new(transaction, id, &self.tip.chain(), self.tip.protocol);
            checked.push(result.map_err(|code| match code {
                // Not bound by the header.
                Code::BadSignature => BlockError::Signature(position),
                code => BlockError::Transaction { position, code },
            })?);
        }
        let height = self.tip.header.height.next();
        signatures::verify(&mut Registry::new(self, height), &checked, source, threads)?;
        let context = self.context(block.header.time, certificate);
        let outcome = execute(self, context, &checked, |_| SignatureCheck::Known)?;
        let header = &block.header;
        let draft = Draft { time: header.time, proposer: header.proposer, last_certificate: header.last_certificate };
        let overlay = self.seal(&draft, &checked, outcome)?;
        match differing_field(header, &overlay.header) {
            Some(field) => Err(BlockError::Field(field).into()),
            None => Ok(overlay),
        }
    }

    /// The transactions, if they are those that the header commits to.
    fn read_transactions(&self, block: &Block) -> Result<Vec<(Transaction, TransactionId)>, BlockError> {
        let mut transactions = Vec::with_capacity(block.transactions.len());
        for bytes in &block.transactions {
            let read = Transaction::from_bytes(bytes).map_err(|_| BlockError::OtherTransactions)?;
            transactions.push(read);
        }
        let ids: Vec<TransactionId> = transactions.iter().map(|(_, id)| *id).collect();
        if transactions_tree(&ids).root() != block.header.transactions_root {
            return Err(BlockError::OtherTransactions);
        }
        Ok(transactions)
    }

    fn check_limits(&self, size: usize, transactions: usize) -> Result<(), BlockError> {
        let parameters = &self.tip.parameters;
        let limits = [
            ("bytes", size as u64, parameters.block_bytes_max),
            ("transactions", transactions as u64, u64::from(parameters.block_transactions_max)),
            ("signatures", transactions as u64, u64::from(parameters.block_signatures_max)),
        ];
        match limits.into_iter().find(|(_, found, max)| found > max) {
            Some((what, found, max)) => Err(BlockError::Limit { what, found, max }),
            None => Ok(()),
        }
    }

    /// The parent's certificate: a quorum of the parent's own set, every signature valid, any round.
    pub(super) fn check_certificate(&self, certificate: Option<&Certificate>) -> Result<(), BlockError> {
        let parent = &self.tip.header;
        let certificate = match (certificate, parent.height.0) {
            (None, 0) => return Ok(()),
            (Some(_), 0) => return Err(BlockError::NotOfParent("genesis has none")),
            (None, _) => return Err(BlockError::NotOfParent("missing")),
            (Some(certificate), _) => certificate,
        };
        if certificate.height != parent.height || certificate.header_hash != self.tip.hash {
            return Err(BlockError::NotOfParent("of another block"));
        }
        certificate.verify(&self.tip.validators, &self.tip.chain()).map_err(BlockError::Certificate)
    }
}

/// The first field in which a header is not the expected one.
fn differing_field(found: &Header, expected: &Header) -> Option<&'static str> {
    macro_rules! compare {
        ($($field:ident),+) => {
            $(if found.$field != expected.$field { return Some(stringify!($field)); })+
        };
    }
    compare!(
        version,
        suite,
        chain_id,
        era,
        height,
        time,
        proposer,
        parent,
        last_certificate,
        validators,
        next_validators,
        protocol,
        parameters,
        transactions_root,
        log_size,
        log_root,
        registry_root,
        state_root,
        history_root
    );
    None
}

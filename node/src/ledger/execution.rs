//! Executes the transactions of one block, one by one.
//!
//! A transaction is executed whole or not at all, so that a proposer can try one and skip it. Order of the rules is
//! part of the protocol only in what passes, never in which code a failing transaction gets.

use std::collections::BTreeMap;
use std::sync::Arc;

use kanhe_proto::account::EnterpriseAccount;
use kanhe_proto::case::Case;
use kanhe_proto::consent::{Consent, SourceReads};
use kanhe_proto::hash::{CaseId, ConsentId, Hash, MapKey};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, LogIndex, ProtocolVersion, SpanMs, TimeMs};
use kanhe_proto::limits::EXPIRY_AHEAD_MAX_MS;
use kanhe_proto::map_value::MapValue;
use kanhe_proto::registry::Parameters;
use kanhe_proto::status::{SpentId, spent_id_key};
use kanhe_proto::transaction::{Payload, Transaction, TransactionKind};
use kanhe_proto::validators::{Address, ValidatorSet};
use kanhe_proto::vote::ChainContext;

use super::book::{Book, Kept};
use super::cases;
use super::checked::Checked;
use super::code::{Code, Refusal};
use super::consents;
use super::governance;
use super::handlers::{change_status, enterprise_account, issue_batch};
use super::map::{Changes, ReadError};
use super::outcome::{Change, Counters, Outcome, ReadPlace, Receipt};
use super::registry::Registry;
use super::view::{SpentKey, View};

/// The block that is executed.
#[derive(Debug, Clone)]
pub struct BlockContext {
    /// Its number.
    pub height: Height,
    /// Its time.
    pub time: TimeMs,
    /// Time of the block before.
    pub parent_time: TimeMs,
    /// In force for it.
    pub parameters: Parameters,
    /// Chain and era.
    pub chain: ChainContext,
    /// The rules.
    pub protocol: ProtocolVersion,
    /// The set of its height.
    pub validators: Arc<ValidatorSet>,
    /// Who signed the parent's certificate that it carries.
    pub signers: Vec<Address>,
}

impl BlockContext {
    /// Whether its rules have governance.
    pub fn is_governed(&self) -> bool {
        self.protocol >= ProtocolVersion(2)
    }
    /// Whether its rules have cases.
    pub fn has_cases(&self) -> bool {
        self.protocol >= ProtocolVersion(3)
    }
}

/// Whether the signature of a transaction is still to be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureCheck {
    /// Verify it.
    Verify,
    /// This very signature was verified for this id before. The id covers the key's id, so the key is the same.
    Known,
}

/// A block in execution.
pub struct Execution<'v, V: View> {
    pub(super) view: &'v V,
    pub(super) context: BlockContext,
    pub(super) registry: Registry<'v, V>,
    /// Leaves of statuses that the block changed so far.
    pub(super) statuses: BTreeMap<MapKey, Vec<u8>>,
    /// Accounts of enterprises that the block read or changed so far.
    pub(super) accounts: Book<EnterpriseAccount>,
    /// Cases that the block read or changed so far.
    pub(super) cases: Book<Case>,
    /// Consents that the block read or changed so far.
    pub(super) consents: Book<Consent>,
    /// Numbers of reads that the block read or changed so far.
    pub(super) sources: Book<SourceReads>,
    /// Signatures inside its transactions.
    inner_signatures: usize,
    /// Ids of requests to read that it remembers.
    requests: usize,
    pub(super) outcome: Outcome,
}

/// What one transaction would change, until it succeeded.
#[derive(Debug, Clone, Default)]
pub(super) struct Staged {
    /// Leaves of statuses.
    pub statuses: BTreeMap<MapKey, Vec<u8>>,
    /// Accounts of enterprises.
    pub accounts: BTreeMap<Uscc, EnterpriseAccount>,
    /// Records for the log.
    pub records: Vec<Vec<u8>>,
    /// Licences in the record.
    pub licences: u32,
    /// Number of changes.
    pub status_changes: u32,
    /// Records of the registry.
    pub registry: BTreeMap<MapKey, Vec<u8>>,
    /// Cases.
    pub cases: BTreeMap<CaseId, Case>,
    /// Consents.
    pub consents: BTreeMap<ConsentId, Consent>,
    /// Numbers of reads by source.
    pub sources: BTreeMap<Uscc, SourceReads>,
    /// Reads.
    pub reads: Vec<ReadPlace>,
    /// Signatures that are verified besides the transaction's.
    pub signatures: usize,
    /// Other leaves of the state.
    pub leaves: BTreeMap<MapKey, Option<Vec<u8>>>,
    /// Ids that must not come again, besides the transaction's.
    pub spent: Vec<SpentKey>,
    /// Schemas by digest.
    pub schemas: Vec<(Hash, String)>,
    /// Parameters of the next block.
    pub parameters: Option<Parameters>,
    /// Rules of the next block.
    pub protocol: Option<ProtocolVersion>,
}

impl Staged {
    /// Events of cases among the records: a transaction that acts on cases records nothing else.
    fn cases_acted(&self) -> u64 {
        if self.cases.is_empty() { 0 } else { self.records.len() as u64 }
    }
    /// Acts on consents among the records: a transaction with reads has none.
    fn consents_acted(&self) -> u64 {
        if self.consents.is_empty() || !self.reads.is_empty() { 0 } else { self.records.len() as u64 }
    }
    /// Ids of requests to read among those that must not come again.
    fn requests(&self) -> usize {
        if self.reads.is_empty() { 0 } else { self.spent.len() }
    }
}

impl<'v, V: View> Execution<'v, V> {
    /// Begins a block: sweeps ids that expired before the parent's time.
    pub fn begin(view: &'v V, context: BlockContext) -> Result<Self, ReadError> {
        let swept_max = context.parameters.block_swept_max as usize;
        let swept = view.expired(context.parent_time, swept_max)?;
        assert!(swept.len() <= swept_max, "a view gives no more ids than asked for");
        let mut outcome = Outcome::default();
        outcome.state.extend(swept.iter().map(|key| (spent_id_key(&key.id), None)));
        outcome.counters.swept = swept.len() as u64;
        outcome.swept = swept;
        let registry = Registry::new(view, context.height);
        let mut execution = Self {
            view,
            context,
            registry,
            statuses: BTreeMap::new(),
            accounts: Book::default(),
            cases: Book::default(),
            consents: Book::default(),
            sources: Book::default(),
            inner_signatures: 0,
            requests: 0,
            outcome,
        };
        if execution.context.is_governed() {
            let staged = governance::begin(&execution)?;
            execution.merge(staged);
        }
        if execution.context.has_cases() {
            cases::begin(&mut execution)?;
            consents::begin(&mut execution)?;
        }
        Ok(execution)
    }

    /// Executes one transaction; if it is refused nothing has changed.
    pub fn apply(&mut self, checked: &Checked, signature: SignatureCheck) -> Result<Receipt, Refusal> {
        self.check_sender(checked, signature)?;
        let spent = self.check_expiry(checked)?;
        let mut staged = Staged::default();
        let body = &checked.transaction.body;
        let kind = match &checked.payload {
            Payload::IssueBatch(payload) => issue_batch::execute(self, body, payload, &mut staged)?,
            Payload::ChangeStatus(payload) => change_status::execute(self, body, payload, &mut staged)?,
            Payload::Governance(payload) => governance::execute(self, payload, &mut staged)?,
            Payload::Equivocation(payload) => governance::record_equivocation(self, payload, &mut staged)?,
            Payload::Case(payload) => cases::execute(self, payload, &mut staged)?,
            Payload::Consent(payload) => consents::execute(self, payload, &mut staged)?,
            Payload::AccessRecord(payload) => consents::record_reads(self, payload, &mut staged)?,
            Payload::EnterpriseAccount(payload) => enterprise_account::execute(self, payload, &mut staged)?,
        };
        self.check_room(&staged)?;
        let is_batch = kind == TransactionKind::IssueBatch;
        let batch = is_batch.then(|| LogIndex(self.log_size()));
        let receipt = Receipt { id: checked.id, kind, batch, status_changes: staged.status_changes };
        self.keep(staged, spent, receipt);
        Ok(receipt)
    }

    /// Whether the block has room for what a transaction stages.
    fn check_room(&self, staged: &Staged) -> Result<(), Code> {
        let parameters = &self.context.parameters;
        let statuses = staged.statuses.keys().filter(|key| !self.statuses.contains_key(*key)).count();
        let leaves = self.statuses.len()
            + statuses
            + self.accounts.changed_with(staged.accounts.keys())
            + self.cases.changed_with(staged.cases.keys())
            + self.consents.changed_with(staged.consents.keys())
            + self.sources.changed_with(staged.sources.keys())
            + self.requests
            + staged.requests();
        if leaves > parameters.block_updates_max as usize {
            return Err(Code::BlockUpdates);
        }
        let signatures = self.len() + 1 + self.inner_signatures + staged.signatures;
        if signatures > parameters.block_signatures_max as usize {
            return Err(Code::BlockSignatures);
        }
        Ok(())
    }

    fn check_sender(&mut self, checked: &Checked, signature: SignatureCheck) -> Result<(), Refusal> {
        let key = self.registry.signer(&checked.transaction.body)?;
        if signature == SignatureCheck::Verify {
            key.verify(&Transaction::sign_bytes(&checked.id), &checked.transaction.signature)
                .map_err(|_| Code::BadSignature)?;
        }
        Ok(())
    }

    fn check_expiry(&self, checked: &Checked) -> Result<SpentKey, Refusal> {
        let expiry = checked.transaction.body.expiry;
        check_expiry(expiry, self.context.time)?;
        let key = spent_id_key(&checked.id);
        if self.is_spent(&key)? {
            return Err(Code::Duplicate.into());
        }
        Ok(SpentKey { expiry, id: checked.id })
    }

    /// Whether an id that has not expired is in the state under this key.
    pub(super) fn is_spent(&self, key: &MapKey) -> Result<bool, ReadError> {
        // Only this block's own entries are in the changes for an id that has not expired: what it swept has.
        match self.outcome.state.get(key) {
            Some(value) => Ok(value.is_some()),
            None => Ok(self.view.state(key)?.is_some()),
        }
    }

    fn keep(&mut self, staged: Staged, spent: SpentKey, receipt: Receipt) {
        let record = LogIndex(self.log_size());
        let outcome = &mut self.outcome;
        let value = SpentId { expiry: spent.expiry, height: self.context.height }.to_value();
        outcome.state.insert(spent_id_key(&spent.id), Some(value));
        outcome.spent.push(spent);
        outcome.receipts.push(receipt);
        let counters = &mut outcome.counters;
        *counters = Counters {
            batches: counters.batches + u64::from(receipt.batch.is_some()),
            licences: counters.licences + u64::from(staged.licences),
            status_changes: counters.status_changes + u64::from(staged.status_changes),
            case_events: counters.case_events + staged.cases_acted(),
            consent_acts: counters.consent_acts + staged.consents_acted(),
            reads: counters.reads + staged.reads.len() as u64,
            ..*counters
        };
        let decides = matches!(receipt.kind, TransactionKind::Governance | TransactionKind::Equivocation);
        if decides && !staged.records.is_empty() {
            outcome.acts.push(record);
        }
        self.inner_signatures += staged.signatures;
        self.requests += staged.requests();
        self.merge(staged);
    }

    fn merge(&mut self, staged: Staged) {
        let outcome = &mut self.outcome;
        for spent in staged.spent {
            let value = SpentId { expiry: spent.expiry, height: self.context.height }.to_value();
            outcome.state.insert(spent_id_key(&spent.id), Some(value));
            outcome.spent.push(spent);
        }
        outcome.records.extend(staged.records);
        outcome.state.extend(staged.leaves);
        outcome.schemas.extend(staged.schemas);
        outcome.parameters = staged.parameters.or(outcome.parameters.take());
        outcome.protocol = staged.protocol.or(outcome.protocol);
        self.statuses.extend(staged.statuses);
        for (uscc, account) in staged.accounts {
            self.accounts.put(uscc, Some(account));
        }
        for (id, case) in staged.cases {
            self.cases.put(id, Some(case));
        }
        for (id, consent) in staged.consents {
            self.consents.put(id, Some(consent));
        }
        for (source, reads) in staged.sources {
            self.sources.put(source, Some(reads));
        }
        outcome.reads.extend(staged.reads);
        self.registry.change(staged.registry);
    }

    /// The leaf of a status as the block has it so far.
    pub(super) fn status(&self, staged: &Staged, key: &MapKey) -> Result<Option<Vec<u8>>, ReadError> {
        match staged.statuses.get(key).or_else(|| self.statuses.get(key)) {
            Some(value) => Ok(Some(value.clone())),
            None => self.view.state(key),
        }
    }

    /// Records in the log so far.
    pub(super) fn log_size(&self) -> u64 {
        self.view.log_size() + self.outcome.records.len() as u64
    }

    /// Leaves changed and records appended so far.
    pub fn weight(&self) -> usize {
        let outcome = &self.outcome;
        let acted = self.accounts.changed() + self.cases.changed() + self.consents.changed();
        let kept = acted + self.sources.changed();
        outcome.state.len() + self.statuses.len() + kept + self.registry.changed() + outcome.records.len()
    }

    /// Transactions executed so far.
    pub fn len(&self) -> usize {
        self.outcome.receipts.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the block.
    pub fn finish(self) -> Result<Outcome, ReadError> {
        let next_validators = match self.context.is_governed() {
            true => governance::next_validators(&self)?,
            false => None,
        };
        let mut outcome = self.outcome;
        outcome.next_validators = next_validators;
        outcome.registry = self.registry.into_changes().into_iter().map(|(key, value)| (key, Some(value))).collect();
        outcome.state.extend(self.statuses.into_iter().map(|(key, value)| (key, Some(value))));
        written(self.accounts, &mut outcome.state);
        outcome.cases = written(self.cases, &mut outcome.state);
        outcome.consents = written(self.consents, &mut outcome.state);
        written(self.sources, &mut outcome.state);
        Ok(outcome)
    }
}

/// All that a block changed in a book, after it is in the changes of the state.
fn written<T: Kept>(book: Book<T>, state: &mut Changes) -> Vec<Change<T>> {
    let mut changes = Vec::new();
    for (id, change) in book.into_changes() {
        state.insert(T::key_of(&id), change.after.as_ref().map(T::to_value));
        changes.push(change);
    }
    changes
}

/// Block time ≤ expiry ≤ block time + 1 h.
pub fn check_expiry(expiry: TimeMs, block_time: TimeMs) -> Result<(), Code> {
    if expiry < block_time {
        return Err(Code::Expired);
    }
    if expiry > block_time.after(SpanMs(EXPIRY_AHEAD_MAX_MS)) {
        return Err(Code::ExpiryTooFar);
    }
    Ok(())
}

/// Which transaction made a block invalid.
#[derive(Debug, thiserror::Error)]
#[error("transaction {position}: {refusal}")]
pub struct Rejection {
    /// Its place in the block.
    pub position: usize,
    /// Why.
    #[source]
    pub refusal: Refusal,
}

/// Executes a whole block: it holds only transactions that succeed.
pub fn execute<V: View>(
    view: &V,
    context: BlockContext,
    transactions: &[Checked],
    mut signature: impl FnMut(usize) -> SignatureCheck,
) -> Result<Outcome, Rejection> {
    let mut execution =
        Execution::begin(view, context).map_err(|error| Rejection { position: 0, refusal: error.into() })?;
    for (position, checked) in transactions.iter().enumerate() {
        execution.apply(checked, signature(position)).map_err(|refusal| Rejection { position, refusal })?;
    }
    let last = transactions.len();
    execution.finish().map_err(|error| Rejection { position: last, refusal: error.into() })
}

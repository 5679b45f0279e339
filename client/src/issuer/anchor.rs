//! Handing a transaction in and proving what became of it.
//!
//! `committed` counts only with its proof. A transaction is given up only once a certified header is later than its
//! expiry, so that no block can hold it any more; for a batch the log is then searched, record by record, each with its
//! proof, since a node that says `expired` might be mistaken or lie.

use std::time::Duration;

use kanhe_proto::api::{TransactionState, TransactionStatus, WAIT_MAX_SECONDS};
use kanhe_proto::codec;
use kanhe_proto::hash::{Hash, TransactionId};
use kanhe_proto::identifiers::{Uscc, Vct};
use kanhe_proto::ids::{Height, LogIndex, SpanMs, TimeMs};
use kanhe_proto::key::{KeyId, Signer};
use kanhe_proto::limits::RECORD_BYTES_MAX;
use kanhe_proto::proof::{ProvedRecord, ProvedTransaction};
use kanhe_proto::record::{BatchRecord, Record};
use kanhe_proto::transaction::{Payload, Transaction, TransactionBody};
use kanhe_proto::trust::TrustError;

use super::Office;
use super::records::Anchored;
use crate::clock;
use crate::follow::{FollowError, Follower, certified};
use crate::node::{NodeClient, NodeError};
use crate::talk::{ExitCode, Failure};

/// How long a transaction of this client may wait for its block.
const EXPIRY: SpanMs = SpanMs(15 * 60_000);
/// How long after its expiry a header is waited for that proves it void.
const PATIENCE: SpanMs = SpanMs(5 * 60_000);
const PAUSE: Duration = Duration::from_millis(500);
const PROOF_BYTES_MAX: usize = 64 << 10;

/// Signs a transaction of the bureau.
pub fn transaction(office: &Office, payload: &Payload, now: TimeMs) -> Result<(Transaction, TransactionId), Failure> {
    let body = TransactionBody {
        version: kanhe_proto::transaction::TRANSACTION_VERSION,
        chain: office.chain,
        sender: office.issuer,
        key: office.key.public_key().id(),
        expiry: now.after(EXPIRY),
        payload: payload.to_raw(),
    };
    let id = body.id();
    let signed = body.sign(&office.key);
    Ok((signed.map_err(|error| Failure::reported(ExitCode::Failure, "not_signed", error))?, id))
}

/// The batch that a transaction must have anchored.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The bureau.
    pub issuer: Uscc,
    /// The key that signed licences and transaction.
    pub key: KeyId,
    /// Type and version.
    pub vct: Vct,
    /// The tree's root.
    pub root: Hash,
    /// Its leaves.
    pub count: u32,
    /// Records that the log had before the transaction was signed.
    pub log_from: u64,
}

impl Expected {
    fn is(&self, record: &BatchRecord) -> bool {
        let vct = (&record.type_code, record.type_version);
        (record.issuer, record.signing_key, record.root, record.count) == (self.issuer, self.key, self.root, self.count)
            && vct == (&self.vct.code, self.vct.version)
    }
}

/// What became of a transaction, proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// A block holds it.
    Committed {
        /// Which.
        height: Height,
        /// Where its batch is, if it anchored one.
        batch: Option<Anchored>,
    },
    /// No block can hold it any more, and the log has no batch of it.
    Void,
}

/// Hands a transaction in (again) and waits until its fate is proved.
pub fn settle(
    follower: &mut Follower,
    bytes: &[u8],
    id: &TransactionId,
    expiry: TimeMs,
    expected: Option<&Expected>,
) -> Result<Settled, Failure> {
    submit(follower, bytes)?;
    loop {
        let answer = follower.ask(|follower, node| {
            let status = node.transaction(id, WAIT_MAX_SECONDS)?;
            match status.state {
                TransactionState::Committed => prove(follower, node, &status, id, expected).map(Ok),
                state => Ok(Err((state, status.code))),
            }
        })?;
        match answer {
            Ok(settled) => return Ok(settled),
            // Too late is what time proves; a duplicate is committed somewhere.
            Err((TransactionState::Rejected, code)) if !matches!(code.as_deref(), Some("expired" | "duplicate")) => {
                let code = code.unwrap_or_else(|| "rejected".to_owned());
                let message = crate::talk::say("issue.rejected", &[("code", &code)]);
                return Err(Failure::reported(ExitCode::Refused, &code, message));
            }
            Err((TransactionState::Pending, _)) if clock::now() <= expiry => std::thread::sleep(PAUSE / 10),
            Err(_) => {
                if let Some(settled) = after_expiry(follower, expiry, expected)? {
                    return Ok(settled);
                }
                if clock::now() > expiry.after(PATIENCE) {
                    return Err(Failure::of(ExitCode::Undecided, "transaction_unsettled", &[("id", id)]));
                }
                std::thread::sleep(PAUSE);
                submit(follower, bytes)?;
            }
        }
    }
}

/// What became of a transaction that is not handed in again; none while a block may still hold it.
pub fn fate(
    follower: &mut Follower,
    id: &TransactionId,
    expiry: TimeMs,
    expected: &Expected,
) -> Result<Option<Settled>, Failure> {
    let committed = follower.ask(|follower, node| {
        let status = node.transaction(id, 0)?;
        let committed = status.state == TransactionState::Committed;
        committed.then(|| prove(follower, node, &status, id, Some(expected))).transpose()
    })?;
    match committed {
        Some(settled) => Ok(Some(settled)),
        // Everything else is the node's word alone; time and the log prove.
        None => after_expiry(follower, expiry, Some(expected)),
    }
}

/// A transaction that is known already, or too late, is no failure: its state tells.
fn submit(follower: &mut Follower, bytes: &[u8]) -> Result<(), Failure> {
    let submitted = follower.ask(|_, node| match node.submit(bytes) {
        Err(NodeError::Refused { code, .. }) if code == "expired" || code == "duplicate" => Ok(()),
        other => other.map(drop).map_err(FollowError::Node),
    });
    Ok(submitted?)
}

fn prove(
    follower: &mut Follower,
    node: &NodeClient,
    status: &TransactionStatus,
    id: &TransactionId,
    expected: Option<&Expected>,
) -> Result<Settled, FollowError> {
    let bytes = status.proof.as_ref().ok_or_else(|| node.malformed("committed without proof"))?;
    let proof: ProvedTransaction = codec::decode(bytes, PROOF_BYTES_MAX).map_err(|error| node.malformed(error))?;
    if follower.trust().check(&proof.certified, clock::now()) == Err(TrustError::UnknownValidators) {
        follower.update()?;
    }
    let checked = follower.trust().check(&proof.certified, clock::now());
    checked.map_err(|error| FollowError::Trust { url: node.url().to_owned(), error })?;
    proof.verify(id).map_err(|error| node.malformed(error))?;
    let height = proof.certified.header.height;
    let Some(expected) = expected else { return Ok(Settled::Committed { height, batch: None }) };
    let answer = status.batch.as_ref().ok_or_else(|| node.malformed("committed without its batch"))?;
    let record = proved_record(follower, node, answer)?;
    let batch = BatchRecord::from_record(&record.record).map_err(|error| node.malformed(error))?;
    if record.index != answer.id || !expected.is(&batch) {
        return Err(node.malformed("another batch than that of the transaction").into());
    }
    let anchored = Anchored { batch: record.index, height: batch.height, time: batch.time };
    Ok(Settled::Committed { height, batch: Some(anchored) })
}

/// A record under a header that is believed.
pub fn proved_record(
    follower: &mut Follower,
    node: &NodeClient,
    answer: &kanhe_proto::api::BatchAnswer,
) -> Result<ProvedRecord, FollowError> {
    let header = certified(node, &answer.certified)?;
    follower.believe_newest(node, &header)?;
    let record: ProvedRecord =
        codec::decode(&answer.record, RECORD_BYTES_MAX + (8 << 10)).map_err(|error| node.malformed(error))?;
    record.verify(&header.header).map_err(|error| node.malformed(error))?;
    Ok(record)
}

/// A record of the log, proved.
pub fn record_at(follower: &mut Follower, index: LogIndex) -> Result<ProvedRecord, FollowError> {
    follower.ask(|follower, node| {
        let answer = node.record(index)?;
        let record = proved_record(follower, node, &answer)?;
        if record.index == index { Ok(record) } else { Err(node.malformed("another record than asked for").into()) }
    })
}

/// What is proved once the newest header is later than the expiry; nothing before.
fn after_expiry(
    follower: &mut Follower,
    expiry: TimeMs,
    expected: Option<&Expected>,
) -> Result<Option<Settled>, Failure> {
    follower.update()?;
    let Some(newest) = follower.trust().newest().filter(|newest| newest.time > expiry) else { return Ok(None) };
    let log_size = newest.log_size;
    let Some(expected) = expected else { return Ok(Some(Settled::Void)) };
    for index in expected.log_from..log_size {
        let record = record_at(follower, LogIndex(index))?;
        // Records of other kinds are none of ours.
        let Ok(batch) = BatchRecord::from_record(&record.record) else { continue };
        if expected.is(&batch) {
            let anchored = Anchored { batch: record.index, height: batch.height, time: batch.time };
            return Ok(Some(Settled::Committed { height: batch.height, batch: Some(anchored) }));
        }
    }
    Ok(Some(Settled::Void))
}

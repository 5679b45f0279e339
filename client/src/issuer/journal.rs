//! Batches from the journal onto the chain.

use kanhe_proto::bounded::Blob;
use kanhe_proto::hash::{Hash, TransactionId};
use kanhe_proto::identifiers::{LicenceNumber, Uscc, Vct};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::key::Signer as _;
use kanhe_proto::limits::TRANSACTION_BYTES_MAX;
use kanhe_proto::status::{Reason, Status};
use kanhe_proto::transaction::{IssueBatch, Payload, StatusChange, StatusChanges, StatusTarget};

use super::anchor::{Expected, Settled, settle, transaction};
use super::batch::leaves;
use super::records::Awaiting;
use super::standing::{Held, held};
use super::{BatchEntry, Definition, LicenceEntry, Office, Register};
use crate::clock;
use crate::follow::Follower;
use crate::talk::{ExitCode, Failure};

/// The chain's code for a change whose history has grown.
const STALE_HISTORY: &str = "stale_history";
/// Code of a batch that a key signed which this process does not have.
const OTHER_KEY: &str = "batch_other_key";
/// How often a transaction is made anew because somebody else acted on a licence meanwhile.
const TRIES: usize = 4;

/// What is to be journaled as one batch.
#[derive(Debug)]
pub(super) struct Planned<'a> {
    pub run: &'a str,
    pub place: u32,
    pub lines: Vec<u32>,
    pub licences: Vec<LicenceEntry>,
    /// Pickup codes that these licences answer, bound to their keys.
    pub redeemed: Vec<Awaiting>,
    /// Names of what the licences are issued for, one each; none if they have none.
    pub names: Vec<String>,
}

/// Makes a batch durable, with the transaction that will anchor it. Nothing has left so far.
pub(super) fn plan(
    office: &Office,
    definition: &Definition,
    register: &Register,
    follower: &mut Follower,
    planned: Planned<'_>,
) -> Result<BatchEntry, Failure> {
    follower.update()?;
    let log_from = follower.trust().newest().map_or(0, |newest| newest.log_size);
    let (leaves, root) = leaves(&planned.licences)?;
    let replaces: Vec<LicenceNumber> = planned.licences.iter().filter_map(|licence| licence.replaces.clone()).collect();
    let changes = supersede(office, register, follower, &replaces)?;
    let vct = definition.vct();
    let signed = sign(office, &vct, root, leaves.len(), changes)?;
    let batch = BatchEntry {
        run: planned.run.to_owned(),
        place: planned.place,
        vct,
        key: office.key.public_key().id(),
        replaces,
        lines: planned.lines,
        leaves,
        root,
        transaction: signed.bytes,
        id: signed.id,
        expiry: signed.expiry,
        log_from,
        anchored: None,
    };
    register.plan(definition, &batch, &planned.licences, &planned.redeemed, &planned.names)?;
    Ok(batch)
}

struct Signed {
    bytes: Blob<TRANSACTION_BYTES_MAX>,
    id: TransactionId,
    expiry: TimeMs,
}

fn sign(office: &Office, vct: &Vct, root: Hash, count: usize, changes: StatusChanges) -> Result<Signed, Failure> {
    let payload = Payload::IssueBatch(IssueBatch {
        type_code: vct.code.clone(),
        type_version: vct.version,
        root,
        count: u32::try_from(count).expect("a batch is bounded"),
        changes,
    });
    let (transaction, id) = transaction(office, &payload, clock::now())?;
    let bytes = Blob::new(transaction.to_bytes()).expect("a batch's transaction is small");
    Ok(Signed { bytes, id, expiry: transaction.body.expiry })
}

/// The changes that supersede all copies of licences. Only what is active can be renewed: otherwise a renewal would
/// lift a suspension.
pub(super) fn supersede(
    office: &Office,
    register: &Register,
    follower: &mut Follower,
    numbers: &[LicenceNumber],
) -> Result<StatusChanges, Failure> {
    let mut changes = Vec::new();
    for number in numbers {
        let licence = register.licence(number)?;
        for copy in licence.iter().flat_map(|licence| &licence.copies) {
            let Held { length, own, status, as_of } = held(follower, &office.issuer, number.type_code(), &copy.digest)?;
            let code = match (own, status) {
                (_, Status::Active) => None,
                // First, since it may mean that this very renewal is done, whatever a supervisor has said after it.
                (Status::Superseded, _) => Some("renew_superseded"),
                (_, Status::Suspended) => Some("renew_suspended"),
                _ => Some("status_final"),
            };
            if let Some(code) = code {
                return Err(Failure::of(ExitCode::Refused, code, &[("number", number)]));
            }
            changes.push(StatusChange {
                issuer: office.issuer,
                target: StatusTarget::Licence(copy.digest),
                supervised_type: None,
                expected_length: length,
                status: Status::Superseded,
                reason: Reason::Replaced,
                // Not later than any block to come, whatever this machine's clock says.
                effective_from: as_of,
            });
        }
    }
    let too_many = |error| Failure::reported(ExitCode::Failure, "changes_too_many", error);
    StatusChanges::new(changes).map_err(too_many)
}

/// The batch that the transaction of a journaled one must anchor.
pub(super) fn expected(issuer: Uscc, batch: &BatchEntry) -> Expected {
    Expected {
        issuer,
        key: batch.key,
        vct: batch.vct.clone(),
        root: batch.root,
        count: u32::try_from(batch.leaves.len()).expect("a batch is bounded"),
        log_from: batch.log_from,
    }
}

/// Brings a journaled batch onto the chain and proves it. A transaction that is proved void, or whose status changes
/// can never be executed any more, is replaced by a new one for the same root: the licences stay what they are.
pub(super) fn anchor(
    office: &Office,
    register: &Register,
    follower: &mut Follower,
    mut batch: BatchEntry,
) -> Result<BatchEntry, Failure> {
    if batch.anchored.is_some() {
        return Ok(batch);
    }
    let key = office.key.public_key().id();
    if batch.key != key {
        let args: &[(&str, &dyn std::fmt::Display)] = &[("run", &batch.run), ("key", &batch.key)];
        return Err(Failure::of(ExitCode::Failure, OTHER_KEY, args));
    }
    let expected = expected(office.issuer, &batch);
    let mut stale = 0;
    loop {
        match settle(follower, &batch.transaction, &batch.id, batch.expiry, Some(&expected)) {
            Ok(Settled::Committed { batch: Some(anchored), .. }) => return register.anchor(&batch, anchored),
            Ok(Settled::Committed { batch: None, .. }) => unreachable!("a batch was expected"),
            Ok(Settled::Void) => {}
            // Histories only grow, so that a change that named a shorter one is void for ever.
            Err(failure) if failure.code == STALE_HISTORY && stale < TRIES && !batch.replaces.is_empty() => stale += 1,
            Err(failure) => return Err(failure),
        }
        let changes = match supersede(office, register, follower, &batch.replaces) {
            Ok(changes) => changes,
            Err(failure) => {
                // Superseded may mean by this very batch. The other two prove that this batch never was, nor will be.
                if ["renew_suspended", "status_final"].contains(&failure.code.as_str()) {
                    register.withdraw(std::slice::from_ref(&batch))?;
                }
                return Err(failure);
            }
        };
        let signed = sign(office, &batch.vct, batch.root, batch.leaves.len(), changes)?;
        (batch.transaction, batch.id, batch.expiry) = (signed.bytes, signed.id, signed.expiry);
        register.put_batch(&batch)?;
    }
}

/// Waits until a journaled batch is on the chain, with nothing but what it has itself: the register may be closed meanwhile.
/// What came of it [`anchor`] finds out.
pub(super) fn wait_for(office: &Office, follower: &mut Follower, batch: &BatchEntry) -> Result<(), Failure> {
    if batch.anchored.is_some() || batch.key != office.key.public_key().id() {
        return Ok(());
    }
    let expected = expected(office.issuer, batch);
    match settle(follower, &batch.transaction, &batch.id, batch.expiry, Some(&expected)) {
        Err(failure) if failure.exit == ExitCode::Unreachable => Err(failure),
        _ => Ok(()),
    }
}

/// A journaled batch that is not on the chain.
#[derive(Debug, Clone)]
pub struct Left {
    /// The batch.
    pub batch: BatchEntry,
    /// Why it is not there.
    pub why: Failure,
}

/// Brings journaled batches onto the chain, each for itself: what is wrong with one is in the way of no other. That no
/// node answers, or that nothing can be kept, is in the way of all.
pub(super) fn anchor_each(
    office: &Office,
    register: &Register,
    follower: &mut Follower,
    batches: Vec<BatchEntry>,
) -> Result<Vec<Left>, Failure> {
    let mut left = Vec::new();
    for batch in batches {
        match anchor(office, register, follower, batch.clone()) {
            Ok(_) => {}
            Err(why) if is_of_batch(&why) => left.push(Left { batch, why }),
            Err(failure) => return Err(failure),
        }
    }
    Ok(left)
}

/// Whether a failure says something about the batch alone.
fn is_of_batch(failure: &Failure) -> bool {
    matches!(failure.exit, ExitCode::Refused | ExitCode::Undecided) || failure.code == OTHER_KEY
}

/// Brings onto the chain what a process that was killed has left in the journal, but for what belongs to a run that
/// its own command goes on with. Says which batches are not there.
pub fn anchor_open(office: &Office, register: &Register, follower: &mut Follower) -> Result<Vec<Left>, Failure> {
    let running = register.running()?.map(|run| run.id);
    let mut open = register.open_batches()?;
    open.retain(|batch| running.as_ref() != Some(&batch.run));
    anchor_each(office, register, follower, open)
}

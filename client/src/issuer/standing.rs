//! How licences stand on the chain, and changing that.

use kanhe_proto::codec;
use kanhe_proto::hash::LicenceDigest;
use kanhe_proto::identifiers::{TypeCode, Uscc};
use kanhe_proto::ids::{Height, TimeMs};
use kanhe_proto::limits::MAP_VALUE_BYTES_MAX;
use kanhe_proto::proof::ProvedLeaf;
use kanhe_proto::status::{LicenceStatus, Reason, Status, by_author, licence_status_key};
use kanhe_proto::transaction::{ChangeStatus, Payload, StatusChange, StatusChanges, StatusTarget};

use super::anchor::{Settled, settle, transaction};
use super::{LicenceEntry, Office};
use crate::clock;
use crate::follow::{Follower, certified};
use crate::talk::{ExitCode, Failure};

/// Changes in one transaction, so that several fit a block beside what others send.
const CHANGES_MAX: usize = 500;
const LEAF_BYTES_MAX: usize = MAP_VALUE_BYTES_MAX + (16 << 10);

/// What the chain has of one copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Length of its history.
    pub length: u32,
    /// What its issuer says of it now.
    pub own: Status,
    /// What it is worth now: the worse of its issuer's word and that of the supervisors of its type.
    pub status: Status,
    /// Time of the header that proves it.
    pub as_of: TimeMs,
}

/// The proved status of a copy.
pub fn held(follower: &mut Follower, issuer: &Uscc, code: &TypeCode, digest: &LicenceDigest) -> Result<Held, Failure> {
    let found = follower.ask(|follower, node| {
        let answer = node.licence_status(issuer, digest)?;
        let header = certified(node, &answer.certified)?;
        follower.believe_newest(node, &header)?;
        let leaf: ProvedLeaf = codec::decode(&answer.leaf, LEAF_BYTES_MAX).map_err(|error| node.malformed(error))?;
        let key = licence_status_key(issuer, digest);
        let history: LicenceStatus =
            leaf.read(&header.header.state_root, &key).map_err(|error| node.malformed(error))?.unwrap_or_default();
        let last =
            |author| by_author(&history.entries, author).next_back().map_or(Status::Active, |entry| entry.status);
        let own = last(None);
        let length = u32::try_from(history.entries.len()).expect("a history is bounded");
        Ok(Held { length, own, status: own.max(last(Some(code))), as_of: header.header.time })
    });
    Ok(found?)
}

/// What to do to licences.
#[derive(Debug, Clone, Copy)]
pub struct Act {
    /// The status that they get.
    pub status: Status,
    /// Why, coarsely.
    pub reason: Reason,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Copies changed.
    pub changed: usize,
    /// Copies that were so already.
    pub unchanged: usize,
    /// The last block that did it.
    pub height: Option<Height>,
}

/// Changes the status of all copies of licences and proves that the chain has done so. Each change names the length of
/// the history that was seen: had anybody acted meanwhile, the chain would refuse it.
pub fn change(
    office: &Office,
    follower: &mut Follower,
    licences: &[LicenceEntry],
    act: Act,
) -> Result<Change, Failure> {
    let (mut changes, mut unchanged) = (Vec::new(), 0);
    for licence in licences {
        for copy in &licence.copies {
            let held = held(follower, &office.issuer, &licence.vct.code, &copy.digest)?;
            if act.status == Status::Active && held.own == Status::Active && held.status != Status::Active {
                let args: &[(&str, &dyn std::fmt::Display)] = &[("number", &licence.number)];
                return Err(Failure::of(ExitCode::Refused, "set_by_supervisor", args));
            }
            if held.own == act.status {
                unchanged += 1;
                continue;
            }
            if held.own.is_final() {
                let args: &[(&str, &dyn std::fmt::Display)] = &[("number", &licence.number)];
                return Err(Failure::of(ExitCode::Refused, "status_final", args));
            }
            changes.push(StatusChange {
                issuer: office.issuer,
                target: StatusTarget::Licence(copy.digest),
                supervised_type: None,
                expected_length: held.length,
                status: act.status,
                reason: act.reason,
                // Not later than any block to come, whatever this machine's clock says.
                effective_from: held.as_of,
            });
        }
    }
    let (changed, mut last) = (changes.len(), None);
    for portion in changes.chunks(CHANGES_MAX) {
        let changes = StatusChanges::new(portion.to_vec()).expect("portions are within the limit");
        let payload = Payload::ChangeStatus(ChangeStatus { changes });
        let (transaction, id) = transaction(office, &payload, clock::now())?;
        match settle(follower, &transaction.to_bytes(), &id, transaction.body.expiry, None)? {
            Settled::Committed { height, .. } => last = Some(height),
            Settled::Void => return Err(Failure::of(ExitCode::Refused, "transaction_expired", &[("id", &id)])),
        }
    }
    Ok(Change { changed, unchanged, height: last })
}

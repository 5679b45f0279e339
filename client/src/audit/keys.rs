//! The issuing keys that a case's events name.

use std::collections::BTreeMap;

use kanhe_proto::case::{Act, CaseEvent, CaseRecord};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::LogIndex;
use kanhe_proto::key::KeyId;
use kanhe_proto::registry::{KeyEntry, ServiceItem};

use crate::follow::Follower;
use crate::node::NodeClient;
use crate::talk::Failure;

/// Keys of bureaus, as the registry has them with their whole past.
pub type Keys = BTreeMap<(Uscc, KeyId), KeyEntry>;

/// Which bureau plays a role, and which of its keys an event names.
pub(super) fn named(record: &CaseRecord, item: &ServiceItem, chosen: &[Uscc]) -> Option<(Uscc, KeyId)> {
    let CaseEvent::Act(signed) = &record.event else { return None };
    let (step, key) = match &signed.act {
        Act::Decide(decide) => (decide.step, decide.key),
        Act::Issued(issued) => (issued.step, issued.key),
        act => return act.assisted().map(|assisted| (assisted.bureau, assisted.key)),
    };
    let by = item.steps.get(usize::from(step))?.by;
    chosen.get(usize::from(by)).map(|bureau| (*bureau, key))
}

/// Fetches them, each proved; one that the registry does not have is left out.
pub fn keys_of(
    follower: &mut Follower,
    item: &ServiceItem,
    chosen: &[Uscc],
    events: &[(LogIndex, CaseRecord)],
) -> Result<Keys, Failure> {
    let mut keys = Keys::new();
    for (bureau, key) in events.iter().filter_map(|(_, record)| named(record, item, chosen)) {
        if keys.contains_key(&(bureau, key)) {
            continue;
        }
        let found = follower.registry::<KeyEntry>(&(bureau, key), |node: &NodeClient| node.key(&bureau, key))?;
        if let Some(entry) = found.value {
            keys.insert((bureau, key), entry);
        }
    }
    Ok(keys)
}

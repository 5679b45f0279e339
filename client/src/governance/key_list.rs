//! A bureau's keys as the registry has them, each proved; also those that have ended.

use kanhe_proto::api::LeafBytes;
use kanhe_proto::codec;
use kanhe_proto::hash::Hash;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{Height, TimeMs};
use kanhe_proto::map_value::MapValue as _;
use kanhe_proto::proof::ProvedLeaf;
use kanhe_proto::registry::{Due, KeyEntry, KeyRole, RegistryRecord as _, Schedule, ScheduledWhat};
use serde::Serialize;

use super::read::{LEAF_BYTES_MAX, believed};
use crate::follow::Follower;
use crate::node::{NodeClient, NodeError};
use crate::talk::Failure;

/// How a key stands in the next block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It signs.
    Holds,
    /// It was decided and begins later; until then others can veto it.
    Waits,
    /// It signs no more; what it signed stands.
    Ended,
    /// It was reported as stolen.
    Distrusted,
    /// It was vetoed, or ended, before it began.
    NeverBegan,
}

/// A key.
#[derive(Debug, Clone)]
pub struct BureauKey {
    /// What the registry holds.
    pub entry: KeyEntry,
    /// How it stands.
    pub state: KeyState,
    /// When it begins or ends, if that is decided and lies ahead.
    pub due: Option<Due>,
}

/// The keys of a bureau. Each is proved; that there is no other is a node's word.
#[derive(Debug, Clone)]
pub struct BureauKeys {
    /// First those that have ended, then by their beginning.
    pub keys: Vec<BureauKey>,
    /// As of this height.
    pub height: Height,
    /// Time of its header.
    pub time: TimeMs,
}

impl BureauKeys {
    /// The keys of a role that sign, without those that are to end.
    pub fn lasting(&self, role: KeyRole) -> impl DoubleEndedIterator<Item = &KeyEntry> {
        let lasting =
            move |key: &&BureauKey| key.entry.role == role && key.state == KeyState::Holds && key.due.is_none();
        self.keys.iter().filter(lasting).map(|key| &key.entry)
    }
}

/// All keys of a bureau.
pub fn keys(follower: &mut Follower, bureau: &Uscc) -> Result<BureauKeys, Failure> {
    let schedule = follower.registry::<Schedule>(&(), NodeClient::schedule)?.value.unwrap_or_default();
    let asked = follower.ask(|follower, node| {
        let answer = node.keys(bureau)?;
        let header = believed(follower, node, &answer.certified)?;
        let (height, time) = (header.header.height, header.header.time);
        let entry = |bytes| proved(node, bytes, &header.header.registry_root, bureau);
        let entries = answer.keys.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        let keys = entries.into_iter().map(|entry| standing(entry, &schedule, height)).collect();
        Ok(BureauKeys { keys, height, time })
    });
    Ok(asked?)
}

fn proved(node: &NodeClient, bytes: &LeafBytes, root: &Hash, bureau: &Uscc) -> Result<KeyEntry, NodeError> {
    let leaf: ProvedLeaf = codec::decode(bytes, LEAF_BYTES_MAX).map_err(|error| node.malformed(error))?;
    let value = leaf.value.as_ref().ok_or_else(|| node.malformed("a key that is not there"))?;
    let entry = KeyEntry::from_value(value).map_err(|error| node.malformed(error))?;
    if entry.bureau != *bureau {
        return Err(node.malformed("a key of another bureau"));
    }
    let read = leaf.read(root, &KeyEntry::key_of(&entry.id())).map_err(|error| node.malformed(error))?;
    read.ok_or_else(|| node.malformed("a key that is not there"))
}

fn standing(entry: KeyEntry, schedule: &Schedule, height: Height) -> BureauKey {
    let own = entry.id();
    let due = schedule.entries.iter().find_map(|planned| match &planned.what {
        ScheduledWhat::KeyBegins { bureau, key } | ScheduledWhat::KeyEnds { bureau, key } => {
            Some(planned.due).filter(|_| (*bureau, *key) == own)
        }
        _ => None,
    });
    let state = match entry.intervals.all().is_empty() {
        true if due.is_some() => KeyState::Waits,
        true => KeyState::NeverBegan,
        false if entry.distrusted_from.is_some() => KeyState::Distrusted,
        false if entry.intervals.hold_at(height.next()) => KeyState::Holds,
        false => KeyState::Ended,
    };
    BureauKey { entry, state, due }
}

//! A case as the chain has it, with its item and all its events.

use std::collections::BTreeMap;
use std::sync::Arc;

use kanhe_proto::api::{CASES_PROVED_MAX, CasesQuestion};
use kanhe_proto::case::{Case, CaseRecord, EventList, case_key};
use kanhe_proto::codec;
use kanhe_proto::hash::CaseId;
use kanhe_proto::header::Header;
use kanhe_proto::ids::{Height, LogIndex, TimeMs};
use kanhe_proto::item::{Item, ItemCode, ItemVersion};
use kanhe_proto::limits::RECORD_BYTES_MAX;
use kanhe_proto::proof::ProvedRecord;
use kanhe_proto::registry::ServiceItem;

use crate::follow::{FollowError, Follower, state_leaf};
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure};

/// A record with its path.
const PROVED_BYTES_MAX: usize = RECORD_BYTES_MAX + (8 << 10);

/// A version of an item, proved: versions never change.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownItem {
    /// What the registry keeps of it.
    pub public: ServiceItem,
    /// Its text, which has the digest that the registry keeps.
    pub item: Item,
}

/// Items that were read once, by code and version: who follows many cases asks once for each.
#[derive(Debug, Default)]
pub struct Items {
    known: BTreeMap<(ItemCode, ItemVersion), Arc<KnownItem>>,
}

impl Items {
    /// A version of an item.
    pub fn get(
        &mut self,
        follower: &mut Follower,
        code: &ItemCode,
        version: ItemVersion,
    ) -> Result<Arc<KnownItem>, Failure> {
        let id = (code.clone(), version);
        if let Some(known) = self.known.get(&id) {
            return Ok(Arc::clone(known));
        }
        let unknown = || Failure::of(ExitCode::Usage, "item_unknown", &[("item", code)]);
        let fetch = |node: &NodeClient| node.item(code.as_str(), version);
        let public = follower.registry::<ServiceItem>(&id, fetch)?.value.ok_or_else(unknown)?;
        let text = follower.ask(|_, node| Ok(node.schema(&public.file)?))?;
        let item = Item::from_json(&text)
            .map_err(|error| Failure::of(ExitCode::Failure, "item_unreadable", &[("item", code), ("cause", &error)]))?;
        let known = Arc::new(KnownItem { public, item });
        self.known.insert(id, Arc::clone(&known));
        Ok(known)
    }
}

/// A case as of a header.
#[derive(Debug, Clone)]
pub struct ProvedCase {
    /// The case.
    pub case: Case,
    /// The item under whose version it runs.
    pub item: Arc<KnownItem>,
    /// Height of the header that proves it.
    pub height: Height,
    /// Time of that header.
    pub time: TimeMs,
}

/// A case with all its events.
#[derive(Debug, Clone)]
pub struct Events {
    /// The case.
    pub case: Case,
    /// Height of the header that proves it.
    pub height: Height,
    /// Time of that header.
    pub time: TimeMs,
    /// With their places in the log, the opening first; none is missing.
    pub events: Vec<(LogIndex, CaseRecord)>,
}

/// A case with its item; none: proved that there is no such case now.
pub fn read(follower: &mut Follower, items: &mut Items, id: &CaseId) -> Result<Option<ProvedCase>, Failure> {
    let found = follower.state::<Case>(&case_key(id), |node: &NodeClient| node.case(id))?;
    let Some(case) = found.value else { return Ok(None) };
    let item = items.get(follower, &case.item, case.version)?;
    let header = &found.header.header;
    Ok(Some(ProvedCase { case, item, height: header.height, time: header.time }))
}

/// A case with all its events; none: proved that there is no such case now.
pub fn events(follower: &mut Follower, id: &CaseId) -> Result<Option<Events>, Failure> {
    let first = follower.ask(|follower, node| {
        let answer = node.case_events(id, None)?;
        let header = follower.believed(node, &answer.certified)?;
        let case: Option<Case> = state_leaf(node, &answer.leaf, &header, &case_key(id))?;
        let Some(case) = case else { return Ok(None) };
        let mut list = EventList::of(&case);
        push(node, &mut list, &header.header, &answer.events)?;
        Ok(Some((case, header.header, list)))
    })?;
    first.map(|(case, header, list)| whole(follower, case, &header, list)).transpose()
}

/// Asks for what is missing of the events of a case.
fn whole(follower: &mut Follower, case: Case, header: &Header, mut list: EventList) -> Result<Events, Failure> {
    while let Some(from) = list.wanted() {
        list = follower.ask(|follower, node| {
            let answer = node.case_events(&case.id, Some(from))?;
            let header = follower.believed(node, &answer.certified)?;
            let mut longer = list.clone();
            push(node, &mut longer, &header.header, &answer.events)?;
            Ok(longer)
        })?;
    }
    let events = list.into_whole().expect("asked until none was wanted");
    Ok(Events { case, height: header.height, time: header.time, events })
}

/// Several cases with their items, in the order of `ids`; none where it is proved that there is no such case now.
pub fn read_many(
    follower: &mut Follower,
    items: &mut Items,
    ids: &[CaseId],
) -> Result<Vec<Option<ProvedCase>>, Failure> {
    let found = proved(follower, ids, false)?;
    let with_item = found.into_iter().map(|found| {
        let Some((case, header, _)) = found else { return Ok(None) };
        let item = items.get(follower, &case.item, case.version)?;
        Ok(Some(ProvedCase { case, item, height: header.height, time: header.time }))
    });
    with_item.collect()
}

/// Several cases with all their events, in the order of `ids`.
pub fn events_many(follower: &mut Follower, ids: &[CaseId]) -> Result<Vec<Option<Events>>, Failure> {
    let found = proved(follower, ids, true)?;
    let with_events = found
        .into_iter()
        .map(|found| found.map(|(case, header, list)| whole(follower, case, &header, list)).transpose());
    with_events.collect()
}

type Proved = Option<(Case, Header, EventList)>;

/// The leaves of several cases, in few questions, and of the events what a node gives with them.
fn proved(follower: &mut Follower, ids: &[CaseId], events: bool) -> Result<Vec<Proved>, Failure> {
    let mut found = Vec::with_capacity(ids.len());
    while let Some(rest) = ids.get(found.len()..).filter(|rest| !rest.is_empty()) {
        let asked = &rest[..rest.len().min(CASES_PROVED_MAX)];
        let question = CasesQuestion { cases: asked.to_vec(), events };
        found.extend(follower.ask(|follower, node| {
            let answer = node.cases_proved(&question)?;
            if answer.cases.is_empty() || answer.cases.len() > asked.len() {
                return Err(node.malformed("other cases than asked for").into());
            }
            let header = follower.believed(node, &answer.certified)?;
            let read = asked.iter().zip(&answer.cases).map(|(id, proved)| {
                let case: Option<Case> = state_leaf(node, &proved.leaf, &header, &case_key(id))?;
                let Some(case) = case else { return Ok(None) };
                let mut list = EventList::of(&case);
                if events {
                    push(node, &mut list, &header.header, &proved.events)?;
                }
                Ok(Some((case, header.header.clone(), list)))
            });
            read.collect::<Result<Vec<Proved>, FollowError>>()
        })?);
    }
    Ok(found)
}

/// Takes what a node says comes next; nothing more of it is no answer.
fn push(
    node: &NodeClient,
    list: &mut EventList,
    header: &Header,
    records: &[impl std::ops::Deref<Target = [u8]>],
) -> Result<(), FollowError> {
    let before = list.wanted();
    for bytes in records {
        if list.is_whole() {
            break;
        }
        let proved: ProvedRecord = codec::decode(bytes, PROVED_BYTES_MAX).map_err(|error| node.malformed(error))?;
        list.push(header, &proved).map_err(|error| node.malformed(error))?;
    }
    match before.is_some() && list.wanted() == before {
        true => Err(node.malformed("no events where there are some").into()),
        false => Ok(()),
    }
}

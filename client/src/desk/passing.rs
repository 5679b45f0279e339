//! What a step passes on to the bureaus of later steps: made by the deciding bureau, read by theirs.

use std::collections::BTreeMap;

use kanhe_proto::api::CaseFileState;
use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::case::Case;
use kanhe_proto::case_file::{Author, BoundFile, CASE_FILE_VERSION, CaseFile, CaseFileError, NamedValue};
use kanhe_proto::hash::{CaseId, ChainId};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::item::{Item, PartName};
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::registry::{KeyRole, ServiceItem};
use kanhe_proto::sd_jwt::json;
use serde_json::{Map, Value};

use super::row::{Fault, OnWay, Row, RowKey};
use crate::clock;
use crate::follow::Follower;
use crate::governance::keys;
use crate::issuer::Office;
use crate::node::{NodeClient, NodeError};
use crate::rules::Made;
use crate::talk::{ExitCode, Failure};

/// Places of the bureaus that decide steps which need this one directly.
pub(super) fn recipients(item: &ServiceItem, step: u8) -> Vec<u8> {
    let mut places: Vec<u8> =
        item.steps.iter().filter(|later| later.needs.contains(&step)).map(|later| later.by).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// The files, each with fresh random bytes; none if there is nothing to pass or nobody to pass it to.
pub(super) fn files(
    item: &ServiceItem,
    case: &Case,
    chain: ChainId,
    key: &RowKey,
    passes: &BTreeMap<String, Made>,
) -> Result<Vec<(u8, BoundFile)>, Failure> {
    let values = values(passes);
    let by = item.steps.get(usize::from(key.step)).map(|step| step.by);
    let (false, Some(place)) = (values.is_empty(), by) else { return Ok(Vec::new()) };
    let wrong = |error: &dyn std::fmt::Display| Failure::reported(ExitCode::Failure, "case_file_not_made", error);
    let mut made = Vec::new();
    for to in recipients(item, key.step) {
        let Some(recipient) = case.chosen.get(usize::from(to)) else { continue };
        let file = CaseFile {
            version: CASE_FILE_VERSION,
            chain,
            case: key.case,
            to: *recipient,
            from: Author::Bureau { place, step: key.step },
            round: key.round,
            values: List::new(values.clone()).map_err(|error| wrong(&error))?,
            presentation: Blob::new([]).expect("nothing is within any limit"),
            applications: List::empty(),
            attachments: List::empty(),
            mandate: None,
            helped: None,
        };
        made.push((to, file.bind(clock::random()?).map_err(|error| wrong(&error))?));
    }
    Ok(made)
}

/// Ascending by name, as maps are. What could not be made is left out: a rule that needs it leaves its step to an officer.
fn values(passes: &BTreeMap<String, Made>) -> Vec<NamedValue> {
    let json = |made: &Made| match made {
        Made::Text(text) => Some(Value::from(text.as_str())),
        Made::Whole(whole) => Some(Value::from(*whole)),
        Made::Truth(truth) => Some(Value::from(*truth)),
        Made::Unknown(_) => None,
    };
    let named = passes.iter().filter_map(|(name, made)| {
        Some(NamedValue { name: Text::new(name.as_str()).ok()?, value: Text::new(json(made)?.to_string()).ok()? })
    });
    named.collect()
}

/// What a file of another bureau passes, by the step's name; what the step does not pass is a fault.
pub(super) fn read(item: &Item, step: u8, file: &CaseFile) -> (PartName, Map<String, Value>, Vec<Fault>) {
    let (mut found, mut faults) = (Map::new(), Vec::new());
    let Some(step) = item.step.get(usize::from(step)) else {
        return (Text::new("").expect("short"), found, faults);
    };
    let nothing_else = file.presentation.is_empty() && file.applications.is_empty() && file.attachments.is_empty();
    if !nothing_else {
        faults.push(Fault::of("passed_wrong", None, step.code.as_str()));
    }
    for value in &file.values {
        let named = step.passes.contains_key(&value.name);
        let plain = json::parse(value.value.as_bytes())
            .ok()
            .filter(|value| value.is_string() || value.is_boolean() || value.as_i64().is_some());
        match plain.filter(|_| named) {
            Some(value_of) => {
                found.insert(value.name.to_string(), value_of);
            }
            None => faults.push(Fault::of("passed_wrong", None, format!("{}.{}", step.code, value.name))),
        }
    }
    (step.code.clone(), found, faults)
}

/// Keys of recipients that were read a moment ago.
#[derive(Debug, Default)]
pub(super) struct SealingKeys(BTreeMap<Uscc, PublicKey>);

/// Seals a file to its recipient and signs its parts, with the key that signs the decision: the chain names that one, and no
/// other's version is looked at. The same parts are sent until they are there.
pub(super) fn seal(
    office: &Office,
    follower: &mut Follower,
    sealing: &mut SealingKeys,
    bytes: &[u8],
) -> Result<OnWay, Failure> {
    let wrong = |error: CaseFileError| Failure::reported(ExitCode::Failure, error.code(), error);
    let file = BoundFile::from_bytes(bytes.to_vec()).map_err(wrong)?;
    let (to, commitment) = (file.file().to, file.commitment());
    let key = match sealing.0.get(&to) {
        Some(key) => key.clone(),
        None => sealing.0.entry(to).or_insert(sealing_key(follower, &to)?).clone(),
    };
    let seeds = (0..file.parts()).map(|_| clock::random()).collect::<Result<Vec<[u8; 32]>, Failure>>()?;
    let sealed = file.seal(&office.key, &key, seeds.into_iter()).map_err(wrong)?;
    let parts = sealed.iter().map(|part| Blob::new(part.encode()).expect("a part is within its bound"));
    Ok(OnWay { to, commitment, parts: parts.collect() })
}

/// Has one node write all parts of a file.
pub(super) fn store(follower: &Follower, case: &CaseId, author: &KeyId, file: &OnWay) -> Result<(), Failure> {
    let mut last = NodeError::Unnamed.failure();
    for node in follower.nodes() {
        match bring(node, case, author, file) {
            Ok(_) => return Ok(()),
            Err(error) => last = error.failure(),
        }
    }
    Err(last)
}

/// What a row passed on and some node does not say that its recipient has it.
pub(super) fn not_there(follower: &Follower, row: &Row) -> Vec<OnWay> {
    let Some(author) = row.decision.as_ref().map(|decision| decision.key) else { return Vec::new() };
    let is_left = |file: &&OnWay| !bring_everywhere(follower, &row.key.case, &author, file);
    row.on_way().iter().filter(is_left).cloned().collect()
}

/// Brings a file to every node that does not have it, so that one which loses it, or does not tell the truth, keeps nobody
/// from getting it. Whether all of them say that the recipient has it.
fn bring_everywhere(follower: &Follower, case: &CaseId, author: &KeyId, file: &OnWay) -> bool {
    let brought = follower.nodes().iter().map(|node| bring(node, case, author, file));
    // Each is asked, whatever one of them says.
    let delivered: Vec<bool> = brought.map(|brought| brought.is_ok_and(|state| state.delivered)).collect();
    !delivered.is_empty() && delivered.iter().all(|delivered| *delivered)
}

fn bring(node: &NodeClient, case: &CaseId, author: &KeyId, file: &OnWay) -> Result<CaseFileState, NodeError> {
    let is_whole = |state: &CaseFileState| {
        usize::from(state.parts) == file.parts.len() && (state.delivered || state.stored >= state.parts)
    };
    let known = node.file_state(&file.to, case, &file.commitment, author);
    if let Some(known) = known.ok().filter(is_whole) {
        return Ok(known);
    }
    let mut last = None;
    for part in &file.parts {
        last = Some(node.send_file_part(part)?);
    }
    last.filter(is_whole).ok_or_else(|| node.malformed("not all parts are stored"))
}

/// The newest sealing key of a bureau, proved.
fn sealing_key(follower: &mut Follower, bureau: &Uscc) -> Result<PublicKey, Failure> {
    let listed = keys(follower, bureau)?;
    let newest = listed.lasting(KeyRole::Sealing).next_back();
    let none = || Failure::of(ExitCode::Failure, "no_sealing_key", &[("issuer", bureau)]);
    newest.map(|key| key.key.clone()).ok_or_else(none)
}

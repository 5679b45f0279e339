//! `kanhe audit`: what happened, proved to somebody who sees no content.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use kanhe_proto::case::CaseStatus;
use kanhe_proto::hash::CaseId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::registry::{Bureau, Names};
use schemars::JsonSchema;
use serde::Serialize;

use super::audit_log::{OfFile, OfLog};
use super::audit_ratings::OfRatings;
use super::case_show::by_clerk;
use super::show::clean;
use super::{Context, audit_log, audit_ratings, name};
use crate::audit::{Done, Fault, Finding, Signer, judge, keys_of};
use crate::case::{ClerkShown, Items, KnownItem, events};
use crate::clock;
use crate::follow::Follower;
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure, Table, moment, say, shape};

/// What happened on the chain, proved from the pinned genesis.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Proves each step of a case: who did it, with which key, under which rules, in time or late
    #[command(after_help = "Content is not needed and not shown: files and letters are known by commitments alone.\n\
        Exit code 4 if something is not as item and registry allow.")]
    Case(OfCase),
    /// Exports all records of the log between two blocks as JSON lines, proved complete
    #[command(after_help = "A node that leaves a record out or alters one is named, and another is asked.\n\
        With --issuer or --kind the others are proved as well and then left out: the file has their hashes.")]
    Log(OfLog),
    /// Checks an exported log again, without any node, against the pinned chain
    #[command(after_help = "Exit code 10: it is not what the chain has. 11: it cannot be told here.")]
    Verify(OfFile),
    /// How cases were rated and how long they took, by item and by bureau, counted from the proved log
    #[command(
        after_help = "The log is read from its beginning, for a case may have been opened long before it ended.\n\
        Each case counts once, by its end; a rating counts if its applicant gave it, once, after the end."
    )]
    Ratings(OfRatings),
}

/// Options of `audit case`.
#[derive(Debug, Args)]
pub struct OfCase {
    /// The case's id
    id: CaseId,
}

/// A case, audited.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CaseAudited {
    /// Its id.
    case: String,
    /// Code of its item.
    item: String,
    /// The item's version.
    version: u32,
    /// SHA-256 of the item's text, whose rules were compared.
    file: String,
    /// `open`, `closed`, `rejected`, `withdrawn` or `expired`.
    status: CaseStatusShown,
    /// Block under whose header all of it was proved.
    as_of_height: u64,
    /// Time of that block, in milliseconds since 1970.
    as_of_ms: u64,
    /// All events, the opening first.
    events: Vec<Event>,
    /// What is wrong with the case as the chain keeps it.
    faults: Vec<Fault>,
    /// Whether nothing is wrong.
    proved: bool,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum CaseStatusShown {
    Open,
    Closed,
    Rejected,
    Withdrawn,
    Expired,
}

impl From<CaseStatus> for CaseStatusShown {
    fn from(status: CaseStatus) -> Self {
        match status {
            CaseStatus::Open => Self::Open,
            CaseStatus::Closed => Self::Closed,
            CaseStatus::Rejected => Self::Rejected,
            CaseStatus::Withdrawn => Self::Withdrawn,
            CaseStatus::Expired => Self::Expired,
        }
    }
}

/// An event of a case.
#[derive(Debug, Serialize, JsonSchema)]
struct Event {
    /// Index of its record in the log.
    record: u64,
    /// Block.
    height: u64,
    /// Time of the block, in milliseconds since 1970.
    time_ms: u64,
    /// What.
    done: Done,
    /// Code of the step.
    step: Option<String>,
    /// Code of the party, if it was one.
    party: Option<String>,
    /// USCC of the bureau, if it was one.
    bureau: Option<String>,
    /// The bureau's names.
    #[schemars(with = "Option<shape::Names>")]
    bureau_names: Option<Names>,
    /// Id of the issuing key that signed.
    key: Option<String>,
    /// The clerk who did it for somebody without a wallet.
    clerk: Option<ClerkShown>,
    /// Whether rules alone decided.
    by_rules: Option<bool>,
    /// Whether it came after the step's time limit.
    late: bool,
    /// What is wrong.
    faults: Vec<Fault>,
}

/// Proves what it is asked for.
pub fn run(command: Audit, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        Audit::Case(options) => case(&options, context),
        Audit::Log(options) => audit_log::log(&options, context),
        Audit::Verify(options) => audit_log::verify(&options, context),
        Audit::Ratings(options) => audit_ratings::run(&options, context),
    }
}

fn case(options: &OfCase, context: &Context) -> Result<ExitCode, Failure> {
    let mut follower = context.follower()?;
    let unknown = || Failure::of(ExitCode::Refused, "case_not_there", &[("case", &options.id)]);
    let found = events(&mut follower, &options.id)?.ok_or_else(unknown)?;
    let known = Items::default().get(&mut follower, &found.case.item, found.case.version)?;
    let keys = keys_of(&mut follower, &known.public, &found.case.chosen, &found.events)?;
    let judged = judge(&follower.trust().chain, &known, &found.case, &keys, &found.events);
    let names = names_of(&mut follower, &found.case.chosen)?;
    let party_of = |slot: u8| {
        let slot = found.case.slots.get(usize::from(slot))?;
        known.public.parties.get(usize::from(slot.party)).map(|party| party.code.to_string())
    };
    let audited = CaseAudited {
        case: found.case.id.to_string(),
        item: found.case.item.to_string(),
        version: found.case.version.0,
        file: known.public.file.to_string(),
        status: found.case.status.into(),
        as_of_height: found.height.0,
        as_of_ms: found.time.0,
        events: judged.findings.iter().map(|finding| event(finding, &known, &names, party_of)).collect(),
        proved: judged.is_proved(),
        faults: judged.faults,
    };
    context.output.data(&audited, || told(&audited, &known))?;
    match audited.proved {
        true => Ok(ExitCode::Ok),
        false => Err(Failure::of(ExitCode::Refused, "audit_faults", &[("case", &audited.case)])),
    }
}

fn names_of(follower: &mut Follower, bureaus: &[Uscc]) -> Result<BTreeMap<Uscc, Names>, Failure> {
    let mut names = BTreeMap::new();
    for bureau in bureaus {
        let found = follower.registry::<Bureau>(bureau, |node: &NodeClient| node.bureau(bureau))?;
        if let Some(found) = found.value {
            names.insert(*bureau, found.names);
        }
    }
    Ok(names)
}

fn event(
    finding: &Finding,
    known: &KnownItem,
    names: &BTreeMap<Uscc, Names>,
    party_of: impl Fn(u8) -> Option<String>,
) -> Event {
    let step = finding.step.and_then(|step| known.public.steps.get(usize::from(step)));
    let (party, bureau) = match &finding.signer {
        Signer::Slot(slot) => (party_of(*slot), None),
        Signer::Bureau(uscc, key) => (None, Some((*uscc, *key))),
        Signer::Time => (None, None),
    };
    Event {
        record: finding.index.0,
        height: finding.height.0,
        time_ms: finding.time.0,
        done: finding.done,
        step: step.map(|step| step.code.to_string()),
        party,
        bureau: bureau.map(|(uscc, _)| uscc.to_string()),
        bureau_names: bureau.and_then(|(uscc, _)| names.get(&uscc).cloned()),
        key: bureau.map(|(_, key)| key.to_string()),
        clerk: finding.clerk.clone().map(ClerkShown::from),
        by_rules: finding.by_rules,
        late: finding.late,
        faults: finding.faults.clone(),
    }
}

/// The name of a variant as JSON has it.
fn code_of<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn told(audited: &CaseAudited, known: &KnownItem) -> String {
    let now = clock::now().0;
    let words = |part: &str, code: &str| say(&format!("audit.{part}.{code}"), &[]);
    let columns = ["time", "record", "done", "step", "by", "proof"].map(|column| words("column", column));
    let mut table = Table::new(&columns);
    for event in &audited.events {
        let step = known.item.step.iter().find(|step| event.step.as_deref() == Some(step.code.as_str()));
        let party = known.item.party.iter().find(|party| event.party.as_deref() == Some(party.code.as_str()));
        let mut by = match (&event.bureau_names, &event.bureau, party) {
            (Some(names), ..) => clean(name(names)),
            (None, Some(bureau), _) => bureau.clone(),
            (None, None, Some(party)) => clean(name(&party.names)),
            (None, None, None) => words("by", "time"),
        };
        by.extend(event.clerk.iter().map(by_clerk));
        let how = match event.by_rules {
            Some(true) => words("by", "rules"),
            Some(false) => words("by", "officer"),
            None => String::new(),
        };
        let mut proof: Vec<String> = event.faults.iter().map(|fault| words("fault", &code_of(fault))).collect();
        if proof.is_empty() {
            proof.push(words("proof", "good"));
        }
        if event.late {
            proof.push(words("proof", "late"));
        }
        table.row(&[
            moment(event.time_ms, now),
            event.record.to_string(),
            words("done", &code_of(&event.done)) + &how,
            step.map_or_else(String::new, |step| clean(name(&step.names))),
            by,
            proof.join("; "),
        ]);
    }
    let args: &[(&str, &dyn std::fmt::Display)] = &[
        ("case", &audited.case),
        ("item", &clean(name(&known.public.names))),
        ("version", &audited.version),
        ("status", &words("status", &code_of(&audited.status))),
        ("height", &audited.as_of_height),
    ];
    let end = if audited.proved { "audit.proved" } else { "audit.not_proved" };
    let mut lines = vec![say("audit.head", args), table.to_string()];
    lines.extend(audited.faults.iter().map(|fault| words("fault", &code_of(fault))));
    lines.push(say(end, &[("count", &audited.events.len())]));
    lines.join("\n")
}

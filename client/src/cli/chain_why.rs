//! `kanhe chain status --why`: who is missing, what blocks, what helps, as several nodes see it.

use std::collections::BTreeSet;
use std::thread;

use kanhe_proto::diagnosis::{
    BureauSeen, Diagnosis, Finding, Missing, Presence, Role, Severity, Told, ValidatorSeen, together, why_of,
};
use kanhe_proto::validators::Address;
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use crate::clock;
use crate::node::{NodeClient, NodeError};
use crate::talk::{ExitCode, Failure, Lang, Table, age, moment, say};

/// Nodes asked at most.
const NODES_MAX: usize = 64;

/// A node that was asked.
#[derive(Debug, Serialize, JsonSchema)]
struct Asked {
    /// Its URL.
    url: String,
    /// Its name; null if it gave no answer.
    name: Option<String>,
    /// Height of its newest block.
    height: Option<u64>,
    /// Version of its software.
    version: Option<String>,
    /// `validator`, `not_seated` or `observer`.
    role: Option<String>,
    /// Why there is no answer.
    error: Option<String>,
}

/// A validator of the current set.
#[derive(Debug, Serialize, JsonSchema)]
struct Validator {
    /// Its address.
    address: String,
    /// Its bureau.
    bureau: Option<String>,
    /// The bureau's name in the language in use.
    name: String,
    /// Its power.
    power: u64,
    /// `present`, `mute` (connected, does not vote), `silenced` (its guard signs nothing) or `away`.
    presence: String,
    /// The last height that it signed, as committed in blocks.
    last_signed: Option<u64>,
    /// Time of that block, in milliseconds since 1970.
    last_signed_ms: Option<u64>,
    /// Connected to the engine of a node that was asked, or itself asked.
    on_engine: bool,
    /// Connected to the swarm of a node that was asked.
    on_network: bool,
    /// The highest tip that it announced.
    tip: Option<u64>,
    /// Height of its last vote that was heard.
    vote_height: Option<u64>,
    /// How long ago that was, in milliseconds.
    vote_ago_ms: Option<u64>,
}

/// A validator that is missing.
#[derive(Debug, Serialize, JsonSchema)]
struct MissingShown {
    /// Its address.
    address: String,
    /// Its bureau.
    bureau: Option<String>,
    /// The bureau's name in the language in use.
    name: String,
    /// Its power.
    power: u64,
    /// How it is missing: `mute`, `silenced` or `away`.
    presence: String,
    /// The last height that it signed.
    since_height: Option<u64>,
    /// Time of that block, in milliseconds since 1970.
    since_ms: Option<u64>,
}

/// One thing that was found.
#[derive(Debug, Serialize, JsonSchema)]
struct Found {
    /// Stable code.
    code: String,
    /// `blocks`, `warns` or `informs`.
    severity: String,
    /// Name of the node that it is about; null if it is about the chain.
    node: Option<String>,
    /// What is so, in the language in use.
    text: String,
    /// What to do.
    hint: Option<String>,
    /// Who is missing.
    missing: Vec<MissingShown>,
    /// Power that lacks for a decision.
    power_missing: Option<u64>,
    /// Smallest groups of the missing that would be enough, each by itself, as addresses of validators.
    unblock: Vec<Vec<String>>,
}

/// Why the chain stands still, or that it does not: the word of the nodes that answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WhyShown {
    /// Always true.
    unproven: bool,
    /// The chain as in DIDs.
    chain: String,
    /// The highest newest block.
    height: u64,
    /// Its time, in milliseconds since 1970.
    time_ms: u64,
    /// The chain does not go on as it should.
    stands: bool,
    /// Power of the validators that are there.
    power_present: u64,
    /// Least power that decides.
    power_needed: u64,
    /// All power of the set.
    power_total: u64,
    /// The nodes that were asked.
    nodes: Vec<Asked>,
    /// The current set.
    validators: Vec<Validator>,
    /// What was found, worst first.
    findings: Vec<Found>,
}

fn pick(told: &Told) -> String {
    match Lang::current() {
        Lang::Zh => told.zh.clone(),
        Lang::En => told.en.clone(),
    }
}

fn name(bureau: Option<&BureauSeen>, address: &Address) -> String {
    let known = bureau.map(|bureau| match Lang::current() {
        Lang::Zh => bureau.zh.clone(),
        Lang::En => bureau.en.clone(),
    });
    known.filter(|name| !name.is_empty()).unwrap_or_else(|| address.to_string())
}

fn presence_code(presence: Presence) -> String {
    let code = match presence {
        Presence::Present => "present",
        Presence::Mute => "mute",
        Presence::Silenced => "silenced",
        Presence::Away => "away",
    };
    code.to_owned()
}

impl Validator {
    fn of(seen: &ValidatorSeen, whole: &Diagnosis) -> Self {
        Self {
            address: seen.address.to_string(),
            bureau: seen.bureau.as_ref().map(|bureau| bureau.uscc.to_string()),
            name: name(seen.bureau.as_ref(), &seen.address),
            power: seen.power,
            presence: presence_code(whole.presence(seen)),
            last_signed: seen.last_signed,
            last_signed_ms: seen.last_signed_ms,
            on_engine: seen.on_engine || seen.own,
            on_network: seen.on_network || seen.own,
            tip: seen.tip,
            vote_height: seen.last_vote.map(|vote| vote.height),
            vote_ago_ms: seen.last_vote.map(|vote| vote.ago_ms),
        }
    }
}

impl MissingShown {
    fn of(missing: &Missing) -> Self {
        Self {
            address: missing.address.to_string(),
            bureau: missing.bureau.as_ref().map(|bureau| bureau.uscc.to_string()),
            name: name(missing.bureau.as_ref(), &missing.address),
            power: missing.power,
            presence: presence_code(missing.presence),
            since_height: missing.since_height,
            since_ms: missing.since_ms,
        }
    }
}

impl Found {
    fn of(finding: &Finding) -> Self {
        let severity = match finding.severity {
            Severity::Blocks => "blocks",
            Severity::Warns => "warns",
            Severity::Informs => "informs",
        };
        Self {
            code: finding.code.as_str().to_owned(),
            severity: severity.to_owned(),
            node: finding.node.clone(),
            text: pick(&finding.text),
            hint: finding.hint.as_ref().map(pick),
            missing: finding.missing.iter().map(MissingShown::of).collect(),
            power_missing: finding.power_missing,
            unblock: finding.unblock.iter().map(|group| group.iter().map(ToString::to_string).collect()).collect(),
        }
    }
}

/// The nodes named now and those that the home knows, each once.
fn nodes(context: &Context) -> Result<Vec<NodeClient>, Failure> {
    let mut seen = BTreeSet::new();
    let urls = context.named().iter().cloned().chain(context.home.nodes()?);
    let nodes = urls.map(|url| NodeClient::new(&url)).filter(|node| seen.insert(node.url().to_owned()));
    Ok(nodes.take(NODES_MAX).collect())
}

/// Asks all at once: those that are gone take their time.
fn ask(nodes: &[NodeClient]) -> Vec<Result<Diagnosis, NodeError>> {
    thread::scope(|scope| {
        let asked: Vec<_> = nodes.iter().map(|node| scope.spawn(move || node.diagnosis())).collect();
        let answers = asked.into_iter().map(|asked| asked.join());
        answers.map(|answer| answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// Says why the chain stands still, or that it does not.
pub fn run(context: &Context) -> Result<ExitCode, Failure> {
    let nodes = nodes(context)?;
    if nodes.is_empty() {
        return Err(NodeError::Unnamed.failure());
    }
    let pinned = context.home.trust_if_pinned()?.map(|trust| trust.chain.chain_id.to_string());
    let (mut asked, mut answers, mut first) = (Vec::new(), Vec::new(), None);
    for (node, answer) in nodes.iter().zip(ask(&nodes)) {
        let url = node.url().to_owned();
        let other = |seen: &Diagnosis| pinned.as_ref().is_some_and(|pinned| *pinned != seen.chain_id);
        match answer {
            Ok(seen) if other(&seen) => {
                let error = Some(say("why.other_chain", &[("chain", &seen.chain)]));
                asked.push(Asked { url, name: Some(seen.name), height: None, version: None, role: None, error });
            }
            Ok(seen) => {
                let role = match seen.role {
                    Role::Validator => "validator",
                    Role::NotSeated => "not_seated",
                    Role::Observer => "observer",
                };
                asked.push(Asked {
                    url,
                    name: Some(seen.name.clone()),
                    height: Some(seen.height),
                    version: Some(seen.version.clone()),
                    role: Some(role.to_owned()),
                    error: None,
                });
                answers.push(seen);
            }
            Err(error) => {
                asked.push(Asked {
                    url,
                    name: None,
                    height: None,
                    version: None,
                    role: None,
                    error: Some(error.to_string()),
                });
                first.get_or_insert(error);
            }
        }
    }
    let Some(whole) = together(&answers) else {
        let cause = first.map(|error| error.to_string()).unwrap_or_default();
        return Err(Failure::of(ExitCode::Unreachable, "why_no_answer", &[("count", &nodes.len()), ("cause", &cause)]));
    };
    let shown = WhyShown {
        unproven: true,
        chain: whole.chain.clone(),
        height: whole.height,
        time_ms: whole.time_ms,
        stands: whole.stands(),
        power_present: whole.present(),
        power_needed: whole.power_needed,
        power_total: whole.power_total,
        nodes: asked,
        validators: whole.validators.iter().map(|seen| Validator::of(seen, &whole)).collect(),
        findings: why_of(&answers).iter().map(Found::of).collect(),
    };
    context.output.data(&shown, || text(&shown))?;
    Ok(ExitCode::Ok)
}

fn text(shown: &WhyShown) -> String {
    let now = clock::now().0;
    let time = moment(shown.time_ms, now);
    let mut lines = vec![
        say("why.head", &[("chain", &shown.chain), ("height", &shown.height), ("time", &time)]),
        say(
            "why.power",
            &[("present", &shown.power_present), ("total", &shown.power_total), ("needed", &shown.power_needed)],
        ),
    ];
    let mut table = Table::new(&[
        say("why.column_validator", &[]),
        say("why.column_power", &[]),
        say("why.column_presence", &[]),
        say("why.column_signed", &[]),
        say("why.column_vote", &[]),
        say("why.column_tip", &[]),
    ]);
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    for validator in &shown.validators {
        let presence = match validator.presence.as_str() {
            "present" => say("why.present", &[]),
            "mute" => say("why.mute", &[]),
            "silenced" => say("why.silenced", &[]),
            _ => say("why.away", &[]),
        };
        let signed = match (validator.last_signed, validator.last_signed_ms) {
            (Some(height), Some(at)) => format!("{height}, {}", age(at, now)),
            _ => "-".to_owned(),
        };
        let vote = validator.vote_ago_ms.map_or_else(|| "-".to_owned(), |ago| age(now.saturating_sub(ago), now));
        table.row(&[
            validator.name.clone(),
            validator.power.to_string(),
            presence,
            signed,
            vote,
            number(validator.tip),
        ]);
    }
    lines.push(table.to_string());
    for finding in &shown.findings {
        let mark = match finding.severity.as_str() {
            "blocks" => say("why.blocks", &[]),
            "warns" => say("why.warns", &[]),
            _ => say("why.informs", &[]),
        };
        let node = finding.node.as_ref().map(|node| format!("[{node}] ")).unwrap_or_default();
        lines.push(format!("{mark} {}: {node}{}", finding.code, finding.text));
        lines.extend(finding.hint.as_ref().map(|hint| format!("  {}", say("why.hint", &[("hint", hint)]))));
    }
    for node in shown.nodes.iter().filter(|node| node.error.is_some()) {
        let cause = node.error.as_deref().unwrap_or_default();
        lines.push(say("status.node_away", &[("url", &node.url), ("cause", &cause)]));
    }
    lines.push(say("why.unproven", &[]));
    lines.join("\n")
}

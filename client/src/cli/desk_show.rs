//! `kanhe desk show`: all that an officer needs to decide.

use std::path::{Path, PathBuf};

use clap::Args;
use kanhe_proto::case_file::BoundFile;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::desk::{self, Which, fault, outcome, why};
use super::show::{clean, value};
use super::{Context, name};
use crate::clock;
use crate::desk::{Row, RuleSeen, State, VerdictSeen, fetch_opened};
use crate::home;
use crate::issuer::Office;
use crate::rules::Holds;
use crate::talk::{ExitCode, Failure, Lang, moment, say, shape};

/// Options of `desk show`.
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    which: Which,
    /// Writes the attachments to a folder; they are fetched from the bureau's node
    #[arg(long, value_name = "DIR", requires_all = ["key", "sealing_key"])]
    save: Option<PathBuf>,
    /// File of the issuing key, to fetch attachments with
    #[arg(long, value_name = "KEYFILE")]
    key: Option<PathBuf>,
    /// The bureau, if its key was registered after genesis
    #[arg(long = "as", value_name = "USCC")]
    issuer: Option<kanhe_proto::identifiers::Uscc>,
    /// File of the sealing key, to open attachments with; again for older ones
    #[arg(long, value_name = "KEYFILE")]
    sealing_key: Vec<PathBuf>,
}

/// A step as an officer sees it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Shown {
    /// The case.
    case: String,
    /// The item.
    item: String,
    /// Its version.
    version: u32,
    /// Its name.
    #[schemars(with = "shape::Names")]
    item_names: kanhe_proto::registry::Names,
    /// The step's name in the item.
    step: String,
    /// As people say.
    #[schemars(with = "shape::Names")]
    step_names: kanhe_proto::registry::Names,
    /// The step's round.
    round: u32,
    /// How far it is.
    state: State,
    /// Since when it is the bureau's turn, in milliseconds since 1970.
    since_ms: u64,
    /// By when it is to be decided.
    due_ms: Option<u64>,
    /// What the rules see: what was given, what evidence says of it, the form, and what other steps pass.
    input: Map<String, Value>,
    /// What each licence is worth.
    verdicts: Vec<VerdictSeen>,
    /// What each rule says.
    rules: Vec<RuleShown>,
    /// Papers.
    attachments: Vec<AttachmentShown>,
    /// Why it waits.
    why: Vec<desk::Why>,
    /// Reasons that a rejection or a return may have.
    reasons: Vec<String>,
    /// Whether it can be returned.
    can_return: bool,
    /// Licences that come of it, if it is approved.
    yields: Vec<YieldShown>,
    /// What was decided, and by whom.
    decided: Option<DecidedShown>,
}

/// What a rule says.
#[derive(Debug, Serialize, JsonSchema)]
struct RuleShown {
    /// Its code.
    code: String,
    /// `yes`, `no` or `unknown`.
    holds: &'static str,
    /// Why it could not be evaluated.
    reason: Option<String>,
    /// What the applicant is told if it does not hold.
    say: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct AttachmentShown {
    /// Who handed it in.
    party: String,
    /// Which of the item's.
    code: String,
    /// Its file's name.
    name: String,
    /// Its size in bytes.
    bytes: u64,
    /// Where it was written to.
    saved: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct YieldShown {
    /// Its name in the item.
    code: String,
    /// Type and version.
    vct: String,
    /// Its claims.
    claims: Map<String, Value>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct DecidedShown {
    /// What.
    #[schemars(with = "shape::Decided")]
    outcome: kanhe_proto::case::Outcome,
    /// Why not.
    reason: Option<String>,
    /// In the officer's own words, as the letter says it.
    words: Option<String>,
    /// The officer's number; nothing: by rules.
    officer: Option<String>,
    /// Place of its record in the chain's log, once that is proved.
    record: Option<u64>,
}

/// Shows a step.
pub fn run(options: &Show, context: &Context) -> Result<ExitCode, Failure> {
    let register = desk::open(context)?;
    let row = desk::which(&register, &options.which)?;
    drop(register);
    let mut shown = shown(&row);
    if let (Some(folder), Some(key)) = (&options.save, &options.key) {
        let passphrase = context.passphrase.existing()?;
        let genesis = context.home.genesis()?;
        let mut follower = context.follower()?;
        let office = Office::open(&genesis, &mut follower, key, options.issuer, &passphrase)?;
        let office = office.with_sealing(&options.sealing_key, &passphrase)?;
        save(&row, &office, follower.nodes(), folder, &mut shown)?;
    }
    context.output.data(&shown, || text(&shown, &row))?;
    Ok(ExitCode::Ok)
}

/// Writes each attachment under its party's slot, so that two of one name do not meet.
fn save(
    row: &Row,
    office: &Office,
    nodes: &[crate::node::NodeClient],
    folder: &Path,
    shown: &mut Shown,
) -> Result<(), Failure> {
    let seen = row.checked.iter().flat_map(|checked| &checked.attachments);
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::of(ExitCode::Failure, "file_not_written", &[("path", &folder.display()), ("cause", &error)])
    })?;
    let mut last: Option<BoundFile> = None;
    for (seen, shown) in seen.zip(&mut shown.attachments) {
        if last.as_ref().is_none_or(|last| last.commitment() != seen.file) {
            last = match &seen.author {
                Some(author) => fetch_opened(office, nodes, &row.key.case, (&seen.file, author))?,
                None => None,
            };
        }
        let file =
            last.as_ref().ok_or_else(|| Failure::of(ExitCode::Failure, "desk_file_gone", &[("name", &seen.name)]))?;
        let content = file.file().attachments.iter().find(|known| known.name.as_str() == seen.name);
        // A case file has no names that are paths.
        let Some(content) = content else { continue };
        let path = folder.join(format!("{}-{}-{}", seen.party, seen.slot, seen.name));
        home::write_private(&path, &content.content)?;
        shown.saved = Some(path.display().to_string());
    }
    Ok(())
}

fn shown(row: &Row) -> Shown {
    let checked = row.checked.as_deref();
    let attachments = checked.iter().flat_map(|checked| &checked.attachments).map(|seen| AttachmentShown {
        party: seen.party.clone(),
        code: seen.code.clone(),
        name: seen.name.clone(),
        bytes: seen.bytes,
        saved: None,
    });
    let yields = checked.iter().flat_map(|checked| &checked.yields).map(|granted| YieldShown {
        code: granted.code.to_string(),
        vct: granted.grant.vct.to_string(),
        claims: granted.grant.claims.clone(),
    });
    Shown {
        case: row.key.case.to_string(),
        item: row.item.to_string(),
        version: row.version.0,
        item_names: row.item_names.clone(),
        step: row.step_code.to_string(),
        step_names: row.step_names.clone(),
        round: row.key.round,
        state: row.state,
        since_ms: row.since.0,
        due_ms: row.due.map(|due| due.0),
        input: checked.map(|checked| checked.input.clone()).unwrap_or_default(),
        verdicts: checked.map(|checked| checked.verdicts.clone()).unwrap_or_default(),
        rules: checked.iter().flat_map(|checked| &checked.rules).map(rule).collect(),
        attachments: attachments.collect(),
        why: why(row).into_iter().map(|(code, message)| desk::Why { code, message }).collect(),
        reasons: crate::desk::reasons(row),
        can_return: row.can_return,
        yields: yields.collect(),
        decided: decided(row),
    }
}

fn decided(row: &Row) -> Option<DecidedShown> {
    let (outcome, reason) = match (&row.decision, &row.ruling) {
        (Some(decision), _) => (decision.outcome, decision.reason.clone()),
        (None, Some(ruling)) => (ruling.outcome, ruling.reason.clone()),
        (None, None) => return None,
    };
    Some(DecidedShown {
        outcome,
        reason: reason.map(|reason| reason.to_string()),
        words: row.ruling.as_ref().and_then(|ruling| ruling.words.clone()),
        officer: row.ruling.as_ref().map(|ruling| ruling.officer.clone()),
        record: row.recorded.map(|index| index.0),
    })
}

fn rule(seen: &RuleSeen) -> RuleShown {
    let (holds, reason) = match &seen.holds {
        Holds::Yes => ("yes", None),
        Holds::No => ("no", None),
        Holds::Unknown(reason) => ("unknown", Some(reason.clone())),
    };
    let words = if Lang::current() == Lang::Zh { &seen.say.zh } else { &seen.say.en };
    RuleShown { code: seen.code.to_string(), holds, reason, say: words.to_string() }
}

fn text(shown: &Shown, row: &Row) -> String {
    let state = say(&format!("desk.state.{}", desk::state(shown.state)), &[]);
    let (item, step) = (clean(name(&shown.item_names)), clean(name(&shown.step_names)));
    let mut lines =
        vec![shown.case.clone(), format!("{item} ({}:{}), {step} [{}]", shown.item, shown.version, shown.step)];
    let now = clock::now();
    let due = shown.due_ms.filter(|_| row.is_open()).map(|due| say("desk.due", &[("time", &moment(due, now.0))]));
    lines.push(format!("{state}{}", due.map_or_else(String::new, |due| format!(", {due}"))));
    lines.extend(shown.why.iter().map(|why| format!("  ! {}", clean(&why.message))));
    for (group, members) in
        ["given", "mandate", "form", "passed", "read"].iter().filter_map(|name| Some((*name, shown.input.get(*name)?)))
    {
        see(group, members, &mut lines);
    }
    if !shown.verdicts.is_empty() {
        lines.push(say("desk.group.verdicts", &[]));
    }
    for seen in &shown.verdicts {
        let mark = if seen.outcome == kanhe_proto::verdict::Outcome::Valid { "✓" } else { "✗" };
        lines.push(format!("  {mark} {}.{} ({})", clean(&seen.party), clean(&seen.ask), clean(&seen.code)));
    }
    if !shown.rules.is_empty() {
        lines.push(say("desk.group.rules", &[]));
    }
    for rule in &shown.rules {
        let mark = match rule.holds {
            "yes" => "✓",
            "no" => "✗",
            _ => "?",
        };
        let reason = rule.reason.as_ref().map_or_else(String::new, |reason| format!(" — {}", clean(reason)));
        lines.push(format!("  {mark} {}: {}{reason}", rule.code, clean(&rule.say)));
    }
    if !shown.attachments.is_empty() {
        lines.push(say("desk.group.attachments", &[]));
    }
    for attachment in &shown.attachments {
        let place = attachment.saved.as_ref().map_or_else(String::new, |path| format!(" → {}", clean(path)));
        lines.push(format!(
            "  {} [{}] {} B{place}",
            clean(&attachment.name),
            clean(&attachment.party),
            attachment.bytes
        ));
    }
    for given in &shown.yields {
        lines.push(say("desk.yields", &[("code", &given.code), ("type", &given.vct)]));
        lines.extend(given.claims.iter().map(|(claim, of)| format!("  {}: {}", clean(claim), value(of))));
    }
    if let Some(decided) = &shown.decided {
        let by = decided.officer.as_ref().map_or_else(|| say("desk.by_rules", &[]), |officer| clean(officer));
        let reason = decided.reason.as_ref().map_or_else(String::new, |reason| format!(" ({})", fault(reason)));
        lines.push(say("desk.decided", &[("outcome", &outcome(decided.outcome)), ("by", &by), ("reason", &reason)]));
        lines.extend(decided.words.iter().flat_map(|words| words.lines()).map(|line| format!("  │ {}", clean(line))));
    } else if row.is_open() {
        lines.push(say("desk.next", &[("case", &desk_short(&shown.case)), ("reasons", &shown.reasons.join(", "))]));
    }
    lines.join("\n")
}

fn desk_short(case: &str) -> String {
    super::desk_run::short(case).to_owned()
}

/// One level of names, and what is under them on one line each.
fn see(group: &str, members: &Value, lines: &mut Vec<String>) {
    let Some(members) = members.as_object().filter(|members| !members.is_empty()) else { return };
    lines.push(say(&format!("desk.group.{group}"), &[]));
    for (name, of) in members {
        match of.as_object() {
            Some(inner) => {
                lines.extend(
                    inner.iter().map(|(claim, of)| format!("  {}.{}: {}", clean(name), clean(claim), value(of))),
                );
            }
            None => lines.push(format!("  {}: {}", clean(name), value(of))),
        }
    }
}

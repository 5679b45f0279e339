//! `kanhe desk`: the bureau's desk, and its officers.

use clap::{Args, Subcommand};
use kanhe_proto::case::Outcome;
use schemars::JsonSchema;
use serde::Serialize;

use super::desk_run::{self, short};
use super::desk_show::{self, Show};
use super::show::clean;
use super::{Context, name};
use crate::clock;
use crate::desk::{self as library, Row, RowKey, State};
use crate::issuer::Register;
use crate::talk::{ExitCode, Failure, Table, age, find, say, shape};

/// The bureau's desk.
#[derive(Debug, Subcommand)]
pub enum DeskCommand {
    /// The bureau's running process: verifies what is presented in cases, decides what rules decide, issues what comes of
    /// it, and answers holders who collect
    Run(desk_run::Run),
    /// Lists the steps that wait for an officer, those that are overdue first
    List(List),
    /// Shows a step: what was given, what it is worth, what each rule says, and why it waits
    Show(Show),
    /// Approves a step
    Approve(Rule),
    /// Rejects a step, which ends the case
    Reject(Because),
    /// Returns a step: those whom it waits for present anew
    Return(Because),
}

/// Options of `desk list`.
#[derive(Debug, Args)]
pub struct List {
    /// All steps that were ever here, with what became of them
    #[arg(long)]
    all: bool,
}

/// Which step.
#[derive(Debug, Args)]
pub struct Which {
    /// The case's id, or its beginning
    #[arg(value_name = "CASE")]
    case: String,
    /// The step's name in the item, if several of the case are here
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
}

/// Options of `desk approve`.
#[derive(Debug, Args)]
pub struct Rule {
    #[command(flatten)]
    which: Which,
    /// The bureau's own number of the officer who decides; the chain gets a commitment to it
    #[arg(long, env = "KANHE_OFFICER", value_name = "NUMBER")]
    officer: String,
}

/// Options of `desk reject` and `desk return`.
#[derive(Debug, Args)]
pub struct Because {
    #[command(flatten)]
    rule: Rule,
    /// Why: the code of one of the step's rules, or file_wrong, presentation_not_valid, mandate_not_valid, form_not_complete, not_entitled, other
    #[arg(long, value_name = "CODE")]
    reason: String,
    /// In your own words, at most 2,000 characters: a letter that only those can read whom the step waits for
    #[arg(long, value_name = "TEXT")]
    words: Option<String>,
}

/// A step in the list.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Line {
    /// The case.
    case: String,
    /// The item.
    item: String,
    /// Its version.
    version: u32,
    /// The step's name in the item.
    step: String,
    /// As people say.
    #[schemars(with = "shape::Names")]
    names: kanhe_proto::registry::Names,
    /// The step's round.
    round: u32,
    /// How far it is.
    state: State,
    /// By when it is to be decided, in milliseconds since 1970.
    due_ms: Option<u64>,
    /// Whether that is over, by this machine's clock.
    overdue: bool,
    /// Whether an officer has decided, and it is still to be sent.
    ruled: bool,
    /// Why it waits.
    why: Vec<Why>,
}

/// Why a step waits.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Why {
    /// Stable code.
    pub(super) code: String,
    /// In words.
    pub(super) message: String,
}

/// What an officer's command kept.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Ruled {
    /// The case.
    case: String,
    /// The step's name in the item.
    step: String,
    /// The step's round.
    round: u32,
    /// What was decided.
    #[schemars(with = "shape::Decided")]
    outcome: Outcome,
    /// Why not.
    reason: Option<String>,
    /// What the letter says that goes with it.
    words: Option<String>,
}

/// Runs a command.
pub fn run(command: DeskCommand, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        DeskCommand::Run(options) => desk_run::run(&options, context),
        DeskCommand::List(options) => list(&options, context),
        DeskCommand::Show(options) => desk_show::run(&options, context),
        DeskCommand::Approve(rule) => decide(&rule, Outcome::Approved, None, context),
        DeskCommand::Reject(because) => decide(&because.rule, Outcome::Rejected, Some(&because), context),
        DeskCommand::Return(because) => decide(&because.rule, Outcome::Returned, Some(&because), context),
    }
}

pub(super) fn open(context: &Context) -> Result<Register, Failure> {
    Register::open(&context.home.register(), &context.passphrase.existing()?)
}

/// The step that is meant: of several rounds the newest.
pub(super) fn which(register: &Register, which: &Which) -> Result<Row, Failure> {
    let wanted = which.case.trim().to_ascii_lowercase();
    let fits = |row: &Row| {
        let of_step = which.step.as_deref().is_none_or(|step| row.step_code.as_str() == step);
        wanted.len() >= 6 && row.key.case.to_string().starts_with(&wanted) && of_step
    };
    let mut found: Vec<Row> = register.rows()?.into_values().filter(fits).collect();
    let newest = |row: &Row| (row.key.case, row.key.step);
    found.sort_by_key(|row| (newest(row), std::cmp::Reverse(row.key.round)));
    found.dedup_by_key(|row| newest(row));
    // Without a step named, what an officer may decide is meant before what is done.
    if found.len() > 1 && found.iter().any(Row::is_open) {
        found.retain(Row::is_open);
    }
    let steps: Vec<String> =
        found.iter().map(|row| format!("{} {}", short(&row.key.case.to_string()), row.step_code)).collect();
    match <[Row; 1]>::try_from(found) {
        Ok([row]) => Ok(row),
        Err(found) if found.is_empty() => Err(Failure::of(ExitCode::Usage, "desk_case_unknown", &[("case", &wanted)])),
        Err(_) => Err(Failure::of(ExitCode::Usage, "desk_several", &[("steps", &steps.join(", "))])),
    }
}

fn decide(options: &Rule, outcome: Outcome, because: Option<&Because>, context: &Context) -> Result<ExitCode, Failure> {
    let reason = because.map(|because| because.reason.as_str());
    let words = because.and_then(|because| because.words.as_deref());
    let register = open(context)?;
    let row = which(&register, &options.which)?;
    library::may(&row, outcome, reason)?;
    let shown = row.key.case.to_string();
    if outcome == Outcome::Rejected {
        context.confirm(&say("desk.ask_reject", &[("case", &short(&shown)), ("item", &name(&row.item_names))]))?;
    }
    let row = library::rule(&register, &row.key, outcome, reason, words, &options.officer)?;
    let ruled = Ruled {
        case: shown,
        step: row.step_code.to_string(),
        round: row.key.round,
        outcome,
        reason: reason.map(str::to_owned),
        words: row.ruling.and_then(|ruling| ruling.words),
    };
    context.output.data(&ruled, || {
        let step = clean(name(&row.step_names));
        say("desk.ruled", &[("case", &short(&ruled.case)), ("step", &step), ("outcome", &self::outcome(outcome))])
    })?;
    context.output.talk(say("desk.ruled_next", &[]));
    Ok(ExitCode::Ok)
}

fn list(options: &List, context: &Context) -> Result<ExitCode, Failure> {
    let (register, now) = (open(context)?, clock::now());
    let mut rows: Vec<Row> = match options.all {
        true => register.rows()?.into_values().collect(),
        false => {
            let open: Vec<RowKey> = register.open_rows()?.into_keys().collect();
            register.rows_of(&open)?
        }
    };
    drop(register);
    if !options.all {
        rows.retain(|row| row.state == State::Waiting && row.ruling.is_none() || row.trouble.is_some());
    }
    rows.sort_by_key(|row| (!row.is_overdue(now), row.is_done(), row.due, row.key));
    let lines: Vec<Line> = rows.iter().map(|row| line(row, row.is_overdue(now))).collect();
    context.output.data(&lines, || {
        if lines.is_empty() {
            return say("desk.none", &[]);
        }
        let mut table =
            Table::new(&["case", "item", "step", "due", "why"].map(|of| say(&format!("desk.column.{of}"), &[])));
        for (line, row) in lines.iter().zip(&rows) {
            table.row(&cells(line, row, now.0));
        }
        table.to_string()
    })?;
    Ok(ExitCode::Ok)
}

fn line(row: &Row, overdue: bool) -> Line {
    Line {
        case: row.key.case.to_string(),
        item: row.item.to_string(),
        version: row.version.0,
        step: row.step_code.to_string(),
        names: row.step_names.clone(),
        round: row.key.round,
        state: row.state,
        due_ms: row.due.map(|due| due.0),
        overdue,
        ruled: row.is_open() && row.ruling.is_some(),
        why: why(row).into_iter().map(|(code, message)| Why { code, message }).collect(),
    }
}

fn cells(line: &Line, row: &Row, now_ms: u64) -> [String; 5] {
    let due = line.due_ms.filter(|_| row.is_open()).map_or_else(String::new, |due| age(due, now_ms));
    let due = if line.overdue { say("desk.overdue", &[("due", &due)]) } else { due };
    let mut why: Vec<String> = line.why.iter().map(|why| clean(&why.message)).collect();
    if row.state != State::Waiting || line.ruled {
        why.insert(0, say(&format!("desk.state.{}", state(row.state)), &[]));
    }
    let step = format!("{} [{}]", clean(name(&row.step_names)), line.step);
    let item = clean(name(&row.item_names));
    [short(&line.case).to_owned(), item, step, due, why.join("; ")]
}

/// Why a row waits: code, and words.
pub(super) fn why(row: &Row) -> Vec<(String, String)> {
    if let Some(trouble) = &row.trouble {
        return vec![(trouble.code.clone(), trouble.message.clone())];
    }
    if let Some(lost) = &row.lost {
        return vec![(lost.clone(), fault(lost))];
    }
    let Some(checked) = row.checked.as_ref().filter(|_| row.state == State::Waiting) else { return Vec::new() };
    let told = |found: &library::Fault| {
        let party = found.party.as_ref().map_or_else(String::new, |party| format!(" [{party}]"));
        let about = if found.about.is_empty() { String::new() } else { format!(" ({})", found.about) };
        (found.code.clone(), format!("{}{party}{about}", fault(&found.code)))
    };
    let mut found: Vec<(String, String)> = checked.faults.iter().chain(&checked.blocked).map(told).collect();
    if let Some(rule) = &checked.rule {
        found.push(("rule".to_owned(), say("desk.by_rule", &[("rule", rule)])));
    }
    if found.is_empty() {
        found.push(("officer_decides".to_owned(), fault("officer_decides")));
    }
    found
}

/// A code in words, where there are some.
pub(super) fn fault(code: &str) -> String {
    let found = find(&format!("desk.fault.{code}"), &[]).or_else(|| crate::consent::words(code));
    found.unwrap_or_else(|| code.to_owned())
}

/// The stable name of a state.
pub(super) const fn state(state: State) -> &'static str {
    library::state(state)
}

/// An outcome in words.
pub(super) fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Approved => say("desk.approved", &[]),
        Outcome::Rejected => say("desk.rejected", &[]),
        Outcome::Returned => say("desk.returned", &[]),
    }
}

//! `kanhe desk run`: the bureau's running process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use kanhe_proto::mail::MailAnswer;
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use super::desk::{fault, outcome};
use super::licence::Acting;
use super::serve::tell_left;
use super::show::clean;
use crate::case::Items;
use crate::desk::{Desk, Keeping, Listing, Moved, OpenRow, Rest, Row, RowKey, State, Went, send_again};
use crate::follow::Follower;
use crate::issuer::{self, HolderRequests, Office, Round};
use crate::node::NodeClient;
use crate::reads::{self, Serving};
use crate::rules::Runner;
use crate::stop::Stop;
use crate::talk::{ExitCode, Failure, say, shape};

/// Longest wait for mail at a node; a signal is noticed after it.
const WAIT_SECONDS: u64 = 2;
/// Steps that are taken on together.
const PORTION: usize = 128;
/// Longest time until a step that could not go on is tried again.
const AGAIN_SECONDS_MAX: u64 = 60;
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(3);
/// How often it is looked whether what was passed on is there.
const LOOK_AFTER_EVERY: Duration = Duration::from_secs(60);
/// How often letters are left at the node again, which keeps them in memory alone.
const LETTERS_EVERY: Duration = Duration::from_secs(600);
/// How often it is looked for refusals of reads that are not recorded yet.
const REFUSALS_EVERY: Duration = Duration::from_secs(30);
/// Rounds of `--once`: what one decision makes ready is seen in the next.
const ROUNDS_MAX: usize = 64;

/// Options of `desk run`.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    acting: Acting,
    /// File of the sealing key, to which case files and requests are sealed; again for each older one that is still needed
    #[arg(long, value_name = "KEYFILE", required = true)]
    sealing_key: Vec<PathBuf>,
    /// Does what can be done now and ends: 0, or 11 if something could not go on and should be tried again
    #[arg(long)]
    once: bool,
}

/// What goes on.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// A step went on.
    Step(StepLine),
    /// Holders were answered.
    Mail(Round),
    /// How it ended, with `--once`.
    End(End),
}

/// A step, as far as it is.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct StepLine {
    /// The case.
    case: String,
    /// The item.
    item: String,
    /// The step's name in the item.
    step: String,
    /// The step's round.
    round: u32,
    /// How far it is.
    state: State,
    /// What was decided.
    #[schemars(with = "Option<shape::Decided>")]
    outcome: Option<kanhe_proto::case::Outcome>,
    /// Whether an officer decided; nothing before.
    by_officer: Option<bool>,
    /// Why it was not approved.
    reason: Option<String>,
    /// Why it does not go on: stable codes.
    waits_for: Vec<String>,
    /// Licences issued.
    licences: usize,
    /// Since when it is the bureau's turn, by the time of its block, in milliseconds since 1970.
    since_ms: u64,
    /// When it was decided, by the time of its block.
    decided_ms: Option<u64>,
}

/// How a run ended.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct End {
    /// Steps that wait for an officer.
    officer: usize,
    /// Steps that could not go on.
    left: usize,
}

/// The running process.
struct Service<'a> {
    desk: Desk<'a>,
    keeping: Keeping,
    follower: Follower,
    context: &'a Context,
    listing: Listing,
    /// Rows on which something is left to do, as they were when the register was last open.
    open: BTreeMap<RowKey, Waiting>,
    /// Everything that waits is tried in every round.
    once: bool,
    /// Whether the last round had something to do: the next does not wait for mail then.
    busy: bool,
    /// Whether something that was passed on may not be there yet, and when that was last looked at.
    passing: (bool, Option<Instant>),
    /// When letters were left again.
    letters_at: Option<Instant>,
    /// When it was looked for refusals that are not recorded yet.
    refusals_at: Option<Instant>,
}

/// A row between two looks at it.
#[derive(Debug, Default)]
struct Waiting {
    /// Why it rests; nothing: it was not tried yet, or could not go on.
    rest: Option<Rest>,
    /// How often it was tried without a change.
    tries: u32,
    /// When it is tried again.
    again: Option<Instant>,
    /// Whether an officer had spoken when it was tried.
    was_ruled: bool,
}

impl Waiting {
    fn is_due(&self) -> bool {
        self.again.is_none_or(|again| again <= Instant::now())
    }
    /// What waits for an officer waits for nothing else.
    fn told_by(self, row: &OpenRow) -> Self {
        let rests = row.state == State::Waiting && !row.is_ruled;
        // An officer has spoken: it waits for nobody any more.
        let rest = if rests { Some(Rest::Officer) } else { self.rest.filter(|rest| *rest != Rest::Officer) };
        Self { rest, ..self }
    }
    /// After a try: what changed nothing waits 1, 2, 4 … seconds for the next.
    fn tried(&mut self, moved: &Moved) {
        self.tries = if moved.changed { 1 } else { self.tries.saturating_add(1) };
        (self.rest, self.again) = (moved.rest, Some(Instant::now() + Duration::from_secs(rest_seconds(self.tries))));
        self.was_ruled = moved.row.ruling.is_some();
    }
}

/// How long a row rests after so many tries.
fn rest_seconds(tries: u32) -> u64 {
    1u64.checked_shl(tries.saturating_sub(1)).unwrap_or(u64::MAX).min(AGAIN_SECONDS_MAX)
}

/// Runs the desk until a signal comes.
pub fn run(options: &Run, context: &Context) -> Result<ExitCode, Failure> {
    let passphrase = context.passphrase.existing()?;
    let genesis = context.home.genesis()?;
    let mut follower = context.follower()?;
    let acting = &options.acting;
    let office = Office::open(&genesis, &mut follower, &acting.key, acting.issuer, &passphrase)?;
    let office = office.with_sealing(&options.sealing_key, &passphrase)?;
    let issuer_name = issuer::issuer_name(&genesis, &mut follower, office.issuer)?;
    let runner = Runner::own().map_err(|error| Failure::reported(ExitCode::Failure, error.code(), error))?;
    let stop = Stop::on_signals()?;
    let (office, genesis, name) = (&office, &genesis, &*issuer_name);
    let desk = Desk { office, genesis, issuer_name: name, runner, items: Items::default() };
    let keeping = Keeping::new(&context.home.register(), passphrase);
    let mut service = Service {
        desk,
        keeping,
        follower,
        context,
        listing: Listing::default(),
        open: BTreeMap::new(),
        once: options.once,
        busy: true,
        passing: (true, None),
        letters_at: None,
        refusals_at: None,
    };
    service.clear()?;
    context.output.talk(say("desk.ready", &[("issuer", &name)]));
    if options.once { rounds(&mut service, &stop) } else { forever(&mut service, &stop) }
}

fn forever(service: &mut Service<'_>, stop: &Stop) -> Result<ExitCode, Failure> {
    while !stop.is_asked() {
        let wait = if service.busy { 0 } else { WAIT_SECONDS };
        let went = service.round(wait, stop);
        match went.and_then(|busy| service.look_after(LOOK_AFTER_EVERY).map(|()| busy)) {
            Ok(busy) => service.busy = busy,
            Err(failure) if passes(&failure) => {
                service.context.output.talk(say("serve.waits", &[("cause", &failure.message)]));
                stop.rest(PAUSE_AFTER_FAILURE);
            }
            Err(failure) => return Err(failure),
        }
    }
    service.context.output.talk(say("serve.ended", &[]));
    Ok(ExitCode::Ok)
}

/// Rounds until one in which nothing went on.
fn rounds(service: &mut Service<'_>, stop: &Stop) -> Result<ExitCode, Failure> {
    for _ in 0..ROUNDS_MAX {
        if !service.round(0, stop)? || stop.is_asked() {
            break;
        }
    }
    service.look_after(Duration::ZERO)?;
    let End { officer, left } = service.end();
    service.tell(&Line::End(End { officer, left }))?;
    match left {
        0 => Ok(ExitCode::Ok),
        count => Err(Failure::of(ExitCode::Undecided, "desk_left", &[("count", &count)])),
    }
}

/// Whether a failure may be over in a moment: no node, no block, or another command or desk with the register.
fn passes(failure: &Failure) -> bool {
    matches!(failure.exit, ExitCode::Unreachable | ExitCode::Undecided)
        || ["vault_in_use", "desk_in_use", "desk_ruled"].contains(&&*failure.code)
}

impl Service<'_> {
    /// Brings onto the chain what an earlier process has signed and left, and looks what else it has left.
    fn clear(&mut self) -> Result<(), Failure> {
        let left = issuer::anchor_open(self.desk.office, self.keeping.register()?, &mut self.follower)?;
        tell_left(&left, self.context);
        let Desk { office, genesis, issuer_name, .. } = self.desk;
        Serving { office, genesis, issuer_name }.finish(&mut self.keeping, &mut self.follower)?;
        let rows = self.keeping.register()?.open_rows()?;
        self.open = rows.values().map(|row| (row.key, Waiting::default().told_by(row))).collect();
        self.keeping.give_way();
        Ok(())
    }

    /// Answers what waits, looks what is the bureau's turn, takes each step as far as it goes. Whether anything went on.
    fn round(&mut self, wait_seconds: u64, stop: &Stop) -> Result<bool, Failure> {
        let answered = self.mail(wait_seconds)?;
        self.letters()?;
        let Self { desk, follower, listing, open, .. } = self;
        let new = desk.ready(follower, listing, |key| open.contains_key(key))?;
        // What is listed further on is new to a run that ends.
        let more = self.once && self.listing.whole().is_none();
        let over = self.over();
        // The register is opened only if there is something to do with it.
        let idle = new.is_empty() && over.is_empty() && !self.keeping.has_news() && !self.is_anything_due();
        if idle {
            return Ok(answered || more);
        }
        self.keeping.lock()?;
        let went = self.work(new, &over, stop);
        self.keeping.unlock();
        Ok(went? || answered || more)
    }

    /// Rows of which the nodes say that they are not the bureau's turn any more: by the end of their list.
    fn over(&self) -> BTreeSet<RowKey> {
        let Some(ready) = self.listing.whole() else { return BTreeSet::new() };
        let due = |row: &Waiting| self.once || row.is_due();
        self.open.iter().filter(|(key, row)| !ready.contains(key) && due(row)).map(|(key, _)| *key).collect()
    }

    fn is_anything_due(&self) -> bool {
        self.open.values().any(|row| row.rest != Some(Rest::Officer) && (self.once || row.is_due()))
    }

    /// Leaves letters again. That it fails holds nothing up: it is tried again with the next round.
    fn letters(&mut self) -> Result<(), Failure> {
        if self.letters_at.is_some_and(|at| at.elapsed() < LETTERS_EVERY) {
            return Ok(());
        }
        self.keeping.register()?;
        let sent = send_again(self.desk.office, &mut self.keeping, self.follower.nodes());
        self.keeping.give_way();
        self.letters_at = sent.is_ok().then(Instant::now);
        Ok(())
    }

    fn mail(&mut self, wait_seconds: u64) -> Result<bool, Failure> {
        let nodes = self.follower.nodes().to_vec();
        let fetched = issuer::fetch(self.desk.office, &nodes, wait_seconds)?;
        if fetched.queue.requests.is_empty() {
            self.refusals()?;
            return Ok(false);
        }
        let mail: Vec<Vec<u8>> = fetched.queue.requests.into_iter().map(|request| request.into_vec()).collect();
        let answered = self.answer(&fetched.node, mail);
        self.keeping.give_way();
        let (answers, round) = answered?;
        issuer::send(self.desk.office, &fetched.node, &answers)?;
        if round.is_empty() {
            // What cannot be answered yet comes again at once: it is waited here.
            std::thread::sleep(Duration::from_secs(wait_seconds));
            return Ok(false);
        }
        self.tell(&Line::Mail(round))?;
        Ok(true)
    }

    /// Records refusals that had to wait.
    fn refusals(&mut self) -> Result<(), Failure> {
        if self.refusals_at.is_some_and(|at| at.elapsed() < REFUSALS_EVERY) {
            return Ok(());
        }
        let Desk { office, genesis, issuer_name, .. } = self.desk;
        let recorded = Serving { office, genesis, issuer_name }.record_refusals(&mut self.keeping, &mut self.follower);
        self.keeping.give_way();
        self.refusals_at = Some(Instant::now());
        recorded
    }

    /// Answers readers, at once, and holders.
    fn answer(&mut self, node: &NodeClient, mail: Vec<Vec<u8>>) -> Result<(Vec<MailAnswer>, Round), Failure> {
        let (letters, mail) = reads::split(self.desk.office, mail);
        let Desk { office, genesis, issuer_name, .. } = self.desk;
        let serving = Serving { office, genesis, issuer_name };
        let send = |answer: &MailAnswer| issuer::send(office, node, std::slice::from_ref(answer));
        let (keeping, items, follower) = (&mut self.keeping, &mut self.desk.items, &mut self.follower);
        let read = serving.answer(&letters, keeping, items, follower, send)?;
        let requests = HolderRequests {
            office: self.desk.office,
            genesis: self.desk.genesis,
            issuer_name: self.desk.issuer_name,
            register: self.keeping.register()?,
            batch_max: self.desk.genesis.parameters.batch_count_max as usize,
        };
        let (answers, mut round) = requests.answer(&mail, &mut self.follower)?;
        round.add_reads(&read);
        Ok((answers, round))
    }

    fn work(&mut self, new: Vec<Row>, over: &BTreeSet<RowKey>, stop: &Stop) -> Result<bool, Failure> {
        let begun = Desk::begin(self.keeping.register()?, new)?;
        begun.iter().try_for_each(|row| self.tell(&step_line(row)))?;
        let rows = self.keeping.register()?.open_rows()?;
        self.keeping.seen();
        let mut known = std::mem::take(&mut self.open);
        let told_by = rows.values().map(|row| (row.key, known.remove(&row.key).unwrap_or_default().told_by(row)));
        self.open = told_by.collect();
        let mut left: Vec<&OpenRow> = rows.values().filter(|row| self.is_to_be_tried(row, over)).collect();
        // What is due first is looked at first.
        left.sort_by_key(|row| (row.due, row.key));
        let mut went = !begun.is_empty();
        for portion in left.chunks(PORTION) {
            if stop.is_asked() {
                break;
            }
            let keys: Vec<RowKey> = portion.iter().map(|row| row.key).collect();
            let Went { moved, failed } = self.desk.go_on(&mut self.keeping, &mut self.follower, &keys, over)?;
            for moved in &moved {
                went |= moved.changed;
                self.note(moved)?;
            }
            if let Some(failure) = failed {
                return Err(failure);
            }
        }
        Ok(went)
    }

    /// An officer's word is acted on at once; what rests for one is left alone, and what could not go on has its time.
    fn is_to_be_tried(&self, row: &OpenRow, over: &BTreeSet<RowKey>) -> bool {
        let waiting = self.open.get(&row.key);
        let is_news = row.is_ruled && !waiting.is_some_and(|waiting| waiting.was_ruled);
        let is_due = self.once || is_news || waiting.is_none_or(Waiting::is_due);
        let rests = row.state == State::Waiting && !row.is_ruled && !over.contains(&row.key);
        is_due && !rests
    }

    /// Sees to what was passed on, if that was not done for so long.
    fn look_after(&mut self, every: Duration) -> Result<(), Failure> {
        let (may_be_missing, last) = self.passing;
        if !may_be_missing || last.is_some_and(|last| last.elapsed() < every) {
            return Ok(());
        }
        let left = self.desk.look_after(&mut self.keeping, &mut self.follower);
        self.keeping.give_way();
        self.passing = (left?, Some(Instant::now()));
        Ok(())
    }

    fn note(&mut self, moved: &Moved) -> Result<(), Failure> {
        self.passing.0 |= !moved.row.on_way().is_empty();
        match moved.rest {
            Some(Rest::Done) => drop(self.open.remove(&moved.row.key)),
            _ => self.open.entry(moved.row.key).or_default().tried(moved),
        }
        if moved.changed { self.tell(&step_line(&moved.row)) } else { Ok(()) }
    }

    fn end(&self) -> End {
        let officer = self.open.values().filter(|row| row.rest == Some(Rest::Officer)).count();
        End { officer, left: self.open.len() - officer }
    }

    fn tell(&self, line: &Line) -> Result<(), Failure> {
        self.context.output.data(line, || text(line))
    }
}

fn step_line(row: &Row) -> Line {
    let decision = row.decision.as_deref();
    Line::Step(StepLine {
        case: row.key.case.to_string(),
        item: row.item.to_string(),
        step: row.step_code.to_string(),
        round: row.key.round,
        state: row.state,
        outcome: decision.map(|decision| decision.outcome),
        by_officer: decision.map(|decision| decision.officer_salt.is_some()),
        reason: decision.and_then(|decision| decision.reason.as_ref().map(ToString::to_string)),
        waits_for: super::desk::why(row).into_iter().map(|(code, _)| code).collect(),
        licences: row.issued.as_ref().map_or(0, |issued| issued.licences.len()),
        since_ms: row.since.0,
        decided_ms: row.decided.map(|decided| decided.0),
    })
}

fn text(line: &Line) -> String {
    match line {
        Line::Step(step) => {
            let state = say(&format!("desk.state.{}", super::desk::state(step.state)), &[]);
            let mut text = format!("{} {} [{}] {state}", short(&step.case), clean(&step.item), clean(&step.step));
            if let Some(decided) = step.outcome {
                text.push_str(&format!(": {}", outcome(decided)));
            }
            if let Some(reason) = &step.reason {
                text.push_str(&format!(" ({})", clean(reason)));
            }
            if step.licences > 0 {
                text.push_str(&format!(", {}", say("desk.licences", &[("count", &step.licences)])));
            }
            for code in &step.waits_for {
                text.push_str(&format!("; {}", fault(code)));
            }
            text
        }
        Line::Mail(round) => {
            let args: &[(&str, &dyn std::fmt::Display)] = &[
                ("given", &round.given),
                ("issued", &round.issued),
                ("refused", &round.refused),
                ("unreadable", &round.unreadable),
                ("shared", &round.shared),
                ("not_shared", &round.not_shared),
            ];
            say("serve.round", args)
        }
        Line::End(end) => say("desk.end", &[("officer", &end.officer), ("left", &end.left)]),
    }
}

/// Enough of a case's id to name it at a desk.
pub(super) fn short(case: &str) -> &str {
    case.get(..12).unwrap_or(case)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_go_on_is_tried_less_and_less_often() {
        assert_eq!([0, 1, 2, 3, 6, 7, 64, u32::MAX].map(rest_seconds), [1, 1, 2, 4, 32, 60, 60, 60]);
    }
}

//! `kanhe desk run`: the bureau's running process.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use super::desk::{fault, outcome};
use super::licence::Acting;
use super::show::clean;
use crate::case::Items;
use crate::desk::{Desk, Moved, Rest, Row, RowKey, State, send_again};
use crate::follow::Follower;
use crate::issuer::{self, HolderRequests, Office, Register, Round};
use crate::reads::{self, Serving};
use crate::rules::Runner;
use crate::stop::Stop;
use crate::talk::{ExitCode, Failure, Passphrase, say, shape};
use crate::vault::Effort;

/// Longest wait for mail at a node; a signal is noticed after it.
const WAIT_SECONDS: u64 = 2;
/// After this long the register is given back for a moment, so that an officer's command gets in.
const HOLD: Duration = Duration::from_secs(2);
/// How long it is left alone then: longer than a waiting command sleeps.
const GIVE_WAY: Duration = Duration::from_millis(400);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(3);
/// How often it is looked whether what was passed on is there.
const LOOK_AFTER_EVERY: Duration = Duration::from_secs(60);
/// How often letters are left at the node again, which keeps them in memory alone.
const LETTERS_EVERY: Duration = Duration::from_secs(600);
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
    passphrase: Passphrase,
    follower: Follower,
    context: &'a Context,
    /// Rows that were there when the register was last open, and what kept each.
    known: BTreeSet<RowKey>,
    /// Whether something should be tried again.
    end: End,
    /// The register's file as this process left it: another one has changed it otherwise.
    left_as: Option<std::time::SystemTime>,
    /// Whether something that was passed on may not be there yet, and when that was last looked at.
    passing: (bool, Option<Instant>),
    /// When letters were left again.
    letters_at: Option<Instant>,
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
    let (known, end) = (BTreeSet::new(), End::default());
    let mut service = Service {
        desk,
        passphrase,
        follower,
        context,
        known,
        end,
        left_as: None,
        passing: (true, None),
        letters_at: None,
    };
    service.clear()?;
    context.output.talk(say("desk.ready", &[("issuer", &name)]));
    if options.once { once(&mut service, &stop) } else { forever(&mut service, &stop) }
}

fn forever(service: &mut Service<'_>, stop: &Stop) -> Result<ExitCode, Failure> {
    while !stop.is_asked() {
        match service.round(WAIT_SECONDS, stop).and_then(|_| service.look_after(LOOK_AFTER_EVERY)) {
            Ok(()) => {}
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
fn once(service: &mut Service<'_>, stop: &Stop) -> Result<ExitCode, Failure> {
    for _ in 0..ROUNDS_MAX {
        if !service.round(0, stop)? || stop.is_asked() {
            break;
        }
    }
    service.look_after(Duration::ZERO)?;
    let End { officer, left } = service.end;
    service.tell(&Line::End(End { officer, left }))?;
    match left {
        0 => Ok(ExitCode::Ok),
        count => Err(Failure::of(ExitCode::Undecided, "desk_left", &[("count", &count)])),
    }
}

/// Whether a failure may be over in a moment: no node, or another command with the register open.
fn passes(failure: &Failure) -> bool {
    failure.exit == ExitCode::Unreachable || failure.code == "vault_in_use"
}

impl Service<'_> {
    fn open(&self) -> Result<Register, Failure> {
        Register::open_or_create(&self.context.home.register(), &self.passphrase, Effort::USUAL)
    }
    fn changed_at(&self) -> Option<std::time::SystemTime> {
        std::fs::metadata(self.context.home.register()).and_then(|meta| meta.modified()).ok()
    }
    fn close(&mut self, register: Register) {
        drop(register);
        self.left_as = self.changed_at();
    }

    /// Brings onto the chain what an earlier process has signed and left.
    fn clear(&mut self) -> Result<(), Failure> {
        let register = self.open()?;
        issuer::anchor_open(self.desk.office, &register, &mut self.follower)?;
        let Desk { office, genesis, issuer_name, .. } = self.desk;
        Serving { office, genesis, issuer_name, register: &register }.finish(&mut self.follower)
    }

    /// Answers what waits, looks what is the bureau's turn, takes each step as far as it goes. Whether anything went on.
    fn round(&mut self, wait_seconds: u64, stop: &Stop) -> Result<bool, Failure> {
        let answered = self.mail(wait_seconds)?;
        self.letters()?;
        let ready = self.desk.ready(&mut self.follower)?;
        let new = ready.iter().any(|row| !self.known.contains(&row.key));
        // The register is opened only if there is something to do with it.
        if !new
            && self.end.left == 0
            && self.left_as.is_some()
            && self.left_as == self.changed_at()
            && !self.is_over(&ready)
        {
            return Ok(answered);
        }
        let went = self.work(&ready, stop)?;
        Ok(answered || went)
    }

    /// Whether a step that rested is not the bureau's turn any more.
    fn is_over(&self, ready: &[Row]) -> bool {
        let keys: BTreeSet<RowKey> = ready.iter().map(|row| row.key).collect();
        !self.known.is_subset(&keys)
    }

    /// Leaves letters again. That it fails holds nothing up: it is tried again with the next round.
    fn letters(&mut self) -> Result<(), Failure> {
        if self.letters_at.is_some_and(|at| at.elapsed() < LETTERS_EVERY) {
            return Ok(());
        }
        let register = self.open()?;
        let sent = send_again(self.desk.office, &register, self.follower.nodes());
        drop(register);
        self.letters_at = sent.is_ok().then(Instant::now);
        Ok(())
    }

    fn mail(&mut self, wait_seconds: u64) -> Result<bool, Failure> {
        let nodes = self.follower.nodes().to_vec();
        let fetched = issuer::fetch(self.desk.office, &nodes, wait_seconds)?;
        if fetched.queue.requests.is_empty() {
            return Ok(false);
        }
        let mail: Vec<Vec<u8>> = fetched.queue.requests.into_iter().map(|request| request.into_vec()).collect();
        let register = self.open()?;
        let (letters, mail) = reads::split(self.desk.office, mail);
        let Desk { office, genesis, issuer_name, .. } = self.desk;
        let serving = Serving { office, genesis, issuer_name, register: &register };
        let (given, read) = serving.answer(&letters, &mut self.desk.items, &mut self.follower)?;
        issuer::send(self.desk.office, &fetched.node, &given)?;
        let requests = HolderRequests {
            office: self.desk.office,
            genesis: self.desk.genesis,
            issuer_name: self.desk.issuer_name,
            register: &register,
            batch_max: self.desk.genesis.parameters.batch_count_max as usize,
        };
        let (answers, mut round) = requests.answer(&mail, &mut self.follower)?;
        round.add_reads(&read);
        drop(register);
        issuer::send(self.desk.office, &fetched.node, &answers)?;
        self.tell(&Line::Mail(round))?;
        Ok(true)
    }

    fn work(&mut self, ready: &[Row], stop: &Stop) -> Result<bool, Failure> {
        let mut register = self.open()?;
        let (mut since, mut went) = (Instant::now(), false);
        for key in Desk::begin(&register, ready)? {
            went = true;
            if let Some(row) = register.row(&key)? {
                self.tell(&step_line(&row))?;
            }
        }
        let mut left: Vec<Row> = register.rows()?.into_values().filter(|row| !row.is_done()).collect();
        // What is due first is looked at first.
        left.sort_by_key(|row| (row.due, row.key));
        let is_ready: BTreeSet<RowKey> = ready.iter().map(|row| row.key).collect();
        (self.known, self.end) = (BTreeSet::new(), End::default());
        for row in left {
            if stop.is_asked() {
                break;
            }
            if since.elapsed() > HOLD {
                drop(register);
                std::thread::sleep(GIVE_WAY);
                register = self.open()?;
                since = Instant::now();
            }
            let moved = self.desk.go_on(&register, &mut self.follower, &row.key, is_ready.contains(&row.key))?;
            went |= moved.changed;
            self.note(&moved)?;
        }
        self.close(register);
        Ok(went)
    }

    /// Sees to what was passed on, if that was not done for so long.
    fn look_after(&mut self, every: Duration) -> Result<(), Failure> {
        let (may_be_missing, last) = self.passing;
        if !may_be_missing || last.is_some_and(|last| last.elapsed() < every) {
            return Ok(());
        }
        let register = self.open()?;
        let left = self.desk.look_after(&register, &mut self.follower)?;
        self.close(register);
        self.passing = (left, Some(Instant::now()));
        Ok(())
    }

    fn note(&mut self, moved: &Moved) -> Result<(), Failure> {
        self.passing.0 |= !moved.row.on_way().is_empty();
        match moved.rest {
            Some(Rest::Done) => {}
            Some(Rest::Officer) => self.end.officer += 1,
            Some(Rest::Files) | None => self.end.left += 1,
        }
        if moved.rest != Some(Rest::Done) {
            self.known.insert(moved.row.key);
        }
        if moved.changed { self.tell(&step_line(&moved.row)) } else { Ok(()) }
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

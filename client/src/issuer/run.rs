//! A run of `licence issue`: batch after batch, each journaled before it leaves.

use std::collections::BTreeSet;

use kanhe_proto::hash::Hash;
use kanhe_proto::key::Signer as _;
use kanhe_proto::text;
use schemars::JsonSchema;
use serde::Serialize;

use super::batch::Signing;
use super::journal::{Planned, anchor, plan};
use super::records::Anchored;
use super::{BatchEntry, Definition, Office, Prepared, Register, Rows, Run};
use crate::clock;
use crate::follow::Follower;
use crate::talk::{ExitCode, Failure, Progress};

/// What a finished run tells.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Told {
    /// The run.
    pub run: String,
    /// Licences issued.
    pub licences: usize,
    /// Copies of them.
    pub copies: usize,
    /// Batches on the chain.
    pub batches: Vec<Anchored>,
    /// Licences that await pickup.
    pub awaiting: usize,
}

/// A run at work.
#[derive(Debug)]
pub struct Issuing<'a> {
    /// Who issues.
    pub office: &'a Office,
    /// What.
    pub definition: &'a Definition,
    /// The bureau's name, as licences show it.
    pub issuer_name: String,
    /// Where it is journaled.
    pub register: &'a Register,
    /// Most licences under one root, copies counted.
    pub batch_max: usize,
}

impl Issuing<'_> {
    /// The run that was interrupted with a file. With another file, type or key it is refused to go on until that one is
    /// finished, since its rows may be half issued.
    pub fn interrupted(&self, file: &Hash) -> Result<Option<Run>, Failure> {
        let Some(run) = self.register.running()? else { return Ok(None) };
        let same = (run.file, &run.vct, run.key) == (*file, &self.definition.vct(), self.office.key.public_key().id());
        if !same {
            let args: &[(&str, &dyn std::fmt::Display)] = &[("run", &run.id), ("file", &run.file)];
            return Err(Failure::of(ExitCode::Failure, "run_in_progress", args));
        }
        Ok(Some(run))
    }

    /// Begins a run; its rows are fixed from here on.
    pub fn begin(&self, file: Hash, rows: &Rows) -> Result<Run, Failure> {
        let run = Run {
            id: text::hex(&clock::random::<8>()?),
            file,
            vct: self.definition.vct(),
            key: self.office.key.public_key().id(),
            lines: rows.bound.iter().map(|prepared| prepared.row.line).collect(),
            awaiting: rows.awaiting.iter().map(|row| row.line).collect(),
            renews: Vec::new(),
            started_ms: clock::now().0,
            finished: false,
            abandoned: false,
        };
        self.register.put_run(&run)?;
        Ok(run)
    }

    /// Issues whatever of the run is not anchored yet. The run ends with [`Register::end_run`], once what the holders get
    /// is written: whoever is killed before that comes back to it.
    pub fn finish(
        &self,
        run: &Run,
        rows: Vec<Prepared>,
        follower: &mut Follower,
        progress: &mut Progress,
    ) -> Result<Told, Failure> {
        let mut batches = Vec::new();
        let mut done = BTreeSet::new();
        for batch in self.register.batches_of(&run.id)? {
            done.extend(batch.lines.iter().copied());
            progress.add(batch.lines.len() as u64);
            batches.push(anchor(self.office, self.register, follower, batch)?);
        }
        let mut left: Vec<Prepared> = rows.into_iter().filter(|prepared| !done.contains(&prepared.row.line)).collect();
        if done.len() + left.len() != run.lines.len() {
            return Err(Failure::of(ExitCode::Failure, "run_rows", &[("run", &run.id)]));
        }
        while !left.is_empty() {
            let rest = left.split_off(self.portion(&left));
            let place = u32::try_from(batches.len()).expect("fewer batches than rows");
            let batch = self.plan(&run.id, place, &left, follower)?;
            batches.push(anchor(self.office, self.register, follower, batch)?);
            progress.add(left.len() as u64);
            left = rest;
        }
        let copies = batches.iter().map(|batch| batch.leaves.len()).sum();
        let batches = batches.iter().filter_map(|batch| batch.anchored).collect();
        let (licences, awaiting) = (run.lines.len(), run.awaiting.len());
        Ok(Told { run: run.id.clone(), licences, copies, batches, awaiting })
    }

    /// How many rows fill a batch; at least one, since a row has at most as many copies as the least batch.
    fn portion(&self, rows: &[Prepared]) -> usize {
        let mut copies = 0;
        let fits = rows.iter().take_while(|prepared| {
            copies += prepared.keys.len();
            copies <= self.batch_max
        });
        fits.count().max(1).min(rows.len())
    }

    /// Signs a batch and makes it durable, with the transaction that will anchor it. Nothing has left so far.
    pub(super) fn plan(
        &self,
        run: &str,
        place: u32,
        rows: &[Prepared],
        follower: &mut Follower,
    ) -> Result<BatchEntry, Failure> {
        let (office, definition, now) = (self.office, self.definition, clock::now());
        let (register, issuer_name) = (self.register, &*self.issuer_name);
        let signing = Signing { office, definition, register, issuer_name, run, place, now };
        let licences = signing.sign(rows)?;
        let lines = rows.iter().map(|prepared| prepared.row.line).collect();
        let planned = Planned { run, place, lines, licences, redeemed: Vec::new(), names: Vec::new() };
        plan(office, definition, self.register, follower, planned)
    }
}

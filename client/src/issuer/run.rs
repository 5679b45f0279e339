//! A run of `licence issue`: batch after batch, each journaled before it leaves.

use std::collections::BTreeSet;

use kanhe_proto::bounded::Blob;
use kanhe_proto::hash::Hash;
use kanhe_proto::key::Signer as _;
use kanhe_proto::text;
use kanhe_proto::transaction::{IssueBatch, Payload, StatusChanges};
use serde::Serialize;

use super::anchor::{Expected, Settled, settle, transaction};
use super::batch::{Signing, leaves};
use super::records::Anchored;
use super::{BatchEntry, Definition, Office, Prepared, Register, Run};
use crate::clock;
use crate::follow::Follower;
use crate::talk::{ExitCode, Failure, Progress};

/// What a finished run tells.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// The run.
    pub run: String,
    /// Licences issued.
    pub licences: usize,
    /// Copies of them.
    pub copies: usize,
    /// Batches on the chain.
    pub batches: Vec<Anchored>,
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
    pub fn begin(&self, file: Hash, rows: &[Prepared]) -> Result<Run, Failure> {
        let run = Run {
            id: text::hex(&clock::random::<8>()?),
            file,
            vct: self.definition.vct(),
            key: self.office.key.public_key().id(),
            lines: rows.iter().map(|prepared| prepared.row.line).collect(),
            started_ms: clock::now().0,
            finished: false,
        };
        self.register.put_run(&run)?;
        Ok(run)
    }

    /// Issues whatever of the run is not anchored yet.
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
            batches.push(self.anchor(batch, follower)?);
        }
        let mut left: Vec<Prepared> = rows.into_iter().filter(|prepared| !done.contains(&prepared.row.line)).collect();
        if done.len() + left.len() != run.lines.len() {
            return Err(Failure::of(ExitCode::Failure, "run_rows", &[("run", &run.id)]));
        }
        while !left.is_empty() {
            let rest = left.split_off(self.portion(&left));
            let place = u32::try_from(batches.len()).expect("fewer batches than rows");
            let batch = self.plan(run, place, &left, follower)?;
            batches.push(self.anchor(batch, follower)?);
            progress.add(left.len() as u64);
            left = rest;
        }
        self.register.put_run(&Run { finished: true, ..run.clone() })?;
        let copies = batches.iter().map(|batch| batch.leaves.len()).sum();
        let batches = batches.iter().filter_map(|batch| batch.anchored).collect();
        Ok(Told { run: run.id.clone(), licences: run.lines.len(), copies, batches })
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
    fn plan(&self, run: &Run, place: u32, rows: &[Prepared], follower: &mut Follower) -> Result<BatchEntry, Failure> {
        follower.update()?;
        let log_from = follower.trust().newest().map_or(0, |newest| newest.log_size);
        let (office, definition, now) = (self.office, self.definition, clock::now());
        let signing = Signing { office, definition, issuer_name: &self.issuer_name, run: &run.id, place, now };
        let licences = signing.sign(rows)?;
        let (leaves, root) = leaves(&licences)?;
        let (transaction, id, expiry) = self.transaction(root, leaves.len())?;
        let lines = rows.iter().map(|prepared| prepared.row.line).collect();
        let (run, vct) = (run.id.clone(), definition.vct());
        let batch =
            BatchEntry { run, place, vct, lines, leaves, root, transaction, id, expiry, log_from, anchored: None };
        self.register.plan(definition, &batch, &licences)?;
        Ok(batch)
    }

    fn transaction(&self, root: Hash, count: usize) -> Result<Signed, Failure> {
        let payload = Payload::IssueBatch(IssueBatch {
            type_code: self.definition.entry.code.clone(),
            type_version: self.definition.entry.version,
            root,
            count: u32::try_from(count).expect("a batch is bounded"),
            changes: StatusChanges::empty(),
        });
        let (transaction, id) = transaction(self.office, &payload, clock::now())?;
        let bytes = Blob::new(transaction.to_bytes()).expect("a batch's transaction is small");
        Ok((bytes, id, transaction.body.expiry))
    }

    /// Brings a journaled batch onto the chain and proves it. A transaction that is proved void is replaced by a new one
    /// for the same root: the licences stay what they are.
    fn anchor(&self, mut batch: BatchEntry, follower: &mut Follower) -> Result<BatchEntry, Failure> {
        if batch.anchored.is_some() {
            return Ok(batch);
        }
        let expected = Expected {
            issuer: self.office.issuer,
            key: self.office.key.public_key().id(),
            vct: batch.vct.clone(),
            root: batch.root,
            count: u32::try_from(batch.leaves.len()).expect("a batch is bounded"),
            log_from: batch.log_from,
        };
        loop {
            match settle(follower, &batch.transaction, &batch.id, batch.expiry, Some(&expected))? {
                Settled::Committed { batch: Some(anchored), .. } => return self.register.anchor(&batch, anchored),
                Settled::Committed { batch: None, .. } => unreachable!("a batch was expected"),
                Settled::Void => {
                    (batch.transaction, batch.id, batch.expiry) = self.transaction(batch.root, batch.leaves.len())?;
                    self.register.put_batch(&batch)?;
                }
            }
        }
    }
}

type Signed =
    (Blob<{ kanhe_proto::limits::TRANSACTION_BYTES_MAX }>, kanhe_proto::hash::TransactionId, kanhe_proto::ids::TimeMs);

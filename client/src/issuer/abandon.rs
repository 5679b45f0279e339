//! Giving up what cannot be finished: its file is lost, or the key that signed it.
//!
//! A batch is given up only once it is proved that no block can hold its transaction any more and none does. What is
//! proved to be on the chain stays, whatever this machine knew of it before.

use std::collections::BTreeSet;

use kanhe_proto::identifiers::LicenceNumber;
use kanhe_proto::transaction::Transaction;

use super::anchor::{Settled, fate};
use super::journal::expected;
use super::{BatchEntry, LicenceEntry, Register, Run};
use crate::clock;
use crate::follow::Follower;
use crate::talk::{ExitCode, Failure, moment, say};

/// What is not finished; the fate of all its transactions is proved.
#[derive(Debug)]
pub struct Unfinished {
    /// The run, unless only pickups are left.
    pub run: Option<Run>,
    /// Its licences on the chain, in the order of its file.
    pub on_chain: Vec<LicenceEntry>,
    /// Lines of its file whose licences are not.
    pub lines: Vec<u32>,
    /// Licences whose renewal is not.
    pub renews: Vec<LicenceNumber>,
    /// Its pickup codes that nobody has come with.
    pub codes: usize,
    /// Licences that were signed for pickup codes, of whatever run, and are not on the chain.
    pub pickups: usize,
    void: Vec<BatchEntry>,
}

impl Unfinished {
    /// How many licences the run was to bring that are not on the chain.
    pub fn left(&self) -> usize {
        self.lines.len() + self.renews.len()
    }

    /// Takes back what is not on the chain and ends the run, in one durable step.
    pub fn abandon(&self, register: &Register) -> Result<(), Failure> {
        register.give_up(self.run.as_ref(), &self.void)
    }
}

/// What is not finished. Refuses while any of it may still come onto the chain.
pub fn unfinished(register: &Register, follower: &mut Follower) -> Result<Unfinished, Failure> {
    let run = register.running()?;
    let open = register.open_batches()?;
    if run.is_none() && open.is_empty() {
        return Err(Failure::of(ExitCode::Usage, "nothing_to_abandon", &[]));
    }
    let mut void = Vec::new();
    for batch in open {
        if !is_on_chain(register, follower, &batch)? {
            void.push(batch);
        }
    }
    let taken_back = register.licences_in(&void)?;
    let numbers: BTreeSet<&LicenceNumber> = taken_back.iter().map(|licence| &licence.number).collect();
    let of_run = |licence: &&LicenceEntry| run.as_ref().is_some_and(|run| run.id == licence.run);
    let pickups = taken_back.iter().filter(|licence| !of_run(licence)).count();
    let Some(run) = run else {
        let (on_chain, lines, renews) = (Vec::new(), Vec::new(), Vec::new());
        return Ok(Unfinished { run: None, on_chain, lines, renews, codes: 0, pickups, void });
    };
    let mut on_chain = register.licences_of(&run.id)?;
    on_chain.retain(|licence| !numbers.contains(&licence.number));
    let lines: BTreeSet<u32> = on_chain.iter().map(|licence| licence.line).collect();
    let lines = if run.renews.is_empty() { run.lines.clone() } else { Vec::new() }
        .into_iter()
        .filter(|line| !lines.contains(line))
        .collect();
    let renewed: BTreeSet<&LicenceNumber> = on_chain.iter().filter_map(|licence| licence.replaces.as_ref()).collect();
    let renews = run.renews.iter().filter(|number| !renewed.contains(number)).cloned().collect();
    let mut codes = 0;
    for awaiting in register.awaiting_of(&run)? {
        if numbers.contains(&awaiting.number) || register.licence(&awaiting.number)?.is_none() {
            codes += 1;
        }
    }
    Ok(Unfinished { run: Some(run), on_chain, lines, renews, codes, pickups, void })
}

/// Whether a batch is on the chain, which is noted; otherwise it never will be. Nothing is handed in.
fn is_on_chain(register: &Register, follower: &mut Follower, batch: &BatchEntry) -> Result<bool, Failure> {
    let decoded = Transaction::from_bytes(&batch.transaction);
    let (transaction, _) = decoded.map_err(|error| Failure::reported(ExitCode::Failure, "vault_damaged", error))?;
    if transaction.body.chain != follower.trust().chain {
        return Err(Failure::of(ExitCode::Failure, "batch_other_chain", &[("run", &batch.run)]));
    }
    let expected = expected(transaction.body.sender, batch);
    let settled = fate(follower, &batch.id, batch.expiry, &expected);
    let settled = settled.map_err(|failure| match failure.exit {
        ExitCode::Unreachable => failure.with_hint(say("abandon.needs_node", &[])),
        _ => failure,
    })?;
    match settled {
        Some(Settled::Committed { batch: Some(anchored), .. }) => register.anchor(batch, anchored).map(|_| true),
        Some(Settled::Committed { batch: None, .. }) => unreachable!("a batch was expected"),
        Some(Settled::Void) => Ok(false),
        None => {
            let until = moment(batch.expiry.0, clock::now().0);
            let args: &[(&str, &dyn std::fmt::Display)] = &[("run", &batch.run), ("id", &batch.id), ("until", &until)];
            Err(Failure::of(ExitCode::Undecided, "abandon_pending", args))
        }
    }
}

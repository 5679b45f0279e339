//! What a proposal would do now, before anybody decides it.

use std::sync::Arc;

use kanhe_proto::governance::{Alive, Proposal, Tally, alive_key};
use kanhe_proto::hash::{MapKey, ProposalId};
use kanhe_proto::record::GovernanceVote;
use kanhe_proto::validators::{Address, ValidatorSet};

use super::actions::{self, Decision};
use super::desk::Desk;
use super::{alive, propose, votes};
use crate::ledger::code::{Code, Refusal};
use crate::ledger::execution::{BlockContext, Execution, Staged};
use crate::ledger::map::ReadError;
use crate::ledger::view::View;

/// A registry record that would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafChange {
    /// Where.
    pub key: MapKey,
    /// As it is; nothing if it is new.
    pub before: Option<Vec<u8>>,
    /// As it would be.
    pub after: Vec<u8>,
}

/// What a proposal would do.
#[derive(Debug, Clone)]
pub struct Effects {
    /// Its id.
    pub id: ProposalId,
    /// Its votes, counted now.
    pub tally: Tally,
    /// Why it could not be executed now.
    pub refusal: Option<Code>,
    /// Registry records, as far as it could be executed.
    pub leaves: Vec<LeafChange>,
    /// The set of the current epoch.
    pub current: Arc<ValidatorSet>,
    /// The set of the next epoch if the proposal were executed and every seat in it taken.
    pub next: Option<ValidatorSet>,
    /// Members of the current set that signed one of the last certificates.
    pub living: Vec<Address>,
    /// When each of them last signed.
    pub alive: Alive,
}

/// A proposal that is not made yet.
pub fn dry_run<V: View>(view: &V, context: BlockContext, proposal: &Proposal) -> Result<Effects, ReadError> {
    let id = proposal.id();
    effects(view, context, proposal, &id, &[], true)
}

/// An open one, with its votes.
pub fn dry_run_open<V: View>(
    view: &V,
    context: BlockContext,
    proposal: &Proposal,
    votes: &[GovernanceVote],
) -> Result<Effects, ReadError> {
    let id = proposal.id();
    effects(view, context, proposal, &id, votes, false)
}

fn effects<V: View>(
    view: &V,
    context: BlockContext,
    proposal: &Proposal,
    id: &ProposalId,
    given: &[GovernanceVote],
    is_new: bool,
) -> Result<Effects, ReadError> {
    let execution = Execution::begin(view, context)?;
    let mut desk = Desk::new(&execution, Staged::default());
    let counted = readable(votes::counted(&desk, given))?.unwrap_or_default();
    let tally = match readable(propose::count(&desk, proposal, &counted))? {
        Ok(tally) => tally,
        Err(code) => return Err(ReadError(format!("members cannot be read: {code}").into())),
    };
    let checked = if is_new { propose::check_new(&desk, proposal, id) } else { Ok(()) };
    let decision = Decision::new(proposal, *id, None);
    let done = checked.and_then(|()| actions::execute_all(&mut desk, proposal, &decision));
    let refusal = readable(done)?.err();
    let mut leaves = Vec::with_capacity(desk.staged.registry.len());
    for (key, after) in &desk.staged.registry {
        let before = execution.registry.value(key)?;
        leaves.push(LeafChange { key: *key, before, after: after.clone() });
    }
    let next = readable(desk.seats())?.ok().and_then(|seats| super::seats::all_taken(&seats).ok());
    let living = readable(alive::living(&desk))?.unwrap_or_default();
    let alive = readable(desk.leaf::<Alive>(&alive_key()))?.ok().flatten().unwrap_or_default();
    let current = Arc::clone(&execution.context.validators);
    Ok(Effects { id: *id, tally, refusal, leaves, current, next, living, alive })
}

/// A refusal is an answer; a failed read is none.
fn readable<T>(result: Result<T, Refusal>) -> Result<Result<T, Code>, ReadError> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Refusal::Code(code)) => Ok(Err(code)),
        Err(Refusal::Read(error)) => Err(error),
    }
}

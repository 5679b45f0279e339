//! What an act reads and writes before it is known to succeed.

use std::sync::Arc;

use kanhe_proto::case::{Case, CaseEvent, SignedAct};
use kanhe_proto::hash::CaseId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::record::Record;
use kanhe_proto::registry::ServiceItem;

use super::progress::record_of;
use super::require;
use crate::ledger::code::{Code, Refusal};
use crate::ledger::execution::{BlockContext, Execution, Staged};
use crate::ledger::map::ReadError;
use crate::ledger::view::View;

/// The block so far, and what is staged on top of it.
pub(super) struct Turn<'a, 'v, V: View> {
    pub execution: &'a mut Execution<'v, V>,
    pub staged: &'a mut Staged,
}

impl<V: View> Turn<'_, '_, V> {
    pub const fn context(&self) -> &BlockContext {
        &self.execution.context
    }
    pub const fn time(&self) -> TimeMs {
        self.context().time
    }

    /// A case, open or not.
    pub fn find(&mut self, id: &CaseId) -> Result<Option<Case>, Refusal> {
        // Read in any case: a case is changed only after that.
        let known = self.execution.cases.get(self.execution.view, id)?;
        Ok(self.staged.cases.get(id).or(known).cloned())
    }
    pub fn known(&mut self, id: &CaseId) -> Result<Case, Refusal> {
        self.find(id)?.ok_or_else(|| Code::CaseUnknown.into())
    }
    /// A case that runs.
    pub fn running(&mut self, id: &CaseId) -> Result<Case, Refusal> {
        let case = self.known(id)?;
        require(case.runs_at(self.time()), Code::CaseOver)?;
        Ok(case)
    }
    /// The item that a case is of, as it was opened: versions never change, nor go.
    pub fn item(&mut self, case: &Case) -> Result<Arc<ServiceItem>, Refusal> {
        let found = self.execution.registry.service_item(&case.item, case.version)?;
        found.ok_or_else(|| {
            ReadError(format!("case {} is of an item that the registry does not have", case.id).into()).into()
        })
    }

    /// The issuing key of a bureau, if this is one that holds now.
    pub fn issuing_key(&mut self, bureau: Uscc, key: KeyId) -> Result<PublicKey, Refusal> {
        let found = self.execution.registry.issuing_key(bureau, key)?;
        found.cloned().ok_or_else(|| Code::CaseNotNamed.into())
    }
    /// A clerk acts under a bureau's issuing key, on the ground of a purpose of public benefit.
    pub fn verify_assisted(&mut self, signed: &SignedAct) -> Result<(), Refusal> {
        let Some(assisted) = signed.act.assisted() else { return Ok(()) };
        require(self.execution.registry.is_public_purpose(&assisted.ground)?, Code::CaseGround)?;
        let key = self.issuing_key(assisted.bureau, assisted.key)?;
        signed.act.verify_assisted(&self.context().chain, &key).map_err(|_| Code::CaseSignature.into())
    }
    pub fn verify(&self, signed: &SignedAct, key: &PublicKey) -> Result<(), Refusal> {
        signed.verify(&self.context().chain, key).map_err(|_| Code::CaseSignature.into())
    }

    /// Stages the case as an act leaves it, with the record of the act.
    pub fn record(&mut self, mut case: Case, signed: &SignedAct) {
        let index = LogIndex(self.execution.log_size() + self.staged.records.len() as u64);
        let record = record_of(&mut case, CaseEvent::Act(signed.clone()), index, self.context());
        self.staged.records.push(record.to_record());
        self.staged.cases.insert(case.id, case);
    }
}

//! What an act or a read looks at and writes before it is known to succeed.

use kanhe_proto::consent::{AccessRecord, Consent, ConsentRecord, SignedAct, SignedRead, SourceReads};
use kanhe_proto::hash::{ConsentId, ReadId, TransactionId};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::record::Record;
use kanhe_proto::registry::{PurposeClass, PurposeCode};
use kanhe_proto::status::spent_id_key;

use super::require;
use crate::ledger::code::{Code, Refusal};
use crate::ledger::execution::{BlockContext, Execution, Staged};
use crate::ledger::outcome::ReadPlace;
use crate::ledger::view::{SpentKey, View};

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

    pub fn find(&mut self, id: &ConsentId) -> Result<Option<Consent>, Refusal> {
        // Read in any case: a consent is changed only after that.
        let known = self.execution.consents.get(self.execution.view, id)?;
        Ok(self.staged.consents.get(id).or(known).cloned())
    }
    pub fn known(&mut self, id: &ConsentId) -> Result<Consent, Refusal> {
        self.find(id)?.ok_or_else(|| Code::ConsentUnknown.into())
    }

    /// The purpose is in force and of public benefit, whoever names it.
    pub fn require_public(&mut self, purpose: &PurposeCode) -> Result<(), Refusal> {
        match self.execution.registry.purpose_class(purpose)? {
            Some(PurposeClass::PublicBenefit) => Ok(()),
            Some(PurposeClass::Commercial) => Err(Code::PurposeCommercial.into()),
            None => Err(Code::PurposeUnknown.into()),
        }
    }
    /// The purpose is in force, of whatever class: no text of a reader's own comes into the log.
    pub fn require_known(&mut self, purpose: &PurposeCode) -> Result<(), Refusal> {
        require(self.execution.registry.purpose_class(purpose)?.is_some(), Code::PurposeUnknown)
    }
    /// The issuing key of a bureau, if this is one that holds now.
    pub fn issuing_key(&mut self, bureau: Uscc, key: KeyId) -> Result<PublicKey, Refusal> {
        let found = self.execution.registry.issuing_key(bureau, key)?;
        found.cloned().ok_or_else(|| Code::ReadKey.into())
    }

    /// Remembers a request that nothing else keeps from coming again, for as long as it is good.
    pub fn spend(&mut self, request: ReadId, good_until: TimeMs) -> Result<(), Refusal> {
        // The ids of transactions and of requests are hashes under different tags: neither passes for the other.
        let id = TransactionId(request.0);
        let spent = self.execution.is_spent(&spent_id_key(&id))?;
        require(!spent && self.staged.spent.iter().all(|spent| spent.id != id), Code::ReadTwice)?;
        self.staged.spent.push(SpentKey { expiry: good_until, id });
        Ok(())
    }

    /// Place of the next record.
    fn next(&self) -> LogIndex {
        LogIndex(self.execution.log_size() + self.staged.records.len() as u64)
    }

    /// Stages a consent as an act leaves it, with the record of the act.
    pub fn record(&mut self, mut consent: Consent, before: Option<LogIndex>, signed: &SignedAct) {
        consent.last = self.next();
        let record = ConsentRecord {
            consent: consent.id,
            before,
            act: signed.clone(),
            height: self.context().height,
            time: self.time(),
        };
        self.staged.records.push(record.to_record());
        self.staged.consents.insert(consent.id, consent);
    }

    /// Stages the record of a read, with the consent that it is under as the read leaves it.
    pub fn record_read(&mut self, consent: Option<Consent>, signed: &SignedRead) -> Result<(), Refusal> {
        let (index, source) = (self.next(), signed.request().source);
        // Read in any case, as consents are.
        let known = self.execution.sources.get(self.execution.view, &source)?;
        let number = self.staged.sources.get(&source).or(known).map_or(0, |reads| reads.count);
        let record = AccessRecord {
            number,
            before: consent.as_ref().map(|consent| consent.last),
            read: signed.clone(),
            height: self.context().height,
            time: self.time(),
        };
        self.staged.records.push(record.to_record());
        self.staged.sources.insert(source, SourceReads { source, count: number + 1, last: index });
        self.staged.reads.push(ReadPlace { source, number, index });
        if let Some(consent) = consent {
            self.staged.consents.insert(consent.id, Consent { last: index, ..consent });
        }
        Ok(())
    }
}

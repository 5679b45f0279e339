//! Accounts of enterprises: their leaves, and the acts on them.

use kanhe_proto::account::{AccountRecord, EnterpriseAccount, account_key};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::LogIndex;
use kanhe_proto::proof::{ProvedLeaf, ProvedRecord};
use kanhe_proto::record::Record;

use super::error::ChainError;
use super::snapshot::{Snapshot, value_of};

/// Acts on an account, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountActs {
    /// The account, or its absence.
    pub leaf: ProvedLeaf,
    /// Some of them.
    pub records: Vec<ProvedRecord>,
    /// The one before these.
    pub next: Option<LogIndex>,
}

impl Snapshot<'_> {
    /// An account with its proof, or that there is none.
    pub fn account(&self, uscc: &Uscc) -> Result<(Option<EnterpriseAccount>, ProvedLeaf), ChainError> {
        let leaf = self.prove_state(&account_key(uscc))?;
        Ok((value_of(&leaf)?, leaf))
    }

    /// Acts on an account from one on back, at most `max`; without one from the last. None if `from` is no act on it.
    pub fn account_acts(
        &self,
        uscc: &Uscc,
        from: Option<LogIndex>,
        max: usize,
    ) -> Result<Option<AccountActs>, ChainError> {
        let (account, leaf) = self.account(uscc)?;
        let mut next = from.or(account.map(|account| account.last));
        let mut records = Vec::new();
        while let Some(index) = next.filter(|_| records.len() < max) {
            let Some(proved) = self.record(index)? else { return Ok(None) };
            let found = AccountRecord::from_record(&proved.record).ok();
            let Some(record) = found.filter(|record| record.signed.act.uscc == *uscc) else { return Ok(None) };
            next = record.before;
            records.push(proved);
        }
        Ok(Some(AccountActs { leaf, records, next }))
    }
}

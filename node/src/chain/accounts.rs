//! Accounts of enterprises: their leaves, and the acts on them.

use kanhe_proto::account::{AccountRecord, EnterpriseAccount, account_key};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::LogIndex;
use kanhe_proto::proof::ProvedLeaf;
use kanhe_proto::record::Record;

use super::error::ChainError;
use super::history::History;
use super::snapshot::{Snapshot, value_of};

impl Snapshot<'_> {
    /// An account with its proof, or that there is none.
    pub fn account(&self, uscc: &Uscc) -> Result<(Option<EnterpriseAccount>, ProvedLeaf), ChainError> {
        let leaf = self.prove_state(&account_key(uscc))?;
        Ok((value_of(&leaf)?, leaf))
    }

    /// Acts on an account from one on back, at most `max`; without one from the last. None if `from` is no act on it.
    pub fn account_acts(&self, uscc: &Uscc, from: Option<LogIndex>, max: usize) -> Result<Option<History>, ChainError> {
        let (account, leaf) = self.account(uscc)?;
        self.history(leaf, from.or(account.map(|account| account.last)), max, |record| {
            let record = AccountRecord::from_record(record).ok();
            record.filter(|record| record.signed.act.uscc == *uscc).map(|record| record.before)
        })
    }
}

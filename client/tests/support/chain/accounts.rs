//! What the chain in memory knows of accounts: acts in their order, signed by who may. Which acts the real ledger refuses is
//! tested there.

use kanhe_proto::account::{
    AccountPayload, AccountRecord, By, Change, EnterpriseAccount, SignedAccountAct, account_key,
};
use kanhe_proto::api::AccountActsAnswer;
use kanhe_proto::hash::sha256;

use super::*;

/// Acts in one answer: few, so that there is more than one page.
const PAGE: usize = 2;

type Refused = &'static str;

impl Chain {
    pub fn account(&self, uscc: &Uscc) -> Option<EnterpriseAccount> {
        self.state.get(&account_key(uscc)).map(|value| EnterpriseAccount::from_value(value).unwrap())
    }

    /// Takes acts in, in a block of their own.
    pub fn account_acts(&mut self, bytes: &[u8]) -> Result<TransactionStatus, Refused> {
        let id = TransactionId(sha256(&[bytes]));
        if self.committed.contains_key(&id) {
            return Ok(self.transaction(&id));
        }
        let payload = AccountPayload::from_bytes(bytes).unwrap();
        self.height += 1;
        for signed in &payload.acts {
            self.account_act(signed)?;
        }
        Ok(self.commit(id, None))
    }

    fn account_act(&mut self, signed: &SignedAccountAct) -> Result<(), Refused> {
        let act = &signed.act;
        let known = self.account(&act.uscc);
        let refused = |error: kanhe_proto::account::AccountError| match error {
            kanhe_proto::account::AccountError::Keys => "account_keys",
            kanhe_proto::account::AccountError::Delegate => "account_delegate",
            kanhe_proto::account::AccountError::Closed => "account_closed",
            _ => "account_sequence",
        };
        let mut after = match (&known, &act.change) {
            (Some(_), Change::Open(_)) => return Err("account_exists"),
            (None, Change::Open(opening)) => opening.open(act).map_err(refused)?,
            (None, _) => return Err("account_unknown"),
            (Some(account), _) => account.after(act, now()).map_err(refused)?,
        };
        let key = match &act.by {
            By::Bureau { bureau, .. } => (*bureau == self.issuer).then(|| self.issuing.public_key()),
            By::Own(id) => known.as_ref().and_then(|account| account.key(id)).cloned(),
        };
        let verified = signed.verify(&self.genesis.chain(), &key.ok_or("account_not_named")?);
        verified.map_err(|_| "account_signature")?;
        after.last = LogIndex(self.records.len() as u64);
        let before = known.map(|account| account.last);
        let record = AccountRecord { before, signed: signed.clone(), height: Height(self.height), time: now() };
        self.records.push(record.to_record());
        self.state.insert(account_key(&act.uscc), after.to_value());
        Ok(())
    }

    pub fn account_proof(&mut self, uscc: &Uscc) -> (CertifiedHeader, ProvedLeaf) {
        let leaf = prove(&self.state, account_key(uscc));
        (self.certified(), leaf)
    }
    pub fn account_leaf(&mut self, uscc: &Uscc) -> LeafAnswer {
        let (certified, leaf) = self.account_proof(uscc);
        let certified = Blob::new(codec::encode(&certified)).unwrap();
        LeafAnswer { certified, leaf: Blob::new(codec::encode(&leaf)).unwrap() }
    }

    pub fn account_history(&mut self, uscc: &Uscc, from: Option<LogIndex>) -> AccountActsAnswer {
        let mut next = from.or(self.account(uscc).map(|account| account.last));
        let mut acts = Vec::new();
        while let Some(index) = next.filter(|_| acts.len() < PAGE) {
            let record = self.records[index.0 as usize].clone();
            next = AccountRecord::from_record(&record).unwrap().before;
            let inclusion = self.log().path(index.0).unwrap();
            let proved = ProvedRecord { index, record: Blob::new(record).unwrap(), inclusion };
            acts.push(Blob::new(codec::encode(&proved)).unwrap());
        }
        let LeafAnswer { certified, leaf } = self.account_leaf(uscc);
        AccountActsAnswer { certified, leaf: Blob::new(leaf.into_vec()).unwrap(), acts, next }
    }
}

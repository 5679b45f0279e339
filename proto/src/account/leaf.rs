//! An account as the state map holds it, and how acts change it.

use std::collections::BTreeSet;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::act::{AccountAct, By, Change, Opening};
use super::delegate::{Allowed, Delegate, Grant, MandateFault};
use crate::bounded::List;
use crate::hash::{self, MapKey};
use crate::identifiers::{TypeCode, Uscc};
use crate::ids::{LogIndex, SpanMs, TimeMs};
use crate::item::is_item_code;
use crate::key::{KeyId, PublicKey};
use crate::limits::{ACCOUNT_DELEGATES_MAX, ACCOUNT_KEYS_MAX, DELEGATE_LIFE_MAX_MS};
use crate::map_value::{Kind, MapValue};
use crate::tags;

/// An enterprise's account.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct EnterpriseAccount {
    /// Whose.
    pub uscc: Uscc,
    /// The bureau that opened it.
    pub opened_by: Uscc,
    /// The licence type for which that bureau was accredited.
    pub type_code: TypeCode,
    /// Keys that act for it without limits.
    pub keys: List<PublicKey, ACCOUNT_KEYS_MAX>,
    /// Who acts for it within limits, also those that were revoked.
    pub delegates: List<Delegate, ACCOUNT_DELEGATES_MAX>,
    /// Number of acts on it.
    pub sequence: u32,
    /// The record of the last one.
    pub last: LogIndex,
    /// Nobody acts for it.
    pub closed: bool,
}

impl MapValue for EnterpriseAccount {
    const KIND: Kind = Kind::EnterpriseAccount;
}

/// Where an account is kept.
pub fn account_key(uscc: &Uscc) -> MapKey {
    MapKey(hash::tagged(tags::ACCOUNT_KEY, uscc))
}

/// Why an act does not change an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// There is one already.
    #[error("there is such an account already")]
    Exists,
    /// It is closed.
    #[error("the account is closed")]
    Closed,
    /// Another act was first.
    #[error("another act was first")]
    Sequence,
    /// Not for who does it to do.
    #[error("that is not for this one to do")]
    NotNamed,
    /// No keys, too many, twice there, of another algorithm, or the last one taken away.
    #[error("an account has 1 to 8 Ed25519 keys, each once")]
    Keys,
    /// A delegate that is none, one of the account's own keys, or one more than fit.
    #[error("no such delegate, or none that can be")]
    Delegate,
    /// A delegate would act for too long, or not at all.
    #[error("a delegate acts until some time within three years")]
    DelegateLife,
}

fn require(holds: bool, error: AccountError) -> Result<(), AccountError> {
    if holds { Ok(()) } else { Err(error) }
}

fn check_keys(keys: &[PublicKey]) -> Result<(), AccountError> {
    let distinct: BTreeSet<&PublicKey> = keys.iter().collect();
    let right = !keys.is_empty() && distinct.len() == keys.len() && keys.iter().all(|key| key.verifier().is_ok());
    require(right, AccountError::Keys)
}

impl Opening {
    /// The account that it opens; its record is for the ledger to name.
    pub fn open(&self, act: &AccountAct) -> Result<EnterpriseAccount, AccountError> {
        let By::Bureau { bureau, .. } = act.by else { return Err(AccountError::NotNamed) };
        require(act.sequence == 0, AccountError::Sequence)?;
        check_keys(&self.keys)?;
        Ok(EnterpriseAccount {
            uscc: act.uscc,
            opened_by: bureau,
            type_code: self.type_code.clone(),
            keys: self.keys.clone(),
            delegates: List::empty(),
            sequence: 1,
            last: LogIndex(0),
            closed: false,
        })
    }
}

impl EnterpriseAccount {
    /// A key of the account.
    pub fn key(&self, id: &KeyId) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.id() == *id)
    }
    /// A delegate, revoked or not.
    pub fn delegate(&self, id: &KeyId) -> Option<&Delegate> {
        self.delegates.iter().find(|delegate| delegate.grant.key.id() == *id)
    }

    /// On whose word a key acts in a case of an item at a time. Limits are checked besides.
    pub fn allows(&self, key: &PublicKey, item: &str, at: TimeMs) -> Result<Allowed<'_>, MandateFault> {
        if self.closed {
            return Err(MandateFault::Closed);
        }
        if self.keys.contains(key) {
            return Ok(Allowed::Own);
        }
        let delegate = self.delegates.iter().find(|delegate| delegate.grant.key == *key);
        let delegate = delegate.ok_or(MandateFault::Unknown)?;
        delegate.check(item, at)?;
        Ok(Allowed::Delegate(delegate))
    }

    /// The account after an act in a block of this time. Whether who does it signed it, and a bureau is accredited, is for
    /// the ledger to say; the record too.
    pub fn after(&self, act: &AccountAct, time: TimeMs) -> Result<Self, AccountError> {
        require(act.sequence == self.sequence, AccountError::Sequence)?;
        let own = matches!(act.by, By::Own(_));
        require(!self.closed || matches!(act.change, Change::ReplaceKeys(_)), AccountError::Closed)?;
        let mut after = Self { sequence: self.sequence.saturating_add(1), ..self.clone() };
        match &act.change {
            Change::Open(_) => return Err(AccountError::Exists),
            Change::ReplaceKeys(_) if own => return Err(AccountError::NotNamed),
            Change::ReplaceKeys(keys) => {
                check_keys(keys)?;
                (after.keys, after.delegates, after.closed) = (keys.clone(), List::empty(), false);
            }
            Change::Close => after.closed = true,
            _ if !own => return Err(AccountError::NotNamed),
            Change::AddKey(key) => {
                require(self.delegate(&key.id()).is_none(), AccountError::Keys)?;
                after.keys.push(key.clone()).map_err(|_| AccountError::Keys)?;
                check_keys(&after.keys)?;
            }
            Change::RemoveKey(id) => {
                let left: Vec<PublicKey> = self.keys.iter().filter(|key| key.id() != *id).cloned().collect();
                require(!left.is_empty() && left.len() < self.keys.len(), AccountError::Keys)?;
                after.keys = List::new(left).map_err(|_| AccountError::Keys)?;
            }
            Change::SetDelegate(grant) => after.set(grant, self.sequence, time)?,
            Change::RevokeDelegate(id) => {
                let found = after.delegates.as_mut_slice().iter_mut();
                let found =
                    found.filter(|delegate| delegate.revoked.is_none()).find(|known| known.grant.key.id() == *id);
                found.ok_or(AccountError::Delegate)?.revoked = Some(time);
            }
        }
        Ok(after)
    }

    fn set(&mut self, grant: &Grant, since: u32, time: TimeMs) -> Result<(), AccountError> {
        let latest = time.after(SpanMs(DELEGATE_LIFE_MAX_MS));
        require(grant.not_after > time && grant.not_after <= latest, AccountError::DelegateLife)?;
        let items =
            grant.items.windows(2).all(|pair| pair[0] < pair[1]) && grant.items.iter().all(|code| is_item_code(code));
        let right = items && grant.key.verifier().is_ok() && !self.keys.contains(&grant.key);
        require(right, AccountError::Delegate)?;
        let delegate = Delegate { grant: grant.clone(), since, set: time, revoked: None };
        let mut all = self.delegates.to_vec();
        match all.iter_mut().find(|known| known.grant.key == grant.key) {
            Some(known) => *known = delegate,
            None => {
                // Where all places are taken, those who act no more make room: the log has them.
                let over = |known: &Delegate| known.revoked.is_some() || known.grant.not_after < time;
                if all.len() >= ACCOUNT_DELEGATES_MAX
                    && let Some(place) = all.iter().position(over)
                {
                    all.remove(place);
                }
                all.push(delegate);
            }
        }
        self.delegates = List::new(all).map_err(|_| AccountError::Delegate)?;
        Ok(())
    }
}

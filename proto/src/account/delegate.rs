//! Who acts for an enterprise, for what, how far and until when.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::bounded::List;
use crate::ids::TimeMs;
use crate::item::ItemCode;
use crate::key::PublicKey;
use crate::limits::DELEGATE_ITEMS_MAX;

/// What a delegate may do.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Grant {
    /// Its key, which is none of the account's own.
    pub key: PublicKey,
    /// Items in whose cases it may act, strictly ascending; none: in no case.
    pub items: List<ItemCode, DELEGATE_ITEMS_MAX>,
    /// The greatest amount that it may fill in, in hundredths; nothing: no bound.
    pub amount_max: Option<u64>,
    /// In how many cases each bureau lets it act; nothing: no bound.
    pub cases_max: Option<u32>,
    /// Block time after which it acts no more.
    pub not_after: TimeMs,
}

/// A delegate as the account has it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Delegate {
    /// What it may do.
    pub grant: Grant,
    /// Number of the act that set it: what is counted is counted from there.
    pub since: u32,
    /// Time of that act's block.
    pub set: TimeMs,
    /// Time of the block that revoked it.
    pub revoked: Option<TimeMs>,
}

/// On whose word somebody acts for an enterprise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed<'a> {
    /// A key of the account: without limits.
    Own,
    /// A delegate, within its limits.
    Delegate(&'a Delegate),
}

/// Why somebody may not act for an enterprise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum MandateFault {
    /// There is no such account.
    #[error("there is no such account")]
    NoAccount,
    /// The account is closed.
    #[error("the account is closed")]
    Closed,
    /// The key is neither the account's nor a delegate's.
    #[error("the account does not name this key")]
    Unknown,
    /// Revoked by then.
    #[error("the delegate was revoked")]
    Revoked,
    /// Its time was over.
    #[error("the delegate's time is over")]
    Expired,
    /// Not for this item.
    #[error("the delegate may not act in cases of this item")]
    Item,
    /// Beyond its amount, or in too many cases.
    #[error("beyond the delegate's limits")]
    Limit,
}

impl MandateFault {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::NoAccount, Self::Closed, Self::Unknown, Self::Revoked, Self::Expired, Self::Item, Self::Limit];

    /// The stable name of the fault.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoAccount => "account_unknown",
            Self::Closed => "account_closed",
            Self::Unknown => "delegate_unknown",
            Self::Revoked => "delegate_revoked",
            Self::Expired => "delegate_expired",
            Self::Item => "delegate_item",
            Self::Limit => "delegate_limit",
        }
    }
}

impl Delegate {
    /// Whether it may act in a case of an item at a time.
    pub fn check(&self, item: &str, at: TimeMs) -> Result<(), MandateFault> {
        if self.revoked.is_some_and(|revoked| revoked <= at) {
            return Err(MandateFault::Revoked);
        }
        if self.grant.not_after < at {
            return Err(MandateFault::Expired);
        }
        match self.grant.items.iter().any(|known| known.as_str() == item) {
            true => Ok(()),
            false => Err(MandateFault::Item),
        }
    }

    /// Whether amounts and the number of cases before this one are within its limits.
    pub fn check_limits(&self, amount: Option<u64>, cases_before: u32) -> Result<(), MandateFault> {
        let amount = amount.is_some_and(|amount| self.grant.amount_max.is_some_and(|max| amount > max));
        let cases = self.grant.cases_max.is_some_and(|max| cases_before >= max);
        if amount || cases { Err(MandateFault::Limit) } else { Ok(()) }
    }
}

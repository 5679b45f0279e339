//! An enterprise's account, with each act on it once.

use kanhe_proto::account::{AccountAct, By, Change, Delegate, EnterpriseAccount, Grant, Opening, SignedAccountAct};
use kanhe_proto::bounded::{List, Text};
use kanhe_proto::identifiers::{TypeVersion, Uscc};
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::key::{SecretKey, Signer};

use super::cases::{NOW, chain};
use super::{DAY, bureau, issuing_key, secret};

pub const TYPE: &str = "DEMOYYZZ001";

pub fn company() -> Uscc {
    Uscc::with_check("91370100MA3E00013").unwrap()
}
pub fn owner() -> SecretKey {
    secret(120)
}
pub fn second() -> SecretKey {
    secret(121)
}
pub fn delegate() -> SecretKey {
    secret(122)
}

pub fn grant() -> Grant {
    let item = |code: &str| Text::new(code).unwrap();
    Grant {
        key: delegate().public_key(),
        items: List::new(vec![item("annual-report"), item("invoice-quota")]).unwrap(),
        amount_max: Some(10_000_000),
        cases_max: Some(3),
        not_after: TimeMs(NOW.0 + 30 * DAY),
    }
}

pub fn opening() -> AccountAct {
    let (keys, type_code) = (List::new(vec![owner().public_key()]).unwrap(), TYPE.parse().unwrap());
    act(0, by_bureau(), Change::Open(Opening { type_code, type_version: TypeVersion(1), keys }))
}
pub fn by_bureau() -> By {
    By::Bureau { bureau: bureau(0), key: issuing_key(0).public_key().id() }
}
pub fn by_owner() -> By {
    By::Own(owner().public_key().id())
}
pub fn act(sequence: u32, by: By, change: Change) -> AccountAct {
    AccountAct { uscc: company(), sequence, by, change }
}

/// Each act once, in an order in which they may be done, with the key that signs it.
pub fn acts() -> Vec<(&'static str, AccountAct, SecretKey)> {
    let second_id = second().public_key().id();
    let revoked = delegate().public_key().id();
    let own = |sequence, change| act(sequence, by_owner(), change);
    let replaced = List::new(vec![second().public_key()]).unwrap();
    vec![
        ("account-open", opening(), issuing_key(0)),
        ("account-add-key", own(1, Change::AddKey(second().public_key())), owner()),
        ("account-set-delegate", own(2, Change::SetDelegate(grant())), owner()),
        ("account-remove-key", own(3, Change::RemoveKey(second_id)), owner()),
        ("account-revoke-delegate", own(4, Change::RevokeDelegate(revoked)), owner()),
        ("account-close", own(5, Change::Close), owner()),
        ("account-replace-keys", act(6, by_bureau(), Change::ReplaceKeys(replaced)), issuing_key(0)),
    ]
}

pub fn signed(act: AccountAct, key: &SecretKey) -> SignedAccountAct {
    act.sign(&chain(), key).unwrap()
}

/// The account after its delegate was named.
pub fn account() -> EnterpriseAccount {
    EnterpriseAccount {
        uscc: company(),
        opened_by: bureau(0),
        type_code: TYPE.parse().unwrap(),
        keys: List::new(vec![owner().public_key(), second().public_key()]).unwrap(),
        delegates: List::new(vec![Delegate { grant: grant(), since: 2, set: NOW, revoked: None }]).unwrap(),
        sequence: 3,
        last: LogIndex(9),
        closed: false,
    }
}

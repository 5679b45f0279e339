//! Acting for an enterprise in a case: with which key, and the mandate that it signs.

use kanhe_proto::account::{EnterpriseAccount, MANDATE_VERSION, Mandate, MandateBody, MandateFault};
use kanhe_proto::case_file::MandateBytes;
use kanhe_proto::hash::CaseId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::item::{Field, FieldKind, ItemCode};
use kanhe_proto::key::{PublicKey, SecretKey, Signer as _};
use kanhe_proto::vote::ChainContext;

use super::read::{AccountFound, read};
use crate::follow::Follower;
use crate::rules::cents;
use crate::talk::{ExitCode, Failure, say};
use crate::wallet::Wallet;

/// Somebody who acts for an enterprise.
#[derive(Debug)]
pub struct Acting {
    /// The account as it was read.
    found: AccountFound,
    account: EnterpriseAccount,
    key: SecretKey,
}

/// The greatest of the amounts that are filled in, in hundredths.
pub fn amount_of<'a>(fields: impl Iterator<Item = (&'a Field, &'a str)>) -> Option<u64> {
    let amounts = fields.filter(|(field, _)| field.kind == FieldKind::Amount);
    amounts.filter_map(|(_, text)| cents(text).ok()).filter_map(|amount| u64::try_from(amount).ok()).max()
}

impl Acting {
    /// Reads the account and finds a key of this wallet that may act for it; refuses before anything leaves what every bureau
    /// would refuse.
    pub fn find(
        follower: &mut Follower,
        wallet: &Wallet,
        uscc: &Uscc,
        item: &ItemCode,
        amount: Option<u64>,
    ) -> Result<Self, Failure> {
        let found = read(follower, uscc)?;
        let account = found.needed(uscc)?.clone();
        let time = found.certified.header.time;
        let delegates = account.delegates.iter().map(|delegate| &delegate.grant.key);
        let mut refused = MandateFault::Unknown;
        for key in account.keys.iter().chain(delegates) {
            let Some(secret) = wallet.secret_of(key)? else { continue };
            match allowed(&account, key, item, time, amount) {
                Ok(()) => return Ok(Self { found, account: account.clone(), key: secret }),
                Err(fault) => refused = fault,
            }
        }
        let why = say(&format!("desk.fault.{}", refused.code()), &[]);
        let message = say("account.no_mandate", &[("uscc", uscc), ("why", &why)]);
        Err(Failure::reported(ExitCode::Refused, refused.code(), message)
            .with_hint(say("account.no_mandate_hint", &[])))
    }

    /// The enterprise.
    pub const fn uscc(&self) -> Uscc {
        self.account.uscc
    }
    /// Whether the key is the account's own, without limits.
    pub fn is_owner(&self) -> bool {
        self.account.keys.contains(&self.key.public_key())
    }

    /// The mandate for a place of a case.
    pub fn mandate(
        &self,
        chain: &ChainContext,
        case: CaseId,
        slot: u8,
        item: &ItemCode,
    ) -> Result<MandateBytes, Failure> {
        let body = MandateBody {
            version: MANDATE_VERSION,
            case,
            slot,
            item: item.clone(),
            account: self.account.uscc,
            key: self.key.public_key(),
        };
        let (certified, leaf) = (self.found.certified.clone(), self.found.leaf.clone());
        let signed: Mandate = body
            .sign(chain, &self.key, certified, leaf)
            .map_err(|error| Failure::reported(ExitCode::Failure, "not_signed", error))?;
        MandateBytes::new(signed.encode())
            .map_err(|error| Failure::reported(ExitCode::Failure, "mandate_too_long", error))
    }
}

fn allowed(
    account: &EnterpriseAccount,
    key: &PublicKey,
    item: &ItemCode,
    time: TimeMs,
    amount: Option<u64>,
) -> Result<(), MandateFault> {
    match account.allows(key, item.as_str(), time)? {
        kanhe_proto::account::Allowed::Own => Ok(()),
        // In how many cases it acted each bureau knows for itself.
        kanhe_proto::account::Allowed::Delegate(delegate) => delegate.check_limits(amount, 0),
    }
}

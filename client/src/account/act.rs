//! Signing acts: by a key of the account, or by the bureau's issuing key.

use kanhe_proto::account::{AccountAct, By, Change, SignedAccountAct};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::key::{SecretKey, Signer as _};

use super::read::read;
use super::send::{Sent, send};
use crate::follow::Follower;
use crate::issuer::Office;
use crate::talk::{ExitCode, Failure};
use crate::wallet::Wallet;

fn not_signed(error: kanhe_proto::key::SignError) -> Failure {
    Failure::reported(ExitCode::Failure, "not_signed", error)
}

/// Changes an account by a key that the wallet has of it.
pub fn change(follower: &mut Follower, wallet: &Wallet, uscc: &Uscc, change: Change) -> Result<Sent, Failure> {
    let found = read(follower, uscc)?;
    let account = found.needed(uscc)?;
    let key: SecretKey = wallet.owner_of(account)?;
    let act = AccountAct { uscc: *uscc, sequence: account.sequence, by: By::Own(key.public_key().id()), change };
    let signed = act.sign(&follower.trust().chain, &key).map_err(not_signed)?;
    send(follower, &signed)
}

/// An act of the bureau, signed by its issuing key.
pub fn signed_by_bureau(
    office: &Office,
    uscc: Uscc,
    sequence: u32,
    change: Change,
) -> Result<SignedAccountAct, Failure> {
    let by = By::Bureau { bureau: office.issuer, key: office.key.public_key().id() };
    AccountAct { uscc, sequence, by, change }.sign(&office.chain, &office.key).map_err(not_signed)
}

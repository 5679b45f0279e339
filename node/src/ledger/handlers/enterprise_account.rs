//! Opens and changes accounts of enterprises.
//!
//! What an act changes is `proto`'s to say ([`EnterpriseAccount::after`]); here is who may do it: an issuing key of a bureau
//! that is accredited now for the type under which the account is opened, or a key of the account.

use kanhe_proto::account::{
    AccountAct, AccountPayload, AccountRecord, By, Change, EnterpriseAccount, SignedAccountAct,
};
use kanhe_proto::identifiers::{TypeCode, Uscc};
use kanhe_proto::ids::LogIndex;
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::record::Record;
use kanhe_proto::transaction::TransactionKind;

use crate::ledger::code::{Code, Refusal};
use crate::ledger::execution::{Execution, Staged};
use crate::ledger::registry::Registry;
use crate::ledger::view::View;

/// Acts of a transaction, all or none; a later one sees what an earlier one did.
pub(in crate::ledger) fn execute<V: View>(
    execution: &mut Execution<'_, V>,
    payload: &AccountPayload,
    staged: &mut Staged,
) -> Result<TransactionKind, Refusal> {
    if payload.acts.is_empty() {
        return Err(Code::NoChanges.into());
    }
    staged.signatures = payload.signatures();
    for signed in &payload.acts {
        act(execution, signed, staged)?;
    }
    Ok(TransactionKind::EnterpriseAccount)
}

fn act<V: View>(
    execution: &mut Execution<'_, V>,
    signed: &SignedAccountAct,
    staged: &mut Staged,
) -> Result<(), Refusal> {
    let act = &signed.act;
    // Read in any case: an account is changed only after that.
    let known = execution.accounts.get(execution.view, &act.uscc)?;
    let known = staged.accounts.get(&act.uscc).or(known);
    let (before, mut after) = match (known, &act.change) {
        (Some(_), Change::Open(_)) => return Err(Code::AccountExists.into()),
        (None, Change::Open(opening)) => {
            if !execution.registry.is_of_enterprises(&opening.type_code, opening.type_version)? {
                return Err(Code::AccountType.into());
            }
            (None, opening.open(act).map_err(Code::from)?)
        }
        (None, _) => return Err(Code::AccountUnknown.into()),
        (Some(account), _) => (Some(account.last), account.after(act, execution.context.time).map_err(Code::from)?),
    };
    // Who acts is named by the account as it was: a key does not let itself in.
    let key = signer(&mut execution.registry, act, known, &after.type_code)?;
    signed.verify(&execution.context.chain, &key).map_err(|_| Code::AccountSignature)?;
    after.last = LogIndex(execution.log_size() + staged.records.len() as u64);
    let (height, time) = (execution.context.height, execution.context.time);
    staged.records.push(AccountRecord { before, signed: signed.clone(), height, time }.to_record());
    staged.accounts.insert(act.uscc, after);
    Ok(())
}

/// The key that must have signed.
fn signer<V: View>(
    registry: &mut Registry<'_, V>,
    act: &AccountAct,
    account: Option<&EnterpriseAccount>,
    type_code: &TypeCode,
) -> Result<PublicKey, Refusal> {
    match &act.by {
        By::Bureau { bureau, key } => issuing_key(registry, *bureau, *key, type_code),
        By::Own(id) => {
            let key = account.and_then(|account| account.key(id)).cloned();
            key.ok_or_else(|| Code::AccountNotNamed.into())
        }
    }
}

fn issuing_key<V: View>(
    registry: &mut Registry<'_, V>,
    bureau: Uscc,
    key: KeyId,
    type_code: &TypeCode,
) -> Result<PublicKey, Refusal> {
    let found = registry.issuing_key(bureau, key)?.cloned();
    let found = found.ok_or(Code::AccountNotNamed)?;
    match registry.is_accredited(bureau, type_code)? {
        true => Ok(found),
        false => Err(Code::NotAccredited.into()),
    }
}

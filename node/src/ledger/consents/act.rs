//! A consent is given, or taken back.

use kanhe_proto::consent::{Consent, Grant, SignedAct, Withdraw, consent_id};
use kanhe_proto::ids::LogIndex;
use kanhe_proto::key::PublicKey;

use super::require;
use super::turn::Turn;
use crate::ledger::code::{Code, Refusal};
use crate::ledger::view::View;

pub(super) fn grant<V: View>(turn: &mut Turn<'_, '_, V>, signed: &SignedAct, grant: &Grant) -> Result<(), Refusal> {
    let time = turn.time();
    // A leaf stays for longer than a grant can be good, so none comes again after its consent is forgotten.
    grant.check(time).map_err(Code::from)?;
    let id = consent_id(&turn.context().chain.chain_id, &grant.key);
    require(turn.find(&id)?.is_none(), Code::ConsentExists)?;
    require(turn.execution.registry.is_member(grant.grantee)?, Code::NotMember)?;
    turn.require_public(&grant.purpose)?;
    verify(turn, signed, &grant.key)?;
    turn.record(Consent::granted(id, grant, time, LogIndex(0)), None, signed);
    Ok(())
}

pub(super) fn withdraw<V: View>(
    turn: &mut Turn<'_, '_, V>,
    signed: &SignedAct,
    withdraw: &Withdraw,
) -> Result<(), Refusal> {
    let time = turn.time();
    let mut consent = turn.known(&withdraw.consent)?;
    consent.check_withdraw(time).map_err(Code::from)?;
    verify(turn, signed, &consent.key)?;
    let before = consent.last;
    consent.withdrawn = Some(time);
    turn.record(consent, Some(before), signed);
    Ok(())
}

fn verify<V: View>(turn: &Turn<'_, '_, V>, signed: &SignedAct, key: &PublicKey) -> Result<(), Refusal> {
    signed.verify(&turn.context().chain, key).map_err(|_| Code::ConsentSignature.into())
}

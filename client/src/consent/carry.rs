//! Finishing what a wallet has begun with a consent, and taking one back.

use std::time::Duration;

use kanhe_proto::bounded::{Blob, List};
use kanhe_proto::codec;
use kanhe_proto::consent::{Act, ConsentPayload, Withdraw};
use kanhe_proto::hash::ConsentId;
use kanhe_proto::vote::ChainContext;

use super::explain;
use super::own::{OwnConsent, Pending, Shelf, State};
use super::read::standing;
use crate::bring::{Bringing, bring};
use crate::follow::Follower;
use crate::talk::{ExitCode, Failure};
use crate::wallet::Wallet;

const BRINGING: Bringing<'static> = Bringing {
    patience: Duration::from_secs(120),
    may_lag: &["consent_unknown", "consent_withdrawn", "consent_over"],
    unsettled: "consent_unsettled",
};

/// Brings an unfinished act onto the chain and proves it there. One that the chain refuses is not tried again: the consent
/// has the code.
pub fn carry(wallet: &Wallet, follower: &mut Follower, own: &mut OwnConsent) -> Result<(), Failure> {
    let Some(pending) = own.pending.clone() else { return Ok(()) };
    let signed = pending.act()?;
    let payload = ConsentPayload { acts: List::new(vec![signed.clone()]).expect("one of several") }.to_bytes();
    let is_grant = matches!(signed.act, Act::Grant(_));
    let id = own.id;
    let sent = bring(
        &BRINGING,
        follower,
        |node| node.consent_acts(&payload),
        |follower| {
            let found = standing(follower, &id)?.consent;
            Ok(found.filter(|consent| is_grant || consent.withdrawn.is_some()).map(|_| ()))
        },
    );
    let shelf = Shelf::of(wallet);
    match sent {
        Ok(()) => {
            own.state = if is_grant { State::Given } else { State::Withdrawn };
            (own.pending, own.refused) = (None, None);
            shelf.put(own)
        }
        // A node's word is not enough to leave a withdrawal: only what is proved to be over needs none.
        Err(failure) if failure.exit == ExitCode::Refused && !is_grant && is_readable(follower, &id)? => {
            Err(explain(failure))
        }
        Err(failure) if failure.exit == ExitCode::Refused => {
            own.pending = None;
            if is_grant {
                own.state = State::Refused;
            } else {
                own.state = State::Withdrawn;
            }
            own.refused = Some(failure.code.clone());
            shelf.put(own)?;
            Err(explain(failure))
        }
        Err(failure) => Err(failure),
    }
}

/// Whether the chain has a consent under which somebody can read.
fn is_readable(follower: &mut Follower, id: &ConsentId) -> Result<bool, Failure> {
    let found = standing(follower, id)?;
    Ok(found.consent.is_some_and(|consent| consent.withdrawn.is_none() && found.time <= consent.not_after))
}

/// Makes what takes a consent back and keeps it before it leaves; an unfinished grant is brought to its end before.
pub fn withdraw(wallet: &Wallet, chain: &ChainContext, own: &mut OwnConsent) -> Result<(), Failure> {
    let act = Act::Withdraw(Withdraw { consent: own.id });
    let signed = act.sign(chain, &own.key.key());
    let signed = signed.map_err(|error| Failure::reported(ExitCode::Failure, "not_signed", error))?;
    let act = Blob::new(codec::encode(&signed));
    own.pending =
        Some(Pending { act: act.map_err(|error| Failure::reported(ExitCode::Failure, "not_signed", error))? });
    Shelf::of(wallet).put(own)
}

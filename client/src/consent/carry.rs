//! Finishing what a wallet has begun with a consent, and taking one back.

use std::time::Duration;

use kanhe_proto::bounded::{Blob, List};
use kanhe_proto::codec;
use kanhe_proto::consent::{Act, ConsentPayload, Grant, Withdraw};
use kanhe_proto::hash::ConsentId;
use kanhe_proto::vote::ChainContext;

use super::explain;
use super::own::{OwnConsent, Pending, Shelf, State};
use super::read::{Standing, standing};
use crate::bring::{Bringing, LAG, bring};
use crate::follow::Follower;
use crate::talk::{ExitCode, Failure};
use crate::wallet::Wallet;

const BRINGING: Bringing<'static> = Bringing {
    patience: Duration::from_secs(120),
    lag: LAG,
    may_lag: &["consent_unknown", "consent_withdrawn", "consent_over"],
    unsettled: "consent_unsettled",
};

/// Brings an unfinished act onto the chain and proves it there. Of one that is refused the consent has the code; a grant
/// is kept all the same, until it is void: whoever was handed it may bring it in, whatever they say.
pub fn carry(wallet: &Wallet, follower: &mut Follower, own: &mut OwnConsent) -> Result<(), Failure> {
    let Some(pending) = own.pending.clone() else { return Ok(()) };
    let signed = pending.act()?;
    let payload = ConsentPayload { acts: List::new(vec![signed.clone()]).expect("one of several") }.to_bytes();
    let is_grant = matches!(signed.act, Act::Grant(_));
    let id = own.id;
    let lag = if own.refused.is_some() { Duration::ZERO } else { LAG };
    let sent = bring(
        &Bringing { lag, ..BRINGING },
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
            own.state = if is_grant { State::Refused } else { State::Withdrawn };
            let may_come = match &signed.act {
                Act::Grant(grant) => !is_void(&standing(follower, &id)?, grant),
                Act::Withdraw(_) => false,
            };
            if !may_come {
                own.pending = None;
            }
            own.refused = Some(failure.code.clone());
            shelf.put(own)?;
            Err(explain(failure))
        }
        Err(failure) => Err(failure),
    }
}

/// Whether no block takes a grant any more, and none has.
fn is_void(found: &Standing, grant: &Grant) -> bool {
    found.consent.is_none() && found.time > grant.accept_before
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

#[cfg(test)]
pub(crate) mod tests {
    use kanhe_proto::bounded::Text;
    use kanhe_proto::consent::Consent;
    use kanhe_proto::hash::Commitment;
    use kanhe_proto::ids::{LogIndex, TimeMs};
    use kanhe_proto::key::{SecretKey, Signer as _};

    use super::*;

    /// A grant of so many reads, good until the millisecond 1,000 if a block has it by 50.
    pub(crate) fn grant(reads: u32) -> Grant {
        Grant {
            key: SecretKey::from_seed([1; 32]).public_key(),
            accept_before: TimeMs(50),
            grantee: "91350100M000100Y43".parse().unwrap(),
            purpose: Text::new("treatment").unwrap(),
            not_after: TimeMs(1_000),
            reads,
            terms: Commitment([2; 32]),
        }
    }

    #[test]
    fn a_grant_is_void_once_the_chain_is_past_its_time_without_it() {
        let grant = grant(1);
        let at = |consent, time| Standing { consent, withdrawing: false, time: TimeMs(time) };
        assert!(!is_void(&at(None, 50), &grant), "a block of this very time takes it");
        assert!(is_void(&at(None, 51), &grant));
        let granted = Consent::granted(ConsentId([1; 32]), &grant, TimeMs(10), LogIndex(0));
        assert!(!is_void(&at(Some(granted), 51), &grant));
    }
}

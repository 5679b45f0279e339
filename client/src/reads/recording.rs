//! The record of a read on its way onto the chain, until it is proved or can never be there.
//!
//! That nodes refuse it is their word: one that lies may bring it in later. So it counts only once no block can record it
//! any more, by the time that is proved or by its consent as it is proved; until then it is tried again.

use std::time::Duration;

use kanhe_proto::bounded::List;
use kanhe_proto::consent::{Basis, ConsentError, ReadPayload, ReadRequest, SignedRead};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::transaction::Payload;

use crate::bring::{Bringing, LAG, bring};
use crate::clock;
use crate::consent::{self, Standing};
use crate::follow::Follower;
use crate::issuer::{Office, transaction};
use crate::talk::{ExitCode, Failure};

const BRINGING: Bringing<'static> = Bringing {
    patience: Duration::from_secs(90),
    lag: LAG,
    // The latter three are said of a read that a block has taken meanwhile, too.
    may_lag: &["consent_unknown", "read_case", "read_twice", "consent_order", "consent_spent"],
    unsettled: "read_unsettled",
};

/// What became of a signed read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Recorded {
    /// The chain has it.
    There {
        /// Where.
        index: LogIndex,
        /// When.
        time: TimeMs,
    },
    /// It has it not, and never will: the chain's code.
    Never(String),
    /// Nodes refuse it, and nothing proves them right.
    Open,
}

/// How a read is brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Try {
    /// For the first time: a node that may be behind is waited for.
    First,
    /// Once more.
    Again,
}

/// Why no block after the one of this consent records a read under it; nothing as long as one may.
fn impossible(found: &Standing, request: &ReadRequest) -> Option<&'static str> {
    let Basis::Consent(under) = &request.basis else { return None };
    // The source has seen it before it signed, and what is forgotten never comes again.
    let Some(consent) = &found.consent else { return Some("consent_unknown") };
    match consent.check_read(request, found.time) {
        Ok(()) => None,
        // Its turn is still to come.
        Err(ConsentError::Order(next)) if next < under.n => None,
        Err(error) => Some(error.code()),
    }
}

/// Where the chain has a read of this source, looked for from a number on.
fn find(follower: &mut Follower, source: &Uscc, signed: &SignedRead, from: u64) -> Result<Option<Recorded>, Failure> {
    let chain = follower.trust().chain;
    let id = signed.request().id(&chain);
    let mut found = None;
    consent::list(follower, source, from, |_, proved, record| {
        if record.read.request().id(&chain) == id {
            // The same request may be recorded by another desk of the source, with other content.
            let ours = record.read.read == signed.read;
            let there = Recorded::There { index: proved.index, time: record.time };
            found = Some(if ours { there } else { Recorded::Never("read_twice".to_owned()) });
        }
        found.is_none()
    })?;
    Ok(found)
}

/// Brings a read onto the chain, in a transaction of the source's own; `from` is a number below which it cannot be.
pub(super) fn record(
    office: &Office,
    follower: &mut Follower,
    signed: &SignedRead,
    from: u64,
    tried: Try,
) -> Result<Recorded, Failure> {
    let source = &office.issuer;
    follower.update()?;
    let newest = follower.trust().newest().map_or(TimeMs(0), |newest| newest.time);
    if newest > signed.request().good_until() {
        let found = find(follower, source, signed, from)?;
        return Ok(found.unwrap_or_else(|| Recorded::Never("read_time".to_owned())));
    }
    let payload = ReadPayload { reads: List::new(vec![signed.clone()]).expect("one of several") };
    // A read is recorded once, in whatever transaction: one that is void is simply followed by another.
    let (transaction, _) = transaction(office, &Payload::AccessRecord(payload), clock::now())?;
    let bytes = transaction.to_bytes();
    let lag = if tried == Try::First { LAG } else { Duration::ZERO };
    let bringing = Bringing { lag, ..BRINGING };
    let brought =
        bring(&bringing, follower, |node| node.submit(&bytes), |follower| find(follower, source, signed, from));
    match brought {
        Err(failure) if failure.exit == ExitCode::Refused => refused(follower, source, signed, from),
        other => other,
    }
}

/// What a refusal by all nodes comes to.
fn refused(follower: &mut Follower, source: &Uscc, signed: &SignedRead, from: u64) -> Result<Recorded, Failure> {
    // That something was refused needs no consent: only time ends it.
    if signed.read.refused().is_some() {
        return Ok(Recorded::Open);
    }
    let Basis::Consent(under) = &signed.request().basis else { return Ok(Recorded::Open) };
    let standing = consent::standing(follower, &under.id)?;
    let Some(code) = impossible(&standing, signed.request()) else { return Ok(Recorded::Open) };
    // It may be recorded already, and have used the consent itself: looked for under a header that is no older.
    Ok(find(follower, source, signed, from)?.unwrap_or_else(|| Recorded::Never(code.to_owned())))
}

#[cfg(test)]
mod tests {
    use kanhe_proto::consent::{Consent, Statutory, Under};
    use kanhe_proto::hash::{Commitment, ConsentId};

    use super::*;
    use crate::consent::tests::grant;

    const ID: ConsentId = ConsentId([1; 32]);

    fn consent() -> Consent {
        Consent::granted(ID, &grant(3), TimeMs(10), LogIndex(0))
    }

    fn request(basis: Basis) -> ReadRequest {
        ReadRequest {
            source: consent().grantee,
            reader: consent().grantee,
            key: consent().key.id(),
            basis,
            purpose: consent().purpose,
            nonce: [0; 32],
            time: TimeMs(20),
            asked: Commitment([3; 32]),
        }
    }

    #[test]
    fn a_refusal_counts_once_the_consent_proves_it() {
        let under = |n| request(Basis::Consent(Under { id: ID, n }));
        let why = |consent: Option<Consent>, time, request: &ReadRequest| {
            impossible(&Standing { consent, withdrawing: true, time: TimeMs(time) }, request)
        };
        let first = consent().next();
        assert_eq!(why(Some(consent()), 100, &under(first)), None, "as far as the chain goes it may be recorded");
        assert_eq!(why(Some(consent()), 100, &under(first + 1)), None, "the one before it is still on its way");
        let used = Consent { left: 2, ..consent() };
        assert_eq!(why(Some(used.clone()), 100, &under(first)), Some("consent_order"));
        assert_eq!(why(Some(used), 100, &under(first + 1)), None);
        let withdrawn = Consent { withdrawn: Some(TimeMs(99)), ..consent() };
        assert_eq!(why(Some(withdrawn), 100, &under(first)), Some("consent_withdrawn"));
        assert_eq!(why(Some(Consent { left: 0, ..consent() }), 100, &under(first)), Some("consent_spent"));
        assert_eq!(why(Some(consent()), 1_001, &under(first)), Some("consent_over"));
        assert_eq!(why(None, 100, &under(first)), Some("consent_unknown"));
        let statutory = Basis::Statutory(Statutory { ground: consent().purpose, case: None });
        assert_eq!(why(None, 100, &request(statutory)), None, "only time proves it");
    }
}

//! The record of a read on its way onto the chain, until it is proved or can never be there.

use std::time::Duration;

use kanhe_proto::bounded::List;
use kanhe_proto::consent::{ReadPayload, SignedRead};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::transaction::Payload;

use crate::bring::{Bringing, bring};
use crate::clock;
use crate::consent;
use crate::follow::Follower;
use crate::issuer::{Office, transaction};
use crate::talk::{ExitCode, Failure};

const BRINGING: Bringing<'static> = Bringing {
    patience: Duration::from_secs(90),
    // The latter three are said of a read that a block has taken meanwhile, too.
    may_lag: &["consent_unknown", "read_case", "read_twice", "consent_order", "consent_spent"],
    unsettled: "read_unsettled",
};

/// What became of a signed read, proved.
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
    let brought =
        bring(&BRINGING, follower, |node| node.submit(&bytes), |follower| find(follower, source, signed, from));
    match brought {
        Ok(found) => Ok(found),
        Err(failure) if failure.exit == ExitCode::Refused => Ok(Recorded::Never(failure.code)),
        Err(failure) => Err(failure),
    }
}

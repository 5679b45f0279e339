//! Whether something may be granted, taken back or read now, as far as the consent and the clock decide: the state machine,
//! wallets, readers and sources ask the same.

use super::act::Grant;
use super::leaf::Consent;
use super::read::{Basis, ReadRequest};
use crate::ids::{SpanMs, TimeMs};
use crate::limits::{
    CONSENT_ACCEPT_AHEAD_MAX_MS, CONSENT_LIFE_MAX_MS, CONSENT_READS_MAX, READ_AGE_MAX_MS, READ_AHEAD_MAX_MS,
};

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConsentError {
    /// No key, number of reads or time that a consent can have.
    #[error("a consent needs an Ed25519 key of its own, 1 to 1,000 reads, and an end within 90 days")]
    Shape,
    /// The grant is void by now, or would be good for more than a day.
    #[error("the grant had to be accepted before, or may be for longer than a day")]
    Late,
    /// It was taken back.
    #[error("the consent was withdrawn")]
    Withdrawn,
    /// Its time is over.
    #[error("the consent's time is over")]
    Over,
    /// All its reads are used.
    #[error("all reads of the consent are used")]
    Spent,
    /// Not its next read.
    #[error("the next read of the consent is {0}")]
    Order(u32),
    /// Another reader or purpose than it is for.
    #[error("the consent is for another reader or purpose")]
    Other,
    /// The request is too old, or from later than the block.
    #[error("the request is older than 10 minutes, or of a time to come")]
    Time,
}

impl ConsentError {
    /// The stable reason code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shape => "consent_shape",
            Self::Late => "consent_late",
            Self::Withdrawn => "consent_withdrawn",
            Self::Over => "consent_over",
            Self::Spent => "consent_spent",
            Self::Order(_) => "consent_order",
            Self::Other => "consent_other",
            Self::Time => "read_time",
        }
    }
}

fn require(holds: bool, error: ConsentError) -> Result<(), ConsentError> {
    if holds { Ok(()) } else { Err(error) }
}

/// Whether `time` is not before `from` and at most `span` after it.
fn within(time: TimeMs, from: TimeMs, span: u64) -> bool {
    time >= from && time <= from.after(SpanMs(span))
}

impl Grant {
    /// Whether a block of this time takes it.
    pub fn check(&self, time: TimeMs) -> Result<(), ConsentError> {
        require(within(self.accept_before, time, CONSENT_ACCEPT_AHEAD_MAX_MS), ConsentError::Late)?;
        let ends = self.not_after > time && within(self.not_after, time, CONSENT_LIFE_MAX_MS);
        let reads = (1..=CONSENT_READS_MAX).contains(&self.reads);
        require(ends && reads && self.key.verifier().is_ok(), ConsentError::Shape)
    }
}

impl Consent {
    /// Whether it still lets anybody read in a block of this time.
    pub fn check(&self, time: TimeMs) -> Result<(), ConsentError> {
        require(self.withdrawn.is_none(), ConsentError::Withdrawn)?;
        require(time <= self.not_after, ConsentError::Over)?;
        require(self.left > 0, ConsentError::Spent)
    }
    /// Whether it can still be taken back: also when all its reads are used.
    pub fn check_withdraw(&self, time: TimeMs) -> Result<(), ConsentError> {
        require(self.withdrawn.is_none(), ConsentError::Withdrawn)?;
        require(time <= self.not_after, ConsentError::Over)
    }
    /// Whether a block of this time records this read under it. What is asked must be within its terms besides, which only
    /// the source can tell: [`Terms::check`](super::Terms::check).
    pub fn check_read(&self, request: &ReadRequest, time: TimeMs) -> Result<(), ConsentError> {
        let named = matches!(&request.basis, Basis::Consent(under) if under.id == self.id);
        require(named && request.reader == self.grantee && request.purpose == self.purpose, ConsentError::Other)?;
        self.check(time)?;
        let next = self.next();
        let in_order = matches!(&request.basis, Basis::Consent(under) if under.n == next);
        require(in_order, ConsentError::Order(next))
    }
}

impl ReadRequest {
    /// Whether a block of this time records it.
    pub fn check_time(&self, time: TimeMs) -> Result<(), ConsentError> {
        let not_ahead = self.time <= time.after(SpanMs(READ_AHEAD_MAX_MS));
        require(not_ahead && time <= self.good_until(), ConsentError::Time)
    }
    /// The last moment at which it may be recorded.
    pub const fn good_until(&self) -> TimeMs {
        self.time.after(SpanMs(READ_AGE_MAX_MS))
    }
}

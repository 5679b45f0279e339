//! Whether a peer's transactions are passed on.

use super::submission::Submission;
use crate::network::Verdict;

/// The verdict on one message of a peer.
///
/// Passed on only if there is something new in it and every signature in it holds: whoever passes on a wrong one is
/// held responsible by the next node.
pub fn verdict<C>(submissions: &[Submission<C>]) -> Verdict {
    let mut new = false;
    let mut doubt = false;
    for submission in submissions {
        match submission {
            Submission::Malformed(_) | Submission::WrongSignature { .. } => return Verdict::Reject,
            Submission::Accepted(_) => new = true,
            Submission::Known { signed: true, .. } => {}
            Submission::Known { .. } | Submission::Refused { .. } | Submission::Full { .. } | Submission::Busy => {
                doubt = true;
            }
        }
    }
    if new && !doubt { Verdict::Accept } else { Verdict::Ignore }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mempool::TransactionState;
    use kanhe_proto::codec::CodecError;
    use kanhe_proto::hash::TransactionId;

    #[test]
    fn only_new_and_signed_transactions_are_passed_on() {
        let id = TransactionId([1; 32]);
        let new = Submission::<u8>::Accepted(id);
        let known = |signed| Submission::<u8>::Known { id, state: TransactionState::Pending, signed };
        assert_eq!(verdict(&[new.clone(), known(true)]), Verdict::Accept);
        assert_eq!(verdict(&[known(true)]), Verdict::Ignore);
        assert_eq!(verdict(&[new.clone(), known(false)]), Verdict::Ignore);
        assert_eq!(verdict(&[new.clone(), Submission::Refused { id, code: 1 }]), Verdict::Ignore);
        assert_eq!(verdict(&[Submission::Busy, Submission::WrongSignature { id, code: 1 }]), Verdict::Reject);
        assert_eq!(verdict(&[new, Submission::Malformed(CodecError::NotCanonical)]), Verdict::Reject);
        assert_eq!(verdict::<u8>(&[]), Verdict::Ignore);
    }
}

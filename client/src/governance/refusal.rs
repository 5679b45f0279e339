//! What the chain's codes of refusal mean, and what to do.

use crate::talk::{ExitCode, Failure, say};

/// Codes that the catalogue explains under `gov.refused` and `gov.hint`.
const CODES: [&str; 25] = [
    "unknown_sender",
    "unknown_key",
    "unknown_kind",
    "key_role",
    "key_not_valid",
    "key_distrusted",
    "key_seated",
    "proposal_wrong",
    "proposal_lifetime",
    "parameters_wrong",
    "proposal_unknown",
    "proposal_expired",
    "proposal_exists",
    "proposal_limit",
    "vote_signature",
    "not_member",
    "not_own",
    "would_halt",
    "power_change",
    "no_such",
    "exists_already",
    "possession_wrong",
    "registry_full",
    "protocol_wrong",
    "effective_later",
];

/// A refusal by the chain in words, with what to do about it; anything else as it is.
pub fn explain(failure: Failure) -> Failure {
    if failure.exit != ExitCode::Refused || !CODES.contains(&failure.code.as_str()) {
        return failure;
    }
    let message = say(&format!("gov.refused.{}", failure.code), &[]);
    let message = say("gov.refusal", &[("code", &failure.code), ("why", &message)]);
    let hint = say(&format!("gov.hint.{}", failure.code), &[]);
    Failure::reported(ExitCode::Refused, &failure.code, message).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::talk::{Lang, say_in};

    #[test]
    fn every_code_is_explained_in_both_languages() {
        for code in CODES {
            for (lang, group) in [Lang::Zh, Lang::En].into_iter().flat_map(|lang| [(lang, "refused"), (lang, "hint")]) {
                let key = format!("gov.{group}.{code}");
                assert!(!say_in(lang, &key, &[]).ends_with(&key), "{key}");
            }
        }
        let known = explain(Failure::reported(ExitCode::Refused, "would_halt", "x"));
        assert!(known.message.contains("would_halt") && known.hint.is_some() && known.exit == ExitCode::Refused);
        let other = Failure::reported(ExitCode::Refused, "stale_history", "x");
        assert_eq!(explain(other.clone()), other);
    }
}

//! What the chain's codes of refusal mean for a case, and what to do.

use crate::talk::{ExitCode, Failure, say};

/// Codes that the catalogue explains under `case.refused` and `case.hint`.
const CODES: [&str; 17] = [
    "case_exists",
    "case_opening_late",
    "item_not_in_force",
    "case_shape",
    "case_signature",
    "case_not_named",
    "case_round",
    "case_not_ready",
    "case_decided",
    "case_over",
    "case_presented",
    "case_rounds",
    "case_ground",
    "case_not_over",
    "case_rated",
    "case_unknown",
    "no_sponsor",
];

/// Codes with which nodes take no part of a file, explained in the same places.
const FILE_CODES: [&str; 6] = [
    "case_files_full",
    "case_files_case_full",
    "case_files_authors",
    "case_file_stranger",
    "case_file_signature",
    "case_file_version",
];

/// A refusal by the chain or a node in words, with what to do about it; anything else as it is.
pub fn explain(failure: Failure) -> Failure {
    let group = match failure.code.as_str() {
        code if CODES.contains(&code) => "case.refusal",
        code if FILE_CODES.contains(&code) => "case.not_kept",
        _ => return failure,
    };
    let why = say(&format!("case.refused.{}", failure.code), &[]);
    let message = say(group, &[("code", &failure.code), ("why", &why)]);
    let hint = say(&format!("case.hint.{}", failure.code), &[]);
    Failure::reported(failure.exit, &failure.code, message).with_hint(hint)
}

/// A refusal by this code.
pub(super) fn refused(code: &str) -> Failure {
    let message = say("issue.rejected", &[("code", &code)]);
    explain(Failure::reported(ExitCode::Refused, code, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::talk::{Lang, say_in};

    #[test]
    fn every_code_is_explained_in_both_languages() {
        for code in CODES.into_iter().chain(FILE_CODES) {
            for (lang, group) in [Lang::Zh, Lang::En].into_iter().flat_map(|lang| [(lang, "refused"), (lang, "hint")]) {
                let key = format!("case.{group}.{code}");
                assert!(!say_in(lang, &key, &[]).ends_with(&key), "{key}");
            }
        }
        let known = refused("case_over");
        assert!(known.message.contains("case_over") && known.hint.is_some() && known.exit == ExitCode::Refused);
        let other = Failure::reported(ExitCode::Refused, "stale_history", "x");
        assert_eq!(explain(other.clone()), other);
    }
}

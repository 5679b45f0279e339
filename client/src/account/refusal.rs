//! What the chain's codes of refusal mean for an account, and what to do.

use crate::talk::{Failure, say};

/// Codes that the catalogue explains under `account.refused` and `account.hint`.
const CODES: [&str; 11] = [
    "account_exists",
    "account_unknown",
    "account_closed",
    "account_sequence",
    "account_signature",
    "account_not_named",
    "account_type",
    "account_keys",
    "account_delegate",
    "account_delegate_life",
    "not_accredited",
];

/// A refusal by the chain in words, with what to do about it; anything else as it is.
pub fn explain(failure: Failure) -> Failure {
    if !CODES.contains(&failure.code.as_str()) || failure.hint.is_some() {
        return failure;
    }
    let why = say(&format!("account.refused.{}", failure.code), &[]);
    let message = say("account.refusal", &[("code", &failure.code), ("why", &why)]);
    let hint = say(&format!("account.hint.{}", failure.code), &[]);
    Failure::reported(failure.exit, &failure.code, message).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::talk::{ExitCode, Lang, say_in};

    #[test]
    fn every_code_is_explained_in_both_languages() {
        for code in CODES {
            for (lang, group) in [Lang::Zh, Lang::En].into_iter().flat_map(|lang| [(lang, "refused"), (lang, "hint")]) {
                let key = format!("account.{group}.{code}");
                assert!(!say_in(lang, &key, &[]).ends_with(&key), "{key}");
            }
        }
        let known = explain(Failure::reported(ExitCode::Refused, "account_closed", "x"));
        assert!(known.message.contains("account_closed") && known.hint.is_some() && known.exit == ExitCode::Refused);
    }
}

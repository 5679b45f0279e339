//! What the codes of refusals mean for a consent or a read, and what to do.

use crate::talk::{Failure, find, say};

/// A refusal in words, with what to do about it; anything else as it is.
pub fn explain(failure: Failure) -> Failure {
    match words(&failure.code) {
        Some(why) => {
            let message = say("consent.refusal", &[("code", &failure.code), ("why", &why)]);
            let explained = Failure::reported(failure.exit, &failure.code, message);
            match find(&format!("consent.hint.{}", failure.code), &[]) {
                Some(hint) => explained.with_hint(hint),
                None => explained,
            }
        }
        None => failure,
    }
}

/// A code in words, where there are some.
pub fn words(code: &str) -> Option<String> {
    find(&format!("consent.refused.{code}"), &[])
}

//! What can be wrong with an SD-JWT, one code per rule.

use crate::key::SignError;

/// Why an SD-JWT is not accepted, not issued or not presented.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdJwtError {
    /// Not of the form at all.
    #[error("malformed: {0}")]
    Format(&'static str),
    /// More bytes than allowed.
    #[error("{len} bytes are more than the {max} allowed")]
    TooLarge {
        /// What was given.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// More disclosures than allowed.
    #[error("{len} disclosures are more than the {max} allowed")]
    TooManyDisclosures {
        /// What was given.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// Nested too deep, directly or by a chain of disclosures.
    #[error("claims nest too deep")]
    TooDeep,
    /// The signature algorithm is not one in use, or not that of the key.
    #[error("the signature algorithm is not allowed")]
    AlgNotAllowed,
    /// The digest algorithm is not SHA-256.
    #[error("the hash algorithm is not allowed")]
    HashNotAllowed,
    /// `typ` is not exactly what it must be.
    #[error("the header's `typ` is wrong")]
    TypWrong,
    /// The header asks for an extension (`crit`): none is known.
    #[error("the header demands an unknown extension")]
    HeaderCritical,
    /// `kid` is no key URL, not of the given key, or not of the issuer.
    #[error("the header's `kid` is wrong")]
    KidWrong,
    /// The issuer's signature is wrong.
    #[error("the issuer's signature is wrong")]
    SignatureWrong,
    /// Not base64url of an array of salt, name if any, and value.
    #[error("a disclosure is malformed")]
    DisclosureMalformed,
    /// The same disclosure twice.
    #[error("a disclosure is given twice")]
    DisclosureRepeated,
    /// No digest refers to a disclosure.
    #[error("a disclosure belongs to no digest")]
    DisclosureUnused,
    /// A property's disclosure where an element belongs, or the reverse.
    #[error("a disclosure is of the wrong kind for its place")]
    DisclosureKind,
    /// The same digest twice in the whole token.
    #[error("a digest occurs twice")]
    DigestRepeated,
    /// `_sd`, `...` or `_sd_alg` as the name of a claim.
    #[error("a reserved name is used as a claim")]
    ReservedName,
    /// A disclosed claim exists already at its place, or a claim is given twice.
    #[error("a claim is given twice")]
    ClaimCollision,
    /// A claim that must be always visible is selectively disclosed.
    #[error("a claim of the protocol is selectively disclosed")]
    ClaimNotDisclosable,
    /// A claim of the protocol is missing.
    #[error("claim `{0}` is missing")]
    ClaimMissing(&'static str),
    /// A claim of the protocol has another form than it must.
    #[error("claim `{0}` is malformed")]
    ClaimWrong(&'static str),
    /// Nothing is at the path.
    #[error("no claim at {0}")]
    NoSuchClaim(super::ClaimPath),
    /// The holder and the issuer alone know it.
    #[error("{0} is disclosed to nobody")]
    ClaimKept(super::ClaimPath),
    /// No key binding where the verifier needs it.
    #[error("the key binding is missing")]
    KeyBindingMissing,
    /// A key binding where none belongs.
    #[error("an unexpected key binding")]
    KeyBindingUnexpected,
    /// The key binding is not signed by the licence's key.
    #[error("the holder's signature is wrong")]
    KeyBindingSignature,
    /// Not the nonce of the request.
    #[error("the nonce is not that of the request")]
    NonceWrong,
    /// Made for another verifier.
    #[error("the audience is another")]
    AudienceWrong,
    /// The key binding is of another presentation.
    #[error("the key binding is of other bytes")]
    SdHashWrong,
    /// The licences of the response were not presented together.
    #[error("the licences were not presented together")]
    SetWrong,
    /// The key binding is too old or lies ahead.
    #[error("the key binding is not of this time")]
    KeyBindingTime,
    /// Not a public key of a known form.
    #[error("not a public key that is known")]
    JwkWrong,
    /// The signer failed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl SdJwtError {
    /// The stable code of the rule.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Format(_) => "format",
            Self::TooLarge { .. } => "too_large",
            Self::TooManyDisclosures { .. } => "too_many_disclosures",
            Self::TooDeep => "too_deep",
            Self::AlgNotAllowed => "alg_not_allowed",
            Self::HashNotAllowed => "hash_not_allowed",
            Self::TypWrong => "typ_wrong",
            Self::HeaderCritical => "header_critical",
            Self::KidWrong => "kid_wrong",
            Self::SignatureWrong => "signature_wrong",
            Self::DisclosureMalformed => "disclosure_malformed",
            Self::DisclosureRepeated => "disclosure_repeated",
            Self::DisclosureUnused => "disclosure_unused",
            Self::DisclosureKind => "disclosure_kind",
            Self::DigestRepeated => "digest_repeated",
            Self::ReservedName => "reserved_name",
            Self::ClaimCollision => "claim_collision",
            Self::ClaimNotDisclosable => "claim_not_disclosable",
            Self::ClaimMissing(_) => "claim_missing",
            Self::ClaimWrong(_) => "claim_wrong",
            Self::NoSuchClaim(_) => "no_such_claim",
            Self::ClaimKept(_) => "claim_kept",
            Self::KeyBindingMissing => "key_binding_missing",
            Self::KeyBindingUnexpected => "key_binding_unexpected",
            Self::KeyBindingSignature => "key_binding_signature",
            Self::NonceWrong => "nonce_wrong",
            Self::AudienceWrong => "audience_wrong",
            Self::SdHashWrong => "sd_hash_wrong",
            Self::SetWrong => "set_wrong",
            Self::KeyBindingTime => "kb_time",
            Self::JwkWrong => "jwk_wrong",
            Self::Sign(_) => "sign",
        }
    }
}

//! What a consent covers and what a reader asks: committed to on the chain, shown to reader and source alone.
//!
//! Both are kept with the 32 random bytes of their commitment ([`crate::case::commitment`]).

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::trace::TRACE_CLAIM;
use crate::bounded::{List, Text};
use crate::case::commitment;
use crate::codec::{self, CodecError};
use crate::hash::{Commitment, ConsentId, tagged};
use crate::identifiers::{TypeCode, Uscc};
use crate::limits::{CODE_BYTES_MAX, SCOPE_BYTES_MAX, SCOPE_CLAIMS_MAX, SCOPE_TYPES_MAX};
use crate::registry::ClaimName;
use crate::tags;
use crate::text;

/// Layout of both.
const VERSION: u8 = 1;

/// A type, and claims of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct TypeClaims {
    /// The type, in all its versions.
    pub type_code: TypeCode,
    /// Claims, strictly ascending; at least one.
    pub claims: List<ClaimName, SCOPE_CLAIMS_MAX>,
}

/// Types with claims, strictly ascending by type.
pub type Scope = List<TypeClaims, SCOPE_TYPES_MAX>;

/// What a consent covers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Terms {
    /// Layout: 1.
    pub version: u8,
    /// Whose data.
    pub source: Uscc,
    /// Which.
    pub scope: Scope,
}

/// Whom it is about, as the source knows them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Subject {
    /// Kind of the number, as in licences.
    pub id_type: Text<CODE_BYTES_MAX>,
    /// The number.
    pub id_number: Text<CODE_BYTES_MAX>,
}

/// What a reader asks for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Asked {
    /// Layout: 1.
    pub version: u8,
    /// Of whom.
    pub subject: Subject,
    /// What.
    pub scope: Scope,
}

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// Of a layout that is not known.
    #[error("terms of unknown version {0}")]
    Version(u8),
    /// Nothing, out of order, or what is never shown.
    #[error("types and claims must be there, ascend, and be such as may be shown")]
    Scope,
    /// Another source.
    #[error("the consent is for data of another source")]
    Source,
    /// More than was agreed to.
    #[error("more is asked than was agreed to")]
    Beyond,
    /// Not what the chain has a commitment to.
    #[error("these are not the terms that were committed to")]
    Commitment,
}

impl TermsError {
    /// The stable reason code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Version(_) => "terms_version",
            Self::Scope => "terms_scope",
            Self::Source => "terms_source",
            Self::Beyond => "terms_beyond",
            Self::Commitment => "terms_commitment",
        }
    }
}

fn require(holds: bool, error: TermsError) -> Result<(), TermsError> {
    if holds { Ok(()) } else { Err(error) }
}

fn check_scope(scope: &Scope) -> Result<(), TermsError> {
    let claims = |claims: &[ClaimName]| {
        let ascend = claims.windows(2).all(|pair| pair[0] < pair[1]);
        ascend && !claims.is_empty() && claims.iter().all(|claim| !claim.is_empty() && claim.as_str() != TRACE_CLAIM)
    };
    let ascend = scope.windows(2).all(|pair| pair[0].type_code < pair[1].type_code);
    let right = ascend && !scope.is_empty() && scope.iter().all(|of_type| claims(&of_type.claims));
    require(right, TermsError::Scope)
}

/// Whether all of `asked` is in `given`.
fn covers(given: &Scope, asked: &Scope) -> bool {
    asked.iter().all(|wanted| {
        let of_type = given.iter().find(|of_type| of_type.type_code == wanted.type_code);
        of_type.is_some_and(|of_type| wanted.claims.iter().all(|claim| of_type.claims.contains(claim)))
    })
}

impl Terms {
    /// Terms in the current layout.
    pub const fn new(source: Uscc, scope: Scope) -> Self {
        Self { version: VERSION, source, scope }
    }
    /// To be signed in the grant; the random bytes are kept with the terms.
    pub fn commitment(&self, random: &[u8; 32]) -> Commitment {
        commitment(random, &codec::encode(self))
    }
    /// Whether they can be terms at all.
    pub fn check_form(&self) -> Result<(), TermsError> {
        require(self.version == VERSION, TermsError::Version(self.version))?;
        check_scope(&self.scope)
    }
    /// Whether this source may give what is asked, under a consent with this commitment to its terms.
    pub fn check(
        &self,
        committed: &Commitment,
        random: &[u8; 32],
        source: &Uscc,
        asked: &Asked,
    ) -> Result<(), TermsError> {
        self.check_form()?;
        asked.check_form()?;
        require(self.commitment(random) == *committed, TermsError::Commitment)?;
        require(self.source == *source, TermsError::Source)?;
        require(covers(&self.scope, &asked.scope), TermsError::Beyond)
    }
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads terms of anyone; nothing of them is checked yet.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, SCOPE_BYTES_MAX)
    }
}

impl Asked {
    /// In the current layout.
    pub const fn new(subject: Subject, scope: Scope) -> Self {
        Self { version: VERSION, subject, scope }
    }
    /// To be signed in the request; the random bytes go to the source with it.
    pub fn commitment(&self, random: &[u8; 32]) -> Commitment {
        commitment(random, &codec::encode(self))
    }
    /// Whether it can be asked at all.
    pub fn check_form(&self) -> Result<(), TermsError> {
        require(self.version == VERSION, TermsError::Version(self.version))?;
        check_scope(&self.scope)
    }
    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
    /// Reads what anyone asks; nothing of it is checked yet.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, SCOPE_BYTES_MAX)
    }
}

/// Nonce of the presentation, to the source, by which whoever consents shows who they are, as base64url. The chain does not
/// know whose a consent is: without it, one person's consent would open another's data.
pub fn consent_nonce(consent: &ConsentId, terms: &Commitment) -> String {
    text::base64url(&tagged(tags::CONSENT_NONCE, &(consent, terms)))
}

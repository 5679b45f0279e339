//! Reading and verifying a received SD-JWT.

use serde_json::{Map, Value};

use crate::hash::{LicenceDigest, sha256};
use crate::identifiers::KeyUrl;
use crate::key::PublicKey;

use super::jws::UnverifiedJws;
use super::process::{Processed, process};
use super::{
    ClaimPath, DISCLOSURES_MAX, Disclosure, ExpectedBinding, FixedClaims, KeyBinding, SdJwtError, TOKEN_BYTES_MAX, TYP,
    key_binding, sd_hash,
};

/// An SD-JWT of which nothing is proved: it says which key to look up and what its digest is, and no claim.
#[derive(Debug, Clone)]
pub struct UnverifiedSdJwt<'a> {
    /// Everything up to and with the last `~`: what `sd_hash` is over.
    presented: &'a str,
    jwt: UnverifiedJws<'a>,
    kid: KeyUrl,
    disclosures: Vec<&'a str>,
    key_binding: Option<&'a str>,
}

/// A licence whose issuer's signature and structure are proved. That the issuer may issue, the status and the dates
/// are judged with the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedLicence {
    /// The key that signed.
    pub kid: KeyUrl,
    /// Hash of the issuer-signed JWT: the leaf of its batch.
    pub digest: LicenceDigest,
    /// What is always visible of every licence.
    pub fixed: FixedClaims,
    /// The other claims, as far as visible or disclosed; digests and placeholders are gone.
    pub claims: Map<String, Value>,
    /// Paths in `claims` of what the holder chose to disclose.
    pub disclosed: Vec<ClaimPath>,
}

impl<'a> UnverifiedSdJwt<'a> {
    /// Splits an SD-JWT, with key binding or without, and reads the header that finds the key.
    pub fn parse(text: &'a str) -> Result<Self, SdJwtError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(SdJwtError::TooLarge { len: text.len(), max: TOKEN_BYTES_MAX });
        }
        let (presented, last) = text.rsplit_once('~').ok_or(SdJwtError::Format("no `~`"))?;
        let mut parts = presented.split('~');
        let jwt = parts.next().expect("a split text has a first part");
        let disclosures: Vec<&str> = parts.by_ref().take(DISCLOSURES_MAX + 1).collect();
        if disclosures.len() > DISCLOSURES_MAX {
            let len = disclosures.len() + parts.count();
            return Err(SdJwtError::TooManyDisclosures { len, max: DISCLOSURES_MAX });
        }
        if disclosures.contains(&"") {
            return Err(SdJwtError::Format("an empty disclosure"));
        }
        let jwt = UnverifiedJws::parse(jwt, TYP)?;
        let kid = jwt.kid().and_then(|kid| kid.parse().ok()).ok_or(SdJwtError::KidWrong)?;
        Ok(Self {
            presented: &text[..presented.len() + 1],
            jwt,
            kid,
            disclosures,
            key_binding: (!last.is_empty()).then_some(last),
        })
    }
    /// The key to verify under, as the token claims it.
    pub const fn kid(&self) -> &KeyUrl {
        &self.kid
    }
    /// Hash of the issuer-signed JWT: finds the evidence.
    pub fn digest(&self) -> LicenceDigest {
        LicenceDigest(sha256(&[self.jwt.text().as_bytes()]))
    }
    /// Whether a key binding follows.
    pub const fn has_key_binding(&self) -> bool {
        self.key_binding.is_some()
    }
    /// `sd_hash` of the received bytes; over those of a response [`super::set`] is made.
    pub fn sd_hash(&self) -> String {
        sd_hash(self.presented)
    }
    /// The issuer-signed JWT, as received.
    pub const fn issuer_jwt(&self) -> &'a str {
        self.jwt.text()
    }

    /// Proves the licence under the issuer's key and puts the disclosures in place. A key binding is not looked at.
    pub fn verify(&self, issuer_key: &PublicKey) -> Result<VerifiedLicence, SdJwtError> {
        if issuer_key.id() != self.kid.key {
            return Err(SdJwtError::KidWrong);
        }
        let payload = self.jwt.verify(issuer_key)?;
        let (fixed, processed) = self.read(payload)?;
        let mut claims = processed.claims;
        for name in FixedClaims::NAMES {
            claims.remove(name);
        }
        Ok(VerifiedLicence { kid: self.kid.clone(), digest: self.digest(), fixed, claims, disclosed: processed.paths })
    }

    /// Proves a presentation: the licence as [`verify`](Self::verify), and that its holder made these very bytes for
    /// this verifier and request. Whether at the right time is asked of the [`KeyBinding`].
    pub fn verify_presentation(
        &self,
        issuer_key: &PublicKey,
        expected: &ExpectedBinding<'_>,
    ) -> Result<(VerifiedLicence, KeyBinding), SdJwtError> {
        let licence = self.verify(issuer_key)?;
        let key_binding = self.key_binding.ok_or(SdJwtError::KeyBindingMissing)?;
        let binding = key_binding::verify(key_binding, &licence.fixed.holder, &self.sd_hash(), expected)?;
        Ok((licence, binding))
    }

    /// The claims without any proof: for the holder's own licences only.
    pub(super) fn read_unproved(&self) -> Result<(FixedClaims, Processed), SdJwtError> {
        self.read(self.jwt.payload()?)
    }
    pub(super) fn disclosures(&self) -> &[&'a str] {
        &self.disclosures
    }

    fn read(&self, payload: Map<String, Value>) -> Result<(FixedClaims, Processed), SdJwtError> {
        let disclosures = self.disclosures.iter().map(|text| Disclosure::parse(text)).collect::<Result<Vec<_>, _>>()?;
        let processed = process(payload, &disclosures)?;
        let fixed = FixedClaims::read(&processed.claims)?;
        if fixed.issuer != self.kid.did {
            return Err(SdJwtError::KidWrong);
        }
        // `jti` and `iat` may be disclosures by the draft, but here they are part of what every verifier sees.
        let hidden = |path: &ClaimPath| FixedClaims::NAMES.iter().any(|name| ClaimPath::name(name).leads_to(path));
        if processed.paths.iter().any(hidden) {
            return Err(SdJwtError::ClaimNotDisclosable);
        }
        Ok((fixed, processed))
    }
}

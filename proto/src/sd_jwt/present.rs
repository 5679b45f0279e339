//! The holder's side: choose claims, and bind them to the one who asks.

use serde_json::{Map, Value};

use crate::hash::LicenceDigest;
use crate::identifiers::KeyUrl;
use crate::key::Signer;

use super::{ClaimPath, FixedClaims, KEPT_CLAIMS, KeyBinding, SdJwtError, Step, UnverifiedSdJwt, sd_hash};

/// A licence with all its disclosures, in the hands of its holder. Not printed: personal data.
///
/// Its structure is checked, the issuer's signature is not: a wallet verifies a licence once, when it takes it in.
#[derive(Clone, PartialEq, Eq)]
pub struct Holding {
    issuer_jwt: String,
    kid: KeyUrl,
    digest: LicenceDigest,
    fixed: FixedClaims,
    claims: Value,
    disclosures: Vec<(ClaimPath, String)>,
}

/// Chosen claims of a licence, not yet bound.
#[derive(Clone, PartialEq, Eq)]
pub struct Presentation {
    text: String,
}

impl Holding {
    /// Opens a licence as it was issued: without key binding.
    pub fn open(text: &str) -> Result<Self, SdJwtError> {
        let token = UnverifiedSdJwt::parse(text)?;
        if token.has_key_binding() {
            return Err(SdJwtError::KeyBindingUnexpected);
        }
        let (fixed, processed) = token.read_unproved()?;
        let disclosures = token.disclosures().iter().map(|text| (*text).to_owned());
        Ok(Self {
            issuer_jwt: token.issuer_jwt().to_owned(),
            kid: token.kid().clone(),
            digest: token.digest(),
            fixed,
            claims: Value::Object(processed.claims),
            disclosures: processed.paths.into_iter().zip(disclosures).collect(),
        })
    }
    /// The key that it says it is signed with.
    pub const fn kid(&self) -> &KeyUrl {
        &self.kid
    }
    /// Hash of the issuer-signed JWT.
    pub const fn digest(&self) -> LicenceDigest {
        self.digest
    }
    /// What is always shown.
    pub const fn fixed(&self) -> &FixedClaims {
        &self.fixed
    }
    /// All claims, those of the protocol too.
    pub fn claims(&self) -> &Map<String, Value> {
        self.claims.as_object().expect("opened as an object")
    }
    /// What can be kept back.
    pub fn disclosable(&self) -> impl Iterator<Item = &ClaimPath> {
        self.disclosures.iter().map(|(path, _)| path)
    }
    /// The paths that would be disclosed for these: the chosen ones with all inside them, and the claims that they are
    /// in. Each must name a claim of the licence, and none of [`KEPT_CLAIMS`].
    pub fn selection(&self, paths: &[ClaimPath]) -> Result<Vec<&ClaimPath>, SdJwtError> {
        Ok(self.select(paths)?.into_iter().map(|(path, _)| path).collect())
    }
    /// The licence with the disclosures needed for these claims and no others.
    pub fn present(&self, paths: &[ClaimPath]) -> Result<Presentation, SdJwtError> {
        let mut text = self.issuer_jwt.clone();
        text.push('~');
        for (_, disclosure) in self.select(paths)? {
            text.push_str(disclosure);
            text.push('~');
        }
        Ok(Presentation { text })
    }

    fn select(&self, paths: &[ClaimPath]) -> Result<Vec<&(ClaimPath, String)>, SdJwtError> {
        let mut chosen = Vec::new();
        for path in paths {
            if matches!(path.steps().first(), Some(Step::Name(name)) if KEPT_CLAIMS.contains(&name.as_str())) {
                return Err(SdJwtError::ClaimKept(path.clone()));
            }
            let found = path.resolve(&self.claims);
            if found.is_empty() || path.steps().is_empty() {
                return Err(SdJwtError::NoSuchClaim(path.clone()));
            }
            chosen.extend(found);
        }
        let needed = |path: &ClaimPath| chosen.iter().any(|claim| claim.leads_to(path) || path.leads_to(claim));
        Ok(self.disclosures.iter().filter(|(path, _)| needed(path)).collect())
    }
}

impl Presentation {
    /// The SD-JWT without key binding; ends in `~`.
    pub fn text(&self) -> &str {
        &self.text
    }
    /// Its `sd_hash`; over those of a response [`super::set`] is made.
    pub fn sd_hash(&self) -> String {
        sd_hash(&self.text)
    }
    /// Binds it under the licence's key: an SD-JWT+KB.
    pub fn bind(&self, binding: &KeyBinding, holder: &dyn Signer) -> Result<String, SdJwtError> {
        Ok(format!("{}{}", self.text, binding.sign(&self.sd_hash(), holder)?))
    }
}

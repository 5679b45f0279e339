//! Issuing: claims chosen to be selectively disclosable become digests, the rest is signed.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::hash::{LicenceDigest, sha256};
use crate::key::Signer;
use crate::text::base64url;

use super::disclosure::digest;
use super::path::{ClaimPath, Step};
use super::{
    DEPTH_MAX, DISCLOSURES_MAX, Disclosure, ELLIPSIS, FixedClaims, HASH_NAME, NEVER_DISCLOSABLE, SD, SD_ALG, Salt,
    SdJwtError, TOKEN_BYTES_MAX, TYP, jws,
};

/// A licence to issue.
#[derive(Clone)]
pub struct Issuance {
    /// What is always visible.
    pub fixed: FixedClaims,
    /// The claims about the holder; whole numbers only.
    pub claims: Map<String, Value>,
    /// Which of them, or of what they hold, the holder may keep back. A claim and claims inside it may both be named.
    pub disclosable: Vec<ClaimPath>,
    /// Digests of nothing added beside those of each object, to hide how many claims there are.
    pub decoys: u8,
}

/// An issued licence.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// The SD-JWT with all its disclosures: for the holder alone.
    pub text: String,
    /// Hash of the issuer-signed JWT: the leaf of its batch.
    pub digest: LicenceDigest,
}

impl Issuance {
    /// Signs the licence. One salt is asked for per disclosure and decoy, names in ascending order, inner claims before
    /// outer ones, an object's decoys after its claims: with the same salts a licence has the same bytes again.
    pub fn sign(self, signer: &dyn Signer, salts: &mut dyn FnMut() -> Salt) -> Result<Issued, SdJwtError> {
        for name in self.claims.keys() {
            if FixedClaims::NAMES.contains(&name.as_str()) || NEVER_DISCLOSABLE.contains(&name.as_str()) {
                return Err(SdJwtError::ClaimCollision);
            }
        }
        let mut claims = Value::Object(self.claims);
        // Whatever kind of map serde_json is built with, the bytes are the same.
        claims.sort_all_objects();
        let mut concealer = Concealer {
            patterns: &self.disclosable,
            used: vec![false; self.disclosable.len()],
            decoys: self.decoys,
            salts,
            disclosures: Vec::new(),
            digests: BTreeSet::new(),
            path: Vec::new(),
        };
        let mut payload = match concealer.value(claims, 1)? {
            Value::Object(payload) => payload,
            _ => unreachable!("an object stays an object"),
        };
        if let Some(unused) = concealer.used.iter().position(|used| !used) {
            return Err(SdJwtError::NoSuchClaim(self.disclosable[unused].clone()));
        }
        let disclosures = concealer.disclosures;
        if disclosures.len() > DISCLOSURES_MAX {
            return Err(SdJwtError::TooManyDisclosures { len: disclosures.len(), max: DISCLOSURES_MAX });
        }
        payload.insert(SD_ALG.to_owned(), HASH_NAME.into());
        self.fixed.write(&mut payload)?;
        let mut payload = Value::Object(payload);
        payload.sort_all_objects();
        let kid = self.fixed.issuer.key_url(signer.public_key().id()).to_string();
        assemble(jws::sign(TYP, Some(&kid), &payload, signer)?, &disclosures)
    }
}

fn assemble(jwt: String, disclosures: &[Disclosure]) -> Result<Issued, SdJwtError> {
    let digest = LicenceDigest(sha256(&[jwt.as_bytes()]));
    let mut text = jwt;
    text.push('~');
    for disclosure in disclosures {
        text.push_str(disclosure.encoded());
        text.push('~');
    }
    if text.len() > TOKEN_BYTES_MAX {
        return Err(SdJwtError::TooLarge { len: text.len(), max: TOKEN_BYTES_MAX });
    }
    Ok(Issued { text, digest })
}

struct Concealer<'a> {
    patterns: &'a [ClaimPath],
    used: Vec<bool>,
    decoys: u8,
    salts: &'a mut dyn FnMut() -> Salt,
    disclosures: Vec<Disclosure>,
    digests: BTreeSet<String>,
    path: Vec<Step>,
}

impl Concealer<'_> {
    fn value(&mut self, value: Value, depth: usize) -> Result<Value, SdJwtError> {
        match value {
            Value::Object(_) | Value::Array(_) if depth > DEPTH_MAX => Err(SdJwtError::TooDeep),
            Value::Object(object) => self.object(object, depth).map(Value::Object),
            Value::Array(array) => self.array(array, depth).map(Value::Array),
            Value::Number(number) if number.is_f64() => Err(SdJwtError::Format("a number is not whole")),
            leaf => Ok(leaf),
        }
    }

    fn object(&mut self, object: Map<String, Value>, depth: usize) -> Result<Map<String, Value>, SdJwtError> {
        let mut visible = Map::new();
        let mut digests = Vec::new();
        for (name, value) in object {
            if [SD, ELLIPSIS, SD_ALG].contains(&name.as_str()) {
                return Err(SdJwtError::ReservedName);
            }
            self.path.push(Step::Name(name.clone()));
            let value = self.value(value, depth + 1)?;
            if self.is_disclosable() {
                let disclosure = Disclosure::property(&(self.salts)(), name, value);
                digests.push(self.keep(disclosure)?);
            } else {
                visible.insert(name, value);
            }
            self.path.pop();
        }
        if !digests.is_empty() {
            for _ in 0..self.decoys {
                let decoy = digest(&base64url(&(self.salts)()));
                digests.push(self.unique(decoy)?);
            }
            // Sorted, so that the order says nothing about the claims (RFC 9901 §4.2.4.1).
            digests.sort_unstable();
            visible.insert(SD.to_owned(), digests.into());
        }
        Ok(visible)
    }

    fn array(&mut self, array: Vec<Value>, depth: usize) -> Result<Vec<Value>, SdJwtError> {
        let mut elements = Vec::with_capacity(array.len());
        for (at, value) in (0u32..).zip(array) {
            self.path.push(Step::Index(at));
            let value = self.value(value, depth + 1)?;
            if self.is_disclosable() {
                let disclosure = Disclosure::element(&(self.salts)(), value);
                elements.push(json!({ ELLIPSIS: self.keep(disclosure)? }));
            } else {
                elements.push(value);
            }
            self.path.pop();
        }
        Ok(elements)
    }

    fn is_disclosable(&mut self) -> bool {
        let mut matched = false;
        for (pattern, used) in self.patterns.iter().zip(&mut self.used) {
            if pattern.matches(&self.path) {
                *used = true;
                matched = true;
            }
        }
        matched
    }

    fn keep(&mut self, disclosure: Disclosure) -> Result<String, SdJwtError> {
        let digest = self.unique(disclosure.digest())?;
        self.disclosures.push(disclosure);
        Ok(digest)
    }

    /// A salt that comes twice shows here at the latest.
    fn unique(&mut self, digest: String) -> Result<String, SdJwtError> {
        if self.digests.insert(digest.clone()) { Ok(digest) } else { Err(SdJwtError::DigestRepeated) }
    }
}

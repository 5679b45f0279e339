//! From payload and disclosures to claims (RFC 9901 §7.1, steps 3 to 5).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::path::{ClaimPath, Step};
use super::{DEPTH_MAX, Disclosure, ELLIPSIS, HASH_NAME, NEVER_DISCLOSABLE, SD, SD_ALG, SdJwtError};

/// The claims, and where each disclosure went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Processed {
    /// All that is visible or disclosed; digests and placeholders are gone.
    pub claims: Map<String, Value>,
    /// Path in `claims` of each disclosure, in the order of the disclosures.
    pub paths: Vec<ClaimPath>,
}

/// Puts every disclosure where its digest is.
pub(super) fn process(mut payload: Map<String, Value>, disclosures: &[Disclosure]) -> Result<Processed, SdJwtError> {
    match payload.remove(SD_ALG) {
        None => (),
        Some(Value::String(name)) if name == HASH_NAME => (),
        Some(_) => return Err(SdJwtError::HashNotAllowed),
    }
    let mut by_digest = BTreeMap::new();
    for (at, disclosure) in disclosures.iter().enumerate() {
        if by_digest.insert(disclosure.digest(), at).is_some() {
            return Err(SdJwtError::DisclosureRepeated);
        }
    }
    let paths = vec![None; disclosures.len()];
    let mut walk = Walk { disclosures, by_digest, seen: BTreeSet::new(), paths, path: Vec::new() };
    let claims = walk.object(payload, 1)?;
    let paths = walk.paths.into_iter().collect::<Option<Vec<_>>>().ok_or(SdJwtError::DisclosureUnused)?;
    Ok(Processed { claims, paths })
}

struct Walk<'a> {
    disclosures: &'a [Disclosure],
    by_digest: BTreeMap<String, usize>,
    /// Every digest met so far, of disclosures and decoys alike.
    seen: BTreeSet<String>,
    paths: Vec<Option<ClaimPath>>,
    path: Vec<Step>,
}

impl<'a> Walk<'a> {
    fn value(&mut self, value: Value, depth: usize) -> Result<Value, SdJwtError> {
        match value {
            Value::Object(object) => self.object(object, depth).map(Value::Object),
            Value::Array(array) => self.array(array, depth).map(Value::Array),
            leaf => Ok(leaf),
        }
    }

    fn object(&mut self, object: Map<String, Value>, depth: usize) -> Result<Map<String, Value>, SdJwtError> {
        if depth > DEPTH_MAX {
            return Err(SdJwtError::TooDeep);
        }
        let mut claims = Map::new();
        let mut digests = Vec::new();
        for (name, value) in object {
            match (name.as_str(), value) {
                (SD, Value::Array(array)) => digests = array,
                (SD, _) => return Err(SdJwtError::Format("`_sd` is not an array")),
                (ELLIPSIS | SD_ALG, _) => return Err(SdJwtError::ReservedName),
                (_, value) => {
                    let value = self.inside(Step::Name(name.clone()), value, depth)?;
                    claims.insert(name, value);
                }
            }
        }
        for digest in digests {
            let Some(disclosure) = self.look_up(digest)? else { continue };
            self.property(&mut claims, disclosure, depth)?;
        }
        Ok(claims)
    }

    fn property(&mut self, claims: &mut Map<String, Value>, at: usize, depth: usize) -> Result<(), SdJwtError> {
        let disclosure = &self.disclosures[at];
        let name = disclosure.name().ok_or(SdJwtError::DisclosureKind)?;
        if [SD, ELLIPSIS, SD_ALG].contains(&name) {
            return Err(SdJwtError::ReservedName);
        }
        if self.path.is_empty() && NEVER_DISCLOSABLE.contains(&name) {
            return Err(SdJwtError::ClaimNotDisclosable);
        }
        if claims.contains_key(name) {
            return Err(SdJwtError::ClaimCollision);
        }
        self.record(at, Step::from(name));
        let value = self.inside(Step::from(name), disclosure.value().clone(), depth)?;
        claims.insert(name.to_owned(), value);
        Ok(())
    }

    fn array(&mut self, array: Vec<Value>, depth: usize) -> Result<Vec<Value>, SdJwtError> {
        if depth > DEPTH_MAX {
            return Err(SdJwtError::TooDeep);
        }
        let mut elements = Vec::with_capacity(array.len());
        for element in array {
            let step = Step::Index(elements.len() as u32);
            let element = match as_placeholder(element)? {
                Element::Visible(value) => value,
                Element::Digest(digest) => {
                    let Some(at) = self.look_up(digest)? else { continue };
                    let disclosure = &self.disclosures[at];
                    if disclosure.name().is_some() {
                        return Err(SdJwtError::DisclosureKind);
                    }
                    self.record(at, step.clone());
                    disclosure.value().clone()
                }
            };
            elements.push(self.inside(step, element, depth)?);
        }
        Ok(elements)
    }

    fn inside(&mut self, step: Step, value: Value, depth: usize) -> Result<Value, SdJwtError> {
        self.path.push(step);
        let value = self.value(value, depth + 1)?;
        self.path.pop();
        Ok(value)
    }

    /// The disclosure of a digest; none: a decoy, or one that was kept back.
    fn look_up(&mut self, digest: Value) -> Result<Option<usize>, SdJwtError> {
        let Value::String(digest) = digest else {
            return Err(SdJwtError::Format("a digest is not a string"));
        };
        if let Some(Step::Name(name)) = self.path.first()
            && NEVER_DISCLOSABLE.contains(&name.as_str())
        {
            return Err(SdJwtError::ClaimNotDisclosable);
        }
        let found = self.by_digest.get(&digest).copied();
        if !self.seen.insert(digest) {
            return Err(SdJwtError::DigestRepeated);
        }
        Ok(found)
    }

    fn record(&mut self, at: usize, step: Step) {
        let mut steps = self.path.clone();
        steps.push(step);
        self.paths[at] = Some(ClaimPath::new(steps));
    }
}

enum Element {
    Visible(Value),
    Digest(Value),
}

fn as_placeholder(element: Value) -> Result<Element, SdJwtError> {
    match element {
        Value::Object(mut object) if object.contains_key(ELLIPSIS) => {
            if object.len() != 1 {
                return Err(SdJwtError::ReservedName);
            }
            Ok(Element::Digest(object.remove(ELLIPSIS).expect("just seen")))
        }
        value => Ok(Element::Visible(value)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(payload: Value, disclosures: &[Disclosure]) -> Result<Processed, SdJwtError> {
        match payload {
            Value::Object(payload) => process(payload, disclosures),
            _ => panic!("an object"),
        }
    }

    /// Payload of RFC 9901 §5.1 and the disclosures of the presentation in §5.2.
    #[test]
    fn the_rfcs_presentation() {
        let payload = json!({
            "_sd": [
                "CrQe7S5kqBAHt-nMYXgc6bdt2SH5aTY1sU_M-PgkjPI", "JzYjH4svliH0R3PyEMfeZu6Jt69u5qehZo7F7EPYlSE",
                "PorFbpKuVu6xymJagvkFsFXAbRoc2JGlAUA2BA4o7cI", "TGf4oLbgwd5JQaHyKVQZU9UdGE0w5rtDsrZzfUaomLo",
                "XQ_3kPKt1XyX7KANkqVR6yZ2Va5NrPIvPYbyMvRKBMM", "XzFrzwscM6Gn6CJDc6vVK8BkMnfG8vOSKfpPIZdAfdE",
                "gbOsI4Edq2x2Kw-w5wPEzakob9hV1cRD0ATN3oQL9JM", "jsu9yVulwQQlhFlM_3JlzMaSFzglhQG0DpfayQwLUK4"
            ],
            "iss": "https://issuer.example.com", "iat": 1_683_000_000, "exp": 1_883_000_000, "sub": "user_42",
            "nationalities": [
                { "...": "pFndjkZ_VCzmyTa6UjlZo3dh-ko8aIKQc9DlGzhaVYo" },
                { "...": "7Cf6JkPudry3lcbwHgeZ8khAv1U1OSlerP0VkBJrWZ0" }
            ],
            "_sd_alg": "sha-256",
        });
        let disclosures = [
            "WyJlbHVWNU9nM2dTTklJOEVZbnN4QV9BIiwgImZhbWlseV9uYW1lIiwgIkRvZSJd",
            "WyJBSngtMDk1VlBycFR0TjRRTU9xUk9BIiwgImFkZHJlc3MiLCB7InN0cmVldF9hZGRyZXNzIjogIjEyMyBNYWluIFN0IiwgImxvY2FsaXR5\
             IjogIkFueXRvd24iLCAicmVnaW9uIjogIkFueXN0YXRlIiwgImNvdW50cnkiOiAiVVMifV0",
            "WyIyR0xDNDJzS1F2ZUNmR2ZyeU5STjl3IiwgImdpdmVuX25hbWUiLCAiSm9obiJd",
            "WyJsa2x4RjVqTVlsR1RQVW92TU5JdkNBIiwgIlVTIl0",
        ];
        let disclosures = disclosures.map(|text| Disclosure::parse(text).unwrap());
        let processed = run(payload, &disclosures).unwrap();
        assert_eq!(
            Value::Object(processed.claims),
            json!({
                "iss": "https://issuer.example.com", "iat": 1_683_000_000, "exp": 1_883_000_000, "sub": "user_42",
                "nationalities": ["US"], "family_name": "Doe", "given_name": "John",
                "address": { "street_address": "123 Main St", "locality": "Anytown", "region": "Anystate",
                    "country": "US" },
            })
        );
        let paths: Vec<String> = processed.paths.iter().map(ToString::to_string).collect();
        assert_eq!(paths, ["family_name", "address", "given_name", "nationalities[0]"]);
    }

    #[test]
    fn each_rule_has_its_code() {
        let property = |name: &str| Disclosure::property(&[1; 16], name.into(), json!(1));
        let element = Disclosure::element(&[2; 16], json!(2));
        let code = |payload: Value, disclosures: &[&Disclosure]| {
            let disclosures: Vec<Disclosure> = disclosures.iter().map(|one| (*one).clone()).collect();
            run(payload, &disclosures).unwrap_err().code()
        };
        let a = property("a");
        let sd = |disclosure: &Disclosure| json!({ "_sd": [disclosure.digest()] });

        assert!(run(sd(&a), std::slice::from_ref(&a)).is_ok());
        assert_eq!(code(json!({}), &[&a]), "disclosure_unused");
        assert_eq!(code(sd(&a), &[&a, &a]), "disclosure_repeated");
        assert_eq!(code(json!({ "_sd": ["d", "d"] }), &[]), "digest_repeated");
        assert_eq!(code(json!({ "_sd": ["d"], "b": [{ "...": "d" }] }), &[]), "digest_repeated");
        let holds = Disclosure::property(&[3; 16], "h".into(), json!({ "_sd": [a.digest()] }));
        let twice = json!({ "_sd": [a.digest(), holds.digest()] });
        assert_eq!(code(twice, &[&a, &holds]), "digest_repeated");
        assert_eq!(code(sd(&element), &[&element]), "disclosure_kind");
        assert_eq!(code(json!({ "b": [{ "...": a.digest() }] }), &[&a]), "disclosure_kind");
        assert_eq!(code(json!({ "_sd": [a.digest()], "a": 1 }), &[&a]), "claim_collision");
        let other = Disclosure::property(&[4; 16], "a".into(), json!(2));
        assert_eq!(code(json!({ "_sd": [a.digest(), other.digest()] }), &[&a, &other]), "claim_collision");
        for name in ["_sd", "...", "_sd_alg"] {
            assert_eq!(code(sd(&property(name)), &[&property(name)]), "reserved_name");
        }
        assert_eq!(code(json!({ "a": { "...": "d" } }), &[]), "reserved_name");
        assert_eq!(code(json!({ "a": [{ "...": "d", "b": 1 }] }), &[]), "reserved_name");
        assert_eq!(code(json!({ "a": { "_sd_alg": "sha-256" } }), &[]), "reserved_name");
        for name in NEVER_DISCLOSABLE {
            assert_eq!(code(sd(&property(name)), &[&property(name)]), "claim_not_disclosable");
            assert_eq!(code(json!({ name: sd(&a) }), &[&a]), "claim_not_disclosable");
            assert_eq!(code(json!({ name: [{ "...": "d" }] }), &[]), "claim_not_disclosable");
        }
        // Below the top a claim may have such a name.
        assert!(run(json!({ "b": sd(&property("exp")) }), &[property("exp")]).is_ok());
        assert_eq!(code(json!({ "_sd_alg": "sha-512" }), &[]), "hash_not_allowed");
        assert_eq!(code(json!({ "_sd_alg": 1 }), &[]), "hash_not_allowed");
        assert_eq!(code(json!({ "_sd": 1 }), &[]), "format");
        assert_eq!(code(json!({ "_sd": [1] }), &[]), "format");
        assert_eq!(code(json!({ "a": [{ "...": 1 }] }), &[]), "format");
    }

    #[test]
    fn a_chain_of_disclosures_is_bounded() {
        let chain = |length: u8| {
            let mut disclosures = vec![Disclosure::property(&[0; 16], "a".into(), json!({}))];
            for salt in 1..length {
                let inner = disclosures.last().unwrap().digest();
                disclosures.push(Disclosure::property(&[salt; 16], "a".into(), json!({ "_sd": [inner] })));
            }
            let root = json!({ "_sd": [disclosures.last().unwrap().digest()] });
            run(root, &disclosures)
        };
        assert!(chain(63).is_ok());
        assert_eq!(chain(64).unwrap_err().code(), "too_deep");
        assert_eq!(chain(255).unwrap_err().code(), "too_deep");
    }
}

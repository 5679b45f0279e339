//! Public keys as JWK: OKP Ed25519 (RFC 8037) and EC P-256 (RFC 7518), and their thumbprints (RFC 7638).

use serde_json::{Map, Value, json};

use crate::bounded::Blob;
use crate::hash::sha256;
use crate::key::{Algorithm, PublicKey};
use crate::text::{base64url, from_base64url};

use super::SdJwtError;

const UNCOMPRESSED: u8 = 4;

/// A public key as JWK, its required members alone in the order of RFC 7638. SM2 has no registered form.
pub fn to_jwk(key: &PublicKey) -> Result<Value, SdJwtError> {
    match (key.algorithm, &key.bytes[..]) {
        (Algorithm::Ed25519, x) if x.len() == 32 => Ok(json!({ "crv": "Ed25519", "kty": "OKP", "x": base64url(x) })),
        (Algorithm::Es256, [UNCOMPRESSED, point @ ..]) if point.len() == 64 => Ok(json!({
            "crv": "P-256", "kty": "EC", "x": base64url(&point[..32]), "y": base64url(&point[32..])
        })),
        _ => Err(SdJwtError::JwkWrong),
    }
}

/// Reads a public key; a private one (`d`) is refused. That a P-256 point lies on its curve is for its verification.
pub fn from_jwk(jwk: &Value) -> Result<PublicKey, SdJwtError> {
    let members = jwk.as_object().ok_or(SdJwtError::JwkWrong)?;
    if members.contains_key("d") || members.get("use").is_some_and(|purpose| purpose != "sig") {
        return Err(SdJwtError::JwkWrong);
    }
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    match (text("kty"), text("crv")) {
        (Some("OKP"), Some("Ed25519")) => Ok(PublicKey::ed25519(coordinate(members, "x")?)),
        (Some("EC"), Some("P-256")) => {
            let mut bytes = vec![UNCOMPRESSED];
            bytes.extend_from_slice(&coordinate(members, "x")?);
            bytes.extend_from_slice(&coordinate(members, "y")?);
            Ok(PublicKey { algorithm: Algorithm::Es256, bytes: Blob::new(bytes).expect("65 bytes are within 65") })
        }
        _ => Err(SdJwtError::JwkWrong),
    }
}

fn coordinate(members: &Map<String, Value>, name: &str) -> Result<[u8; 32], SdJwtError> {
    let text = members.get(name).and_then(Value::as_str).ok_or(SdJwtError::JwkWrong)?;
    from_base64url(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(SdJwtError::JwkWrong)
}

/// The JWK thumbprint: base64url(SHA-256(required members, ordered, without spaces)).
pub fn thumbprint(key: &PublicKey) -> Result<String, SdJwtError> {
    // The order of members is part of the hash, so it must not hang on how a JSON map is built.
    let mut jwk = to_jwk(key)?;
    jwk.sort_all_objects();
    Ok(base64url(&sha256(&[jwk.to_string().as_bytes()])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_8037_appendix_a() {
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        let key = from_jwk(&jwk).unwrap();
        assert_eq!(thumbprint(&key).unwrap(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(to_jwk(&key).unwrap(), jwk);
    }

    #[test]
    fn p256_has_its_form() {
        // The holder's key of RFC 9901 §5.1.
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": "TCAER19Zvu3OHF4j4W4vfSVoHIP1ILilDls7vCeGemc",
            "y": "ZxjiWWbZMQGHVWKVQ4hbSIirsVfuecCE6t4jT9F2HZQ" });
        let key = from_jwk(&jwk).unwrap();
        assert_eq!((key.algorithm, key.bytes.len()), (Algorithm::Es256, 65));
        assert_eq!(to_jwk(&key).unwrap(), jwk);
    }

    #[test]
    fn refuses_others() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        for jwk in [
            json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "d": x }),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "use": "enc" }),
            json!({ "kty": "OKP", "crv": "X25519", "x": x }),
            json!({ "kty": "OKP", "crv": "Ed25519" }),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" }),
            json!({ "kty": "EC", "crv": "P-256", "x": x }),
            json!({ "kty": "oct", "k": x }),
            json!("key"),
        ] {
            assert_eq!(from_jwk(&jwk).unwrap_err().code(), "jwk_wrong");
        }
    }
}

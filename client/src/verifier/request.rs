//! Making requests.

use kanhe_proto::identifiers::{Did, Vct};
use kanhe_proto::ids::{SpanMs, TimeMs};
use kanhe_proto::key::Signer;
use kanhe_proto::request::{ClaimQuery, Dcql, LICENCE_FORMAT, LicenceQuery, QueryMeta, REQUEST_LIFE_MAX, Request};
use kanhe_proto::sd_jwt::ClaimPath;
use kanhe_proto::text;

use crate::clock;
use crate::talk::{ExitCode, Failure};

/// One licence that is asked for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Types and versions that do.
    pub vcts: Vec<Vct>,
    /// Claims, as `NAME`, `NAME.INNER` or `NAME[0]`.
    pub claims: Vec<String>,
}

/// A request, and the same signed.
pub fn make(
    asks: &[Ask],
    party: &Did,
    purpose: &str,
    max_age: SpanMs,
    same_holder: bool,
    signer: &dyn Signer,
    now: TimeMs,
) -> Result<(Request, String), Failure> {
    let mut credentials = Vec::new();
    for (place, ask) in asks.iter().enumerate() {
        let claims = ask.claims.iter().map(|claim| Ok(ClaimQuery { path: claim_path(claim)? }));
        credentials.push(LicenceQuery {
            id: format!("q{}", place + 1),
            format: LICENCE_FORMAT.to_owned(),
            meta: QueryMeta { vct_values: ask.vcts.clone() },
            claims: claims.collect::<Result<_, Failure>>()?,
        });
    }
    let iat = now.0 / 1000;
    let request = Request {
        client_id: party.clone(),
        response_type: "vp_token".to_owned(),
        nonce: text::base64url(&clock::random::<24>()?),
        dcql_query: Dcql { credentials },
        purpose: purpose.to_owned(),
        max_age_ms: max_age,
        same_holder,
        iat,
        exp: iat + REQUEST_LIFE_MAX.0 / 1000,
    };
    let signed = request.sign(signer).map_err(|error| Failure::reported(ExitCode::Usage, error.code(), error))?;
    Ok((request, signed))
}

/// `name.inner[0]`, as claims are shown.
fn claim_path(text: &str) -> Result<ClaimPath, Failure> {
    text.parse().map_err(|_| Failure::of(ExitCode::Usage, "claim_wrong", &[("claim", &text)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_they_are_shown() {
        for text in ["ZZMC", "KZ_owner.name", "list[0]", "list[*].name"] {
            assert_eq!(claim_path(text).unwrap().to_string(), text);
        }
        for text in ["", ".a", "a[", "a[x]", "[0]"] {
            assert_eq!(claim_path(text).unwrap_err().code, "claim_wrong", "{text}");
        }
    }
}

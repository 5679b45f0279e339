//! Whose a consent is: by a licence that is bound to it under its key.

use kanhe_proto::codec;
use kanhe_proto::consent::{Subject, consent_nonce};
use kanhe_proto::evidence::LicencePath;
use kanhe_proto::exchange::PATH_BYTES_MAX;
use kanhe_proto::hash::{Commitment, ConsentId};
use kanhe_proto::identifiers::Did;
use kanhe_proto::sd_jwt::{ExpectedBinding, UnverifiedSdJwt, VerifiedLicence};
use kanhe_proto::sharing::HolderShown;
use kanhe_proto::status::Status;
use kanhe_proto::trust::Trust;

use crate::follow::Follower;
use crate::issuer::{Office, holder_of};
use crate::talk::{ExitCode, Failure};
use crate::wallet;

/// The person who consents, or the code of what is wrong. Evidence is fetched now: a licence that was revoked shows nobody.
pub(super) fn who(
    shown: &HolderShown,
    consent: &ConsentId,
    terms: &Commitment,
    office: &Office,
    follower: &mut Follower,
) -> Result<Result<Subject, &'static str>, Failure> {
    const WRONG: Result<Subject, &str> = Err("consent_holder_unproved");
    let Ok(token) = UnverifiedSdJwt::parse(&shown.token) else { return Ok(WRONG) };
    let Ok(path) = codec::decode::<LicencePath>(&shown.path, PATH_BYTES_MAX) else { return Ok(WRONG) };
    if token.kid().did.chain != office.chain_ref {
        return Ok(WRONG);
    }
    let evidence = match follower.evidence(path.batch, &token.digest()) {
        Ok(evidence) => evidence,
        Err(error) => {
            let failure = error.failure();
            return if failure.exit == ExitCode::Refused { Ok(WRONG) } else { Err(failure) };
        }
    };
    let trust: &Trust = follower.trust();
    let now = crate::clock::now();
    if trust.check(&evidence.certified, now).is_err() {
        return Ok(WRONG);
    }
    let Ok(proved) = wallet::subject(&shown.token, &path, &evidence) else { return Ok(WRONG) };
    let effective = proved.facts.status_at(proved.facts.as_of);
    let in_time =
        proved.fixed.expires.is_none_or(|end| now < end) && proved.fixed.not_before.is_none_or(|from| now >= from);
    if proved.facts.not_accredited().is_some() || effective.status != Status::Active || !in_time {
        return Ok(Err("consent_holder_not_good"));
    }
    let kid = token.kid();
    let Ok(Some(key)) = evidence.key_entry(kid.did.uscc, kid.key) else { return Ok(WRONG) };
    let audience = Did::new(office.chain_ref.clone(), office.issuer).to_string();
    let nonce = consent_nonce(consent, terms);
    let expected = ExpectedBinding { nonce: &nonce, audience: &audience, set: None };
    let Ok((licence, _)) = token.verify_presentation(&key.key, &expected) else { return Ok(WRONG) };
    let VerifiedLicence { claims, .. } = licence;
    Ok(holder_of(&claims).ok_or("consent_holder_unproved"))
}
